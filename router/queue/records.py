"""The records of the log, as the rooms above hand them in, and the answers of the queue.

A record begins with kind and version; its fields stand at fixed places, integers big-endian,
then come the parts of varying length (`_layout.pxd` has the places for the core).  Everything a
record leads to is in the record itself (times, ids, verdicts), so applying it is pure and a
replay gives the same state.  Changes of deliveries are written by the core (`_moves.pyx`).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from hashlib import sha256
from typing import Final

import msgspec

from router.errors import StorageError, TooLargeError
from router.limits import RECORD_BYTES_MAX, ROOM_NAME_BYTES_MAX
from router.model.instants import year_of

KIND_ACCEPTANCE: Final = 1
KIND_ROOM: Final = 2
KIND_CHANGES: Final = 3
KIND_ENTRY: Final = 4
KIND_JOIN: Final = 5
KIND_FEED: Final = 6
VERSION: Final = 1
KEY_BYTES: Final = 16
_CONTENT_BYTES: Final = 32
_FLAG_IDEMPOTENCY: Final = 1
_FLAG_NUMBER: Final = 2
_NONE: Final = bytes(16)
SNAPSHOT_MAX: Final = 0xFFFF_FFFF
"""The highest number of a snapshot that an inbox can name."""
_HEAD: Final = struct.Struct(">BBHIq")
"""Kind, version, calendar year (or a kind's own), unit, instant."""
_ACCEPTANCE: Final = struct.Struct(">BBHIqIHBBq16s16s16s16s32sQ32sIIIIIII")
_PART: Final = struct.Struct(">BI32sIq")
_SENDER: Final = struct.Struct(">I")
_RUN: Final = struct.Struct(">III")
_UNIT_TOPIC_BYTES: Final = 7
_ROOM_FIXED: Final = 16
_pack: Final = msgspec.msgpack.Encoder().encode
_texts: Final = msgspec.msgpack.Decoder(list[str | None])


class StoredAudience(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """A resolved set of units: runs of positions under one snapshot.

    `sha256` is over the members' stable numbers, so it is the same under every snapshot;
    `size` is the number of members.
    """

    snapshot: int
    runs: bytes
    sha256: bytes
    size: int


class Part(msgspec.Struct, frozen=True, array_like=True):
    """A part of a document's recipients that does not join inboxes at acceptance.

    `standing` is a state's number (`transport.State`): held, waiting or excluded; `due` is
    the instant at which a hold or a wait runs out, 0 for none.
    """

    standing: int
    audience: StoredAudience
    due: int = 0


class Acceptance(msgspec.Struct, frozen=True, array_like=True):
    """One accepted document, whole: what was received, what was judged, who gets it.

    `key` is the engine's 16-byte key, `sender` a stable unit number, `year` the calendar
    year of issue, `content` the SHA-256 of the signed payload, `lane` 0 to 3.  `envelope`
    and `facts` are opaque here.  `postings` are the topics that find candidates for an inbox,
    each with the runs it stands for (`Hierarchy.postings`).  `at` and `expires_at` are instants.
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
    postings: bytes
    at: int
    unit: int
    actor: str
    expires_at: int | None = None
    parts: tuple[Part, ...] = ()


class RoomRecord(msgspec.Struct, frozen=True, array_like=True):
    """A record of another room (directory, trust, tokens); its body is opaque here."""

    room: str
    body: bytes
    at: int
    unit: int
    actor: str


def name_of_id(sender: int, act: str, document_id: str) -> bytes:
    """Return the 16-byte digest under which (sender, act, document id) is kept."""
    text = f"{len(act)}:{act}{document_id}"
    return _digest(sender, text)


def name_of_idempotency_key(sender: int, idempotency_key: str) -> bytes:
    """Return the 16-byte digest under which a sender's idempotency key is kept."""
    return _digest(sender, idempotency_key)


def name_of_number(sender: int, number_notation: str) -> bytes:
    """Return the 16-byte digest under which a sender's number and notation are kept."""
    return _digest(sender, number_notation)


def _digest(sender: int, text: str) -> bytes:
    return sha256(_SENDER.pack(sender) + text.encode("utf-8", "surrogatepass")).digest()[:16]


def years_to_ask(at: int) -> tuple[int, ...]:
    """Return the calendar years in which a name may be known: this one and the one before.

    The next one, too: a sender's clock may be ahead, and this one may have gone back over new
    year.  It costs nothing as long as no document of that year is known.
    """
    year = year_of(at)
    return (year, year - 1, year + 1)


def encode_acceptance(item: Acceptance) -> bytes:
    """Return the record.  Raises TooLargeError `record.too_large`, ValueError."""
    if len(item.key) != KEY_BYTES or len(item.content) != _CONTENT_BYTES:
        raise ValueError("a document's key has 16 bytes, its content hash 32")
    _check_snapshot(item.audience)
    audience, key = item.audience, item.idempotency_key
    flags = (_FLAG_IDEMPOTENCY if key is not None else 0) | (
        _FLAG_NUMBER if item.number_notation else 0
    )
    parts = b"".join(_encode_part(part) for part in item.parts)
    texts = _pack((item.document_id, item.act, key, item.number_notation, item.actor))
    head = _ACCEPTANCE.pack(
        KIND_ACCEPTANCE, VERSION, year_of(item.at), item.unit, item.at, item.sender,
        min(max(item.year, 0), 0xFFFF), item.lane, flags, item.expires_at or 0, item.key,
        name_of_id(item.sender, item.act, item.document_id),
        _NONE if key is None else name_of_idempotency_key(item.sender, key),
        name_of_number(item.sender, item.number_notation), item.content, audience.snapshot,
        audience.sha256, audience.size, len(audience.runs), len(item.postings), len(parts),
        len(texts), len(item.envelope), len(item.facts),
    )  # fmt: skip
    return _bounded(
        b"".join((head, audience.runs, item.postings, parts, texts, item.envelope, item.facts))
    )


def _check_snapshot(audience: StoredAudience) -> None:
    if not 0 <= audience.snapshot <= SNAPSHOT_MAX:
        raise ValueError(f"a snapshot's number is at most {SNAPSHOT_MAX}")


def _encode_part(part: Part) -> bytes:
    audience = part.audience
    return (
        _PART.pack(part.standing, audience.size, audience.sha256, len(audience.runs), part.due)
        + audience.runs
    )


def decode_acceptance(data: bytes, sequence: int) -> Acceptance:
    """Return an acceptance from its record.  Raises StorageError `store.corrupt`."""
    try:
        fields = _ACCEPTANCE.unpack_from(data)
        sizes = fields[-6:]
        at = _ACCEPTANCE.size
        pieces = []
        for size in sizes:
            pieces.append(data[at : at + size])
            at += size
        if at != len(data) or fields[0] != KIND_ACCEPTANCE or fields[1] != VERSION:
            raise ValueError("its lengths do not agree")
        runs, postings, parts, texts, envelope, facts = pieces
        document_id, act, key, number_notation, actor = _texts.decode(texts)
        return Acceptance(
            key=fields[10], sender=fields[5], document_id=document_id or "", act=act or "",
            year=fields[6], idempotency_key=key, content=fields[14],
            number_notation=number_notation or "", lane=fields[7], envelope=envelope,
            facts=facts, audience=StoredAudience(fields[15], runs, fields[16], fields[17]),
            postings=postings, at=fields[4], unit=fields[3], actor=actor or "",
            expires_at=fields[9] or None, parts=_decode_parts(parts, fields[15]),
        )  # fmt: skip
    except (struct.error, ValueError, msgspec.MsgspecError) as error:
        raise _corrupt(sequence, str(error)) from error


def _decode_parts(data: bytes, snapshot: int) -> tuple[Part, ...]:
    found = []
    at = 0
    while at < len(data):
        standing, size, digest, runs, due = _PART.unpack_from(data, at)
        at += _PART.size
        audience = StoredAudience(snapshot, data[at : at + runs], digest, size)
        found.append(Part(standing, audience, due))
        at += runs
    return tuple(found)


def encode_room(record: RoomRecord) -> bytes:
    """Return a room's record.  Raises TooLargeError, ValueError for a name too long."""
    name = record.room.encode()
    if not 0 < len(name) <= ROOM_NAME_BYTES_MAX:
        raise ValueError(f"a room's name has 1 to {ROOM_NAME_BYTES_MAX} bytes")
    head = _HEAD.pack(KIND_ROOM, VERSION, 0, record.unit, record.at)
    actor = record.actor.encode("utf-8", "surrogatepass")
    return _bounded(
        head + bytes((len(name),)) + name + struct.pack(">H", len(actor)) + actor + record.body
    )


def decode_room(data: bytes, sequence: int) -> RoomRecord:
    """Return a room's record.  Raises StorageError `store.corrupt`."""
    try:
        kind, version, _, unit, at = _HEAD.unpack_from(data)
        if kind != KIND_ROOM or version != VERSION:
            raise ValueError("it is no record of a room")
        start = _ROOM_FIXED + 1 + data[_ROOM_FIXED]
        (size,) = struct.unpack_from(">H", data, start)
        name = data[_ROOM_FIXED + 1 : start].decode()
        actor = data[start + 2 : start + 2 + size].decode("utf-8", "surrogatepass")
        return RoomRecord(name, data[start + 2 + size :], at, unit, actor)
    except (struct.error, ValueError, IndexError) as error:
        raise _corrupt(sequence, str(error)) from error


_MOVE: Final = struct.Struct(">BBBBIqQQII")
_JOIN: Final = struct.Struct(">BBBBIqQQqQI32sIII")


def encode_move(
    document: int, entry: int, standing: int, topics: bytes, at: int, unit: int, actor: str,
    reason: str,
) -> bytes:  # fmt: skip
    """Return the record that moves all open members of an entry to one standing.

    `topics`, each with its length before it, are those the entry leaves.
    """
    texts = _pack((actor, reason))
    return _bounded(
        _MOVE.pack(
            KIND_ENTRY, VERSION, standing, 0, unit, at, document, entry, len(topics), len(texts)
        )
        + topics
        + texts
    )


class Joining(msgspec.Struct, frozen=True):
    """A part of an audience that joins inboxes after acceptance.

    `cause` says why (`CAUSES`); `takes_over` is the entry whose members it takes over, or 0:
    all of them, and of those that are queued again (`REDRIVEN`) the dead ones among its own.
    """

    document: int
    audience: StoredAudience
    postings: bytes
    lane: int
    cause: int
    at: int
    unit: int
    actor: str
    reason: str = ""
    takes_over: int = 0
    expires_at: int = 0


CAUSES: Final = ("addressed", "policy", "released", "update", "re-driven", "redirected")
"""Why an entry joined inboxes, by number."""
REDRIVEN: Final = CAUSES.index("re-driven")


def encode_join(item: Joining) -> bytes:
    """Return the record that lets an entry join inboxes.  Raises TooLargeError, ValueError."""
    _check_snapshot(item.audience)
    audience, texts = item.audience, _pack((item.actor, item.reason))
    return _bounded(
        _JOIN.pack(
            KIND_JOIN, VERSION, item.cause, item.lane, item.unit, item.at, item.document,
            item.takes_over, item.expires_at, audience.snapshot, audience.size, audience.sha256,
            len(audience.runs), len(item.postings), len(texts),
        )
        + audience.runs
        + item.postings
        + texts
    )  # fmt: skip


def encode_feed(events: list[tuple[int, bytes]], at: int, unit: int) -> bytes:
    """Return the record that tells senders something: (sender, event) each.

    A feed has one row a record, so each sender is told once.  Raises ValueError, TooLargeError.
    """
    if len({sender for sender, _ in events}) != len(events):
        raise ValueError("one record tells a sender one thing")
    body = b"".join(struct.pack(">II", sender, len(event)) + event for sender, event in events)
    return _bounded(
        _HEAD.pack(KIND_FEED, VERSION, 0, unit, at) + struct.pack(">I", len(events)) + body
    )


def units_by_name(postings: bytes) -> Iterator[int]:
    """Yield the units that postings stand for one by one (`_intake.by_name`)."""
    at = 0
    while at < len(postings):
        runs = at + 2 + postings[at]
        count = postings[runs - 1]
        if postings[at] == _UNIT_TOPIC_BYTES and count == 1:
            start, stop, _ = _RUN.unpack_from(postings, runs)
            if stop == start + 1:
                yield int.from_bytes(postings[at + 1 : at + 5], "big")
        at = runs + count * _RUN.size


def texts_of(data: bytes) -> tuple[str, str]:
    """Return (actor, reason) as a record has them."""
    actor, reason = _texts.decode(data)
    return actor or "", reason or ""


def room_prefix(room: str) -> bytes:
    """Return the start of a room's keys in `rooms`."""
    name = room.encode()
    return bytes((len(name),)) + name


def verdict_room(document: int) -> str:
    """Return the room of the verdict that a document waited for, by the document's sequence."""
    return f"verdict/{document:x}"


def _bounded(data: bytes) -> bytes:
    if len(data) > RECORD_BYTES_MAX:
        raise TooLargeError("record.too_large", bytes=len(data), limit=RECORD_BYTES_MAX)
    return data


def _corrupt(sequence: int, reason: str) -> StorageError:
    return StorageError(
        "store.corrupt", path=f"log[{sequence}]", reason=f"log record {sequence}: {reason}"
    )


class Accepted(msgspec.Struct, frozen=True, gc=False):
    """The document was stored, as the record of that sequence.

    `twin` is the first document of the same sender, number, notation and year, or 0.
    """

    sequence: int
    twin: int = 0


class Repeated(msgspec.Struct, frozen=True, gc=False):
    """An equal document was accepted before: its key, sequence and facts."""

    key: bytes
    sequence: int
    facts: bytes


class Conflict(msgspec.Struct, frozen=True, gc=False):
    """The name is taken by the document `key`, whose content differs.

    `which` is "document_id" or "idempotency_key"; of a key the other document may also be one
    of equal content under another id than the one that was repeated.
    """

    key: bytes
    which: str


class Overfull(msgspec.Struct, frozen=True, gc=False):
    """The sender has too many documents in flight, or some recipients too much pending.

    `recipients` are all those written to by name that have `limit` open deliveries; none: it
    is the sender.  Nothing was stored.
    """

    limit: int
    recipients: tuple[int, ...] = ()


class Settlement(msgspec.Struct, frozen=True, gc=False):
    """What became of one settled delivery.

    `found` is false when the address is no recipient of such a document; `state` is the
    state after; `repeated` says it was final before.
    """

    found: bool
    state: str = ""
    repeated: bool = False


class StoredDocument(msgspec.Struct, frozen=True):
    """A document as stored; `entries` are the numbers under which it joined inboxes.

    `twin` is the first document of equal number and notation in its year, or 0.
    """

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
    twin: int = 0


class DeliveryRow(msgspec.Struct, frozen=True):
    """Where one delivery stands: state, since when, how often leased, until when."""

    state: str
    attempts: int
    since: int
    until: int


class Event(msgspec.Struct, frozen=True):
    """One change of state with who made it and why."""

    state: str
    at: int
    unit: int
    actor: str
    reason: str
