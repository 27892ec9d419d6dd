"""The offline check names every kind of damage with its place, and nothing where all is well."""

from __future__ import annotations

import random
import re

import pytest
from support.stores import (
    AT,
    KINDS,
    SECOND,
    MemoryBox,
    acceptance,
    audience_of,
    box_of,
    member_of,
    own_topic,
    posted,
    topics_for,
)

from router.queue import check, tables
from router.queue._lmdb import LmdbBase
from router.queue._overlay import Overlay
from router.queue.queue import Queue
from router.queue.reading import TABLE
from router.queue.records import Joining, Part, RoomRecord, encode_feed, encode_join, encode_move
from router.queue.tables import ORDERED, TABLES
from router.queue.transport import State

U64 = 8


def fill(queue):
    """Let every table have rows: 1 and 2 are twins, 3 is widely read, 4 has a hold."""
    held = audience_of([6])
    queue.accept([
        acceptance(1, [5], number_notation="1/TB", idempotency_key="k"),
        acceptance(2, [5, 7], number_notation="1/TB", expires_at=AT + 99 * SECOND),
        acceptance(3, range(1, 200), broadcast=True, lane=0, expires_at=AT + 99 * SECOND),
        acceptance(4, [5], parts=(Part(State.HELD, held, AT + SECOND),
                                  Part(State.EXCLUDED, audience_of([8, 9])))),
    ], also=[RoomRecord("directory", b"body", AT, 1, "x")])  # fmt: skip
    lease = (topics_for(5), member_of(5), 9, AT + SECOND, AT, "x")
    got = queue.lease(5, *lease)
    queue.settle(5, [(got[0].key, "delivered", "")], AT, 5, "x", member_of(5))
    queue.give_back(5, [got[1].key], AT, 5, "x", member_of(5))
    queue.store.append_raw([
        encode_feed([(7, b"told")], AT, 1),
        encode_join(Joining(5, held, posted({own_topic(6): [6]}, held), 3, 2, AT, 7, "x", "", 41)),
        encode_move(3, 24, State.WITHDRAWN, b"\x07" + own_topic(5) + b"\x07" + own_topic(7), AT,
                    7, "x", "thu hồi"),
    ])  # fmt: skip


def rows_of(queue):
    return {
        name: [(key, value) for table, key, value in rows if table == name]
        for rows in [list(queue.store.dump())]
        for name in TABLES
    }


def write(base, table, key, value):
    """Write into a base behind its store's back; None removes the row."""
    changes = Overlay(ORDERED)
    if value is None:
        changes.delete(TABLE[table], key)
    else:
        changes.set(TABLE[table], key, value)
    base.apply(changes)


@pytest.fixture(scope="module")
def filled():
    """Return a filled disk that is checkpointed, and its rows by table."""
    box = MemoryBox()
    queue = Queue(box.open())
    fill(queue)
    return box, rows_of(queue)


def damaged(filled, table, key, value):
    """Return what a check finds once a row was changed; `filled` stays as it is."""
    box = MemoryBox()
    box.disk.files = filled[0].disk.files.clone()
    box.disk.base = filled[0].disk.base.copy()
    write(box.disk.base, table, key, value)
    return Queue(box.open()).check()


def flipped(value, byte):
    return value[:byte] + bytes((value[byte] ^ 1,)) + value[byte + 1 :]


@pytest.mark.parametrize("kind", KINDS)
def test_a_sound_store_has_no_findings(tmp_path, kind):
    box = box_of(kind, tmp_path / "data")
    queue = Queue(box.open())
    assert queue.check() == []
    fill(queue)
    assert queue.check() == []
    queue.close()
    queue = Queue(box.open())
    assert queue.check() == []
    assert queue.counts()["documents"] == 4, "a check changes nothing"
    queue.close()


def test_every_table_of_the_state_is_filled_here(filled):
    empty = {name for name, rows in filled[1].items() if not rows}
    assert empty == tables.OF_THE_LOG


