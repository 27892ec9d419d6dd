"""What must be true of each row of the state's tables: the one judge a table.

A judge is shown every row of its table and looks up what the row refers to.  A `Tally` carries
the store, where findings go, and what is counted on the way.
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from router.limits import LANES
from router.queue import reading, records
from router.queue.check_members import judge_members
from router.queue.check_pending import count_topic, judge_pending
from router.queue.check_tally import Tally
from router.queue.reading import CELLS_A_BLOCK, ENTRY_SHIFT, RELEASED, TABLE, CellRow, EntryRow
from router.queue.transport import FINAL, NAMES, State

if TYPE_CHECKING:
    from router.queue._store import Store

Judge = Callable[[Tally, bytes, bytes], None]

_PAIR: Final = struct.Struct("<II")
_RUN: Final = struct.Struct(">III")
_OPEN_KEY: Final = struct.Struct(">IBQ")
_OPEN: Final = struct.Struct(">qQqIBBH")
_CURSOR_KEY: Final = struct.Struct(">IB")
_CURSOR: Final = struct.Struct(">QQQ")
_TOPIC: Final = struct.Struct(">QqQI16sB")
_PLACE: Final = struct.Struct(">QIIIQ")
_HOUR_US: Final = 3_600_000_000
_CELL_BYTES: Final = 16
_TURNS: Final = 8
_TURN_LANE: Final = 0xFF
_MORE: Final = 11
_BY_VERDICT: Final = frozenset((State.HELD, State.EXCLUDED, RELEASED))
_COUNTED: Final = tuple(range(State.DELIVERED, State.EXCLUDED + 1))
_FINAL: Final = frozenset(int(state) for state in FINAL)
_STANDINGS: Final = frozenset((
    State.QUEUED, State.HELD, State.WAITING, State.EXPIRED, State.WITHDRAWN, State.EXCLUDED,
    RELEASED,
))  # fmt: skip
_PAGE: Final = 64


def _meta(tally: Tally, key: bytes, value: bytes) -> None:
    if key == b"counters":
        tally.stored_counters = [
            int.from_bytes(value[i : i + 8], "big", signed=True) for i in range(0, len(value), 8)
        ]
    elif key == b"place":
        sequence, *_, epoch = _PLACE.unpack(value)
        if sequence > tally.store.last or epoch > tally.store.epoch:
            tally.tell(f"meta[place]: sequence {sequence} of epoch {epoch} is beyond the log's end")
    elif key[:1] == b"y" and len(key) == 4 and key[1] in _YEARLY:
        tally.years_kept.add((_YEARLY[key[1]], int.from_bytes(key[2:], "big")))
    else:
        tally.tell(f"meta[{key.hex()}]: nobody wrote this row")


_YEARLY: Final = {TABLE[name]: name for name in ("ids", "idempotency", "numbers")}


def _documents(tally: Tally, key: bytes, value: bytes) -> None:
    sequence, row = int.from_bytes(key, "big"), reading.read_document(value)
    place = f"documents[{sequence}]"
    tally.counters["documents"] += 1
    if tally.number("keys", row.key) != sequence:
        tally.tell(f"{place}: its key does not lead back to it")
    data = tally.record(sequence)
    if data is None:
        return  # cut, or told with the log
    said = records.decode_acceptance(data, sequence)
    if (said.key, said.sender, said.at) != (row.key, row.sender, row.at):
        tally.tell(f"{place}: key, sender or instant are not those of its record")
    _names(tally, place, sequence, said, row.twin)
    entries = tally.store.page(TABLE["entries"], key, 0, 2)
    if not entries and (said.audience.size or said.parts):
        tally.tell(f"{place}: it has no entry")


def _names(tally: Tally, place: str, sequence: int, said: records.Acceptance, twin: int) -> None:
    year = said.year.to_bytes(2, "big")
    content = said.content[:16]
    expected = sequence.to_bytes(8, "big") + content
    name = records.name_of_id(said.sender, said.act, said.document_id)
    if tally.row("ids", year + name) != expected:
        tally.tell(f"{place}: its document id does not lead back to it")
    if said.idempotency_key is not None:
        name = records.name_of_idempotency_key(said.sender, said.idempotency_key)
        if tally.row("idempotency", year + name) != expected:
            tally.tell(f"{place}: its idempotency key does not lead back to it")
    first = 0
    if said.number_notation:
        name = records.name_of_number(said.sender, said.number_notation)
        first = tally.number("numbers", year + name) or 0
        if not first:
            tally.tell(f"{place}: its number and notation are not kept")
    if twin != (0 if first == sequence else first):
        tally.tell(f"{place}: its twin is {twin}, the first of its number is {first}")


def _keys(tally: Tally, key: bytes, value: bytes) -> None:
    row = tally.row("documents", value)
    if row is None or reading.read_document(row).key != key:
        tally.tell(f"keys[{key.hex()}]: there is no such document")


def _dated(table: str) -> Judge:
    def judge(tally: Tally, key: bytes, value: bytes) -> None:
        year, sequence = int.from_bytes(key[:2], "big"), int.from_bytes(value[:8], "big")
        tally.years.add((table, year))
        place = f"{table}[{year}, {key[2:].hex()}]"
        if tally.row("documents", value[:8]) is None:
            tally.tell(f"{place}: there is no document {sequence}")
            return
        data = tally.record(sequence)
        if data is None:
            return
        said = records.decode_acceptance(data, sequence)
        names = {
            "ids": records.name_of_id(said.sender, said.act, said.document_id),
            "idempotency": None if said.idempotency_key is None
            else records.name_of_idempotency_key(said.sender, said.idempotency_key),
            "numbers": records.name_of_number(said.sender, said.number_notation),
        }  # fmt: skip
        if (said.year, names[table]) != (year, key[2:]):
            tally.tell(f"{place}: document {sequence} does not bear that name")

    return judge


def _audiences(tally: Tally, key: bytes, value: bytes) -> None:
    number, row = int.from_bytes(key, "big"), reading.read_audience(value)
    place = f"audiences[{number}]"
    members, end = 0, -1
    if len(row.runs) % _PAIR.size:
        tally.tell(f"{place}: its runs end in the middle")
        return
    for start, stop in _PAIR.iter_unpack(row.runs):
        if not end < start < stop:
            tally.tell(f"{place}: its runs are not in order")
            break
        members, end = members + stop - start, stop
    else:
        if members != row.size:
            tally.tell(f"{place}: it has {members} members, and says {row.size}")
    name = row.snapshot.to_bytes(8, "big") + row.sha256[:16]
    if tally.number("audience_ids", name) != number:
        tally.tell(f"{place}: its members' digest does not lead back to it")
    document = tally.document_of(number)
    entry = None if document is None else tally.entry(document, number)
    if document is not None and (entry is None or entry.audience != number):
        tally.tell(f"{place}: its first entry does not have it")


def _audience_ids(tally: Tally, key: bytes, value: bytes) -> None:
    row = tally.audience(int.from_bytes(value, "big"))
    if row is None or (row.snapshot.to_bytes(8, "big") + row.sha256[:16]) != key:
        tally.tell(f"audience_ids[{key.hex()}]: there is no such audience")


def cells_of(store: Store, entry: int) -> Iterator[tuple[int, CellRow]]:
    """Yield (rank, cell) of the members of an entry that have one."""
    block, prefix = 0, entry.to_bytes(8, "big")
    while page := store.page(TABLE["cells"], prefix, block, _PAGE):
        for number, value in page:
            for place, cell in enumerate(reading.read_cells(value)):
                if cell is not None:
                    yield number * CELLS_A_BLOCK + place, cell
        block = page[-1][0] + 1


def _entries(tally: Tally, key: bytes, value: bytes) -> None:
    document, entry = int.from_bytes(key[:8], "big"), int.from_bytes(key[8:], "big")
    row = reading.read_entry(entry, value)
    place = f"entries[{document}, {entry}]"
    owner = tally.row("documents", key[:8])
    if owner is None:
        tally.tell(f"{place}: there is no document {document}")
        return
    audience = tally.audience(row.audience)
    if audience is None or audience.size != row.size:
        tally.tell(f"{place}: its audience {row.audience} is missing or of another size")
    if row.lane >= LANES or row.cause >= len(records.CAUSES):
        tally.tell(f"{place}: lane {row.lane} or cause {row.cause} is none")
        return
    if row.standing not in _STANDINGS:
        tally.tell(f"{place}: standing {row.standing} is none")
        return
    if entry == document << ENTRY_SHIFT and (
        bool(value[_MORE]) != (len(tally.store.page(TABLE["entries"], key[:8], 0, 2)) > 1)
    ):
        tally.tell(f"{place}: it is wrong about further entries of its document")
    _joined(tally, place, document, row)
    released = _add_up(tally, place, row, reading.read_document(owner).sender)
    judge_members(tally, place, document, row, released)


def _joined(tally: Tally, place: str, document: int, row: EntryRow) -> None:
    """Hold an entry against the record that made it, and its topics against it."""
    sequence = row.number >> ENTRY_SHIFT
    data = tally.record(sequence)
    if data is None:
        return
    if tally.document_of(row.number) != document:
        tally.tell(f"{place}: record {sequence} does not join that document")
        return
    if data[0] == records.KIND_ACCEPTANCE:
        said = records.decode_acceptance(data, sequence)
        postings = said.postings if row.number == document << ENTRY_SHIFT else b""
        lane = said.lane
        _verdict_for(tally, place, document, row, said.parts)
    else:
        runs = int.from_bytes(data[84:88], "big")
        postings = data[96 + runs : 96 + runs + int.from_bytes(data[88:92], "big")]
        lane = data[3]
    if lane != row.lane:
        tally.tell(f"{place}: its lane is {row.lane}, its record says {lane}")
    if row.standing == State.QUEUED:
        for topic in _topics_of(postings):
            at = bytes((row.lane, len(topic))) + topic + row.number.to_bytes(8, "big")
            if tally.row("topics", at) is None:
                tally.tell(f"{place}: it is missing under topic {topic.hex()}")
    if row.expires and row.standing not in _FINAL and row.standing != RELEASED:
        _due_for(tally, place, document, row)


def _verdict_for(
    tally: Tally, place: str, document: int, row: EntryRow, parts: tuple[records.Part, ...]
) -> None:
    """See that what waited for a verdict is held, excluded or another entry's by one."""
    part = row.number & (1 << ENTRY_SHIFT) - 1
    if not part or parts[part - 1].standing != State.WAITING or row.standing not in _BY_VERDICT:
        return
    prefix = records.room_prefix(records.verdict_room(document))
    known = tally.store.page(TABLE["rooms"], prefix, 0, 1)
    if not known or known[0][0] > row.changed:
        tally.tell(f"{place}: it waited for a verdict and moved on without one")


