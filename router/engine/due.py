"""Work that falls due: times to live and holds that run out, units that have ended.

Driven from outside (`Engine.tick`): the daemon calls each second, an embedding program when it
likes.  Nothing is wrong before the call: readings judge by the clock.  What the call adds are
the records that say so, so that inboxes need not pass by what is over, and senders are told.
"""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

from router import limits
from router.engine.background import Background
from router.engine.redirecting import Redirections
from router.errors import ClosedError, VanbanError
from router.ports import Clock
from router.queue import FINAL, Queue, State, after

if TYPE_CHECKING:
    from router.engine.engine import Engine

_log = logging.getLogger("router.engine")

_WAITS = frozenset((State.QUEUED, State.HELD, State.WAITING))


class DueWork:
    """Does what is due, a bounded piece at a time; thread-safe."""

    def __init__(self, queue: Queue, redirections: Redirections, clock: Clock) -> None:
        self._queue = queue
        self._redirections = redirections
        self._clock = clock
        self._working = threading.Lock()
        self._latest_us = 0

    def tick(self) -> int:
        """Do what is due by now; return how many pieces of work it was, 0 when nothing is left.

        Harmless to repeat, and from several threads: one works, the others return 0.  A clock
        that goes back changes nothing: what ran out stays so.
        """
        if not self._working.acquire(blocking=False):
            return 0
        try:
            self._latest_us = max(self._latest_us, self._clock.now_us())
            return self._expire(self._latest_us) + self._redirections.tell(self._latest_us)
        finally:
            self._working.release()

    def _expire(self, now_us: int) -> int:
        found = []
        for one in after.due(self._queue.store, now_us, limits.DUE_ENTRIES_PER_TICK):
            row = after.entry_of(self._queue, one.document, one.entry)
            if row is not None and row.standing in FINAL:
                found.append(after.closing(row, one))
            if row is None or row.standing not in _WAITS or not 0 < row.expires <= now_us:
                continue
            reason = "time to live" if row.standing == State.QUEUED else "hold"
            found.append(after.expiry(self._queue, row, one.document, reason))
        if found:
            self._queue.store.append_raw(found)
        return len(found)


class Ticker(Background):
    """A thread that lets an engine do what falls due.  A context manager.

    While the store has failed there is nothing to do; whoever mends it says so.
    """

    def __init__(self, engine: Engine, every_s: float = limits.TICK_S) -> None:
        super().__init__("vanban-ticker", every_s, every_s)
        self._engine = engine
        self._every_s = every_s

    def _turn(self) -> float:
        try:
            if self._engine.tick():
                return self._every_s / 20  # there may be more; others want the store too
        except ClosedError:
            raise
        except VanbanError as error:
            _log.debug("what fell due waits: %s", error)
        return self._every_s
