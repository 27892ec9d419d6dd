"""Every document is found that was signed below a certificate revoked since before it.

With the engine's own revocation data: lists about a part of the certificates, an authority whose
key was lost long before its signer's, authorities in great number.
"""

from __future__ import annotations

from datetime import timedelta

import pytest
from cryptography import x509
from support.office import Office
from support.pki import pki
from support.revocation import NOW, NOW_US, entry, root, usage

from router.client.signing import Signer
from router.model.instants import SECOND_US, show_instant

SENDER = "H22.31"
SERIAL, MIDDLE_SERIAL = 3, 32
POINT = "http://ca.example/part.crl"
MINUTE = timedelta(minutes=1)


class Chained:
    """An office where one sender's certificate is below an authority below a root."""

    def __init__(self) -> None:
        self.office = Office()
        self.office.clock.instant_us = NOW_US
        self.root = root()
        self.middle = self.root.child("CA of state agencies", 31)
        self.leaf = self.middle.leaf(SERIAL, lists=[POINT])
        engine = self.office.engine
        for one in (self.root, self.middle):
            engine.trust_authority(one.certificate.der, actor="sổ")
        engine.bind(SENDER, self.leaf.der, 0, actor="sổ")
        self.office.signers[SENDER] = Signer(pki().key("ec", SERIAL), self.leaf.der)
        engine.add_revocation(self.root.crl(number=1))
        engine.add_revocation(self.part(number=1))

    def part(self, *entries: x509.RevokedCertificate, number: int, minutes: int = 0) -> bytes:
        """Return a list of the certificates that name its point."""
        point = x509.IssuingDistributionPoint(
            [x509.UniformResourceIdentifier(POINT)], None, False, False, None, False, False
        )
        made = NOW + minutes * MINUTE
        return self.middle.crl(
            entries, number=number, made=made, extensions=[(point, True)], ends=made + 60 * MINUTE
        )

    def affected(self) -> list[str]:
        return [one.key for one in self.office.engine.revocation_alerts().documents]


def test_a_list_about_a_part_of_the_certificates_tells_of_a_revocation_too() -> None:
    chained = Chained()
    engine = chained.office.engine
    receipt = chained.office.send(SENDER, "H22")
    assert engine.verdict(receipt.key).status == "valid"
    chained.office.clock.advance(600)
    lost = entry(SERIAL, at=NOW + 5 * MINUTE, invalid=NOW - MINUTE)
    engine.add_revocation(chained.part(lost, number=2, minutes=9))
    assert [one.code for one in engine.verdict(receipt.key).alerts] == ["signer.revoked"]
    assert chained.affected() == [receipt.key]


def test_a_sender_lists_its_own_and_no_others() -> None:
    chained = Chained()
    engine = chained.office.engine
    key = chained.office.send(SENDER, "H22").key
    chained.office.clock.advance(600)
    lost = entry(SERIAL, at=NOW + 5 * MINUTE, invalid=NOW - MINUTE)
    engine.add_revocation(chained.part(lost, number=2, minutes=9))
    for viewer, seen in ((SENDER, [key]), ("H22", []), ("H22.32", []), (None, [key])):
        page = engine.revocation_alerts(unit=viewer)
        assert [one.key for one in page.documents] == seen, viewer
    engine.grant_right("H22.32", ["read"], "subtree(H22.31)", reason="kiểm tra")
    assert [one.key for one in engine.revocation_alerts(unit="H22.32").documents] == [key]


