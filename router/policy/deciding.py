"""Deciding a batch: who of each audience may receive, who waits, what is set, by which rules.

The algebra of docs/policy.md over whole audiences; no loop over recipients.  Pure: the same
arguments give the same decisions, whatever was asked before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final

import msgspec

from router._core import Audience
from router.errors import CalendarError
from router.limits import HELD_PARTS_MAX
from router.model.answers import Lane
from router.model.decisions import DEFAULT_RULE, DocumentFacts, Refused
from router.model.documents import Urgency
from router.model.instants import datetime_of
from router.policy.compiled import CompiledPolicy, CompiledRule, Relative, folded
from router.policy.model import Default, Direction, Forbid, Hours, LaneName, Range

_EMPTY: Final = Audience()
_LANES: Final = {name: Lane[name.name].value for name in LaneName}
_LANE_OF: Final = {urgency: Lane[urgency.name].value for urgency in Urgency}


class HeldPart(msgspec.Struct, frozen=True):
    """Recipients that wait for the same approvals.

    `rules` are the hold rules, one for each approval that is needed (the first of several
    with equal approvers and expiry), ascending.  `expires_at` is the earliest expiry.
    """

    audience: Audience
    rules: tuple[int, ...]
    expires_at: int


class Decision(msgspec.Struct, frozen=True):
    """What becomes of one document, under the positions of the snapshot it was decided in.

    `effective` receives now (added ones among them), `excluded` is what was addressed and
    is left out, `held` are disjoint parts.  `rules` are all rules that decided anything,
    ascending, with 0 for the default.  `lane` is 0 to 3 (flash first).  `deadline`,
    `send_by` are instants, 0: none.  When `refused` is not NO, the sets say what would have
    been, `refusal_rule` which rule it was (0: no rule).  `quarantine` says that a refusal is
    to leave evidence.  `information_only`: admitted unsigned.  `calendar_year`: the year
    whose data is missing, 0 for none.
    """

    effective: Audience
    excluded: Audience
    added: Audience
    held: tuple[HeldPart, ...]
    lane: int
    rules: tuple[int, ...]
    policy_version: int = 0
    deadline: int = 0
    send_by: int = 0
    retention_years: int = 0
    refused: Refused = Refused.NO
    refusal_rule: int = 0
    quarantine: bool = False
    information_only: bool = False
    calendar_year: int = 0


def decide_batch(
    compiled: CompiledPolicy,
    documents: Sequence[DocumentFacts],
    audiences: Sequence[Audience],
    instant_us: int,
) -> list[Decision]:
    """Decide each document for its audience (not empty, of the compiled snapshot), in order.

    `instant_us` is the instant of acceptance.  Never raises for a document: a refusal is a
    Decision.  Raises ValueError when the two lists differ in length.
    """
    pairs = zip(documents, audiences, strict=True)
    return [_Case(compiled, facts, audience, instant_us).decide() for facts, audience in pairs]


def signatures_by(compiled: CompiledPolicy, facts: DocumentFacts, units: Relative | None) -> int:
    """Count the good signatures of a document that are bound to units of a set."""
    place = compiled.hierarchy.position
    members = _of(units, place(facts.sender))
    return sum(any(place(unit) in members for unit in one) for one in facts.signers)


class _Case:
    """One document before the rules."""

    def __init__(
        self, compiled: CompiledPolicy, facts: DocumentFacts, audience: Audience, instant_us: int
    ) -> None:
        self.compiled = compiled
        self.facts = facts
        self.audience = audience
        self.instant_us = instant_us
        self.sender = compiled.hierarchy.position(facts.sender)
        self.missing_year = 0
        self.unknown: list[tuple[CompiledRule, int]] = []
        self.rules: set[int] = set()

    def decide(self) -> Decision:
        applying = [one for one in self.compiled.rules if self._applies(one)]
        target = {one.number: self._target(one) for one in applying}
        matching = [one for one in applying if target[one.number] & self.audience]
        banned = [one for one in applying if one.rule.effect.forbid is Forbid.RECIPIENTS]
        forbidden = _union(target[one.number] for one in banned)
        allowed = self.audience
        if self.compiled.policy.default is Default.FORBID:
            grants = [one for one in applying if one.rule.effect.allow]
            allowed = _union(target[one.number] for one in grants) & self.audience
            self._note(grants, target, self.audience)
            if allowed != self.audience:
                self.rules.add(DEFAULT_RULE)
        left = allowed - forbidden
        givers = [one for one in matching if one.add is not None]
        given = {one.number: _of(one.add, self.sender) for one in givers}
        extra = _union(given.values()) - self.audience
        added = extra - forbidden
        for one, year in self.unknown:
            effect = one.rule.effect
            late = effect.forbid is Forbid.RECIPIENTS or effect.hold is not None
            if self._target(one) & (self.audience | extra if late else self.audience):
                self._miss(year)
        self._note(banned, target, self.audience | extra)
        self._note(givers, given, added)
        holders = [
            one
            for one in applying
            if one.rule.effect.hold is not None and target[one.number] & (left | added)
        ]
        self._note(holders, target, left | added)
        held = self._held(holders, target, left | added)
        waiting = _union(part.audience for part in held)
        decision = Decision(
            effective=(left | added) - waiting, excluded=self.audience - left, added=added,
            held=held, lane=_LANE_OF[self.facts.urgency], rules=(),
            policy_version=self.compiled.version,
        )  # fmt: skip
        decision = self._settings(decision, matching)
        return self._refusals(decision, matching, left, allowed)

    def _note(
        self, rules: Iterable[CompiledRule], sets: dict[int, Audience], among: Audience
    ) -> None:
        self.rules |= {one.number for one in rules if sets[one.number] & among}

    # Conditions.

    def _applies(self, one: CompiledRule) -> bool:
        tests = (self._by_sender, self._by_document, self._by_signature, self._by_audience)
        return all(test(one) for test in tests) and self._by_time(one)

    def _by_sender(self, one: CompiledRule) -> bool:
        return one.senders is None or self.sender in _of(one.senders, self.sender)

    def _by_document(self, one: CompiledRule) -> bool:
        asked, facts = one.rule.documents, self.facts
        if asked is None:
            return True
        marks = {folded(mark) for mark in facts.marks}
        return (
            (not asked.acts or facts.act in asked.acts)
            and (not asked.urgencies or facts.urgency in asked.urgencies)
            and (not one.types or folded(facts.type) in one.types)
            and (not one.marks or bool(one.marks & marks))
            and not one.without & marks
            and _within(asked.size_bytes, facts.size_bytes)
            and _within(asked.attachments, facts.attachments)
            and (not asked.media_types or _any_type(asked.media_types, facts.media_types))
        )

    def _by_signature(self, one: CompiledRule) -> bool:
        asked = one.rule.documents
        if asked is None:
            return True
        if not _within(asked.signatures, len(self.facts.signers)):
            return False
        return one.signed_by is None or self._signed_by(one.signed_by) > 0

    def _signed_by(self, units: Relative) -> int:
        return signatures_by(self.compiled, self.facts, units)

    def _by_audience(self, one: CompiledRule) -> bool:
        asked = one.rule.audience
        if asked is None:
            return True
        if one.includes is not None and not self.audience & _of(one.includes, self.sender):
            return False
        if one.lacks is not None and self.audience & _of(one.lacks, self.sender):
            return False
        return _within(asked.size, len(self.audience))

    def _by_time(self, one: CompiledRule) -> bool:
        when = one.rule.when
        if when is None:
            return True
        day = datetime_of(self.instant_us).date()
        if (when.since and day < when.since) or (when.until and day > when.until):
            return False
        if when.hours is None:
            return True
        try:
            working = self.compiled.calendar.in_working_hours(self.instant_us)
        except CalendarError as error:
            self.unknown.append((one, int(error.facts["year"])))
            return False
        return working is (when.hours is Hours.WORKING)

    def _target(self, one: CompiledRule) -> Audience:
        hierarchy = self.compiled.hierarchy
        rule = one.rule
        found = _of(one.recipients, self.sender) if one.recipients else hierarchy.everything()
        if not rule.directions and rule.tiers_crossed is None:
            return found
        if self.sender < 0:
            return _EMPTY
        rank = self.compiled.tier_rank
        mine = rank[hierarchy.tier(self.sender)]
        ranks = [rank[hierarchy.tier(position)] for position in found.positions()]
        return Audience.from_positions(
            position
            for position, other in zip(found.positions(), ranks, strict=True)
            if (not rule.directions or _direction(mine, other) in rule.directions)
            and _within(rule.tiers_crossed, abs(mine - other))
        )

    # Effects.

    def _held(
        self, rules: Sequence[CompiledRule], target: dict[int, Audience], among: Audience
    ) -> tuple[HeldPart, ...]:
        """Cut what is held into parts that need the same approvals."""
        approvals: dict[tuple[str, int], tuple[int, Audience]] = {}
        for one in rules:
            hold = one.rule.effect.hold
            assert hold is not None
            name = (hold.approvers, hold.expires_working_days)
            first, units = approvals.get(name, (one.number, _EMPTY))
            approvals[name] = (first, units | (target[one.number] & among))
        parts: list[tuple[Audience, tuple[int, ...]]] = []
        for number, units in approvals.values():
            fresh, cut = units, []
            for other, needed in parts:
                both = other & units
                fresh = fresh - other
                cut += [(both, (*needed, number)), (other - units, needed)]
            cut.append((fresh, (number,)))
            parts = [(audience, needed) for audience, needed in cut if audience]
        parts.sort(key=lambda part: part[0].runs[0])  # disjoint: an order of its own
        if len(parts) > HELD_PARTS_MAX:
            rest = parts[HELD_PARTS_MAX - 1 :]
            every = tuple(sorted({number for _, needed in rest for number in needed}))
            joined = (_union(audience for audience, _ in rest), every)
            parts = [*parts[: HELD_PARTS_MAX - 1], joined]
        return tuple(HeldPart(units, needed, self._expiry(needed)) for units, needed in parts)

    def _expiry(self, needed: Sequence[int]) -> int:
        holds = (self.compiled.rules[number - 1].rule.effect.hold for number in needed)
        days = min(hold.expires_working_days for hold in holds if hold is not None)
        return self._day(self.compiled.calendar.end_of_working_day, self.instant_us, days, False)

    def _day(self, ask: Callable[[int, int], int], at_us: int, days: int, floor: bool) -> int:
        try:
            return ask(at_us, days)
        except CalendarError as error:
            if not floor:
                self._miss(int(error.facts["year"]))
            return 0

    def _miss(self, year: int) -> None:
        self.missing_year = min(self.missing_year or year, year)

    def _settings(self, decision: Decision, matching: Sequence[CompiledRule]) -> Decision:
        lane, keep, deadline, send_by = decision.lane, 0, 0, 0
        calendar = self.compiled.calendar
        for one in matching:
            effect, floor = one.rule.effect, one.rule.name.startswith("floor/")
            if effect.lane is not None:
                lane = min(lane, _LANES[effect.lane])
            keep = max(keep, effect.retention_years or 0)
            if effect.deadline_working_days is not None:
                ask, days = calendar.end_of_working_day, effect.deadline_working_days
                deadline = _earlier(deadline, self._day(ask, self.instant_us, days, floor))
            if effect.send_by_working_days is not None:
                days = effect.send_by_working_days
                ask = calendar.noon_of_working_day if days else calendar.end_of_working_day
                send_by = _earlier(send_by, self._day(ask, self.facts.issued_at, days, floor))
            named = (
                effect.lane, effect.retention_years, effect.deadline_working_days,
                effect.send_by_working_days, effect.require, effect.quarantine,
                effect.admit_unsigned,
            )  # fmt: skip
            if any(value is not None for value in named):
                self.rules.add(one.number)
        return msgspec.structs.replace(
            decision, lane=lane, retention_years=keep, deadline=deadline, send_by=send_by
        )

    def _refusals(
        self, decision: Decision, matching: Sequence[CompiledRule], left: Audience, allowed: Audience,
    ) -> Decision:  # fmt: skip
        unsigned = not self.facts.signers
        admitted = unsigned and any(one.rule.effect.admit_unsigned for one in matching)
        banning = [one.number for one in matching if one.rule.effect.forbid is Forbid.DOCUMENT]
        unmet = [one.number for one in matching if not admitted and self._lacks_signatures(one)]
        first = [one.number for one in matching if one.rule.effect.forbid is Forbid.RECIPIENTS]
        self.rules |= set(banning)
        answers: tuple[tuple[bool, Refused, list[int]], ...] = (
            (self.sender < 0 and self.compiled.asks_sender, Refused.SENDER_NOT_THEN, []),
            (bool(self.missing_year), Refused.CALENDAR, []),
            (unsigned and not admitted, Refused.UNSIGNED, []),
            (bool(banning), Refused.FORBIDDEN, banning),
            (bool(unmet), Refused.REQUIREMENT, unmet),
            (not left, Refused.NOBODY_LEFT, first if allowed else []),
        )
        refused, numbers = next(
            ((why, rules) for holds, why, rules in answers if holds), (Refused.NO, [])
        )
        return msgspec.structs.replace(
            decision, rules=tuple(sorted(self.rules)), refused=refused,
            refusal_rule=min(numbers, default=0), information_only=admitted,
            quarantine=any(one.rule.effect.quarantine for one in matching),
            calendar_year=self.missing_year,
        )  # fmt: skip

    def _lacks_signatures(self, one: CompiledRule) -> bool:
        wanted = one.rule.effect.require
        if wanted is None or one.by is None:
            return False
        return self._signed_by(one.by) < wanted.signatures


def _of(units: Relative | None, sender: int) -> Audience:
    return _EMPTY if units is None else units.of(sender)


def _union(sets: Iterable[Audience]) -> Audience:
    found = _EMPTY
    for one in sets:
        found = found | one
    return found


def _within(asked: Range | None, value: int) -> bool:
    return asked is None or (
        (asked.min is None or value >= asked.min) and (asked.max is None or value <= asked.max)
    )


def _any_type(asked: Iterable[str], found: Iterable[str]) -> bool:
    names = [name.partition(";")[0].strip().lower() for name in found]
    exact = {one.lower() for one in asked if not one.endswith("/*")}
    families = tuple(one[:-1].lower() for one in asked if one.endswith("/*"))
    return any(name in exact or name.startswith(families) for name in names)


def _direction(mine: int, other: int) -> Direction:
    if mine == other:
        return Direction.ACROSS
    return Direction.UP if other < mine else Direction.DOWN


def _earlier(known: int, found: int) -> int:
    return min(known, found) if known and found else known or found
