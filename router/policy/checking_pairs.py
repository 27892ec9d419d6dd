"""Rules that another rule makes vain: shadowed, contradicted, repeated.

Rules are gathered by their conditions; only gatherings of which one implies the other are
compared, by the union of their recipients, and they are found by the values they list.  So
the work grows with the rules, and with the pairs of **different** conditions that list a
value in common (or nothing), of which at most IMPLICATIONS_MAX are looked at: beyond, rules are
compared with those of equal conditions and of none only.  Nothing is claimed that is not
so; of rules whose recipients depend on the sender not everything is found.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from itertools import chain
from typing import Final, NamedTuple

import msgspec

from router._core import Audience
from router.policy.checking_sets import Sets
from router.policy.compiled import folded
from router.policy.model import (
    AudienceConditions,
    Default,
    DocumentConditions,
    Effect,
    Forbid,
    PolicyFile,
    Range,
    Rule,
    When,
)

IMPLICATIONS_MAX: Final = 200_000
"""Pairs of different conditions compared for one file (about a second)."""
_FILED_SENDERS_MAX: Final = 16
"""A prohibition of more senders is not found by them, but compared."""
_NAMED_MAX: Final = 1_000
"""Prohibitions of one gathering tried one by one, to name the one that shadows."""
_NO_DOCUMENTS: Final = DocumentConditions()
_NO_AUDIENCE: Final = AudienceConditions()
_NO_WHEN: Final = When()


class Vain(NamedTuple):
    """A rule (its place) that another makes vain: the code of the warning, the other's place."""

    code: str
    rule: int
    other: int


class _Gathering:
    """Prohibitions of one kind with equal conditions."""

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self.members: list[tuple[int, Audience]] = []
        self.texts: dict[str, int] = {}
        self._union: Audience | None = None

    def add(self, index: int, rule: Rule, sets: Sets) -> None:
        units = sets.constant(rule.recipients)
        if units is None and rule.recipients is not None:
            self.texts.setdefault(sets.same(rule.recipients), index)
        elif units is not None:
            self.members.append((index, units))
            self._union = None

    @property
    def union(self) -> Audience:
        if self._union is None:
            self._union = _union([units for _, units in self.members])
        return self._union

    def containing(self, units: Audience) -> int:
        """Return a member that contains a set; else one that meets it; -1 for none."""
        near = self.members[:_NAMED_MAX]
        found = next((index for index, known in near if not units - known), -1)
        return found if found >= 0 else self.meeting(units)

    def meeting(self, units: Audience) -> int:
        """Return a member that has a unit of a set, -1 for none."""
        if not units & self.union:
            return -1
        return next((index for index, known in self.members if units & known), -1)


def vain_rules(policy: PolicyFile, sets: Sets) -> Iterator[Vain]:
    """Yield each rule that another rule makes vain, in the order of the file, once."""
    rules = policy.rules
    conditions = [_conditions(rule, sets) for rule in rules]
    first: dict[object, int] = {}
    gathered: dict[tuple[object, Forbid], _Gathering] = {}
    for index, rule in enumerate(rules):
        if rule.effect.forbid is not None:
            key = (conditions[index], rule.effect.forbid)
            gathered.setdefault(key, _Gathering(rule)).add(index, rule, sets)
    weaker = _Weaker(gathered, sets)
    adds = any(rule.effect.add for rule in rules)
    for index, rule in enumerate(rules):
        whole = (conditions[index], _text(rule.recipients, sets), _told(rule.effect))
        known = first.setdefault(whole, index)
        if known != index:
            yield Vain("policy.rule_repeated", index, known)
            continue
        forbidding = weaker.than(rule, conditions[index]) if _shadowable(rule, policy) else []
        other = next((at for one in forbidding if (at := _shadow(rule, one, sets, adds)) >= 0), -1)
        if other >= 0:
            yield Vain("policy.rule_shadowed", index, other)
        elif rule.effect.allow and policy.default is Default.FORBID:
            other = _contradicting(rule, weaker.equal(conditions[index]), sets)
            if other >= 0:
                yield Vain("policy.rules_contradict", index, other)


def _shadowable(rule: Rule, policy: PolicyFile) -> bool:
    """Say whether a rule does nothing but allow, hold and add, which forbidding undoes."""
    effect = rule.effect
    plain = Effect(allow=effect.allow, hold=effect.hold, add=effect.add, reason=effect.reason)
    allows = bool(effect.allow) and policy.default is Default.FORBID
    return effect == plain and (allows or effect.hold is not None or effect.add is not None)


