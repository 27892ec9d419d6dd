"""Why a decision came out as it did: groups of recipients, each with the rules that decided.

A decision stores which rules decided; which recipient met which is computed here again, from
the sets of those rules: a sweep over the ends of their runs, so its cost follows the runs,
not the recipients.  Pure, as deciding is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from struct import Struct
from typing import Final

import msgspec

from router import limits
from router._core import OP_TIER, Audience, Program
from router.errors import CalendarError
from router.model.answers import Lane
from router.model.decisions import DEFAULT_RULE, DocumentFacts
from router.policy.compiled import CompiledPolicy, CompiledRule
from router.policy.deciding import Decision
from router.policy.model import Default, Direction, Effect, Forbid, Range

ALLOWED: Final = "allowed"
EXCLUDED: Final = "excluded"
HELD: Final = "held"
ADDED: Final = "added"
LEFT_OUT: Final = "left_out"
"""May receive, but the sender had bad recipients skipped and this one's inbox was full."""
NOT_ADDRESSED: Final = "not_addressed"

_EMPTY: Final = Audience()
_RUN: Final = Struct("<II")
_OUTCOMES: Final = (LEFT_OUT, EXCLUDED, HELD, ADDED, ALLOWED)
"""Classes in the order in which they are looked for: who is added and held is held."""
_CLASSES: Final = len(_OUTCOMES)


class Group(msgspec.Struct, frozen=True):
    """Recipients that met the same: an outcome of this module, and the rules that decided it.

    `rules` are ascending numbers, with 0 for the stated default.
    """

    outcome: str
    audience: Audience
    rules: tuple[int, ...]


def target_of(compiled: CompiledPolicy, one: CompiledRule, sender: int) -> Audience:
    """Return T(r, s) of docs/policy.md: whom a rule speaks of when that sender sends.

    `sender` is a position, -1 when it is not open in the snapshot.
    """
    hierarchy, rule = compiled.hierarchy, one.rule
    found = hierarchy.everything() if one.recipients is None else one.recipients.of(sender)
    if not rule.directions and rule.tiers_crossed is None:
        return found
    if sender < 0:
        return _EMPTY
    mine = hierarchy.tier(sender)
    tiers = sorted(hierarchy.count_by_tier(hierarchy.everything()))
    place = tiers.index(mine)
    kept = _EMPTY
    for rank, tier in enumerate(tiers):
        towards = _direction(place, rank)
        if (not rule.directions or towards in rule.directions) and _within(
            rule.tiers_crossed, abs(place - rank)
        ):
            kept = kept | hierarchy.evaluate(Program([(OP_TIER, tier, 0)]))
    return found & kept


def groups(
    compiled: CompiledPolicy,
    facts: DocumentFacts,
    decision: Decision,
    left_out: Audience = _EMPTY,
) -> list[Group]:
    """Cut all that a decision met into groups that met the same, the largest first.

    `decision` is what `decide_batch` said of the document, `left_out` who was not sent to for
    another reason than policy.  At most POLICY_RULES_STORED_MAX rules are told apart.
    """
    roles = list(_roles(compiled, facts, decision))[: limits.POLICY_RULES_STORED_MAX]
    held = _union(part.audience for part in decision.held)
    sets = [left_out & decision.effective, decision.excluded, held, decision.added]
    sets += [decision.effective, *(units for _, _, units in roles)]
    found = []
    for mask, units in _sweep(sets):
        if mask & ((1 << _CLASSES) - 1):
            place = next(place for place in range(_CLASSES) if mask >> place & 1)
            outcome = _OUTCOMES[place]
            first = ADDED if mask >> _OUTCOMES.index(ADDED) & 1 else ALLOWED
            rules = _rules_of(mask >> _CLASSES, roles, outcome, first)
            if not rules and outcome in (ALLOWED, LEFT_OUT):
                rules = (DEFAULT_RULE,)  # with default = "allow": no rule speaks of them
            found.append((outcome, rules, units))
    return sorted(_joined(found), key=lambda one: (-one.audience.size, one.audience.runs[0]))


_Role = tuple[int, str, Audience]


def _roles(compiled: CompiledPolicy, facts: DocumentFacts, decision: Decision) -> Iterator[_Role]:
    """Yield (rule, the outcome it brings about, its set) of what decided."""
    sender = compiled.hierarchy.position(facts.sender)
    for number in decision.rules:
        if number == DEFAULT_RULE:
            yield number, EXCLUDED, _not_allowed(compiled, decision, sender)
            continue
        one = compiled.rules[number - 1]
        effect = one.rule.effect
        if effect.forbid is Forbid.RECIPIENTS:
            yield number, EXCLUDED, target_of(compiled, one, sender)
        if effect.hold is not None:
            yield number, HELD, target_of(compiled, one, sender)
        if effect.allow and compiled.policy.default is Default.FORBID:
            yield number, ALLOWED, target_of(compiled, one, sender)
        if one.add is not None:
            yield number, ADDED, one.add.of(sender)


