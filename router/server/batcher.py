"""Groups submissions: what arrived in one turn of the loop goes to the engine together.

The engine is called on the loop's own thread, never from a helper thread: beside a busy
Python thread each of the store's short calls waits for the interpreter lock, and a batch
of 4 ms becomes a second (design idea 5).  Grouping is what pays for the flush instead.
The group is bounded, so that the loop comes round between groups; waiting requests take
turns, so that a batch of a thousand does not stand before single documents.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

from router import limits
from router.engine import Submission
from router.errors import VanbanError
from router.messages import problem_of
from router.model.answers import Outcome

GROUP: Final = limits.SUBMIT_GROUP_DOCUMENTS_MAX


class _Waiting:
    """The submissions of one request and what became of them so far, in order."""

    __slots__ = ("done", "items", "outcomes", "taken")

    def __init__(self, items: Sequence[Submission], done: asyncio.Future[list[Outcome]]) -> None:
        self.items = items
        self.done = done
        self.outcomes: list[Outcome] = []
        self.taken = 0

    def take(self, count: int) -> Sequence[Submission]:
        part = self.items[self.taken : self.taken + count]
        self.taken += len(part)
        return part


class Batcher:
    """Collects submissions of all requests and hands them to `submit_many` in groups.

    `submit_many` answers one Receipt or Problem for each; `fault` turns an unforeseen
    exception into the error that names its log entry.  Belongs to one event loop.
    """

    def __init__(
        self,
        submit_many: Callable[[Sequence[Submission]], Sequence[Outcome]],
        fault: Callable[[Exception], VanbanError],
    ) -> None:
        self._submit_many = submit_many
        self._fault = fault
        self._waiting: deque[_Waiting] = deque()
        self._scheduled = False

    async def submit(self, items: Sequence[Submission]) -> list[Outcome]:
        """Return the outcomes in order, once all of them are flushed or refused."""
        if not items:
            return []
        loop = asyncio.get_running_loop()
        waiting = _Waiting(items, loop.create_future())
        self._waiting.append(waiting)
        self._schedule(loop)
        return await waiting.done

    def _schedule(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._waiting and not self._scheduled:
            self._scheduled = True
            loop.call_soon(self._turn, loop)

    def _turn(self, loop: asyncio.AbstractEventLoop) -> None:
        """Serve one group.  Runs after every request that became ready in this turn."""
        self._scheduled = False
        shares = self._collect()
        group = [item for _, part in shares for item in part]
        start = 0
        outcomes = self._call(group)
        for waiting, part in shares:
            waiting.outcomes += outcomes[start : start + len(part)]
            start += len(part)
            if len(waiting.outcomes) == len(waiting.items) and not waiting.done.done():
                waiting.done.set_result(waiting.outcomes)
        self._schedule(loop)

    def _collect(self) -> list[tuple[_Waiting, Sequence[Submission]]]:
        """Take up to GROUP items, an equal share of each request in the order they came."""
        shares: list[tuple[_Waiting, Sequence[Submission]]] = []
        room = GROUP
        for _ in range(len(self._waiting)):
            share = max(1, room // min(len(self._waiting), GROUP))
            waiting = self._waiting.popleft()
            part = waiting.take(min(share, room))
            shares.append((waiting, part))
            room -= len(part)
            if waiting.taken < len(waiting.items):
                self._waiting.append(waiting)
            if room == 0:
                break
        return shares

    def _call(self, group: Sequence[Submission]) -> Sequence[Outcome]:
        """Submit a group; one that meets a fault is submitted again one by one.

        So a document that trips the engine costs its neighbours nothing.  Those of them
        that were flushed before the fault are answered with their first receipt.
        """
        try:
            return self._submit_many(group)
        except VanbanError as error:
            known = error
        except Exception as error:
            if len(group) > 1:
                return [outcome for item in group for outcome in self._call([item])]
            known = self._fault(error)
        return [problem_of(known, item.language) for item in group]
