"""Every store of the durability port keeps the same promises.

A group is there whole or not at all, a later opening sees what was answered, a record is
believed only with its checksum, and an old owner is fenced.
"""

from __future__ import annotations

import threading

import pytest
from support.stores import LmdbBox, MemoryBox, StoreBox

from router.errors import ClosedError, StorageError, TooLargeError
from router.limits import KEY_BYTES_MAX, RECORD_BYTES_MAX
from router.queue.tables import DELIVERIES, TOPICS


@pytest.fixture(params=["lmdb", "memory"])
def box(request, tmp_path) -> StoreBox:
    return LmdbBox(tmp_path / "data") if request.param == "lmdb" else MemoryBox()


def test_what_a_group_wrote_is_there_after_reopening(box):
    store = box.open()
    with store.group() as group:
        assert group.append(b"one") == 1
        assert group.append(b"two") == 2
        group.put(TOPICS, b"k", b"v")
    store.close()
    store = box.open()
    with store.view() as view:
        assert view.get(TOPICS, b"k") == b"v"
        assert view.record(2) == b"two"
        assert view.record(3) is None
        assert view.durable == 2
    assert list(store.log.read(1)) == [(1, b"one"), (2, b"two")]
    assert list(store.log.read(2)) == [(2, b"two")]
    store.close()


def write_and_raise(store) -> None:
    with store.group() as group:
        assert group.append(b"lost") == 2
        group.put(TOPICS, b"kept", b"new")
        group.put(TOPICS, b"lost", b"v")
        group.delete(TOPICS, b"kept")
        raise RuntimeError("on purpose")


def test_a_group_that_raises_leaves_nothing(box):
    store = box.open()
    with store.group() as group:
        group.append(b"one")
        group.put(TOPICS, b"kept", b"old")
    with pytest.raises(RuntimeError, match="on purpose"):
        write_and_raise(store)
    assert store.healthy()
    with store.group() as group:
        assert group.get(TOPICS, b"kept") == b"old"
        assert group.get(TOPICS, b"lost") is None
        assert group.append(b"two") == 2
    assert list(store.log.read(1)) == [(1, b"one"), (2, b"two")]
    store.close()


def test_a_group_reads_what_it_wrote(box):
    store = box.open()
    with store.group() as group:
        group.put(DELIVERIES, b"b", b"2")
        group.put(DELIVERIES, b"a", b"1")
        group.put(DELIVERIES, b"a", b"3")
        sequence = group.append(b"record")
        assert group.record(sequence) == b"record"
        assert list(group.scan(DELIVERIES, b"a", b"z")) == [(b"a", b"3"), (b"b", b"2")]
    store.close()


def test_a_scan_is_in_key_order_with_the_stop_left_out(box):
    store = box.open()
    with store.group() as group:
        for key in (b"c", b"a", b"b", b"\xff\xff", b"a\0"):
            group.put(TOPICS, key, key)
    with store.view() as view:
        assert [key for key, _ in view.scan(TOPICS, b"a", b"c")] == [b"a", b"a\0", b"b"]
        assert [key for key, _ in view.scan(TOPICS, b"b", b"\xff" * 3)] == [b"b", b"c", b"\xff\xff"]
        assert list(view.scan(TOPICS, b"d", b"e")) == []
        assert len(list(view.scan(TOPICS, b"", b"\xff" * 3))) == 5
    with store.group() as group:
        group.delete(TOPICS, b"a")
        group.delete(TOPICS, b"never there")
    with store.view() as view:
        assert view.get(TOPICS, b"a") is None
    store.close()


def test_each_opening_is_a_new_epoch(box):
    epochs = []
    for _ in range(3):
        store = box.open()
        epochs.append(store.epoch)
        assert store.log.epoch == store.epoch
        store.close()
    assert epochs == [1, 2, 3]


def test_sequences_are_never_given_again_after_a_cut(box):
    store = box.open()
    assert store.log.append([b"1", b"2", b"3"]) == 1
    store.log.cut(4)
    assert list(store.log.read(1)) == []
    store.close()
    store = box.open()
    assert store.log.append([b"4"]) == 4
    store.log.cut(3)
    assert list(store.log.read(1)) == [(4, b"4")]
    store.close()


def test_a_record_over_the_limit_is_refused_and_leaves_nothing(box):
    store = box.open()
    store.log.append([b"x" * RECORD_BYTES_MAX])
    with pytest.raises(TooLargeError) as caught:
        store.log.append([b"small", b"x" * (RECORD_BYTES_MAX + 1)])
    assert caught.value.code == "record.too_large"
    assert store.healthy()
    assert len(list(store.log.read(1))) == 1
    store.close()


def test_the_longest_key_fits(box):
    store = box.open()
    with store.group() as group:
        group.put(TOPICS, b"k" * KEY_BYTES_MAX, b"v")
    with store.view() as view:
        assert view.get(TOPICS, b"k" * KEY_BYTES_MAX) == b"v"
    store.close()


def test_closing_waits_for_views_and_lets_no_new_one_begin(box):
    store = box.open()
    with store.group() as group:
        group.put(TOPICS, b"k", b"v")
    closed = threading.Event()

    def close() -> None:
        store.close()
        closed.set()

    closer = threading.Thread(target=close)
    with store.view() as view:
        closer.start()
        closed.wait(0.05)  # an early close has the time to show itself
        assert view.get(TOPICS, b"k") == b"v"
        assert not closed.is_set()
    closer.join()
    with pytest.raises(ClosedError), store.view():
        pass


def test_a_fenced_store_that_was_closed_says_closed(box):
    store = box.open()
    store._fence = StorageError("store.failed", reason="test")
    with pytest.raises(StorageError), store.view():
        pass
    store.close()
    for opened in (store.view, store.group):
        with pytest.raises(ClosedError), opened():
            pass


def test_a_closed_store_says_so(box):
    store = box.open()
    store.close()
    store.close()
    assert not store.healthy()
    with pytest.raises(ClosedError), store.group():
        pass
    with pytest.raises(ClosedError), store.view():
        pass


def test_a_view_never_sees_half_a_group(box):
    store = box.open()
    stop = threading.Event()
    seen: list[tuple[bytes | None, bytes | None]] = []

    def look() -> None:
        while not stop.is_set():
            with store.view() as view:
                seen.append((view.get(TOPICS, b"left"), view.get(TOPICS, b"right")))

    thread = threading.Thread(target=look)
    thread.start()
    for number in range(50):
        with store.group() as group:
            group.put(TOPICS, b"left", b"%d" % number)
            group.put(TOPICS, b"right", b"%d" % number)
    stop.set()
    thread.join()
    assert all(left == right for left, right in seen)
    store.close()
