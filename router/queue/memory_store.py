"""The durability port in memory: the same log and state machine on a simulated disk.

A `MemoryDisk` is what survives; a `MemoryStore` is one opening of it.  The disk keeps apart
what was flushed and what was not, and can be told to fail, to fill up, to lie or to lose
power.  Nothing happens by the clock: checkpoints are taken when asked for.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from random import Random
from typing import Any, Literal

from router.errors import StorageError
from router.queue._base import MemoryBase
from router.queue._log import SegmentLog
from router.queue._simulated_disk import SimulatedDisk
from router.queue._store import Store, place_of
from router.queue.guard import SpaceGuard
from router.queue.tables import TABLES

_SEGMENT_BYTES = 262_144


class SimulatedCrashError(Exception):
    """The process of this store "died" at a flush; open the disk anew."""


class Trouble(Enum):
    """What happens at a flush."""

    FAIL = "fail"
    FULL = "full"
    CRASH_BEFORE = "crash before"
    CRASH_AFTER = "crash after"


class MemoryDisk:
    """What survives a crash: the log's files and the base of the last checkpoint.

    `segment_bytes` bounds a segment of the log.
    """

    def __init__(self, segment_bytes: int = _SEGMENT_BYTES) -> None:
        self.segment_bytes = segment_bytes
        self.files = SimulatedDisk()
        self.base = MemoryBase(TABLES)
        self._trouble: Trouble | None = None

    @property
    def flushes(self) -> int:
        """How often a file was flushed."""
        return self.files.counters.get("flush", 0)

    def trouble_at(self, flush: int, trouble: Trouble) -> None:
        """Let the n-th flush from now go wrong (1: the next)."""
        self.files.plan("flush", flush, "full" if trouble is Trouble.FULL else "fail")
        self._trouble = trouble

    def crashed(self) -> bool:
        """Say whether a failed flush was meant as a crash; what it left is on the disk now.

        A planned failure keeps nothing of its group, `CRASH_AFTER` all of it.
        """
        trouble, self._trouble = self._trouble, None
        if trouble is None:
            return False
        mode: Literal["all", "none"] = "all" if trouble is Trouble.CRASH_AFTER else "none"
        self.files.crash(Random(0), mode)  # noqa: S311 - chance decides nothing here
        return trouble in {Trouble.CRASH_BEFORE, Trouble.CRASH_AFTER}


class MemoryStore(Store):
    """One opening of a `MemoryDisk`.  A later opening fences this one."""

    _disk: MemoryDisk
    segments: SegmentLog

    def __new__(cls, *_: object) -> MemoryStore:
        """Make the store; see `__init__`."""
        return super().__new__(cls)

    def __init__(self, disk: MemoryDisk) -> None:
        base = disk.base.copy()
        place = place_of(base)
        log = SegmentLog.open(
            disk.files, checkpoint_sequence=place[0], checkpoint_spot=place[1],
            epoch_min=place[2], segment_bytes_max=disk.segment_bytes,
        )  # fmt: skip
        super().__init__(base, log, place)
        self.segments = log
        disk.base = base
        self._disk = disk

    @contextmanager
    def _dying(self) -> Iterator[None]:
        try:
            yield
        except StorageError as error:
            if self._disk.crashed():
                raise SimulatedCrashError("at a flush") from error
            raise

    def take(self, *arguments: Any, **named: Any) -> Any:
        """Store records; see `Store.take`.  Raises SimulatedCrashError, too."""
        with self._dying():
            return super().take(*arguments, **named)

    def append_joinings(self, records: list[bytes]) -> bool:
        """Queue again what is dead; see `Store.append_joinings`.  SimulatedCrashError, too."""
        with self._dying():
            return super().append_joinings(records)

    def settle(self, *arguments: Any, **named: Any) -> Any:
        """Do what a recipient wants; see `Store.settle`.  Raises SimulatedCrashError, too."""
        with self._dying():
            return super().settle(*arguments, **named)

    def settle_alike(self, *arguments: Any, **named: Any) -> Any:
        """Settle alike; see `Store.settle_alike`.  Raises SimulatedCrashError, too."""
        with self._dying():
            return super().settle_alike(*arguments, **named)

    def flush(self) -> None:
        """Make everything durable.  Raises SimulatedCrashError, too."""
        with self._dying():
            super().flush()

    def make_segment(self) -> bool:
        """Make the next segment ahead if one is wanted; say whether.  Raises StorageError."""
        return self.segments.make_ready()

    @property
    def space(self) -> SpaceGuard:
        """What the disk says of its free space; watched by nobody."""
        return SpaceGuard(self._disk.files.free_bytes, 0)

    def renew(self, *, clock_us: int = 0) -> MemoryStore:  # noqa: ARG002
        """Close this store after a failure and open its disk again.  Raises StorageError."""
        self.close()
        return MemoryStore(self._disk)

    def close(self) -> None:
        """Close; idempotent.  No last checkpoint: the next opening replays the log."""
        self.stop()
        self.shut(clean=False)
