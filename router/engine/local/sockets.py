"""The Unix socket in a data directory: made, found, and both sides made sure of.

    DIR/engine.sock      mode 600; made by who holds DIR/LOCK, so a stale one may be replaced
    DIR/engine.sock.new  while it is made: who finds `engine.sock` finds somebody listening

The address of a Unix socket has 108 bytes at most; longer paths go through /proc/self/fd.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import stat
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from router.errors import ForbiddenError, OwnerError, StorageError

NAME: Final = "engine.sock"
_NEW: Final = "engine.sock.new"
_ADDRESS_BYTES_MAX: Final = 107
_BACKLOG: Final = 128
_CREDENTIALS: Final = struct.Struct("3i")
_RETRY_S: Final = 0.005


def listen(directory: Path) -> socket.socket:
    """Return a socket that listens in the directory, whose owner the caller is.

    Raises StorageError `owner.socket`.
    """
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        _refuse_others(directory)
        with _address(directory, _NEW) as new:
            (directory / _NEW).unlink(missing_ok=True)
            os.fchmod(listener.fileno(), 0o600)  # before it has a name
            listener.bind(new)
        listener.listen(_BACKLOG)
        (directory / _NEW).rename(directory / NAME)
    except OSError as error:
        listener.close()
        raise StorageError(
            "owner.socket", path=str(directory), reason=error.strerror or type(error).__name__
        ) from error
    except BaseException:
        listener.close()
        raise
    return listener


def _refuse_others(directory: Path) -> None:
    """Leave alone what is no socket: nobody knows whose it is."""
    for name in (NAME, _NEW):
        place = directory / name
        if place.is_symlink() or (place.exists() and not stat.S_ISSOCK(place.stat().st_mode)):
            raise StorageError("owner.socket", path=str(place), reason="a file is in the way")


def identity(directory: Path) -> tuple[int, int]:
    """Return which socket stands in the directory, (0, 0) for none."""
    try:
        found = (directory / NAME).lstat()
    except OSError:
        return 0, 0
    return found.st_dev, found.st_ino


def remove(directory: Path, made: tuple[int, int]) -> None:
    """Take the socket `made` out of the directory, unless another stands there by now."""
    if made != (0, 0) and identity(directory) == made:
        (directory / NAME).unlink(missing_ok=True)


def connect(directory: Path, deadline: float) -> socket.socket:
    """Return a connection to the directory's owner, its user checked.

    `deadline` is an instant of `time.monotonic`.  Raises OwnerError `owner.absent`,
    `owner.silent` (the queue of connections stays full), ForbiddenError `owner.peer`,
    StorageError `store.missing`, `store.failed`.
    """
    there = False
    with contextlib.suppress(OSError):  # no name that a file system knows
        there = directory.is_dir()
    if not there:
        raise StorageError("store.missing", path=str(directory))
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        while not _connected(connection, directory):
            if time.monotonic() >= deadline:
                raise OwnerError("owner.silent", path=str(directory), seconds=0)
            time.sleep(_RETRY_S)
        user = peer(connection)
        if user not in (0, os.geteuid(), directory.stat().st_uid):
            raise ForbiddenError("owner.peer", path=str(directory), user=user)
    except BaseException:
        connection.close()
        raise
    return connection


def _connected(connection: socket.socket, directory: Path) -> bool:
    """Try once; False when the owner's queue of connections is full."""
    connection.setblocking(False)
    try:
        with _address(directory, NAME) as address:
            connection.connect(address)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ECONNREFUSED, errno.ENOTSOCK):
            raise OwnerError("owner.absent", path=str(directory)) from None
        raise StorageError(
            "store.failed", path=str(directory), reason=error.strerror or type(error).__name__
        ) from error
    return True


def peer(connection: socket.socket) -> int:
    """Return the user id of the process on the other side, as the kernel knows it."""
    size = _CREDENTIALS.size
    told = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
    user: int = _CREDENTIALS.unpack(told)[1]
    return user


def hang_up(connection: socket.socket) -> None:
    """End a connection that another thread may be using: it sees the end and closes it."""
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        return


def ended(connection: socket.socket) -> bool:
    """Say whether an idle connection has come to its end (or holds what nobody asked for)."""
    connection.setblocking(False)  # else its time limit is waited for
    try:
        connection.recv(1, socket.MSG_PEEK)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True


@contextmanager
def _address(directory: Path, name: str) -> Iterator[str | bytes]:
    """Yield an address for a name in the directory, however long its path is."""
    plain = os.fsencode(directory / name)
    if len(plain) <= _ADDRESS_BYTES_MAX:
        yield plain
        return
    handle = os.open(directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{handle}/{name}"
    finally:
        os.close(handle)
