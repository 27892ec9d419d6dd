"""The data directory: who owns it, and which format it has.

    DIR/LOCK     held with flock(2) by the owner as long as it is open
    DIR/FORMAT   JSON: product, format version, kind of store; written last at creation
    DIR/log/     the segments of the log (where the store has one)
    DIR/store/   the LMDB environment

A directory without FORMAT is taken over only when it holds nothing but what an
interrupted creation leaves behind.  Nothing is written into a directory that is not ours.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec

from router.errors import StorageError

FORMAT_VERSION: Final = 2
PRODUCT: Final = "vanban-router"
LOG_KIND: Final = "log-and-lmdb-0.9"
GROUP_KIND: Final = "lmdb-0.9-per-group-2"
_LOCK: Final = "LOCK"
_FORMAT: Final = "FORMAT"
_FORMAT_NEW: Final = "FORMAT.new"
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

    Raises StorageError: `store.locked` (in use, by another process or this one),
    `store.foreign` (not ours), `store.format` (of another version), `store.corrupt`
    (FORMAT unreadable), `store.failed` (the file system refuses).
    """

    def __init__(self, path: Path, kind: str = LOG_KIND) -> None:
        self.path = path
        self.kind = kind
        self.store_path = path / _STORE
        self.log_path = path / _LOG
        self._lock = -1
        with _file_errors(path):
            self._prepare()
        try:
            with _file_errors(path):
                self.fresh = self._check_format()
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
            _flush_directory(self.path.parent)
        names = {entry.name for entry in self.path.iterdir()}
        if _FORMAT not in names and not names <= _LEFT_BY_CREATION:
            raise StorageError(
                "store.foreign",
                path=str(self.path),
                reason="it holds other files and no FORMAT",
            )
        self._lock = os.open(self.path / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.release()
            raise StorageError("store.locked", path=str(self.path)) from None

    def _check_format(self) -> bool:
        """Return whether the directory is new; raise when it is not of this format."""
        place = self.path / _FORMAT
        if not place.exists():
            return True
        with place.open("rb") as file:
            data = file.read(_FORMAT_BYTES_MAX)
        try:
            found = msgspec.json.decode(data, type=Format)
        except msgspec.MsgspecError as error:
            raise StorageError(
                "store.corrupt", path=str(place), reason=f"FORMAT can't be read: {error}"
            ) from error
        if found.product != PRODUCT:
            raise StorageError(
                "store.foreign", path=str(place), reason="FORMAT is of another product"
            )
        if found.format != FORMAT_VERSION or found.store != self.kind:
            raise StorageError(
                "store.format",
                path=str(place),
                found=f"{found.format} ({found.store})",
                known=f"{FORMAT_VERSION} ({self.kind})",
            )
        if not (self.store_path / "data.mdb").exists():
            raise StorageError(
                "store.corrupt", path=str(self.path), reason="store/data.mdb is missing"
            )
        return False

    def check_fresh(self, records: int) -> None:
        """Raise `store.foreign` when there are records without a FORMAT: a creation has none."""
        if self.fresh and records:
            raise StorageError(
                "store.foreign", path=str(self.path), reason="it holds records and no FORMAT"
            )

    def finish_creation(self, clock_us: int) -> None:
        """Write FORMAT: from now on the directory counts as a data directory."""
        with _file_errors(self.path):
            draft = self.path / _FORMAT_NEW
            content = msgspec.json.encode(Format(PRODUCT, FORMAT_VERSION, self.kind, clock_us))
            with draft.open("wb") as file:
                file.write(content + b"\n")
                file.flush()
                os.fsync(file.fileno())
            _flush_directory(self.store_path)
            draft.rename(self.path / _FORMAT)
            _flush_directory(self.path)
        self.fresh = False

    def release(self) -> None:
        """Give the directory up; idempotent."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1


@contextmanager
def _file_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StorageError(
            "store.failed", path=str(path), reason=error.strerror or type(error).__name__
        ) from error


def _flush_directory(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
