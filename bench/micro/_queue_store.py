"""Our store as the benchmarks of the queue see it: the one place that knows its interface."""

from __future__ import annotations

import select
import shutil
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from router.errors import OverloadedError
from router.queue import LogStore, Queue, Settlement
from router.queue.transport import NAMES
from vanban_bench.peers.base import DuplicateError, bytes_below
from vanban_bench.workloads.queue_documents import AT_US, Group, Reader

NAME: Final = "vanban"
_ACTOR: Final = "bench"
_SECOND_US: Final = 1_000_000
_LEASE_US: Final = 3_600 * _SECOND_US
_TOGETHER: Final = 64
_NEW: Final = 0
_TRIES: Final = 60
_SETTLED: Final = Settlement(True, "delivered")


class OurStore:
    """A `vanban_bench.peers.base.Side`, and what only our own rows ask for.

    The instant of every call is given, `AT_US` unless told; nothing reads a clock.
    """

    def __init__(self) -> None:
        self.name = NAME
        self.durability = "power loss; one flush of the log a group; the lease unflushed"
        self._path = Path()
        self._queue: Queue | None = None
        self._store: LogStore | None = None
        self._callers: ThreadPoolExecutor | None = None

    def start(self, home: Path) -> None:
        """Nothing is needed."""

    def stop(self) -> None:
        """Nothing was started."""

    def open(self, path: Path) -> None:
        """Make an empty store."""
        shutil.rmtree(path, ignore_errors=True)
        self.reopen(path)

    def reopen(self, path: Path) -> None:
        """Open the store that is there (or a new one)."""
        self._path = path
        self._store = LogStore.open(path, clock_us=AT_US)
        self._queue = Queue(self._store)
        self._callers = ThreadPoolExecutor(_TOGETHER)

    def close(self) -> None:
        """Close the store, after what was queued ahead."""
        if self._callers is not None:
            self._callers.shutdown()
        self.opened.close()
        self._queue = self._store = None

    def accept(self, group: Group) -> None:
        """Store the group, flushed."""
        self.accept_records(group.records)

    def accept_records(self, records: list[bytes]) -> None:
        """Store encoded acceptances as one group.  Raises `DuplicateError`.

        A disk that does not keep up is waited for, as a sender would; the wait is measured.
        """
        for left in reversed(range(_TRIES)):
            try:
                answers = self.store.take(records)
                break
            except OverloadedError as error:
                if not left:
                    raise
                time.sleep(float(error.facts["retry_after_s"]))
        for kind, _, _ in answers:
            if kind != _NEW:
                raise DuplicateError(str(kind))

    def enqueue(self, records: list[bytes]) -> None:
        """Queue a group ahead; `completed` says when it is done."""
        _ = self.store.eventfd
        self.store.enqueue(records)

    def completed(self) -> int:
        """Wait until a group queued ahead is done; return how many are."""
        while True:
            done = self.store.completed()
            if done:
                return len(done)
            select.select([self.store.eventfd], [], [], 1)
            self.store.clear_signal()

    def drain(self, reader: Reader, limit: int) -> list[bytes]:
        """Lease up to `limit` documents and acknowledge them; return their keys."""
        keys = self.lease(reader, limit)
        self.settle(reader, keys)
        return keys

    def lease(self, reader: Reader, limit: int, at_us: int = AT_US) -> list[bytes]:
        """Hand out documents, each body as bytes of its own as peers give it; return their keys."""
        leased = self.opened.lease(
            reader.address, reader.topics, _Places(reader), limit, at_us + _LEASE_US, at_us, _ACTOR
        )
        bodies = [one.envelope for one in leased]
        assert len(bodies) == len(leased)
        return [one.key for one in leased]

    def settle(self, reader: Reader, keys: Sequence[bytes], at_us: int = AT_US) -> None:
        """Acknowledge deliveries, flushed."""
        answers = self.opened.settle(
            reader.address, [(key, "delivered", "") for key in keys], at_us, reader.address,
            _ACTOR, _Places(reader),
        )  # fmt: skip
        assert answers == [_SETTLED] * len(answers)

    def settle_together(self, calls: Sequence[tuple[Reader, Sequence[bytes]]]) -> None:
        """Acknowledge for many recipients whose calls share flushes."""
        assert self._callers is not None
        for done in [self._callers.submit(self.settle, *call) for call in calls]:
            done.result()

    def inbox(self, reader: Reader, limit: int, at_us: int = AT_US) -> list[bytes]:
        """Return the keys of the first documents that wait for a unit, without bodies."""
        return self.opened.inbox_keys(
            reader.address, reader.topics, _Places(reader), at_us, limit=limit
        )

    def counts(self, key: bytes, size: int) -> dict[str, int]:
        """Return how many deliveries of a document of `size` recipients are in each state."""
        sequence = self.store.sequence_of(key)
        assert sequence is not None, "the document was accepted"
        entry = self.opened.entries(sequence)[0]
        (counts,) = self.opened.count_states(entry.number, (0, size), AT_US)
        found = dict(zip(NAMES, counts, strict=True))
        found["queued"] += size - sum(counts)
        return {state: count for state, count in sorted(found.items()) if count}

    def documents(self) -> int:
        """Return how many documents were accepted."""
        return self.opened.counts()["documents"]

    def rest(self) -> None:
        """Make a checkpoint; returns when it is done."""
        self.checkpoint()

    def checkpoint(self) -> None:
        """Make a checkpoint, without the GIL; returns when it is done."""
        self.store.checkpoint()

    def bytes_used(self) -> int:
        """Return the bytes of all files."""
        return bytes_below(self._path)

    def bytes_written(self) -> int | None:
        """Return the bytes written to log and state since opening, zeros ahead not counted."""
        sizes = self.store.sizes()
        return sizes["log_bytes"] + sizes["checkpoint_bytes"]

    @property
    def opened(self) -> Queue:
        """The queue itself."""
        assert self._queue is not None, "the store is open"
        return self._queue

    @property
    def store(self) -> LogStore:
        """The store below the queue."""
        assert self._store is not None, "the store is open"
        return self._store


class _Places:
    """Where a reader stands: in the same place of every snapshot of a benchmark."""

    def __init__(self, reader: Reader) -> None:
        self._position = reader.position

    def __call__(self, snapshots: Sequence[int]) -> Mapping[int, int]:
        """Return the position in each."""
        return dict.fromkeys(snapshots, self._position)
