"""Reading lists of units: CSV in UTF-8, Excel, ODS; see docs/directory.md, "Lists".

A list is read line by line and refused as soon as it passes a bound.  Whatever the bytes,
the outcome is a `Listing` or an InputError that says where and what; nothing is guessed
about letters: an encoding other than UTF-8 is named and refused.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import msgspec

from router import limits
from router.directory.cells import GSO_DIGITS, GSO_SCHEME, Cell, CellError, is_blank, text_of
from router.directory.columns import column_of, columns_of
from router.directory.listing import Listing, Row
from router.directory.rows import RowReader
from router.directory.workbooks import workbook_rows
from router.errors import InputError, MalformedError, SheetError, SheetProblem, TooLargeError
from router.model.units import code_form

Source = bytes | Path | BinaryIO
Line = tuple[int, list[Cell]]

_WORKBOOKS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")  # zip (.xlsx, .ods), .xls
_WIDE_MARKS = (b"\xff\xfe", b"\xfe\xff")
_HEAD_BYTES = 1_024
_DELIMITERS = (",", ";", "\t")
_DECLARED = re.compile(r"sep=([,;\t])\s*")
_TONES_1258 = re.compile(rb"[AEIOUYaeiouy\xc2\xc3\xca\xd4\xd5\xdd\xe2\xe3\xea\xf4\xf5\xfd]"
                         rb"[\xcc\xd2\xde\xec\xf2]")  # fmt: skip
_VOWELS_TCVN3 = re.compile(rb"[\xa8-\xad\xb5-\xb9\xbb-\xbe\xc6-\xcb\xcc-\xd8]")


def read_sheet(source: Source, *, sheet: str = "", rows_max: int = limits.UNITS_MAX) -> Listing:
    """Read a whole list: bytes, a file, or an open binary stream.

    `sheet` names the sheet of a workbook (else the first one shown).  Raises SheetError
    `sheet.columns` and `sheet.invalid` with every place that is wrong (up to
    `limits.SHEET_PROBLEMS_MAX`), MalformedError `sheet.encoding`, InputError
    `sheet.format`, `sheet.reader_missing`, `sheet.empty`, TooLargeError `sheet.too_large`.
    A file of more than `rows_max` rows is refused before any row is kept.
    """
    if isinstance(source, bytes):
        return _read(io.BytesIO(source), sheet, rows_max)
    if not isinstance(source, Path):
        return _read(source, sheet, rows_max)
    try:
        with source.open("rb") as stream:
            return _read(stream, sheet, rows_max)
    except OSError as error:
        raise InputError("sheet.format", reason=error.strerror or "unreadable") from error


def _read(stream: BinaryIO, sheet: str, rows_max: int) -> Listing:
    seekable = stream.seekable()
    start = stream.tell() if seekable else 0
    head = _head_of(stream)
    if head.startswith(_WORKBOOKS):
        rest = stream.read(limits.WORKBOOK_BYTES_MAX + 1)
        rows = workbook_rows(head + rest, rows_max + limits.SHEET_PROBLEMS_MAX, sheet)
        return _Assembly(rows_max).listing(enumerate(rows, 1))
    _refuse_other_encodings(head)
    if seekable:
        _count_rows(_csv_lines(head, stream), rows_max)
        stream.seek(start + len(head))
    return _Assembly(rows_max).listing(_csv_lines(head, stream))


def _head_of(stream: BinaryIO) -> bytes:
    """Return the first bytes: a stream may give fewer at a time than it is asked for."""
    head = b""
    while len(head) < _HEAD_BYTES:
        more = stream.read(_HEAD_BYTES - len(head))
        if not more:
            break
        head += more
    return head


def _count_rows(lines: Iterator[Line], rows_max: int) -> None:
    """Refuse a list that is too long before anything of it is kept."""
    rows = -1
    for _, cells in lines:
        rows += bool(cells)
        if rows > rows_max:
            raise TooLargeError("sheet.too_large", reason=f"over {rows_max} rows")


class _Assembly:
    """What a list grows into: rows, mistakes, doubts."""

    def __init__(self, rows_max: int) -> None:
        self._rows_max = rows_max
        self._rows: list[Row] = []
        self._problems: list[SheetProblem] = []
        self._warnings: list[SheetProblem] = []
        self._doubts = 0
        self._lost_zeros: set[int] = set()

    def listing(self, lines: Iterator[Line]) -> Listing:
        reader = self._reader(lines)
        for line, cells in lines:
            if not cells or all(map(is_blank, cells)):
                continue
            row = reader.read(line, cells)
            if row is not None:
                self._rows.append(row)
            if len(self._rows) > self._rows_max:
                raise TooLargeError("sheet.too_large", reason=f"over {self._rows_max} rows")
        if "parent_gso_code" in reader.columns:
            self._settle_parents(reader)
        self._refuse()
        return Listing(
            rows=tuple(self._rows),
            columns=reader.columns,
            gso_layout=reader.gso_layout,
            warnings=tuple(self._warnings),
            doubts=self._doubts,
        )

    def _reader(self, lines: Iterator[Line]) -> RowReader:
        for line, cells in lines:
            if cells and not all(map(is_blank, cells)):
                if len(cells) > limits.SHEET_COLUMNS_MAX:
                    raise TooLargeError(
                        "sheet.too_large", reason=f"over {limits.SHEET_COLUMNS_MAX} columns"
                    )
                headings = [_heading(cell, line) for cell in cells]
                return RowReader(headings, columns_of(line, headings), self._fail, self._warn)
        raise InputError("sheet.empty")

    def _fail(self, line: int, heading: str, code: str, reason: str) -> None:
        self._problems.append(SheetProblem(line, heading, code, reason))
        if len(self._problems) >= limits.SHEET_PROBLEMS_MAX:
            self._refuse()

    def _refuse(self) -> None:
        if self._problems:
            raise SheetError("sheet.invalid", problems=tuple(self._problems))

    def _warn(self, line: int, heading: str, code: str, reason: str) -> None:
        self._doubts += 1
        if code == "sheet.zeros_restored":
            self._lost_zeros.add(line)
        if len(self._warnings) < limits.SHEET_PROBLEMS_MAX:
            self._warnings.append(SheetProblem(line, heading, code, reason))

    def _settle_parents(self, reader: RowReader) -> None:
        """Give parents' GSO codes the digits that a spreadsheet took from them.

        Where the list shows that it lost zeros, the nearest tier above, among the units of
        the list, says how many digits there were.  What stays open goes into `parent_else`:
        only the directory can tell then.
        """
        heading = reader.heading("parent_gso_code")
        listed = {row.gso for row in self._rows}
        kept = any(str(row.parent).startswith(f"{GSO_SCHEME}0") for row in self._rows)
        for place, row in enumerate(self._rows):
            parent = row.parent
            if not isinstance(parent, str) or not parent.startswith(GSO_SCHEME):
                continue
            whole = row.line in reader.parents_in_full or (
                kept and row.line not in self._lost_zeros
            )
            possible = [] if whole else _parents_meant(row, parent)
            settled = possible[0] if len(possible) == 1 else parent
            if self._lost_zeros:
                settled = next((code for code in possible if code in listed), settled)
            others = tuple(code for code in possible if code != parent)
            if settled != parent:
                self._rows[place] = msgspec.structs.replace(row, parent=settled)
                self._warn(row.line, heading, "sheet.zeros_restored", settled)
            elif others:
                self._rows[place] = msgspec.structs.replace(row, parent_else=others)
            elif code_form(parent) != "gso":
                self._fail(row.line, heading, "sheet.gso_code", parent)


def _parents_meant(row: Row, parent: str) -> list[str]:
    """Return the GSO codes that a parent's may stand for, the nearest tier above first."""
    digits = parent.removeprefix(GSO_SCHEME)
    tiers = {width: tier for tier, width in GSO_DIGITS.items()}
    tier = row.tier if isinstance(row.tier, int) else tiers.get(len(row.gso) - len(GSO_SCHEME), 4)
    if digits.startswith("0"):
        return []
    return [
        GSO_SCHEME + digits.zfill(width)
        for above, width in sorted(GSO_DIGITS.items(), reverse=True)
        if above < tier and len(digits) <= width
    ]


