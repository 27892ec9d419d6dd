"""The values in the cells of a list: text, codes, tiers, dates, and what is wrong with them.

Every reader takes the cell as it came (text, or a number from a workbook) and raises
`CellError` with a code of `router.messages.lists`; none raises anything else.
"""

from __future__ import annotations

import math
import re
import unicodedata
from datetime import datetime, time
from typing import Final

from router import limits
from router.directory.columns import plain
from router.model.instants import INSTANT_MAX, VIETNAM_TIME, instant_of
from router.model.units import TIER_NUMBERS, code_form, normal_code

Cell = str | float | int

NUMBER_MAX: Final = (1 << 32) - 1
GSO_SCHEME: Final = "GSO:"
GSO_DIGITS: Final[dict[int, int]] = {2: 2, 3: 3, 4: 5}
"""Digits of a GSO code by tier (QĐ 124/2004/QĐ-TTg): province, district, commune."""

_TIER_WORDS: Final[dict[str, int]] = {
    **TIER_NUMBERS,
    "trung uong": 1, "tw": 1, "bo": 1, "ministry": 1,
    "tinh": 2, "huyen": 3, "xa": 4,
}  # fmt: skip
_FLAGS: Final[dict[str, bool]] = {
    "": False, "false": False, "no": False, "0": False, "khong": False,
    "true": True, "yes": True, "1": True, "co": True, "x": True,
}  # fmt: skip
_KIND = re.compile(r"[a-z]+(-[a-z]+)*")
_KIND_CHARS_MAX = 64
_TAG_CHARS_MAX = 64
_FORMULA = re.compile(r"'*[=+\-@\t\r]")
_GUARDED = re.compile(r"'+[=+\-@\t\r]")
_DAY_FIRST = re.compile(r"([0-9]{1,2})[/.-]([0-9]{1,2})[/.-]([0-9]{4})")
_DIGITS = re.compile(r"[0-9]{1,5}")


class CellError(Exception):
    """A cell can't be taken: `code` names the words, `reason` fills them."""

    def __init__(self, code: str, reason: str) -> None:
        self.code = code
        self.reason = reason
        super().__init__(code, reason)


def guarded(cell: str) -> str:
    """Return a cell that no spreadsheet takes for a formula: an apostrophe goes before it.

    Cells that begin with ``=``, ``+``, ``-``, ``@``, or with apostrophes and one of these,
    get one more; `text_of` takes it off again.
    """
    return f"'{cell}" if _FORMULA.match(cell) else cell


def text_of(cell: Cell) -> str:
    """Return the text of a cell: NFC, one blank between words, none outside.

    Raises CellError `sheet.text` for control characters and overlong cells.
    """
    if not isinstance(cell, str):
        return str(int(cell)) if isinstance(cell, float) and cell.is_integer() else str(cell)
    if len(cell) > limits.SHEET_CELL_CHARS_MAX:
        raise CellError("sheet.text", f"over {limits.SHEET_CELL_CHARS_MAX} characters")
    if _GUARDED.match(cell):
        cell = cell[1:]
    text = " ".join(unicodedata.normalize("NFC", cell).split())
    if not text.isprintable():
        raise CellError("sheet.text", "control characters")
    return text


def bounded_text(cell: Cell, chars_max: int) -> str:
    """Return text of at most so many characters."""
    text = text_of(cell)
    if len(text) > chars_max:
        raise CellError("sheet.text", f"over {chars_max} characters")
    return text


def whole_number(cell: Cell) -> int | None:
    """Return a stable number, None for an empty cell.  Raises CellError `sheet.number`."""
    text = text_of(cell)
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 10):
        raise CellError("sheet.number", text)
    number = int(text)
    if not 0 < number <= NUMBER_MAX:
        raise CellError("sheet.number", text)
    return number


def tier_of(cell: Cell) -> int | None:
    """Return a tier from its number or its word in either language, None when empty."""
    text = text_of(cell)
    if not text:
        return None
    word = plain(text).removeprefix("cap ").removesuffix(" level")
    if word in _TIER_WORDS:
        return _TIER_WORDS[word]
    digits = word.removesuffix(".0")
    if len(digits) == 1 and digits in "12345678" and int(digits) <= limits.TIERS_MAX:
        return int(digits)
    raise CellError("sheet.tier", text)


