"""What lies behind an open delivery is walked once, and nothing open is ever forgotten."""

from __future__ import annotations

import random

import pytest
from support.stores import AT, SECOND, MemoryBox, acceptance, member_of, topics_for

from router.queue import inbox, tables
from router.queue.queue import Queue

ADDRESS = 5
LONG = 10**9 * SECOND


def lease(queue, limit=100, at=AT, until=AT + LONG, lanes=None):
    return queue.lease(
        ADDRESS, topics_for(ADDRESS), member_of(ADDRESS), limit, until, at, "x", lanes=lanes
    )  # fmt: skip


def settle(queue, keys):
    items = [(key, "delivered", "") for key in keys]
    return queue.settle(ADDRESS, items, AT, ADDRESS, "x", member_of(ADDRESS))


def drain(queue, numbers):
    queue.accept([acceptance(n, [ADDRESS]) for n in numbers])
    while got := lease(queue):
        settle(queue, [item.key for item in got])


def open_rows(box):
    return [tables.OPEN_ENTRY.unpack(key) for key in box.disk.table(tables.OPEN).keys]


@pytest.fixture
def walked(monkeypatch):
    """Count the entries that are looked at."""
    count = [0]
    standing = inbox._standing

    def counted(*args):
        count[0] += 1
        return standing(*args)

    monkeypatch.setattr(inbox, "_standing", counted)
    return count


def test_a_delivery_never_settled_makes_no_later_lease_dearer(walked):
    box = MemoryBox()
    queue = Queue(box.open())
    queue.accept([acceptance(0, [ADDRESS])])
    (stuck,) = lease(queue)
    costs = []
    for turn in range(4):
        drain(queue, range(1 + 1_000 * turn, 1_001 + 1_000 * turn))
        walked[0] = 0
        assert lease(queue) == []
        assert not queue.waiting(ADDRESS, topics_for(ADDRESS), member_of(ADDRESS), AT)
        costs.append(walked[0])
    assert max(costs) <= 2 * (1 + inbox._FLOOR_GAIN_MIN + 100)
    assert open_rows(box) == [(ADDRESS, 3, stuck.sequence)]
    assert queue.check() == []


def test_what_is_open_below_the_floor_comes_again_first_and_is_then_forgotten(monkeypatch):
    monkeypatch.setattr(inbox, "_FLOOR_GAIN_MIN", 1)
    box = MemoryBox()
    queue = Queue(box.open())
    queue.accept([acceptance(n, [ADDRESS]) for n in range(10)])
    first = lease(queue, until=AT + SECOND)
    settle(queue, [item.key for item in first[2:9]])
    assert lease(queue) == []
    assert lease(queue) == []
    queue = Queue(box.open())
    assert lease(queue) == []
    queue.flush()
    assert [row[2] for row in open_rows(box)] == [1, 2]
    queue.accept([acceptance(10, [ADDRESS])])
    got = lease(queue, at=AT + SECOND)
    assert [(item.sequence, item.attempt) for item in got][:3] == [(1, 2), (2, 2), (10, 2)]
    settle(queue, [item.key for item in got])
    assert lease(queue, at=AT + SECOND) == []
    queue.flush()
    assert open_rows(box) == []
    assert queue.check() == []


def test_what_runs_out_below_the_floor_is_marked_expired(monkeypatch):
    monkeypatch.setattr(inbox, "_FLOOR_GAIN_MIN", 1)
    box = MemoryBox()
    queue = Queue(box.open())
    item = acceptance(0, [ADDRESS], expires_at=AT + 2 * SECOND)
    queue.accept([item, *[acceptance(n, [ADDRESS]) for n in range(1, 6)]])
    first = lease(queue, until=AT + SECOND)
    settle(queue, [one.key for one in first[1:]])
    assert lease(queue) == []
    queue.flush()
    assert len(open_rows(box)) == 1
    assert lease(queue, at=AT + 2 * SECOND) == []
    assert queue.delivery(item.key, ADDRESS).state == "expired"
    assert open_rows(box) == []
    assert queue.check() == []


@pytest.mark.parametrize("bound", [1, 3, 4_096])
@pytest.mark.parametrize("seed", range(8))
def test_a_lease_hands_out_what_a_walk_from_the_bottom_would(monkeypatch, seed, bound):
    monkeypatch.setattr(inbox, "_FLOOR_GAIN_MIN", 2)
    monkeypatch.setattr(inbox, "_OPENED_MAX", bound)
    monkeypatch.setattr(inbox, "_CLOSED_MAX", bound)
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
                lanes = chance.choice([None, (0,), (3,)])
                limit = chance.randrange(1, 5)
                until = at + chance.choice([1, 20, 10**6]) * SECOND
                due = [
                    key for key, held in sorted(open_until.items())
                    if held <= at and (lanes is None or key[0] in lanes)
                ]  # fmt: skip
                got = lease(queue, limit, at, until, lanes)
                assert [(item.lane, item.sequence) for item in got] == due[:limit]
                open_until.update({(item.lane, item.sequence): until for item in got})
            case _ if open_until:
                lane, sequence = chance.choice(sorted(open_until))
                settle(queue, [keys[sequence][1]])
                del open_until[lane, sequence]
    assert queue.check() == []
