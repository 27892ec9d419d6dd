"""Leases that were handed out and wait for the next flush.

Nobody waits for a lease to be durable: losing one in a crash hands the same documents out
once more, which a lease running out does, too.  So a lease's record is kept here, joins the
next group, whoever leads it, and is flushed by a quiet thread when no group comes along.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from typing import Final

from router.errors import VanbanError
from router.ports import Transaction
from router.queue import state
from router.queue.records import LeaseRecord, encode

PENDING_LEASES_MAX: Final = 64
"""Records that may wait; one more flushes them all."""


class PendingLeases:
    """Lease records not yet on the disk, in the order they were made.  Thread-safe."""

    def __init__(self) -> None:
        self._guard = threading.Lock()  # guards the list
        self._records: list[tuple[LeaseRecord, bytes]] = []

    def __len__(self) -> int:
        return len(self._records)

    def add(self, record: LeaseRecord) -> None:
        """Keep a record for the next group."""
        data = encode(record)
        with self._guard:
            self._records.append((record, data))

    def held(self, address: int, at: int) -> frozenset[int] | None:
        """Return the documents that pending records of this address hold.

        None when one of these leases has run out already: flush first.
        """
        with self._guard:
            records = [record for record, _ in self._records if record.address == address]
        if any(record.until <= at for record in records):
            return None
        return frozenset(
            document for record in records for document in record.documents + record.expired
        )

    def write(self, txn: Transaction) -> int:
        """Append and apply all that is pending; return how many, for `flushed`."""
        with self._guard:
            records = list(self._records)
        for record, data in records:
            state.apply(record, txn.append(data), txn)
        return len(records)

    def flushed(self, count: int) -> None:
        """Forget the first `count` records: they are on the disk."""
        if count:
            with self._guard:
                del self._records[:count]


class IdleFlusher:
    """Calls `flush` some time after `wake`, on a thread of its own started when needed."""

    def __init__(self, flush: Callable[[], None], delay_s: float) -> None:
        self._flush = flush
        self._delay_s = delay_s
        self._woken = threading.Event()
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    def wake(self) -> None:
        """Ask for a flush `delay_s` from now, or sooner."""
        if self._thread is None:
            self._thread = threading.Thread(
                target=self._run, name="vanban-lease-flush", daemon=True
            )
            self._thread.start()
        if not self._woken.is_set():
            self._woken.set()

    def stop(self) -> None:
        """Stop the thread; idempotent."""
        self._stopped.set()
        self._woken.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()

    def _run(self) -> None:
        while True:
            self._woken.wait()
            if self._stopped.wait(self._delay_s):
                return
            self._woken.clear()
            with contextlib.suppress(VanbanError):  # the store is fenced: the next caller is told
                self._flush()