def code_of(cell: Cell) -> str:
    """Return a code in its stored form, "" for an empty cell.

    Raises CellError `sheet.code` when it has the form of none, `sheet.numeric_code` when a
    workbook keeps it as a number: its leading zeros are lost, and how many nobody knows.
    """
    if not isinstance(cell, str):
        raise CellError("sheet.numeric_code", text_of(cell))
    code = normal_code(text_of(cell))
    if code and code_form(code) is None:
        raise CellError("sheet.code", code)
    return code


def gso_code_of(cell: Cell, tier: int | None) -> tuple[str, bool]:
    """Return a GSO code with its scheme ("" when empty), and whether zeros were restored.

    Zeros that a spreadsheet took away are given back when the tier says how many digits
    there were.  Raises CellError `sheet.gso_code`, `sheet.numeric_code`.
    """
    text = text_of(cell)
    digits = normal_code(text).removeprefix(GSO_SCHEME).strip()
    if not digits:
        return "", False
    if not (digits.isascii() and _DIGITS.fullmatch(digits)):
        raise CellError("sheet.gso_code", text)
    width = GSO_DIGITS.get(tier or 0)
    if width is None:
        if not isinstance(cell, str):
            raise CellError("sheet.numeric_code", text)
        if len(digits) not in GSO_DIGITS.values():
            raise CellError("sheet.gso_code", text)
        return GSO_SCHEME + digits, False
    if len(digits) > width or not digits.strip("0"):
        raise CellError("sheet.gso_code", text)
    return GSO_SCHEME + digits.zfill(width), len(digits) < width


def kind_of(cell: Cell) -> str:
    """Return a kind, "" for an empty cell.  Raises CellError `sheet.kind`."""
    text = text_of(cell)
    if text and not is_kind(text):
        raise CellError("sheet.kind", text)
    return text


def is_kind(text: str) -> bool:
    """Say whether text has the form of a kind: lower-case words joined by hyphens."""
    return len(text) <= _KIND_CHARS_MAX and _KIND.fullmatch(text) is not None


def tag_of(text: str) -> str:
    """Return one tag.  Raises CellError `sheet.text` when it is too long."""
    return bounded_text(text, _TAG_CHARS_MAX)


def values_of(cell: Cell, *, blanks: bool) -> list[str]:
    """Return the values that ``;`` (and blanks, if so told) separate.

    A backslash takes the next character as it is, so that a value may hold a ``;``.
    Raises CellError `sheet.values` over the bound.
    """
    values: list[str] = [""]
    letters = iter(text_of(cell))
    for letter in letters:
        if letter == "\\":
            values[-1] += next(letters, "\\")
        elif letter == ";" or (blanks and letter == " "):
            values.append("")
        else:
            values[-1] += letter
    found = [value.strip() for value in values if value.strip()]
    if len(found) > limits.SHEET_VALUES_MAX:
        raise CellError("sheet.values", str(len(found)))
    return found


def joined(values: tuple[str, ...], separator: str) -> str:
    """Return values in one cell, as `values_of` reads them back."""
    return separator.join(value.replace("\\", "\\\\").replace(";", "\\;") for value in values)


def instant_in(cell: Cell) -> int | None:
    """Return an instant (microseconds), None for an empty cell.

    Dates mean 00:00 in Vietnam, times without a zone are Vietnam's.  Raises CellError
    `sheet.instant`, also for instants before 1970 or beyond the calendar.
    """
    text = text_of(cell)
    if not text:
        return None
    spelled = _DAY_FIRST.fullmatch(text)
    if spelled:
        day, month, year = spelled.groups()
        text = f"{year}-{month.zfill(2)}-{day.zfill(2)}"
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            moment = datetime.combine(moment.date(), moment.time() or time(), VIETNAM_TIME)
        instant = instant_of(moment)
    except (ValueError, OverflowError):
        raise CellError("sheet.instant", text) from None
    if not 0 <= instant <= INSTANT_MAX:
        raise CellError("sheet.instant", text)
    return instant


def flag_of(cell: Cell) -> bool:
    """Return yes or no (empty: no).  Raises CellError `sheet.flag`."""
    text = text_of(cell)
    word = plain(text)
    if word not in _FLAGS:
        raise CellError("sheet.flag", text)
    return _FLAGS[word]


def is_blank(cell: Cell) -> bool:
    """Say whether a cell holds nothing."""
    return not cell.strip() if isinstance(cell, str) else math.isnan(cell)