def test_a_bound_certificate_that_was_revoked_is_to_be_looked_at() -> None:
    chained = Chained()
    engine = chained.office.engine
    codes = {one.code for one in engine.check_trust()}
    assert codes.isdisjoint({"binding.revoked", "documents.affected"})
    chained.office.send(SENDER, "H22")
    chained.office.send(SENDER, "H22")
    chained.office.clock.advance(600)
    lost = entry(SERIAL, at=NOW + 5 * MINUTE, invalid=NOW - MINUTE)
    engine.add_revocation(chained.part(lost, number=2, minutes=9))
    found = {one.code: one for one in engine.check_trust()}
    told = found["binding.revoked"]
    assert (told.severity, told.sha256) == ("warning", chained.leaf.sha256.hex())
    assert f"bound to {SENDER}" in told.words
    assert show_instant(NOW_US - 60 * SECOND_US) in told.words
    assert found["documents.affected"].words.endswith(": 2.")
    assert "authority.revoked" not in found
    shown = engine.bindings(certificate=chained.leaf.sha256.hex()).bindings
    assert [one.state for one in shown] == ["revoked"]
    others = engine.bindings(unit="H22").bindings
    assert [one.state for one in others] == ["in-force"]
    now_us = chained.office.clock.now_us()
    engine.bind(SENDER, chained.leaf.der, 0, now_us, actor="sổ")
    after = {one.code: one for one in engine.check_trust()}
    assert "binding.revoked" not in after, "the binding has ended"
    assert after["documents.affected"].severity == "note"
    shown = engine.bindings(certificate=chained.leaf.sha256.hex()).bindings
    assert [one.state for one in shown] == ["ended"]


def test_an_intermediate_that_was_revoked_is_to_be_looked_at() -> None:
    chained = Chained()
    engine = chained.office.engine
    chained.office.send(SENDER, "H22")
    chained.office.clock.advance(600)
    above = entry(MIDDLE_SERIAL, at=NOW + 5 * MINUTE)
    made = NOW + 9 * MINUTE
    engine.add_revocation(chained.root.crl([above], number=2, made=made, ends=made + 60 * MINUTE))
    (told,) = [one for one in engine.check_trust() if one.code == "authority.revoked"]
    assert (told.severity, told.sha256) == ("error", chained.middle.certificate.sha256.hex())


def test_the_earlier_loss_above_a_signer_counts_before_his_own_later_one() -> None:
    chained = Chained()
    engine = chained.office.engine
    keys = []
    for _ in range(3):
        keys.append(chained.office.send(SENDER, "H22").key)
        chained.office.clock.advance(60)
    chained.office.clock.advance(600)
    own = entry(SERIAL, at=NOW + 5 * MINUTE, invalid=NOW + 2 * MINUTE)
    engine.add_revocation(chained.part(own, number=2, minutes=9))
    assert chained.affected() == keys[2:]
    above = entry(MIDDLE_SERIAL, at=NOW + 5 * MINUTE, invalid=NOW + MINUTE)
    engine.add_revocation(chained.root.crl([above], number=2, made=NOW + 9 * MINUTE))
    assert chained.affected() == keys[1:]
    (alert,) = engine.verdict(keys[1]).alerts
    assert alert.certificate == chained.middle.certificate.sha256.hex()


def test_a_signer_whose_way_led_over_another_certificate_later_is_listed_by_that_too() -> None:
    chained = Chained()
    office, engine = chained.office, chained.office.engine
    first = office.send(SENDER, "H22").key
    office.clock.advance(60)
    again = chained.root.certify(
        chained.middle.name, chained.middle.key, serial=77,
        extensions=[(x509.BasicConstraints(True, None), True),
                    (usage(key_cert_sign=True, crl_sign=True), True)],
    )  # fmt: skip
    engine.distrust(chained.middle.certificate.sha256.hex(), since=office.clock.now_us())
    engine.trust_authority(again.der, actor="sổ")
    second = office.send(SENDER, "H22").key
    chains = [engine.verdict(key).signatures[0].chain[1].sha256 for key in (first, second)]
    assert chains == [chained.middle.certificate.sha256.hex(), again.sha256.hex()]
    office.clock.advance(600)
    above = entry(77, at=NOW + 5 * MINUTE, invalid=NOW - MINUTE)
    engine.add_revocation(chained.root.crl([above], number=2, made=NOW + 9 * MINUTE))
    assert [one.code for one in engine.verdict(second).alerts] == ["signer.revoked"]
    assert chained.affected() == [second]


def test_a_page_looks_at_so_many_certificates_and_says_where_to_go_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("router.limits.DOCUMENTS_LOOKED_MAX", 2)
    office = Office()
    for sender in ("H22.31", "H22.32", "H22", "H22.1"):
        office.send(sender, "H22.31.20")
    cursor, pages = "", 0
    while page := office.engine.revocation_alerts(after=cursor):
        pages, cursor = pages + 1, page.next_after
        assert page.documents == ()
        if not cursor:
            break
    assert pages > 1
    assert office.clock.now_us() % SECOND_US == 0
