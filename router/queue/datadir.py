"""The data directory: who owns it, and which format it has.

    DIR/LOCK     held with flock(2) by the owner as long as it is open
    DIR/FORMAT   JSON: product, format version, kind of store; written last at creation
    DIR/log/     the segments of the log (where the store has one)
    DIR/store/   the LMDB environment
    DIR/BACKUP   JSON: this is a backup, of which instant; only `restore` uses it
    DIR/migrating/, DIR/store-format-1/   see `migration.py`

A directory without FORMAT is taken over only when it holds nothing but what an
interrupted creation leaves behind.  Nothing is written into a directory that is not ours.
"""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec

from router.errors import StorageError
from router.queue import forked

FORMAT_VERSION: Final = 2
FORMAT_BEFORE: Final = 1
PRODUCT: Final = "vanban-router"
LOG_KIND: Final = "log-and-lmdb-0.9"
GROUP_KIND: Final = "lmdb-0.9-per-group-2"
KIND_BEFORE: Final = "lmdb-0.9-per-group"
MIGRATING: Final = "migrating"
KEPT: Final = "store-format-1"
BACKUP: Final = "BACKUP"
_LOCK: Final = "LOCK"
_FORMAT: Final = "FORMAT"
_FORMAT_NEW: Final = "FORMAT.new"  # as `write_whole` calls it
_STORE: Final = "store"
_LOG: Final = "log"
_LEFT_BY_CREATION: Final = frozenset((_LOCK, _FORMAT_NEW, _STORE, _LOG))
_FORMAT_BYTES_MAX: Final = 65_536


class Format(msgspec.Struct, frozen=True):
    """What FORMAT says; fields this version does not know are ignored."""

    product: str
    format: int
    store: str = LOG_KIND
    created_at: int = 0


class DataDirectory:
    """An owned data directory.  `fresh` is true until its FORMAT has been written.

    `backup` says that a backup is meant, which is refused else.  Raises StorageError:
    `store.locked` (in use, by another process or this one), `store.foreign` (not ours),
    `store.format` (of another version), `store.format_old` (to be migrated), `store.backup`,
    `store.corrupt` (FORMAT unreadable), `store.full`, `store.read_only`, `store.failed` (the
    file system refuses).
    """

    def __init__(self, path: Path, kind: str = LOG_KIND, *, backup: bool = False) -> None:
        self.path = path
        self.kind = kind
        self.store_path = path / _STORE
        self.log_path = path / _LOG
        self._lock = -1
        with file_errors(path):
            self._prepare()
        try:
            with file_errors(path):
                finish_migration(path)
                self.fresh = self._check_format()
                if not backup and (path / BACKUP).exists():
                    raise StorageError("store.backup", path=str(path))
                if self.fresh:
                    self.store_path.mkdir(mode=0o700, exist_ok=True)
                    if self.kind == LOG_KIND:
                        self.log_path.mkdir(mode=0o700, exist_ok=True)
        except BaseException:
            self.release()
            raise

    def _prepare(self) -> None:
        if self.path.exists() and not self.path.is_dir():
            raise StorageError("store.foreign", path=str(self.path), reason="it is no directory")
        if not self.path.exists():
            self.path.mkdir(mode=0o700, parents=True)
            flush_directory(self.path.parent)
        names = {entry.name for entry in self.path.iterdir()}
        if _FORMAT not in names and not names <= _LEFT_BY_CREATION:
            raise StorageError(
                "store.foreign",
                path=str(self.path),
                reason="it holds other files and no FORMAT",
            )
        self._lock = lock(self.path)

    def _check_format(self) -> bool:
        """Return whether the directory is new; raise when it is not of this format."""
        found = read_format(self.path)
        if found is None:
            return True
        if (found.format, found.store) == (FORMAT_BEFORE, KIND_BEFORE) and self.kind == LOG_KIND:
            raise StorageError("store.format_old", path=str(self.path), found=found.format)
        if found.format != FORMAT_VERSION or found.store != self.kind:
            raise StorageError(
                "store.format",
                path=str(self.path / _FORMAT),
                found=f"{found.format} ({found.store})",
                known=f"{FORMAT_VERSION} ({self.kind})",
            )
        if not (self.store_path / "data.mdb").exists():
            raise StorageError(
                "store.corrupt", path=str(self.path), reason="store/data.mdb is missing"
            )
        if self.kind == LOG_KIND and not self.log_path.is_dir():
            raise StorageError("store.corrupt", path=str(self.path), reason="log/ is missing")
        return False

    def check_fresh(self, records: int) -> None:
        """Raise `store.foreign` when there are records without a FORMAT: a creation has none."""
        if self.fresh and records:
            raise StorageError(
                "store.foreign", path=str(self.path), reason="it holds records and no FORMAT"
            )

    def finish_creation(self, clock_us: int) -> None:
        """Write FORMAT: from now on the directory counts as a data directory."""
        with file_errors(self.path):
            flush_directory(self.store_path)
            flush_directory(self.path)  # FORMAT must not outlive the names it speaks of
            write_format(self.path, Format(PRODUCT, FORMAT_VERSION, self.kind, clock_us))
        self.fresh = False

    def release(self) -> None:
        """Give the directory up; idempotent."""
        if self._lock >= 0:
            forked.let_go(self._lock)
            self._lock = -1


