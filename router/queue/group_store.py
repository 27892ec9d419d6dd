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
from router.queue._lmdb import LmdbBase
from router.queue._store import Store, place_of
from router.queue.datadir import GROUP_KIND, DataDirectory
from router.queue.tables import TABLES

_FLUSH_S: Final = 0.1
_NEVER_S: Final = 1e9


class GroupStore(Store):
    """A data directory opened by its one owner.  Made by `open`."""

    _directory: DataDirectory
    _tender: threading.Thread
    _owner: int

    @classmethod
    def open(cls, path: str | Path, *, clock_us: int, map_bytes: int = 0) -> GroupStore:
        """Own the directory and begin a new epoch; make it when there is none.

        Raises StorageError `store.locked`, `store.foreign`, `store.format`, `store.corrupt`,
        `store.full`, `store.failed`.
        """
        directory = DataDirectory(Path(path), GROUP_KIND)
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
            directory.release()
            raise
        store._directory = directory
        store._owner = os.getpid()
        store._tender = threading.Thread(
            target=store.tend, args=(_FLUSH_S, _NEVER_S), name="vanban-store-tend", daemon=True
        )
        store._tender.start()
        return store

    def close(self) -> None:
        """Flush and release everything; idempotent."""
        if self._owner != os.getpid():
            raise ClosedError("engine.closed")
        self.stop()
        if self._tender is not threading.current_thread():
            self._tender.join()
        self.shut(clean=True)
        self._directory.release()
