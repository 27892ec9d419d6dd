"""The simple durability port: LMDB, fully synced once per group.

Records and the state they lead to are one LMDB transaction: nothing has to be replayed at an
opening, and the two can't disagree.  Slower than the segment log (two flushes a group, pages
instead of records); for small installations that want one file, and as the other ports' measure.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Final

from router.errors import ClosedError
from router.queue import forked
from router.queue._lmdb import LmdbBase
from router.queue._store import Store, place_of
from router.queue.datadir import GROUP_KIND, DataDirectory
from router.queue.guard import SpaceGuard, SpaceWatch, reserve_of
from router.queue.tables import TABLES

_FLUSH_S: Final = 0.1
_NEVER_S: Final = 1e9


class GroupStore(Store):
    """A data directory opened by its one owner.  Made by `open`."""

    _directory: DataDirectory | None
    _tender: threading.Thread
    _owner: int
    _map_bytes: int
    _space: SpaceWatch

    @classmethod
    def open(
        cls, path: str | Path, *, clock_us: int, map_bytes: int = 0, reserve_bytes: int | None = 0
    ) -> GroupStore:
        """Own the directory and begin a new epoch; make it when there is none.

        Documents are refused while fewer than `reserve_bytes` are free on the disk (None: a
        sixteenth of it, at most DISK_RESERVE_BYTES).  Raises
        StorageError `store.locked`, `store.foreign`, `store.format`, `store.corrupt`,
        `store.full`, `store.failed`, and SettingsError for a reserve larger than the disk.
        """
        directory = DataDirectory(Path(path), GROUP_KIND)
        try:
            return cls._opened(directory, clock_us, map_bytes, reserve_bytes)
        except BaseException:
            directory.release()
            raise

    @classmethod
    def _opened(
        cls, directory: DataDirectory, clock_us: int, map_bytes: int, reserve_bytes: int | None
    ) -> GroupStore:
        reserve_bytes = reserve_of(directory.path, reserve_bytes)
        base = None
        try:
            base = LmdbBase.open(directory.store_path, TABLES, map_bytes)
            place = place_of(base)
            store = cls(base, None, place, epoch=place[2] + 1)
            store.begin_epoch()
            directory.check_fresh(place[0])
            if directory.fresh:
                directory.finish_creation(clock_us)
        except BaseException:
            if base is not None:
                base.close()
            raise
        store._directory = directory
        store._map_bytes = map_bytes
        store._owner = os.getpid()
        forked.note(store)
        store._space = SpaceWatch(store, directory.path, reserve_bytes)
        store._tender = threading.Thread(
            target=store.tend, args=(_FLUSH_S, _NEVER_S), name="vanban-store-tend", daemon=True
        )
        store._tender.start()
        return store

    @property
    def space(self) -> SpaceGuard:
        """What was last seen of the free space."""
        return self._space.guard

    def renew(self, *, clock_us: int) -> GroupStore:
        """Close this store after a failure and open its directory again, owned throughout.

        Raises StorageError when it can't be opened: the failure lasts, and may be tried again.
        Raises ClosedError when this store was closed.
        """
        if self._directory is None or self._owner != os.getpid():
            raise ClosedError("engine.closed")
        self._release(clean=False)
        store = self._opened(
            self._directory, clock_us, self._map_bytes, self._space.guard.reserve_bytes
        )
        self._directory = None  # the new one owns it
        return store

    def close(self) -> None:
        """Flush and release everything; idempotent."""
        if self._owner != os.getpid():
            raise ClosedError("engine.closed")
        self._release(clean=True)
        if self._directory is not None:
            self._directory.release()
            self._directory = None

    def _release(self, *, clean: bool) -> None:
        """End the threads, close the base."""
        self._space.stop()
        self.stop()
        if self._tender is not threading.current_thread():
            self._tender.join()
        self.shut(clean=clean)
