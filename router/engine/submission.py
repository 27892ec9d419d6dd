"""From envelopes to receipts: the stages in order, batches across rooms.

door -> sender and token -> repeats -> signatures -> recipients -> policy -> one record.
Each stage works on what is left; a refusal ends one document and costs the others nothing.
No document is stored before the last stage, and a receipt is given only after its flush; a
refusal by policy may leave evidence apart (`quarantine`).
"""

from __future__ import annotations

import logging
import threading
from collections import Counter, defaultdict
from collections.abc import Sequence
from time import perf_counter

import msgspec

from router import limits
from router._core import Audience
from router._postings import postings
from router.directory import Resolution, ResolveItem
from router.engine.alerts import alerts_of
from router.engine.deciding_stage import Asked, Judged, PolicyStage, evidence_of
from router.engine.deliveries import check_actor
from router.engine.emptied import EmptiedGroups
from router.engine.facts import Facts, Waits, decode_facts, encode_facts, new_key
from router.engine.held_parts import HeldParts
from router.engine.intake import Intake, read_envelope
from router.engine.quarantine import Quarantine, raw_of
from router.engine.redirecting import Redirections
from router.engine.state import Rooms
from router.engine.verifying import Signed, Verification, waits_for_path
from router.engine.waiting_parts import WaitingDocuments
from router.errors import (
    ConflictError,
    InputError,
    OverloadedError,
    RecipientError,
    TooLargeError,
    TooManyOpenError,
    VanbanError,
)
from router.messages import problem_of
from router.model.answers import Outcome, Receipt
from router.model.documents import Envelope, OnBadRecipient
from router.model.instants import SECOND_US, year_of
from router.model.units import Unit, normal_code
from router.policy import Decision, Standing, refuse_sender
from router.ports import Chance, Clock
from router.queue import (
    Acceptance,
    Conflict,
    Overfull,
    Queue,
    Repeated,
    StoredAudience,
    after,
)
from router.signatures import Verdict, VerifyItem

_audit = logging.getLogger("router.audit")
_encode = msgspec.msgpack.Encoder().encode
_RECORD_ROOM_BYTES = 2_048
_PART_BYTES = 64  # a part of the record beside its runs


class Submission(msgspec.Struct, frozen=True):
    """One document with who brings it.

    `envelope` is JSON bytes or a ready Envelope; `unit` is the authenticated unit's stable
    number (None: the embedding host vouches for the sender as signed).
    """

    envelope: bytes | Envelope
    unit: int | None = None
    actor: str = ""
    language: str = "en"


class _Work(msgspec.Struct):
    """One document on its way; `answer` ends it."""

    submission: Submission
    answer: Receipt | VanbanError | None = None
    intake: Intake | None = None
    sender: Unit | None = None
    verdict: Verdict | None = None
    resolution: Resolution | None = None
    judged: Judged | None = None
    quarantine: str = ""
    acceptance: Acceptance | None = None

    def past_door(self) -> tuple[Intake, Unit]:
        """Return intake and sender of a document whose sender is known."""
        assert self.intake is not None
        assert self.sender is not None
        return self.intake, self.sender

    def past_policy(self) -> tuple[Resolution, Judged, Decision]:
        """Return audience, judgement and decision of a document that was decided."""
        assert self.resolution is not None
        assert self.judged is not None
        assert self.judged.decision is not None
        return self.resolution, self.judged, self.judged.decision


