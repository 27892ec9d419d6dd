"""The files of an LMDB environment: made whole or not at all, opened once a process.

    PATH/data.mdb   the data, file format 0.9
    PATH/lock.mdb   LMDB's table of readers
    PATH/making/    an environment on its way; what a power cut left of one is dropped

An environment is made aside, synced and renamed, so a data.mdb that cannot be read is always
damage and never an interrupted creation.  LMDB maps the file: a page beyond its end would kill
the process, so the length is checked before any page is read.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from router.errors import ClosedError, StorageError

DATA: Final = "data.mdb"
_MAKING: Final = "making"
_COPIED_AT_ONCE: Final = 8_388_608
_CORRUPT: Final = {
    -30797: "a page is missing",
    -30796: "a page is damaged",
    -30794: "it is of another version of LMDB",
    -30793: "it is no LMDB file of format 0.9",
    -30784: "a table is of another kind",
}
_MAP_FULL: Final = -30792
_FULL: Final = frozenset((errno.ENOSPC, errno.EDQUOT, errno.EFBIG, _MAP_FULL))

_open: set[tuple[int, int]] = set()  # (device, inode) of what is open; the GIL guards it
os.register_at_fork(after_in_child=_open.clear)  # what is open then is the parent's


def refusal(number: int, path: Path, words: str = "") -> StorageError:
    """Say in our words what LMDB or the file system said, by its number."""
    if number in _FULL:
        return StorageError("store.full", path=str(path))
    place = f"{path.name}/{DATA}"
    if number in _CORRUPT:
        return StorageError("store.corrupt", path=str(path), reason=f"{place}: {_CORRUPT[number]}")
    reason = words if number < 0 and words else os.strerror(number) if number > 0 else str(number)
    return StorageError("store.failed", path=str(path), reason=f"{place}: {reason}")


class Gate:
    """Lets statistics and copies into an open environment, and closing wait for them."""

    def __init__(self) -> None:
        self._changed = threading.Condition()  # guards what follows
        self._inside = 0
        self._shut = False

    @contextmanager
    def inside(self) -> Iterator[None]:
        """Keep the environment open within the block.  Raises ClosedError after `shut`."""
        with self._changed:
            if self._shut:
                raise ClosedError("engine.closed")
            self._inside += 1
        try:
            yield
        finally:
            with self._changed:
                self._inside -= 1
                self._changed.notify_all()

    def shut(self) -> None:
        """Let nobody in any more, and wait until all have left."""
        with self._changed:
            self._shut = True
            self._changed.wait_for(lambda: self._inside == 0)


def claim(path: Path) -> tuple[int, int]:
    """Note that this process opens the environment in `path`; return what `release` takes.

    Opening one file twice in a process is forbidden: its locks fall when either is closed.
    Raises StorageError `store.locked`, `store.failed`.
    """
    try:
        found = path.stat()
    except OSError as error:
        raise refusal(error.errno or errno.EIO, path) from error
    key = (found.st_dev, found.st_ino)
    if key in _open:
        raise StorageError("store.locked", path=str(path), reason="this process has it open")
    _open.add(key)
    return key


def release(key: tuple[int, int]) -> None:
    """Note that the environment is closed; idempotent."""
    _open.discard(key)


def prepare(path: Path, make: Callable[[Path], None]) -> None:
    """See that there is a data.mdb in `path`: `make(directory)` builds one when there is none.

    Raises StorageError: `store.corrupt` (empty), `store.foreign` (no file), `store.full`,
    `store.failed`; nothing is left of what could not be made.
    """
    data = path / DATA
    making = path / _MAKING
    try:
        found = data.lstat() if os.path.lexists(data) else None
        if found is None:
            shutil.rmtree(making, ignore_errors=True)
            making.mkdir(mode=0o700)
            try:
                make(making)
                (making / DATA).rename(data)
            finally:
                shutil.rmtree(making, ignore_errors=True)
            flush_directory(path)
            found = data.lstat()
    except OSError as error:
        raise refusal(error.errno or errno.EIO, path) from error
    if not stat.S_ISREG(found.st_mode):
        raise StorageError("store.foreign", path=str(path), reason=f"{DATA} is no file")
    if found.st_size == 0:
        raise StorageError("store.corrupt", path=str(path), reason=f"{DATA} is empty")


def damage(path: Path) -> list[str]:
    """Verify every page of data.mdb and list what is wrong, without LMDB and without opening it.

    LMDB itself keeps no checksums and ends the process at pages of some kinds of damage, so
    a doubtful file is looked at here first.  Slow: some ten thousand pages a second.
    Raises StorageError when it can't be read.
    """
    from lmdb.verify import VerifyError, verify

    try:
        problems: list[str] = verify(str(path / DATA))  # type: ignore[no-untyped-call]
    except VerifyError as error:
        return [str(error)]
    except OSError as error:
        raise refusal(error.errno or errno.EIO, path) from error
    return problems


def mend_length(path: Path, bytes_needed: int) -> None:
    """See that data.mdb reaches to the end of its last page; the environment must be closed.

    LMDB may give up pages at the end that it never wrote, so a short file is not always a
    damaged one: every page in use is verified, then the file is made longer.
    Raises StorageError `store.corrupt`, `store.failed`.
    """
    data = path / DATA
    problems = damage(path)
    if problems:
        reason = f"{path.name}/{DATA}: it is cut short ({problems[0]})"
        raise StorageError("store.corrupt", path=str(path), reason=reason)
    try:
        if data.stat().st_size < bytes_needed:
            os.truncate(data, bytes_needed)
    except OSError as error:
        raise refusal(error.errno or errno.EIO, path) from error


def true_reason(path: Path) -> int:
    """Return why a write to data.mdb came out short, as an errno: LMDB calls each one EIO."""
    try:
        file = os.open(path / DATA, os.O_WRONLY | os.O_CLOEXEC)
        try:
            length = os.fstat(file).st_size
            try:
                for step in range(4):
                    os.pwrite(file, bytes(65_536), length + step * 65_536)
            finally:
                os.ftruncate(file, length)
        finally:
            os.close(file)
    except OSError as error:
        return error.errno or errno.EIO
    return errno.EIO


def flush_directory(path: Path) -> None:
    """Make the names in a directory durable.  Raises OSError."""
    directory = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


class _StoppedError(Exception):
    """A copy is given up."""


def copy_file_into(
    target: Path, file: int, size: int, tell: Callable[[int], object] | None,
    goes_on: Callable[[], bool],
) -> bool:  # fmt: skip
    """Make `target`/data.mdb of the first `size` bytes of a file, as `copy_into`.

    `tell` gets the bytes copied so far; once `goes_on()` is false nothing is left: False.
    """

    def copy(into: int) -> None:
        done = 0
        while done < size:
            if not goes_on():
                raise _StoppedError
            copied = os.sendfile(into, file, done, min(_COPIED_AT_ONCE, size - done))
            if not copied:
                raise OSError(errno.EIO, "a file ended before its last page")
            done += copied
            if tell is not None:
                tell(done)

    try:
        copy_into(target, copy)
    except _StoppedError:
        return False
    return True


def copy_into(target: Path, copy: Callable[[int], None]) -> None:
    """Make `target`/data.mdb by `copy(file descriptor)`, durable when this returns.

    Raises StorageError `store.exists`, `store.full`, `store.failed`; nothing is left then.
    """
    data = target / DATA
    try:
        target.mkdir(mode=0o700, exist_ok=True)
        file = os.open(data, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError as error:
        raise StorageError("store.exists", path=str(target)) from error
    except OSError as error:
        raise refusal(error.errno or errno.EIO, target) from error
    try:
        try:
            copy(file)
            os.fsync(file)
        finally:
            os.close(file)
        flush_directory(target)
    except OSError as error:
        data.unlink(missing_ok=True)
        raise refusal(error.errno or errno.EIO, target) from error
    except BaseException:
        data.unlink(missing_ok=True)
        raise
