"""What the processes of one daemon have counted, in memory that all of them see.

Any of them may be asked for the metrics, and answers for all; what a process has counted
outlives its death, so that no counter ever goes back.  A slot for each process: only it writes
there, in single words of eight bytes, so nothing is locked and nothing is seen half.

    word 0-7    gauges (see `Gauges`), or of slot 0: workers that serve, restarts
    then rows   six words of the endpoint's name, the status, the count (0: an unused row)
"""

from __future__ import annotations

import mmap
import os
from typing import Final, NamedTuple

_WORD: Final = 8
_ROW_WORDS: Final = 8
_NAME_WORDS: Final = 6
_ROWS: Final = 256
"""Rows of a slot, the first being its gauges; what finds no row is counted in the last."""
_SLOT_WORDS: Final = _ROW_WORDS * _ROWS
_LAST_ROW: Final = _SLOT_WORDS - _ROW_WORDS
_NAME_BYTES: Final = _NAME_WORDS * _WORD
_OTHER: Final = ("other", 0)


class Gauges(NamedTuple):
    """What is under way in a process: requests, bytes of their bodies, sleeping long polls."""

    requests_waiting: int = 0
    body_bytes_waiting: int = 0
    long_polls: int = 0


class Tallies:
    """The counts of all processes of a daemon; `processes` is how many workers there are.

    Without workers (0) there is one slot, in this process's own memory.  `handle` is the file
    that the daemon passes to its workers.
    """

    def __init__(self, processes: int = 0, handle: int = -1) -> None:
        self.processes = processes
        size = _WORD * _SLOT_WORDS * (processes + 1)
        self.handle = handle
        if processes and handle < 0:
            self.handle = os.memfd_create("vanban-tallies", os.MFD_CLOEXEC)
            os.ftruncate(self.handle, size)
        self._words = memoryview(mmap.mmap(self.handle, size)).cast("Q")

    def slot(self, number: int) -> memoryview:
        """Return one slot's words."""
        return self._words[number * _SLOT_WORDS : (number + 1) * _SLOT_WORDS]

    def note_workers(self, serving: int, restarts: int) -> None:
        """Tell how many workers serve, and how often one was started again."""
        self._words[0], self._words[1] = serving, restarts

    @property
    def workers(self) -> tuple[int, int]:
        """How many workers serve, and how often one was started again."""
        return self._words[0], self._words[1]

    def buried(self, number: int) -> None:
        """Forget what was under way in a process that has ended; what it counted stays."""
        words = self.slot(number)
        for place in range(len(Gauges._fields)):
            words[place] = 0

    def gauges(self) -> Gauges:
        """Return what is under way in all workers together."""
        first = 1 if self.processes else 0
        slots = [self.slot(one) for one in range(first, self.processes + 1)]
        return Gauges(*(sum(words[place] for words in slots) for place in range(len(Gauges()))))

    def requests(self) -> dict[tuple[str, int], int]:
        """Return the answered requests of all processes by endpoint and status."""
        found: dict[tuple[str, int], int] = {}
        for number in range(self.processes + 1):
            words = self.slot(number)
            for row, key in _rows(words).items():
                found[key] = found.get(key, 0) + words[row + _ROW_WORDS - 1]
        return found


class Tally:
    """The counts of one process, which only it writes; goes on where a former one ended."""

    def __init__(self, tallies: Tallies, number: int = 0) -> None:
        self._words = tallies.slot(number)
        self._places = {key: row for row, key in _rows(self._words).items()}

    def count(self, endpoint: str, status: int) -> None:
        """Count one answered request.  Both arguments come from small fixed sets."""
        row = self._places.get((endpoint, status))
        if row is None:
            row = self._made((endpoint, status))
        self._words[row + _ROW_WORDS - 1] += 1

    def note(self, gauges: Gauges) -> None:
        """Tell what is under way."""
        for place, value in enumerate(gauges):
            self._words[place] = value

    def _made(self, key: tuple[str, int]) -> int:
        """Name a new row; it is seen from its first count on."""
        row = (len(self._places) + 1) * _ROW_WORDS
        if row >= _LAST_ROW:
            row, key = _LAST_ROW, _OTHER
        name = key[0].encode()[:_NAME_BYTES].ljust(_NAME_BYTES, b"\0")
        for place in range(_NAME_WORDS):
            start = place * _WORD
            self._words[row + place] = int.from_bytes(name[start : start + _WORD], "little")
        self._words[row + _NAME_WORDS] = key[1]
        self._places[key] = row
        return row


def _rows(words: memoryview) -> dict[int, tuple[str, int]]:
    """Return the rows in use: what each counts by where it begins."""
    found: dict[int, tuple[str, int]] = {}
    for row in range(_ROW_WORDS, _SLOT_WORDS, _ROW_WORDS):
        if not words[row + _ROW_WORDS - 1]:
            break
        parts = (words[row + place].to_bytes(_WORD, "little") for place in range(_NAME_WORDS))
        found[row] = (b"".join(parts).rstrip(b"\0").decode(), words[row + _NAME_WORDS])
    return found
