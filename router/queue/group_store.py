"""The simple durability port: LMDB, fully synced once per group.

Records and the state they lead to are one LMDB transaction: nothing has to be replayed at an
opening, and the two can't disagree.  Slower than the segment log (two flushes a group, pages
instead of records); for small installations that want one file, and as the other ports' measure.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final, Self

from router.queue._lmdb import LmdbBase
from router.queue._store import place_of
from router.queue.datadir import GROUP_KIND, DataDirectory
from router.queue.guard import reserve_of
from router.queue.owned_store import OwnedStore
from router.queue.tables import TABLES

_FLUSH_S: Final = 0.1
_NEVER_S: Final = 1e9


class GroupStore(OwnedStore):
    """A data directory opened by its one owner.  Made by `open`."""

    @classmethod
    def open(
        cls, path: str | Path, *, clock_us: int, map_bytes: int = 0, reserve_bytes: int | None = 0,
        backup: bool = False,
    ) -> Self:  # fmt: skip
        """Own the directory and begin a new epoch; make it when there is none.

        Documents are refused while fewer than `reserve_bytes` are free on the disk (None: a
        sixteenth of it, at most DISK_RESERVE_BYTES).  `backup` opens a backup, to check it or
        to restore from it.  Raises
        StorageError `store.locked`, `store.foreign`, `store.format`, `store.backup`,
        `store.corrupt`, `store.full`, `store.failed`, and SettingsError for a reserve larger
        than the disk.
        """
        directory = DataDirectory(Path(path), GROUP_KIND, backup=backup)
        return cls._open(directory, clock_us, map_bytes, reserve_bytes)

    @classmethod
    def _opened(
        cls, directory: DataDirectory, clock_us: int, map_bytes: int, reserve_bytes: int | None
    ) -> Self:
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
        store._own(directory, map_bytes, reserve_bytes)
        store._start("vanban-store-tend", store.tend, _FLUSH_S, _NEVER_S)
        return store
