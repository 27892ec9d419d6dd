"""The queue gives the same answers on every store, and a replay gives the same tables."""

from __future__ import annotations

import random

import pytest
from support.stores import AT, SECOND, LmdbBox, MemoryBox, acceptance, member_of, topics_for

from router.queue import tables
from router.queue.check import replay
from router.queue.memory_store import MemoryDisk, MemoryStore
from router.queue.queue import Queue
from router.queue.records import Accepted, RoomRecord


def a_busy_day(queue: Queue, seed: int) -> list[object]:
    """Do many things in a seeded order; return all answers."""
    chance = random.Random(seed)
    answers: list[object] = []
    leased: list[tuple[int, bytes]] = []
    for step in range(120):
        at = AT + step * SECOND
        match chance.randrange(5):
            case 0 | 1:
                batch = [
                    acceptance(
                        chance.randrange(80),
                        chance.sample(range(1, 12), 4),
                        lane=chance.randrange(4),
                        at=at,
                        expires_at=chance.choice([None, None, at + 5 * SECOND]),
                        idempotency_key=chance.choice([None, f"k{chance.randrange(40)}"]),
                    )
                    for _ in range(chance.randrange(1, 5))
                ]
                answers.append(accept_with_new_keys(queue, batch, step))
            case 2:
                address = chance.randrange(1, 12)
                got = queue.lease(
                    address, topics_for(address), member_of(address), chance.randrange(1, 6),
                    at + 10 * SECOND, at, "cổng",
                )  # fmt: skip
                leased += [(address, item.key) for item in got]
                answers.append(got)
            case 3 if leased:
                address, key = chance.choice(leased)
                name = chance.choice(["delivered", "refused"])
                answers.append(
                    queue.settle(address, [(key, name, "lý do")], at, address, "x",
                                 member_of(address))
                )  # fmt: skip
            case _:
                record = RoomRecord("directory", b"%d" % step, at, 1, "operator")
                answers.append(queue.append_rooms([record]))
    return answers


def accept_with_new_keys(queue, batch, step):
    import msgspec

    fresh = [
        msgspec.structs.replace(item, key=b"%08d" % step + b"%08d" % place)
        for place, item in enumerate(batch)
    ]
    return queue.accept(fresh)


@pytest.mark.parametrize("seed", range(5))
def test_both_stores_answer_alike_and_replay_gives_the_same_tables(tmp_path, seed):
    boxes = [LmdbBox(tmp_path / "data"), MemoryBox()]
    stores = [box.open() for box in boxes]
    queues = [Queue(store) for store in stores]
    answers = [a_busy_day(queue, seed) for queue in queues]
    assert answers[0] == answers[1]
    assert any(isinstance(item, Accepted) for answer in answers[0] for item in answer)
    assert [queue.check() for queue in queues] == [[], []]
    again = MemoryStore(MemoryDisk())
    with again.group() as txn:
        replay(stores[0], txn)
    for table in tables.TABLES:
        rows = []
        for store in (*stores, again):
            with store.view() as view:
                rows.append(list(view.scan(table, b"", b"\xff" * 512)))
        assert rows[0] == rows[1] == rows[2], table
    for queue in queues:
        queue.close()


@pytest.mark.parametrize("kind", ["lmdb", "memory"])
def test_reopening_changes_no_answer(tmp_path, kind):
    box = LmdbBox(tmp_path / "data") if kind == "lmdb" else MemoryBox()
    queue = Queue(box.open())
    a_busy_day(queue, 11)
    before = queue.counts()
    queue.close()
    queue = Queue(box.open())
    assert queue.counts() == before
    assert queue.check() == []
    queue.close()
