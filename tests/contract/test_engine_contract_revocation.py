"""Revocation data through every way to an engine, on every durability port.

Beside test_engine_contract.py, whose office this is.
"""

from __future__ import annotations

from datetime import timedelta

import pytest
from support.office import NOW, NOW_US, Office
from support.revocation import Ca, root

from router.errors import InputError

HOUR = timedelta(hours=1)
URL = "http://ca.example/list.crl"


def authority(office: Office) -> Ca:
    """Trust a root and, below it, an authority that names the root's list."""
    top = root("Root CA", starts=NOW - 24 * HOUR)
    below = top.child("Sub CA", 33, lists=[URL], starts=NOW - 24 * HOUR)
    for one in (top, below):
        office.engine.trust_authority(one.certificate.der, actor="sổ")
    return top


def test_what_is_wanted_is_brought_and_its_freshness_told(office: Office) -> None:
    top, engine = authority(office), office.engine
    (wanted,) = engine.revocation_wanted()
    digest = top.certificate.sha256.hex()
    assert (wanted.kind, wanted.urls, wanted.issuer_sha256) == ("crl", (URL,), digest)
    engine.revocation_failed(digest, "it does not answer")
    missing = {one.sha256: one for one in engine.revocation_states()}[digest]
    assert (missing.state, missing.failure) == ("missing", "it does not answer")
    der = top.crl([7], number=4, made=NOW - HOUR, ends=NOW + HOUR)
    added = engine.add_revocation(der, url=URL)
    assert (added.kind, added.entries, added.number, added.new) == ("crl", 1, "4", True)
    assert not engine.add_revocation(der, kind="crl").new
    assert engine.revocation_wanted() == []
    known = {one.sha256: one for one in engine.revocation_states()}[digest]
    assert (known.state, known.entries, known.failure) == ("fresh", 1, "")
    assert known.fresh_until == NOW_US + 3_600_000_000
    counts = engine.counters()["revocation"]
    assert isinstance(counts, dict)
    assert (counts["authorities_fresh"], counts["entries"]) == (1, 1)
    office.clock.advance(3_600)
    assert "grace" in {one.state for one in engine.revocation_states()}
    assert engine.revocation_wanted() == [wanted]


def test_what_nobody_trusted_has_signed_is_refused_with_its_own_code(office: Office) -> None:
    authority(office)
    stranger = root("Stranger", 34, starts=NOW - 24 * HOUR)
    with pytest.raises(InputError) as caught:
        office.engine.add_revocation(stranger.crl([], made=NOW - HOUR, ends=NOW + HOUR))
    assert caught.value.code == "revocation.untrusted"
    with pytest.raises(InputError) as caught:
        office.engine.add_revocation(b"<html>", kind="ocsp", actor="sổ")
    assert caught.value.code == "revocation.malformed"
