"""What this machine gives: three bare costs that stand in every results file.

A time in one file is compared with a time in another by dividing each by its calibration
row, so that a slower disk or processor is not read as slower code.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from vanban_bench.rows import ROUNDS_MIN, Case, Row, measure

SUITE: Final = "calibration"
BLOCK_BYTES: Final = 2_048
_FILE_BYTES: Final = 4 << 20
_DICT_ENTRIES: Final = 10_000


def rows(tiny: bool, rounds: int = ROUNDS_MIN, directory: Path | None = None) -> Iterator[Row]:
    """Yield the three rows.

    `fdatasync-2k` writes and syncs 2 KiB in a preallocated file in `directory` (the current
    one unless told), so name the disk that holds the data.  Raises OSError when it can't be
    written.
    """
    with tempfile.TemporaryFile(dir=directory or Path.cwd()) as file:
        _preallocate(file.fileno())
        yield measure(
            Case(
                suite=SUITE,
                name="fdatasync-2k",
                unit="us",
                peer=None,
                ours=_writer(file.fileno()),
                theirs=None,
                digest=str,
                loops_ours=2 if tiny else 200,
            ),
            rounds,
        )
    for case in cases(tiny):
        yield measure(case, rounds)


def cases(tiny: bool) -> list[Case]:
    """Return the two cases that need no disk."""
    block = bytes(range(256)) * (BLOCK_BYTES // 256)
    table = {f"unit-{number}": number for number in range(_DICT_ENTRIES)}
    keys = list(table)[::97]

    def look_up() -> int:
        total = 0
        for key in keys:
            total += table[key]
        return total

    return [
        Case(
            suite=SUITE,
            name="sha256-2k",
            unit="ns",
            peer=None,
            ours=lambda: hashlib.sha256(block).digest(),
            theirs=None,
            digest=bytes,
            loops_ours=10 if tiny else 20_000,
        ),
        Case(
            suite=SUITE,
            name="dict-lookup",
            unit="ns",
            peer=None,
            ours=look_up,
            theirs=None,
            digest=str,
            loops_ours=10 if tiny else 2_000,
            items=len(keys),
            note=f"one look-up of a text key in a dict of {_DICT_ENTRIES}, in a Python loop",
        ),
    ]


def _preallocate(descriptor: int) -> None:
    """Fill the file with zeros and flush it: later writes change no metadata."""
    os.pwrite(descriptor, bytes(_FILE_BYTES), 0)
    os.fsync(descriptor)


def _writer(descriptor: int) -> Callable[[], int]:
    block = os.urandom(BLOCK_BYTES)
    position = 0

    def write() -> int:
        nonlocal position
        written = os.pwrite(descriptor, block, position)
        os.fdatasync(descriptor)
        position = (position + BLOCK_BYTES) % _FILE_BYTES
        return written

    return write
