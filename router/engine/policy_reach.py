"""Who may receive from a unit, who may send to it, and what a rule would catch: by sets.

No document is needed: a plain one, signed by its sender, is supposed, or one is described.
Rules that an audience or a document would have to decide are named, and taken as not
applying.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from router import limits
from router._core import Audience
from router.directory import Snapshot
from router.engine.administration_resolving import tier_name
from router.engine.policies import InForce
from router.engine.policy_reading import calendar_of, read_new
from router.engine.state import Rooms
from router.errors import CalendarError, InputError, NotFoundError
from router.model.decisions import DocumentFacts, Refused
from router.model.policies import Reach, RuleReach, TestDocument
from router.model.units import Unit
from router.policy import explaining
from router.policy.compiled import CompiledPolicy, CompiledRule, compile_policy
from router.policy.deciding import Decision, decide_batch
from router.policy.floor import floor_rules
from router.policy.model import PolicyFile
from router.policy.supposing import Supposed, facts_of, suppose
from router.policy.wording import named
from router.ports import Clock

BATCH: Final = 1_024
"""Senders decided in one call."""
OUTCOMES: Final = ("allow", "hold", "exclude")
RECEIVE: Final = "receive"
SEND: Final = "send"
_EMPTY: Final = Audience()
_KEPT_MAX: Final = 4


class Alone(msgspec.Struct, frozen=True):
    """A policy that decides each recipient by itself, compiled for one snapshot."""

    supposed: Supposed
    compiled: CompiledPolicy


def alone_of(policy: PolicyFile, snapshot: Snapshot, *, plain: bool) -> Alone:
    """Compile a policy for questions about single units; see `supposing.suppose`."""
    supposed = suppose(policy, floor_rules(), plain=plain)
    calendar = calendar_of(policy)
    made = compile_policy(supposed.policy, snapshot, calendar, floor=supposed.floor)
    return Alone(supposed, made)


class PolicyReach:
    """Answers about the policy in force and today's directory; thread-safe, reads only."""

    def __init__(self, rooms: Rooms, clock: Clock) -> None:
        self._rooms = rooms
        self._clock = clock
        self._lock = threading.Lock()  # guards the dict below
        self._kept: dict[tuple[int, tuple[int, int], bool], Alone] = {}

    def _alone(self, snapshot: Snapshot, policy: InForce, *, plain: bool) -> Alone:
        key = (policy.version, snapshot.identity, plain)
        with self._lock:
            found = self._kept.get(key)
        if found is None:
            found = alone_of(policy.policy, snapshot, plain=plain)
            with self._lock:
                while len(self._kept) >= _KEPT_MAX:
                    del self._kept[next(iter(self._kept))]
                self._kept[key] = found
        return found

    # Single units.

    def receive(
        self, unit: str | int, document: TestDocument | None, outcome: str, limit: int, page: int
    ) -> Reach:
        """See `Engine.who_may_receive`."""
        _check(outcome, limit, page)
        now_us = self._clock.now_us()
        sender, snapshot = self._open(unit, now_us)
        alone = self._alone(snapshot, self._rooms.policies.in_force, plain=document is None)
        place = snapshot.hierarchy.position(sender.number)
        others = snapshot.hierarchy.everything() - Audience.from_positions([place])
        facts = self._facts(document, sender.number, now_us)
        found = outcomes_of(alone.compiled, facts, others, now_us)
        return self._told(sender, RECEIVE, found, outcome, (limit, page), snapshot, alone)

    def send(
        self, unit: str | int, document: TestDocument | None, outcome: str, limit: int, page: int
    ) -> Reach:
        """See `Engine.who_may_send`."""
        _check(outcome, limit, page)
        now_us = self._clock.now_us()
        recipient, snapshot = self._open(unit, now_us)
        alone = self._alone(snapshot, self._rooms.policies.in_force, plain=document is None)
        hierarchy = snapshot.hierarchy
        place = hierarchy.position(recipient.number)
        asked = Audience.from_positions([place])
        others = (hierarchy.everything() - asked).positions()
        fate: dict[str, list[int]] = {name: [] for name in OUTCOMES}
        for begin in range(0, len(others), BATCH):
            places = others[begin : begin + BATCH]
            numbers = [hierarchy.number(one) for one in places]
            documents = [self._facts(document, number, now_us) for number in numbers]
            decided = decide_batch(alone.compiled, documents, [asked] * len(documents), now_us)
            for one, decision in zip(places, decided, strict=True):
                fate[_single(decision)].append(one)
        found = {name: Audience.from_positions(places) for name, places in fate.items()}
        return self._told(recipient, SEND, found, outcome, (limit, page), snapshot, alone)

    def _open(self, unit: str | int, now_us: int) -> tuple[Unit, Snapshot]:
        """Return a unit that is open now, and the directory of now.

        Raises NotFoundError, InputError for one that is closed (naming its successor).
        """
        found = self._rooms.unit(unit, now_us)
        snapshot = self._rooms.directory.snapshot(now_us)
        if snapshot.hierarchy.position(found.number) < 0:
            self._rooms.require_answering(found, now_us)
            raise NotFoundError("unit.not_found", unit=found.code)
        return found, snapshot

    def _facts(self, document: TestDocument | None, sender: int, now_us: int) -> DocumentFacts:
        described = document or TestDocument()
        signers: Sequence[int] = (sender,)
        if described.signed_by is not None:
            signers = [self._rooms.unit(code, now_us).number for code in described.signed_by]
        return facts_of(described, sender, signers, now_us)

    def _told(
        self, unit: Unit, direction: str, found: dict[str, Audience], outcome: str,
        place: tuple[int, int], snapshot: Snapshot, alone: Alone,
    ) -> Reach:  # fmt: skip
        limit, page = place
        positions = found[outcome].positions()
        listed = [snapshot.unit_at(one) for one in positions[page * limit : (page + 1) * limit]]
        more = limit > 0 and (page + 1) * limit < len(positions)
        return Reach(
            unit=unit.code,
            direction=direction,
            allowed=found["allow"].size,
            held=found["hold"].size,
            excluded=found["exclude"].size,
            units=tuple((one.code, one.name) for one in listed),
            next_page=page + 1 if more else 0,
            depends=alone.supposed.depends,
        )

    # Rules.

    def rule(self, name: str, text: bytes | None) -> RuleReach:
        """See `Engine.rule_reach`."""
        now_us = self._clock.now_us()
        snapshot = self._rooms.directory.snapshot(now_us)
        if text is None:
            compiled = self._rooms.policies.compiled(snapshot)
        else:
            policy = read_new(text, snapshot, now_us)
            calendar = calendar_of(policy)
            compiled = compile_policy(policy, snapshot, calendar, floor=floor_rules())
        for one in compiled.rules:
            if one.rule.name == name:
                return _reach_of(compiled, one, snapshot)
        raise NotFoundError("policy.rule_not_found", rule=name)


