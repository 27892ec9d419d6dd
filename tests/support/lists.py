"""Lists of units for tests, and a tiny applier of what they change."""

from __future__ import annotations

import functools
import io
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from router.directory.differences import Difference
from router.directory.export import export_csv
from router.directory.listing import Listing
from router.directory.sheets import read_sheet
from router.model.reorganisations import Changing, Closing, Opening, Reorganisation
from router.model.units import Unit

from .sources import ROOT

SEPTEMBER = ROOT / "bench" / "data" / "vn-units-2024-09-01.csv"
NOVEMBER = ROOT / "bench" / "data" / "vn-units-2024-11-01.csv"


def read(text: str, **options: Any) -> Listing:
    """A list written down in a test, margins taken off."""
    lines = "\n".join(line.strip() for line in text.strip().splitlines())
    return read_sheet(lines.encode(), **options)


@functools.cache
def listing_of(path: Path) -> Listing:
    """One of the real lists."""
    return read_sheet(path)


def exported(units: Iterable[Unit], all_units: Iterable[Unit] | None = None) -> bytes:
    """The bytes of an export."""
    units = list(units)
    codes = {unit.number: unit.code for unit in (units if all_units is None else all_units)}
    parts: list[str] = []
    export_csv(units, parts.append, lambda number: codes.get(number, ""))
    return "".join(parts).encode()


def workbook(rows: Iterable[Iterable[object]]) -> bytes:
    """The bytes of an Excel workbook with these cells."""
    import openpyxl

    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(list(row))
    written = io.BytesIO()
    book.save(written)
    return written.getvalue()


class Applied:
    """Units after a difference, as the directory would have them: in their last state."""

    def __init__(self, units: Iterable[Unit] = ()) -> None:
        self.units = {unit.number: unit for unit in units}
        self._highest = -1

    def apply(self, difference: Difference) -> Applied:
        for unit in difference.imported:
            self.units[unit.number] = unit
        if difference.correction:
            for unit in difference.correction.known_later:
                number = unit.number or self._next()
                self.units[number] = msgspec.structs.replace(unit, number=number)
            for fix in difference.correction.fixes:
                self._set(fix.number, valid_from=fix.opened_at, valid_to=fix.closed_at,
                          successors=fix.successors)  # fmt: skip
        if difference.reorganisation:
            self._happen(difference.reorganisation)
        return self

    def _happen(self, reorganisation: Reorganisation) -> None:
        at_us = reorganisation.at
        bearers: dict[object, int] = {}
        for event in reorganisation.events:
            if isinstance(event, Closing):
                self._set(event.unit, valid_to=at_us, successors=event.successors)
        for unit in self.open_at(at_us):
            bearers |= dict.fromkeys((unit.code, *unit.aliases), unit.number)
        for event in reorganisation.events:
            if isinstance(event, Opening):
                self._open(event, bearers)
        for event in reorganisation.events:
            if isinstance(event, Changing):
                fields = {name: getattr(event, name) for name in event.__struct_fields__}
                number = fields.pop("unit")
                if isinstance(fields["parent"], str):
                    fields["parent"] = bearers[fields["parent"]]
                self._set(number, **fields)

    def open_at(self, at_us: int) -> list[Unit]:
        return [unit for unit in self.units.values() if unit.open_at(at_us)]

    def _open(self, event: Opening, bearers: dict[object, int]) -> None:
        unit = event.unit
        parent = unit.parent
        if event.parent is not None:
            parent = bearers[event.parent]
        number = unit.number or self._next()
        self.units[number] = msgspec.structs.replace(unit, number=number, parent=parent)
        bearers |= dict.fromkeys((unit.code, *unit.aliases), number)

    def _set(self, number: Any, **fields: Any) -> None:
        said = {name: value for name, value in fields.items() if value is not msgspec.UNSET}
        self.units[number] = msgspec.structs.replace(self.units[number], **said)

    def _next(self) -> int:
        if self._highest < 0:
            self._highest = max(self.units, default=0)
        self._highest += 1
        return self._highest
