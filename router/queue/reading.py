"""What the rows of the state say, and what the log adds: who changed a delivery, and why."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final, NamedTuple

from router.errors import StorageError
from router.queue import records, tables
from router.queue.transport import NAMES

TABLE: Final = {name: number for number, name in enumerate(tables.TABLES)}
ENTRY_SHIFT: Final = 3
CELLS_A_BLOCK: Final = 64
_ENTRY: Final = struct.Struct(">QBBBBIqqQ6IIB")
_DOCUMENT: Final = struct.Struct(">16sIqQ")
_CELL: Final = struct.Struct(">Qq")
_AUDIENCE: Final = struct.Struct(">QI32s")
_SEQUENCE_MASK: Final = 0xFFFFFFFFFFFF
_DUE: Final = struct.Struct(">QQ")
_HAS_UNTIL, _HAS_CURSORS, _HAS_TURN, _HAS_REASONS = 1, 2, 4, 8
_LANES: Final = 4
_CURSOR_FOLLOWS: Final = 2
_JOIN_TEXTS: Final = 92
_JOIN_FIXED: Final = 96
_MOVE_FIXED: Final = 40
RELEASED: Final = 10


class EntryRow(NamedTuple):
    """An entry: part of a document's audience, and where its untouched members stand.

    `counts` are of delivered, refused, expired, dead, withdrawn, excluded members; `touched`
    are members that have a cell; `named` says whether none, all or some were written to by
    name (`_layout.pxd`).
    """

    number: int
    audience: int
    cause: int
    standing: int
    lane: int
    size: int
    expires: int
    since: int
    changed: int
    counts: tuple[int, ...]
    touched: int
    named: int


class DocumentRow(NamedTuple):
    """A document: key, sender, instant, first document of equal number and notation or 0."""

    key: bytes
    sender: int
    at: int
    twin: int


class CellRow(NamedTuple):
    """Where one delivery stands: state's number, hand-outs, record, instant."""

    state: int
    attempts: int
    sequence: int
    at: int


class Made(NamedTuple):
    """What a record of changes says about one delivery."""

    state: int
    at: int
    unit: int
    actor: str
    reason: str
    before: int


def read_entry(number: int, value: bytes) -> EntryRow:
    """Return an entry from its row."""
    audience, cause, standing, lane, _, size, expires, since, changed, *rest = _ENTRY.unpack(value)
    return EntryRow(
        number, audience, cause, standing, lane, size, expires, since, changed,
        tuple(rest[:6]), rest[6], rest[7],
    )  # fmt: skip


def read_document(value: bytes) -> DocumentRow:
    """Return a document from its row."""
    return DocumentRow(*_DOCUMENT.unpack(value))


def read_cells(value: bytes) -> Iterator[CellRow | None]:
    """Yield the cells of a block; None for members that nothing ever changed."""
    for packed, at in _CELL.iter_unpack(value):
        sequence = packed & _SEQUENCE_MASK
        yield CellRow(packed >> 56, packed >> 48 & 0xFF, sequence, at) if sequence else None


def read_audience(value: bytes) -> records.StoredAudience:
    """Return an audience from its row."""
    snapshot, size, digest = _AUDIENCE.unpack_from(value)
    return records.StoredAudience(snapshot, value[_AUDIENCE.size :], digest, size)


def read_due(value: bytes) -> tuple[int, int]:
    """Return (document, entry) of a row of due work."""
    document, entry = _DUE.unpack(value)
    return document, entry


class _Reader:
    """Reads a record of changes from its beginning."""

    def __init__(self, data: bytes, at: int) -> None:
        self.data = data
        self.at = at

    def number(self) -> int:
        value = shift = 0
        while True:
            byte = self.data[self.at]
            self.at += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
            shift += 7

    def signed(self) -> int:
        value = self.number()
        return (value >> 1) ^ -(value & 1)

    def take(self, count: int) -> bytes:
        found = self.data[self.at : self.at + count]
        self.at += count
        return found


def address_of(data: bytes) -> int:
    """Return the address whose deliveries a record of changes moves."""
    return _Reader(data, 11).number()


