"""The units as known: by number, by code, with predecessors and kinds.

A `Table` only grows and replaces whole (frozen) units, so readers on other threads see
either the old or the new unit, never a half.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from router.directory.changes import UnitClosed
from router.model.units import Unit


class Table:
    """Units by stable number, bearers by code, closed units by each successor."""

    def __init__(self) -> None:
        self.units: dict[int, Unit] = {}
        self.bearers: dict[str, tuple[int, ...]] = {}
        self.led_here: dict[int, tuple[int, ...]] = {}
        self.children: dict[int, list[int]] = {}
        self.kinds: dict[str, int] = {}

    def add(self, units: Iterable[Unit]) -> None:
        """Take in units that were checked before (`router.directory.imports`)."""
        bearers = self.bearers
        for unit in units:
            self.units[unit.number] = unit
            self.kinds.setdefault(unit.kind, len(self.kinds) + 1)
            for code in (unit.code, *unit.aliases):
                bearers[code] = (*bearers.get(code, ()), unit.number)
            if unit.parent is not None:
                self.children.setdefault(unit.parent, []).append(unit.number)
            self._lead(unit)

    def close(self, closing: UnitClosed) -> None:
        """End a unit; a number never heard of is ignored (plans are checked, logs replayed)."""
        unit = self.units.get(closing.number)
        if unit is None:
            return
        ended = msgspec.structs.replace(unit, valid_to=closing.at, successors=closing.successors)
        self.units[unit.number] = ended
        self._lead(ended)

    def _lead(self, unit: Unit) -> None:
        for heir in unit.successors:
            self.led_here[heir] = (*self.led_here.get(heir, ()), unit.number)

    def find(self, code: str, at_us: int) -> Unit | None:
        """Return the unit that bears this (normal) code and is open at that instant."""
        for number in self.bearers.get(code, ()):
            unit = self.units[number]
            if unit.open_at(at_us):
                return unit
        return None

    def bearers_of(self, code: str) -> list[Unit]:
        """Return every unit that ever bore this (normal) code, the earliest first."""
        units = [self.units[number] for number in self.bearers.get(code, ())]
        return sorted(units, key=lambda unit: unit.valid_from)

    def holder(self, number: int, at_us: int) -> int:
        """Follow default successors from a closed unit to the one open at that instant.

        Ends always: a successor closes later than whom it succeeds (checked when planned).
        Where the chain ends in a closed unit, that last one is returned.
        """
        unit = self.units[number]
        while unit.valid_to is not None and unit.valid_to <= at_us and unit.successors:
            unit = self.units[unit.successors[0]]
        return unit.number

    def addresses(self, number: int, at_us: int) -> tuple[int, ...]:
        """Return the unit itself and every closed unit whose documents it answers for."""
        found = [number]
        for heir in found:
            for former in self.led_here.get(heir, ()):
                unit = self.units[former]
                ended = unit.valid_to is not None and unit.valid_to <= at_us
                if ended and unit.successors[0] == heir:
                    found.append(former)
        return tuple(found)