def _contradicting(rule: Rule, forbidding: list[_Gathering], sets: Sets) -> int:
    """Return a prohibition of equal conditions that meets the rule's recipients, -1 for none."""
    units = sets.constant(rule.recipients)
    if units is None:
        return -1
    return next((at for one in forbidding if (at := one.meeting(units)) >= 0), -1)


def _shadow(rule: Rule, forbidding: _Gathering, sets: Sets, adds: bool) -> int:
    """Return the prohibition that leaves a rule no effect, -1 for none.

    A refused document is refused for whom it addresses: it leaves what is held of those
    that another rule `adds`.
    """
    effect = rule.effect
    document = forbidding.rule.effect.forbid is Forbid.DOCUMENT
    if document and adds and effect.hold is not None:
        return -1
    wanted = [] if effect.add is None or document else [effect.add]
    if effect.allow or effect.hold or document:
        wanted.append(rule.recipients or "all")
    found = -1
    for text in wanted:
        found = forbidding.texts.get(sets.same(text), -1)
        if found < 0:
            most = sets.most(text, rule.senders)
            if not most or most - forbidding.union:
                return -1
            found = forbidding.containing(most)
    return found


class _Weaker:
    """Prohibitions by their conditions, and which of those other conditions imply.

    A list is implied by values that are all in it: a prohibition is filed under each value
    of one of its lists, and found by any one value of the rule's.
    """

    def __init__(self, gathered: dict[tuple[object, Forbid], _Gathering], sets: Sets) -> None:
        self.sets = sets
        self.left = IMPLICATIONS_MAX
        self.by_conditions: dict[object, list[_Gathering]] = {}
        self.filed: dict[tuple[str, object], list[_Gathering]] = {}
        self.unfiled: list[_Gathering] = []
        self.free: list[_Gathering] = []
        self.found: dict[object, list[_Gathering]] = {}
        for (conditions, _), one in gathered.items():
            self.by_conditions.setdefault(conditions, []).append(one)
            if not _asked(one.rule):
                self.free.append(one)
            lists = _lists(one.rule, sets)
            if lists:
                key, values = min(lists.items(), key=lambda item: len(item[1]))
                for value in values:
                    self.filed.setdefault((key, value), []).append(one)
            else:
                self.unfiled.append(one)

    def equal(self, conditions: object) -> list[_Gathering]:
        return self.by_conditions.get(conditions, [])

    def than(self, rule: Rule, conditions: object) -> list[_Gathering]:
        """Return the prohibitions that apply whenever a rule of these conditions does."""
        known = self.found.get(conditions)
        if known is not None:
            return known
        first = [(key, next(iter(values))) for key, values in _lists(rule, self.sets).items()]
        near = [self.filed.get(one, []) for one in first]
        self.left -= len(self.unfiled) + sum(map(len, near))
        if self.left < 0:
            found = [*self.equal(conditions), *self.free]
        else:
            found = [
                one for one in chain(self.unfiled, *near)
                if _implies(rule, one.rule, self.sets)
            ]  # fmt: skip
        self.found[conditions] = found
        return found


def _lists(rule: Rule, sets: Sets) -> dict[str, Collection[object]]:
    """Return the conditions of a rule that are lists of values, a small set of senders too."""
    asked = rule.documents or _NO_DOCUMENTS
    lists: dict[str, Collection[object]] = {
        "acts": asked.acts,
        "urgencies": asked.urgencies,
        "directions": rule.directions,
        "types": [folded(one) for one in asked.types],
        "marks": [folded(one) for one in asked.marks],
        "media_types": [folded(one) for one in asked.media_types],
    }
    senders = sets.constant(rule.senders)
    if rule.senders is not None and senders is not None and len(senders) <= _FILED_SENDERS_MAX:
        lists["senders"] = senders.positions()
    return {key: values for key, values in lists.items() if values}


def _conditions(rule: Rule, sets: Sets) -> object:
    """Return what two rules share when they apply to the same documents and senders."""
    audience, documents = rule.audience or _NO_AUDIENCE, rule.documents or _NO_DOCUMENTS
    texts = (rule.senders, documents.signed_by, audience.includes, audience.lacks)
    listed = (documents.acts, documents.urgencies, rule.directions)
    words = (documents.types, documents.marks, documents.without_marks, documents.media_types)
    return (
        tuple(_text(text, sets) for text in texts),
        tuple(frozenset(values) for values in listed),
        tuple(frozenset(map(folded, values)) for values in words),
        _pair(rule.tiers_crossed),
        _pair(documents.size_bytes),
        _pair(documents.attachments),
        _pair(documents.signatures),
        _pair(audience.size),
        rule.when or _NO_WHEN,
    )


