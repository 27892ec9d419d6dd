"""Packs the rules of a policy into rows for `router._decide` (docs/decisions/0014).

The core knows no TOML, no selector and no calendar: it gets numbers, sets and symbols.
`Outside` answers what it asks beyond those while it packs a batch.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Iterable, Sequence
from datetime import date, datetime, time
from typing import Final

from router._core import Audience, Hierarchy
from router._decide import ROW_BYTES, DecisionTables, Flag
from router.errors import CalendarError
from router.limits import HELD_PARTS_MAX
from router.model.answers import Lane
from router.model.calendar import WorkingCalendar
from router.model.decisions import DocumentFacts, Refused
from router.model.documents import Act, Urgency
from router.model.instants import VIETNAM_TIME, instant_of
from router.policy.answers import Decision, HeldPart
from router.policy.model import (
    Default,
    Direction,
    DocumentConditions,
    Effect,
    Forbid,
    Hours,
    LaneName,
    Range,
    Rule,
)
from router.policy.relatives import Relative, Relatives, folded
from router.selectors import ChildrenNode, DescendantsNode, ParentNode, SenderNode

_ROW: Final = struct.Struct("=2Q2i23I3H2B4x")
assert _ROW.size == ROW_BYTES, "the core reads rows as they are packed here"

_U64: Final = (1 << 64) - 1
_U32: Final = (1 << 32) - 1
_U16: Final = (1 << 16) - 1
_FIRST_DAY: Final = date.min.toordinal()
_LAST_DAY: Final = date.max.toordinal()
_NO_LANE: Final = 255
_ACTS: Final = (Act.NEW, Act.RECALL, Act.UPDATE, Act.REPLACE)
_URGENCIES: Final = (Urgency.NORMAL, Urgency.URGENT, Urgency.VERY_URGENT, Urgency.FLASH)
_LANES: Final = {name: Lane[name.name].value for name in LaneName}
_DIRECTIONS: Final = {Direction.UP: 1, Direction.DOWN: 2, Direction.ACROSS: 4}
_CONSTANT, _SENDER, _PARENT, _CHILDREN, _DESCENDANTS, _OTHERWISE = range(6)
_FORMS: Final = {
    ParentNode: _PARENT, ChildrenNode: _CHILDREN, DescendantsNode: _DESCENDANTS,
}  # fmt: skip
_DAYS_KEPT_MAX: Final = 4_096
_OPEN: Final = Range()
_ANY: Final = DocumentConditions()


class Packed:
    """The rules of a policy as numbers, and what those stand for."""

    def __init__(self, relatives: Relatives) -> None:
        self.relatives = relatives
        self.rows: list[bytes] = []
        self.members: list[Relative] = []
        """By set number - 1: a set and, if it is constant, all equal ones."""
        self.types: dict[str, int] = {}
        self.marks: dict[str, int] = {}
        self.media: dict[str, int] = {}
        self.terms: dict[tuple[bool, int], int] = {}
        """The place of (noon, working days): an instant that some rule names."""
        self.approvals: dict[tuple[str, int], int] = {}
        self.asks_sender = False
        self.asks_hours = False
        self._lists = array("I", [0])
        self._listed: dict[tuple[int, ...], int] = {}
        self._sets: dict[str, int] = {}
        self._constants: dict[Audience, int] = {}

    def tables(
        self, hierarchy: Hierarchy, outside: Outside, default: Default, version: int
    ) -> DecisionTables:
        """Build the tables of the core."""
        return DecisionTables(
            hierarchy,
            b"".join(self.rows),
            [(_form(one), one.constant) for one in self.members],
            self._lists.tobytes(),
            [self.terms[False, days] for _, days in self.approvals],
            helper=outside, decision=Decision, held_part=HeldPart, acts=_ACTS,
            urgencies=_URGENCIES, refusals=tuple(Refused), version=version,
            types=len(self.types), terms=len(self.terms), closed=default is Default.FORBID,
            asks_sender=self.asks_sender, facts=DocumentFacts,
        )  # fmt: skip

    def add(self, rule: Rule) -> None:
        """Pack one rule more."""
        asked, around, when = rule.documents or _ANY, rule.audience, rule.when
        effect, sets = rule.effect, self._set
        crossed = rule.tiers_crossed or _OPEN
        hours = when.hours if when else None
        self.asks_hours = self.asks_hours or hours is not None
        if rule.senders is not None or rule.directions or rule.tiers_crossed is not None:
            self.asks_sender = True
        size = around.size if around else None
        self.rows.append(
            _ROW.pack(
                *_ends(asked.size_bytes, _U64),
                when.since.toordinal() if when and when.since else _FIRST_DAY,
                when.until.toordinal() if when and when.until else _LAST_DAY,
                _flags(rule),
                _bits(asked),
                sets(rule.senders),
                sets(rule.recipients),
                sets(around.includes if around else None),
                sets(around.lacks if around else None),
                sets(asked.signed_by),
                sets(effect.require.by if effect.require else None),
                sets(effect.add),
                self._list(map(folded, asked.types), self.types),
                self._list(map(folded, asked.marks), self.marks),
                self._list(map(folded, asked.without_marks), self.marks),
                self._list((one.lower() for one in asked.media_types), self.media),
                *_ends(size, _U32),
                *_ends(asked.attachments, _U32),
                *_ends(asked.signatures, _U32),
                effect.require.signatures if effect.require else 0,
                self._approval(effect),
                self._term(noon=False, days=effect.deadline_working_days),
                self._term(
                    noon=bool(effect.send_by_working_days), days=effect.send_by_working_days
                ),
                effect.retention_years or 0,
                *_ends(crossed, _U16),
                _NO_LANE if effect.lane is None else _LANES[effect.lane],
                sum(_DIRECTIONS[one] for one in set(rule.directions)) or 7,
            )
        )

    def _set(self, text: str | None) -> int:
        """Return the number of a selector's set, 0 for none; equal constant sets are one."""
        if text is None:
            return 0
        number = self._sets.get(text)
        if number is not None:
            return number
        one = self.relatives.of(text)
        assert one is not None
        if one.constant is None:
            self.asks_sender = True
        else:
            number = self._constants.get(one.constant)
        if number is None:
            self.members.append(one)
            number = len(self.members)
            if one.constant is not None:
                self._constants[one.constant] = number
        self._sets[text] = number
        return number

    def _list(self, words: Iterable[str], symbols: dict[str, int]) -> int:
        """Return the place of a list of symbols, 0 for an empty one."""
        found = sorted({symbols.setdefault(word, len(symbols) + 1) for word in words})
        if not found:
            return 0
        key = tuple(found)
        place = self._listed.get(key)
        if place is None:
            place = self._listed[key] = len(self._lists)
            self._lists.extend((len(found), *found))
        return place

    def _term(self, *, noon: bool, days: int | None) -> int:
        if days is None:
            return 0
        return self.terms.setdefault((noon, days), len(self.terms)) + 1

    def _approval(self, effect: Effect) -> int:
        if effect.hold is None:
            return 0
        days = effect.hold.expires_working_days
        self._term(noon=False, days=days)
        key = (effect.hold.approvers, days)
        return self.approvals.setdefault(key, len(self.approvals)) + 1


