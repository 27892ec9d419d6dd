"""Verdicts as they are shown: of stored documents, and of envelopes nobody stores."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from router import limits
from router.engine.access import Reader
from router.engine.facts import Facts, decode_facts
from router.engine.intake import Intake, read_envelope
from router.engine.judging import Judge
from router.engine.redirecting import code_at
from router.engine.revoked import Revoked
from router.engine.signers import sent_along
from router.engine.state import Rooms
from router.engine.tracking import Tracker
from router.engine.verdicts import verdict_of
from router.engine.verifying import Verification
from router.errors import InputError, NotFoundError, SignatureRefusedError, TooLargeError
from router.messages import say
from router.messages.verdicts import words_of
from router.model.documents import Envelope
from router.model.instants import SECOND_US, show_instant
from router.model.verdicts import (
    CertificateShown,
    EvidenceShown,
    MissingShown,
    SignatureShown,
    SignerUnit,
    TreeShown,
    VerdictShown,
)
from router.ports import Clock
from router.queue import Queue, StoredDocument
from router.signatures import Evidence, SignatureVerdict, Verdict, VerifyItem
from router.signatures.certificates import Certificate, read_certificate

_envelopes: Final = msgspec.msgpack.Decoder(Envelope)


class VerdictReader:
    """Shows verdicts; thread-safe, changes nothing."""

    def __init__(
        self, rooms: Rooms, queue: Queue, tracker: Tracker, verification: Verification,
        judge: Judge, revoked: Revoked, clock: Clock,
    ) -> None:  # fmt: skip
        self._rooms = rooms
        self._queue = queue
        self._tracker = tracker
        self._verification = verification
        self._judge = judge
        self._revoked = revoked
        self._clock = clock

    def of(self, document: str, reads: Reader) -> VerdictShown:
        """Return the verdict of a stored document, for who may see its sender's; see `Engine`."""
        for stored in self._tracker.found(document):
            if reads(stored.sender):
                return self._stored(stored)
        raise NotFoundError("document.not_found")

    def _stored(self, stored: StoredDocument) -> VerdictShown:
        facts = decode_facts(stored.facts)
        found = verdict_of(self._queue, stored.sequence, facts)
        late = found.late
        envelope = _envelopes.decode(stored.envelope)
        shown = self._shown(
            found.verdict, facts.signatures, dict(sent_along(envelope.signatures)),
            facts.issued_at, facts.accepted_at,
        )  # fmt: skip
        waits = self._judge.find(stored.sequence) if facts.waits is not None else None
        waited = "" if facts.waits is None else "waiting" if waits is not None else "expired"
        if late is not None:
            waited = late.said.outcome
        decided_at = facts.accepted_at if late is None else late.at
        undecided = found.verdict is None or shown.status == "indeterminate"
        return _worded(
            shown,
            key=stored.key.hex(),
            document_id=facts.document_id,
            sender=facts.sender,
            accepted_at=show_instant(facts.accepted_at),
            decided_at="" if undecided else show_instant(decided_at),
            waited=waited,
            waiting=0 if waits is None else sum(row.size for row in waits.entries),
            waits_until=_until(facts, stored.expires_at),
            alerts=self._revoked.alerts(stored.sequence),
        )

    def verify(self, envelopes: Sequence[bytes | Envelope]) -> list[VerdictShown]:
        """Judge envelopes as if they came now, and store nothing; see `Engine.verify`."""
        if len(envelopes) > limits.VERIFY_DOCUMENTS_MAX:
            limit = limits.VERIFY_DOCUMENTS_MAX
            raise TooLargeError("batch.too_large", size=len(envelopes), limit=limit)
        now_us = self._clock.now_us()
        answers: list[VerdictShown | Intake] = []
        for one in envelopes:
            try:
                answers.append(read_envelope(one, now_us))
            except InputError as error:
                answers.append(_unreadable(error))
        signed = [
            one.envelope for one in answers if isinstance(one, Intake) and one.envelope.signatures
        ]
        items = [VerifyItem(one.payload, one.signatures) for one in signed]
        verification = self._verification
        verdicts = iter(verification.judge(items, now_us, verification.answer_wait_s))
        return [
            one
            if isinstance(one, VerdictShown)
            else self._judged(one, next(verdicts) if one.envelope.signatures else None, now_us)
            for one in answers
        ]

    def _judged(self, intake: Intake, verdict: Verdict | None, now_us: int) -> VerdictShown:
        sent = dict(sent_along(intake.envelope.signatures))
        return _worded(
            self._shown(verdict, (), sent, intake.issued_at, now_us),
            document_id=intake.document_id,
            sender=intake.document.sender,
        )

    # One verdict.

    def _shown(
        self, verdict: Verdict | None, before: tuple[SignatureVerdict, ...],
        sent: dict[str, bytes], issued_at: int, at_us: int,
    ) -> VerdictShown:  # fmt: skip
        """Return a verdict without its words; `before` are signatures as they were at acceptance.

        A verdict that is not good may name none itself.
        """
        judged_for = show_instant(at_us)
        if verdict is None:
            return VerdictShown("unsigned", "", "", judged_for=judged_for)
        shown = VerdictShown(
            verdict.status, "", "",
            judged_for=judged_for,
            code=verdict.code,
            path=f"$.{verdict.path}" if verdict.path else "",
            facts=verdict.facts,
            signatures=tuple(
                self._signature(one, sent, issued_at, at_us)
                for one in verdict.signatures or before
            ),
            missing=tuple(
                MissingShown(one.kind, one.certificate_sha256, one.issuer)
                for one in verdict.missing
            ),
            trust_version=verdict.trust_version,
            revocation_version=verdict.revocation_version,
        )  # fmt: skip
        if verdict.status != "invalid":
            return shown
        return _explained(shown, verdict.as_error())

    def _signature(
        self, one: SignatureVerdict, sent: dict[str, bytes], issued_at: int, at_us: int
    ) -> SignatureShown:
        signed_at = one.signed_at or at_us
        units = self._rooms.trust.bound_unit(one.certificate_sha256, issued_at)
        chain = one.chain or (one.certificate_sha256,)
        return SignatureShown(
            certificate_sha256=one.certificate_sha256,
            subject=one.subject,
            issuer=one.issuer,
            serial=one.serial,
            algorithm=one.algorithm,
            valid_from=show_instant(one.valid_from),
            valid_to=show_instant(one.valid_to),
            status=one.status,
            code=one.code,
            signed_at=show_instant(signed_at),
            signed_at_source=one.signed_at_source,
            units=tuple(self._unit(number, issued_at) for number in sorted(units)),
            chain=tuple(self._certificate(sha256, sent) for sha256 in chain),
            evidence=tuple(_evidence(each, signed_at) for each in one.evidence),
            tree=None
            if one.tree is None
            else TreeShown(one.tree.root, one.tree.size, one.tree.index),
        )

    def _unit(self, number: int, at_us: int) -> SignerUnit:
        code = code_at(self._rooms, number, at_us)
        return SignerUnit(code, self._rooms.directory.unit(number, at_us).name if code else "")

    def _certificate(self, sha256: str, sent: dict[str, bytes]) -> CertificateShown:
        found = self._revoked.certificate(sha256)
        if found is None and sha256 in sent:
            found = _read(sent[sha256])
        if found is None:
            return CertificateShown(sha256)
        return CertificateShown(
            sha256, found.subject, found.issuer, found.serial, show_instant(found.valid_from),
            show_instant(found.valid_to), found.der,
        )  # fmt: skip


