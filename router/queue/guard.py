"""Free space: documents are refused while there is still room for what must go on.

Acknowledgements, leases and operators' acts take space too, and a checkpoint may take much.
So a part of the disk is kept for them: below it documents are refused, and taken again only
once there is a quarter more, so that the answer does not change with every file.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from router.errors import SettingsError, StorageError
from router.limits import (
    DISK_LOOK_S,
    DISK_RESERVE_BYTES,
    DISK_RESERVE_SHARE,
    DISK_SEGMENT_SHARE,
    LOG_SEGMENT_BYTES_MAX,
    LOG_SEGMENT_BYTES_MIN,
)
from router.queue._store import Store

_log: Final = logging.getLogger("router.queue")
RELEASE_SHARE: Final = 4
"""Documents are taken again when the reserve and this part of it are free."""


class SpaceGuard:
    """Says whether documents are to be refused for want of space.

    `free` asks the disk for its free bytes, and may raise StorageError or OSError: then the
    last answer stands.  It is asked at most once in `DISK_LOOK_S` seconds of `seconds`.
    """

    def __init__(
        self,
        free: Callable[[], int],
        reserve_bytes: int,
        seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        self.reserve_bytes = reserve_bytes
        self.free_bytes = 0
        self.refusing = False
        self._free = free
        self._seconds = seconds
        self._looked = -float(DISK_LOOK_S)

    def look(self) -> bool:
        """Return whether documents are refused, after asking the disk if it is time."""
        now = self._seconds()
        if now - self._looked >= DISK_LOOK_S:
            self._looked = now
            try:
                self.free_bytes = self._free()
            except (OSError, StorageError):
                return self.refusing
            wanted = self.reserve_bytes
            if self.refusing:
                wanted += wanted // RELEASE_SHARE
            refusing = self.free_bytes < wanted
            if refusing != self.refusing:
                self.refusing = refusing
                self._say()
        return self.refusing

    def _say(self) -> None:
        """Write a line for who has to free space, or has."""
        level = logging.WARNING if self.refusing else logging.INFO
        what = "no documents are taken" if self.refusing else "documents are taken again"
        said = "the disk: %s; %d bytes are free, %d are to stay free"
        _log.log(level, said, what, self.free_bytes, self.reserve_bytes)


class SpaceWatch:
    """A thread that looks at the free space of a store's directory and tells the store.

    Without a reserve there is nothing to look at.
    """

    def __init__(self, store: Store, path: Path, reserve_bytes: int) -> None:
        self._path = path
        self._store: Store | None = store  # None after `stop`: a closed store must be let go
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self.guard = SpaceGuard(self._free, reserve_bytes)
        if reserve_bytes:
            store.refusing = self.guard.look()
            self._thread = threading.Thread(target=self._body, name="vanban-space", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """End the thread; idempotent."""
        self._stopping.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()
        self._thread = None
        self._store = None

    def _free(self) -> int:
        found = os.statvfs(self._path)
        return found.f_bavail * found.f_frsize

    def _body(self) -> None:
        while not self._stopping.wait(DISK_LOOK_S):
            store = self._store
            if store is not None:
                store.refusing = self.guard.look()


def check_reserve(path: Path, reserve_bytes: int) -> None:
    """Raise SettingsError `settings.invalid` when no document could ever be taken."""
    size = disk_bytes(path)
    if size and reserve_bytes + reserve_bytes // RELEASE_SHARE > size:
        raise SettingsError(
            "settings.invalid", path="store.reserve_bytes",
            reason=f"{reserve_bytes} bytes and a quarter are to stay free, the disk has {size}",
        )  # fmt: skip


def reserve_of(path: Path, wanted_bytes: int | None) -> int:
    """Return how much of a disk stays free of documents; None: what suits its size.

    Raises SettingsError `settings.invalid` when no document could ever be taken.
    """
    if wanted_bytes is None:
        return min(DISK_RESERVE_BYTES, disk_bytes(path) // DISK_RESERVE_SHARE)
    check_reserve(path, wanted_bytes)
    return wanted_bytes


def disk_bytes(path: Path) -> int:
    """Return the size of the file system that holds a directory; 0 when it can't be told."""
    try:
        found = os.statvfs(path)
    except OSError:
        return 0
    return found.f_blocks * found.f_frsize


def segment_bytes(path: Path) -> int:
    """Return how long a segment of the log may be: a small part of a small disk.

    The next segment is made ahead; on a small disk a large one would be the reserve's end.
    """
    size = disk_bytes(path)
    if not size:
        return LOG_SEGMENT_BYTES_MAX
    return max(LOG_SEGMENT_BYTES_MIN, min(size // DISK_SEGMENT_SHARE, LOG_SEGMENT_BYTES_MAX))
