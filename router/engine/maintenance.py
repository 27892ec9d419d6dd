"""What is done to data directories that nobody has open: checking, restoring."""

from __future__ import annotations

from pathlib import Path

from router.engine.deliveries import check_actor
from router.errors import StorageError
from router.model.instants import show_instant
from router.model.operations import Backup, Checked
from router.ports import Clock, SystemClock
from router.queue import backup as queue_backup
from router.queue.checking import check


def check_directory(path: Path, clock: Clock | None = None) -> Checked:
    """Verify a data directory, or a backup, that nobody has open: every file, every invariant.

    Raises StorageError `store.missing`, `store.locked`, `store.format`, `store.format_old`,
    `store.foreign`.
    """
    if not path.is_dir() or not any(path.iterdir()):
        raise StorageError("store.missing", path=str(path))
    found = check(path, (clock or SystemClock()).now_us(), rows=True)
    return Checked(tuple(found.wrong), found.counts, found.sequence)


def restore(source: Path, target: Path, actor: str, clock: Clock | None = None) -> Backup:
    """Make a new data directory from a backup; return what the backup said of itself.

    Nothing that was given out since the backup is given out again: sequences and epoch go on
    after a gap.  Deliveries that were open then come again, under their ids.  Raises
    StorageError `store.exists`, `store.no_backup`, …; then there is no new directory.
    """
    check_actor(actor)
    made = queue_backup.restore(source, target, (clock or SystemClock()).now_us(), actor)
    return Backup(
        str(target), made.sequence, made.epoch, show_instant(made.at), queue_backup.size_of(target),
        made.documents,
    )  # fmt: skip
