"""Bounded caches: a broadcast and its audience are read once, not per recipient."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Final, Generic, TypeVar

from router.queue.records import Acceptance, StoredAudience

_OVERHEAD_BYTES: Final = 1_024
"""What one cached document costs beside its opaque parts, roughly."""
_AUDIENCE_OVERHEAD_BYTES: Final = 512

Kept = TypeVar("Kept")


class Cache(Generic[Kept]):
    """Values by sequence, least recently used first out.  Thread-safe.

    `size` says how many bytes a value costs; together they cost at most `bytes_max`.  Only
    what is on the disk may be put in: the sequence of a group that failed is given again
    to another record.
    """

    def __init__(self, bytes_max: int, size: Callable[[Kept], int]) -> None:
        self._bytes_max = bytes_max
        self._size = size
        self._guard = threading.Lock()  # guards all below
        self._kept: OrderedDict[int, Kept] = OrderedDict()
        self._bytes = 0

    def get(self, sequence: int) -> Kept | None:
        """Return the value, or None when it is not here."""
        with self._guard:
            found = self._kept.get(sequence)
            if found is not None:
                self._kept.move_to_end(sequence)
            return found

    def put(self, sequence: int, value: Kept) -> None:
        """Keep a value; let older ones go."""
        with self._guard:
            if sequence in self._kept:
                return
            self._kept[sequence] = value
            self._bytes += self._size(value)
            while self._bytes > self._bytes_max and self._kept:
                _, gone = self._kept.popitem(last=False)
                self._bytes -= self._size(gone)


def document_bytes(document: Acceptance) -> int:
    """Return about how much memory a cached document takes."""
    return (
        len(document.envelope)
        + len(document.facts)
        + len(document.audience.runs)
        + _OVERHEAD_BYTES
        + 64 * len(document.topics)
    )


def audience_bytes(audience: StoredAudience) -> int:
    """Return about how much memory a cached audience takes."""
    return len(audience.runs) + _AUDIENCE_OVERHEAD_BYTES