DAMAGE = [
    # table, which row, byte of the value that changes (None: the row is lost), what is told
    ("meta", b"counters", 7, r"meta\[counters\]: documents is 5, the rows say 4"),
    ("meta", b"counters", 12 * U64 + 7, r"meta\[counters\]: in_flight is"),
    ("meta", b"counters", None, r"meta\[counters\]: documents is 0, the rows say 4"),
    ("meta", b"place", 19, None),
    ("documents", 0, None, r"keys\[.*there is no such document"),
    ("documents", 0, 0, r"documents\[2\]: its key does not lead back"),
    ("documents", 0, 19, r"documents\[2\]: key, sender or instant are not those of its record"),
    ("documents", 1, 35, r"documents\[3\]: its twin is 3, the first of its number is 2"),
    ("keys", 0, None, r"documents\[\d\]: its key does not lead back"),
    ("keys", 0, 7, r"keys\[.*there is no such document"),
    ("ids", 0, None, r"documents\[\d\]: its document id does not lead back"),
    ("ids", 0, 7, r"ids\[2024, .*(does not bear that name|there is no document)"),
    ("idempotency", 0, None, r"documents\[2\]: its idempotency key does not lead back"),
    ("numbers", 0, None, r"documents\[\d\]: its number and notation are not kept"),
    ("audiences", 0, None, r"entries\[.*its audience \d+ is missing"),
    ("audiences", 0, 11, r"audiences\[\d+\]: it has \d+ members, and says \d+"),
    ("audiences", 0, 12, r"audiences\[\d+\]: its members' digest does not lead back"),
    ("audiences", 0, 44, r"audiences\[\d+\]: its runs are not in order|: it has"),
    ("audience_ids", 0, None, r"audiences\[\d+\]: its members' digest does not lead back"),
    ("audience_ids", 0, 7, r"audience_ids\[.*there is no such audience"),
    ("entries", 0, None, r"documents\[2\]: it has no entry"),
    ("entries", 0, 7, r"entries\[2, 16\]: its audience \d+ is missing or of another size"),
    ("entries", 0, 9, r"entries\[2, 16\]: standing 1 is none"),
    ("entries", 0, 10, r"entries\[2, 16\]: its lane is 2, its record says 3"),
    ("entries", 0, 11, r"entries\[2, 16\]: it is wrong about further entries"),
    ("entries", 1, 43, r"entries\[3, 24\]: its counts are"),
    ("entries", 1, 67, r"entries\[3, 24\]: \d members have a cell, it says \d"),
    ("entries", 2, 23, r"topics\[0, .*lane, expiry or audience are not its entry's"),
    ("topics", 0, None, r"entries\[4, 32\]: it is missing under topic"),
    ("topics", 0, 7, r"topics\[0, .*there is no such entry"),
    ("topics", 0, 23, r"topics\[0, .*lane, expiry or audience are not its entry's"),
    ("topics", 0, 27, r"topics\[0, .*its snapshot is 0, its audience's 1"),
    ("topics", 0, 28, r"topics\[0, .*its key is not that of document"),
    ("topics", 0, 56, r"topics\[0, .*its runs are not its audience's"),
    ("cells", 0, None, r"entries\[2, 16\]: 0 members have a cell, it says 1"),
    ("cells", 0, 0, r"cells\[16, 0\], rank 0: it is in state \d, record \d+ says \d"),
    ("cells", 0, 7, r"cells\[16, 0\], rank 0: .*record"),
    ("open", 0, None, r"cells\[.*it is open, and no inbox finds it"),
    ("open", 0, 7, r"open\[5, \d, \d+\]: it is not what the cell of rank \d says"),
    ("open", 0, 15, r"open\[5, \d, \d+\]: there is no such entry"),
    ("open", 0, 27, r"open\[5, \d, \d+\]:"),
    ("open", 0, 28, r"open\[5, \d, \d+\]: it is not what the cell"),
    ("cursors", 1, None, r"open\[5, \d, \d+\]: it lies above what was ever touched"),
    ("cursors", 0, 16, r"cursors\[5, \d\]: cursor \d+ and mark \d+ can't be"),
    ("cursors", 0, 8, r"cursors\[5, \d\]: cursor \d+ and mark \d+ can't be"),
    ("due", 0, 7, r"due\[\d+, \d+\]: there is no such entry"),
    ("pending", 0, 3, r"pending\[\d+\]: \d+ are open by name, the rows say \d+"),
    ("pending", 0, None, r"pending\[\d+\]: \d+ are open by name, the rows say \d+"),
    ("feed", 0, 1, r"feed\[7, \d+\]: record \d+ does not say so"),
    ("feed", 0, None, r"feed\[.*the log leads to this row, and it is missing"),
    ("rooms", 0, None, r"meta\[counters\]: rooms is 1, the rows say 0"),
    ("senders", 0, 7, r"senders\[7\]: \d entries in flight, the rows say \d"),
    ("senders", 0, None, r"senders\[7\]: 0 entries in flight, the rows say \d"),
]  # fmt: skip


