"""The process that reads one workbook: bytes in, one JSON array for each row out.

Run by its path (see `router.directory.workbooks`), it knows nothing of this package.  The
reading library asks for as much memory as the outermost cell's place says and ends the
process when there is none; so the process is one that may end.
"""

from __future__ import annotations

import io
import json
import resource
import sys
from typing import Any

UNREADABLE = 3
ENCRYPTED = 4
NO_SHEET = 5


def _cell(value: object) -> str | float | int:
    """Return a cell as JSON carries it: numbers stay numbers, dates become ISO 8601."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int | float):
        return value
    isoformat = getattr(value, "isoformat", None)
    return str(isoformat() if isoformat else value)


def _sheet(book: Any, name: str) -> Any:
    """Return the sheet of that name, or the first one that is shown."""
    from python_calamine import SheetTypeEnum, SheetVisibleEnum

    for position, sheet in enumerate(book.sheets_metadata):
        shown = sheet.visible == SheetVisibleEnum.Visible and sheet.typ == SheetTypeEnum.WorkSheet
        if sheet.name == name if name else shown:
            return book.get_sheet_by_index(position)
    sys.exit(NO_SHEET)


def main(memory_bytes: int, cpu_s: int, rows_max: int, name: str) -> None:
    """Read a workbook from standard input within those bounds and write its rows."""
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    from python_calamine import CalamineError, PasswordError, load_workbook

    try:
        book = load_workbook(io.BytesIO(sys.stdin.buffer.read()))
        sheet = _sheet(book, name)
        rows = sheet.iter_rows()
        for _, row in zip(range(rows_max), rows, strict=False):
            while row and row[-1] == "":
                row.pop()
            sys.stdout.write(json.dumps([_cell(value) for value in row]) + "\n")
    except PasswordError:
        sys.exit(ENCRYPTED)
    except (CalamineError, OSError, ValueError, OverflowError, MemoryError):
        sys.exit(UNREADABLE)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
