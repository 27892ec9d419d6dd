"""Whose turn it is at a unit that answers for several addresses.

The queue keeps the turns of one address.  A holder's inbox is that of all its addresses: flash
first over all of them, and each lower lane that waits gets one hand-out in eight, however long
the flash lane is.  A turn that could not be had (the answer was full) is owed, and comes first
next time.
"""

from __future__ import annotations

import threading
from collections.abc import Collection
from typing import Final

from router.limits import LANES, LEASE_DELIVERIES_MAX

_TURNS: Final = 8
_OWED_MAX: Final = LEASE_DELIVERIES_MAX // _TURNS
_LOWER: Final = range(1, LANES)


class Turns:
    """The turns of one holder; thread-safe.  Kept in memory: an opening begins anew."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._calls = 0
        self._handed = 0
        self._owed = dict.fromkeys(_LOWER, 0)

    def plan(
        self, limit: int, waiting: Collection[int], addresses: int
    ) -> tuple[int, list[tuple[int, int]]]:
        """Return the address to begin with, and (lane, how many at most) in order.

        What a lane does not use is the next one's.  Lanes that have nothing get no turn.
        """
        with self._lock:
            start = self._calls % addresses
            self._calls += 1
            owed = {lane: self._owed[lane] for lane in _LOWER if lane in waiting}
            earned = {lane: self._earned(lane, limit) for lane in owed}
        first = [(lane, count) for lane, count in owed.items() if count]
        top = min(waiting, default=0)
        left = limit - sum(owed.values()) - sum(earned[lane] for lane in earned if lane != top)
        plan = [*first, (top, max(left, 0))]
        return start, plan + [(lane, count) for lane, count in earned.items() if lane != top]

    def handed(self, given: Collection[int], waiting: Collection[int]) -> None:
        """Take notice of what was handed out, a lane for each; `waiting` had something."""
        with self._lock:
            for lane in _LOWER:
                owed = self._owed[lane] + self._earned(lane, len(given))
                owed -= sum(one == lane for one in given)
                self._owed[lane] = min(max(owed, 0), _OWED_MAX) if lane in waiting else 0
            self._handed = (self._handed + len(given)) % _TURNS

    def _earned(self, lane: int, count: int) -> int:
        """Return how many of the next hand-outs are this lane's turn."""
        turn = _TURNS - LANES + lane
        return (self._handed + count + _TURNS - 1 - turn) // _TURNS - (
            self._handed + _TURNS - 1 - turn
        ) // _TURNS
