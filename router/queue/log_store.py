"""The fast durability port: a segment log, and LMDB that follows it.

    DIR/log/      segments of records; flushed once a group
    DIR/store/    LMDB: the state as of the last checkpoint

An accepted change is durable when its record is flushed.  LMDB is committed, synced, at
checkpoints together with the sequence it contains; at an opening the log's tail is replayed
from there.  Threads: one tends (flushes leases, takes checkpoints), one makes segments ahead,
one looks at the free space, and one serves queued groups once somebody queues any.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Final, Self

from router.errors import StorageError
from router.limits import (
    CHECKPOINT_LOG_BYTES,
    CHECKPOINT_OVERLAY_BYTES,
    CHECKPOINT_S,
    EPOCH_MAX,
    OVERLAY_BYTES_MAX,
)
from router.queue._disk import PosixDisk
from router.queue._lmdb import LmdbBase
from router.queue._log import SegmentLog
from router.queue._store import place_of
from router.queue.datadir import DataDirectory
from router.queue.guard import reserve_of, segment_bytes
from router.queue.owned_store import OwnedStore
from router.queue.tables import TABLES

_FLUSH_S: Final = 0.1
_SEGMENT_S: Final = 0.05


class LogStore(OwnedStore):
    """A data directory opened by its one owner.  Made by `open`."""

    _signal: int = -1

    @classmethod
    def open(
        cls, path: str | Path, *, clock_us: int, map_bytes: int = 0, reserve_bytes: int | None = 0,
        backup: bool = False,
    ) -> Self:  # fmt: skip
        """Own the directory, recover what is kept, begin a new epoch; make it when there is none.

        Documents are refused while fewer than `reserve_bytes` are free on the disk (None: a
        sixteenth of it, at most DISK_RESERVE_BYTES).  `backup`
        opens a backup, to check it or to restore from it.  Raises StorageError
        `store.locked`, `store.foreign`, `store.format`, `store.format_old`, `store.backup`,
        `store.corrupt`, `store.full`, `store.read_only`, `store.failed`, and SettingsError for a
        reserve larger than the disk.
        """
        directory = DataDirectory(Path(path), backup=backup)
        return cls._open(directory, clock_us, map_bytes, reserve_bytes)

    @classmethod
    def _opened(
        cls, directory: DataDirectory, clock_us: int, map_bytes: int, reserve_bytes: int | None
    ) -> Self:
        reserve_bytes = reserve_of(directory.path, reserve_bytes)
        base = log = None
        try:
            disk = PosixDisk(directory.log_path)
            # Former owners are fenced before the base is read: none of them may write it then.
            claimed = disk.call("claimed") + 1
            if claimed > EPOCH_MAX:
                raise StorageError(
                    "store.corrupt", path=str(directory.log_path / "EPOCH"),
                    reason=f"log/EPOCH says {claimed - 1}, and no epoch is above {EPOCH_MAX}; "
                    "without this file the epoch is taken from the log",
                )  # fmt: skip
            disk.call("claim", claimed)
            base = LmdbBase.open(directory.store_path, TABLES, map_bytes)
            place = place_of(base)
            log = SegmentLog.open(
                disk, checkpoint_sequence=place[0], checkpoint_spot=place[1],
                epoch_min=place[2], claimed=claimed,
                segment_bytes_max=segment_bytes(directory.path),
            )  # fmt: skip
            base.belong_to(disk, log.epoch)
            if directory.fresh and log.last:
                raise StorageError(
                    "store.foreign", path=str(directory.path), reason="FORMAT is missing"
                )
            store = cls(base, log, place)
            directory.check_fresh(log.last)
            if directory.fresh:
                directory.finish_creation(clock_us)
        except BaseException:
            if log is not None:
                log.close()
            if base is not None:
                base.close()
            raise
        store._begin(directory, map_bytes, reserve_bytes)
        return store

    def _begin(self, directory: DataDirectory, map_bytes: int, reserve_bytes: int) -> None:
        self.overlay_bytes_max = OVERLAY_BYTES_MAX
        self.checkpoint_overlay_bytes = CHECKPOINT_OVERLAY_BYTES
        self.checkpoint_log_bytes = CHECKPOINT_LOG_BYTES
        self._own(directory, map_bytes, reserve_bytes)
        self._start("vanban-store-tend", self.tend, _FLUSH_S, CHECKPOINT_S)
        self._start("vanban-store-segments", self.make_segments, _SEGMENT_S)

    @property
    def eventfd(self) -> int:
        """A file that can be read once queued groups were answered; starts the writer."""
        if self._signal < 0:
            self._signal = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
            self._start("vanban-store-writer", self.write_until_closed, self._signal)
        return self._signal

    def clear_signal(self) -> None:
        """Make the eventfd unreadable until further groups are answered."""
        with contextlib.suppress(BlockingIOError):
            os.eventfd_read(self._signal)

    def _release(self, *, clean: bool) -> None:
        super()._release(clean=clean)
        if self._signal >= 0:
            os.close(self._signal)
            self._signal = -1
