"""Held parts of documents: who may approve them, approving, denying, what they look like.

A part's state is that of its entry.  Approving the last missing approval lets it join inboxes
with the audience, lane and policy version of the decision; denying excludes it; its time
running out (`due`) lets it expire.  All three happen under one lock, each in one record.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Final, NamedTuple

import msgspec

from router import limits
from router._core import Audience
from router._postings import postings
from router.directory import Snapshot
from router.engine.deliveries import check_actor, check_reason
from router.engine.facts import Facts, decode_facts, hold_id, read_hold_id
from router.engine.held_parts import HeldNow, HeldParts, entry_number
from router.engine.hold_records import Answer, HoldAnswered, record_of
from router.engine.redirecting import HoldEnded, Redirections, code_at, encode_stored
from router.engine.state import Rooms
from router.errors import ConflictError, ForbiddenError, InputError, NotFoundError, RecipientError
from router.model.decisions import HeldKept
from router.model.instants import show_instant
from router.model.policies import Approval, Holds, HoldShown
from router.model.units import Unit
from router.policy.model import Hold, Rule
from router.ports import Clock
from router.queue import (
    RELEASED,
    Acceptance,
    EntryRow,
    Queue,
    State,
    StoredAudience,
    after,
    records,
)
from router.selectors import compile_selector, parse

_EMPTY: Final = Audience()
_STATES: Final = {
    int(State.HELD): "held",
    int(State.WAITING): "waiting",
    int(State.EXCLUDED): "denied",
    int(State.EXPIRED): "expired",
    int(State.WITHDRAWN): "withdrawn",
    RELEASED: "released",
}
Viewer = Callable[[HeldNow], bool]
"""Says whether somebody may see a held part."""


class Found(NamedTuple):
    """One held part with its document."""

    document: int
    number: int
    row: EntryRow
    accepted: Acceptance
    facts: Facts
    kept: HeldKept

    @property
    def now(self) -> HeldNow:
        """What the index says of such a part."""
        return HeldNow(
            self.document, self.accepted.sender, self.facts.policy_version, self.kept.rules
        )

    def state(self, now_us: int) -> str:
        """Return how it stands at an instant; what has run out is over before a tick says so."""
        known = _STATES[self.row.standing]
        return "expired" if known == "held" and 0 < self.row.expires <= now_us else known


class Approvers:
    """Who may give an approval today, by the text of the rule and the document's sender."""

    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms
        self._known: dict[tuple[str, int, tuple[int, int]], Audience] = {}

    def of(self, hold: Hold, sender: int, now_us: int) -> tuple[Snapshot, Audience]:
        """Return the snapshot of today and who of it may approve: never the sender.

        For a closed sender whoever answers for it stands in its place, and never approves.
        """
        directory = self._rooms.directory
        snapshot = directory.snapshot(now_us)
        place = snapshot.hierarchy.position(directory.holder(sender, now_us))
        name = (hold.approvers, place, snapshot.identity)
        found = self._known.get(name)
        if found is None:
            found = self._evaluate(hold.approvers, snapshot, place)
            if len(self._known) >= limits.APPROVERS_CACHED_MAX:
                self._known.clear()
            self._known[name] = found
        return snapshot, found

    @staticmethod
    def _evaluate(text: str, snapshot: Snapshot, sender: int) -> Audience:
        """Return the set; what is closed or empty today is nobody."""
        try:
            compiled = compile_selector(
                parse(text), snapshot, [], sender=None if sender < 0 else sender, forgiving=True
            )
        except RecipientError:
            return _EMPTY
        found = snapshot.hierarchy.evaluate(compiled.program)
        return found - Audience.from_positions([sender]) if sender >= 0 else found