def _topics_of(postings: bytes) -> Iterator[bytes]:
    at = 0
    while at < len(postings):
        size = postings[at]
        yield postings[at + 1 : at + 1 + size]
        at += size + 2 + _RUN.size * postings[at + 1 + size]


def _due_for(tally: Tally, place: str, document: int, row: EntryRow) -> None:
    """Look for the row that reminds of an entry, a microsecond later for each row before."""
    when = row.expires
    first = tally.store.due_from()
    if first is not None and when // _HOUR_US < first:
        return  # that hour's work is done
    while True:
        hour, rest = divmod(when, _HOUR_US)
        key = struct.pack(">IQ", hour, rest << 32 | row.number & 0xFFFFFFFF)
        found = tally.row("due", key)
        if found is None:
            tally.tell(f"{place}: nothing reminds of its end at {row.expires}")
            return
        if reading.read_due(found) == (document, row.number):
            return
        when += 1


def _add_up(tally: Tally, place: str, row: EntryRow, sender: int) -> list[int]:
    """Hold an entry's counts against its cells; add it to the counters.

    Return the ranks whose deliveries another entry has since.
    """
    states: Counter[int] = Counter()
    released = []
    touched = attempts = 0
    for rank, cell in cells_of(tally.store, row.number):
        states[cell.state] += 1
        touched += 1
        attempts += cell.attempts
        if cell.state == RELEASED:
            released.append(rank)
        if rank >= row.size or cell.state > RELEASED:
            tally.tell(f"{place}: rank {rank} in state {cell.state} is no member's")
    if touched != row.touched:
        tally.tell(f"{place}: {touched} members have a cell, it says {row.touched}")
    began_final = row.standing == State.EXCLUDED and row.changed == row.number >> ENTRY_SHIFT
    expected = dict.fromkeys(_COUNTED, 0)
    expected |= {state: states[state] for state in _COUNTED}
    expected[State.DEAD] += states[RELEASED]  # dead, and another entry's since
    if row.standing in _FINAL and not began_final:
        expected[row.standing] += row.size - touched
    if row.counts != tuple(expected.values()):
        tally.tell(f"{place}: its counts are {row.counts}, its cells say {(*expected.values(),)}")
    over = sum(expected.values()) + (row.size if began_final else 0)
    if began_final:
        expected[State.EXCLUDED] += row.size
    expected[State.DEAD] -= states[RELEASED]
    for state in _COUNTED:
        tally.counters[NAMES[state]] += expected[state]
    tally.counters["leased"] += states[State.LEASED]
    tally.counters["attempts"] += attempts
    tally.counters["entries"] += 1
    tally.counters[f"lane {row.lane}"] += 1
    if row.standing != RELEASED:
        tally.counters["recipients"] += row.size - states[RELEASED]
        if over < row.size:
            tally.counters["in_flight"] += 1
            tally.in_flight[sender] += 1
    return [rank for rank in released if rank < row.size]


