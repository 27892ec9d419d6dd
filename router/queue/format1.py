"""Reads a data directory of format 1, for migration: LMDB with the log in a table.

    table log    sequence -> epoch (u64), CRC-32 (u32), record: one MessagePack array
    table rooms  length of the room's name, name, sequence -> nothing
    table counts one row: nine counters
    table meta   last -> the last sequence ever given, when records were cut away

What else stands there (documents, deliveries, topics, …) follows from the log.  The file is
opened for reading only, without LMDB's own lock: who reads holds the directory's.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final
from zlib import crc32

import lmdb
import msgspec

from router.errors import StorageError
from router.limits import MAP_BYTES, STORE_TABLES_MAX
from router.queue.environment import damage
from router.queue.records import RoomRecord, StoredAudience, room_prefix

COUNTERS: Final = (
    "documents", "entries", "recipients", "rooms", "leased", "delivered", "refused", "expired",
    "attempts",
)  # fmt: skip
"""The counters of format 1; those of this format have the same names."""
_COUNTS: Final = struct.Struct(f">{len(COUNTERS)}q")
_HEAD: Final = struct.Struct(">QI")
_COVERED: Final = struct.Struct(">QQ")
_SEQUENCE: Final = struct.Struct(">Q")
_PAGE: Final = 1_024


class Accepted1(msgspec.Struct, frozen=True, array_like=True, tag="acceptance"):
    """An accepted document; `topics` are its candidates' topics, seven bytes each."""

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


class Room1(msgspec.Struct, frozen=True, array_like=True, tag="room"):
    """A record of another room."""

    room: str
    body: bytes
    at: int
    unit: int
    actor: str


class Lease1(msgspec.Struct, frozen=True, array_like=True, tag="lease"):
    """Documents (by sequence) handed out to an address, and others found expired."""

    address: int
    documents: tuple[int, ...]
    expired: tuple[int, ...]
    floors: tuple[tuple[int, int], ...]
    subscriptions: bytes
    until: int
    at: int
    actor: str
    unit: int = 0


class Settle1(msgspec.Struct, frozen=True, array_like=True, tag="settle"):
    """Deliveries of an address that became final: (document, state, reason)."""

    address: int
    items: tuple[tuple[int, int, str], ...]
    at: int
    unit: int
    actor: str


Record1 = Accepted1 | Room1 | Lease1 | Settle1
_decoder: Final[msgspec.msgpack.Decoder[Record1]] = msgspec.msgpack.Decoder(Record1)


