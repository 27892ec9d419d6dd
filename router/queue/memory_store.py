"""The durability port in memory, for the simulator and for tests.

A `MemoryDisk` is what survives; a `MemoryStore` is one opening of it.  Every group lands
on the disk whole at its flush, or not at all.  The disk can be told to fail or to "crash"
at a flush; after either the store is fenced, and the disk may be opened again.
"""

from __future__ import annotations

import threading
from bisect import bisect_left, insort
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import Enum

from router.errors import ClosedError, StorageError
from router.limits import KEY_BYTES_MAX
from router.ports import Log, Transaction, View
from router.queue.framing import frame, unframe

_PLACE = "memory"
_ABSENT = object()


class SimulatedCrashError(Exception):
    """The process of this store "died" at a flush; open the disk anew."""


class Trouble(Enum):
    """What happens at the next flush."""

    FAIL = "fail"
    FULL = "full"
    CRASH_BEFORE = "crash before"
    CRASH_AFTER = "crash after"


class _Table:
    """A sorted mapping of bytes."""

    __slots__ = ("keys", "values")

    def __init__(self) -> None:
        self.keys: list[bytes] = []
        self.values: dict[bytes, bytes] = {}

    def put(self, key: bytes, value: bytes) -> None:
        if key not in self.values:
            if not self.keys or key > self.keys[-1]:
                self.keys.append(key)
            else:
                insort(self.keys, key)
        self.values[key] = value

    def delete(self, key: bytes) -> None:
        if self.values.pop(key, None) is not None:
            del self.keys[bisect_left(self.keys, key)]


class MemoryDisk:
    """What survives a crash: tables, log, the last epoch and sequence.

    `trouble_at(n, trouble)` plans what happens at the n-th flush from now (1 is the next).
    `flushes` counts the groups that changed something.
    """

    def __init__(self) -> None:
        self.tables: dict[str, _Table] = {}
        self.log: dict[int, bytes] = {}
        self.last = 0
        self.epoch = 0
        self.flushes = 0
        self._plan: dict[int, Trouble] = {}

    def trouble_at(self, flush: int, trouble: Trouble) -> None:
        """Let the n-th flush from now go wrong."""
        self._plan[self.flushes + flush] = trouble

    def next_flush(self) -> Trouble | None:
        """Count a flush; return what is planned for it."""
        self.flushes += 1
        return self._plan.pop(self.flushes, None)

    def table(self, name: str) -> _Table:
        """Return the table, made on first use."""
        found = self.tables.get(name)
        if found is None:
            found = self.tables[name] = _Table()
        return found


class MemoryStore:
    """One opening of a `MemoryDisk`; implements `ports.Store`.

    A later opening fences this one, as a new owner's epoch does.
    """

    def __init__(self, disk: MemoryDisk) -> None:
        self._disk = disk
        self._guard = threading.RLock()  # guards the disk: one group or view at a time
        disk.epoch += 1
        self._epoch = disk.epoch
        self._fence: StorageError | None = None
        self._closed = False
        self._crashed = False
        self._in_group = False
        self._log = _MemoryLog(self)

    @property
    def epoch(self) -> int:
        """The number of this opening, one larger at each."""
        return self._epoch

    @property
    def idle_flush_s(self) -> float | None:
        """Return None: nothing happens here by the clock."""
        return None

    @property
    def log(self) -> Log:
        """The log of this store."""
        return self._log

    @contextmanager
    def group(self) -> Iterator[Transaction]:
        """Open the one write group; on the disk when the block has ended."""
        with self._guard:
            self._check_usable()
            if self._in_group:
                raise RuntimeError("a group is not reentrant")
            self._in_group = True
            group = _MemoryGroup(self, self._disk)
            try:
                yield group
                if group.undo:
                    self._flush(group)
            except BaseException:
                group.roll_back()
                raise
            finally:
                self._in_group = False

    @contextmanager
    def view(self) -> Iterator[View]:
        """Open a short reading of all that is durable."""
        with self._guard:
            self._check_usable()
            yield _MemoryView(self, self._disk)

    def healthy(self) -> bool:
        """Return False once a flush has failed or "crashed", or after `close`."""
        return self._fence is None and not self._closed and not self._crashed

    def close(self) -> None:
        """Release the disk; idempotent.  Waits for a running group and for open views."""
        with self._guard:
            self._closed = True

    def _check_usable(self) -> None:
        if self._crashed:
            raise SimulatedCrashError("the store crashed")
        if self._closed:
            raise ClosedError("engine.closed")
        if self._fence is not None:
            raise StorageError(self._fence.code, path=self._fence.path, **self._fence.facts)
        if self._disk.epoch != self._epoch:
            raise StorageError("store.locked", path=_PLACE)

    def _flush(self, group: _MemoryGroup) -> None:
        match self._disk.next_flush():
            case None:
                pass
            case Trouble.FAIL:
                self._fence = StorageError("store.failed", path=_PLACE, reason="the flush failed")
                raise self._fence
            case Trouble.FULL:
                self._fence = StorageError("store.full", path=_PLACE)
                raise self._fence
            case Trouble.CRASH_BEFORE:
                self._crashed = True
                raise SimulatedCrashError("before the flush")
            case Trouble.CRASH_AFTER:
                self._crashed = True
                group.undo.clear()
                raise SimulatedCrashError("after the flush")