def _not_allowed(compiled: CompiledPolicy, decision: Decision, sender: int) -> Audience:
    """Return those of the excluded whom no rule allowed."""
    allowed = _union(
        target_of(compiled, compiled.rules[number - 1], sender)
        for number in decision.rules
        if number and compiled.rules[number - 1].rule.effect.allow
    )
    return decision.excluded - allowed


def _rules_of(mask: int, roles: Sequence[_Role], outcome: str, first: str) -> tuple[int, ...]:
    """Return the rules of a bit mask that say something about an outcome.

    `first` says whether who is held was allowed, or added, before it was held.
    """
    wanted = {LEFT_OUT: (first,), HELD: (HELD, first)}.get(outcome, (outcome,))
    found = set()
    while mask:
        low = mask & -mask
        number, brings, _ = roles[low.bit_length() - 1]
        if brings in wanted:
            found.add(number)
        mask ^= low
    return tuple(sorted(found))


def _sweep(sets: Sequence[Audience]) -> Iterator[tuple[int, Audience]]:
    """Yield (mask of the sets, units) for each way in which units lie in the sets.

    Bit i of a mask stands for the i-th set.  No unit is in two of the audiences.
    """
    turns: dict[int, int] = {}
    for place, units in enumerate(sets):
        bit = 1 << place
        for run in units.runs:
            for end in run:
                turns[end] = turns.get(end, 0) ^ bit
    cut: dict[int, list[tuple[int, int]]] = {}
    mask = begun = 0
    for position in sorted(turns):
        if mask and position > begun:
            cut.setdefault(mask, []).append((begun, position))
        mask ^= turns[position]
        begun = position
    for found, runs in cut.items():
        yield found, _of_runs(runs)


def _of_runs(runs: Iterable[tuple[int, int]]) -> Audience:
    """Return the audience of ascending disjoint runs, some of which may touch."""
    joined: list[tuple[int, int]] = []
    for start, stop in runs:
        if joined and joined[-1][1] == start:
            joined[-1] = (joined[-1][0], stop)
        else:
            joined.append((start, stop))
    return Audience.from_bytes(b"".join(_RUN.pack(*run) for run in joined))


def _joined(parts: Iterable[tuple[str, tuple[int, ...], Audience]]) -> Iterator[Group]:
    """Join parts that differ only in rules that say nothing about their outcome."""
    same: dict[tuple[str, tuple[int, ...]], Audience] = {}
    for outcome, rules, units in parts:
        key = (outcome, rules)
        same[key] = same.get(key, _EMPTY) | units
    for (outcome, rules), units in same.items():
        yield Group(outcome, units, rules)


def deciders(
    compiled: CompiledPolicy, facts: DocumentFacts, audience: Audience, decision: Decision
) -> dict[str, int]:
    """Return, for each setting of a decision, the first rule that brought it about.

    Keys: lane, deadline, send_by, retention_years, information_only, quarantine; 0 where it
    was no rule (the lane of the urgency as signed).
    """
    sender = compiled.hierarchy.position(facts.sender)
    matching = [
        one
        for one in (compiled.rules[number - 1] for number in decision.rules if number)
        if target_of(compiled, one, sender) & audience
    ]
    found: dict[str, int] = {"lane": 0}
    given = (one.rule.effect.deadline_working_days for one in matching)
    fewest = min((days for days in given if days is not None), default=0)
    for one in reversed(matching):  # the first in the file is named
        for name in _brought_about(compiled, facts, one.rule.effect, decision, fewest):
            found[name] = one.number
    return found


def _brought_about(
    compiled: CompiledPolicy,
    facts: DocumentFacts,
    effect: Effect,
    decision: Decision,
    fewest_days: int,
) -> Iterator[str]:
    signed = Lane[facts.urgency.name].value
    lane = effect.lane
    if lane is not None and Lane[lane.name].value == decision.lane < signed:
        yield "lane"
    if decision.deadline and effect.deadline_working_days == fewest_days:
        yield "deadline"
    days = effect.send_by_working_days
    if (
        decision.send_by
        and days is not None
        and _sent_by(compiled, facts, days) == (decision.send_by)
    ):
        yield "send_by"
    if effect.retention_years and effect.retention_years == decision.retention_years:
        yield "retention_years"
    if effect.admit_unsigned and decision.information_only:
        yield "information_only"
    if effect.quarantine and decision.quarantine:
        yield "quarantine"


def _sent_by(compiled: CompiledPolicy, facts: DocumentFacts, days: int) -> int:
    calendar = compiled.calendar
    ask = calendar.noon_of_working_day if days else calendar.end_of_working_day
    try:
        return ask(facts.issued_at, days)
    except CalendarError:
        return 0


def _union(sets: Iterable[Audience]) -> Audience:
    found = _EMPTY
    for one in sets:
        found = found | one
    return found


def _direction(mine: int, other: int) -> Direction:
    if mine == other:
        return Direction.ACROSS
    return Direction.UP if other < mine else Direction.DOWN


def _within(asked: Range | None, value: int) -> bool:
    return asked is None or (
        (asked.min is None or value >= asked.min) and (asked.max is None or value <= asked.max)
    )