def pack(rules: Iterable[Rule], relatives: Relatives) -> Packed:
    """Pack rules in their order.

    Raises RecipientError for a selector that does not parse.
    """
    packed = Packed(relatives)
    for rule in rules:
        packed.add(rule)
    return packed


class Outside:
    """Answers what the core asks of words, of days and of sets relative to a sender.

    Pure but for what it remembers; any thread may ask.
    """

    def __init__(self, packed: Packed, calendar: WorkingCalendar) -> None:
        self._types, self._marks = packed.types, packed.marks
        self._media = {word: symbol for word, symbol in packed.media.items() if word[-2:] != "/*"}
        self._families = {
            word[:-1]: symbol for word, symbol in packed.media.items() if word[-2:] == "/*"
        }
        self._members = packed.members
        self._terms = tuple(packed.terms)
        self._calendar = calendar
        self._days: dict[int, bytes] = {}

    def type_of(self, word: str) -> int:
        """Return the symbol of a document type, 0 when no rule names it."""
        return self._types.get(folded(word), 0)

    def mark_of(self, word: str) -> tuple[int, ...]:
        """Return the symbol of a circulation mark, none when no rule names it."""
        found = self._marks.get(folded(word))
        return () if found is None else (found,)

    def media_of(self, word: str) -> tuple[int, ...]:
        """Return the symbols of a media type: its own, and those of its families."""
        name = word.partition(";")[0].strip().lower()
        found = [symbol for start, symbol in self._families.items() if name.startswith(start)]
        own = self._media.get(name)
        return tuple(found) if own is None else (own, *found)

    def members(self, number: int, sender: int) -> Audience:
        """Return a relative set (by its number, from 1) for the sender at a position."""
        return self._members[number - 1].of(sender)

    def terms(self, day: int) -> bytes:
        """Return the instant of each term counted from a day (since year 1, Vietnam time).

        64 bits each, minus the year where data is missing.
        """
        found = self._days.get(day)
        if found is None:
            noon = datetime.combine(date.fromordinal(day), time(12), VIETNAM_TIME)
            at_us = instant_of(noon)
            instants = array("q", (self._term(at_us, *term) for term in self._terms))
            if len(self._days) >= _DAYS_KEPT_MAX:
                self._days.clear()
            found = self._days[day] = instants.tobytes()
        return found

    def _term(self, at_us: int, noon: bool, days: int) -> int:
        ask = self._calendar.noon_of_working_day if noon else self._calendar.end_of_working_day
        try:
            return ask(at_us, days)
        except CalendarError as error:
            return -int(error.facts["year"])

    def parts(
        self, needed: Sequence[tuple[int, int, Audience]], terms: bytes
    ) -> tuple[tuple[HeldPart, ...], int]:
        """Cut what several approvals hold into parts that need the same ones.

        `needed` has for each approval its first rule, the term of its expiry and its units.
        Returns the parts, and the earliest year without data that an expiry needs (0: none).
        """
        expiry = {rule: term for rule, term, _ in needed}
        instants = memoryview(terms).cast("q")
        parts = _cut({rule: units for rule, _, units in needed})
        found, years = [], []
        for units, rules in parts:
            soonest = min(rules, key=lambda rule: self._terms[expiry[rule]][1])
            at_us = instants[expiry[soonest]]
            if at_us <= 0:
                years.append(-at_us)
            found.append(HeldPart(units, rules, max(at_us, 0)))
        return tuple(found), min(years, default=0)


