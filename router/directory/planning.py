"""Turns reorganisations and corrections into facts, checking what they name.

What is checked here is each event by itself; whether the directory as a whole is sound at
every instant afterwards is tried on a copy (`router.directory.verifying`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec

from router import limits
from router._register import (
    FACT_CODES,
    FACT_DETAILS,
    FACT_KIND,
    FACT_NAME,
    FACT_PARENT,
    FACT_TAGS,
    FACT_TIER,
    FOR_GOOD,
)
from router.directory.facts import Fact, closing, details_text, facts_of_unit
from router.directory.imports import check_title, check_unit, failing, normal_unit
from router.directory.known import Known, day_of
from router.errors import InputError
from router.model.instants import INSTANT_MAX
from router.model.reorganisations import (
    Changing,
    Closing,
    Event,
    Fix,
    Merging,
    Opening,
    Reference,
    Reorganisation,
    Splitting,
)
from router.model.units import Unit, normal_code

Places = dict[int, str]
"""Unit number -> path of what the change says of it."""
_UNSET = msgspec.UNSET
_BITS = {
    "tier": (FACT_TIER, 1),
    "kind": (FACT_KIND, 2),
    "parent": (FACT_PARENT, 3),
    "tags": (FACT_TAGS, 4),
    "codes": (FACT_CODES, 6),
    "name": (FACT_NAME, 7),
    "details": (FACT_DETAILS, 8),
}
"""Property -> its bit in the mask of a fact, its place in `Register.state`."""


def plan_reorganisation(known: Known, change: Reorganisation) -> tuple[list[Fact], Places]:
    """Return the facts of a reorganisation, and where it speaks of each unit.

    Raises InputError `directory.invalid` with the path of the mistake.
    """
    check_title(change.title)
    if not 0 < change.at <= INSTANT_MAX:
        raise _invalid("at", "not between the years 1970 and 9999")
    if len(change.events) > limits.EVENTS_MAX:
        raise _invalid("events", f"over {limits.EVENTS_MAX} events")
    return _Reorganising(known, change.at).plan(change.events)


class _Reorganising:
    """The facts made so far, and who begins, goes on or ends."""

    def __init__(self, known: Known, at_us: int) -> None:
        self.known = known
        self.at = at_us
        self.facts: list[Fact] = []
        self.places: Places = {}
        self.opened: dict[str, int] = {}
        self.new: dict[int, Unit] = {}
        self.ended: set[int] = set()
        self.free = max(known.register.numbers(), default=0)

    def plan(self, events: Sequence[Event]) -> tuple[list[Fact], Places]:
        """First who begins and who ends, so that any event may name any of them."""
        for index, event in enumerate(events):
            if isinstance(event, Opening):
                self.open(event, f"events[{index}]")
        ends: list[tuple[int, tuple[Reference, ...], str]] = []
        changes: list[tuple[int, Changing, str]] = []
        for index, event in enumerate(events):
            path = f"events[{index}]"
            if isinstance(event, Changing):
                number = self.before(event.unit, f"{path}.unit", ends=False)
                changes.append((number, event, path))
            elif not isinstance(event, Opening):
                ends += self.endings(event, path)
        for number, _, path in (*ends, *changes):
            self.touch(number, path)
        self.ended.update(number for number, _, _ in ends)
        for index, event in enumerate(events):
            if isinstance(event, Opening) and event.parent is not None:
                self.join_parent(event, index)
        for number, heirs, path in ends:
            self.end(number, heirs, path)
        for number, event, path in changes:
            self.change(number, event, path)
        self.facts += [fact for unit in self.new.values() for fact in facts_of_unit(unit)]
        return self.facts, self.places

    def touch(self, number: int, path: str) -> None:
        if number in self.places:
            raise _invalid(path, f"the unit stands in {self.places[number]} too")
        self.places[number] = path

    def open(self, event: Opening, path: str) -> None:
        unit = event.unit
        if unit.number == 0:
            self.free += 1
            unit = msgspec.structs.replace(unit, number=self.free)
        fail = failing(f"{path}.unit.")
        if unit.valid_from not in (0, self.at) or unit.valid_to is not None or unit.successors:
            raise fail("valid_from", "a unit that opens begins at the reorganisation's instant")
        unit = normal_unit(msgspec.structs.replace(unit, valid_from=self.at))
        check_unit(unit, fail)
        if unit.number in self.new or self.known.taken(unit.number):
            raise fail("number", f"{unit.number} is another unit for ever")
        self.free = max(self.free, unit.number)
        self.new[unit.number] = unit
        for code in (unit.code, *unit.aliases):
            self.opened[code] = unit.number
        self.touch(unit.number, path)

    def join_parent(self, event: Opening, index: int) -> None:
        """Give an opened unit the parent that is named by code or number."""
        assert event.parent is not None
        number = self.opened[normal_code(event.unit.code)]
        parent = self.after(event.parent, f"events[{index}].parent")
        self.new[number] = msgspec.structs.replace(self.new[number], parent=parent)

    def endings(
        self, event: Merging | Splitting | Closing, path: str
    ) -> list[tuple[int, tuple[Reference, ...], str]]:
        """Return (unit, successors as written, path) of each unit that ends."""
        if isinstance(event, Merging):
            if not event.units:
                raise _invalid(f"{path}.units", "nobody merges")
            return [
                (self.before(one, f"{path}.units[{place}]"), (event.into,), path)
                for place, one in enumerate(event.units)
            ]
        if isinstance(event, Splitting):
            if not event.into:
                raise _invalid(f"{path}.into", "nobody succeeds")
            return [(self.before(event.unit, f"{path}.unit"), event.into, path)]
        return [(self.before(event.unit, f"{path}.unit"), event.successors, path)]

    def before(self, reference: Reference, path: str, *, ends: bool = True) -> int:
        """Return the unit that a reference means just before the instant.

        One that is to end later can change until then, but not end twice.
        """
        number = self._number(reference, self.at - 1)
        if number in self.new:
            raise _invalid(path, f"{reference} opens only now")
        life = self.known.life(number)
        if life is None:
            raise _invalid(path, f"no unit is {reference}")
        unit = self.known.unit(number)
        assert unit is not None
        if self.at <= life[0]:
            raise _invalid("at", f"{unit.code} opened on {day_of(life[0])}; it ends later")
        if life[1] is not None and (ends or life[1] <= self.at):
            raise _invalid(path, f"{unit.code} was closed on {day_of(life[1])} already")
        return number

    def after(self, reference: Reference, path: str) -> int:
        """Return the unit that a reference means from the instant on."""
        if isinstance(reference, str) and normal_code(reference) in self.opened:
            return self.opened[normal_code(reference)]
        number = self._number(reference, self.at)
        if number in self.new:
            return number
        life = self.known.life(number)
        if life is None:
            raise _invalid(path, f"no unit is {reference}")
        unit = self.known.unit(number)
        assert unit is not None
        if number in self.ended:
            raise _invalid(path, f"{unit.code} ends at the same instant")
        if not life[0] <= self.at:
            raise _invalid(path, f"{unit.code} opens only on {day_of(life[0])}")
        if life[1] is not None and life[1] <= self.at:
            raise _invalid(path, f"{unit.code} closes on {day_of(life[1])}, not after this unit")
        return number

    def _number(self, reference: Reference, at_us: int) -> int:
        if isinstance(reference, int):
            return reference
        return self.known.find(normal_code(reference), at_us)

    def end(self, number: int, heirs: Sequence[Reference], path: str) -> None:
        field = "into" if len(heirs) == 1 else "successors"
        numbers: list[int] = []
        for place, heir in enumerate(heirs):
            where = f"{path}.successors[{place}]"
            found = number if heir == number else self.after(heir, where)
            if found == number:
                raise _invalid(where, "a unit can't succeed itself")
            if found in numbers:
                raise _invalid(f"{path}.{field}", "one successor stands twice")
            numbers.append(found)
        for former in self.known.predecessors(number):
            life = self.known.life(former)
            if life is not None and life[1] is not None and life[1] >= self.at:
                unit = self.known.unit(former)
                assert unit is not None
                raise _invalid("at", f"{unit.code} closes on {day_of(life[1])} into this unit")
        self.facts.append(closing(number, self.at, numbers))

    def change(self, number: int, event: Changing, path: str) -> None:
        stands = self.known.unit(number, self.at - 1)
        assert stands is not None
        parent: int | msgspec.UnsetType = _UNSET
        if event.parent is None:
            parent = 0
        elif event.parent is not _UNSET:
            parent = self.after(event.parent, f"{path}.parent")
        said = properties(event, stands, parent, failing(f"{path}."))
        if not said:
            raise _invalid(path, "nothing changes")
        self.facts += facts_until_next(self.known, number, self.at, FOR_GOOD, said)


def properties(
    event: Changing | Fix,
    stands: Unit,
    parent: int | msgspec.UnsetType,
    fail: Callable[[str, str], InputError],
) -> dict[str, Any]:
    """Return the properties an event sets, as `Fact` names them, checked."""
    given = {
        name: value
        for name in ("name", "tier", "kind", "code", "aliases", "tags", "contact", "delivery")
        if (value := getattr(event, name)) is not _UNSET
    }
    unit = normal_unit(msgspec.structs.replace(stands, **given))
    check_unit(unit, fail)
    said: dict[str, Any] = {}
    for name in ("name", "tier", "kind", "tags"):
        if name in given:
            said[name] = getattr(unit, name)
    if "code" in given or "aliases" in given:
        said["codes"] = (unit.code, *unit.aliases)
    if "contact" in given or "delivery" in given:
        said["details"] = details_text(unit.contact, unit.delivery)
    if parent is not _UNSET:
        said["parent"] = parent
    return said


def facts_until_next(
    known: Known, number: int, since: int, until: int, said: dict[str, Any]
) -> list[Fact]:
    """Return facts that hold until the property would next have become something else.

    What was planned for later stays: a renaming today does not undo one of next year.  What
    a later correction took back is no plan any more, so it is states that are compared.
    """
    history = known.register.history(number)
    found: dict[int, dict[str, Any]] = {}
    for name, value in said.items():
        bit, field = _BITS[name]
        edges = {edge for fact in history if fact[3] & bit for edge in (fact[1], fact[2])}
        stands = known.register.state(number, since, known.count)
        end = until
        for edge in sorted(edge for edge in edges if since < edge < until):
            then = known.register.state(number, edge, known.count)
            if stands is None or then is None or then[field] != stands[field]:
                end = edge
                break
        found.setdefault(end, {})[name] = value
    return [Fact(number, since, end, **values) for end, values in found.items()]


def plan_units_known_later(
    known: Known, units: Iterable[Unit], path: str
) -> tuple[list[Fact], Places, int]:
    """Return the facts of units that existed before they were known; numbers 0 are given."""
    free = max(known.register.numbers(), default=0)
    facts: list[Fact] = []
    places: Places = {}
    for index, given in enumerate(units):
        unit = given
        if unit.number == 0:
            free += 1
            unit = msgspec.structs.replace(unit, number=free)
        fail = failing(f"{path}[{index}].")
        unit = normal_unit(unit)
        check_unit(unit, fail)
        if unit.number in places or known.taken(unit.number):
            raise fail("number", f"{unit.number} is another unit for ever")
        free = max(free, unit.number)
        places[unit.number] = f"{path}[{index}]"
        facts += facts_of_unit(unit)
    return facts, places, free


def _invalid(path: str, reason: str) -> InputError:
    return InputError("directory.invalid", path=path, reason=reason)