def outcomes_of(
    compiled: CompiledPolicy, facts: DocumentFacts, others: Audience, now_us: int
) -> dict[str, Audience]:
    """Return who of the others may receive, who would wait, who may not, each by itself.

    Raises CalendarError when a rule needs a year that the calendar lacks.
    """
    if not others:
        return dict.fromkeys(OUTCOMES, _EMPTY)
    decision = decide_batch(compiled, [facts], [others], now_us)[0]
    if decision.refused is Refused.CALENDAR:
        raise CalendarError("calendar.year_missing", year=decision.calendar_year)
    held = _EMPTY
    for part in decision.held:
        held = held | part.audience
    allowed = decision.effective & others
    if not facts.signers:  # each needs a rule that admits unsigned documents to it
        admitted = _admitted(compiled, facts, decision)
        allowed, held = allowed & admitted, held & admitted
    return {"allow": allowed, "hold": held & others, "exclude": others - allowed - held}


def _admitted(compiled: CompiledPolicy, facts: DocumentFacts, decision: Decision) -> Audience:
    sender = compiled.hierarchy.position(facts.sender)
    found = _EMPTY
    for number in decision.rules:
        if number and compiled.rules[number - 1].rule.effect.admit_unsigned:
            found = found | explaining.target_of(compiled, compiled.rules[number - 1], sender)
    return found


def _single(decision: Decision) -> str:
    """Return what became of the only recipient of a document."""
    if decision.refused is Refused.CALENDAR:
        raise CalendarError("calendar.year_missing", year=decision.calendar_year)
    if decision.refused is not Refused.NO:
        return "exclude"
    return "hold" if decision.held else "allow"


def _reach_of(compiled: CompiledPolicy, one: CompiledRule, snapshot: Snapshot) -> RuleReach:
    """Count a rule's pairs of sender and recipient, whatever its other conditions say."""
    hierarchy = snapshot.hierarchy
    senders = hierarchy.everything() if one.senders is None else one.senders.of(-1)
    kinds = {number: name for name, number in snapshot.kinds.items()}
    counts: Counter[tuple[int, int, int, int]] = Counter()
    acting: Counter[tuple[int, int, int, int]] = Counter()
    for place, units in _targets(compiled, one, senders):
        mine = (hierarchy.tier(place), hierarchy.kind(place))
        for theirs, count in hierarchy.count_by_class(units).items():
            own = theirs == mine and place in units
            if count > own:  # nobody writes to itself
                counts[mine + theirs] += count - own
                acting[mine + theirs] += 1

    def shown(tier: int, kind: int) -> str:
        return f"{tier_name(tier)} {kinds.get(kind, str(kind))}"

    lines = tuple(
        (shown(*key[:2]), shown(*key[2:]), acting[key], counts[key]) for key in sorted(counts)
    )
    return RuleReach(named(compiled, one.number), senders.size, counts.total(), lines)


def _targets(
    compiled: CompiledPolicy, one: CompiledRule, senders: Audience
) -> Iterator[tuple[int, Audience]]:
    """Yield (sender, T of the rule); computed once a tier where the sender is no part of it."""
    hierarchy = compiled.hierarchy
    same = one.recipients is None or one.recipients.constant is not None
    by_tier: dict[int, Audience] = {}
    for place in senders.positions():
        tier = hierarchy.tier(place)
        found = by_tier.get(tier)
        if found is None or not same:
            found = by_tier[tier] = explaining.target_of(compiled, one, place)
        yield place, found


def _check(outcome: str, limit: int, page: int) -> None:
    if outcome not in OUTCOMES:
        raise InputError("field.invalid", path="$.outcome", reason=f"one of {', '.join(OUTCOMES)}")
    if not 0 <= limit <= limits.TRACKING_PAGE_MAX or not 0 <= page <= limits.UNITS_MAX:
        said = f"limit is 0 to {limits.TRACKING_PAGE_MAX}, page from 0"
        raise InputError("field.invalid", path="$.limit", reason=said)
