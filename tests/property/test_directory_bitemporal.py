"""Whatever is imported, reorganised and corrected, in whatever order of dates, the directory
answers at every instant and by every knowledge as a slow reading of the changes would."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from support.random_changes import DAYS, Chance
from support.timelines import Timelines, assert_agree

from router.directory import Directory, encode_change
from router.directory.changes import Change
from router.errors import InputError

CHANGES_MAX = 10


def take_in(
    directory: Directory, oracle: Timelines, change: Any, bodies: list[bytes]
) -> int | None:
    """Apply a change to both, if it is sound; return the sequence it became visible with."""
    try:
        planned: Sequence[Change] = (
            directory.plan_import(change) if isinstance(change, list) else directory.plan(change)
        )
    except InputError:
        return None
    if not planned:
        return None
    for body in planned:
        bodies.append(encode_change(body))
        directory.apply(bodies[-1], len(bodies))
    if isinstance(change, list):
        known = set(oracle.numbers())
        oracle.add_units(unit for unit in change if unit.number not in known)
    else:
        oracle.add(change)
    return len(bodies)


@settings(max_examples=100, deadline=None)
@given(st.integers(0, (1 << 32) - 1), st.integers(1, CHANGES_MAX))
def test_every_instant_and_every_knowledge_is_answered_as_a_slow_reading_would(
    seed: int, most: int
) -> None:
    directory, oracle = Directory(), Timelines()
    chance = Chance(seed, oracle)
    bodies: list[bytes] = []
    sequences: list[int] = []
    change: Any = chance.tree()
    tried = 0
    while len(sequences) < most and tried < 4 * CHANGES_MAX:
        directory.snapshot(DAYS // 2)  # one in use, to be compiled again beside the old one
        sequence = take_in(directory, oracle, change, bodies)
        if sequence is not None:
            sequences.append(sequence)
            assert not oracle.unsound(), change
        change = chance.change()
        tried += 1
    assert_agree(directory, oracle, sequences)
    again = Directory()
    for place, body in enumerate(bodies, 1):
        again.apply(body, place)
    assert_agree(again, oracle, sequences)
    assert again.changes() == directory.changes()
    for number in oracle.numbers():
        if oracle.life(number) is not None:
            assert again.history(number) == directory.history(number)
