"""What is known of a large commit on its way, and going back to the one before it.

    PATH/commit.note   "VBCOMMIT" while a commit is on its way, else zeros; version, bytes of a
                       page; the meta page of the commit before; CRC-32C of all that

A large commit reaches the disk in any order (`_lmdb_commit.pyx` says why).  When the machine
stops meanwhile, data.mdb may name pages that are not there.  The commit before is whole: LMDB
writes over none of its pages.  So its meta page is put in both places where LMDB looks for one;
what the lost commit held is in the log.
"""

from __future__ import annotations

import errno
import fcntl
import os
import struct
from pathlib import Path
from typing import Final

from router.queue._crc import checksum
from router.queue.environment import DATA, flush_directory, refusal

NOTE: Final = "commit.note"
_LOCK: Final = "lock.mdb"
_WORD: Final = b"VBCOMMIT"
_VERSION: Final = 1
_HEAD: Final = struct.Struct(">8sII")
_CHECKSUM: Final = struct.Struct(">I")
_PAGE_NUMBER: Final = struct.Struct("=Q")
_PAGE_BYTES_MAX: Final = 65_536
_METAS: Final = 2


def open_note(path: Path) -> int:
    """Undo what was on its way in the environment in `path`, and return the note's descriptor.

    The environment must not be open in this process; the note is made when there is none.
    Raises StorageError `store.full`, `store.read_only`, `store.failed`.
    """
    undo_commit(path)
    try:
        return _opened(path)
    except OSError as error:
        raise refusal(error.errno or errno.EIO, path) from error


def _opened(path: Path) -> int:
    is_new = not (path / NOTE).exists()
    note = os.open(path / NOTE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        if is_new:
            os.pwrite(note, bytes(_HEAD.size), 0)
            os.fsync(note)
            flush_directory(path)
    except BaseException:
        os.close(note)
        raise
    return note


def undo_commit(path: Path) -> None:
    """See that data.mdb in `path` stands at a commit that is durable.

    Nothing is to be done unless a commit was on its way when its process ended.  Where another
    process has the environment open the machine has not stopped, so all that was written can
    be read: it is made durable as it is.  The environment must not be open in this process.
    Raises StorageError `store.full`, `store.read_only`, `store.failed`.
    """
    meta = _noted(path)
    if meta is None:
        return
    try:
        data = os.open(path / DATA, os.O_RDWR | os.O_CLOEXEC)
        try:
            if not _is_open_elsewhere(path):
                for place in range(_METAS):  # a page begins with its own number
                    page = _PAGE_NUMBER.pack(place) + meta[_PAGE_NUMBER.size :]
                    _write(data, page, place * len(page))
            os.fsync(data)
        finally:
            os.close(data)
        note = os.open(path / NOTE, os.O_RDWR | os.O_CLOEXEC)
        try:
            _write(note, bytes(_HEAD.size), 0)
            os.fsync(note)
        finally:
            os.close(note)
    except OSError as error:
        raise refusal(error.errno or errno.EIO, path) from error


def _noted(path: Path) -> bytes | None:
    """Return the meta page of the last durable commit, None when no other is on its way.

    A torn note is none: either the commit had not begun, or it was durable.
    """
    try:
        with (path / NOTE).open("rb") as file:
            found = file.read(_HEAD.size + _PAGE_BYTES_MAX + _CHECKSUM.size)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise refusal(error.errno or errno.EIO, path) from error
    if len(found) < _HEAD.size:
        return None
    word, version, size = _HEAD.unpack_from(found)
    end = _HEAD.size + size
    if (word, version) != (_WORD, _VERSION) or len(found) < end + _CHECKSUM.size:
        return None
    if _CHECKSUM.unpack_from(found, end)[0] != checksum(found[:end]):
        return None
    return found[_HEAD.size : end]


def _write(file: int, data: bytes, offset: int) -> None:
    if os.pwrite(file, data, offset) != len(data):
        raise OSError(errno.EIO, os.strerror(errno.EIO))


def _is_open_elsewhere(path: Path) -> bool:
    """Say whether a living process has the environment open: each keeps a lock on its table."""
    try:
        file = os.open(path / _LOCK, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, 0)
    except BlockingIOError:
        return True
    finally:
        os.close(file)
    return False