class Holding:
    """Held parts of one engine; thread-safe."""

    def __init__(
        self, rooms: Rooms, queue: Queue, held: HeldParts, redirections: Redirections, clock: Clock
    ) -> None:
        self._rooms = rooms
        self._queue = queue
        self._held = held
        self._redirections = redirections
        self._clock = clock
        self._approvers = Approvers(rooms)

    # Looking.

    def show(self, hold: str, sees: Viewer) -> HoldShown:
        """Return one held part.  Raises NotFoundError `hold.not_found`, also for others'."""
        found = self._found(hold)
        if not sees(found.now):
            raise NotFoundError("hold.not_found")
        return self._shown(found, self._clock.now_us())

    def page(self, sees: Viewer, document: str, state: str, limit: int, page: int) -> Holds:
        """Return a page of the parts that somebody may see; see `Engine.holds`."""
        if not 1 <= limit <= limits.HOLDS_PAGE_MAX or not 0 <= page <= limits.UNITS_MAX:
            said = f"limit is 1 to {limits.HOLDS_PAGE_MAX}, page 0 to {limits.UNITS_MAX}"
            raise InputError("field.invalid", path="$.limit", reason=said)
        if state and state not in _STATES.values():
            said = f"one of {', '.join(_STATES.values())}"
            raise InputError("field.invalid", path="$.state", reason=said)
        if not document and state != "held":
            said = "of all documents only what is held is listed; name a document"
            raise InputError("field.invalid", path="$.state", reason=said)
        now_us = self._clock.now_us()
        found = self._of_document(document, sees) if document else self._all(sees, now_us)
        wanted = (one for one in found if not state or one.state(now_us) == state)
        lines = list(islice(wanted, page * limit, (page + 1) * limit + 1))
        shown = tuple(self._shown(one, now_us) for one in lines[:limit])
        return Holds(shown, page + 1 if len(lines) > limit else 0)

    def _all(self, sees: Viewer, now_us: int) -> Iterator[Found]:
        for entry, one in self._held.all(now_us):
            if not sees(one):
                continue
            row = after.entry_of(self._queue, one.document, entry)
            if row is None or row.standing != State.HELD:
                self._held.forget(entry)
                continue
            yield self._read(one.document, entry - entry_number(one.document, 0))

    def _of_document(self, document: str, sees: Viewer) -> Iterator[Found]:
        for part in range(1, limits.ENTRY_PARTS_MAX + 1):
            try:
                found = self._found(f"{document}/{part}")
            except NotFoundError:
                return
            if sees(found.now):
                yield found

    def _found(self, hold: str) -> Found:
        key, part = read_hold_id(hold)
        sequence = self._queue.store.sequence_of(key)
        if sequence is None:
            raise NotFoundError("hold.not_found")
        return self._read(sequence, part)

    def _read(self, document: int, part: int) -> Found:
        accepted = after.acceptance_of(self._queue.store, document)
        facts = decode_facts(accepted.facts)
        row = after.entry_of(self._queue, document, entry_number(document, part))
        held = facts.decision.held if facts.decision is not None else ()
        if row is None or part > len(held):
            raise NotFoundError("hold.not_found")
        return Found(document, part, row, accepted, facts, held[part - 1])

    # Who may.

    def rules_of(self, one: HeldNow) -> dict[int, tuple[Rule, Hold]]:
        """Return the hold rules of a part by number, as they were decided."""
        rules = self._rooms.policies.of_version(one.version).policy.rules
        found = {number: rules[number - 1] for number in one.rules}
        return {
            number: (rule, rule.effect.hold)
            for number, rule in found.items()
            if rule.effect.hold is not None
        }

    def approvable(self, one: HeldNow, unit: int, now_us: int) -> set[int]:
        """Return the rules of a part whose approval a unit may give today."""
        found = set()
        for number, (_, hold) in self.rules_of(one).items():
            snapshot, units = self._approvers.of(hold, one.sender, now_us)
            place = snapshot.hierarchy.position(unit)
            if place >= 0 and place in units:
                found.add(number)
        return found

    # Answering.

    def approve(
        self, hold: str, unit: Unit, actor: str, reason: str
    ) -> tuple[HoldShown, list[StoredAudience]]:
        """Give every approval that a unit may give; return the part, and whom it reaches now."""
        _check(actor, reason)
        with self._held.moving:
            now_us = self._clock.now_us()
            found, mine = self._answerable(hold, unit, now_us)
            state = found.state(now_us)
            given = set(self._rooms.hold_answers.of(found.row.number))
            if state == "released" or (state == "held" and mine <= given):
                return self._repeated(found, now_us), []
            _require_held(found, state)
            missing = set(found.kept.rules) - given
            if missing <= mine:
                reached = self._release(found, unit, actor, reason, now_us)
                return self._shown(self._found(hold), now_us), [reached]
            entry = found.row.number
            self._rooms.append([
                record_of(
                    HoldAnswered(found.document, entry, rule, True, reason),
                    unit.number, actor, now_us,
                )
                for rule in sorted(missing & mine)
            ])  # fmt: skip
            return self._shown(found, now_us), []

    def deny(self, hold: str, unit: Unit, actor: str, reason: str) -> HoldShown:
        """Exclude a part for good: one denial is enough."""
        check_reason(reason)
        _check(actor, reason)
        with self._held.moving:
            now_us = self._clock.now_us()
            found, _ = self._answerable(hold, unit, now_us)
            state = found.state(now_us)
            if state == "denied":
                return self._repeated(found, now_us)
            _require_held(found, state)
            event = self._event(found, "denied", unit, reason, now_us)
            end = after.denial(found.row, found.document, now_us, unit.number, actor, reason)
            self._queue.store.append_raw([event, end])
            self._held.forget(found.row.number)
            return self._shown(self._found(hold), now_us)

    def _answerable(self, hold: str, unit: Unit, now_us: int) -> tuple[Found, set[int]]:
        found = self._found(hold)
        mine = self.approvable(found.now, unit.number, now_us)
        if not mine:
            raise ForbiddenError("hold.not_approver", unit=unit.code, hold=hold)
        return found, mine

    def _release(
        self, found: Found, unit: Unit, actor: str, reason: str, now_us: int
    ) -> StoredAudience:
        """Let a part join inboxes: one record; its sender is told in the same group."""
        audience = self._queue.audience(found.row.audience)
        snapshot = self._rooms.snapshot(audience.snapshot)
        units = Audience.from_bytes(audience.runs)
        joining = after.release(
            found.row, found.document, audience, postings(snapshot.hierarchy, units),
            found.accepted.expires_at or 0, now_us, unit.number, actor, reason,
        )  # fmt: skip
        late = msgspec.structs.replace(found.accepted, audience=audience, at=now_us)
        told_until = self._redirections.told_until
        told = self._redirections.records_for(late, snapshot, told_until)
        event = self._event(found, "released", unit, reason, now_us)
        self._queue.store.append_raw([*told, event, joining])
        overtaken = self._redirections.late_records([late], told_until)
        if overtaken:
            self._queue.store.append_raw(overtaken)
        self._held.forget(found.row.number)
        return audience

    def _event(self, found: Found, kind: str, unit: Unit, reason: str, now_us: int) -> bytes:
        """Return the record that tells the sender; it stands right before the end it tells of."""
        said = HoldEnded(
            now_us, kind, found.document, found.row.number, found.row.size, unit.number, reason
        )
        return records.encode_feed([(found.accepted.sender, encode_stored(said))], now_us, 0)

    def _repeated(self, found: Found, now_us: int) -> HoldShown:
        return msgspec.structs.replace(self._shown(found, now_us), repeated=True)

    # Showing.

    def _shown(self, found: Found, now_us: int) -> HoldShown:
        state = found.state(now_us)
        audience = self._queue.audience(found.row.audience)
        snapshot = self._rooms.snapshot(audience.snapshot)
        ended = after.ended_by(self._queue.store, found.row) if state != "held" else None
        return HoldShown(
            hold=hold_id(found.accepted.key, found.number),
            key=found.accepted.key.hex(),
            document_id=found.facts.document_id,
            sender=found.facts.sender,
            subject=found.facts.subject,
            held_at=show_instant(found.facts.accepted_at),
            expires_at=show_instant(found.row.expires),
            recipients=audience.size,
            units=_codes(snapshot, Audience.from_bytes(audience.runs)),
            approvals=tuple(self._approvals(found, state, ended, now_us)),
            state=state,
            reason="" if ended is None else ended[3],
        )

    def _approvals(
        self, found: Found, state: str, ended: tuple[int, int, str, str] | None, now_us: int
    ) -> Iterator[Approval]:
        """Yield the approvals; what has no answer of its own was given by who released it."""
        answers = self._rooms.hold_answers.of(found.row.number)
        for number, (rule, hold) in self.rules_of(found.now).items():
            answer = answers.get(number)
            if answer is None and state == "released" and ended is not None:
                at_us, by, actor, reason = ended
                answer = Answer(by, actor, at_us, reason)
            snapshot, units = self._approvers.of(hold, found.accepted.sender, now_us)
            shown = Approval(rule.name, hold.approvers, _codes(snapshot, units))
            if answer is not None:
                shown = msgspec.structs.replace(
                    shown, approved_by=code_at(self._rooms, answer.unit, answer.at),
                    actor=answer.actor, at=show_instant(answer.at),
                )  # fmt: skip
            yield shown


def _codes(snapshot: Snapshot, units: Audience) -> tuple[str, ...]:
    """Return the codes of the first units of a set."""
    return tuple(
        snapshot.unit_at(position).code for position in _first(units, limits.HOLD_UNITS_SHOWN)
    )


def _first(units: Audience, count: int) -> Iterable[int]:
    return islice((place for begin, end in units.runs for place in range(begin, end)), count)


def _require_held(found: Found, state: str) -> None:
    if state == "waiting":
        raise ConflictError("hold.waiting", hold=hold_id(found.accepted.key, found.number))
    if state != "held":
        raise ConflictError(
            "hold.over", hold=hold_id(found.accepted.key, found.number), state=state
        )


def _check(actor: str, reason: str) -> None:
    check_actor(actor)
    if not actor.strip():
        raise InputError("actor.invalid", path="actor", reason="an approver's act needs one")
    if len(reason) > limits.REASON_CHARS_MAX:
        said = f"at most {limits.REASON_CHARS_MAX} characters"
        raise InputError("field.too_long", path="$.reason", reason=said)
