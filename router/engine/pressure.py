"""What an engine takes before it refuses, and how it comes back after a failed write.

Bounds come from the settings and hold in the store, where they are judged under its lock.
After a failed write or flush nobody knows what the disk holds: the store refuses everything,
and only opening it again tells what was kept.  `reopen` does that in place, so that nobody
has to be cut off; `Mender` does it by itself, again and again, with pauses that grow.
"""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Final

from router import limits
from router.engine.background import Background
from router.engine.state import Rooms
from router.errors import OverloadedError, StorageError, VanbanError
from router.messages import problem_of
from router.model.answers import Problem
from router.ports import Clock
from router.queue import Queue, Store
from router.settings import Settings

if TYPE_CHECKING:
    from router.engine.engine import Engine

_log = logging.getLogger("router.engine")
MENDABLE: Final = frozenset(("store.failed", "store.full", "store.read_only"))
"""Failures whose reason may go away; a damaged or lost directory needs a person."""


def set_bounds(store: Store, settings: Settings) -> None:
    """Give a store the bounds of the settings."""
    bounds = settings.store
    store.in_flight_max = bounds.in_flight_per_sender_max
    store.pending_max = bounds.pending_per_recipient_max
    store.leases_max = settings.inbox.leases_max
    store.overlay_bytes_max = bounds.overlay_bytes_max
    store.overlay_wait_s = bounds.overlay_wait_s
    store.checkpoint_overlay_bytes = min(
        store.checkpoint_overlay_bytes, bounds.overlay_bytes_max // 2
    )


class PressureFace:
    """The part of an engine's face that tells of pressure and failure, and mends."""

    _queue: Queue
    _rooms: Rooms
    _clock: Clock
    _settings: Settings

    def _face_pressure(self, rooms: Rooms) -> None:
        self._rooms = rooms
        self._mending = threading.Lock()  # held while the store is opened again
        self._reopened = 0

    def _alive(self) -> None:
        raise NotImplementedError

    def _renewed(self, epoch: int) -> None:
        """Note that the directory was opened again, under another epoch."""
        raise NotImplementedError

    def trouble(self, language: str = "en") -> Problem | None:
        """Say why documents are refused; None while all is well.

        After a failed write nothing works; with a disk nearly full, or a checkpoint that
        does not end, all but documents does.  Raises ClosedError.
        """
        self._alive()
        error = self._trouble()
        return None if error is None else problem_of(error, language)

    def _trouble(self) -> VanbanError | None:
        store = self._queue.store
        fault = store.fault()
        if fault is not None:
            return fault
        if store.refusing:
            return OverloadedError("store.nearly_full", retry_after_s=limits.DISK_RETRY_S)
        if store.sizes()["crowded"]:
            return OverloadedError("store.checkpoint_behind", retry_after_s=limits.RETRY_AFTER_S)
        return None

    def reopen(self) -> bool:
        """Open the store again after a failed write or flush; False when nothing had failed.

        What was answered is there again; of what was refused with StorageError it shows now
        whether it was kept (send it again: it is answered as repeated).  Raises StorageError
        when the reason lasts (everything is refused as before, and it may be tried again)
        and ClosedError.
        """
        with self._mending:
            self._alive()
            queue, rooms = self._queue, self._rooms
            if queue.store.fault() is None:
                return False
            with rooms.lock:  # no change of the rooms is planned on what is about to be replaced
                store = queue.store.renew(clock_us=self._clock.now_us())
                try:
                    set_bounds(store, self._settings)
                    rooms.catch_up(Queue(store))
                except BaseException:
                    store.close()
                    raise
                queue.store = store
            self._renewed(store.epoch)
            self._reopened += 1
            _log.warning("the store was opened again; epoch %d", store.epoch)
        return True

    def pressure(self) -> dict[str, int]:
        """Return how near the bounds the store is: bytes, records, and whether it refuses.

        `disk_free_bytes` is as of the last look (0: nobody looks).
        """
        store = self._queue.store
        sizes, space = store.sizes(), store.space
        return {
            "refusing": int(bool(store.refusing)),
            "crowded": int(sizes["crowded"]),
            "disk_free_bytes": space.free_bytes,
            "disk_reserve_bytes": space.reserve_bytes,
            "overlay_bytes": sizes["overlay_bytes"],
            "overlay_bytes_max": store.overlay_bytes_max,
            "line_bytes": sizes["line_bytes"],
            "line_bytes_max": store.line_bytes_max,
            "reopened": self._reopened,
        }


class Mender(Background):
    """A thread that opens an engine's store again whenever it has failed.

    A context manager.  The first try comes after `first_s` seconds, each further one after
    twice as long, at most `last_s`.  Failures that need a person are left alone.
    """

    def __init__(
        self,
        engine: Engine,
        first_s: float = limits.REOPEN_S_MIN,
        last_s: float = limits.REOPEN_S_MAX,
    ) -> None:
        super().__init__("vanban-mender", first_s, last_s)
        self._engine = engine
        self._last_s = last_s
        self._pause_s = first_s

    def _turn(self) -> float:
        tried_in_vain = not self._looked_after()
        self._pause_s = min(2 * self._pause_s, self._last_s) if tried_in_vain else self._first_s
        return self._pause_s

    def _looked_after(self) -> bool:
        """Return whether all is well now."""
        found = self._engine.trouble()
        if found is None or found.code not in MENDABLE:
            return True
        try:
            self._engine.reopen()
        except StorageError as error:
            _log.warning("the store can't be opened again yet: %s", error)
            return False
        return True
