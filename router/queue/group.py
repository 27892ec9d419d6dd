"""Group commit: concurrent callers share one group, so one flush.

Whoever finds no group running leads the next one: it takes in all that wait, runs them in
order in one group, and answers them after its flush.  Nobody waits for a timer.  Pending
leases go first in every group.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Any, TypeVar

from router.errors import StorageError
from router.limits import GROUP_BYTES_MAX, GROUP_OPERATIONS_MAX
from router.ports import Store, Transaction
from router.queue.pending import PendingLeases

Answer = TypeVar("Answer")


class _Ticket:
    """One caller's operation and what became of it."""

    __slots__ = ("answer", "bytes", "done", "error", "operation")

    def __init__(self, operation: Callable[[Transaction], Any], record_bytes: int) -> None:
        self.operation = operation
        self.bytes = record_bytes
        self.answer: Any = None
        self.error: BaseException | None = None
        self.done = False


class GroupCommit:
    """Runs operations on a store, many callers to a flush.  Thread-safe."""

    def __init__(self, store: Store, pending: PendingLeases) -> None:
        self._store = store
        self._pending = pending
        self._arriving = threading.Lock()  # guards _waiting
        self._waiting: deque[_Ticket] = deque()
        self._leading = threading.Lock()  # held by the thread that runs a group

    def run(self, operation: Callable[[Transaction], Answer], record_bytes: int = 0) -> Answer:
        """Run the operation in a group; return its answer once that is flushed.

        `record_bytes` is about what it will append.  An operation that raises changes
        nothing and does not disturb the others of its group; when the group's flush
        fails, all of them raise StorageError.  It may be run twice (a neighbour raised),
        so it must keep nothing from its first run.
        """
        ticket = _Ticket(operation, record_bytes)
        with self._arriving:
            self._waiting.append(ticket)
        with self._leading:
            while not ticket.done:
                self._lead()
        if ticket.error is not None:
            raise ticket.error
        answer: Answer = ticket.answer
        return answer

    def _lead(self) -> None:
        tickets: list[_Ticket] = []
        total = 0
        with self._arriving:
            while self._waiting and len(tickets) < GROUP_OPERATIONS_MAX:
                if tickets and total + self._waiting[0].bytes > GROUP_BYTES_MAX:
                    break
                total += self._waiting[0].bytes
                tickets.append(self._waiting.popleft())
        if len(tickets) > 1 and self._run_together(tickets):
            return
        for ticket in tickets:
            self._run_alone(ticket)

    def _run_together(self, tickets: list[_Ticket]) -> bool:
        """Run all in one group; say False when one of them raised (nothing is changed)."""
        raised = False
        try:
            with self._store.group() as group:
                written = self._pending.write(group)
                for ticket in tickets:
                    try:
                        ticket.answer = ticket.operation(group)
                    except BaseException:
                        raised = True
                        raise
            self._pending.flushed(written)
        except Exception as error:
            if raised and self._store.healthy():
                return False
            for ticket in tickets:
                ticket.error = error
        except BaseException:
            interrupted = StorageError("store.failed", reason="the writing thread was interrupted")
            for ticket in tickets:
                ticket.error = interrupted
                ticket.done = True
            raise
        for ticket in tickets:
            ticket.done = True
        return True

    def _run_alone(self, ticket: _Ticket) -> None:
        try:
            with self._store.group() as group:
                written = self._pending.write(group)
                ticket.answer = ticket.operation(group)
            self._pending.flushed(written)
        except BaseException as error:
            ticket.error = error
        ticket.done = True