def _text(text: str | None, sets: Sets) -> str:
    return "" if text is None else sets.same(text)


def _told(effect: Effect) -> Effect:
    return msgspec.structs.replace(effect, reason=None)


def _asked(rule: Rule) -> frozenset[str]:
    """Return the keys of the conditions that a rule has."""
    parts: tuple[msgspec.Struct, ...] = (
        rule.documents or _NO_DOCUMENTS, rule.audience or _NO_AUDIENCE, rule.when or _NO_WHEN,
    )  # fmt: skip
    asked = {key for one in parts for key, value in msgspec.structs.asdict(one).items() if value}
    own = {"senders": rule.senders, "directions": rule.directions, "tiers": rule.tiers_crossed}
    return frozenset(asked | {key for key, value in own.items() if value})


def _implies(rule: Rule, weaker: Rule, sets: Sets) -> bool:
    """Say whether whenever a rule applies the other does, too (False: not known)."""
    senders = sets.constant(rule.senders), sets.constant(weaker.senders)
    if senders[0] is None or senders[1] is None or senders[0] - senders[1]:
        return False
    one, other = rule.documents or _NO_DOCUMENTS, weaker.documents or _NO_DOCUMENTS
    listed: tuple[tuple[Iterable[object], Iterable[object]], ...] = (
        (rule.directions, weaker.directions), (one.acts, other.acts),
        (one.urgencies, other.urgencies), (map(folded, one.types), map(folded, other.types)),
        (map(folded, one.marks), map(folded, other.marks)),
        (map(folded, one.media_types), map(folded, other.media_types)),
    )  # fmt: skip
    mine, others = rule.audience or _NO_AUDIENCE, weaker.audience or _NO_AUDIENCE
    ranges = (
        (rule.tiers_crossed, weaker.tiers_crossed), (one.size_bytes, other.size_bytes),
        (one.attachments, other.attachments), (one.signatures, other.signatures),
        (mine.size, others.size),
    )  # fmt: skip
    without = set(map(folded, other.without_marks)) <= set(map(folded, one.without_marks))
    return (
        without
        and all(_among(few, many) for few, many in listed)
        and all(_inside(narrow, wide) for narrow, wide in ranges)
        and _selects_less(one.signed_by, other.signed_by, sets)
        and _selects_less(mine.includes, others.includes, sets)
        and (others.lacks is None or _selects_less(others.lacks, mine.lacks, sets, missing=False))
        and _during(rule.when or _NO_WHEN, weaker.when or _NO_WHEN)
    )


def _among(few: Iterable[object], many: Iterable[object]) -> bool:
    values, known = set(few), set(many)
    return not known or (bool(values) and values <= known)


def _inside(narrow: Range | None, wide: Range | None) -> bool:
    low, high = _pair(narrow)
    least, most = _pair(wide)
    return (low or 0) >= (least or 0) and (most is None or (high is not None and high <= most))


def _selects_less(few: str | None, many: str | None, sets: Sets, *, missing: bool = True) -> bool:
    """Say whether one selector selects no more than the other; `missing`: when that is left out."""
    if many is None or few is None:
        return missing and many is None
    if sets.same(few) == sets.same(many):
        return True
    least, most = sets.constant(few), sets.constant(many)
    return least is not None and most is not None and not least - most


def _during(narrow: When, wide: When) -> bool:
    begins = wide.since is None or (narrow.since is not None and narrow.since >= wide.since)
    ends = wide.until is None or (narrow.until is not None and narrow.until <= wide.until)
    return begins and ends and (wide.hours is None or wide.hours is narrow.hours)


def _pair(asked: Range | None) -> tuple[int | None, int | None]:
    return (None, None) if asked is None else (asked.min, asked.max)


def _union(sets: list[Audience]) -> Audience:
    """Unite sets two by two: thousands of them cost n log n, not n²."""
    while len(sets) > 1:
        pairs = zip(sets[::2], [*sets[1::2], Audience()], strict=False)
        sets = [one | other for one, other in pairs]
    return sets[0] if sets else Audience()
