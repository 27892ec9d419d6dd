"""An engine keeps revocation data for its next start, and believes its files no more than others.

The failure guarded against: after a restart during an outage of the authority every document
waits; or a file that somebody put there, or that an authority signed that is trusted no more,
decides about documents.
"""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from support.revocation import HOUR, NOW, NOW_US, root

from router.engine import Engine
from router.ports import ManualClock
from router.queue import MemoryDisk, MemoryStore
from router.settings import RevocationSettings, Settings

TOP = root()


def opened(path: Path, at_us: int = NOW_US, **settings: int) -> Engine:
    clock = ManualClock(at_us)
    chosen = Settings(revocation=RevocationSettings(**settings))  # type: ignore[arg-type]
    return Engine.open(path, clock=clock, settings=chosen)


def kind(engine: Engine, serial: int) -> str:
    view = engine._rooms.revocation.view
    return view.status(TOP.certificate, serial, engine.now_us()).kind


def kept(path: Path) -> list[Path]:
    return sorted((path / "revocation").iterdir())


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A data directory whose engine trusts the root and has its list and two responses."""
    data = tmp_path / "data"
    with opened(data) as engine:
        engine.trust_authority(TOP.certificate.der)
        engine.add_revocation(TOP.crl([7], number=1, ends=NOW + HOUR))
        engine.add_revocation(TOP.response(TOP.leaf(9)))
        engine.add_revocation(TOP.crl([7, 8], number=2, ends=NOW + HOUR))
    return data


def test_a_restart_finds_what_was_known(path: Path) -> None:
    assert len(kept(path)) == 2
    with opened(path) as engine:
        assert [kind(engine, serial) for serial in (7, 8, 9, 10)] == [
            "revoked", "revoked", "good", "good",
        ]  # fmt: skip
        assert engine.counters()["revocation"]["kept_bytes"] > 0  # type: ignore[index, operator]


def test_a_restart_during_an_outage_serves_within_the_grace_and_then_no_more(path: Path) -> None:
    hour_us = 3_600_000_000
    with opened(path, NOW_US + 2 * hour_us, grace_s=7_200) as engine:
        assert kind(engine, 10) == "good"
        assert [one.state for one in engine.revocation_states()] == ["grace"]
    with opened(path, NOW_US + 3 * hour_us, grace_s=7_200) as engine:
        assert kind(engine, 10) == "unknown"
        assert kind(engine, 8) == "revoked"
        assert [one.state for one in engine.revocation_states()] == ["expired"]


def test_a_damaged_or_foreign_file_is_said_and_not_believed(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    list_file = next(one for one in kept(path) if one.suffix == ".crl")
    data = list_file.read_bytes()
    list_file.write_bytes(data[:-9])
    stranger = root("Root CA", 31).crl([])
    with opened(path) as engine:
        engine._kept.put("ab" * 20, "crl", stranger)  # type: ignore[union-attr]
        engine._kept.put("cd" * 20, "ocsp", b"nonsense")  # type: ignore[union-attr]
    with caplog.at_level(logging.WARNING), opened(path) as engine:
        assert [kind(engine, serial) for serial in (7, 9, 10)] == ["unknown", "good", "unknown"]
    for said in (list_file.name, "abab", "cdcd"):
        assert said in caplog.text


def test_an_authority_that_is_trusted_no_more_is_asked_a_while_and_missed_by_nobody(
    path: Path,
) -> None:
    with opened(path) as engine:
        below = TOP.child("Sub CA", 33, lists=["http://ca.example/list.crl"])
        engine.trust_authority(below.certificate.der, revocation="not_checked")
        engine.distrust(TOP.certificate.sha256.hex())
        assert {one.state for one in engine.revocation_states()} == {"not_checked"}
    for days, wanted in ((1, 1), (31, 0)):
        with opened(path, NOW_US + days * 86_400_000_000) as engine:
            assert {one.state for one in engine.revocation_states()} == {"not_checked"}
            assert len(engine.revocation_wanted()) == wanted


def test_a_directory_that_cannot_be_written_costs_the_next_start_only(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with opened(data) as engine:
        (data / "revocation").write_text("in the way")
        engine.trust_authority(TOP.certificate.der)
        assert engine.add_revocation(TOP.crl([7])).new
        assert kind(engine, 7) == "revoked"
    with opened(data) as engine:
        assert kind(engine, 7) == "unknown"


def test_an_engine_without_a_directory_keeps_it_in_memory() -> None:
    with Engine.over(MemoryStore(MemoryDisk()), clock=ManualClock(NOW_US)) as engine:
        engine.trust_authority(TOP.certificate.der)
        engine.add_revocation(TOP.crl([7]))
        assert kind(engine, 7) == "revoked"