def _read(der: bytes) -> Certificate | None:
    try:
        return read_certificate(der)
    except SignatureRefusedError:
        return None


def _evidence(each: Evidence, signed_at: int) -> EvidenceShown:
    dated = each.kind != "none"
    return EvidenceShown(
        certificate_sha256=each.certificate_sha256,
        kind=each.kind,
        issuer=each.issuer,
        sha256=each.sha256,
        number=each.number,
        produced_at=show_instant(each.produced_at) if dated else "",
        fresh_until=show_instant(each.fresh_until) if dated else "",
        age_s=(signed_at - each.produced_at) // SECOND_US if dated else 0,
        grace=each.grace,
    )


def _until(facts: Facts, expires_at: int | None) -> str:
    if facts.waits is None:
        return ""
    return show_instant(min(facts.waits.until, expires_at or facts.waits.until))


def _unreadable(error: InputError) -> VerdictShown:
    shown = VerdictShown("unreadable", "", "", code=error.code, path=error.path, facts=error.facts)
    return _worded(_explained(shown, error))


def _explained(shown: VerdictShown, error: InputError) -> VerdictShown:
    """Return it with the refusal in both languages."""
    (reason, remedy), (reason_vi, remedy_vi) = say(error, "en"), say(error, "vi")
    return msgspec.structs.replace(
        shown, reason=reason, remedy=remedy, reason_vi=reason_vi, remedy_vi=remedy_vi
    )


def _worded(shown: VerdictShown, **more: object) -> VerdictShown:
    """Return it with further fields, and then with its words."""
    shown = msgspec.structs.replace(shown, **more)
    return msgspec.structs.replace(
        shown, words=words_of(shown, "en"), words_vi=words_of(shown, "vi")
    )
