"""The fast durability port: a segment log, and LMDB that follows it.

    DIR/log/      segments of records; flushed once a group
    DIR/store/    LMDB: the state as of the last checkpoint

An accepted change is durable when its record is flushed.  LMDB is committed, synced, at
checkpoints together with the sequence it contains; at an opening the log's tail is replayed
from there.  Threads: one tends (flushes leases, takes checkpoints), one makes segments ahead,
and one serves queued groups once somebody queues any.
"""

from __future__ import annotations

import contextlib
import os
import threading
from pathlib import Path
from typing import Final

from router.errors import ClosedError
from router.limits import (
    CHECKPOINT_LOG_BYTES,
    CHECKPOINT_OVERLAY_BYTES,
    CHECKPOINT_S,
    OVERLAY_BYTES_MAX,
)
from router.queue._disk import PosixDisk
from router.queue._lmdb import LmdbBase
from router.queue._log import SegmentLog
from router.queue._store import Store, place_of
from router.queue.datadir import DataDirectory
from router.queue.tables import TABLES

_FLUSH_S: Final = 0.1
_SEGMENT_S: Final = 0.05


class LogStore(Store):
    """A data directory opened by its one owner.  Made by `open`."""

    _directory: DataDirectory
    _threads: list[threading.Thread]
    _signal: int
    _owner: int

    @classmethod
    def open(cls, path: str | Path, *, clock_us: int, map_bytes: int = 0) -> LogStore:
        """Own the directory, recover what is kept, begin a new epoch; make it when there is none.

        Raises StorageError `store.locked`, `store.foreign`, `store.format`, `store.corrupt`,
        `store.full`, `store.failed`.
        """
        directory = DataDirectory(Path(path))
        base = log = None
        try:
            base = LmdbBase.open(directory.store_path, TABLES, map_bytes)
            place = place_of(base)
            log = SegmentLog.open(
                PosixDisk(directory.log_path), checkpoint_sequence=place[0],
                checkpoint_spot=place[1], epoch_min=place[2],
            )  # fmt: skip
            store = cls(base, log, place)
            if directory.fresh:
                directory.finish_creation(clock_us)
        except BaseException:
            if log is not None:
                log.close()
            if base is not None:
                base.close()
            directory.release()
            raise
        store._begin(directory)
        return store

    def _begin(self, directory: DataDirectory) -> None:
        self._directory = directory
        self._owner = os.getpid()
        self._signal = -1
        self._threads = []
        self.overlay_bytes_max = OVERLAY_BYTES_MAX
        self.checkpoint_overlay_bytes = CHECKPOINT_OVERLAY_BYTES
        self.checkpoint_log_bytes = CHECKPOINT_LOG_BYTES
        self._start("vanban-store-tend", self.tend, _FLUSH_S, CHECKPOINT_S)
        self._start("vanban-store-segments", self.make_segments, _SEGMENT_S)

    def _start(self, name: str, work: object, *arguments: float) -> None:
        thread = threading.Thread(target=work, args=arguments, name=name, daemon=True)  # type: ignore[arg-type]
        thread.start()
        self._threads.append(thread)

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

    def close(self) -> None:
        """Take a last checkpoint, release everything; idempotent."""
        if self._owner != os.getpid():
            raise ClosedError("engine.closed")
        self.stop()
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join()
        self._threads.clear()
        self.shut(clean=True)
        if self._signal >= 0:
            os.close(self._signal)
            self._signal = -1
        self._directory.release()