class Format1:
    """The log of a directory of format 1, and what it counted.  Close it."""

    def __init__(self, store: Path) -> None:
        """Verify and open `store`/data.mdb.  Raises StorageError `store.corrupt`, `store.failed`.

        LMDB ends the process at some kinds of damaged pages, so all are looked at first.
        """
        problems = damage(store)
        if problems:
            raise StorageError(
                "store.corrupt", path=str(store), reason=f"store/data.mdb: {problems[0]}"
            )
        self._place = store
        try:
            self._env: Any = lmdb.open(
                str(store), map_size=MAP_BYTES, max_dbs=STORE_TABLES_MAX, readonly=True,
                lock=False, readahead=False, lib_version=0,
            )  # fmt: skip
            self._tables = {
                name: self._env.open_db(name.encode(), create=False)
                for name in ("log", "rooms", "counts", "meta")
            }
        except lmdb.Error as error:
            raise StorageError(
                "store.corrupt", path=str(store), reason=f"store/data.mdb: {error}"
            ) from error

    def close(self) -> None:
        """Close the file; idempotent."""
        self._env.close()

    @property
    def store(self) -> Format1:
        """What `last` is asked of, as of a queue's store."""
        return self

    @property
    def last(self) -> int:
        """The highest sequence that was given."""
        with self._env.begin() as txn, txn.cursor(db=self._tables["log"]) as cursor:
            last = _number(cursor.key()) if cursor.last() else 0
            kept = txn.get(b"last", db=self._tables["meta"])
        return max(last, 0 if kept is None else _number(kept))

    def bytes(self) -> int:
        """Return how many bytes of the file are in use."""
        info, stat = self._env.info(), self._env.stat()
        used: int = (info["last_pgno"] + 1) * stat["psize"]
        return used

    def counts(self) -> dict[str, int]:
        """Return the counters by name."""
        with self._env.begin() as txn:
            data = txn.get(b"all", db=self._tables["counts"])
        values = _COUNTS.unpack(data) if data is not None else (0,) * len(COUNTERS)
        return dict(zip(COUNTERS, values, strict=True))

    def records(self) -> Iterator[tuple[int, Record1]]:
        """Yield (sequence, record) of the whole log, in order and without gaps.

        Raises StorageError `store.corrupt`, naming the record.
        """
        expected = 1
        while True:
            page: list[tuple[int, bytes]] = []
            with self._env.begin() as txn, txn.cursor(db=self._tables["log"]) as cursor:
                if cursor.set_range(_SEQUENCE.pack(expected)):
                    for key, stored in cursor.iternext(keys=True, values=True):
                        page.append((_number(key), bytes(stored)))
                        if len(page) >= _PAGE:
                            break
            if not page:
                if expected <= self.last:
                    raise _corrupt(expected, "it is missing")
                return
            for sequence, stored in page:
                if sequence != expected:
                    raise _corrupt(expected, "it is missing")
                yield sequence, read_record(sequence, stored)
                expected += 1

    def record(self, sequence: int) -> Record1:
        """Return the record of a sequence.  Raises StorageError `store.corrupt`."""
        with self._env.begin() as txn:
            stored = txn.get(_SEQUENCE.pack(sequence), db=self._tables["log"])
        if stored is None:
            raise _corrupt(sequence, "it is missing")
        return read_record(sequence, bytes(stored))

    def room_records(self, room: str, after: int = 0) -> Iterator[tuple[int, RoomRecord]]:
        """Yield (sequence, record) of one room above a sequence, as `Queue.room_records` does."""
        prefix = room_prefix(room)
        with self._env.begin() as txn, txn.cursor(db=self._tables["rooms"]) as cursor:
            if not cursor.set_range(prefix + _SEQUENCE.pack(after + 1)):
                return
            for key in cursor.iternext(keys=True, values=False):
                if key[: len(prefix)] != prefix or len(key) != len(prefix) + _SEQUENCE.size:
                    return
                sequence = _number(key[len(prefix) :])
                found = self.record(sequence)
                if not isinstance(found, Room1):
                    raise _corrupt(sequence, "it is no record of a room")
                yield sequence, room_of(found)


def room_of(record: Room1) -> RoomRecord:
    """Return a room's record as this format has it."""
    return RoomRecord(record.room, record.body, record.at, record.unit, record.actor)


def read_record(sequence: int, stored: bytes) -> Record1:
    """Return a stored record.  Raises StorageError `store.corrupt`."""
    if len(stored) < _HEAD.size:
        raise _corrupt(sequence, "it is cut short")
    epoch, checksum = _HEAD.unpack_from(stored)
    record = stored[_HEAD.size :]
    if crc32(record, crc32(_COVERED.pack(sequence, epoch))) != checksum:
        raise _corrupt(sequence, "its checksum does not match")
    try:
        return _decoder.decode(record)
    except msgspec.MsgspecError as error:
        raise _corrupt(sequence, str(error)) from error


def _corrupt(sequence: int, reason: str) -> StorageError:
    return StorageError(
        "store.corrupt",
        path=f"log[{sequence}]",
        reason=f"log record {sequence} in store/data.mdb: {reason}",
    )


def _number(data: bytes) -> int:
    value: int = _SEQUENCE.unpack(data)[0]
    return value
