"""What a restoration from a backup leaves in the log: an operator's act, and a gap before it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

import msgspec

from router.queue import records
from router.queue.reading import TABLE
from router.queue.records import RoomRecord

if TYPE_CHECKING:
    from router.queue._store import Store

ROOM: Final = "operations"
"""The room of operators' acts."""
_PAGE: Final = 256


class Restored(msgspec.Struct, frozen=True, array_like=True, tag="restored"):
    """The operator's act of restoring, as a record of the log.

    The backup ended at `sequence` and was made at `made_at`, in the epoch `epoch`.  All that
    was queued at or below that sequence may have been handed out since; its deliveries come
    again under their old ids.  Sequences up to that of the record itself were left out.
    """

    sequence: int
    made_at: int
    epoch: int


def restorations(store: Store) -> Iterator[tuple[int, RoomRecord, Restored]]:
    """Yield the restorations a store went through: (sequence, record, act), oldest first."""
    prefix, start = records.room_prefix(ROOM), 0
    while page := store.page(TABLE["rooms"], prefix, start, _PAGE):
        for sequence, _ in page:
            data = store.record(sequence)
            if data is not None:
                record = records.decode_room(data, sequence)
                yield sequence, record, msgspec.msgpack.decode(record.body, type=Restored)
        start = page[-1][0] + 1


def stretches(store: Store) -> list[tuple[int, int]]:
    """Return the sequences that were ever given, as (first, last) from gap to gap."""
    first = 1
    found: list[tuple[int, int]] = []
    for sequence, _, act in restorations(store):
        found.append((first, act.sequence))
        first = sequence
    return [*found, (first, store.last)]