@pytest.mark.parametrize(("table", "which", "byte", "told"), DAMAGE)
def test_damage_is_named_with_its_place(filled, table, which, byte, told):
    rows = filled[1][table]
    key, value = rows[which] if isinstance(which, int) else (which, dict(rows)[which])
    found = damaged(filled, table, key, None if byte is None else flipped(value, byte))
    if told is None:
        return
    assert any(re.search(told, finding) for finding in found), found


@pytest.mark.parametrize("table", [name for name in TABLES if name not in tables.OF_THE_LOG])
def test_no_row_is_lost_added_or_cut_short_unseen(filled, table):
    rows = filled[1][table]
    for key, value in rows:
        if (table, key) == ("meta", b"place"):
            continue
        assert damaged(filled, table, key, None), (table, key)
        if value:
            assert damaged(filled, table, key, value[:-1]), (table, key)
    strange = bytes(len(rows[0][0]) if rows else 4)
    if strange not in dict(rows):
        assert damaged(filled, table, strange, b"strange")


def test_no_flipped_bit_of_the_state_goes_unseen(filled):
    """A replay of the whole log tells what no other table knows."""
    chance = random.Random(5)
    places = [
        (table, key, value) for table, rows in filled[1].items() for key, value in rows
        if value and (table, key) != ("meta", b"place")
    ]  # fmt: skip
    for table, key, value in chance.choices(places, k=150):
        byte, bit = chance.randrange(len(value)), 1 << chance.randrange(8)
        changed = value[:byte] + bytes((value[byte] ^ bit,)) + value[byte + 1 :]
        assert damaged(filled, table, key, changed), (table, key, byte, bit)


def test_a_strange_row_is_named(filled):
    assert any(
        "pending[" in finding and "no such address" in finding
        for finding in damaged(filled, "pending", b"strange", b"x")
    )
    assert any(
        "meta[" in finding and "nobody wrote" in finding
        for finding in damaged(filled, "meta", b"strange", b"x")
    )
    assert any(
        "the year 1999 of ids is noted for nothing" in finding
        for finding in damaged(filled, "meta", b"y\x03" + (1999).to_bytes(2, "big"), b"")
    )


@pytest.mark.parametrize("kind", ["log", "group"])
def test_damage_on_a_disk_is_found(tmp_path, kind):
    box = box_of(kind, tmp_path / "data")
    queue = Queue(box.open())
    fill(queue)
    queue.close()
    base = LmdbBase.open(tmp_path / "data" / "store", TABLES)
    key, value = next(base.items(TABLE["senders"]))
    write(base, "senders", key, flipped(value, 7))
    base.close()
    queue = Queue(box.open())
    assert any(finding.startswith("senders[7]: ") for finding in queue.check())
    queue.close()


def test_a_lost_or_changed_record_is_found_where_records_are_kept_in_a_table(tmp_path):
    box = box_of("group", tmp_path / "data")
    queue = Queue(box.open())
    fill(queue)
    queue.close()
    for change, told in (
        (lambda value: flipped(value, 40), "log[3]: log record 3: its checksum does not match"),
        (lambda value: None, "log[3]: the record is missing"),
    ):
        base = LmdbBase.open(tmp_path / "data" / "store", TABLES)
        kept = (3).to_bytes(8, "big")
        value = base.value(TABLE["records"], kept)
        write(base, "records", kept, change(value))
        base.close()
        queue = Queue(box.open())
        assert told in queue.check()
        queue.close()
        base = LmdbBase.open(tmp_path / "data" / "store", TABLES)
        write(base, "records", kept, value)
        base.close()


def test_very_many_findings_end_the_check(filled, monkeypatch):
    monkeypatch.setattr(check, "FINDINGS_MAX", 3)
    found = damaged(filled, "documents", filled[1]["documents"][0][0], None)
    assert len(found) == 4
    assert found[-1] == "more than 3 findings: the rest is left out"


def test_a_large_log_is_replayed_on_the_disk(filled, monkeypatch):
    monkeypatch.setattr(check, "REPLAY_MEMORY_BYTES_MAX", 0)
    assert damaged(filled, "pending", b"never there", None) == []
    assert damaged(filled, "feed", filled[1]["feed"][0][0], None)
