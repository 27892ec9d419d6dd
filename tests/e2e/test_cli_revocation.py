"""`vanban trust crl` and the daemon's health, as an operator without a way to the CA uses them."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from support.daemon import daemon, found_at
from support.house import House, made
from support.http import ask
from support.pages import Host, Page
from support.revocation import HOUR, NOW, root
from support.shared import wait_until

DATA = ("--data", "data")
TOP = root()


@pytest.fixture
def house(tmp_path: Path) -> House:
    house = made(tmp_path)
    (house.home / "ca.der").write_bytes(TOP.certificate.der)
    assert house.run("trust", "add", "ca.der", *DATA).status == 0
    return house


def test_a_list_is_brought_in_pem_and_told_until_it_is_stale(house: House) -> None:
    missing = house.run("trust", "crl", "list", *DATA)
    assert "missing" in missing.out
    assert "allowed_hosts" in missing.out
    assert "No daemon runs here" in missing.out
    assert "nothing is fetched" not in missing.out, "nobody has looked at the daemon's settings"
    parsed = x509.load_der_x509_crl(TOP.crl([7, 8], number=12, ends=NOW + 23 * HOUR))
    (house.home / "ca.crl").write_bytes(parsed.public_bytes(Encoding.PEM))
    added = house.run("trust", "crl", "add", "ca.crl", *DATA)
    assert added.status == 0, added
    assert "number 12" in added.out
    assert "2 entries" in added.out
    again = house.run("trust", "crl", "add", "ca.crl", *DATA, "--json").json()
    assert not again.get("new", True)
    listed = house.run("trust", "crl", "list", *DATA)
    for said in ("fresh", "12", TOP.certificate.sha256.hex()[:12], "Root CA"):
        assert said in listed.out
    (state,) = [
        one
        for one in house.run("trust", "crl", "list", *DATA, "--json").json()
        if one["sha256"] == TOP.certificate.sha256.hex()
    ]
    assert (state["state"], state["entries"]) == ("fresh", 2)


def test_an_older_or_foreign_list_is_refused_in_words(house: House) -> None:
    (house.home / "new.crl").write_bytes(TOP.crl([7], number=2))
    (house.home / "old.crl").write_bytes(TOP.crl([], number=1))
    (house.home / "odd.crl").write_bytes(root("Stranger", 31).crl([]))
    (house.home / "no.crl").write_bytes(b"-----BEGIN X509 CRL-----\nAAAA\n")
    assert house.run("trust", "crl", "add", "new.crl", *DATA).status == 0
    for name, code in (
        ("old", "revocation.older"),
        ("odd", "revocation.untrusted"),
        ("no", "revocation.malformed"),
    ):
        refused = house.run("trust", "crl", "add", f"{name}.crl", *DATA)
        assert (refused.status, code in refused.err) == (1, True), refused


def test_a_daemon_fetches_says_how_fresh_it_is_and_stays_ready(tmp_path: Path) -> None:
    from router.engine import Engine

    data = tmp_path / "data"
    found_at(data)
    with Host() as host:
        with Engine.open(data) as engine:
            engine.trust_authority(TOP.certificate.der)
            below = TOP.child("Sub CA", 33, lists=[host.url("/top.crl")])
            engine.trust_authority(below.certificate.der, revocation="not_checked")
        with daemon(data) as alone:
            health = ask(alone.base_url, "GET", "/readyz")
            assert (health.status, health.json()["revocation"]) == (200, "missing")
        host.pages["/top.crl"] = Page(TOP.crl([7]))
        with daemon(data, REVOCATION__ALLOWED_HOSTS=f"ca.example, {host.name}") as running:
            url = running.base_url
            wait_until(lambda: "revocation" not in ask(url, "GET", "/readyz").json())
            page = ask(url, "GET", "/metrics").body.decode()
            assert 'vanban_revocation{what="authorities_fresh"} 1.0' in page
            assert 'vanban_revocation{what="entries"} 1.0' in page
