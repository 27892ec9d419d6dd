"""Open deliveries are counted without touching them: what is queued and what is leased."""

from __future__ import annotations

import random

import pytest
from support.stores import (
    AT,
    KINDS,
    SECOND,
    MemoryBox,
    acceptance,
    box_of,
    member_of,
    topics_for,
)

from router.queue.inboxes import OpenCount
from router.queue.queue import Queue

ADDRESS, OTHER = 5, 6


@pytest.fixture(params=KINDS)
def queue(request, tmp_path):
    queue = Queue(box_of(request.param, tmp_path / "data").open())
    yield queue
    queue.close()


def count(queue, address=ADDRESS, at=AT, looked_max=10_000):
    return queue.open_count(
        address, topics_for(address), member_of(address), at, looked_max=looked_max
    )


def lease(queue, limit, address=ADDRESS, at=AT, until=AT + SECOND):
    return queue.lease(address, topics_for(address), member_of(address), limit, until, at, "x")


def settle(queue, leased, address=ADDRESS):
    items = [(one.key, "delivered", "") for one in leased]
    queue.settle(address, items, AT, address, "x", member_of(address))


def test_what_waits_is_held_or_is_final_is_told_apart(queue):
    assert count(queue) == OpenCount(0, 0, False)
    queue.accept([acceptance(number, [ADDRESS, OTHER]) for number in range(6)])
    queue.accept([acceptance(6, [OTHER])])
    settle(queue, lease(queue, 2))
    lease(queue, 3)  # not flushed yet, and held all the same
    assert count(queue)[:2] == (1, 3)
    assert count(queue, OTHER)[:2] == (7, 0)
    queue.flush()
    assert count(queue)[:2] == (1, 3)
    assert count(queue, at=AT + SECOND)[:2] == (4, 0), "the leases have run out"


def test_what_ran_out_waits_no_more(queue):
    queue.accept([acceptance(0, [ADDRESS], expires_at=AT + SECOND), acceptance(1, [ADDRESS])])
    assert count(queue)[:2] == (2, 0)
    assert count(queue, at=AT + SECOND)[:2] == (1, 0)


def test_counting_changes_nothing(queue):
    queue.accept([acceptance(number, [ADDRESS]) for number in range(50)])
    (kept, *rest) = lease(queue, 40, until=AT + 100 * SECOND)
    settle(queue, rest)
    lease(queue, 1, until=AT + 100 * SECOND)
    last, counts = queue.store.last, queue.counts()
    assert count(queue) == OpenCount(9, 2, False)
    assert (queue.store.last, queue.counts()) == (last, counts)
    assert queue.check() == []
    settle(queue, [kept])
    assert count(queue) == OpenCount(9, 1, False)


def test_counting_stops_at_its_bound(queue):
    queue.accept([acceptance(number, [ADDRESS]) for number in range(5)])
    assert count(queue, looked_max=6) == OpenCount(5, 0, False)
    assert count(queue, looked_max=4) == OpenCount(4, 0, True)
    assert count(queue, looked_max=0) == OpenCount(0, 0, True)


@pytest.mark.parametrize("seed", range(5))
def test_the_count_is_what_leasing_all_would_find(seed):
    chance = random.Random(seed)
    queue = Queue(MemoryBox().open())
    number = 0
    for _ in range(40):
        if chance.random() < 0.5:
            members = chance.sample([ADDRESS, OTHER, 7], chance.randint(1, 3))
            queue.accept([acceptance(number, members)])
            number += 1
        else:
            leased = lease(queue, chance.randint(1, 3), until=AT + 100 * SECOND)
            settle(queue, chance.sample(leased, chance.randint(0, len(leased))))
    found = count(queue)
    assert len(lease(queue, 1_000)) == found.queued
    assert count(queue).queued == 0
    assert count(queue).leased == found.queued + found.leased
