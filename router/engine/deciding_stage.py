"""The stage that asks the policy: one question for all documents of a snapshot.

The policy in force is taken once a batch, so no batch ever mixes two versions.  What is
decided is kept with the document as it was decided (`DecisionKept`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from router.directory import Resolution, Snapshot
from router.engine.intake import Intake
from router.engine.policies import InForce
from router.engine.quarantine import Evidence
from router.engine.state import Rooms
from router.errors import CalendarError, VanbanError
from router.limits import POLICY_RULES_STORED_MAX
from router.model.decisions import DecisionKept, DocumentFacts, HeldKept
from router.model.units import Unit
from router.policy import (
    CompiledPolicy,
    Decision,
    decide_batch,
    refusal_of,
    refuse_signers,
)
from router.policy.decisions import ALWAYS
from router.policy.floor import FLOOR_PREFIX
from router.queue import Part, State, StoredAudience
from router.signatures import SignatureVerdict, Verdict

_NAMES_MAX: Final = 32
"""Names of deciding rules kept as text; their numbers are kept beside them."""
_NAMES_CACHED_MAX: Final = 1_024


class Asked(msgspec.Struct, frozen=True):
    """A document before the policy: past the door, its signatures good, its audience known."""

    intake: Intake
    sender: Unit
    verdict: Verdict | None
    resolution: Resolution


class Judged(msgspec.Struct):
    """What the stage found: `refusal` ends the document, else `decision` carries it.

    `agency` is the first signature whose certificate spoke for the sender at the issue time.
    """

    facts: DocumentFacts
    agency: SignatureVerdict | None = None
    decision: Decision | None = None
    compiled: CompiledPolicy | None = None
    refusal: VanbanError | None = None


class PolicyStage:
    """Asks the policy in force; thread-safe."""

    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms
        self._asking = (-1, False)  # replaced in one step
        self._names: dict[tuple[int, tuple[int, ...]], tuple[str, ...]] = {}

    def judge(self, batch: Sequence[Asked], now_us: int) -> list[Judged]:
        """Judge documents in order; `now_us` is the instant of their acceptance."""
        found = [self._questioned(one) for one in batch]
        in_force = self._rooms.policies.in_force
        groups: dict[tuple[int, int], list[int]] = {}
        for index, one in enumerate(found):
            if one.refusal is None:
                groups.setdefault(batch[index].resolution.snapshot.identity, []).append(index)
        for places in groups.values():
            self._decide(batch, found, places, in_force, now_us)
        return found

    def _decide(
        self, batch: Sequence[Asked], found: list[Judged], places: list[int],
        in_force: InForce, now_us: int,
    ) -> None:  # fmt: skip
        """Decide the documents of one snapshot."""
        compiled = self._rooms.policies.compiled(batch[places[0]].resolution.snapshot, in_force)
        decisions = decide_batch(
            compiled,
            [found[index].facts for index in places],
            [batch[index].resolution.audience for index in places],
            now_us,
        )
        for index, decision in zip(places, decisions, strict=True):
            one = found[index]
            one.decision, one.compiled = decision, compiled
            one.refusal = refusal_of(compiled, one.facts, decision)

    def _questioned(self, asked: Asked) -> Judged:
        """Return a document's facts; or why its signatures don't carry it."""
        issued_at, sender = asked.intake.issued_at, asked.sender.number
        good = asked.verdict.signatures if asked.verdict is not None else ()
        bound_unit = self._rooms.trust.bound_unit
        agency = None
        signers = []
        for one in good:
            units = bound_unit(one.certificate_sha256, issued_at)
            signers.append(tuple(sorted(units)))
            if agency is None and sender in units:
                agency = one
        judged = Judged(_facts_of(asked, tuple(signers)), agency)
        if good and agency is None:
            last = good[-1]  # persons sign first, then the agency
            judged.refusal = refuse_signers(
                asked.sender.code, signed=True, by_sender=False,
                sha256=last.certificate_sha256, subject=last.subject,
            )  # fmt: skip
        return judged

    def kept(self, judged: Judged, now_us: int) -> DecisionKept:
        """Return what of a decision is stored with its document."""
        decision, compiled = judged.decision, judged.compiled
        assert decision is not None
        assert compiled is not None
        return DecisionKept(
            rules=decision.rules[:POLICY_RULES_STORED_MAX],
            rules_total=len(decision.rules),
            signers=judged.facts.signers,
            working_hours=self._hours(compiled, now_us),
            excluded=decision.excluded.size,
            added=decision.added.size,
            held=tuple(
                HeldKept(part.rules, part.expires_at, part.audience.size) for part in decision.held
            ),
            deadline=decision.deadline,
            send_by=decision.send_by,
            retention_years=decision.retention_years,
            information_only=decision.information_only,
        )

    def _hours(self, compiled: CompiledPolicy, now_us: int) -> bool | None:
        """Return whether it is within working hours, when any rule asks.

        None also where the calendar does not know: then no rule met this document by it.
        """
        version, asks = self._asking
        if version != compiled.version:
            rules = compiled.policy.rules
            asks = any(one.when is not None and one.when.hours is not None for one in rules)
            self._asking = (compiled.version, asks)
        try:
            return compiled.calendar.in_working_hours(now_us) if asks else None
        except CalendarError:
            return None

    def names(self, judged: Judged) -> tuple[str, ...]:
        """Return what decided by name: what stands in code, the floor's rules, the file's.

        Remembered, as most documents of a day meet the same rules.
        """
        decision, compiled = judged.decision, judged.compiled
        assert decision is not None
        assert compiled is not None
        key = (compiled.version, decision.rules)
        found = self._names.get(key)
        if found is None:
            if len(self._names) >= _NAMES_CACHED_MAX:
                self._names.clear()
            found = self._names[key] = _rule_names(compiled, decision.rules)
        return found

    def parts(
        self, judged: Judged, number: int, snapshot: Snapshot, expires_at: int | None,
        waits_until: int = 0,
    ) -> tuple[Part, ...]:  # fmt: skip
        """Return the parts of the record: each held one in order, then the excluded ones.

        A held part runs out when its approval does, or with the document's time to live.  Of a
        document that waits for its verdict, until the instant `waits_until` at most, all wait:
        the held ones, and last those who would have it at once.
        """
        decision = judged.decision
        assert decision is not None
        found = []
        for part in decision.held:
            due = min(part.expires_at, expires_at or part.expires_at)
            found.append((State.WAITING if waits_until else State.HELD, part.audience, due))
        if decision.excluded:
            found.append((State.EXCLUDED, decision.excluded, 0))
        if waits_until and decision.effective:
            due = min(waits_until, expires_at or waits_until)
            found.append((State.WAITING, decision.effective, due))
        return tuple(
            Part(
                standing,
                StoredAudience(
                    number, units.to_bytes(), self._rooms.digest(number, snapshot, units),
                    units.size,
                ),
                due,
            )
            for standing, units, due in found
        )  # fmt: skip


def _rule_names(compiled: CompiledPolicy, rules: tuple[int, ...]) -> tuple[str, ...]:
    numbers = rules if len(rules) <= _NAMES_MAX else _ends(rules)
    names = [compiled.name_of(number) for number in numbers]
    names.sort(key=lambda name: not name.startswith(FLOOR_PREFIX))  # stable: else by number
    return (*ALWAYS, *names)[:_NAMES_MAX]


def evidence_of(judged: Judged, sender: str, document_id: str, envelope: bytes) -> Evidence:
    """Return what is kept of a document that the policy refused."""
    decision, compiled, refusal = judged.decision, judged.compiled, judged.refusal
    assert decision is not None
    assert compiled is not None
    assert refusal is not None
    number = decision.refusal_rule
    rule = compiled.name_of(number) if number else ""
    return Evidence(sender, document_id, refusal.code, rule, compiled.version, envelope)


def _ends(rules: tuple[int, ...]) -> tuple[int, ...]:
    """Return the first and the last of very many: the floor's rules have the last numbers."""
    return (*rules[: _NAMES_MAX // 2], *rules[-_NAMES_MAX // 2 :])


def _facts_of(asked: Asked, signers: tuple[tuple[int, ...], ...]) -> DocumentFacts:
    document = asked.intake.document
    attachments = document.attachments
    return DocumentFacts(
        sender=asked.sender.number,
        act=document.act,
        type=document.document_type,
        urgency=document.urgency,
        issued_at=asked.intake.issued_at,
        marks=document.marks,
        size_bytes=len(asked.intake.envelope.payload) + sum(one.size_bytes for one in attachments),
        attachments=len(attachments),
        media_types=tuple(dict.fromkeys(one.media_type for one in attachments)),
        signers=signers,
    )
