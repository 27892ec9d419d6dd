"""Opening a data directory by the kind of store that its FORMAT names."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from router.queue.datadir import FORMAT_VERSION, GROUP_KIND, LOG_KIND, file_errors, read_format
from router.queue.group_store import GroupStore
from router.queue.log_store import LogStore

KINDS: Final[dict[str, type[LogStore | GroupStore]]] = {LOG_KIND: LogStore, GROUP_KIND: GroupStore}
"""The kinds of stores that have a data directory, by their name in FORMAT."""


def kind_of(path: Path) -> str:
    """Return the kind of store in a directory; LOG_KIND for a new one, and for what is refused.

    Raises StorageError `store.corrupt`, `store.foreign`, and what the file system refuses.
    """
    with file_errors(path):
        found = read_format(path) if path.is_dir() else None
    known = found is not None and found.format == FORMAT_VERSION and found.store in KINDS
    return found.store if found is not None and known else LOG_KIND


def open_store(
    path: Path, *, clock_us: int, reserve_bytes: int | None = 0, backup: bool = False
) -> LogStore | GroupStore:
    """Own a data directory and open its store, of whatever kind; see the `open` of each kind.

    A new directory gets a segment log.  Raises what `LogStore.open` raises.
    """
    kind = KINDS[kind_of(path)]
    return kind.open(path, clock_us=clock_us, reserve_bytes=reserve_bytes, backup=backup)
