"""A run of an audience is found by where it begins, and the audience is laid out once."""

from __future__ import annotations

import contextlib
import random
import struct

import pytest
from support.stores import acceptance

from router.queue import MemoryDisk, MemoryStore, check_tally
from router.queue.check_runs import Runs
from router.queue.queue import Queue


def plainly(pairs, start, stop, rank):
    """Say whether a run lies in one of the pairs, its first position at that rank."""
    members = [position for low, high in pairs for position in range(low, high)]
    whole = any(low <= start < stop <= high for low, high in pairs)
    return whole and members.index(start) == rank


@pytest.mark.parametrize("seed", range(12))
def test_a_run_is_found_where_a_plain_look_finds_it(seed):
    chance = random.Random(seed)
    bounds = sorted(chance.sample(range(40), 2 * chance.randrange(0, 8)))
    pairs = list(zip(bounds[::2], bounds[1::2], strict=True))
    runs = Runs(b"".join(struct.pack("<II", *pair) for pair in pairs))
    for start in range(41):
        for stop in range(start - 1, 42):
            for rank in range(-1, 22):
                said = runs.hold(start, stop, rank)
                assert said == plainly(pairs, start, stop, rank), (pairs, start, stop, rank)


def test_who_is_written_to_with_very_many_is_looked_up_in_one_layout(monkeypatch):
    laid_out = []

    def counting(data):
        laid_out.append(len(data))
        return Runs(data)

    monkeypatch.setattr(check_tally, "Runs", counting)
    with contextlib.closing(Queue(MemoryStore(MemoryDisk()))) as queue:
        queue.accept([acceptance(1, range(1, 2_000, 2)), acceptance(2, range(2, 2_000, 2))])
        assert queue.check() == []
    assert laid_out == [8 * 1_000, 8 * 999], "each of a thousand topics asks one of the two"