def made_of(data: bytes, sequence: int, entry: int, rank: int) -> Made:
    """Return what the record of a sequence says about one delivery.

    Raises StorageError `store.corrupt` for a record that does not name it.
    """
    try:
        return next(made for *place, made in made_in(data) if place == [entry, rank])
    except StopIteration:
        raise _silent(sequence) from None
    except (IndexError, UnicodeDecodeError, LookupError) as error:
        raise _silent(sequence) from error


def _silent(sequence: int) -> StorageError:
    return StorageError(
        "store.corrupt", path=f"log[{sequence}]",
        reason=f"log record {sequence} does not say what it should",
    )  # fmt: skip


def made_in(data: bytes) -> Iterator[tuple[int, int, Made]]:
    """Yield (entry, rank, what is said) of a record of changes.

    Raises IndexError, UnicodeDecodeError for bytes that are none.
    """
    found = changes_of(data)
    for one in found.moves:
        said = found.reasons[one.reason - 1] if one.reason else ""
        made = Made(one.state, found.at, found.unit, found.actor, said, one.before)
        yield one.entry, one.rank, made


class Moved(NamedTuple):
    """One move of a record of changes; `reason` is 1 + its place among the reasons, or 0."""

    state: int
    document: int
    entry: int
    rank: int
    before: int
    reason: int


class ChangesRead(NamedTuple):
    """A record of changes: whose deliveries, who acted, and the moves one by one."""

    at: int
    address: int
    unit: int
    actor: str
    reasons: tuple[str, ...]
    moves: Iterator[Moved]


def changes_of(data: bytes) -> ChangesRead:
    """Return what a record of changes says; its moves are read as they are asked for.

    Raises IndexError or UnicodeDecodeError for what is no such record.
    """
    flags, at = data[2], int.from_bytes(data[3:11], "big", signed=True)
    reader = _Reader(data, 11)
    address = reader.number()
    unit = reader.number()
    actor = reader.take(reader.number()).decode("utf-8", "surrogatepass")
    if flags & _HAS_UNTIL:
        reader.number()
    if flags & _HAS_CURSORS:
        kinds = reader.take(9)[8]
        for lane in range(_LANES):
            if kinds >> 2 * lane & 3 == _CURSOR_FOLLOWS:
                reader.number()
    if flags & _HAS_TURN:
        reader.take(1)
    reasons = []
    if flags & _HAS_REASONS:
        reasons = [
            reader.take(reader.number()).decode("utf-8", "surrogatepass")
            for _ in range(reader.number())
        ]
    moves = _moves(reader, bool(reasons))
    return ChangesRead(at, address, unit - 1 if unit else address, actor, tuple(reasons), moves)


def _moves(reader: _Reader, reasoned: bool) -> Iterator[Moved]:
    document = 0
    for _ in range(reader.number()):
        state = reader.take(1)[0] >> 4
        document += reader.signed()
        entry = (document << ENTRY_SHIFT) + reader.signed()
        rank, before = reader.number(), reader.number()
        reason = reader.take(1)[0] if reasoned else 0
        yield Moved(state, document, entry, rank, before - 1 + document if before else 0, reason)


def who_moved(data: bytes, sequence: int) -> tuple[int, int, str, str]:
    """Return (instant, unit, actor, reason) of a record that made or moved an entry."""
    kind = data[0]
    if kind == records.KIND_ACCEPTANCE:
        found = records.decode_acceptance(data, sequence)
        return found.at, found.unit, found.actor, ""
    fixed = _JOIN_FIXED if kind == records.KIND_JOIN else _MOVE_FIXED
    size = int.from_bytes(data[fixed - 4 : fixed], "big")
    actor, reason = records.texts_of(data[len(data) - size :])
    return (
        int.from_bytes(data[8:16], "big", signed=True), int.from_bytes(data[4:8], "big"),
        actor, reason,
    )  # fmt: skip


def moves_entry(data: bytes, document: int, entry: int) -> bool:
    """Say whether a record moves that entry as a whole."""
    return data[0] == records.KIND_ENTRY and data[16:32] == struct.pack(">QQ", document, entry)


def taken_over(data: bytes) -> int:
    """Return the entry whose members the entry of a joining record takes over whole, or 0."""
    if data[0] != records.KIND_JOIN or data[2] == records.REDRIVEN:
        return 0
    return int.from_bytes(data[24:32], "big")


def name_of_state(number: int) -> str:
    """Return a state's name."""
    return NAMES[number]
