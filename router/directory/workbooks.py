"""Rows of a workbook (.xlsx, .xls, .xlsb, .ods), read by a process of its own."""

from __future__ import annotations

import importlib.util
import subprocess  # nosec: see _rows
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import msgspec

from router import limits
from router.directory import workbook_reader
from router.errors import InputError, TooLargeError

Cell = str | float | int
_row: msgspec.json.Decoder[list[Cell]] = msgspec.json.Decoder(list[Cell])
_REASONS = {
    workbook_reader.ENCRYPTED: "it is protected by a password",
    workbook_reader.NO_SHEET: "it has no such sheet",
}


def workbook_rows(data: bytes, rows_max: int, sheet: str = "") -> Iterator[list[Cell]]:
    """Yield the rows of a sheet (the first one shown), blank ones too, at most `rows_max`.

    Cells are text or numbers; dates come as ISO 8601.  Raises InputError
    `sheet.reader_missing` without the extra `org`, `sheet.format` when the file can't be
    read, TooLargeError `sheet.too_large`.  The file is read by another process with bounded
    memory: a few thousand bytes of workbook can demand more than any machine has.
    """
    if importlib.util.find_spec("python_calamine") is None:
        raise InputError("sheet.reader_missing")
    if len(data) > limits.WORKBOOK_BYTES_MAX:
        raise TooLargeError("sheet.too_large", reason=f"{limits.WORKBOOK_BYTES_MAX} bytes")
    with tempfile.TemporaryFile() as handed:
        handed.write(data)
        handed.seek(0)
        command = [
            sys.executable, "-P", str(Path(workbook_reader.__file__)),
            str(limits.WORKBOOK_MEMORY_BYTES_MAX), str(limits.WORKBOOK_CPU_S_MAX),
            str(rows_max), sheet,
        ]  # fmt: skip
        reader = subprocess.Popen(  # noqa: S603 - our own file, no shell
            command, stdin=handed, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
    with reader:
        try:
            assert reader.stdout is not None
            for line in reader.stdout:
                yield _row.decode(line)
            ended = reader.wait()
        finally:
            reader.kill()
    if ended:
        reason = _REASONS.get(ended, "it is damaged, or too large to be read")
        raise InputError("sheet.format", reason=reason)