def _cut(held: dict[int, Audience]) -> list[tuple[Audience, tuple[int, ...]]]:
    """Sweep over the ends of all runs; units between two ends need the same approvals."""
    ends: dict[int, list[tuple[int, bool]]] = {}
    for rule, units in held.items():
        for start, stop in units.runs:
            ends.setdefault(start, []).append((rule, True))
            ends.setdefault(stop, []).append((rule, False))
    active: set[int] = set()
    groups: dict[tuple[int, ...], list[list[int]]] = {}
    before = 0
    for at in sorted(ends):
        if active:
            runs = groups.setdefault(tuple(sorted(active)), [])
            if runs and runs[-1][1] == before:
                runs[-1][1] = at
            else:
                runs.append([before, at])
        for rule, begins in ends[at]:
            (active.add if begins else active.discard)(rule)
        before = at
    parts = sorted(((runs, rules) for rules, runs in groups.items()), key=lambda part: part[0][0])
    if len(parts) > HELD_PARTS_MAX:  # stricter, never looser: the rest needs all approvals
        rest = parts[HELD_PARTS_MAX - 1 :]
        runs = sorted(run for some, _ in rest for run in some)
        rules = tuple(sorted({rule for _, needed in rest for rule in needed}))
        parts = [*parts[: HELD_PARTS_MAX - 1], (runs, rules)]
    return [(_audience(runs), rules) for runs, rules in parts]


def _audience(runs: list[list[int]]) -> Audience:
    """Return the audience of disjoint runs in order, those that touch joined."""
    joined: list[list[int]] = []
    for start, stop in runs:
        if joined and joined[-1][1] == start:
            joined[-1][1] = stop
        else:
            joined.append([start, stop])
    return Audience.from_bytes(b"".join(struct.pack("<2I", *run) for run in joined))


def _flags(rule: Rule) -> int:
    effect, asked, around, when = rule.effect, rule.documents or _ANY, rule.audience, rule.when
    settings = (
        effect.lane, effect.retention_years, effect.deadline_working_days,
        effect.send_by_working_days, effect.require, effect.quarantine, effect.admit_unsigned,
    )  # fmt: skip
    numbers = (asked.size_bytes, asked.attachments, asked.signatures)
    hours = when.hours if when else None
    held = (
        (effect.allow, Flag.ALLOWS),
        (effect.forbid is Forbid.RECIPIENTS, Flag.FORBIDS_RECIPIENTS),
        (effect.forbid is Forbid.DOCUMENT, Flag.FORBIDS_DOCUMENT),
        (effect.hold, Flag.HOLDS),
        (effect.add is not None, Flag.ADDS),
        (effect.require, Flag.REQUIRES),
        (effect.quarantine, Flag.QUARANTINES),
        (effect.admit_unsigned, Flag.ADMITS_UNSIGNED),
        (settings.count(None) < len(settings), Flag.IS_SETTING),
        (rule.name.startswith("floor/"), Flag.IS_FLOOR),
        (rule.directions or rule.tiers_crossed is not None, Flag.CUTS),
        (numbers.count(None) < len(numbers), Flag.ASKS_NUMBERS),
        (asked.marks or asked.without_marks or asked.media_types, Flag.ASKS_LISTS),
        (around is not None, Flag.ASKS_AUDIENCE),
        (when is not None and (when.since or when.until), Flag.ASKS_DAYS),
        (hours is Hours.WORKING, Flag.ASKS_WORKING),
        (hours is Hours.OUTSIDE, Flag.ASKS_OUTSIDE),
    )
    return sum(flag for holds, flag in held if holds)


def _bits(asked: DocumentConditions) -> int:
    acts = sum(1 << _ACTS.index(act) for act in set(asked.acts)) or 15
    urgencies = sum(16 << _URGENCIES.index(one) for one in set(asked.urgencies)) or 240
    return acts | urgencies


def _ends(asked: Range | None, most: int) -> tuple[int, int]:
    """Return both ends of a range; what `most` can't hold is beyond what any document has."""
    if asked is None:
        return 0, most
    low = 0 if asked.min is None else asked.min
    high = most if asked.max is None else asked.max
    return min(low, most), min(high, most)


def _form(one: Relative) -> int:
    """Say how the core finds a set: in its own tables where it can."""
    node = one.node
    if one.constant is not None:
        return _CONSTANT
    if isinstance(node, SenderNode):
        return _SENDER
    if isinstance(node, (ParentNode, ChildrenNode, DescendantsNode)) and isinstance(
        node.of, SenderNode
    ):
        return _FORMS[type(node)]
    return _OTHERWISE