class _MemoryView:
    """A reading: implements `ports.View`."""

    def __init__(self, store: MemoryStore, disk: MemoryDisk) -> None:
        self._store = store
        self._disk = disk
        self._durable = disk.last

    @property
    def durable(self) -> int:
        return self._durable

    def get(self, table: str, key: bytes) -> bytes | None:
        return self._disk.table(table).values.get(key)

    def scan(self, table: str, start: bytes, stop: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Go on from the last key each time: the table may change between two steps."""
        source = self._disk.table(table)
        index = bisect_left(source.keys, start)
        while index < len(source.keys):
            key = source.keys[index]
            if key >= stop:
                return
            yield key, source.values[key]
            if index < len(source.keys) and source.keys[index] == key:
                index += 1
            else:
                index = bisect_left(source.keys, key + b"\0")

    def record(self, sequence: int) -> bytes | None:
        stored = self._disk.log.get(sequence)
        return None if stored is None else unframe(sequence, stored, _PLACE)


class _MemoryGroup(_MemoryView):
    """A write group: writes in place and keeps what undoes it."""

    def __init__(self, store: MemoryStore, disk: MemoryDisk) -> None:
        super().__init__(store, disk)
        self.undo: list[tuple[str, bytes, object]] = []

    def append(self, record: bytes) -> int:
        sequence = self._disk.last + 1
        self._disk.log[sequence] = frame(sequence, self._store.epoch, record)
        self._disk.last = sequence
        self.undo.append(("", b"", _ABSENT))
        return sequence

    def put(self, table: str, key: bytes, value: bytes) -> None:
        if not 0 < len(key) <= KEY_BYTES_MAX:
            raise ValueError("a key has 1 to 511 bytes")
        target = self._disk.table(table)
        self.undo.append((table, key, target.values.get(key, _ABSENT)))
        target.put(key, value)

    def delete(self, table: str, key: bytes) -> None:
        target = self._disk.table(table)
        if key in target.values:
            self.undo.append((table, key, target.values[key]))
            target.delete(key)

    def roll_back(self) -> None:
        """Take everything back."""
        for table, key, before in reversed(self.undo):
            if not table:
                self._disk.log.pop(self._disk.last, None)
                self._disk.last -= 1
            elif isinstance(before, bytes):
                self._disk.table(table).put(key, before)
            else:
                self._disk.table(table).delete(key)
        self.undo.clear()


class _MemoryLog:
    """The log's face: implements `ports.Log`."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store

    @property
    def epoch(self) -> int:
        return self._store.epoch

    def append(self, records: Sequence[bytes]) -> int:
        with self._store.group() as group:
            sequences = [group.append(record) for record in records]
        return sequences[0] if sequences else 0

    def read(self, start: int) -> Iterator[tuple[int, bytes]]:
        log = self._store._disk.log
        with self._store.view():
            sequences = sorted(sequence for sequence in log if sequence >= start)
        for sequence in sequences:
            with self._store.view() as view:
                record = view.record(sequence)
            if record is not None:
                yield sequence, record

    def cut(self, before: int) -> None:
        with self._store._guard:
            self._store._check_usable()
            log = self._store._disk.log
            for sequence in [sequence for sequence in log if sequence < before]:
                del log[sequence]
