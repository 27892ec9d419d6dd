"""The peer of the policy suite: one frozenset a rule and sender, united document by document.

All sets are ready before anything is timed, and rules are found by type in a dictionary: it
is how the algebra of docs/policy.md is written with Python's sets.  It decides at one
instant, so that rules of other days and hours are left out beforehand.  Families of media
types, counts of signatures and who signed are not asked; no rule of the suite has them.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import NamedTuple

from router._core import Audience
from router.model.decisions import DocumentFacts
from router.model.instants import datetime_of
from router.policy.compiled import CompiledPolicy, CompiledRule, Relative, folded
from router.policy.deciding import Decision
from router.policy.model import (
    Default,
    Direction,
    DocumentConditions,
    Effect,
    Forbid,
    Hours,
    Range,
    When,
)
from vanban_bench.micro._policy_words import LANE_OF, LANES

Outcome = tuple[
    frozenset[int], frozenset[int], frozenset[int], frozenset[int], int, tuple[int, ...]
]
"""Who receives now, who is excluded, added, held; the lane; the deciding rules."""

_NOBODY: frozenset[int] = frozenset()


class Known(NamedTuple):
    """A rule as this peer has it, for one sender."""

    number: int
    one: CompiledRule
    target: frozenset[int]
    includes: frozenset[int] | None
    lacks: frozenset[int] | None
    add: frozenset[int]


class SetsPeer:
    """Decides with sets; what a sender makes of the rules is worked out once."""

    def __init__(self, compiled: CompiledPolicy, instant_us: int) -> None:
        self._compiled = compiled
        self._shared: dict[Relative, frozenset[int]] = {}
        self._everybody = frozenset(range(compiled.hierarchy.size))
        day = datetime_of(instant_us).date()
        working = compiled.calendar.in_working_hours(instant_us)
        self._rules = [one for one in compiled.rules if _is_now(one.rule.when, day, working)]
        self._by_sender: dict[int, dict[str, list[Known]]] = {}

    def decide(
        self, facts: Sequence[DocumentFacts], audiences: Sequence[frozenset[int]]
    ) -> list[Outcome]:
        """Decide each document for its audience."""
        return [self._one(*pair) for pair in zip(facts, audiences, strict=True)]

    def _known(self, sender: int) -> dict[str, list[Known]]:
        found = self._by_sender.get(sender)
        if found is None:
            found = self._by_sender[sender] = {}
            for one in self._rules:
                if one.senders is not None and sender not in one.senders.of(sender):
                    continue
                known = Known(
                    one.number, one, self._target(one, sender), self._set(one.includes, sender),
                    self._set(one.lacks, sender), self._set(one.add, sender) or _NOBODY,
                )  # fmt: skip
                for name in one.types or ("",):
                    found.setdefault(name, []).append(known)
        return found

    def _set(self, units: Relative | None, sender: int) -> frozenset[int] | None:
        if units is None:
            return None
        if units.constant is None:
            return frozenset(units.of(sender).positions())
        found = self._shared.get(units)
        if found is None:
            found = self._shared[units] = frozenset(units.of(sender).positions())
        return found

    def _target(self, one: CompiledRule, sender: int) -> frozenset[int]:
        rule, hierarchy = one.rule, self._compiled.hierarchy
        found = self._set(one.recipients, sender)
        found = self._everybody if found is None else found
        if not rule.directions and rule.tiers_crossed is None:
            return found
        rank = self._compiled.tier_rank
        mine = rank[hierarchy.tier(sender)]

        def cut(unit: int) -> bool:
            other = rank[hierarchy.tier(unit)]
            up = Direction.UP if other < mine else Direction.DOWN
            direction = Direction.ACROSS if other == mine else up
            return (not rule.directions or direction in rule.directions) and _within(
                rule.tiers_crossed, abs(mine - other)
            )

        return frozenset(filter(cut, found))

    def _one(self, facts: DocumentFacts, audience: frozenset[int]) -> Outcome:
        sender = self._compiled.hierarchy.position(facts.sender)
        known = self._known(sender)
        candidates = known.get("", []) + known.get(folded(facts.type), [])
        applying = [one for one in candidates if _applies(one, facts, audience)]
        matching = [one for one in applying if not one.target.isdisjoint(audience)]
        effects = [(one, one.one.rule.effect) for one in applying]
        bans = [one for one, effect in effects if effect.forbid is Forbid.RECIPIENTS]
        forbidden = _NOBODY.union(*(one.target for one in bans))
        rules: set[int] = set()
        allowed = audience
        if self._compiled.policy.default is Default.FORBID:
            grants = [one for one in matching if one.one.rule.effect.allow]
            allowed = _NOBODY.union(*(one.target for one in grants)) & audience
            rules.update(one.number for one in grants)
            if len(allowed) < len(audience):
                rules.add(0)
        left = allowed - forbidden
        givers = [one for one in matching if one.add]
        extra = _NOBODY.union(*(one.add for one in givers)) - audience
        added = extra - forbidden
        among = left | added
        holds = [one for one, effect in effects if effect.hold and not one.target.isdisjoint(among)]
        held = _NOBODY.union(*(one.target for one in holds)) & among
        rules.update(
            one.number
            for one in bans
            if not one.target.isdisjoint(audience) or not one.target.isdisjoint(extra)
        )
        rules.update(one.number for one in givers if not one.add.isdisjoint(added))
        rules.update(one.number for one in holds)
        lane = LANE_OF[facts.urgency]
        for one in matching:
            effect = one.one.rule.effect
            if effect.lane is not None:
                lane = min(lane, LANES[effect.lane])
            if effect.forbid is Forbid.DOCUMENT or _sets_anything(effect):
                rules.add(one.number)
        return among - held, audience - left, added, held, lane, tuple(sorted(rules))


def _is_now(when: When | None, day: date, working: bool) -> bool:
    return when is None or (
        (when.since is None or when.since <= day)
        and (when.until is None or day <= when.until)
        and (when.hours is None or (when.hours is Hours.WORKING) == working)
    )


def _sets_anything(effect: Effect) -> bool:
    numbers = (effect.lane, effect.deadline_working_days, effect.send_by_working_days)
    flags = (effect.retention_years, effect.require, effect.quarantine, effect.admit_unsigned)
    return any(flags) or any(one is not None for one in numbers)


def _within(asked: Range | None, value: int) -> bool:
    return asked is None or (
        (asked.min is None or value >= asked.min) and (asked.max is None or value <= asked.max)
    )


def _applies(known: Known, facts: DocumentFacts, audience: frozenset[int]) -> bool:
    asked, around = known.one.rule.documents, known.one.rule.audience
    if asked is not None and not _is_such(known.one, asked, facts):
        return False
    if around is None:
        return True
    if known.includes is not None and known.includes.isdisjoint(audience):
        return False
    if known.lacks is not None and not known.lacks.isdisjoint(audience):
        return False
    return _within(around.size, len(audience))


def _is_such(one: CompiledRule, asked: DocumentConditions, facts: DocumentFacts) -> bool:
    if (
        (asked.acts and facts.act not in asked.acts)
        or (asked.urgencies and facts.urgency not in asked.urgencies)
        or not _within(asked.size_bytes, facts.size_bytes)
        or not _within(asked.attachments, facts.attachments)
        or (asked.media_types and set(asked.media_types).isdisjoint(facts.media_types))
    ):
        return False
    if not one.marks and not one.without:
        return True
    marks = {folded(mark) for mark in facts.marks}
    return not (one.marks and one.marks.isdisjoint(marks)) and one.without.isdisjoint(marks)


def outcome_of(decision: Decision) -> Outcome:
    """Return a decision of ours in the form of this peer."""

    def members(audience: Audience) -> frozenset[int]:
        return frozenset(audience.positions())

    held = _NOBODY.union(*(members(part.audience) for part in decision.held))
    return (
        members(decision.effective), members(decision.excluded), members(decision.added), held,
        decision.lane, decision.rules,
    )  # fmt: skip
