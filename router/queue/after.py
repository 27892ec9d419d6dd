"""What comes after acceptance: what falls due, what senders are told, who was first.

Readings of the tables `due`, `feed` and `documents`, and the records that answer them.  The
engine decides when and what; here is how it is written down.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final, NamedTuple

from router.errors import StorageError
from router.queue import history, reading, records
from router.queue._store import Store
from router.queue.queue import Queue
from router.queue.reading import TABLE, DocumentRow, EntryRow
from router.queue.records import Event, StoredAudience
from router.queue.transport import State

HOUR_US: Final = 3_600_000_000
_JOIN_RUNS: Final = 84
_JOIN_FIXED: Final = 96
_RUN_BYTES: Final = 12
_NOBODY: Final = 0
"""The feed of sender 0 is the engine's own: what it has told already."""


class DueRow(NamedTuple):
    """An entry that wants attention since an instant."""

    at: int
    document: int
    entry: int


class Dead(NamedTuple):
    """A delivery that died: of which document (its row), to whom, when."""

    document: DocumentRow
    address: int
    at: int


# Due work.


def due(store: Store, until: int, limit: int) -> list[DueRow]:
    """Return at most `limit` entries that fell due by an instant, the oldest first.

    Hours that are over and have nothing left are not looked at again.
    """
    hour, last = store.due_from(), until // HOUR_US
    found: list[DueRow] = []
    while hour is not None and hour <= last and len(found) < limit:
        wanted = limit - len(found)
        page = store.page(TABLE["due"], hour.to_bytes(4, "big"), 0, wanted)
        for suffix, value in page:
            at = hour * HOUR_US + (suffix >> 32)
            if at > until:
                return found
            found.append(DueRow(at, *reading.read_due(value)))
        if not found and hour + 1 < last:  # an hour stays: records may still be on their way
            store.due_done(hour + 1)
        hour += 1
    return found


_YEARS_AHEAD: Final = 4 * 366 * 24


def will_be_due(store: Store, now_us: int) -> Iterator[DueRow]:
    """Yield what falls due within four years, the soonest first; nothing is forgotten by it.

    Holds end within POLICY_WORKING_DAYS_MAX working days.
    """
    hour = store.due_from()
    last = now_us // HOUR_US + _YEARS_AHEAD
    while hour is not None and hour <= last:
        start, prefix = 0, hour.to_bytes(4, "big")
        while page := store.page(TABLE["due"], prefix, start, 1_024):
            for suffix, value in page:
                yield DueRow(hour * HOUR_US + (suffix >> 32), *reading.read_due(value))
            start = page[-1][0] + 1
        hour += 1


def acceptance_of(store: Store, sequence: int) -> records.Acceptance:
    """Return a document as it was accepted.  Raises StorageError `store.corrupt`."""
    data = store.record(sequence)
    if data is None:
        raise StorageError(
            "store.corrupt", path=f"log[{sequence}]", reason=f"log record {sequence} is missing"
        )
    return records.decode_acceptance(data, sequence)


def entry_of(queue: Queue, document: int, entry: int) -> EntryRow | None:
    """Return one entry of a document, or None."""
    prefix = document.to_bytes(8, "big")
    for number, value in queue.store.page(TABLE["entries"], prefix, entry, 1):
        if number == entry:
            return reading.read_entry(number, value)
    return None


def joined(row: EntryRow) -> bool:
    """Say whether an entry joined inboxes: of a part of an acceptance only another does."""
    return not row.number & (1 << reading.ENTRY_SHIFT) - 1


def expiry(queue: Queue, row: EntryRow, document: int, reason: str) -> bytes:
    """Return the record that lets an entry expire, as of the instant at which it ran out."""
    topics = topics_of(queue.store, row)
    return records.encode_move(
        document, row.number, State.EXPIRED, topics, row.expires, 0, "engine", reason
    )


def closing(row: EntryRow, due: DueRow) -> bytes:
    """Return the record that ends what is left open of an entry that is over.

    What was leased when it ended was its recipients' until their leases ran out.
    """
    return records.encode_move(
        due.document, due.entry, row.standing, b"", due.at, 0, "engine", "lease"
    )


