"""From missing revocation data to a verdict, with nothing in between that is not the engine's own.

An authority whose revocation is required signs for a unit; its list comes late, and a later one
takes a certificate back from before documents it has signed.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest
from cryptography import x509
from support.office import Office
from support.pki import pki
from support.revocation import HOUR, NOW_US, Ca, entry, root

from router.client.signing import Signer
from router.messages.verdicts import lines_of
from router.model.answers import Receipt
from router.model.documents import Envelope
from router.model.instants import datetime_of

SENDER, COMMUNE = "H22.31", "H22.31.20"
SERIAL = 3


class Guarded:
    """An office where one sender's certificate is of an authority that must show its list."""

    def __init__(self, home: Path | None = None) -> None:
        self.office = Office(home)
        self.office.clock.instant_us = NOW_US  # the certificates of `support.revocation` are of now
        self.authority: Ca = root()
        self.leaf = self.authority.leaf(SERIAL)
        engine = self.office.engine
        engine.trust_authority(
            self.authority.certificate.der, role="root", revocation="required", actor="sổ"
        )
        engine.bind(SENDER, self.leaf.der, 0, actor="sổ")
        self.office.signers[SENDER] = Signer(pki().key("ec", SERIAL), self.leaf.der)

    def send(self) -> Receipt:
        return self.office.send(SENDER, COMMUNE)

    def add(self, entries: tuple[x509.RevokedCertificate, ...] = (), number: int = 1) -> None:
        """Bring a list that is made now."""
        now = self.now()
        made = self.authority.crl(entries, number=number, made=now - HOUR / 2, ends=now + 24 * HOUR)
        self.office.engine.add_revocation(made)

    def now(self) -> datetime:
        return datetime_of(self.office.clock.now_us())

    def ticked(self) -> None:
        while self.office.engine.tick():
            pass

    def states(self, receipt: Receipt) -> dict[str, int]:
        return self.office.engine.track(receipt.key).states


@pytest.fixture
def guarded() -> Guarded:
    return Guarded()


def test_a_document_waits_for_the_list_and_goes_when_it_comes(guarded: Guarded) -> None:
    engine = guarded.office.engine
    receipt = guarded.send()
    assert receipt.waiting == 1
    guarded.ticked()
    assert guarded.states(receipt) == {"waiting": 1}
    shown = engine.verdict(receipt.key)
    assert shown.status == "indeterminate"
    assert [one.kind for one in shown.missing] == ["crl"]
    guarded.office.clock.advance(3_600)
    guarded.add()
    guarded.ticked()  # at once: what it waited for has come
    assert guarded.states(receipt) == {"queued": 1}
    shown = engine.verdict(receipt.key)
    assert (shown.status, shown.waited) == ("valid", "valid")
    assert shown.judged_for == receipt.accepted_at
    (signature,) = shown.signatures
    assert [one.sha256 for one in signature.chain] == [
        guarded.leaf.sha256.hex(), guarded.authority.certificate.sha256.hex(),
    ]  # fmt: skip
    assert all(one.der for one in signature.chain)
    evidence = signature.evidence[0]
    assert (evidence.kind, evidence.number) == ("crl", "1")
    said = "\n".join(lines_of(signature, "en"))
    assert "not revoked: list 1 of" in said
    assert "min later" in said
    assert guarded.office.reopen().check() == []
    assert guarded.office.engine.verdict(receipt.key) == shown


def test_a_certificate_that_was_revoked_before_is_refused_late(guarded: Guarded) -> None:
    receipt = guarded.send()
    guarded.office.clock.advance(3_600)
    guarded.add((entry(SERIAL, at=guarded.now() - 30 * HOUR),))
    guarded.ticked()
    assert guarded.states(receipt) == {"excluded": 1}
    (event,) = guarded.office.engine.outbox(SENDER).events
    assert (event.kind, event.code) == ("verdict_invalid", "certificate.revoked")
    (outcome,) = guarded.office.submit(guarded.office.envelope(sender=SENDER, recipients=COMMUNE))
    assert outcome.code == "certificate.revoked"  # type: ignore[union-attr]


def test_why_a_unit_does_not_have_it_names_the_signature_not_the_selector(
    guarded: Guarded,
) -> None:
    receipt = guarded.send()
    guarded.add((entry(SERIAL, at=guarded.now() - 30 * HOUR),))
    guarded.ticked()
    told = guarded.office.engine.explain(receipt.key, COMMUNE)
    assert not told.receives
    assert "the signature is not valid: certificate.revoked; see vanban verify" in told.summary
    assert "chữ ký số không hợp lệ: certificate.revoked" in told.summary_vi
    assert "not selected" not in told.summary
    assert "không thuộc nơi nhận" not in told.summary_vi
    first, *_, last = told.reasons
    assert (first["because"], first["because_vi"]) == ("is listed", "được nêu đích danh")
    assert (last["part"], last["matched"]) == ("signatures", False)
    other = guarded.office.engine.explain(receipt.key, "H22.32")
    assert "not selected by" in other.summary
    assert other.reasons[-1]["part"] == "policy"


def test_one_that_is_revoked_after_it_signed_stays_good(guarded: Guarded) -> None:
    receipt = guarded.send()
    guarded.office.clock.advance(3_600)
    guarded.add((entry(SERIAL, at=guarded.now() - HOUR / 2),))
    guarded.ticked()
    assert guarded.states(receipt) == {"queued": 1}
    assert guarded.office.engine.revocation_alerts().documents == ()


def test_a_later_list_with_an_earlier_loss_of_the_key_is_told_and_turns_nothing(
    guarded: Guarded,
) -> None:
    office = guarded.office
    guarded.add()
    early = guarded.send()
    office.clock.advance(7_200)
    late = guarded.send()
    assert (early.waiting, late.waiting) == (0, 0)
    office.clock.advance(3_600)
    lost = guarded.now() - 2 * HOUR
    guarded.add(
        (entry(SERIAL, at=guarded.now() - HOUR / 2, invalid=lost),),
        number=2,
    )
    engine = office.engine
    assert [one.key for one in engine.revocation_alerts().documents] == [late.key]
    (alert,) = engine.verdict(late.key).alerts
    assert alert.certificate == guarded.leaf.sha256.hex()
    assert engine.verdict(late.key).status == "valid"
    assert engine.verdict(early.key).alerts == ()
    assert engine.verify(
        [office.envelope(sender=SENDER, recipients=COMMUNE)]
    )[0].code == "certificate.revoked"  # fmt: skip


def test_an_envelope_is_judged_without_waiting(guarded: Guarded) -> None:
    envelope: bytes | Envelope = guarded.office.envelope(sender=SENDER, recipients=COMMUNE)
    (shown,) = guarded.office.engine.verify([envelope])
    assert (shown.status, shown.waited) == ("indeterminate", "")
    assert shown.words.startswith("Not decided yet. Missing: the list of revoked certificates of")