def _topics(tally: Tally, key: bytes, value: bytes) -> None:
    lane, topic, entry = key[0], key[2:-8], int.from_bytes(key[-8:], "big")
    place = f"topics[{lane}, {topic.hex()}, {entry}]"
    document, expires, number, snapshot, name, count = _TOPIC.unpack_from(value)
    row = tally.entry(document, entry)
    if row is None or len(topic) != key[1]:
        tally.tell(f"{place}: there is no such entry")
        return
    if (lane, expires, number) != (row.lane, row.expires, row.audience):
        tally.tell(f"{place}: lane, expiry or audience are not its entry's")
    audience = tally.audience(number)
    if audience is None:
        return
    if snapshot != audience.snapshot:
        tally.tell(f"{place}: its snapshot is {snapshot}, its audience's {audience.snapshot}")
    if (tally.row("documents", document.to_bytes(8, "big")) or b"")[:16] != name:
        tally.tell(f"{place}: its key is not that of document {document}")
    runs = list(_RUN.iter_unpack(value[_TOPIC.size :]))
    if len(runs) != count or not all(tally.runs(number, audience).hold(*run) for run in runs):
        tally.tell(f"{place}: its runs are not its audience's")
    count_topic(tally, topic, runs, row)


def _cells(tally: Tally, key: bytes, value: bytes) -> None:
    entry, block = int.from_bytes(key[:8], "big"), int.from_bytes(key[8:], "big")
    place = f"cells[{entry}, {block}]"
    document = tally.document_of(entry)
    row = None if document is None else tally.entry(document, entry)
    if row is None:
        tally.tell(f"{place}: there is no such entry")
        return
    members = min(row.size - block * CELLS_A_BLOCK, CELLS_A_BLOCK)
    if members * _CELL_BYTES != len(value):
        tally.tell(f"{place}: it has {len(value)} bytes, {members} members belong there")
    for number, cell in enumerate(reading.read_cells(value)):
        if cell is not None:
            _cell(tally, f"{place}, rank {block * CELLS_A_BLOCK + number}", row, cell,
                  block * CELLS_A_BLOCK + number)  # fmt: skip


