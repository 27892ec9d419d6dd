"""Entries of one document that hold the same units are found, however many there are."""

from __future__ import annotations

import contextlib
import random

import pytest
from support.stores import (
    AT,
    acceptance,
    audience_of,
    member_of,
    own_topic,
    posted,
    topics_for,
)

from router._core import Audience
from router.queue import MemoryDisk, MemoryStore, after, check_members
from router.queue.check_members import Members, shared
from router.queue.queue import Queue
from router.queue.records import Joining, encode_join


def some_members(chance: random.Random) -> set[int]:
    """Return a few units, some of them side by side."""
    found: set[int] = set()
    for _ in range(chance.choice([0, 1, 1, 2, 5])):
        start = chance.randrange(60)
        found.update(range(start, start + chance.choice([1, 1, 2, 7, 30])))
    return found


def plainly(sets: list[set[int]]) -> list[int]:
    """Return of each set how many members any before it has, too."""
    before: set[int] = set()
    found = []
    for one in sets:
        found.append(len(one & before))
        before |= one
    return found


@pytest.mark.parametrize("seed", range(300))
def test_what_is_shared_is_what_a_plain_look_finds(seed, monkeypatch):
    chance = random.Random(seed)
    sets = [some_members(chance) for _ in range(chance.choice([1, 2, 3, 8, 25]))]
    audiences = [Audience.from_positions(one) for one in sets]
    twice, together = shared(audiences)
    assert twice == plainly(sets)
    assert together == Audience.from_positions(set().union(*sets))
    monkeypatch.setattr(check_members, "_RUNS_LEAST", chance.choice([0, 3, 20, 4_096]))
    held, told = Members(), []
    for number, one in enumerate(audiences):
        told += held.add(str(number), one)
    told += held.compare()
    assert told == [(str(number), one) for number, one in enumerate(plainly(sets)) if one]
    assert held.compare() == [], "what was told is not told again"


def test_the_work_is_that_of_the_runs_that_are_stored(monkeypatch):
    """Each entry compared with all before it would be 25 million runs here."""
    looked_at = []

    def counting(audiences):
        looked_at.append(sum(len(one.runs) for one in audiences))
        return shared(audiences)

    monkeypatch.setattr(check_members, "shared", counting)
    monkeypatch.setattr(check_members, "_RUNS_LEAST", 16)
    units = 10_000
    held = Members()
    first = Audience.from_positions(range(0, 2 * units, 4))
    told = held.add("first", first)
    for number in range(2, 2 * units, 4):
        told += held.add(str(number), Audience.from_positions([number]))
    told += held.compare()
    assert told == []
    assert sum(looked_at) <= 4 * units
    assert max(looked_at) <= 2 * units, "and no more of it is held at once"


def test_a_document_queued_again_unit_by_unit_is_well_and_an_overlap_is_named(monkeypatch):
    monkeypatch.setattr(check_members, "_RUNS_LEAST", 8)
    with contextlib.closing(Queue(MemoryStore(MemoryDisk()))) as queue:
        addresses = range(1, 120, 2)
        queue.accept([acceptance(1, addresses), acceptance(2, [1, 2])])
        row = after.entry_of(queue, 1, 8)
        for address in addresses:
            topics, places = topics_for(address), member_of(address)
            for attempt in range(2):
                queue.lease(address, topics, places, 9, AT + 1, AT + attempt, "x", attempts_max=1)
            audience = audience_of([address])
            names = posted({own_topic(address): [address]}, audience)
            again = after.joining(1, row, audience, names, AT, "x", "mended")
            assert queue.store.append_joinings([again])
        assert queue.check() == []
        last = queue.store.last
        for members in ([5, 7, 200], [200, 3], [201]):
            audience = audience_of(members)
            names = posted({own_topic(one): [one] for one in members}, audience)
            queue.store.append_raw([encode_join(Joining(1, audience, names, 3, 3, AT, 7, "x"))])
        assert queue.check() == [
            f"entries[1, {8 * (last + n)}]: 2 of its members are another entry's of the document,"
            " too" for n in (1, 2)
        ]  # fmt: skip
