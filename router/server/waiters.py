"""Long polls: requests that sleep until something arrives for their unit.

Nobody polls: a waiter is woken when an arrival reaches its unit, when a lease of its unit
runs out or is given back, when its time is over, when its client goes away, or when the server
stops.
"""

from __future__ import annotations

import asyncio
import heapq
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Final

from router import limits
from router.engine import Arrival, reached_by
from router.errors import OverloadedError

_TIMER_SLACK_S: Final = 0.01
"""A loop's timers keep milliseconds, and may fire that much early."""


class Waiter:
    """One sleeping request.  `bell` is set for each arrival and at the stop."""

    __slots__ = ("bell",)

    def __init__(self) -> None:
        self.bell = asyncio.Event()


class Waiters:
    """The sleeping requests by unit.

    Lives on one event loop; only `arrived` may be called from any thread.
    """

    def __init__(self, count_max: int) -> None:
        self._count_max = count_max
        self._by_unit: dict[int, set[Waiter]] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ends: list[tuple[int, int]] = []  # a heap of (loop second, unit)
        self._known_ends: set[tuple[int, int]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self.count = 0
        self.stopped = False

    def bind(self, loop: asyncio.AbstractEventLoop) -> None:
        """Name the loop whose thread wakes the waiters."""
        self._loop = loop

    @contextmanager
    def waiting(self, unit: int) -> Iterator[Waiter]:
        """Register before looking into the inbox, so that no arrival falls in between.

        Raises OverloadedError `server.busy` at the bounds: of all, of this unit.
        """
        mine = self._by_unit.get(unit, ())
        if self.count >= self._count_max or len(mine) >= limits.LONG_POLLS_PER_UNIT_MAX:
            raise OverloadedError("server.busy", retry_after_s=limits.RETRY_AFTER_S)
        waiter = Waiter()
        self.count += 1
        self._by_unit.setdefault(unit, set()).add(waiter)
        try:
            yield waiter
        finally:
            self.count -= 1
            others = self._by_unit[unit]
            others.discard(waiter)
            if not others:
                del self._by_unit[unit]

    def lent(self, unit: int, lease_s: int) -> None:
        """Remember that a lease of the unit was given: its sleepers wake when it runs out.

        Nothing arrives then, yet there may be something to hand out again.  Ends are kept
        by whole seconds of the loop, up to LEASE_ENDS_MAX of them.
        """
        loop = self._loop
        if loop is None or len(self._ends) >= limits.LEASE_ENDS_MAX:
            return
        end = (math.ceil(loop.time()) + lease_s, unit)
        if end in self._known_ends:
            return
        self._known_ends.add(end)
        heapq.heappush(self._ends, end)
        if self._ends[0] == end:
            self._expect_end(loop)

    def _expect_end(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._ends:
            self._timer = loop.call_at(self._ends[0][0], self._leases_ended, loop)

    def _leases_ended(self, loop: asyncio.AbstractEventLoop) -> None:
        now = loop.time() + _TIMER_SLACK_S
        while self._ends and self._ends[0][0] <= now:
            end = heapq.heappop(self._ends)
            self._known_ends.discard(end)
            self._ring(end[1])
        self._expect_end(loop)

    def given_back(self, unit: int) -> None:
        """Wake the unit's sleepers: something was put back into its inbox."""
        self._ring(unit)

    def _ring(self, unit: int) -> None:
        for waiter in self._by_unit.get(unit, ()):
            waiter.bell.set()

    def arrived(self, arrivals: Sequence[Arrival]) -> None:
        """Wake the units reached.  The engine calls this after a flush, on its caller's thread."""
        loop = self._loop
        if loop is None or loop.is_closed() or not self._by_unit:
            return
        with suppress(RuntimeError):  # the loop was closed meanwhile: nobody sleeps any more
            loop.call_soon_threadsafe(self._wake, tuple(arrivals))

    def _wake(self, arrivals: Sequence[Arrival]) -> None:
        for unit in reached_by(arrivals, tuple(self._by_unit)):
            self._ring(unit)

    def stop(self) -> None:
        """Wake everybody for the last time."""
        self.stopped = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for unit in self._by_unit:
            self._ring(unit)
