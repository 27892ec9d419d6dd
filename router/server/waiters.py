"""Long polls: requests that sleep until something arrives for their unit.

Nobody polls: a waiter is woken when an arrival reaches its unit (a document, or what was given
back, or whose lease has ended, through whatever process), when its time is over, when its
client goes away, or when the server stops.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from router import limits
from router.engine import Arrival, reached_by
from router.errors import OverloadedError, VanbanError


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

    def _ring(self, unit: int) -> None:
        for waiter in self._by_unit.get(unit, ()):
            waiter.bell.set()

    def arrived(self, arrivals: Sequence[Arrival]) -> None:
        """Wake the units reached.  The engine calls this on whatever thread was at work."""
        loop = self._loop
        if loop is None or loop.is_closed() or not self._by_unit:
            return
        with suppress(RuntimeError):  # the loop was closed meanwhile: nobody sleeps any more
            loop.call_soon_threadsafe(self._wake, tuple(arrivals))

    def _wake(self, arrivals: Sequence[Arrival]) -> None:
        asleep = tuple(self._by_unit)
        try:
            reached = reached_by(arrivals, asleep)
        except VanbanError:  # the owner of the directory can't be asked: each looks for itself
            reached = set(asleep)
        for unit in reached:
            self._ring(unit)

    def stop(self) -> None:
        """Wake everybody for the last time."""
        self.stopped = True
        for unit in self._by_unit:
            self._ring(unit)
