"""Run with the library of support/memory preloaded: decides while each allocation fails once.

Prints how many allocations were failed, and how many blocks more are alive in the end.
"""

from __future__ import annotations

import ctypes
import gc
from collections.abc import Callable
from typing import Any

from support.random_policies import CALENDAR, World

from router._core import Audience
from router.policy.compiled import compile_policy
from router.policy.deciding import decide_batch

SEEDS = (3, 8, 127)
DOCUMENTS = 12


def main() -> None:
    library = ctypes.CDLL(None)
    library.vanban_alive.restype = library.vanban_failed.restype = ctypes.c_long
    failures = grown = 0
    for seed in SEEDS:
        again = deciding(World(seed, most=60, rules=40))
        again()
        failures += fail_each(library, again)  # what is remembered from now on, is
        before = alive(library)
        failures += fail_each(library, again)
        grown = max(grown, alive(library) - before)
    print(failures, grown)


def deciding(world: World) -> Callable[[], Any]:
    place = world.hierarchy.position
    members = [world.audience() for _ in range(DOCUMENTS)]
    audiences = [Audience.from_positions(map(place, one)) for one in members]
    facts, at_us = [world.document() for _ in range(DOCUMENTS)], world.instant()

    def again() -> Any:
        policy = compile_policy(world.policy, world.lookup, CALENDAR, floor=world.floor)
        return decide_batch(policy, facts, audiences, at_us)

    return again


def fail_each(library: Any, again: Callable[[], Any]) -> int:
    """Let the first allocation fail, then the second, until none is left to fail."""
    wanted = again()
    nth = 0
    while True:
        nth += 1
        library.vanban_fail(nth)
        try:
            found = again()
        except MemoryError:
            found = None
        if not library.vanban_failed():
            assert found == wanted
            return nth - 1
        assert found is None or found == wanted, "an allocation failed and nobody was told"


def alive(library: Any) -> int:
    gc.collect()
    return int(library.vanban_alive())
