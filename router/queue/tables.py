"""The layout of the state: tables, keys, fixed-size values.

Keys begin with a sequence, a year or an address, so that what is written together lies
together.  Names chosen by senders (document ids, idempotency keys) appear in keys only as
SHA-256, so no key nears the store's limit of 511 bytes.  Integers are big-endian: byte
order is number order.

| table        | key                                   | value |
|---|---|---|
| documents    | document sequence                     | key |
| keys         | key                                   | document sequence |
| ids          | year, SHA-256(sender, act, id)        | document sequence |
| idempotency  | year, SHA-256(sender, key)            | document sequence |
| audiences    | audience id (its first sequence)      | StoredAudience |
| audience_ids | SHA-256(snapshot, runs)               | audience id |
| entries      | document sequence, entry sequence     | audience id, cause |
| topics       | lane, topic, entry sequence           | audience id, document sequence, expiry |
| deliveries   | address, document sequence            | row |
| floors       | address, lane                         | subscriptions digest, entry |
| open         | address, lane, entry sequence         | as in topics |
| rooms        | room, sequence                        | (empty) |
| counts       | one fixed name                        | all counters |

Deliveries are keyed by address first: an inbox of a hundred documents then touches two or
three pages, not a hundred (see docs/decisions/0002-data-directory-and-first-store.md).
"""

from __future__ import annotations

import struct
from hashlib import sha256
from typing import Final

from router.limits import HISTORY_EVENTS_MAX, ROOM_NAME_BYTES_MAX
from router.queue.records import DeliveryRow, Mark

DOCUMENTS: Final = "documents"
KEYS: Final = "keys"
IDS: Final = "ids"
IDEMPOTENCY: Final = "idempotency"
AUDIENCES: Final = "audiences"
AUDIENCE_IDS: Final = "audience_ids"
ENTRIES: Final = "entries"
TOPICS: Final = "topics"
DELIVERIES: Final = "deliveries"
FLOORS: Final = "floors"
OPEN: Final = "open"
ROOMS: Final = "rooms"
COUNTS: Final = "counts"

TABLES: Final = (
    DOCUMENTS, KEYS, IDS, IDEMPOTENCY, AUDIENCES, AUDIENCE_IDS,
    ENTRIES, TOPICS, DELIVERIES, FLOORS, OPEN, ROOMS, COUNTS,
)  # fmt: skip

KEY_BYTES: Final = 16
CAUSE_ADDRESSED: Final = 0

LEASED: Final = 1
DELIVERED: Final = 2
REFUSED: Final = 3
EXPIRED: Final = 4
STATE_NAMES: Final = {LEASED: "leased", DELIVERED: "delivered", REFUSED: "refused",
                      EXPIRED: "expired"}  # fmt: skip
STATE_NUMBERS: Final = {name: number for number, name in STATE_NAMES.items()}
"""States that have a row.  No row means queued; from DELIVERED on a state is final."""

SEQUENCE: Final = struct.Struct(">Q")
ENTRY: Final = struct.Struct(">QQ")
ENTRY_VALUE: Final = struct.Struct(">QB")
TOPIC_VALUE: Final = struct.Struct(">QQq")
DELIVERY: Final = struct.Struct(">IQ")
FLOOR: Final = struct.Struct(">IB")
OPEN_ENTRY: Final = struct.Struct(">IBQ")
FLOOR_VALUE: Final = struct.Struct(">8sQ")
ROW: Final = struct.Struct(">BIqq")
"""The head of a delivery row: state, attempts, since, until; then marks."""
MARK: Final = struct.Struct(">BqQ")
"""State, instant, sequence of the record."""
_FIRST_ROW: Final = struct.Struct(">BIqqBqQ")
NO_EXPIRY: Final = 0
_YEAR: Final = struct.Struct(">H")
_YEAR_MAX: Final = 65_535
_SENDER: Final = struct.Struct(">I")


def name_of_id(sender: int, act: str, document_id: str) -> bytes:
    """Return the digest under which (sender, act, document id) is kept."""
    return sha256(
        _SENDER.pack(sender) + f"{len(act)}:{act}{document_id}".encode("utf-8", "surrogatepass")
    ).digest()


def name_of_idempotency_key(sender: int, idempotency_key: str) -> bytes:
    """Return the digest under which a sender's idempotency key is kept."""
    return sha256(_SENDER.pack(sender) + idempotency_key.encode("utf-8", "surrogatepass")).digest()


def dated(year: int, digest: bytes) -> bytes:
    """Return the key of a digest in a calendar year (so that whole years can go)."""
    return _YEAR.pack(min(max(year, 0), _YEAR_MAX)) + digest


def name_of_audience(snapshot: int, runs: bytes) -> bytes:
    """Return the digest under which equal audiences of one snapshot meet."""
    return sha256(SEQUENCE.pack(snapshot) + runs).digest()


def topic_prefix(lane: int, topic: bytes) -> bytes:
    """Return the start of all keys of one topic in one lane."""
    return bytes((lane, len(topic))) + topic


def subscriptions_digest(subscriptions: list[bytes]) -> bytes:
    """Return 8 bytes that differ when the (sorted) subscriptions differ."""
    return sha256(b"".join(bytes((len(topic),)) + topic for topic in subscriptions)).digest()[:8]


def room_prefix(room: str) -> bytes:
    """Return the start of all keys of one room.  Raises ValueError for a name too long."""
    name = room.encode()
    if not 0 < len(name) <= ROOM_NAME_BYTES_MAX:
        raise ValueError("a room's name has 1 to 64 bytes")
    return bytes((len(name),)) + name


def moved_row(row: bytes | None, state: int, until: int, at: int, sequence: int) -> bytes:
    """Return the row after one more change of state.

    Leases in a row keep the first and the last of them, so a row stays small however
    often a delivery is handed out; the log has them all.
    """
    if row is None:
        attempts = 1 if state == LEASED else 0
        return _FIRST_ROW.pack(state, attempts, at, until, state, at, sequence)
    attempts = ROW.unpack_from(row)[1]
    marks = row[ROW.size :]
    if state == LEASED:
        attempts += 1
        if len(marks) >= 2 * MARK.size and marks[-MARK.size] == LEASED == marks[-2 * MARK.size]:
            marks = marks[: -MARK.size]
    marks += MARK.pack(state, at, sequence)
    if len(marks) > HISTORY_EVENTS_MAX * MARK.size:
        marks = marks[: MARK.size] + marks[-(HISTORY_EVENTS_MAX - 1) * MARK.size :]
    return ROW.pack(state, min(attempts, 0xFFFFFFFF), at, until) + marks


def read_row(row: bytes) -> DeliveryRow:
    """Return the row in words."""
    state, attempts, since, until = ROW.unpack_from(row)
    marks = tuple(
        Mark(STATE_NAMES[mark], at, sequence)
        for mark, at, sequence in MARK.iter_unpack(row[ROW.size :])
    )
    return DeliveryRow(STATE_NAMES[state], attempts, since, until, marks)
