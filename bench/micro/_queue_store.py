"""Our store as the benchmarks of the queue see it: the one place that knows its interface."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Final

from router._core import runs_contain
from router.queue import Accepted, LmdbStore, Queue
from router.queue.inbox import Membership, walk
from router.queue.records import Acceptance, decode
from vanban_bench.peers.base import DuplicateError, bytes_below
from vanban_bench.workloads.queue_documents import AT_US, Group, Reader

NAME: Final = "vanban"
_ACTOR: Final = "bench"
_SECOND_US: Final = 1_000_000
_LEASE_US: Final = 3_600 * _SECOND_US
_TOGETHER: Final = 64


class OurStore:
    """A `vanban_bench.peers.base.Side`, and what only our own rows ask for.

    The instant of every call is given, `AT_US` unless told; nothing reads a clock.
    """

    def __init__(self) -> None:
        self.name = NAME
        self.durability = "power loss; LMDB synced once a group; the lease unflushed"
        self._path = Path()
        self._queue: Queue | None = None
        self._store: LmdbStore | None = None
        self._callers: ThreadPoolExecutor | None = None
        self._ahead: deque[Future[None]] = deque()

    def start(self, home: Path) -> None:
        """Nothing is needed."""

    def stop(self) -> None:
        """Nothing was started."""

    def open(self, path: Path) -> None:
        """Make an empty store."""
        if path.exists():
            for file in sorted(path.rglob("*"), reverse=True):
                file.rmdir() if file.is_dir() else file.unlink()
        self.reopen(path)

    def reopen(self, path: Path) -> None:
        """Open the store that is there (or a new one)."""
        self._path = path
        self._store = LmdbStore.open(path, clock_us=AT_US)
        self._queue = Queue(self._store)
        self._callers = ThreadPoolExecutor(_TOGETHER)

    def close(self) -> None:
        """Close the store, after what was queued ahead."""
        if self._callers is not None:
            self._callers.shutdown()
        self.opened.close()
        self._queue = None

    def accept(self, group: Group) -> None:
        """Store the group, flushed."""
        self.accept_records(group.records)

    def accept_records(self, records: Sequence[bytes]) -> None:
        """Store encoded acceptances as one group.  Raises `DuplicateError`."""
        batch = []
        for record in records:
            item = decode(record, 0)
            assert isinstance(item, Acceptance)
            batch.append(item)
        for answer in self.opened.accept(batch):
            if not isinstance(answer, Accepted):
                raise DuplicateError(repr(answer))

    def enqueue(self, records: Sequence[bytes]) -> None:
        """Queue a group ahead; `completed` waits for the oldest."""
        assert self._callers is not None
        self._ahead.append(self._callers.submit(self.accept_records, records))

    def completed(self) -> int:
        """Wait for the oldest group queued ahead; return how many groups are done."""
        done = 0
        while self._ahead and (not done or self._ahead[0].done()):
            self._ahead.popleft().result()
            done += 1
        return done

    def drain(self, reader: Reader, limit: int) -> list[bytes]:
        """Lease up to `limit` documents and acknowledge them; return their keys."""
        keys = self.lease(reader, limit)
        self.settle(reader, keys)
        return keys

    def lease(self, reader: Reader, limit: int, at_us: int = AT_US) -> list[bytes]:
        """Hand out documents with their bytes; return their keys."""
        leased = self.opened.lease(
            reader.address, reader.topics, _member(reader), limit, at_us + _LEASE_US, at_us, _ACTOR
        )
        return [one.key for one in leased]

    def settle(self, reader: Reader, keys: Sequence[bytes], at_us: int = AT_US) -> None:
        """Acknowledge deliveries, flushed."""
        answers = self.opened.settle(
            reader.address, [(key, "delivered", "") for key in keys], at_us, reader.address,
            _ACTOR, _member(reader),
        )  # fmt: skip
        assert all(one.found and not one.repeated for one in answers)

    def settle_together(self, calls: Sequence[tuple[Reader, Sequence[bytes]]]) -> None:
        """Acknowledge for many recipients whose calls share flushes."""
        assert self._callers is not None
        for done in [self._callers.submit(self.settle, *call) for call in calls]:
            done.result()

    def inbox(self, reader: Reader, limit: int, at_us: int = AT_US) -> list[bytes]:
        """Return the keys of the first documents that wait for a unit, without bodies."""
        queue, found = self.opened, []

        def take(sequence: int, _lane: int, _attempts: int) -> bool:
            found.append(sequence)
            return True

        assert self._store is not None
        with self._store.view() as view:
            holds = Membership(view, _member(reader), queue._audience)
            walk(view, reader.address, reader.topics, holds, frozenset(), limit, at_us, take,
                 expired_max=None)  # fmt: skip
            packed = [sequence.to_bytes(8, "big") for sequence in found]
            return [view.get("documents", one) or b"" for one in packed]

    def counts(self, key: bytes, size: int) -> dict[str, int]:
        """Return how many deliveries of a document of `size` recipients are in each state."""
        found = Counter(row.state for _, row in self.opened.deliveries(key))
        found["queued"] = size - sum(found.values())
        return {state: count for state, count in sorted(found.items()) if count}

    def documents(self) -> int:
        """Return how many documents were accepted."""
        return self.opened.counts()["documents"]

    def rest(self) -> None:
        """Make a checkpoint; returns when it is done."""
        self.checkpoint()

    def checkpoint(self) -> None:
        """Make a checkpoint, without the GIL; returns when it is done."""
        self.opened.flush()

    def bytes_used(self) -> int:
        """Return the bytes of all files."""
        return bytes_below(self._path)

    def bytes_written(self) -> int | None:
        """Return the bytes written to log and state since opening, None when it isn't told."""
        return None

    @property
    def opened(self) -> Queue:
        """The queue itself."""
        assert self._queue is not None, "the store is open"
        return self._queue


def _member(reader: Reader) -> partial[bool]:
    return partial(_holds, reader.position)


def _holds(position: int, _snapshot: int, runs: bytes) -> bool:
    return runs_contain(runs, position)
