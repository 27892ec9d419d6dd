"""A planned day, signed with certificates of the test CA.

Each sending unit has one certificate.  The faults that live in a signature are made here:
changed bytes, a certificate that has run out, a certificate of another unit.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

import msgspec

from router.client.signing import Signer, encode_document, make_envelope
from router.model.documents import Envelope
from router.model.instants import VIETNAM_TIME, instant_of
from router.model.units import Unit
from vanban_bench.workloads.day import DayPlan, PlannedDocument
from vanban_bench.workloads.test_pki import TestPki

VALID_FROM: Final = instant_of(datetime(2022, 1, 1, tzinfo=VIETNAM_TIME))
VALID_TO: Final = instant_of(datetime(2027, 1, 1, tzinfo=VIETNAM_TIME))
EXPIRED_ON: Final = instant_of(datetime(2024, 8, 31, tzinfo=VIETNAM_TIME))


class Binding(msgspec.Struct, frozen=True):
    """A certificate (DER) to bind to a unit for a time, so that the engine knows it."""

    unit: Unit
    certificate_der: bytes
    valid_from: int
    valid_to: int


class SignedDay(msgspec.Struct, frozen=True):
    """The plan, an envelope for each of its documents, and the certificates to bind."""

    plan: DayPlan
    envelopes: tuple[Envelope, ...]
    bindings: tuple[Binding, ...]
    ca_der: bytes


class DaySigner:
    """Issues certificates as senders come along, and signs planned documents."""

    def __init__(self, pki: TestPki) -> None:
        self.pki = pki
        self.bindings: dict[tuple[int, int], Binding] = {}
        self._signers: dict[tuple[int, int], Signer] = {}

    def signer(self, unit: Unit, valid_to: int = VALID_TO) -> Signer:
        """Return the unit's signer; its certificate is issued at the first call."""
        key = unit.number, valid_to
        signer = self._signers.get(key)
        if signer is None:
            signer = self.pki.issue(
                unit.number, unit.code, unit.name, valid_from=VALID_FROM, valid_to=valid_to
            )
            self._signers[key] = signer
            self.bindings[key] = Binding(unit, signer.certificate_der, VALID_FROM, valid_to)
        return signer

    def sign(self, planned: PlannedDocument, stranger: Unit) -> Envelope:
        """Return the envelope of a planned document, with the fault it is planned with.

        `stranger` is a unit other than the sender, whose certificate a fault may use.
        """
        signer = self.signer(planned.sender)
        if planned.fault == "expired-certificate":
            signer = self.signer(planned.sender, EXPIRED_ON)
        elif planned.fault == "other-certificate":
            signer = self.signer(stranger)
        envelope = make_envelope(planned.document, [signer], planned.contents)
        if planned.fault == "bad-signature":
            subject = f"{planned.document.subject[:480]} (đã sửa sau khi ký)"
            changed = msgspec.structs.replace(planned.document, subject=subject)
            envelope = msgspec.structs.replace(envelope, payload=encode_document(changed))
        return envelope


def sign_day(plan: DayPlan, pki: TestPki | None = None) -> SignedDay:
    """Sign every document of a plan; equal documents get equal envelopes."""
    signing = DaySigner(pki or TestPki.load())
    senders = sorted({planned.sender.number for planned in plan.documents})
    units = {planned.sender.number: planned.sender for planned in plan.documents}
    envelopes = []
    for planned in plan.documents:
        place = senders.index(planned.sender.number)
        stranger = units[senders[(place + 1) % len(senders)]]
        envelopes.append(signing.sign(planned, stranger))
    return SignedDay(plan, tuple(envelopes), tuple(signing.bindings.values()), signing.pki.ca_der)
