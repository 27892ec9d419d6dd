"""Which documents wait for their verdict now, and when each is to be judged again.

An index in memory.  After an opening it is made a piece at a time through the time index
(whatever waits ends some day), by whoever ticks: no document is read for it.  It may name
documents that wait no longer and never forgets one that does.
"""

from __future__ import annotations

import heapq
import threading
from collections.abc import Iterable, Iterator

from router.limits import (
    DUE_LOOKED_PER_TURN,
    VERDICT_RETRY_S_MAX,
    VERDICT_RETRY_S_MIN,
    VERDICTS_WAITING_MAX,
)
from router.model.instants import SECOND_US
from router.queue import Queue, State, after
from router.queue.after import DueRow
from router.queue.reading import ENTRY_SHIFT


class WaitingDocuments:
    """The index; thread-safe.  Documents are meant by their sequences."""

    def __init__(self, queue: Queue) -> None:
        self._queue = queue
        self._lock = threading.Lock()  # guards all below
        self._tries: dict[int, int] = {}
        self._planned: dict[int, int] = {}  # the instant that stands, of each in _tries
        self._for_path: set[int] = set()
        self._next: list[tuple[int, int]] = []  # a heap of (instant, document), stale ones too
        self._search: Iterator[DueRow] | None = None
        self._epoch = -1

    def __len__(self) -> int:
        return len(self._tries)

    @property
    def full(self) -> bool:
        """Say whether no further document may wait."""
        return len(self._tries) >= VERDICTS_WAITING_MAX

    def note(self, document: int, at_us: int, *, for_path: bool = False) -> None:
        """Take in a document that waits since an instant (flushed already); see `for_path`."""
        with self._lock:
            self._note(document, at_us)
            if for_path:
                self._for_path.add(document)

    def for_path(self, document: int) -> None:
        """Take in that a document waits for a path that is being checked."""
        with self._lock:
            if document in self._tries:
                self._for_path.add(document)

    def paths_at(self, now_us: int) -> None:
        """Plan those that wait for paths, and no others, for an instant: a path was decided."""
        with self._lock:
            for document in self._for_path:
                self._plan_at(document, now_us)
            self._for_path.clear()

    def _note(self, document: int, at_us: int) -> None:
        if document not in self._tries:
            self._tries[document] = 0
            self._plan(document, at_us)

    def _plan(self, document: int, at_us: int) -> None:
        pause_s = min(VERDICT_RETRY_S_MIN << self._tries[document], VERDICT_RETRY_S_MAX)
        self._plan_at(document, at_us + pause_s * SECOND_US)

    def _plan_at(self, document: int, at_us: int) -> None:
        """Let an instant stand for a document; what was planned for it before is stale."""
        self._planned[document] = at_us
        heapq.heappush(self._next, (at_us, document))

    def forget(self, document: int) -> None:
        """Drop a document that waits no longer."""
        with self._lock:
            self._tries.pop(document, None)
            self._planned.pop(document, None)
            self._for_path.discard(document)

    def search(self, now_us: int) -> bool:
        """Look for what an earlier opening left, a piece of it; False: nothing is left to look at.

        What is found is to be judged at once.
        """
        with self._lock:
            epoch = self._queue.store.epoch
            if epoch != self._epoch:
                self._epoch = epoch
                self._tries.clear()
                self._planned.clear()
                self._for_path.clear()
                self._next.clear()
                self._search = after.will_be_due(self._queue.store, now_us)
            if self._search is None:
                return False
            looked = 0
            for looked, one in enumerate(self._search, 1):
                row = after.entry_of(self._queue, one.document, one.entry)
                born = one.entry >> ENTRY_SHIFT == one.document
                waits = row is not None and row.standing == State.WAITING and born
                if waits and one.document not in self._tries:
                    self._tries[one.document] = 0
                    self._plan_at(one.document, now_us)
                if looked >= DUE_LOOKED_PER_TURN:
                    return True
            self._search = None
            return looked > 0

    def all_at(self, now_us: int) -> None:
        """Plan every document for an instant: what the verdicts depend on has changed."""
        with self._lock:
            self._planned = dict.fromkeys(self._tries, now_us)
            self._next = [(now_us, document) for document in sorted(self._tries)]

    def take(self, now_us: int, limit: int) -> list[int]:
        """Return documents that are to be judged by now, at most so many, the oldest first.

        None comes twice: judged twice in one turn, it would be let go twice.  Each is planned
        anew, later and later, for when it can't be decided.
        """
        found: list[int] = []
        with self._lock:
            while self._next and self._next[0][0] <= now_us and len(found) < limit:
                at_us, document = heapq.heappop(self._next)
                if self._planned.get(document) == at_us:
                    self._tries[document] = min(self._tries[document] + 1, 30)
                    self._plan(document, now_us)
                    found.append(document)
        return found

    def put_back(self, documents: Iterable[int], now_us: int) -> None:
        """Plan documents for an instant that were taken and not judged after all.

        What they were taken for (a path that was decided) is not told again.
        """
        with self._lock:
            for document in documents:
                if document in self._tries:
                    self._tries[document] = max(self._tries[document] - 1, 0)
                    self._plan_at(document, now_us)
