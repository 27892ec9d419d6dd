"""Every store of the durability port keeps the same promises.

A group is there whole or not at all, a later opening sees what was answered, a record is
believed only with its checksum, and an old owner is fenced.
"""

from __future__ import annotations

import threading

import pytest
from support.stores import (
    AT,
    KINDS,
    SECOND,
    acceptance,
    box_of,
    member_of,
    state_of,
    topics_for,
)

from router.errors import ClosedError, OverloadedError, StorageError, TooLargeError
from router.limits import RECORD_BYTES_MAX
from router.queue.queue import Queue
from router.queue.reading import TABLE
from router.queue.records import RoomRecord, encode_feed, encode_room


@pytest.fixture(params=KINDS)
def box(request, tmp_path):
    return box_of(request.param, tmp_path / "data")


def room(body: bytes) -> bytes:
    return encode_room(RoomRecord("directory", body, AT, 1, "x"))


def test_what_a_group_stored_is_there_after_reopening(box):
    store = box.open()
    assert store.append_raw([room(b"one"), room(b"two")]) == [1, 2]
    assert store.durable == 2
    store.close()
    store = box.open()
    assert [store.record(sequence) for sequence in range(4)] == [
        None, room(b"one"), room(b"two"), None,
    ]  # fmt: skip
    assert store.append_raw([room(b"three")]) == [3]
    store.close()


@pytest.mark.parametrize("opened", [1, 3])
def test_state_and_counters_are_the_same_after_reopening(box, opened):
    """Whatever of it came with a checkpoint and whatever was replayed."""
    queue = Queue(box.open())
    for turn in range(6):
        queue.accept([
            acceptance(3 * turn + n, [5, 6], lane=n, expires_at=AT + SECOND) for n in range(3)
        ])  # fmt: skip
        got = queue.lease(5, topics_for(5), member_of(5), 2, AT + turn, AT + turn, "x")
        queue.settle(5, [(got[0].key, "refused", "lý do")], AT, 5, "x", member_of(5))
        if turn % 2:
            queue.store.checkpoint()
    counts, kept, due = queue.counts(), None, queue.store.due_from()
    for _ in range(opened):
        queue.close()
        queue = Queue(box.open())
        assert queue.counts() == counts
        assert queue.store.due_from() == due
        assert queue.store.years_with_ids() == [2024]
        if kept is not None:
            assert state_of(queue) == kept
        kept = state_of(queue)
    assert queue.check() == []
    queue.close()


def test_each_opening_is_a_new_epoch(box):
    epochs = []
    for _ in range(3):
        store = box.open()
        epochs.append(store.epoch)
        store.close()
    assert epochs[0] >= 1
    assert epochs == sorted(set(epochs))


def test_a_record_over_the_limit_is_refused_and_leaves_nothing(box):
    store = box.open()
    largest = room(b"x" * (RECORD_BYTES_MAX - len(room(b""))))
    assert len(largest) == RECORD_BYTES_MAX
    assert store.append_raw([largest]) == [1]
    with pytest.raises(TooLargeError) as caught:
        store.append_raw([room(b"small"), largest + b"x"])
    assert caught.value.code == "record.too_large"
    assert store.healthy()
    assert store.last == 1
    assert store.record(1) == largest
    store.close()


@pytest.mark.parametrize("record", [b"\x09nothing", b"\x02\x01", b"\x05" * 20, b"\x03\x01" * 9])
def test_a_record_that_cannot_be_applied_stops_the_store_and_leaves_nothing(box, record):
    store = box.open()
    store.append_raw([room(b"one")])
    with pytest.raises(StorageError):
        store.append_raw([room(b"two"), record])
    with pytest.raises(StorageError):
        store.append_raw([room(b"three")])
    assert not store.healthy()
    store.close()
    store = box.open()
    assert (store.last, store.record(1)) == (1, room(b"one"))
    assert store.append_raw([room(b"two")]) == [2]
    store.close()


