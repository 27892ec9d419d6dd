"""What lies behind an open delivery is walked once, and nothing open is ever forgotten."""

from __future__ import annotations

import random

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
    posted,
    state_of,
    topics_for,
)

from router.queue.queue import Queue

ADDRESS = 5
LONG = 10**9 * SECOND


def lease(queue, limit=100, at=AT, until=AT + LONG, lanes=None, **further):
    return queue.lease(
        ADDRESS, topics_for(ADDRESS), member_of(ADDRESS), limit, until, at, "x", lanes=lanes,
        **further,
    )  # fmt: skip


def settle(queue, keys):
    items = [(key, "delivered", "") for key in keys]
    return queue.settle(ADDRESS, items, AT, ADDRESS, "x", member_of(ADDRESS))


def drain(queue, numbers):
    queue.accept([acceptance(n, [ADDRESS]) for n in numbers])
    while got := lease(queue):
        settle(queue, [item.key for item in got])


def open_rows(queue):
    """Return the sequences of the documents that OPEN names, in order."""
    return [
        int.from_bytes(value[8:16], "big")
        for table, _, value in state_of(queue) if table == "open"
    ]  # fmt: skip


@pytest.fixture(params=KINDS)
def box(request, tmp_path):
    return box_of(request.param, tmp_path / "data")


@pytest.fixture
def queue(box):
    queue = Queue(box.open())
    yield queue
    queue.close()


def test_only_what_is_open_is_kept_below_the_cursor(queue):
    queue.accept([acceptance(0, [ADDRESS])])
    (stuck,) = lease(queue)
    for turn in range(3):
        drain(queue, range(1 + 200 * turn, 201 + 200 * turn))
        assert lease(queue) == []
        assert not queue.waiting(ADDRESS, topics_for(ADDRESS), member_of(ADDRESS), AT)
    assert open_rows(queue) == [stuck.sequence]
    assert queue.check() == []


def test_what_is_open_below_the_cursor_comes_again_first_and_is_then_forgotten(box):
    queue = Queue(box.open())
    queue.accept([acceptance(n, [ADDRESS]) for n in range(10)])
    first = lease(queue, until=AT + SECOND)
    settle(queue, [item.key for item in first[2:9]])
    assert lease(queue) == []
    queue.close()
    queue = Queue(box.open())
    assert lease(queue) == []
    assert open_rows(queue) == [1, 2, 10]
    (fresh,) = queue.accept([acceptance(10, [ADDRESS])])
    got = lease(queue, at=AT + SECOND)
    assert [(item.sequence, item.attempt) for item in got] == [
        (1, 2), (2, 2), (10, 2), (fresh.sequence, 1),
    ]  # fmt: skip
    settle(queue, [item.key for item in got])
    assert lease(queue, at=AT + SECOND) == []
    assert open_rows(queue) == []
    assert queue.check() == []
    queue.close()


def test_what_runs_out_below_the_cursor_is_noted_as_expired(queue):
    item = acceptance(0, [ADDRESS], expires_at=AT + 2 * SECOND)
    queue.accept([item, *[acceptance(n, [ADDRESS]) for n in range(1, 6)]])
    first = lease(queue, until=AT + SECOND)
    settle(queue, [one.key for one in first[1:]])
    assert open_rows(queue) == [1]
    at = AT + 2 * SECOND
    assert lease(queue, at=at) == []
    assert queue.delivery(item.key, ADDRESS, at, member_of(ADDRESS)).state == "expired"
    assert queue.counts()["expired"] == 1
    assert open_rows(queue) == []
    assert queue.check() == []


def test_what_was_settled_before_it_was_handed_out_is_not_handed_out(queue):
    items = [acceptance(n, [ADDRESS]) for n in range(4)]
    queue.accept(items)
    settle(queue, [items[2].key, items[0].key])
    assert [item.sequence for item in lease(queue)] == [2, 4]
    assert queue.check() == []


def test_other_topics_begin_from_the_bottom_and_hand_nothing_out_twice(queue):
    def lease_under(*topics, at=AT, limit=9):
        got = queue.lease(ADDRESS, topics, member_of(ADDRESS), limit, AT + LONG, at, "x")
        return [item.sequence for item in got]

    audience = audience_of([ADDRESS])
    queue.accept([
        acceptance(n, [ADDRESS], postings=posted({topic: [ADDRESS]}, audience))
        for n, topic in enumerate([b"a", b"b", b"a", b"b", b"a"])
    ])  # fmt: skip
    assert lease_under(b"a", limit=2) == [1, 3]
    assert lease_under(b"b", limit=1) == [2]
    assert lease_under(b"a", b"b") == [4, 5]
    assert lease_under(b"a") == lease_under(b"b") == lease_under(b"a", b"b") == []
    assert queue.check() == []


@pytest.mark.parametrize("seed", range(16))
def test_a_lease_hands_out_what_a_walk_from_the_bottom_would(seed):
    chance = random.Random(seed)
    queue = Queue(MemoryBox().open())
    open_until: dict[tuple[int, int], int] = {}  # (lane, sequence) -> leased until
    keys: dict[int, tuple[int, bytes]] = {}
    number = 0
    for step in range(300):
        at = AT + step * SECOND
        match chance.randrange(4):
            case 0:
                for _ in range(chance.randrange(4)):
                    item = acceptance(number, [ADDRESS], lane=chance.randrange(2) * 3)
                    (accepted,) = queue.accept([item])
                    open_until[item.lane, accepted.sequence] = 0
                    keys[accepted.sequence] = (item.lane, item.key)
                    number += 1
            case 1:
                lanes = chance.choice([(0,), (3,)])
                limit = chance.randrange(1, 5)
                until = at + chance.choice([1, 20, 10**6]) * SECOND
                due = [
                    key for key, held in sorted(open_until.items())
                    if held <= at and key[0] in lanes
                ]  # fmt: skip
                got = lease(queue, limit, at, until, lanes, attempts_max=255)
                assert [(item.lane, item.sequence) for item in got] == due[:limit]
                open_until.update({(item.lane, item.sequence): until for item in got})
            case _ if open_until:
                lane, sequence = chance.choice(sorted(open_until))
                settle(queue, [keys[sequence][1]])
                del open_until[lane, sequence]
    assert queue.check() == []
