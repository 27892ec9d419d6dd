"""The state machine: what each record changes in the tables.

`apply` is pure: the same records in the same order give the same tables, byte for byte,
on every store.  It never refuses; what may be written is decided before (queue.py).

A delivery has no row until it is first leased, settled or found expired: queued is the
absence of a row.  Legal moves: queued -> leased -> leased; queued or leased -> delivered,
refused; queued or leased -> expired.  A final state never changes.
"""

from __future__ import annotations

import struct
from typing import Final

import msgspec

from router.ports import Transaction, View
from router.queue import tables
from router.queue.records import (
    Acceptance,
    LeaseRecord,
    Record,
    RoomRecord,
    SettleRecord,
    StoredAudience,
)

COUNTERS: Final = (
    "documents", "entries", "recipients", "rooms", "leased", "delivered", "refused",
    "expired", "attempts",
)  # fmt: skip
"""Recipients are the members of all audiences together; leased counts rows in that state,
also when the lease has run out; attempts are all hand-outs."""

_COUNTS: Final = struct.Struct(f">{len(COUNTERS)}q")
_COUNTS_KEY: Final = b"all"
_DOCUMENTS, _ENTRIES, _RECIPIENTS, _ROOMS = 0, 1, 2, 3
_FIRST_STATE: Final = COUNTERS.index("leased") - tables.LEASED
_ATTEMPTS: Final = COUNTERS.index("attempts")

_encoder: Final = msgspec.msgpack.Encoder()
_audience_decoder: Final = msgspec.msgpack.Decoder(StoredAudience)


def apply(record: Record, sequence: int, txn: Transaction) -> None:
    """Change the state as the record of that sequence says."""
    match record:
        case Acceptance():
            _apply_acceptance(record, sequence, txn)
        case LeaseRecord():
            _apply_lease(record, sequence, txn)
        case SettleRecord():
            _apply_settle(record, sequence, txn)
        case RoomRecord():
            txn.put(tables.ROOMS, tables.room_prefix(record.room) + _packed(sequence), b"")
            counts = _counts(txn)
            counts[_ROOMS] += 1
            _put_counts(txn, counts)


def counts(view: View) -> dict[str, int]:
    """Return all counters by name."""
    return dict(zip(COUNTERS, _counts(view), strict=True))


def read_audience(data: bytes) -> StoredAudience:
    """Return a stored audience from its row."""
    return _audience_decoder.decode(data)


def _packed(sequence: int) -> bytes:
    return tables.SEQUENCE.pack(sequence)


def _counts(view: View) -> list[int]:
    data = view.get(tables.COUNTS, _COUNTS_KEY)
    return [0] * len(COUNTERS) if data is None else list(_COUNTS.unpack(data))


def _put_counts(txn: Transaction, values: list[int]) -> None:
    txn.put(tables.COUNTS, _COUNTS_KEY, _COUNTS.pack(*values))


def _apply_acceptance(record: Acceptance, sequence: int, txn: Transaction) -> None:
    packed = _packed(sequence)
    audience = _audience_id(record.audience, sequence, txn)
    txn.put(tables.DOCUMENTS, packed, record.key)
    txn.put(tables.KEYS, record.key, packed)
    name = tables.name_of_id(record.sender, record.act, record.document_id)
    txn.put(tables.IDS, tables.dated(record.year, name), packed)
    if record.idempotency_key is not None:
        name = tables.name_of_idempotency_key(record.sender, record.idempotency_key)
        txn.put(tables.IDEMPOTENCY, tables.dated(record.year, name), packed)
    txn.put(
        tables.ENTRIES,
        packed + packed,
        tables.ENTRY_VALUE.pack(audience, tables.CAUSE_ADDRESSED),
    )
    expires = tables.NO_EXPIRY if record.expires_at is None else record.expires_at
    value = tables.TOPIC_VALUE.pack(audience, sequence, expires)
    for topic in sorted(record.topics):
        txn.put(tables.TOPICS, tables.topic_prefix(record.lane, topic) + packed, value)
    counts = _counts(txn)
    counts[_DOCUMENTS] += 1
    counts[_ENTRIES] += 1
    counts[_RECIPIENTS] += record.audience.size
    _put_counts(txn, counts)


def _audience_id(audience: StoredAudience, sequence: int, txn: Transaction) -> int:
    """Return the id of the audience, stored now if it is new."""
    name = tables.name_of_audience(audience.snapshot, audience.runs)
    known = txn.get(tables.AUDIENCE_IDS, name)
    if known is not None:
        found: int = tables.SEQUENCE.unpack(known)[0]
        return found
    packed = _packed(sequence)
    txn.put(tables.AUDIENCE_IDS, name, packed)
    txn.put(tables.AUDIENCES, packed, _encoder.encode(audience))
    return sequence


def _apply_lease(record: LeaseRecord, sequence: int, txn: Transaction) -> None:
    counts = _counts(txn)
    _move(
        txn, record.address, [(document, tables.LEASED) for document in record.documents],
        record.until, record.at, sequence, counts,
    )  # fmt: skip
    _move(
        txn, record.address, [(document, tables.EXPIRED) for document in record.expired],
        0, record.at, sequence, counts,
    )  # fmt: skip
    for lane, entry in record.floors:
        txn.put(
            tables.FLOORS,
            tables.FLOOR.pack(record.address, lane),
            tables.FLOOR_VALUE.pack(record.subscriptions, entry),
        )
    for lane, entry, audience, document, expires in record.opened:
        txn.put(
            tables.OPEN,
            tables.OPEN_ENTRY.pack(record.address, lane, entry),
            tables.TOPIC_VALUE.pack(audience, document, expires),
        )
    for lane, entry in record.closed:
        txn.delete(tables.OPEN, tables.OPEN_ENTRY.pack(record.address, lane, entry))
    _put_counts(txn, counts)


def _apply_settle(record: SettleRecord, sequence: int, txn: Transaction) -> None:
    counts = _counts(txn)
    moves = [(document, state) for document, state, _ in record.items]
    _move(txn, record.address, moves, 0, record.at, sequence, counts)
    _put_counts(txn, counts)


def _move(
    txn: Transaction,
    address: int,
    moves: list[tuple[int, int]],
    until: int,
    at: int,
    sequence: int,
    counts: list[int],
) -> None:
    """Move deliveries of one address to new states; what is final stays."""
    get, put, pack, moved = txn.get, txn.put, tables.DELIVERY.pack, tables.moved_row
    for document, state in moves:
        key = pack(address, document)
        row = get(tables.DELIVERIES, key)
        if row is not None:
            if row[0] >= tables.DELIVERED:
                continue
            counts[_FIRST_STATE + row[0]] -= 1
        counts[_FIRST_STATE + state] += 1
        if state == tables.LEASED:
            counts[_ATTEMPTS] += 1
        put(tables.DELIVERIES, key, moved(row, state, until, at, sequence))
