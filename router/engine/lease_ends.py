"""When leases end: nothing arrives then, yet there may be something to hand out again.

Kept in memory only, by whole seconds and by the unit that leases: at most LEASE_ENDS_MAX of
them, and none over a restart.  Who sleeps for what is not remembered looks again in the end.
"""

from __future__ import annotations

import heapq
import threading

from router import limits
from router.model.instants import SECOND_US


class LeaseEnds:
    """The ends of leases that lie ahead; thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()  # guards both below
        self._ends: list[tuple[int, int]] = []  # a heap of (second, unit)
        self._known: set[tuple[int, int]] = set()

    def lent(self, unit: int, until_us: int) -> None:
        """Remember that leases of a unit end at an instant; a full memory forgets it."""
        end = (-(-until_us // SECOND_US), unit)
        with self._lock:
            if end not in self._known and len(self._ends) < limits.LEASE_ENDS_MAX:
                self._known.add(end)
                heapq.heappush(self._ends, end)

    def ended(self, now_us: int) -> set[int]:
        """Return the units of which leases have ended by now; each end is told once."""
        found = set()
        with self._lock:
            while self._ends and self._ends[0][0] * SECOND_US <= now_us:
                end = heapq.heappop(self._ends)
                self._known.discard(end)
                found.add(end[1])
        return found
