"""The queue gives the same answers on every store, and a replay gives the same tables."""

from __future__ import annotations

import random
import shutil

import msgspec
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
    state_of,
    topics_for,
)

from router.queue.queue import Queue
from router.queue.records import Accepted, RoomRecord


def accept_with_new_keys(queue, batch, step):
    fresh = [
        msgspec.structs.replace(item, key=b"%08d" % step + b"%08d" % place)
        for place, item in enumerate(batch)
    ]
    return queue.accept(fresh)


def a_batch(chance, at):
    return [
        acceptance(
            chance.randrange(80), chance.sample(range(1, 12), 4), lane=chance.randrange(4), at=at,
            expires_at=chance.choice([None, None, at + 5 * SECOND]),
            idempotency_key=chance.choice([None, f"k{chance.randrange(40)}"]),
        )
        for _ in range(chance.randrange(1, 5))
    ]  # fmt: skip


def a_busy_day(queue, seed, between=lambda step: None):
    """Do many things in a seeded order; return all answers."""
    chance = random.Random(seed)
    answers: list[object] = []
    leased: list[tuple[int, bytes]] = []
    for step in range(120):
        at = AT + step * SECOND
        between(step)
        address = chance.randrange(1, 12)
        match chance.randrange(7):
            case 0 | 1:
                answers.append(accept_with_new_keys(queue, a_batch(chance, at), step))
            case 2:
                got = queue.lease(
                    address, topics_for(address), member_of(address), chance.randrange(1, 6),
                    at + 10 * SECOND, at, "cổng", attempts_max=2,
                )  # fmt: skip
                leased += [(address, item.key) for item in got]
                answers.append(got)
            case 3 if leased:
                address, key = chance.choice(leased)
                name = chance.choice(["delivered", "refused"])
                answers.append(queue.settle(
                    address, [(key, name, "lý do")], at, address, "x", member_of(address)
                ))  # fmt: skip
            case 4 if leased:
                address, key = chance.choice(leased)
                answers.append(queue.extend(
                    address, [key], at + 20 * SECOND, at, address, "x", member_of(address)
                ))  # fmt: skip
            case 5:
                answers.append(
                    queue.inbox(address, topics_for(address), member_of(address), at)
                )  # fmt: skip
            case _:
                record = RoomRecord("directory", b"%d" % step, at, 1, "operator")
                answers.append(queue.append_rooms([record]))
    return answers


@pytest.mark.parametrize("seed", range(4))
def test_all_stores_answer_alike_and_come_to_the_same_tables(tmp_path, seed):
    answers, states = [], []
    for kind in KINDS:
        queue = Queue(box_of(kind, tmp_path / kind).open())
        answers.append(a_busy_day(queue, seed))
        states.append(state_of(queue))
        assert queue.check() == []
        queue.close()
    assert answers[0] == answers[1] == answers[2]
    assert any(isinstance(item, Accepted) for answer in answers[0] for item in answer)
    assert states[0] == states[1] == states[2]


@pytest.mark.parametrize("kind", KINDS)
def test_reopening_changes_no_answer(tmp_path, kind):
    box = box_of(kind, tmp_path / "data")
    expected = a_busy_day(Queue(MemoryBox().open()), 11)
    queues = [Queue(box.open())]

    class Reopened:
        """The queue of the latest opening."""

        def __getattr__(self, name):
            return getattr(queues[-1], name)

    def reopen(step):
        if step % 7 == 0:
            queues[-1].close()
            queues.append(Queue(box.open()))

    assert a_busy_day(Reopened(), 11, reopen) == expected
    assert queues[-1].check() == []
    queues[-1].close()


@pytest.mark.parametrize("seed", range(3))
def test_a_replay_from_any_checkpoint_gives_the_same_tables_in_memory(seed):
    box = MemoryBox()
    queue = Queue(box.open())
    bases = [box.disk.base.copy()]

    def checkpoint(step):
        if step % 20 == 10:
            queue.store.checkpoint()
            bases.append(box.disk.base.copy())

    a_busy_day(queue, seed, checkpoint)
    files, state = box.disk.files.clone(), state_of(queue)
    for base in bases:
        other = MemoryBox()
        other.disk.files, other.disk.base = files.clone(), base
        again = Queue(other.open())
        assert state_of(again) == state
        assert again.check() == []


def test_a_replay_from_any_checkpoint_gives_the_same_tables_on_the_disk(tmp_path):
    box = LogBox(tmp_path / "data")
    queue = Queue(box.open())
    copies = []

    def checkpoint(step):
        if step % 30 == 15:
            queue.store.checkpoint()
            copies.append(shutil.copytree(tmp_path / "data" / "store", tmp_path / f"{step}"))

    a_busy_day(queue, 5, checkpoint)
    state = state_of(queue)
    queue.close()
    for number, copy in enumerate(copies):
        path = tmp_path / f"again {number}"
        shutil.copytree(tmp_path / "data", path)
        shutil.rmtree(path / "store")
        shutil.copytree(copy, path / "store")
        again = Queue(LogBox(path).open())
        assert state_of(again) == state
        again.close()
