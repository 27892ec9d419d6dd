"""Revocation data is fetched from allowed hosts only, within bounds; outages heal by themselves.

The failures guarded against: an address in a certificate makes the daemon ask a host of the
inner network; a host that hangs or lies keeps the others' data from coming; after an outage all
stays as it is until a person comes.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pytest
from support.pages import Host, Page
from support.revocation import HOUR, NOW, NOW_US, Ca, root
from support.shared import wait_until

from router.engine import Engine
from router.limits import CRL_BYTES_MAX
from router.model.revocation import AuthorityRevocation
from router.ports import ManualClock
from router.queue import MemoryDisk, MemoryStore
from router.server.fetching import Fetcher, Pauses, host_of
from router.settings import RevocationSettings, Settings

TOP = root()
LIST = "/list.crl"
HOUR_S = 3_600


@pytest.fixture
def host() -> Iterator[Host]:
    with Host() as made:
        yield made


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW_US)


@pytest.fixture
def engine(clock: ManualClock) -> Iterator[Engine]:
    with Engine.over(MemoryStore(MemoryDisk()), clock=clock) as made:
        made.trust_authority(TOP.certificate.der)
        yield made


def below(engine: Engine, *urls: str, index: int = 33, above: Ca = TOP) -> None:
    """Trust an authority whose certificate names these addresses of the list above it."""
    named = above.child(f"Sub CA {index}", index, lists=urls)
    engine.trust_authority(named.certificate.der, revocation="not_checked")


def fetching(engine: Engine, *hosts: str, timeout_s: float = 60) -> Fetcher:
    settings = RevocationSettings(allowed_hosts=hosts, timeout_s=timeout_s)
    return Fetcher(engine, settings, look_s=0.01, first_s=0.02, last_s=0.05, retry_s=0.02)


def state(engine: Engine, ca: Ca = TOP) -> AuthorityRevocation:
    found = {one.sha256: one for one in engine.revocation_states()}
    return found[ca.certificate.sha256.hex()]


def test_what_is_wanted_is_fetched_from_an_allowed_host(engine: Engine, host: Host) -> None:
    below(engine, host.url(LIST))
    host.pages[LIST] = Page(TOP.crl([7]))
    with fetching(engine, host.name):
        wait_until(lambda: state(engine).state == "fresh")
    assert host.asked == [("GET", LIST, b"")]
    assert state(engine).entries == 1


def test_without_allowed_hosts_nothing_is_asked_and_that_is_said(
    engine: Engine, host: Host, caplog: pytest.LogCaptureFixture
) -> None:
    below(engine, host.url(LIST))
    with caplog.at_level(logging.INFO, logger="router.server"), fetching(engine) as fetcher:
        assert not fetcher._thread.is_alive()
    assert "allowed_hosts" in caplog.text
    assert "allowed_hosts" in state(engine).failure


def test_another_host_is_not_asked_and_that_is_said(engine: Engine, host: Host) -> None:
    below(engine, host.url(LIST))
    with fetching(engine, "127.0.0.1", "localhost:1"):
        wait_until(lambda: bool(engine._rooms.revocation.states(
            engine._rooms.trust.view, NOW_US)[0].failure))  # fmt: skip
    found = engine._rooms.revocation.states(engine._rooms.trust.view, NOW_US)[0]
    assert f"{host.name} is not among" in found.failure
    assert host.asked == []


@pytest.mark.parametrize(
    "page",
    [
        Page(status=302, headers={"location": "/good.crl"}),
        Page(status=500),
        Page(b"<html>", headers={"content-type": "text/html"}),
        Page(b"\x1f\x8b", headers={"content-encoding": "gzip"}),
        Page(headers={"content-length": str(CRL_BYTES_MAX + 1)}),
        Page(b"no list"),
        Page(TOP.response(TOP.leaf(9))),
        Page(root("Stranger", 34).crl([])),
        Page(root("Root CA", 35).crl([])),
    ],
    ids=[
        "redirect", "fault", "page", "compressed", "too large", "nonsense", "other kind",
        "stranger", "namesake",
    ],
)  # fmt: skip
def test_a_wrong_answer_is_refused_and_the_next_address_is_asked(
    engine: Engine, host: Host, page: Page
) -> None:
    below(engine, host.url("/wrong.crl"), host.url("/good.crl"))
    host.pages["/wrong.crl"] = page
    host.pages["/good.crl"] = Page(TOP.crl([]))
    with fetching(engine, host.name):
        wait_until(lambda: state(engine).state == "fresh")
    assert host.asked[0][1] == "/wrong.crl"


def test_a_host_that_hangs_costs_the_others_nothing(engine: Engine, host: Host) -> None:
    other = root("Other root", 36)
    engine.trust_authority(other.certificate.der)
    with Host() as hanging:
        hanging.pages[LIST] = Page(hangs=True)
        below(engine, hanging.url(LIST))
        below(engine, host.url(LIST), index=37, above=other)
        with fetching(engine, host.name, hanging.name):
            wait_until(lambda: bool(hanging.asked))
            host.pages[LIST] = Page(other.crl([]))
            wait_until(lambda: state(engine, other).state == "fresh")
            assert len(hanging.asked) == 1, "nobody asks again while it hangs"
    assert state(engine).state == "missing"


def test_an_outage_is_survived_within_the_grace_and_heals_by_itself(
    engine: Engine, host: Host, clock: ManualClock
) -> None:
    below(engine, host.url(LIST))
    host.pages[LIST] = Page(TOP.crl([7], number=1, ends=NOW + HOUR))
    issuer = TOP.certificate
    with fetching(engine, host.name):
        wait_until(lambda: state(engine).state == "fresh")
        host.stop()
        clock.advance(2 * HOUR_S)
        wait_until(lambda: bool(state(engine).failure))
        stale = engine._rooms.revocation.view.status(issuer, 9, clock.now_us())
        assert state(engine).state == "grace"
        assert stale.kind == "good"
        assert stale.evidence is not None
        assert stale.evidence.grace
        clock.advance(24 * HOUR_S)
        assert state(engine).state == "expired"
        assert engine._rooms.revocation.view.status(issuer, 9, clock.now_us()).kind == "unknown"
        host.pages[LIST] = Page(TOP.crl([7], number=2, made=NOW + 25 * HOUR, ends=NOW + 50 * HOUR))
        host.start()
        wait_until(lambda: state(engine).state == "fresh")
    assert (state(engine).number, state(engine).failure) == ("2", "")


def test_a_clock_that_was_ahead_and_is_set_back_does_not_end_the_fetching(
    engine: Engine, host: Host, clock: ManualClock
) -> None:
    below(engine, host.url(LIST))
    host.pages[LIST] = Page(TOP.crl([7], number=1, ends=NOW + 20_000 * HOUR))
    clock.advance(10_000 * HOUR_S)
    with fetching(engine, host.name):
        wait_until(lambda: state(engine).number == "1")
        host.pages[LIST] = Page(TOP.crl([7, 8], number=2, made=NOW, ends=NOW + 2 * HOUR))
        clock.advance(-10_000 * HOUR_S)
        wait_until(lambda: state(engine).number == "2")


def test_a_fault_of_ours_is_told_and_the_other_hosts_go_on(
    engine: Engine, host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = root("Other CA", 31)
    engine.trust_authority(other.certificate.der)
    below(engine, host.url("/fault.crl"))
    below(engine, host.url(LIST), index=34, above=other)
    host.pages["/fault.crl"] = Page(TOP.crl([7]))
    host.pages[LIST] = Page(other.crl([7]))
    take = engine.add_revocation

    def faulty(der: bytes, **more: Any) -> Any:
        if more["url"].endswith("/fault.crl"):
            raise RuntimeError("a fault")
        return take(der, **more)

    monkeypatch.setattr(engine, "add_revocation", faulty)
    with fetching(engine, host.name):
        wait_until(lambda: state(engine, other).state == "fresh")
        wait_until(lambda: "fault" in state(engine).failure)


def test_a_responder_is_asked_about_a_certificate_that_no_list_speaks_about(
    engine: Engine, host: Host
) -> None:
    leaf = TOP.leaf(9, responders=[host.url("/ocsp")])
    engine._rooms.revocation.view.notice(leaf, TOP.certificate, NOW_US)
    host.pages["/ocsp"] = Page(
        TOP.response(leaf, responder=TOP.responder()),
        headers={"content-type": "application/ocsp-response"},
    )
    with fetching(engine, host.name):
        wait_until(lambda: state(engine).responses == 1)
    method, path, body = host.asked[0]
    assert (method, path, body[:1]) == ("POST", "/ocsp", b"\x30")
    assert engine._rooms.revocation.view.status(TOP.certificate, 9, NOW_US).kind == "good"
    assert engine.revocation_wanted() == []


def test_pauses_double_within_bounds_and_are_drawn_at_random() -> None:
    pauses = Pauses(5, 900)
    drawn = [pauses.failed("host", 1_000.0) for _ in range(40)]
    for number, pause in enumerate(drawn):
        whole = min(900, 5 * 2**number)
        assert whole / 2 <= pause <= whole
    assert not pauses.over("host", 1_000.0 + drawn[-1] - 1)
    assert pauses.over("host", 1_000.0 + drawn[-1])
    assert pauses.over("other", 1_000.0)
    assert len({pauses.failed(f"host {number}", 0.0) for number in range(20)}) > 1
    pauses.succeeded("host")
    assert pauses.over("host", 0.0)
    assert pauses.failed("host", 0.0) <= 5


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("http://ca.example/a.crl", "ca.example"),
        ("https://CA.example/a.crl", "ca.example"),
        ("http://ca.example:80/a.crl", "ca.example"),
        ("http://ca.example:8080/a.crl", ""),
        ("http://two.example:8080/", "two.example:8080"),
        ("http://two.example/", ""),
        ("http://[::1]:99/", "[::1]:99"),
        ("http://ca.example.evil/", ""),
        ("http://ca.example@evil/", ""),
        ("http://user@ca.example/", ""),
        ("http://evil/ca.example", ""),
        ("ftp://ca.example/", ""),
        ("ldap://ca.example/", ""),
        ("file:///etc/passwd", ""),
        ("http://ca.example:99999/", ""),
        ("http://[", ""),
        ("", ""),
    ],
)
def test_only_exactly_the_allowed_hosts_are_asked(url: str, found: str) -> None:
    assert host_of(url, frozenset({"ca.example", "two.example:8080", "[::1]:99"})) == found


def test_addresses_of_the_settings_take_the_place_of_those_in_certificates(
    host: Host, clock: ManualClock
) -> None:
    named = {TOP.certificate.sha256.hex(): (host.url("/ours.crl"),)}
    settings = Settings(revocation=RevocationSettings(addresses=named))
    with Engine.over(MemoryStore(MemoryDisk()), clock=clock, settings=settings) as engine:
        engine.trust_authority(TOP.certificate.der)
        below(engine, host.url(LIST))
        host.pages["/ours.crl"] = Page(TOP.crl([7]))
        with fetching(engine, host.name):
            wait_until(lambda: state(engine).entries == 1)
    assert [path for _, path, _ in host.asked] == ["/ours.crl"]
