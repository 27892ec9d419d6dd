"""The slow, obvious oracle of the directory: what was said, in order, and nothing clever.

Every change is taken apart here a second time, from its own words and not from the facts
that the directory makes of it: a list of (change, unit, property, since, until, value).
What holds at an instant, as known after so many changes, is the last that was said of it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import msgspec

from router.directory import Directory
from router.model.reorganisations import (
    Changing,
    Closing,
    Correction,
    Fix,
    Merging,
    Opening,
    Reference,
    Reorganisation,
    Splitting,
)
from router.model.units import Unit

EVER = 1 << 62
PROPERTIES = ("name", "tier", "kind", "parent", "codes", "tags", "contact")


class Said(NamedTuple):
    """One property of one unit is `value` from `since` until `until`."""

    change: int
    number: int
    what: str
    since: int
    until: int
    value: Any


class Timelines:
    """All that was said of units; `changes` counts the changes taken in."""

    def __init__(self) -> None:
        self.said: list[Said] = []
        self.changes = 0

    # What was said

    def numbers(self) -> list[int]:
        return list(dict.fromkeys(one.number for one in self.said))

    def value(self, number: int, what: str, at: int, known: int | None = None) -> Any:
        count = self.changes if known is None else known
        found = None
        for one in self.said:
            if one.change < count and (one.number, one.what) == (number, what):
                found = one.value if one.since <= at < one.until else found
        return found

    def edges(self) -> list[int]:
        """Return every instant at which something may begin or end."""
        ends = {0} | {one.since for one in self.said} | {one.until for one in self.said}
        return sorted(ends - {EVER})

    def open(self, at: int, known: int | None = None) -> set[int]:
        return {one for one in self.numbers() if self.value(one, "exists", at, known)}

    def life(self, number: int, known: int | None = None) -> tuple[int, int | None] | None:
        """Return the first instant of a unit and the next at which it is gone."""
        edges = self.edges()
        began = [edge for edge in edges if self.value(number, "exists", edge, known)]
        if not began:
            return None
        gone = (e for e in edges if e > began[0] and not self.value(number, "exists", e, known))
        return began[0], next(gone, None)

    def state(self, number: int, at: int, known: int | None = None) -> dict[str, Any]:
        return {what: self.value(number, what, at, known) for what in PROPERTIES}

    def heirs(self, number: int, known: int | None = None) -> tuple[int, ...]:
        life = self.life(number, known)
        if life is None or life[1] is None:
            return ()
        return tuple(self.value(number, "successors", life[1], known) or ())

    def bearers(self, code: str, at: int, known: int | None = None) -> set[int]:
        return {one for one in self.open(at, known) if code in self.value(one, "codes", at, known)}

    def successors(self, number: int, at: int, known: int | None = None) -> list[int]:
        """Return who answers for a unit at an instant, depth first, each once."""
        found: list[int] = []
        life = self.life(number, known)
        if life is not None and (life[1] is None or at < life[1]):
            return [number]
        for heir in self.heirs(number, known):
            found += [one for one in self.successors(heir, at, known) if one not in found]
        return found

    # Taking in

    def _say(self, number: int, since: int, until: int = EVER, **values: Any) -> None:
        for what, value in values.items():
            self.said.append(Said(self.changes, number, what, since, until, value))

    def add_units(self, units: Iterable[Unit]) -> None:
        """Take in one import."""
        for unit in units:
            self._begin(unit)
        self.changes += 1

    def _begin(self, unit: Unit) -> None:
        self._say(unit.number, unit.valid_from, exists=True, **properties_of(unit))
        if unit.valid_to is not None:
            self._end(unit.number, unit.valid_to, unit.successors)

    def _end(self, number: int, at: int, successors: tuple[int, ...]) -> None:
        self._say(number, at, exists=False, successors=successors)

    def add(self, change: Reorganisation | Correction) -> None:
        """Take in a change that the directory found sound."""
        before = Timelines()
        before.said, before.changes = list(self.said), self.changes
        if isinstance(change, Reorganisation):
            self._reorganise(before, change)
        else:
            for unit in change.known_later:
                self._begin(unit)
            for fix in change.fixes:
                self._mend(before, fix)
        self.changes += 1

    def _reorganise(self, before: Timelines, change: Reorganisation) -> None:
        at = change.at
        opened = {
            code: event.unit.number
            for event in change.events
            if isinstance(event, Opening)
            for code in (event.unit.code, *event.unit.aliases)
        }

        def number(reference: Reference, when: int) -> int:
            if isinstance(reference, int):
                return reference
            if when == at and reference in opened:
                return opened[reference]
            (found,) = before.bearers(reference, when)
            return found

        for event in change.events:
            if isinstance(event, Opening):
                parent = event.unit.parent
                if event.parent is not None:
                    parent = number(event.parent, at)
                self._begin(msgspec.structs.replace(event.unit, valid_from=at, parent=parent))
            elif isinstance(event, Merging):
                for one in event.units:
                    self._end(number(one, at - 1), at, (number(event.into, at),))
            elif isinstance(event, Splitting):
                self._end(
                    number(event.unit, at - 1), at, tuple(number(one, at) for one in event.into)
                )
            elif isinstance(event, Closing):
                heirs = tuple(number(one, at) for one in event.successors)
                self._end(number(event.unit, at - 1), at, heirs)
            else:
                parent_now: int | msgspec.UnsetType = msgspec.UNSET
                if event.parent is not msgspec.UNSET:
                    parent_now = 0 if event.parent is None else number(event.parent, at)
                self._change(before, number(event.unit, at - 1), at, event, parent_now)

    def _change(
        self,
        before: Timelines,
        number: int,
        at: int,
        event: Changing,
        parent: int | msgspec.UnsetType,
    ) -> None:
        """What is said of a property holds until it would next have become another."""
        for what, value in told(event, before.state(number, at - 1), parent).items():
            now = before.value(number, what, at)
            later = [e for e in before.edges() if e > at]
            until = next((e for e in later if before.value(number, what, e) != now), EVER)
            self._say(number, at, until, **{what: value})

    def _mend(self, before: Timelines, fix: Fix) -> None:
        number = fix.number
        if fix.withdrawn:
            self._say(number, 0, exists=False)
            return
        life = before.life(number)
        assert life is not None
        opened, closed = life
        if fix.opened_at is not msgspec.UNSET and fix.opened_at < opened:
            as_first = before.state(number, opened)
            self._say(number, fix.opened_at, opened, exists=True, **as_first)
        elif fix.opened_at is not msgspec.UNSET and fix.opened_at > opened:
            self._say(number, opened, fix.opened_at, exists=False)
        born = opened if fix.opened_at is msgspec.UNSET else fix.opened_at
        since = born if fix.since is None else fix.since
        until = EVER if fix.until is None else fix.until
        parent = msgspec.UNSET if fix.parent is msgspec.UNSET else (fix.parent or 0)
        values = told(fix, before.state(number, max(since, opened)), parent)
        self._say(number, since, until, **values)
        ends = closed if fix.closed_at is msgspec.UNSET else fix.closed_at
        if ends is None or (closed is not None and ends > closed):
            self._say(number, EVER if closed is None else closed, ends or EVER, exists=True)
        if ends is not None and (
            fix.successors is not msgspec.UNSET or fix.closed_at is not msgspec.UNSET
        ):
            heirs = before.heirs(number) if fix.successors is msgspec.UNSET else fix.successors
            self._end(number, ends, heirs)

    # What must never be

    def unsound(self) -> str:
        """Say what is wrong at any instant, as known now; "" when nothing is."""
        for at in self.edges():
            open_now = self.open(at)
            codes = [code for one in open_now for code in self.value(one, "codes", at)]
            if len(codes) != len(set(codes)):
                return f"one code twice at {at}"
            for one in open_now:
                way = [one]
                while parent := self.value(way[-1], "parent", at):
                    if parent not in open_now:
                        return f"{way[-1]} below {parent}, not open at {at}"
                    if self.value(way[-1], "tier", at) < self.value(parent, "tier", at):
                        return f"{way[-1]} above its parent at {at}"
                    if parent in way:
                        return f"{one} below itself at {at}"
                    way.append(parent)
        return next(filter(None, map(self._unsound_life, self.numbers())), "")

    def _unsound_life(self, number: int) -> str:
        life = self.life(number)
        if life is None or life[1] is None:
            return ""
        if any(self.value(number, "exists", edge) for edge in self.edges() if edge > life[1]):
            return f"{number} comes back"
        if not all(heir in self.open(life[1]) for heir in self.heirs(number)):
            return f"an heir of {number} is not open at {life[1]}"
        return ""


def properties_of(unit: Unit) -> dict[str, Any]:
    return {
        "name": unit.name,
        "tier": unit.tier,
        "kind": unit.kind,
        "parent": unit.parent or 0,
        "codes": (unit.code, *unit.aliases),
        "tags": unit.tags,
        "contact": unit.contact,
    }


def told(
    event: Changing | Fix, stands: dict[str, Any], parent: int | msgspec.UnsetType
) -> dict[str, Any]:
    """Return the properties that an event speaks of, with their values."""
    found = {
        what: value
        for what in ("name", "tier", "kind", "tags", "contact")
        if (value := getattr(event, what)) is not msgspec.UNSET
    }
    code = stands["codes"][0] if event.code is msgspec.UNSET else event.code
    aliases = stands["codes"][1:] if event.aliases is msgspec.UNSET else event.aliases
    if (event.code, event.aliases) != (msgspec.UNSET, msgspec.UNSET):
        found["codes"] = (code, *aliases)
    if parent is not msgspec.UNSET:
        found["parent"] = parent
    return found


def assert_agree(directory: Directory, oracle: Timelines, sequences: list[int]) -> None:
    """Ask both everything: at every instant, as known after every change.

    `sequences` are those of the changes, in order.
    """
    codes = {c for one in oracle.said if one.what == "codes" for c in one.value}
    for known in range(len(sequences) + 1):
        sequence = sequences[known - 1] if known else 0
        for at in oracle.edges():
            _assert_one(directory, oracle, codes, at, sequence, known)
    for at in oracle.edges():
        for number in oracle.numbers():
            if oracle.life(number) is not None:
                assert list(directory.successors(number, at)) == oracle.successors(number, at)
        for code in codes:
            found = directory.find(code, at)
            assert {found.number if found else 0} - {0} == oracle.bearers(code, at), (code, at)


def _assert_one(
    directory: Directory, oracle: Timelines, codes: set[str], at: int, sequence: int, known: int
) -> None:
    snapshot = directory.snapshot(at, sequence)
    units = snapshot.units_of(snapshot.hierarchy.everything())
    assert {unit.number for unit in units} == oracle.open(at, known), (at, known)
    assert list(directory.units(at, sequence)) == sorted(
        units, key=lambda unit: oracle.numbers().index(unit.number)
    )
    for unit in units:
        assert properties_of(unit) == oracle.state(unit.number, at, known), (at, known)
        assert (unit.valid_from, unit.valid_to) == oracle.life(unit.number, known)
        assert unit.successors == oracle.heirs(unit.number, known)
        position = snapshot.hierarchy.position(unit.number)
        above = snapshot.hierarchy.parent(position)
        assert (snapshot.hierarchy.number(above) if above >= 0 else None) == unit.parent
        for tag in snapshot.tags:
            assert (position in snapshot.tagged(tag)) == (tag in unit.tags)
    for code in codes:
        bearers = oracle.bearers(code, at, known)
        (listed,) = snapshot.list_audiences([code])
        found = set(snapshot.hierarchy.numbers(listed)) if listed is not None else set()
        assert found == bearers, (code, at, known)
