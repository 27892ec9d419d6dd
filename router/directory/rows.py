"""From the cells of one line of a list to a `Row`, with every mistake told by its column."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

from msgspec import UNSET, UnsetType

from router import limits
from router.directory import cells
from router.directory.cells import Cell, CellError
from router.directory.columns import ORDINAL, is_gso_layout
from router.directory.listing import Row
from router.model.units import code_doubt

_T = TypeVar("_T")
Report = Callable[[int, str, str, str], None]
"""(line, heading, code, reason)."""

_CONTACT_CHARS_MAX: Final = 500
_CHANNELS: Final = ("pull",)


class RowReader:
    """Reads lines under the same headings; `fail` and `warn` are told what is wrong."""

    def __init__(
        self,
        headings: Sequence[str],
        columns: Sequence[str | None],
        fail: Report,
        warn: Report,
    ) -> None:
        self._headings = headings
        self._places = {
            column: place
            for place, column in enumerate(columns)
            if column is not None and column != ORDINAL
        }
        self.columns = frozenset(self._places)
        self.gso_layout = is_gso_layout(columns)
        self._fail = fail
        self._warn = warn
        self._line = 0
        self._cells: Sequence[Cell] = ()
        self._width = len(columns)
        self._good = True
        self.parents_in_full: set[int] = set()  # lines that write the scheme, too

    def heading(self, column: str) -> str:
        """Return the heading of a column as the list spells it."""
        place = self._places.get(column)
        return column if place is None else self._headings[place]

    def read(self, line: int, found: Sequence[Cell]) -> Row | None:
        """Return the row, None when something in it is wrong."""
        self._line, self._cells, self._good = line, found, True
        if len(found) > self._width and not all(map(cells.is_blank, found[self._width :])):
            self._bad("", CellError("sheet.cells", str(len(found))))
            return None
        tier = self._value("tier", cells.tier_of, None)
        gso = self._gso("gso_code", tier)
        code = self._code("code")
        number = self._value("number", cells.whole_number, None)
        if not (gso or code or number) and self._good:
            self._bad(
                next(name for name in ("code", "gso_code", "number") if name in self._places),
                CellError("sheet.required", "code"),
            )
        row = Row(
            line=line, number=number, code=code, gso=gso,
            tier=UNSET if tier is None else tier,
            name=self._name(), **self._belongs(), **self._lists(), **self._life(),
            **self._ways(),
        )  # fmt: skip
        return row if self._good else None

    def _bad(self, column: str, error: CellError) -> None:
        self._good = False
        self._fail(self._line, self.heading(column) if column else "", error.code, error.reason)

    def _cell(self, column: str) -> Cell:
        place = self._places[column]
        return self._cells[place] if place < len(self._cells) else ""

    def _value(self, column: str, reader: Callable[[Cell], _T], absent: _T) -> _T:
        """Read a cell; what it holds is `absent` when there is no such column or it is wrong."""
        if column not in self._places:
            return absent
        try:
            return reader(self._cell(column))
        except CellError as error:
            self._bad(column, error)
            return absent

    def _code(self, column: str) -> str:
        code = self._value(column, cells.code_of, "")
        self._doubt(column, code)
        return code

    def _doubt(self, column: str, code: str) -> None:
        if code and code_doubt(code):
            self._warn(self._line, self.heading(column), "sheet.code_doubtful", code)

    def _gso(self, column: str, tier: int | None) -> str:
        code, restored = self._value(
            column, lambda cell: cells.gso_code_of(cell, tier), ("", False)
        )
        if restored:
            self._warn(self._line, self.heading(column), "sheet.zeros_restored", code)
        return code

    def _name(self) -> str | UnsetType:
        if "name" not in self._places:
            return UNSET
        name = self._value(
            "name", lambda cell: cells.bounded_text(cell, limits.UNIT_NAME_CHARS_MAX), "-"
        )
        if not name:
            self._bad("name", CellError("sheet.required", "name"))
        return name

    def _belongs(self) -> dict[str, Any]:
        """Read kind (or the class of a territory) and the parent."""
        found: dict[str, Any] = {}
        if self.gso_layout:
            word = self._value("kind", cells.text_of, "")
            if cells.is_kind(word):
                found["kind"] = sys.intern(word)
            elif word:
                try:
                    found["territory"] = sys.intern(cells.tag_of(word.lower()))
                except CellError as error:
                    self._bad("kind", error)
        else:
            kind = self._value("kind", cells.kind_of, "")
            if kind:
                found["kind"] = sys.intern(kind)
        number = self._value("parent_number", cells.whole_number, None)
        if number is not None:
            found["parent_number"] = number
        parent = self._code("parent") or self._parent_gso()
        if parent:
            found["parent"] = parent
        elif "parent" in self._places and number is None:
            found["parent"] = None
        return found

    def _parent_gso(self) -> str:
        """Return the parent's GSO code; how many digits it lacks is told by the whole list."""
        if "parent_gso_code" not in self._places:
            return ""
        cell = self._value("parent_gso_code", cells.text_of, "")
        digits = cell.upper().removeprefix(cells.GSO_SCHEME).strip()
        if not digits:
            return ""
        if not (digits.isascii() and digits.isdigit() and len(digits) <= 5):
            self._bad("parent_gso_code", CellError("sheet.gso_code", cell))
            return ""
        if cell.upper().startswith(cells.GSO_SCHEME):
            self.parents_in_full.add(self._line)
        return cells.GSO_SCHEME + digits

    def _lists(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        if "aliases" in self._places:
            aliases: list[str] = self._value("aliases", _codes, [])
            for alias in aliases:
                self._doubt("aliases", alias)
            self._within("aliases", len(aliases), limits.UNIT_ALIASES_MAX)
            found["aliases"] = tuple(dict.fromkeys(aliases))
        if "tags" in self._places:
            tags: list[str] = self._value("tags", _tags, [])
            self._within("tags", len(tags), limits.UNIT_TAGS_MAX)
            found["tags"] = tuple(dict.fromkeys(tags))
        heirs: list[str] = self._value("successors", _codes_or_numbers, [])
        if heirs:
            found["successors"] = tuple(dict.fromkeys(heirs))
        return found

    def _within(self, column: str, count: int, most: int) -> None:
        if count > most:
            self._bad(column, CellError("sheet.values", f"{count} > {most}"))

    def _life(self) -> dict[str, Any]:
        since = self._value("valid_from", cells.instant_in, None)
        until = self._value("valid_to", cells.instant_in, None)
        found: dict[str, Any] = {}
        if since is not None:
            found["valid_from"] = since
        if until is not None:
            found["valid_to"] = until
            if until <= (since or 0):
                self._bad(
                    "valid_to", CellError("sheet.life", cells.text_of(self._cell("valid_to")))
                )
        if "code_synthesised" in self._places:
            found["code_synthesised"] = self._value("code_synthesised", cells.flag_of, False)
        return found

    def _ways(self) -> dict[str, Any]:
        """Read contact and delivery: only the fields that have a column."""
        contact = {
            column.removeprefix("contact_"): self._value(
                column, lambda cell: cells.bounded_text(cell, _CONTACT_CHARS_MAX), ""
            )
            for column in sorted(self._places)
            if column.startswith("contact_")
        }
        delivery: dict[str, str | bool] = {}
        if "delivery_channel" in self._places:
            channel = self._value("delivery_channel", cells.text_of, "") or "pull"
            if channel not in _CHANNELS:
                self._bad("delivery_channel", CellError("sheet.text", channel))
            delivery["channel"] = channel
        if "delivery_paper" in self._places:
            delivery["paper"] = self._value("delivery_paper", cells.flag_of, False)
        found: dict[str, Any] = {}
        if contact:
            found["contact"] = contact
        if delivery:
            found["delivery"] = delivery
        return found


def _codes(cell: Cell) -> list[str]:
    if not isinstance(cell, str):
        return [cells.code_of(cell)]
    return [cells.code_of(value) for value in cells.values_of(cell, blanks=True)]


def _tags(cell: Cell) -> list[str]:
    return [cells.tag_of(value) for value in cells.values_of(cell, blanks=False)]


def _codes_or_numbers(cell: Cell) -> list[str]:
    """Return successors as written: digits are a stable number, else a code."""
    return [cells.code_of(value) for value in cells.values_of(cell, blanks=True)]
