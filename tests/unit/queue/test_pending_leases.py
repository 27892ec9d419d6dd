"""A lease waits for no flush, yet nobody sees a state without it."""

from __future__ import annotations

import random
import threading
import time

import pytest
from support.stores import (
    AT,
    KINDS,
    SECOND,
    LogBox,
    MemoryBox,
    acceptance,
    box_of,
    member_of,
    topics_for,
)

from router.errors import ClosedError, StorageError
from router.queue.memory_store import SimulatedCrashError, Trouble
from router.queue.queue import Queue

LEASE = 300 * SECOND


@pytest.fixture
def box():
    return MemoryBox()


@pytest.fixture
def queue(box):
    return Queue(box.open())


def lease(queue, address, limit=100, at=AT):
    return queue.lease(address, topics_for(address), member_of(address), limit, at + LEASE, at, "x")


def settle(queue, address, got):
    return queue.settle(
        address, [(item.key, "delivered", "") for item in got], AT, address, "x",
        member_of(address),
    )  # fmt: skip


def test_a_lease_costs_no_flush_and_goes_with_the_next(queue, box):
    queue.accept([acceptance(n, [5]) for n in range(10)])
    flushes = box.disk.flushes
    got = [item for _ in range(10) for item in lease(queue, 5, limit=1)]
    assert [item.sequence for item in got] == list(range(1, 11))
    assert box.disk.flushes == flushes
    settle(queue, 5, got)
    assert box.disk.flushes == flushes + 1
    assert queue.counts()["attempts"] == 10
    assert queue.check() == []


def test_every_reading_of_deliveries_sees_a_lease_that_was_answered(queue):
    item = acceptance(1, [5, 6], broadcast=True)
    queue.accept([item])
    lease(queue, 5)
    assert not queue.waiting(5, topics_for(5), member_of(5), AT)
    assert queue.delivery(item.key, 5, AT, member_of(5)).state == "leased"
    lease(queue, 6)
    assert [cell.state for cell in queue.cells(8, 0, 2)] == [1, 1]
    assert queue.count_states(8, [0, 1, 2], AT) == [[0, 1] + [0] * 8] * 2
    assert queue.counts()["leased"] == 2


def test_a_pending_lease_that_runs_out_comes_again_with_its_attempts(queue):
    queue.accept([acceptance(1, [5])])
    assert [lease(queue, 5, at=AT + n * LEASE)[0].attempt for n in range(3)] == [1, 2, 3]
    assert queue.waiting(5, topics_for(5), member_of(5), AT + 3 * LEASE)


def test_a_crash_loses_a_pending_lease_and_nothing_else(queue, box):
    queue.accept([acceptance(n, [5, 6], broadcast=True) for n in range(4)])
    settled = lease(queue, 6, limit=2)
    settle(queue, 6, settled)
    lost = lease(queue, 5, limit=2)
    box.disk.files.crash(random.Random(0), "none")
    queue = Queue(box.open())
    assert [item.sequence for item in lease(queue, 5, limit=2)] == [item.sequence for item in lost]
    assert [item.sequence for item in lease(queue, 6)] == [3, 4]
    assert queue.check() == []


@pytest.mark.parametrize("trouble", [Trouble.FAIL, Trouble.CRASH_BEFORE])
def test_a_failed_flush_stops_leasing(queue, box, trouble):
    queue.accept([acceptance(n, [5]) for n in range(4)])
    got = lease(queue, 5, limit=2)
    box.disk.trouble_at(1, trouble)
    with pytest.raises((StorageError, SimulatedCrashError)):
        settle(queue, 5, got)
    with pytest.raises((StorageError, SimulatedCrashError)):
        lease(queue, 5)


def test_a_neighbour_that_raises_does_not_lose_or_double_a_lease(queue):
    item = acceptance(1, [5])
    queue.accept([item])
    lease(queue, 5)
    with pytest.raises(ValueError, match="in use"):
        queue.accept([acceptance(2, [5], key=item.key)])
    assert queue.counts()["attempts"] == 1
    assert queue.check() == []


@pytest.mark.parametrize("kind", ["log", "group"])
def test_a_lease_is_on_the_disk_soon_without_any_other_call(tmp_path, kind):
    queue = Queue(box_of(kind, tmp_path / "data").open())
    queue.accept([acceptance(1, [5])])
    lease(queue, 5)
    deadline = time.monotonic() + 60
    while queue.store.durable < 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert queue.store.durable == 2
    queue.close()


@pytest.mark.parametrize("kind", ["log", "group"])
def test_closing_keeps_the_leases(tmp_path, kind):
    box = box_of(kind, tmp_path / "data")
    queue = Queue(box.open())
    queue.accept([acceptance(1, [5])])
    lease(queue, 5)
    queue.close()
    queue = Queue(box.open())
    assert queue.counts()["leased"] == 1
    queue.close()


def test_readers_at_work_while_the_queue_closes_hear_that_it_is_closed(tmp_path):
    queue = Queue(LogBox(tmp_path / "data").open())
    queue.accept([acceptance(n, [5]) for n in range(50)])
    ends: list[BaseException] = []
    begun = threading.Barrier(5)

    def work() -> None:
        begun.wait()
        try:
            while True:
                lease(queue, 5, limit=1)
                queue.waiting(5, topics_for(5), member_of(5), AT)
                queue.counts()
        except BaseException as error:
            ends.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    begun.wait()
    queue.close()
    for thread in threads:
        thread.join()
    assert [type(end) for end in ends] == [ClosedError] * 4


@pytest.mark.parametrize("kind", KINDS)
def test_workers_of_one_unit_never_get_the_same_delivery(tmp_path, kind):
    box = box_of(kind, tmp_path / "data")
    queue = Queue(box.open())
    queue.accept([acceptance(n, [5], lane=n % 4) for n in range(200)])
    taken: list[int] = []
    errors: list[BaseException] = []

    def work() -> None:
        try:
            while got := lease(queue, 5, limit=3):
                taken.extend(item.sequence for item in got)
                assert all(not answer.repeated for answer in settle(queue, 5, got))
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert sorted(taken) == list(range(1, 201))
    assert queue.counts()["delivered"] == 200
    assert queue.check() == []
    queue.close()