def test_what_is_no_record_is_refused_before_anything_is_done(box):
    store = box.open()
    for wrong in (b"", "text", None, bytearray(b"x")):
        with pytest.raises(TypeError):
            store.append_raw([room(b"one"), wrong])
    assert store.take([]) == []
    assert store.last == 0
    store.close()


def test_a_closed_store_says_so(box):
    store = box.open()
    store.close()
    store.close()
    assert not store.healthy()
    for call in (
        store.counts, store.checkpoint, lambda: store.append_raw([room(b"x")]),
        lambda: store.record(1), lambda: store.row(0, b"x"), lambda: store.page(8, b"", 0, 1),
        lambda: list(store.dump()), lambda: store.enqueue([room(b"x")]),
    ):  # fmt: skip
        with pytest.raises(ClosedError):
            call()


def test_a_reader_never_sees_half_a_group(box):
    queue = Queue(box.open())
    stop = threading.Event()
    seen: list[int] = []

    def look() -> None:
        while not stop.is_set():
            seen.append(queue.store.counts()["documents"])

    thread = threading.Thread(target=look)
    thread.start()
    for number in range(0, 100, 2):
        queue.accept([acceptance(number, [5]), acceptance(number + 1, [5])])
    stop.set()
    thread.join()
    assert all(count % 2 == 0 for count in seen)
    assert seen == sorted(seen)
    queue.close()


def test_readers_and_writers_go_on_during_checkpoints(box):
    """Every answered write is seen by the next reading, whichever layer holds it."""
    queue = Queue(box.open())
    stop = threading.Event()
    errors: list[BaseException] = []

    def checkpoint() -> None:
        try:
            while not stop.is_set():
                queue.store.checkpoint()
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=checkpoint)
    thread.start()
    for number in range(200):
        item = acceptance(number, [5], lane=number % 4)
        queue.accept([item])
        assert queue.document(item.key) is not None
        (got,) = queue.lease(5, topics_for(5), member_of(5), 9, AT + 1, AT, "x")
        assert got.key == item.key
        queue.settle(5, [(item.key, "delivered", "")], AT, 5, "x", member_of(5))
    stop.set()
    thread.join()
    assert errors == []
    assert queue.counts()["delivered"] == 200
    assert queue.check() == []
    queue.close()


def test_a_nearly_full_disk_refuses_documents_and_takes_acknowledgements(box):
    queue = Queue(box.open())
    item = acceptance(1, [5])
    queue.accept([item])
    queue.store.refusing = True
    with pytest.raises(OverloadedError) as caught:
        queue.accept([acceptance(2, [5])])
    assert caught.value.code == "store.nearly_full"
    (answer,) = queue.settle(5, [(item.key, "delivered", "")], AT, 5, "x", member_of(5))
    assert answer.state == "delivered"
    queue.store.refusing = False
    assert queue.accept([acceptance(2, [5])])[0].sequence == 3
    queue.close()


def test_a_senders_feed_is_kept_in_order(box):
    store = box.open()
    store.append_raw([encode_feed([(7, b"one"), (8, b"other")], AT, 1)])
    store.append_raw([encode_feed([(7, b"two")], AT, 1)])
    store.close()
    store = box.open()
    feed = store.page(TABLE["feed"], (7).to_bytes(4, "big"), 0, 9)
    assert feed == [(1, b"one"), (2, b"two")]
    assert store.page(TABLE["feed"], (7).to_bytes(4, "big"), 2, 9) == [(2, b"two")]
    store.close()


def test_pages_are_in_order_over_all_layers(box):
    queue = Queue(box.open())
    for turn in range(3):
        queue.accept([acceptance(10 * turn + n, [5]) for n in range(10)])
        if turn < 2:
            queue.store.checkpoint()
    page = queue.store.page(TABLE["documents"], b"", 4, 20)
    assert [sequence for sequence, _ in page] == list(range(4, 24))
    with pytest.raises(ValueError, match="ordered"):
        queue.store.page(TABLE["keys"], b"", 0, 1)
    with pytest.raises(ValueError, match="table"):
        queue.store.row(99, b"x")
    queue.close()
