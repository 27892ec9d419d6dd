"""Migration of older data directories at their opening.

The queue rewrites its log; the directory, whose records the same log holds, says where each
recipient stands.
"""

from __future__ import annotations

from pathlib import Path
from typing import cast

from router._core import Audience
from router._postings import postings
from router.engine.state import Rooms
from router.queue import Queue
from router.queue.format1 import Format1
from router.queue.migration import migrate, needed


class _Past:
    """The directory as an old log tells it; a `queue.migration.Resolver`."""

    def __init__(self, old: Format1) -> None:
        self._rooms = Rooms(cast("Queue", old))  # of a queue it asks for records of rooms only

    def position(self, address: int, snapshot: int) -> int:
        """Return where a unit stands in a numbered snapshot, -1 for nowhere."""
        return self._rooms.snapshot(snapshot).hierarchy.position(address)

    def postings(self, snapshot: int, runs: bytes) -> bytes:
        """Return the postings of an audience."""
        return postings(self._rooms.snapshot(snapshot).hierarchy, Audience.from_bytes(runs))


def migration_needed(path: Path) -> bool:
    """Say whether opening a data directory rewrites it in the present format first.

    Raises StorageError when FORMAT can't be read.
    """
    return needed(path)


def migrate_if_needed(path: Path) -> bool:
    """Migrate a data directory of an older format; say whether it was one.

    The old files stay in `store-format-1/`.  Raises what `queue.migration.migrate` raises,
    and leaves the directory as it was then.
    """
    if not needed(path):
        return False
    migrate(path, _Past)
    return True
