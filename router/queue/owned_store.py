"""What the stores over a data directory have in common: its owner, their threads, the space.

A store owns its directory from `open` to `close`; `renew` hands the directory on to the store
that replaces a failed one, so that it is owned throughout.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Self

from router.errors import ClosedError
from router.queue import forked
from router.queue._store import Store
from router.queue.datadir import DataDirectory
from router.queue.guard import SpaceGuard, SpaceWatch


class OwnedStore(Store):
    """A data directory opened by its one owner.  Made by the `open` of its kinds."""

    _directory: DataDirectory | None
    _threads: list[threading.Thread]
    _owner: int
    _map_bytes: int
    _space: SpaceWatch

    @classmethod
    def _open(
        cls, directory: DataDirectory, clock_us: int, map_bytes: int, reserve_bytes: int | None
    ) -> Self:
        """Return a store over an owned directory, which is given up when there can be none."""
        try:
            return cls._opened(directory, clock_us, map_bytes, reserve_bytes)
        except BaseException:
            directory.release()
            raise

    @classmethod
    def _opened(
        cls, directory: DataDirectory, clock_us: int, map_bytes: int, reserve_bytes: int | None
    ) -> Self:
        """Return a store over an owned directory, its threads started."""
        raise NotImplementedError

    def _own(self, directory: DataDirectory, map_bytes: int, reserve_bytes: int) -> None:
        """Take a directory over, and begin to look at its disk."""
        self._directory = directory
        self._map_bytes = map_bytes
        self._owner = os.getpid()
        self._threads = []
        forked.note(self)
        self._space = SpaceWatch(self, directory.path, reserve_bytes)

    def _start(self, name: str, work: Callable[..., object], *arguments: float) -> None:
        """Start a thread that ends when the store is asked to stop."""
        thread = threading.Thread(target=work, args=arguments, name=name, daemon=True)
        thread.start()
        self._threads.append(thread)

    @property
    def path(self) -> Path:
        """The data directory.  Raises ClosedError after `close`."""
        if self._directory is None:
            raise ClosedError("engine.closed")
        return self._directory.path

    @property
    def space(self) -> SpaceGuard:
        """What was last seen of the free space."""
        return self._space.guard

    def renew(self, *, clock_us: int) -> Self:
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
        """Make all durable in the base, release everything; idempotent."""
        if self._owner != os.getpid():
            raise ClosedError("engine.closed")
        self._release(clean=True)
        if self._directory is not None:
            self._directory.release()
            self._directory = None

    def _release(self, *, clean: bool) -> None:
        """End the threads, close log and base."""
        self._space.stop()
        self.stop()
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join()
        self._threads.clear()
        self.shut(clean=clean)
