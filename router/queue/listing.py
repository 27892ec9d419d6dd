"""Documents in the order of their records, for lists, statistics and shapes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from router.queue.queue import Queue
from router.queue.reading import TABLE, DocumentRow, EntryRow, read_document
from router.queue.records import KIND_CHANGES
from router.queue.transport import FINAL, State

_PAGE: Final = 512

"""Where an entry's counts have the dead, whom an operator may queue again."""


def documents_from(queue: Queue, start: int) -> Iterator[tuple[int, DocumentRow]]:
    """Yield (sequence, row) of the documents from a sequence on, oldest first.

    Read in pages, so what is accepted meanwhile shows.
    """
    while page := queue.store.page(TABLE["documents"], b"", start, _PAGE):
        for sequence, value in page:
            yield sequence, read_document(value)
        start = page[-1][0] + 1


def document_row(queue: Queue, sequence: int) -> DocumentRow | None:
    """Return the row of the document of a sequence, or None."""
    row = queue.store.row(TABLE["documents"], sequence.to_bytes(8, "big"))
    return None if row is None else read_document(row)


def is_open(entry: EntryRow, at: int) -> bool:
    """Say whether an entry has members that are under way; what ran out by `at` is not."""
    over = sum(entry.counts)
    if State(entry.standing) in FINAL or 0 < entry.expires <= at:
        return entry.touched > over
    return entry.size > over


def oldest_open(
    queue: Queue, start: int, looked_max: int, at: int
) -> tuple[DocumentRow | None, int]:
    """Look for the first document from a sequence on that has open deliveries.

    Returns it (None: none among `looked_max`) and the sequence to go on from; that one is
    beyond all documents when there is none.
    """
    sequence = start
    for looked, (sequence, row) in enumerate(documents_from(queue, start)):
        if looked >= looked_max:
            return None, sequence
        if any(is_open(entry, at) for entry in queue.entries(sequence) if _counts(entry)):
            return row, sequence
    return None, queue.store.last + 1


def _counts(entry: EntryRow) -> bool:
    return entry.standing < len(State)  # not of members that another entry took over


def instant_of(queue: Queue, sequence: int) -> int | None:
    """Return the instant in the record of a sequence, or None when there is none."""
    data = queue.store.record(sequence)
    if data is None or len(data) < 16:
        return None
    start = 3 if data[0] == KIND_CHANGES else 8
    return int.from_bytes(data[start : start + 8], "big", signed=True)
