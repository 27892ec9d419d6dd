"""Which unit of the directory each row of a list means."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec
from msgspec import UNSET, UnsetType

from router.directory.cells import GSO_SCHEME
from router.directory.listing import Row
from router.errors import SheetProblem
from router.model.units import Unit

UNTIL_EVER = 1 << 63


class Known:
    """The directory at an instant: units open then, by number and by code, and the others."""

    def __init__(self, units: Iterable[Unit], at_us: int) -> None:
        self.open: dict[int, Unit] = {}
        self.rest: dict[int, Unit] = {}
        self.rest_by_code: dict[str, list[Unit]] = {}
        self.by_code: dict[str, int] = {}
        self.below: dict[int, list[int]] = {}
        for unit in units:
            if unit.open_at(at_us):
                self.open[unit.number] = unit
                for code in codes_of(unit):
                    self.by_code[code] = unit.number
                if unit.parent is not None:
                    self.below.setdefault(unit.parent, []).append(unit.number)
            else:
                self.rest[unit.number] = unit
                for code in codes_of(unit):
                    self.rest_by_code.setdefault(code, []).append(unit)

    def unit(self, number: int) -> Unit | None:
        """Return a unit, open or not."""
        return self.open.get(number) or self.rest.get(number)

    @property
    def next_number(self) -> int:
        """Return a number above all that are known."""
        return max((*self.open, *self.rest, 0)) + 1

    @property
    def first_us(self) -> int:
        """Return the instant the directory begins at: its first unit's."""
        return min((unit.valid_from for unit in self.open.values()), default=0)


def codes_of(unit: Unit) -> tuple[str, ...]:
    """Return every code a unit bears, the first one first."""
    return (unit.code, *unit.aliases)


def bears_gso(unit: Unit) -> bool:
    """Say whether a unit bears a GSO code, so that a list of the statistics office can hold it."""
    return any(code.startswith(GSO_SCHEME) for code in codes_of(unit))


def codes_in(row: Row) -> Iterator[str]:
    """Yield every code a row names."""
    if row.code:
        yield row.code
    if row.gso:
        yield row.gso
    if row.aliases is not UNSET:
        yield from row.aliases


def life_of(row: Row) -> tuple[int, int]:
    """Return the life a row gives (from 0, for ever, where it says nothing)."""
    since = 0 if row.valid_from is UNSET else row.valid_from
    return since, UNTIL_EVER if row.valid_to is UNSET else row.valid_to


class Roster(msgspec.Struct):
    """Rows sorted by what they mean.

    `matched`: stable number -> its row.  `fresh`: rows of units the directory does not
    know.  `passed` counts rows about units that are not open at the instant and known.
    """

    matched: dict[int, Row] = {}
    fresh: list[Row] = []
    passed: int = 0
    problems: list[SheetProblem] = []
    warnings: list[SheetProblem] = []


class Matcher:
    """Matches rows: by stable number where it is given, else by code, GSO code, alias."""

    def __init__(self, known: Known, at_us: int) -> None:
        self._known = known
        self._at_us = at_us
        self.roster = Roster()
        self._lives: dict[str, list[tuple[int, int, int]]] = {}
        self._numbers: dict[int, int] = {}

    def match(self, rows: Iterable[Row]) -> Roster:
        """Sort all rows; mistakes are collected, not raised."""
        for row in rows:
            if self._is_twice(row):
                continue
            unit = self._meant(row)
            if unit is None:
                continue
            number = unit.number if isinstance(unit, Unit) else 0
            if not number:
                self.roster.fresh.append(row)
            elif number not in self._known.open:
                self._pass(row, self._known.rest[number])
            elif number in self.roster.matched:
                other = self.roster.matched[number].line
                self._bad(row, _named_by(row), "sheet.twice", str(other))
            else:
                self.roster.matched[number] = row
        return self.roster

    def _bad(self, row: Row, column: str, code: str, reason: str) -> None:
        self.roster.problems.append(SheetProblem(row.line, column, code, reason))

    def _pass(self, row: Row, unit: Unit) -> None:
        """Pass over a row about a unit that is not open, loudly unless it says so itself."""
        self.roster.passed += 1
        if row.valid_to is UNSET and row.valid_from is UNSET:
            self.roster.warnings.append(
                SheetProblem(row.line, _named_by(row), "sheet.closed_unit", unit.code)
            )

    def _is_twice(self, row: Row) -> bool:
        """Say (and tell) whether an earlier row has the number, or a code at the same time."""
        if row.number is not None:
            first = self._numbers.setdefault(row.number, row.line)
            if first != row.line:
                self._bad(row, "number", "sheet.twice", str(first))
                return True
        since, until = life_of(row)
        codes = dict.fromkeys(codes_in(row))
        for code in codes:
            for line, other_since, other_until in self._lives.get(code, ()):
                if since < other_until and other_since < until:
                    self._bad(row, _named_by(row, code), "sheet.twice", str(line))
                    return True
        for code in codes:
            self._lives.setdefault(code, []).append((row.line, since, until))
        return False

    def _meant(self, row: Row) -> Unit | UnsetType | None:
        """Return the unit a row means, UNSET for a fresh one, None when that can't be said."""
        if row.number is not None:
            return self._numbered(row, row.number)
        since, until = life_of(row)
        found = {
            number: code
            for code in codes_in(row)
            if (number := self._known.by_code.get(code)) is not None
            and until > self._known.open[number].valid_from
        }
        if len(found) > 1:
            self._bad(row, _named_by(row), "sheet.ambiguous", ", ".join(found.values()))
            return None
        if found:
            return self._known.open[next(iter(found))]
        if row.valid_from is UNSET and row.valid_to is UNSET:
            return UNSET
        for code in codes_in(row):
            for unit in self._known.rest_by_code.get(code, ()):
                if since < (unit.valid_to or UNTIL_EVER) and unit.valid_from < until:
                    return unit
        return UNSET

    def _numbered(self, row: Row, number: int) -> Unit | UnsetType | None:
        unit = self._known.unit(number)
        if unit is not None:
            codes = set(codes_of(unit))
            codes_differ = (row.code or row.gso) and codes.isdisjoint(codes_in(row))
            if codes_differ and row.name is not UNSET and row.name != unit.name:
                self.roster.warnings.append(
                    SheetProblem(row.line, "number", "sheet.renumbered", f"{number} {unit.name}")
                )
            return unit
        _, until = life_of(row)
        for code in codes_in(row):
            bearer = self._known.open.get(self._known.by_code.get(code, 0))
            if bearer is not None and bearer.valid_from < until:
                reason = f"{number}; {code} is unit {bearer.number}"
                self._bad(row, "number", "sheet.number", reason)
                return None
        return UNSET


def _named_by(row: Row, code: str = "") -> str:
    """Return the column that names the unit of a row (or that holds this code)."""
    if code and code not in (row.code, row.gso):
        return "aliases"
    if row.number is not None and not code:
        return "number"
    return "gso_code" if row.gso and (code or row.gso) == row.gso and not row.code else "code"
