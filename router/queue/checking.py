"""Checks of data directories that nobody has open, backups among them."""

from __future__ import annotations

from pathlib import Path

import msgspec

from router.errors import StorageError
from router.queue import segments
from router.queue.commit_note import undo_commit
from router.queue.datadir import DataDirectory, file_errors
from router.queue.environment import DATA, damage
from router.queue.opening import kind_of, open_store
from router.queue.queue import Queue


class Found(msgspec.Struct, frozen=True):
    """What an offline check saw: the last sequence, what is stored, and what is wrong."""

    sequence: int
    counts: dict[str, int]
    wrong: list[str]


def check(path: Path, at: int, *, rows: bool = False) -> Found:
    """Verify a directory that nobody has open, a backup too: every page, every checksum.

    `rows` asks for all that `Queue.check` verifies as well: every row, and a replay of the log.
    The files are looked at before anything is opened, for LMDB ends the process at some kinds
    of damage.  Raises StorageError `store.locked`,
    `store.foreign`, `store.format`, `store.format_old`, ….
    """
    with file_errors(path):
        DataDirectory(path, kind_of(path), backup=True).release()
        inspected = segments.Inspection(path / "log")
    undo_commit(path / "store")
    pages = [f"store/{DATA}: {one}" for one in damage(path / "store")]
    if pages:
        return Found(0, {}, [*inspected.wrong, *pages])
    try:
        store = open_store(path, clock_us=at, backup=True)
    except StorageError as error:
        if error.code != "store.corrupt":
            raise
        reason = str(error.facts.get("reason", error))
        known = reason in inspected.wrong  # of a segment's header both say the same
        return Found(0, {}, inspected.wrong if known else [*inspected.wrong, reason])
    try:
        wrong = inspected.damage(store.last)
        if rows:
            wrong += Queue(store).check()
        return Found(store.last, store.counts(), wrong)
    finally:
        store.close()