def _cell(tally: Tally, place: str, row: EntryRow, cell: CellRow, rank: int) -> None:
    """Hold a cell against the record that changed it last, and against OPEN."""
    if not row.number >> ENTRY_SHIFT < cell.sequence <= tally.store.last:
        tally.tell(f"{place}: record {cell.sequence} can't have changed it")
        return
    said = tally.changes(cell.sequence)
    if said is None:
        return
    state = said.states.get((row.number, rank))
    ended = cell.state == row.standing and cell.state in _FINAL and state not in _FINAL
    handed_on = cell.state == RELEASED and state == State.DEAD
    if state != cell.state and not ended and not handed_on:
        tally.tell(f"{place}: it is in state {cell.state}, record {cell.sequence} says {state}")
    if cell.state in {State.QUEUED, State.LEASED}:
        key = _OPEN_KEY.pack(said.address, row.lane, row.number)
        if tally.row("open", key) is None:
            tally.tell(f"{place}: it is open, and no inbox finds it")


def _open(tally: Tally, key: bytes, value: bytes) -> None:
    address, lane, entry = _OPEN_KEY.unpack(key)
    place = f"open[{address}, {lane}, {entry}]"
    until, document, expires, rank, attempts, state, _ = _OPEN.unpack(value)
    row = tally.entry(document, entry)
    if row is None or (lane, expires) != (row.lane, row.expires) or rank >= row.size:
        tally.tell(f"{place}: there is no such entry, or it says other things")
        return
    block = entry.to_bytes(8, "big") + (rank // CELLS_A_BLOCK).to_bytes(8, "big")
    cells = tally.row("cells", block)
    cell = None if cells is None else list(reading.read_cells(cells))[rank % CELLS_A_BLOCK]
    if cell is not None and cell.state == row.standing and cell.state in _FINAL:
        return  # it ended with its entry, and its inbox was not asked since
    if (
        cell is None
        or (cell.state, cell.attempts) != (state, attempts)
        or (
            state not in {State.QUEUED, State.LEASED}
            or until != (cell.at if state == State.LEASED else 0)
        )
    ):
        tally.tell(f"{place}: it is not what the cell of rank {rank} says")
        return
    said = tally.changes(cell.sequence)
    if said is not None and said.address != address:
        tally.tell(f"{place}: record {cell.sequence} handed it to another address")
    cursor = tally.row("cursors", _CURSOR_KEY.pack(address, lane))
    if cursor is None or _CURSOR.unpack(cursor)[2] < entry:
        tally.tell(f"{place}: it lies above what was ever touched")


def _cursors(tally: Tally, key: bytes, value: bytes) -> None:
    address, lane = _CURSOR_KEY.unpack(key)
    place = f"cursors[{address}, {lane}]"
    if lane == _TURN_LANE:
        if len(value) != 1 or value[0] >= _TURNS:
            tally.tell(f"{place}: it is no turn")
        return
    digest, cursor, mark = _CURSOR.unpack(value)
    if (
        lane >= LANES
        or cursor > mark
        or mark >> ENTRY_SHIFT > tally.store.last
        or (cursor and not digest)
    ):
        tally.tell(f"{place}: cursor {cursor} and mark {mark} can't be")


def _due(tally: Tally, key: bytes, value: bytes) -> None:
    hour, rest = struct.unpack(">IQ", key)
    document, entry = reading.read_due(value)
    when = hour * _HOUR_US + (rest >> 32)
    row = tally.entry(document, entry)
    if (
        row is None
        or (row.expires > when and row.standing not in _FINAL)
        or rest & 0xFFFFFFFF != entry & 0xFFFFFFFF
    ):
        tally.tell(f"due[{when}, {entry}]: there is no such entry, or it ends later")


def _feed(tally: Tally, key: bytes, value: bytes) -> None:
    sender, sequence = struct.unpack(">IQ", key)
    data = tally.record(sequence)
    if data is None:
        return
    if data[0] == records.KIND_CHANGES:
        changes = tally.changes(sequence)
        said = changes is not None and value in {
            bytes((state,)) for state in changes.states.values()
        }
    else:
        event = struct.pack(">II", sender, len(value)) + value
        said = data[0] == records.KIND_FEED and event in data
    if not said:
        tally.tell(f"feed[{sender}, {sequence}]: record {sequence} does not say so")


def _rooms(tally: Tally, key: bytes, value: bytes) -> None:
    sequence = int.from_bytes(key[-8:], "big")
    tally.counters["rooms"] += 1
    data = tally.record(sequence)
    if value or (data is not None and (
        data[0] != records.KIND_ROOM or data[16 : 17 + data[16]] != key[:-8]
    )):  # fmt: skip
        tally.tell(f"rooms[{key[1:-8]!r}, {sequence}]: record {sequence} is none of that room")


def _senders(tally: Tally, key: bytes, value: bytes) -> None:
    tally.senders[int.from_bytes(key, "big")] = int.from_bytes(value, "big")


JUDGES: Final[Mapping[str, Judge]] = MappingProxyType({
    "meta": _meta, "documents": _documents, "keys": _keys, "ids": _dated("ids"),
    "idempotency": _dated("idempotency"), "numbers": _dated("numbers"), "audiences": _audiences,
    "audience_ids": _audience_ids, "entries": _entries, "topics": _topics, "cells": _cells,
    "open": _open, "cursors": _cursors, "due": _due, "feed": _feed, "rooms": _rooms,
    "senders": _senders, "pending": judge_pending,
})  # fmt: skip
"""The judge of each table."""
