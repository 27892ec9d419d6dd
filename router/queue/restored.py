"""What a restoration from a backup leaves in the log: an operator's act, and a gap before it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

import msgspec

from router.model.instants import SECOND_US
from router.queue import records
from router.queue._overlay import Overlay
from router.queue.reading import TABLE
from router.queue.records import RoomRecord
from router.queue.segments import SEQUENCE_GAP
from router.queue.tables import ORDERED

if TYPE_CHECKING:
    from router.queue._store import Store
    from router.queue.queue import Queue

EPOCH_GAP: Final = 1 << 32
"""How far the epoch leaps: above any that the lost engine can have had."""
NUMBERS_A_SECOND_MAX: Final = 1 << 16
"""More sequences than an engine gives in the long run."""
ROOM: Final = "operations"
"""The room of operators' acts."""
_PAGE: Final = 256
_PLACE: Final = b"place"


class Restored(msgspec.Struct, frozen=True, array_like=True, tag="restored"):
    """The operator's act of restoring, as a record of the log.

    The backup ended at `sequence` and was made at `made_at`, in the epoch `epoch`.  All that
    was queued at or below that sequence may have been handed out since; its deliveries come
    again under their old ids.  Sequences up to that of the record itself were left out.
    """

    sequence: int
    made_at: int
    epoch: int


def leap(act: Restored, at: int) -> tuple[int, int, Overlay]:
    """Return how numbers go on after a restoration that is made at an instant.

    (the sequence after which they go on, the epoch above which, what that changes in the base):
    the base's checkpoint then stands after the gap, and nothing before it is replayed.  The
    older the backup, the longer the gap: it may be restored again, after an earlier restoration
    gave numbers out and was lost, too.
    """
    since = max(0, (at - act.made_at) // SECOND_US) * NUMBERS_A_SECOND_MAX
    first, above = act.sequence + SEQUENCE_GAP + since, act.epoch + EPOCH_GAP + since
    changes = Overlay(ORDERED)
    nowhere = first.to_bytes(8, "big") + bytes(12) + above.to_bytes(8, "big")
    changes.set(TABLE["meta"], _PLACE, nowhere)
    return first, above, changes


def note(queue: Queue, act: Restored, at: int, actor: str) -> None:
    """Write a restoration down, as the first record after the gap.  Raises StorageError."""
    queue.append_rooms([RoomRecord(ROOM, msgspec.msgpack.encode(act), at, 0, actor)])


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


def given_until(store: Store, sequence: int) -> int:
    """Return the last sequence of the stretch that a given one is in: a gap or the end follows."""
    return next(last for first, last in stretches(store) if first <= sequence <= last)
