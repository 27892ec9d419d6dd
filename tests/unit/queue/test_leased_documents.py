"""What a lease hands out is what was accepted, or the lease fails and says where."""

from __future__ import annotations

import pickle
import struct

import pytest
from support.stores import AT, KINDS, SECOND, MemoryBox, acceptance, box_of, member_of, topics_for

from router.errors import StorageError
from router.limits import RECORD_BYTES_MAX
from router.queue import Leased, MemoryStore, Queue
from router.queue._overlay import Overlay
from router.queue.memory_store import MemoryDisk
from router.queue.tables import ORDERED, TABLES

SPOTS = TABLES.index("spots")
MEMBER = 5
SOME = Leased(bytes(range(16)), 3, 2, 1, b"envelope", b"facts", AT)


def lease(queue, limit=256):
    return queue.lease(
        MEMBER, topics_for(MEMBER), member_of(MEMBER), limit, AT + 300 * SECOND, AT, "cổng"
    )


def documents(count):
    """Return documents of many sizes, some with nothing in them."""
    return [
        acceptance(n, [MEMBER], envelope=b"%d " % n * (n * n % 700), facts=b"f" * (n % 3))
        for n in range(count)
    ]


def said(batch):
    return [(one.key, one.envelope, one.facts, one.at, one.lane) for one in batch]


def handed(batch):
    return [(one.key, one.envelope, one.facts, one.accepted_at, one.lane) for one in batch]


@pytest.fixture
def small():
    """Return a box whose log has many segments."""
    box = MemoryBox()
    box.disk = MemoryDisk(segment_bytes=65_536)
    return box


def spot_of(number, segment, offset, size):
    """Return a row of the base that says where a record lies."""
    rows = Overlay(list(ORDERED))
    rows.set(SPOTS, struct.pack(">Q", number), struct.pack(">III", segment, offset, size))
    return rows


@pytest.mark.parametrize("kind", KINDS)
def test_bodies_are_those_that_were_accepted(kind, tmp_path):
    queue = Queue(box_of(kind, tmp_path / "data").open())
    batch = documents(300)
    queue.accept(batch)
    got = lease(queue) + lease(queue)
    assert handed(got) == said(batch)
    assert [one.body_bytes for one in got] == [len(one.envelope + one.facts) for one in batch]
    queue.close()


def test_bodies_come_from_as_many_segments_as_they_lie_in(small):
    store = small.open()
    queue = Queue(store)
    batch = documents(300)
    for start in range(0, len(batch), 20):
        queue.accept(batch[start : start + 20])
        store.make_segment()
    assert len([name for name in small.disk.files.names() if name.endswith(".seg")]) > 2
    assert handed(lease(queue)) == said(batch[:256])
    queue.close()


@pytest.mark.parametrize("elsewhere", ["another's frame", "nowhere"])
def test_a_spot_that_is_out_of_date_is_looked_past(elsewhere):
    box = MemoryBox()
    queue = Queue(box.open())
    batch = documents(12)
    queue.accept(batch)
    queue.store.checkpoint()
    first = struct.unpack(">III", box.disk.base.value(SPOTS, struct.pack(">Q", 1)))
    queue.close()
    box.disk.base = box.disk.base.copy()
    box.disk.base.apply(spot_of(7, *(first if elsewhere == "another's frame" else (0, 0, 0))))
    queue = Queue(box.open())
    assert handed(lease(queue)) == said(batch)
    queue.close()


@pytest.mark.parametrize("size", [1, RECORD_BYTES_MAX + 1, 0xFFFF_FFFF])
def test_a_spot_of_a_size_that_is_not_its_records_is_damage(size):
    box = MemoryBox()
    queue = Queue(box.open())
    queue.accept(documents(2))
    queue.store.checkpoint()
    spot = struct.unpack(">III", box.disk.base.value(SPOTS, struct.pack(">Q", 1)))
    queue.close()
    box.disk.base = box.disk.base.copy()
    box.disk.base.apply(spot_of(1, *spot[:2], size))
    queue = Queue(box.open())
    with pytest.raises(StorageError) as caught:
        lease(queue, 1)
    assert caught.value.code == "store.corrupt"
    assert f"offset {spot[1]}, record 1" in str(caught.value)
    queue.close()