def _heading(cell: Cell, line: int) -> str:
    try:
        return text_of(cell)
    except CellError as error:
        problem = SheetProblem(line, "", error.code, error.reason)
        raise SheetError("sheet.columns", problems=(problem,)) from None


# CSV


def _csv_lines(head: bytes, stream: BinaryIO) -> Iterator[Line]:
    """Yield (line as a spreadsheet numbers it, cells); blank lines have none.

    Raises MalformedError `sheet.encoding` and `sheet.format`, TooLargeError.
    """
    texts = _text_lines(_Rejoined(head, stream))
    line = 0
    first = ""
    for first in texts:  # the first line that holds anything says what separates cells
        if first.strip():
            break
        line += 1
    if not first.strip():
        return
    declared = _DECLARED.fullmatch(first)
    delimiter = declared[1] if declared else _delimiter_of(first)
    line += bool(declared)
    again = iter(() if declared else (first,))
    reader = csv.reader(_chained(again, texts), delimiter=delimiter, strict=True)
    while True:
        line += 1
        try:
            cells: list[Cell] = list(next(reader))
        except StopIteration:
            return
        except csv.Error as error:
            raise MalformedError("sheet.format", reason=f"row {line}: {error}") from None
        yield line, cells


def _chained(first: Iterator[str], then: Iterator[str]) -> Iterator[str]:
    yield from first
    yield from then


