"""A store's memory and disk are bounded, and a former owner harms nobody."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import pytest
from support.stores import (
    AT,
    SECOND,
    acceptance,
    audience_of,
    member_of,
    own_topic,
    posted,
    topics_for,
)
from support.waiting import until

from router.errors import OverloadedError, StorageError
from router.queue import Accepted, LogStore, Overfull, Queue, Repeated
from router.queue.check import check_store
from router.queue.guard import SpaceGuard, segment_bytes
from router.queue.records import encode_acceptance

LEASE = 60 * SECOND


def lease(queue, address, limit=100):
    return queue.lease(address, topics_for(address), member_of(address), limit, AT + LEASE, AT, "x")


# Free space.


class Disk:
    """Free bytes and a clock, moved by hand."""

    def __init__(self, free):
        self.free, self.now, self.asked = free, 0.0, 0

    def bytes(self):
        self.asked += 1
        if self.free is None:
            raise OSError
        return self.free

    def seconds(self):
        return self.now


def test_documents_are_refused_below_the_reserve_and_taken_a_quarter_above_it():
    disk = Disk(1_000)
    guard = SpaceGuard(disk.bytes, 1_000, disk.seconds)
    answers = []
    for free in (1_000, 999, 1_000, 1_249, 1_250, 1_000, 999):
        disk.free = free
        answers.append(guard.look())
        disk.now += 1
    assert answers == [False, True, True, True, False, False, True]


def test_free_space_is_asked_for_at_most_once_a_second():
    disk = Disk(5)
    guard = SpaceGuard(disk.bytes, 10, disk.seconds)
    for _ in range(100):
        assert guard.look()
        disk.now += 0.05
    assert disk.asked <= 6


def test_a_disk_that_does_not_answer_leaves_the_last_answer():
    disk = Disk(5)
    guard = SpaceGuard(disk.bytes, 10, disk.seconds)
    assert guard.look()
    disk.free, disk.now = None, 2.0
    assert guard.look()


def test_no_reserve_refuses_nothing():
    assert not SpaceGuard(lambda: 0, 0).look()


def test_a_watched_directory_refuses_and_takes_again(tmp_path, monkeypatch):
    store = LogStore.open(tmp_path / "data", clock_us=AT, reserve_bytes=4_096)
    queue = Queue(store)
    queue.accept([acceptance(1, [5])])
    monkeypatch.setattr(store._space.guard, "_free", lambda: 100)
    until(lambda: store.refusing)
    with pytest.raises(OverloadedError) as caught:
        queue.accept([acceptance(2, [5])])
    assert caught.value.code == "store.nearly_full"
    (item,) = lease(queue, 5)
    assert queue.settle(5, [(item.key, "delivered", "")], AT, 5, "x", member_of(5))[0].found
    monkeypatch.setattr(store._space.guard, "_free", lambda: 1 << 30)
    until(lambda: not store.refusing)
    assert queue.accept([acceptance(2, [5])])[0].sequence
    queue.close()


def test_segments_are_a_small_part_of_a_small_disk(monkeypatch):
    sizes = []
    for size in (0, 8 << 20, 1 << 30, 1 << 40):
        monkeypatch.setattr("router.queue.guard.disk_bytes", lambda _, size=size: size)
        sizes.append(segment_bytes(None) >> 20)
    assert sizes == [64, 1, 16, 64]


# Memory.


class HeldCheckpoint:
    """Keeps LMDB's writing lock in another process: a checkpoint waits as long."""

    _CODE = textwrap.dedent("""
        import sys, lmdb
        env = lmdb.open(sys.argv[1], map_size=1 << 30, max_dbs=32, lib_version=0)
        with env.begin(write=True) as txn:
            print("held", flush=True)
            sys.stdin.read()
            txn.abort()
    """)

    def __init__(self, directory):
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-c", self._CODE, str(directory / "store")],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == b"held\n"

    def release(self):
        self._process.communicate(b"")


def test_writers_wait_for_a_checkpoint_and_are_refused_when_it_does_not_end(tmp_path):
    store = LogStore.open(tmp_path / "data", clock_us=AT)
    queue = Queue(store)
    store.overlay_bytes_max, store.overlay_wait_s = 8 << 20, 0.2
    queue.accept([acceptance(0, [5])])
    held = HeldCheckpoint(tmp_path / "data")
    checkpoint = threading.Thread(target=store.checkpoint)
    checkpoint.start()
    taken, refused = 1, None
    while refused is None and taken < 100_000:
        try:
            queue.accept([acceptance(taken + n, [5]) for n in range(64)])
            taken += 64
        except OverloadedError as error:
            refused = error
    assert refused is not None
    assert refused.code == "store.checkpoint_behind"
    assert refused.facts["retry_after_s"]
    assert store.sizes()["overlay_bytes"] < 10 << 20, "memory grew beyond its bound"
    (item, *_) = lease(queue, 5)
    assert queue.settle(5, [(item.key, "delivered", "")], AT, 5, "x", member_of(5))[0].found
    held.release()
    checkpoint.join()
    until(lambda: not store.sizes()["crowded"])
    assert isinstance(queue.accept([acceptance(200_000, [5])])[0], Accepted)
    assert check_store(store) == []
    queue.close()


