"""What comes after acceptance: due work is noted once and forgotten, deaths are told."""

from __future__ import annotations

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

from router.limits import HISTORY_EVENTS_MAX
from router.queue import State, after, records
from router.queue.queue import Queue

HOUR = 3_600 * SECOND
NEVER = 1 << 62


@pytest.fixture(params=KINDS)
def box(request, tmp_path):
    return box_of(request.param, tmp_path)


@pytest.fixture
def queue(box):
    return Queue(box.open())


def reopened(queue, box):
    queue.close()
    return Queue(box.open())


def lease(queue, address, at, attempts_max=20):
    topics, places = topics_for(address), member_of(address)
    return queue.lease(address, topics, places, 10, at + SECOND, at, "x", attempts_max=attempts_max)


def expire(queue, one):
    row = after.entry_of(queue, one.document, one.entry)
    queue.store.append_raw([after.expiry(queue, row, one.document, "time to live")])


def tables(queue):
    return {table for table, _, _ in state_of(queue)}


def test_what_falls_due_is_found_in_order_by_its_instant(queue, box):
    ends = (3 * HOUR, 5 * SECOND, HOUR + 1, None, 5 * SECOND)
    queue.accept([
        acceptance(n, [n + 1], expires_at=None if end is None else AT + end)
        for n, end in enumerate(ends)
    ])  # fmt: skip
    queue = reopened(queue, box)
    assert after.due(queue.store, AT + 5 * SECOND - 1, 10) == []
    found = after.due(queue.store, AT + 4 * HOUR, 10)
    assert [one.at - AT for one in found] == sorted(end for end in ends if end)
    assert after.due(queue.store, AT + 4 * HOUR, 3) == found[:3]
    assert after.due(queue.store, NEVER, 3) == found[:3]


def test_an_entry_that_expired_leaves_topics_and_time_index_and_is_over_once(queue, box):
    queue.accept([acceptance(n, [1, 2], expires_at=AT + SECOND) for n in range(3)])
    got = lease(queue, 1, AT)
    items = [(one.key, "delivered", "") for one in got]
    queue.settle(1, items, AT, 1, "x", member_of(1))
    queue.settle(2, items[:1], AT, 2, "x", member_of(2))
    assert queue.counts()["in_flight"] == 2
    for one in after.due(queue.store, AT + HOUR, 10):
        expire(queue, one)
        expire(queue, one)
    assert after.due(queue.store, AT + HOUR, 10) == []
    counts = queue.counts()
    assert (counts["in_flight"], counts["expired"], counts["delivered"]) == (0, 2, 4)
    queue = reopened(queue, box)
    assert queue.check() == []
    assert not tables(queue) & {"due", "topics"}


def test_a_death_is_told_in_the_record_that_makes_it_so(queue, box):
    queue.accept([acceptance(1, [5], sender=7), acceptance(2, [5], sender=8)])
    for n in range(3):
        lease(queue, 5, AT + n * SECOND, attempts_max=2)
    queue = reopened(queue, box)
    for sender, document in ((7, 1), (8, 2)):
        ((sequence, value),) = after.feed(queue.store, sender, 0, 10)
        assert value == bytes([State.DEAD])
        (dead,) = after.dead_of(queue.store, sequence, sender)
        assert dead.address == 5
        assert after.document_row(queue.store, document) == dead.document
    assert after.feed(queue.store, 9, 0, 10) == []
    assert queue.check() == []


def test_a_feed_is_read_from_a_sequence_on_and_the_engine_has_its_own(queue, box):
    sequences = [
        queue.store.append_raw([records.encode_feed([(7, b"first %d" % n), (0, b"mine")], AT, 0)])[
            0
        ]
        for n in range(3)
    ]
    queue = reopened(queue, box)
    pages = after.feed(queue.store, 7, sequences[1], 10)
    assert pages == [(sequences[1], b"first 1"), (sequences[2], b"first 2")]
    assert list(after.told(queue.store)) == [b"mine"] * 3


def test_a_history_does_not_go_on_after_its_end(queue):
    item = acceptance(1, [1, 2], expires_at=AT + HOUR)
    queue.accept([item])
    for n in range(2):
        lease(queue, 1, AT + n * SECOND)
    queue.settle(1, [(item.key, "delivered", "")], AT + 2 * SECOND, 1, "x", member_of(1))
    lease(queue, 2, AT)
    (one,) = after.due(queue.store, AT + HOUR, 10)
    expire(queue, one)
    states = [event.state for event in queue.history(item.key, 1, AT + HOUR, member_of(1))]
    assert states == ["queued", "leased", "leased", "delivered"]
    states = [event.state for event in queue.history(item.key, 2, AT + HOUR, member_of(2))]
    assert states == ["queued", "leased", "expired"]
    assert len(states) < HISTORY_EVENTS_MAX
