"""A bounded cache of documents as accepted: a broadcast is read once, not per recipient."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Final

from router.queue.records import Acceptance

_OVERHEAD_BYTES: Final = 1_024
"""What one cached document costs beside its opaque parts, roughly."""


class DocumentCache:
    """Documents by sequence, least recently used first out.  Thread-safe.

    Only what is on the disk may be put in: the sequence of a group that failed is given
    again to another record.
    """

    def __init__(self, bytes_max: int) -> None:
        self._bytes_max = bytes_max
        self._guard = threading.Lock()  # guards all below
        self._documents: OrderedDict[int, Acceptance] = OrderedDict()
        self._bytes = 0

    def get(self, sequence: int) -> Acceptance | None:
        """Return the document, or None when it is not here."""
        with self._guard:
            found = self._documents.get(sequence)
            if found is not None:
                self._documents.move_to_end(sequence)
            return found

    def put(self, sequence: int, document: Acceptance) -> None:
        """Keep a document; let older ones go."""
        with self._guard:
            if sequence in self._documents:
                return
            self._documents[sequence] = document
            self._bytes += _size(document)
            while self._bytes > self._bytes_max and self._documents:
                _, gone = self._documents.popitem(last=False)
                self._bytes -= _size(gone)


def _size(document: Acceptance) -> int:
    return (
        len(document.envelope)
        + len(document.facts)
        + len(document.audience.runs)
        + _OVERHEAD_BYTES
        + 64 * len(document.topics)
    )