def test_a_line_of_callers_is_bounded_in_bytes(tmp_path):
    store = LogStore.open(tmp_path / "data", clock_us=AT)
    store.line_bytes_max = 10_000
    record = encode_acceptance(acceptance(1, [5], envelope=b"x" * 4_000))
    queued = 2
    for _ in range(queued):
        store.enqueue([record])
    with pytest.raises(OverloadedError) as caught:
        store.enqueue([record])
    assert caught.value.code == "store.busy"
    signal = store.eventfd  # now there is a writer
    assert signal >= 0
    done = []
    until(lambda: done.extend(store.completed()) or len(done) == queued)
    assert store.sizes()["line_bytes"] == 0
    huge = [encode_acceptance(acceptance(n, [5], envelope=b"x" * 40_000)) for n in (2, 3)]
    assert len(store.take(huge)) == 2, "who is alone in the line is let in, whatever he brings"
    store.close()


def test_queued_documents_are_told_that_the_disk_is_nearly_full(tmp_path):
    store = LogStore.open(tmp_path / "data", clock_us=AT)
    store.refusing = True
    assert store.eventfd >= 0
    number = store.enqueue([encode_acceptance(acceptance(1, [5]))])
    done = []
    until(lambda: done.extend(store.completed()) or done)
    ((told, answer),) = done
    assert told == number
    assert isinstance(answer, OverloadedError)
    assert answer.code == "store.nearly_full"
    store.close()


# What is pending.


def mixed(number, named, grouped):
    """Return a document for some units by name and others under one topic."""
    audience = audience_of([*named, *grouped])
    topics = {own_topic(unit): [unit] for unit in named} | {b"GROUP": grouped}
    item = acceptance(number, [*named, *grouped], postings=posted(topics, audience))
    assert item.audience == audience
    return item


def settle(queue, address, key):
    (one,) = queue.settle(address, [(key, "delivered", "")], AT, address, "x", member_of(address))
    assert one.state == "delivered"


def test_beside_a_group_only_those_written_to_by_name_are_counted(tmp_path):
    queue = Queue(LogStore.open(tmp_path / "data", clock_us=AT))
    items = [mixed(number, [5, 40], range(10, 20)) for number in (1, 2)]
    queue.accept(items)
    assert [queue.store.pending(unit) for unit in (5, 40, 10, 19)] == [2, 2, 0, 0]
    settle(queue, 10, items[0].key)
    settle(queue, 40, items[0].key)
    assert [queue.store.pending(unit) for unit in (5, 40, 10, 19)] == [2, 1, 0, 0]
    queue.store.checkpoint()
    settle(queue, 40, items[1].key)
    queue.close()
    queue = Queue(LogStore.open(tmp_path / "data", clock_us=AT))
    assert [queue.store.pending(unit) for unit in (5, 40, 10, 19)] == [2, 0, 0, 0]
    assert check_store(queue.store) == []
    queue.store.pending_max = 2
    full = queue.accept([mixed(3, [5, 40], range(10, 20)), mixed(4, [40], range(10, 20))])
    assert full[0] == Overfull(2, (5,))
    assert isinstance(full[1], Accepted)
    queue.close()


def test_names_beside_a_group_beyond_their_bound_count_as_a_broadcast(tmp_path):
    queue = Queue(LogStore.open(tmp_path / "data", clock_us=AT))
    queue.accept([mixed(1, range(100, 230, 2), range(10, 20)), acceptance(2, range(100, 230, 2))])
    assert {queue.store.pending(unit) for unit in range(100, 230, 2)} == {1}
    assert check_store(queue.store) == []
    queue.close()


# Owners.


_NEXT_OWNER = textwrap.dedent("""
    import sys
    from pathlib import Path
    sys.path.insert(0, sys.argv[2])
    from support.stores import AT, acceptance
    from router.queue import LogStore, Queue
    queue = Queue(LogStore.open(Path(sys.argv[1]), clock_us=AT))
    for number in range(100, 110):
        queue.accept([acceptance(number, [5])])
    queue.store.checkpoint()
    print("owner", flush=True)
    sys.stdin.read()
    for number in range(110, 120):
        queue.accept([acceptance(number, [5])])
    queue.close()
""")


@pytest.mark.parametrize("late", ["write", "lease", "checkpoint", "close"])
def test_a_former_owner_is_fenced_and_harms_nobody(tmp_path, late):
    """Somebody removed LOCK beside a living owner, and another one opened the directory."""
    data = tmp_path / "data"
    old = Queue(LogStore.open(data, clock_us=AT))
    for number in range(10):
        old.accept([acceptance(number, [5])])
    (data / "LOCK").unlink()
    support = str(Path(__file__).parents[2])
    with subprocess.Popen(
        [sys.executable, "-P", "-c", _NEXT_OWNER, str(data), support],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stdout.readline() == b"owner\n"
        if late != "close":
            late_work = {
                "write": lambda: old.accept([acceptance(50, [5])]),
                "lease": lambda: lease(old, 5),
                "checkpoint": old.store.checkpoint,
            }
            with pytest.raises(StorageError) as caught:
                late_work[late]()
            assert caught.value.code == "store.locked"
            assert not old.healthy()
            with pytest.raises(StorageError, match=r"store\.locked"):
                old.accept([acceptance(51, [5])])
        old.close()
        if late in {"checkpoint", "close"}:
            process.kill()  # what the next one finds is what the former owner left of the base
        process.communicate(b"")
    queue = Queue(LogStore.open(data, clock_us=AT))
    assert check_store(queue.store) == []
    end = 110 if late in {"checkpoint", "close"} else 120
    numbers = [*range(10), *range(100, end)]
    answers = queue.accept([acceptance(number, [5]) for number in numbers])
    assert all(isinstance(one, Repeated) for one in answers), "what was answered is there"
    assert isinstance(queue.accept([acceptance(50, [5])])[0], Accepted)
    queue.close()
