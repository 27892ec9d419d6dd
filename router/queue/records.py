"""The records of the log and the answers of the queue.

A record is one MessagePack array whose first element names its kind.  Fields are only
ever appended, with defaults: an older reader ignores what follows, a newer one fills in
what is missing.  Everything a record leads to is in the record itself (times, ids,
verdicts), so applying it is pure and a replay gives the same state.
"""

from __future__ import annotations

from typing import Final

import msgspec

from router.errors import StorageError, TooLargeError
from router.limits import RECORD_BYTES_MAX


class StoredAudience(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """A resolved set of units: runs of positions under one snapshot.

    `sha256` is over the members' stable numbers, so it is the same under every snapshot;
    `size` is the number of members.
    """

    snapshot: int
    runs: bytes
    sha256: bytes
    size: int


class Acceptance(msgspec.Struct, frozen=True, array_like=True, tag="acceptance"):
    """One accepted document, whole: what was received, what was judged, who gets it.

    `key` is the engine's 16-byte key, `sender` a stable unit number, `year` the calendar
    year of issue, `content` the SHA-256 of the signed payload, `lane` 0 to 3.  `envelope`
    and `facts` are opaque here.  `topics` (at most 16 bytes each) find candidates for an
    inbox; membership is tested in `audience`.  `at` and `expires_at` are instants.
    """

    key: bytes
    sender: int
    document_id: str
    act: str
    year: int
    idempotency_key: str | None
    content: bytes
    number_notation: str
    lane: int
    envelope: bytes
    facts: bytes
    audience: StoredAudience
    topics: tuple[bytes, ...]
    at: int
    unit: int
    actor: str
    expires_at: int | None = None


class RoomRecord(msgspec.Struct, frozen=True, array_like=True, tag="room"):
    """A record of another room (directory, trust, tokens); its body is opaque here."""

    room: str
    body: bytes
    at: int
    unit: int
    actor: str


class LeaseRecord(msgspec.Struct, frozen=True, array_like=True, tag="lease"):
    """Deliveries of one address handed out until `until`, and others found expired.

    `documents` and `expired` are document sequences.  `floors` are (lane, entry): all
    candidates up to that entry are final for this address or among its open entries, as
    long as its subscriptions have the digest `subscriptions`.  `opened` joined the open
    entries: (lane, entry, audience id, document, expiry); `closed` left them.  `unit`
    is who asked: the address itself or its holder.
    """

    address: int
    documents: tuple[int, ...]
    expired: tuple[int, ...]
    floors: tuple[tuple[int, int], ...]
    subscriptions: bytes
    until: int
    at: int
    actor: str
    unit: int = 0
    opened: tuple[tuple[int, int, int, int, int], ...] = ()
    closed: tuple[tuple[int, int], ...] = ()


class SettleRecord(msgspec.Struct, frozen=True, array_like=True, tag="settle"):
    """Deliveries of one address that became final: (document sequence, state, reason)."""

    address: int
    items: tuple[tuple[int, int, str], ...]
    at: int
    unit: int
    actor: str


Record = Acceptance | RoomRecord | LeaseRecord | SettleRecord

_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final[msgspec.msgpack.Decoder[Record]] = msgspec.msgpack.Decoder(Record)


def encode(record: Record) -> bytes:
    """Return the stored form.  Raises TooLargeError over `RECORD_BYTES_MAX`."""
    data = _encoder.encode(record)
    if len(data) > RECORD_BYTES_MAX:
        raise TooLargeError("record.too_large", bytes=len(data), limit=RECORD_BYTES_MAX)
    return data


def decode(data: bytes, sequence: int) -> Record:
    """Return the record.  Raises StorageError `store.corrupt` when it is none."""
    try:
        return _decoder.decode(data)
    except msgspec.MsgspecError as error:
        raise StorageError(
            "store.corrupt", path=f"log[{sequence}]", reason=f"log record {sequence}: {error}"
        ) from error


class Accepted(msgspec.Struct, frozen=True, gc=False):
    """The document was stored, as the record of that sequence."""

    sequence: int


class Repeated(msgspec.Struct, frozen=True, gc=False):
    """An equal document was accepted before: its key, sequence and facts."""

    key: bytes
    sequence: int
    facts: bytes


class Conflict(msgspec.Struct, frozen=True, gc=False):
    """The name is taken by the document `key`, whose content differs.

    `which` is "document_id" or "idempotency_key".
    """

    key: bytes
    which: str


class Leased(msgspec.Struct, frozen=True, gc=False):
    """One delivery handed out; `attempt` counts from 1, `accepted_at` is an instant."""

    key: bytes
    sequence: int
    lane: int
    attempt: int
    envelope: bytes
    facts: bytes
    accepted_at: int


class Settlement(msgspec.Struct, frozen=True, gc=False):
    """What became of one settled delivery.

    `found` is false when the address is no recipient of such a document; `state` is the
    final state; `repeated` says it was final before.
    """

    found: bool
    state: str = ""
    repeated: bool = False


class StoredDocument(msgspec.Struct, frozen=True):
    """A document as stored; `entries` are the sequences at which it joined inboxes."""

    sequence: int
    key: bytes
    sender: int
    document_id: str
    act: str
    content: bytes
    number_notation: str
    lane: int
    envelope: bytes
    facts: bytes
    audience: StoredAudience
    at: int
    unit: int
    actor: str
    expires_at: int | None
    entries: tuple[int, ...]


class Mark(msgspec.Struct, frozen=True):
    """A change of state in a delivery row: when, and the record that says by whom."""

    state: str
    at: int
    sequence: int


class DeliveryRow(msgspec.Struct, frozen=True):
    """Where one delivery stands: state, since when, how often leased, until when."""

    state: str
    attempts: int
    since: int
    until: int
    events: tuple[Mark, ...]


class Event(msgspec.Struct, frozen=True):
    """One change of state with who made it and why."""

    state: str
    at: int
    unit: int
    actor: str
    reason: str