def _delimiter_of(line: str) -> str:
    """Return the delimiter under which most headings are known, then most cells are seen."""

    def known(delimiter: str) -> tuple[int, int]:
        try:
            cells = next(csv.reader([line], delimiter=delimiter))
        except csv.Error:
            return 0, 0
        cells = cells[: limits.SHEET_COLUMNS_MAX]
        return sum(column_of(cell) is not None for cell in cells), len(cells)

    return max(_DELIMITERS, key=known)


class _Rejoined(io.RawIOBase):
    """The bytes already read, then the rest of the stream; closing it leaves the stream open."""

    def __init__(self, head: bytes, stream: BinaryIO) -> None:
        super().__init__()
        self._head = head
        self._stream = stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        if self._head:
            taken, self._head = self._head[: len(buffer)], self._head[len(buffer) :]
        else:
            taken = self._stream.read(len(buffer)) or b""
        buffer[: len(taken)] = taken
        return len(taken)


def _text_lines(raw: io.RawIOBase) -> Iterator[str]:
    """Yield bounded lines of UTF-8 text, their ends kept."""
    texts = io.TextIOWrapper(io.BufferedReader(raw, 65_536), encoding="utf-8-sig", newline="")
    line = 0
    while True:
        try:
            text = texts.readline(limits.SHEET_LINE_CHARS_MAX + 1)
        except UnicodeDecodeError as error:
            found = bytes(error.object)
            raise MalformedError(
                "sheet.encoding",
                line=line + found[: error.start].count(b"\n") + 1,
                encoding=_encoding_of(found[max(0, error.start - 512) : error.start + 512]),
            ) from None
        if not text:
            return
        line += 1
        if len(text) > limits.SHEET_LINE_CHARS_MAX:
            reason = f"line {line} is over {limits.SHEET_LINE_CHARS_MAX} characters"
            raise TooLargeError("sheet.too_large", reason=reason)
        yield text


def _refuse_other_encodings(head: bytes) -> None:
    """Refuse UTF-16, with its mark or with the zero bytes that Latin letters leave in it."""
    if head.startswith(_WIDE_MARKS) or head.count(0) * 4 > len(head):
        raise MalformedError("sheet.encoding", line=1, encoding="UTF-16")


def _encoding_of(sample: bytes) -> str:
    """Name the 8-bit encoding that bytes which are not UTF-8 are likely to be in."""
    if _TONES_1258.search(sample):
        return "windows-1258"
    if len(_VOWELS_TCVN3.findall(sample)) >= 2:
        return "TCVN3 (ABC)"
    return "windows-1252"
