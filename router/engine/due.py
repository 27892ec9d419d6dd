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
from router.engine.held_parts import HeldParts
from router.engine.judging import Judge, Waiting
from router.engine.redirecting import HoldEnded, Redirections, encode_stored
from router.engine.verdicts import accepted_with
from router.errors import ClosedError, VanbanError
from router.ports import Clock
from router.queue import FINAL, EntryRow, Queue, State, after, records

if TYPE_CHECKING:
    from router.engine.engine import Engine

_log = logging.getLogger("router.engine")

_WAITS = frozenset((State.QUEUED, State.HELD, State.WAITING))


class DueWork:
    """Does what is due, a bounded piece at a time; thread-safe."""

    def __init__(
        self, queue: Queue, redirections: Redirections, held: HeldParts, judge: Judge, clock: Clock
    ) -> None:
        self._judge = judge
        self._queue = queue
        self._redirections = redirections
        self._held = held
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
        with self._held.moving:  # nobody approves what expires
            return self._expire_all(now_us)

    def _expire_all(self, now_us: int) -> int:
        found, ended, count = [], [], 0
        over: dict[int, Waiting] = {}
        for one in after.due(self._queue.store, now_us, limits.DUE_ENTRIES_PER_TICK):
            row = after.entry_of(self._queue, one.document, one.entry)
            if row is not None and row.standing in FINAL:
                found.append(after.closing(row, one))
                count += 1
            if row is None or row.standing not in _WAITS or not 0 < row.expires <= now_us:
                continue
            waiting = None
            if row.standing == State.WAITING and one.document not in over:
                waiting = self._judge.find(one.document)
                if waiting is not None and waiting.ends <= now_us:
                    over[one.document] = waiting
                    found += self._unjudged(waiting, now_us)
            if one.document in over:
                count += 1
                continue
            reason = "time to live" if row.standing == State.QUEUED else "hold"
            if row.standing == State.HELD or waiting is not None:  # its hold ended before its wait
                found += self._told_of(row, one.document, now_us)
                ended.append(row.number)
            found.append(after.expiry(self._queue, row, one.document, reason))
            count += 1
        if found:
            self._queue.store.append_raw(found)
        for entry in ended:
            self._held.forget(entry)
        for waiting in over.values():
            self._judge.ended(waiting, "expired")
        return count

    def _unjudged(self, waiting: Waiting, now_us: int) -> list[bytes]:
        """Return the records that end the wait of a document of which nothing was decided."""
        verdict = accepted_with(waiting.facts)
        assert verdict is not None, "only what is signed waits for a verdict"
        return self._judge.ending(waiting, "expired", verdict, now_us).group

    def _told_of(self, row: EntryRow, document: int, now_us: int) -> list[bytes]:
        """Return the record that tells the sender; it stands right before the end it tells of.

        Cut in two by a crash it tells nothing (`outbox`), and the next tick does both again.
        """
        sent = after.document_row(self._queue.store, document)
        if sent is None:
            return []
        event = HoldEnded(row.expires, "hold_expired", document, row.number, row.size)
        return [records.encode_feed([(sent.sender, encode_stored(event))], now_us, 0)]


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
