"""Protocols of what the engine takes from outside: clock, chance, storage.

They come in by argument, so that a seed replays a run (see the simulator) and so that
another implementation (a replicated log) can stand in later.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Protocol


class Clock(Protocol):
    """Wall time in integer microseconds since 1970-01-01T00:00Z ("an instant")."""

    def now_us(self) -> int:
        """Return the present instant."""
        ...


class Chance(Protocol):
    """A source of random bytes (keys, token secrets)."""

    def random_bytes(self, count: int) -> bytes:
        """Return `count` unpredictable bytes (a seeded stream in the simulator)."""
        ...


class Log(Protocol):
    """The one log: an ordered, checksummed sequence of records.

    A sequence is a positive integer, one a record, never reused.  Nobody else sees an
    offset, so a replicated log can stand in for the local one.
    """

    @property
    def epoch(self) -> int:
        """The number of this opening; a larger epoch fences a former owner."""
        ...

    def append(self, records: Sequence[bytes]) -> int:
        """Append records as one group of their own, flushed on return; give the first's sequence.

        Inside a group use `Transaction.append`.  Raises TooLargeError for a record over
        `RECORD_BYTES_MAX`, StorageError when it can't be made durable.
        """
        ...

    def read(self, start: int) -> Iterator[tuple[int, bytes]]:
        """Yield (sequence, record) from sequence `start` on, in order.

        Raises StorageError `store.corrupt`, naming the place, for a record that fails its
        checksum.
        """
        ...

    def cut(self, before: int) -> None:
        """Forget the records below sequence `before`; sequences are never given again."""
        ...


class View(Protocol):
    """A consistent reading of the state tables; sees every answered write."""

    @property
    def durable(self) -> int:
        """A sequence up to which every record was on the disk when this began."""
        ...

    def get(self, table: str, key: bytes) -> bytes | None:
        """Return the value stored under `key`, or None."""
        ...

    def scan(self, table: str, start: bytes, stop: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Yield (key, value) with start <= key < stop, in ascending key order."""
        ...

    def record(self, sequence: int) -> bytes | None:
        """Return the log record of that sequence, or None when unknown or cut."""
        ...


class Transaction(View, Protocol):
    """One group: records appended and the state they lead to, flushed together."""

    def append(self, record: bytes) -> int:
        """Append one record; return its sequence."""
        ...

    def put(self, table: str, key: bytes, value: bytes) -> None:
        """Store `value` under `key`."""
        ...

    def delete(self, table: str, key: bytes) -> None:
        """Remove `key`; no error when absent."""
        ...


class Store(Protocol):
    """A durability port: log and state of one data directory.

    `group()` yields a `Transaction`.  When the block ends without an exception, all of it
    is durable (flushed) before control returns; when it raises, nothing of it exists.
    A failed write or flush raises `StorageError` and fences the store: every later call
    raises the same until it is opened anew.
    """

    @property
    def epoch(self) -> int:
        """The number of this opening, one larger at each."""
        ...

    @property
    def idle_flush_s(self) -> float | None:
        """How long a record nobody waits for may stay unflushed.

        None: until the next group, so that nothing happens by the clock (the simulator).
        """
        ...

    @property
    def log(self) -> Log:
        """The log of this store."""
        ...

    def group(self) -> AbstractContextManager[Transaction]:
        """Open the one write group; not reentrant, callers serialise."""
        ...

    def view(self) -> AbstractContextManager[View]:
        """Open a short reading."""
        ...

    def healthy(self) -> bool:
        """Return False once a write or flush has failed."""
        ...

    def close(self) -> None:
        """Release everything; idempotent.  Waits for a running group and for open views."""
        ...


class SystemClock:
    """The machine's wall clock."""

    def now_us(self) -> int:
        """Return the present instant in microseconds."""
        return time.time_ns() // 1_000


class OffsetClock:
    """A clock that started at `start_us` when it was made and runs at real speed."""

    def __init__(self, start_us: int) -> None:
        self._offset_us = start_us - time.monotonic_ns() // 1_000

    def now_us(self) -> int:
        """Return start_us plus the real time gone by since."""
        return self._offset_us + time.monotonic_ns() // 1_000


class ManualClock:
    """A clock moved by hand (tests, the simulator)."""

    def __init__(self, start_us: int) -> None:
        self.instant_us = start_us

    def now_us(self) -> int:
        """Return the instant it was last set to."""
        return self.instant_us

    def advance(self, seconds: float) -> None:
        """Move the clock by that many seconds (backwards when negative)."""
        self.instant_us += int(seconds * 1_000_000)


class SystemChance:
    """The operating system's random source."""

    def random_bytes(self, count: int) -> bytes:
        """Return `count` bytes from the kernel."""
        return os.urandom(count)