class Submitter:
    """The stages over the rooms of one engine; thread-safe.

    `accepted`, `repeated` and `refused` (by code) count answers; `stage_seconds` sums the
    time spent in each stage.
    """

    def __init__(
        self,
        rooms: Rooms,
        queue: Queue,
        verification: Verification,
        clock: Clock,
        chance: Chance,
        redirections: Redirections,
        held: HeldParts,
        quarantine: Quarantine,
        waiting: WaitingDocuments,
    ) -> None:
        self._waiting = waiting
        self._redirections = redirections
        self._held = held
        self._quarantine = quarantine
        self._rooms = rooms
        self._queue = queue
        self._verification = verification
        self._clock = clock
        self._chance = chance
        self._policy = PolicyStage(rooms)
        self._emptied = EmptiedGroups(rooms.directory)
        self._counting = threading.Lock()  # guards the four below
        self.accepted = 0
        self.repeated = 0
        self.refused: Counter[str] = Counter()
        self.stage_seconds: defaultdict[str, float] = defaultdict(float)

    def submit(self, batch: Sequence[Submission]) -> tuple[list[Outcome], list[Acceptance]]:
        """Answer each document in order; also return what was newly accepted.

        Raises TooLargeError for a batch over its bound and StorageError when nothing can be
        written; refusals of single documents are answers, not exceptions.
        """
        if len(batch) > limits.BATCH_DOCUMENTS_MAX:
            limit = limits.BATCH_DOCUMENTS_MAX
            raise TooLargeError("batch.too_large", size=len(batch), limit=limit)
        now_us = self._clock.now_us()
        works = [_Work(submission) for submission in batch]
        stages = (
            ("door", self._door),
            ("senders", self._senders),
            ("repeats", self._repeats),
            ("signatures", self._signatures),
            ("recipients", self._recipients),
            ("policy", self._policies),
            ("store", self._store),
        )
        for name, stage in stages:
            begun = perf_counter()
            left = [work for work in works if work.answer is None]
            if left:
                stage(left, now_us)
            spent = perf_counter() - begun
            with self._counting:
                self.stage_seconds[name] += spent
        accepted = [
            work.acceptance
            for work in works
            if work.acceptance is not None
            and isinstance(work.answer, Receipt)
            and not work.answer.repeated
        ]
        self._count(works)
        return [self._conclude(work) for work in works], accepted

    def _count(self, works: Sequence[_Work]) -> None:
        with self._counting:
            for work in works:
                if isinstance(work.answer, VanbanError):
                    self.refused[work.answer.code] += 1
                elif work.answer is not None and work.answer.repeated:
                    self.repeated += 1
                else:
                    self.accepted += 1

    def _door(self, works: Sequence[_Work], now_us: int) -> None:
        for work in works:
            try:
                check_actor(work.submission.actor)
                work.intake = read_envelope(work.submission.envelope, now_us)
            except InputError as error:
                work.answer = error

    def _senders(self, works: Sequence[_Work], now_us: int) -> None:
        """Find each sender at the issue time; the token's unit must answer for it today."""
        directory = self._rooms.directory
        for work in works:
            assert work.intake is not None
            submitter = work.submission.unit
            code = normal_code(work.intake.document.sender)
            try:
                unit = directory.require(code, work.intake.issued_at)
            except RecipientError as error:
                facts = {name: str(fact) for name, fact in error.facts.items() if name != "unit"}
                standing = Standing(code, error.code.partition(".")[2], facts)
                work.answer = refuse_sender(standing, holder_submits=True)
                continue
            work.sender = unit
            holds = submitter is None or submitter == directory.holder(unit.number, now_us)
            work.answer = refuse_sender(Standing(code, "open"), holder_submits=holds)

    def _repeats(self, works: Sequence[_Work], now_us: int) -> None:
        """Answer retries from their first receipt before any work is done for them."""
        items = []
        for work in works:
            intake, sender = work.past_door()
            act, key = intake.document.act.value, intake.envelope.idempotency_key
            items.append((sender.number, intake.document_id, act, key, intake.content, now_us))
        for work, found in zip(works, self._queue.find(items), strict=True):
            if found is not None:
                work.answer = self._answer_known(work, found)

    def _answer_known(self, work: _Work, found: Repeated | Conflict) -> Receipt | VanbanError:
        if isinstance(found, Repeated):
            row = after.document_row(self._queue.store, found.sequence)
            facts = decode_facts(found.facts)
            alerts = alerts_of(self._queue, 0 if row is None else row.twin, facts)
            return facts.receipt(found.key, found.sequence, repeated=True, alerts=alerts)
        assert work.intake is not None
        stored = self._queue.document(found.key)
        by_key = found.which == "idempotency_key"
        return ConflictError(
            "idempotency.conflict" if by_key else "document.conflict",
            path="$.idempotency_key" if by_key else "$.payload.document_id",
            key=found.key.hex(),
            existing="" if stored is None else decode_facts(stored.facts).document_id,
            document_id=work.intake.document_id,
        )

    def _signatures(self, works: Sequence[_Work], now_us: int) -> None:
        items = []
        for work in works:
            envelope = work.past_door()[0].envelope
            items.append(VerifyItem(envelope.payload, envelope.signatures))
        signed = [index for index, item in enumerate(items) if item.signatures]
        verdicts = self._verification.judge([items[index] for index in signed], now_us)
        for index, verdict in zip(signed, verdicts, strict=True):
            works[index].verdict = verdict
            if verdict.status == "indeterminate" and self._waiting.full:
                limit, wait = limits.VERDICTS_WAITING_MAX, limits.VERDICT_RETRY_S_MAX
                works[index].answer = OverloadedError(
                    "signature.too_many_waiting", limit=limit, retry_after_s=wait
                )
            elif verdict.status == "invalid":
                refusal = verdict.as_error()
                refusal.path = f"$.{refusal.path}"
                works[index].answer = refusal

    def _recipients(self, works: Sequence[_Work], _now_us: int) -> None:
        items = []
        for work in works:
            intake, sender = work.past_door()
            skip = intake.document.on_bad_recipient is OnBadRecipient.SKIP
            selector, path = intake.document.recipients or "", "$.payload.recipients"
            items.append(ResolveItem(selector, intake.issued_at, skip, path, sender.number))
        answers = self._rooms.directory.resolve_batch(items)
        for work, item, answer in zip(works, items, answers, strict=True):
            if isinstance(answer, VanbanError):
                work.answer = self._emptied.told(answer, item)
            else:
                work.resolution = answer

    def _policies(self, works: Sequence[_Work], now_us: int) -> None:
        asked = []
        for work in works:
            intake, sender = work.past_door()
            assert work.resolution is not None
            asked.append(Asked(intake, sender, work.verdict, work.resolution))
        for work, judged in zip(works, self._policy.judge(asked, now_us), strict=True):
            work.judged = judged
            work.answer = judged.refusal
        self._keep_evidence([work for work in works if _leaves_evidence(work)], now_us)

    def _keep_evidence(self, works: Sequence[_Work], now_us: int) -> None:
        """Store what the policy refused and wants kept; the refusals stand, whatever comes."""
        batch = []
        for work in works:
            assert work.judged is not None
            intake, sender = work.past_door()
            unit = work.submission.unit or sender.number
            raw = raw_of(work.submission.envelope)
            evidence = evidence_of(work.judged, sender.code, intake.document_id, raw)
            batch.append((evidence, unit, work.submission.actor))
        if batch:
            for work, said in zip(works, self._quarantine.keep(batch, now_us), strict=True):
                work.quarantine = said

    def _store(self, works: Sequence[_Work], now_us: int) -> None:
        """Write one record a document, all in one flush, then give the receipts."""
        ready, acceptances, told = [], [], []
        told_until = self._redirections.told_until
        for work in works:
            assert work.resolution is not None
            try:
                made = self._acceptance(work, now_us)
            except RecipientError as error:
                work.answer = error
                continue
            work.acceptance = made
            ready.append(work)
            acceptances.append(made)
            snapshot = work.resolution.snapshot
            told += self._redirections.records_for(made, snapshot, told_until)
        notes = self._verification.keep([_signed(work) for work in ready], now_us)
        try:
            answers = self._queue.accept(acceptances, [*told, *notes.records])
        except OverloadedError as error:  # of the store: for all that is new alike
            for work in ready:
                work.answer = error
            return
        self._verification.noted(notes)
        fresh = []
        for work, acceptance, answer in zip(ready, acceptances, answers, strict=True):
            if isinstance(answer, Repeated | Conflict):
                work.answer = self._answer_known(work, answer)
            elif isinstance(answer, Overfull):
                work.answer = self._answer_overfull(work, answer)
            else:
                fresh.append(acceptance)
                facts = decode_facts(acceptance.facts)
                if facts.waits is not None:
                    for_path = waits_for_path(_signed(work).verdict)
                    self._waiting.note(answer.sequence, now_us, for_path=for_path)
                else:
                    self._held.note(answer.sequence, acceptance.sender, facts)
                alerts = alerts_of(self._queue, answer.twin, facts)
                work.answer = facts.receipt(
                    acceptance.key, answer.sequence, repeated=False, alerts=alerts
                )
        late = self._redirections.late_records(fresh, told_until)
        if late:
            self._queue.store.append_raw(late)
        again = [work for work in ready if work.answer is None]
        if again:  # ends: each time round they have fewer recipients
            self._store(again, now_us)

    def _answer_overfull(self, work: _Work, found: Overfull) -> TooManyOpenError | None:
        """Return the refusal; None: it goes to the others, who remain."""
        if self._leaves_out(work, found.recipients):
            return None
        wait = limits.RETRY_AFTER_S
        if not found.recipients:
            return TooManyOpenError(
                "sender.too_many_in_flight", limit=found.limit, retry_after_s=wait
            )
        assert work.resolution is not None
        unit = self._rooms.directory.unit(found.recipients[0], work.past_door()[0].issued_at)
        return TooManyOpenError(
            "recipient.too_many_pending", path="$.payload.recipients",
            unit=unit.code, limit=found.limit, retry_after_s=wait,
        )  # fmt: skip

    def _leaves_out(self, work: _Work, recipients: Sequence[int]) -> bool:
        """Leave recipients out if the sender lets bad ones be skipped and others remain."""
        intake, _ = work.past_door()
        if not recipients or intake.document.on_bad_recipient is not OnBadRecipient.SKIP:
            return False
        resolution, judged, decision = work.past_policy()
        snapshot = resolution.snapshot
        positions = [snapshot.hierarchy.position(number) for number in recipients]
        full = Audience.from_positions(position for position in positions if position >= 0)
        effective = decision.effective - full
        gone = effective.size == 0 and not decision.held
        if gone or effective.size == decision.effective.size:
            return False
        codes = (self._rooms.directory.unit(one, intake.issued_at).code for one in recipients)
        judged.decision = msgspec.structs.replace(
            decision, effective=effective, added=decision.added - full
        )
        work.resolution = msgspec.structs.replace(resolution, skipped=(*resolution.skipped, *codes))
        return True

    def _acceptance(self, work: _Work, now_us: int) -> Acceptance:
        intake, sender = work.past_door()
        resolution, judged, decision = work.past_policy()
        snapshot = resolution.snapshot
        number = self._rooms.number_of(snapshot, now_us)
        facts = self._facts(work, number, now_us)
        waits_until = facts.waits.until if facts.waits is not None else 0
        audience, digest = decision.effective, facts.audience_sha256
        if waits_until:
            audience = Audience()
            digest = self._rooms.digest(number, snapshot, audience)
        runs = audience.to_bytes()
        joins = postings(snapshot.hierarchy, audience)
        envelope = _encode(intake.envelope)
        encoded_facts = encode_facts(facts)
        life_s = intake.document.time_to_live_s
        expires_at = None if life_s is None else now_us + life_s * SECOND_US
        parts = self._policy.parts(judged, number, snapshot, expires_at, waits_until)
        size = len(envelope) + len(encoded_facts) + len(runs) + len(joins)
        size += sum(len(part.audience.runs) + _PART_BYTES for part in parts)
        if size + _RECORD_ROOM_BYTES > limits.RECORD_BYTES_MAX:
            reason = "the audience and the document together do not fit one record"
            raise RecipientError("selector.too_large", path="$.payload.recipients", reason=reason)
        document = intake.document
        return Acceptance(
            key=new_key(now_us, self._chance.random_bytes(10)),
            sender=sender.number,
            document_id=intake.document_id,
            act=document.act.value,
            year=year_of(intake.issued_at),
            idempotency_key=intake.envelope.idempotency_key,
            content=intake.content,
            number_notation=f"{document.number}/{document.notation}",
            lane=decision.lane,
            envelope=envelope,
            facts=encoded_facts,
            audience=StoredAudience(number, runs, digest, audience.size),
            postings=joins,
            at=now_us,
            unit=work.submission.unit or sender.number,
            actor=work.submission.actor,
            expires_at=expires_at,
            parts=parts,
        )

    def _facts(self, work: _Work, snapshot: int, now_us: int) -> Facts:
        intake, sender = work.past_door()
        resolution, judged, decision = work.past_policy()
        verdict, agency = work.verdict, judged.agency
        signatures = verdict.signatures if verdict is not None else ()
        return Facts(
            document_id=intake.document_id,
            sender=sender.code,
            subject=intake.document.subject,
            selector=intake.document.recipients or "",
            issued_at=intake.issued_at,
            accepted_at=now_us,
            directory_sequence=resolution.snapshot.sequence,
            snapshot=snapshot,
            addressed=resolution.audience.size,
            effective=decision.effective.size,
            audience_sha256=self._rooms.digest(snapshot, resolution.snapshot, decision.effective),
            content_sha256=intake.content,
            policy_version=decision.policy_version,
            rules=self._policy.names(judged),
            lane=decision.lane,
            skipped=resolution.skipped,
            trust_version=verdict.trust_version if verdict is not None else 0,
            signatures=tuple(signatures),
            signer=agency.subject if agency is not None else "",
            decision=self._policy.kept(judged, now_us),
            waits=_waits(verdict, now_us),
            revocation_version=verdict.revocation_version if verdict is not None else 0,
        )

    def _conclude(self, work: _Work) -> Outcome:
        """Audit a refusal; the line holds no content."""
        answer, submission = work.answer, work.submission
        assert answer is not None
        if isinstance(answer, Receipt):
            return answer
        actor = "?" if answer.code == "actor.invalid" else submission.actor
        kept = f" quarantine={work.quarantine}" if work.quarantine else ""
        _audit.info("refused code=%s unit=%s actor=%s%s", answer.code, submission.unit, actor, kept)
        return problem_of(answer, submission.language)


def _signed(work: _Work) -> Signed:
    return Signed(work.verdict, work.past_door()[0].envelope.signatures)


def _waits(verdict: Verdict | None, now_us: int) -> Waits | None:
    if verdict is None or verdict.status != "indeterminate":
        return None
    return Waits(verdict.missing, now_us + limits.VERDICT_WAIT_S_MAX * SECOND_US)


def _leaves_evidence(work: _Work) -> bool:
    judged = work.judged
    return (
        judged is not None
        and judged.refusal is not None
        and judged.decision is not None
        and judged.decision.quarantine
    )