def lock(path: Path) -> int:
    """Hold a directory as its one owner, as long as the file returned is open.

    To be closed by `forked.let_go`.  Raises StorageError `store.locked`, OSError.
    """
    held = os.open(path / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(held)
        raise StorageError("store.locked", path=str(path)) from None
    except BaseException:
        os.close(held)
        raise
    return forked.hold(held)


def read_format(path: Path) -> Format | None:
    """Return what FORMAT says, or None when there is none.

    Raises StorageError `store.corrupt`, `store.foreign`; OSError.
    """
    place = path / _FORMAT
    try:
        with place.open("rb") as file:
            data = file.read(_FORMAT_BYTES_MAX)
    except FileNotFoundError:
        return None
    try:
        found = msgspec.json.decode(data, type=Format)
    except msgspec.MsgspecError as error:
        raise StorageError(
            "store.corrupt", path=str(place), reason=f"FORMAT can't be read: {error}"
        ) from error
    if found.product != PRODUCT:
        raise StorageError("store.foreign", path=str(place), reason="FORMAT is of another product")
    return found


def write_format(path: Path, content: Format) -> None:
    """Write FORMAT, whole or not at all.  Raises OSError."""
    write_whole(path / _FORMAT, msgspec.json.encode(content) + b"\n")


def write_whole(place: Path, content: bytes) -> None:
    """Write a small file, durable, whole or not at all.  Raises OSError."""
    draft = place.with_name(place.name + ".new")
    with draft.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.rename(place)
    flush_directory(place.parent)


def finish_migration(path: Path) -> None:
    """Carry a migration that was decided to its end; idempotent, by renaming only.

    It is decided once FORMAT names the new format: then `migrating/` is complete, and what
    stands in its place belongs into `store-format-1/`.  Raises OSError, StorageError.
    """
    making, kept = path / MIGRATING, path / KEPT
    if not making.is_dir():
        return
    found = read_format(path)
    if found is None or found.format != FORMAT_VERSION:
        return
    for name in (_STORE, _LOG):
        if (making / name).exists():
            if (path / name).exists():
                (path / name).rename(kept / name)
                flush_directory(kept)
            (making / name).rename(path / name)
            flush_directory(path)
    shutil.rmtree(making)
    flush_directory(path)


@contextmanager
def file_errors(path: Path) -> Iterator[None]:
    """Say in our words what the file system refuses: StorageError for OSError."""
    try:
        yield
    except OSError as error:
        raise file_error(error, path) from error


def file_error(error: OSError, path: Path) -> StorageError:
    """Return what the file system refused, in our words."""
    if error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
        return StorageError("store.full", path=str(path))
    if error.errno in {errno.EROFS, errno.EACCES, errno.EPERM}:
        reason = error.strerror or type(error).__name__
        return StorageError("store.read_only", path=str(path), reason=reason)
    return StorageError(
        "store.failed", path=str(path), reason=error.strerror or type(error).__name__
    )


def flush_directory(path: Path) -> None:
    """Make the names in a directory durable.  Raises OSError."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