def topics_of(store: Store, row: EntryRow) -> bytes:
    """Return the topics an entry joined, each with its length before it."""
    if row.standing != State.QUEUED:
        return b""
    sequence = row.number >> reading.ENTRY_SHIFT
    data = store.record(sequence)
    if data is None:
        raise StorageError(
            "store.corrupt", path=f"log[{sequence}]", reason=f"log record {sequence} is missing"
        )
    if data[0] == records.KIND_JOIN:
        runs, postings = struct.unpack_from(">II", data, _JOIN_RUNS)
        joined = data[_JOIN_FIXED + runs : _JOIN_FIXED + runs + postings]
    else:
        joined = records.decode_acceptance(data, sequence).postings
    return b"".join(_topics(joined))


def _topics(postings: bytes) -> Iterator[bytes]:
    at = 0
    while at < len(postings):
        stop = at + 1 + postings[at]
        yield postings[at:stop]
        at = stop + 1 + postings[stop] * _RUN_BYTES


# Held parts.


def release(
    row: EntryRow, document: int, audience: StoredAudience, postings: bytes, expires: int,
    at: int, unit: int, actor: str, reason: str,
) -> bytes:  # fmt: skip
    """Return the record by which a held part joins inboxes, in its own lane."""
    return records.encode_join(
        records.Joining(
            document, audience, postings, row.lane, records.CAUSES.index("released"), at, unit,
            actor, reason, row.number, expires,
        )
    )  # fmt: skip


def denial(row: EntryRow, document: int, at: int, unit: int, actor: str, reason: str) -> bytes:
    """Return the record that excludes a held part."""
    return records.encode_move(document, row.number, State.EXCLUDED, b"", at, unit, actor, reason)


def ended_by(store: Store, row: EntryRow) -> tuple[int, int, str, str] | None:
    """Return (instant, unit, actor, reason) of the record that ended a held part, or None."""
    data = store.record(row.changed)
    if data is None or row.changed == row.number >> reading.ENTRY_SHIFT:
        return None
    return reading.who_moved(data, row.changed)


# Rooms.


def room_sequences(store: Store, room: str) -> Iterator[int]:
    """Yield the sequences of a room's records, without reading them."""
    prefix, start = records.room_prefix(room), 0
    while page := store.page(TABLE["rooms"], prefix, start, 1_024):
        yield from (sequence for sequence, _ in page)
        start = page[-1][0] + 1


# Feeds.


def feed(store: Store, sender: int, start: int, limit: int) -> list[tuple[int, bytes]]:
    """Return at most `limit` (sequence, what is told) of a sender from a sequence on."""
    return store.page(TABLE["feed"], sender.to_bytes(4, "big"), start, limit)


def told(store: Store) -> Iterator[bytes]:
    """Yield what the engine noted for itself beside what senders were told."""
    start = 0
    while page := feed(store, _NOBODY, start, 1_024):
        yield from (value for _, value in page)
        start = page[-1][0] + 1


def dead_of(store: Store, sequence: int, sender: int) -> list[Dead]:
    """Return the deliveries of a sender that the record of a sequence let die."""
    data = store.record(sequence)
    if data is None or data[0] != records.KIND_CHANGES:
        return []
    changes = reading.changes_of(data)
    found = []
    for one in changes.moves:
        row = document_row(store, one.document) if one.state == State.DEAD else None
        if row is not None and row.sender == sender:
            found.append(Dead(row, changes.address, changes.at))
    return found


def document_row(store: Store, sequence: int) -> DocumentRow | None:
    """Return a document's row by its sequence, or None."""
    row = store.row(TABLE["documents"], sequence.to_bytes(8, "big"))
    return None if row is None else reading.read_document(row)


# One delivery.


def history_of(
    queue: Queue, document: int, entry: EntryRow, rank: int, *, left: bool = False
) -> list[Event]:
    """Return what one entry brought to the history of one of its members, oldest first.

    `left`: a newer entry holds the member since.  Of very many hand-outs the newest are kept.
    """
    (cell,) = queue.cells(entry.number, rank, 1)
    own = 0 if cell is None else cell.sequence
    return history.history_of(queue.store, document, entry.number, rank, own, left=left)


def joining(
    document: int, entry: EntryRow, audience: StoredAudience, postings: bytes, at: int,
    actor: str, reason: str,
) -> bytes:  # fmt: skip
    """Return the record that hands a part of an entry's dead members out anew."""
    return records.encode_join(
        records.Joining(
            document, audience, postings, entry.lane, records.REDRIVEN, at, 0, actor, reason,
            entry.number, entry.expires,
        )
    )  # fmt: skip