def test_a_damaged_body_is_not_handed_out_and_the_place_is_told():
    box = MemoryBox()
    store = box.open()
    queue = Queue(store)
    queue.accept(documents(60))  # many pages: the last one is written again with what follows
    data = box.disk.files.contents("00000001.seg")
    at = data.index(b"7 7 7 ")
    file = box.disk.files.call("open", b"00000001.seg", False)
    box.disk.files.call("write", file, b"8", at)
    with pytest.raises(StorageError) as caught:
        lease(queue)
    assert (caught.value.code, caught.value.path) == ("store.corrupt", "log[8]")
    assert "record 8: its checksum does not match" in str(caught.value)
    assert store.healthy()  # writing goes on, and so do readings of others
    queue.accept([acceptance(60, [MEMBER])])
    assert handed(lease(queue)) == said([acceptance(60, [MEMBER])])
    queue.close()


@pytest.mark.parametrize("nth", [1, 5, 9])
def test_a_reading_that_fails_fails_the_lease(nth):
    box = MemoryBox()
    queue = Queue(box.open())
    queue.accept(documents(9))
    box.disk.files.plan("read", nth, "fail")
    with pytest.raises(StorageError) as caught:
        lease(queue)
    assert (caught.value.code, caught.value.path) == ("store.failed", "00000001.seg")
    assert queue.healthy()
    queue.close()


def test_a_segment_that_is_missing_fails_the_lease(small):
    store = small.open()
    queue = Queue(store)
    for start in range(0, 300, 20):
        queue.accept(documents(300)[start : start + 20])
        store.make_segment()
    store.checkpoint()
    queue.close()
    queue = Queue(small.open())
    small.disk.files.discard("00000002.seg")
    with pytest.raises(StorageError) as caught:
        lease(queue)
    assert (caught.value.code, caught.value.path) == ("store.failed", "00000002.seg")
    queue.close()


def test_what_is_leased_does_not_change():
    for name in ("key", "sequence", "lane", "attempt", "envelope", "facts", "accepted_at"):
        with pytest.raises(AttributeError):
            setattr(SOME, name, getattr(SOME, name))
    with pytest.raises(AttributeError):
        SOME.more = 1


def test_what_is_leased_is_equal_when_all_of_it_is():
    fields = (SOME.key, 3, 2, 1, b"envelope", b"facts", AT)
    again = Leased(*fields)
    assert again == SOME
    assert hash(again) == hash(SOME)
    assert pickle.loads(pickle.dumps(SOME)) == SOME
    changed = (bytes(16), 4, 3, 2, b"envelop", b"fact", AT + 1)
    for place, value in enumerate(changed):
        assert Leased(*fields[:place], value, *fields[place + 1 :]) != SOME
    assert Leased(*fields[:4], b"envelopef", b"acts", AT) != SOME
    assert fields != SOME
    assert repr(SOME) == (
        f"Leased(key={SOME.key!r}, sequence=3, lane=2, attempt=1, envelope=b'envelope', "
        f"facts=b'facts', accepted_at={AT})"
    )


def test_a_key_of_another_size_is_refused():
    with pytest.raises(ValueError, match="16 bytes"):
        Leased(b"short", 3, 2, 1, b"", b"", AT)


def test_a_body_outlives_its_store():
    queue = Queue(MemoryStore(MemoryDisk()))
    batch = documents(40)
    queue.accept(batch)
    got = lease(queue)[17]
    queue.close()
    del queue
    assert handed([got]) == said([batch[17]])
