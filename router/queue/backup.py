"""Backups of a data directory that is in use, and data directories made from them.

A backup is a directory of the same format: LMDB as of a checkpoint, and the log up to one
flushed record, which is its instant; of a store without a log, LMDB as of one group.  It is made
aside, opened, checked, closed and only then given its name and its BACKUP file.  A directory
with BACKUP is opened by nothing but these functions: two engines must never go on from one
instant.

A restored directory goes on where nothing was given out: its sequences continue after a gap,
and its epoch is above any that the lost one can have had.  See
docs/decisions/0012-backup-and-restore.md.
"""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import msgspec

from router.errors import OverloadedError, StorageError
from router.limits import RETRY_AFTER_S
from router.queue import forked, segments
from router.queue._disk import PosixDisk
from router.queue._lmdb import LmdbBase
from router.queue._log import SegmentLog
from router.queue._store import Store, place_of
from router.queue.check import MovedError
from router.queue.datadir import (
    BACKUP,
    FORMAT_VERSION,
    GROUP_KIND,
    LOG_KIND,
    PRODUCT,
    Format,
    file_errors,
    flush_directory,
    read_format,
    write_format,
    write_whole,
)
from router.queue.group_store import GroupStore
from router.queue.log_store import LogStore
from router.queue.opening import KINDS, kind_of, open_store
from router.queue.queue import Queue
from router.queue.reading import TABLE
from router.queue.restored import Restored, leap, note
from router.queue.tables import TABLES
from router.queue.verifying import verify

_BRIDGE: Final = "bridge"
_OURS: Final = frozenset((
    "LOCK", "FORMAT", "FORMAT.new", "store", "log", BACKUP, "BACKUP.new", _BRIDGE,
))  # fmt: skip
_CHECKING: Final = "checking-"
_FOLDERS: Final = {LOG_KIND: ("log", "store"), GROUP_KIND: ("store",)}
_COPY_BYTES: Final = 8 << 20
_NO_PLACE: Final = frozenset((errno.ENOTDIR, errno.ENAMETOOLONG, errno.ELOOP, errno.EINVAL))

Progress = Callable[[str, int, int], None]
"""Told what is being done, and how many bytes of how many are done."""


class BackupMade(msgspec.Struct, frozen=True):
    """What a backup holds: everything up to `sequence`, as of the instant `at`."""

    product: str
    format: int
    sequence: int
    epoch: int
    at: int
    bytes: int
    documents: int


def quiet(_what: str, _done: int, _all: int) -> None:
    """Tell nobody."""


def back_up(store: Store, target: Path, at: int, progress: Progress = quiet) -> BackupMade:
    """Copy the directory of an open store as of one instant into a new directory `target`.

    The store goes on meanwhile.  Raises StorageError `store.exists`, `store.full`,
    `store.read_only`, `store.failed`, and what checking finds; then nothing is left of it.
    """
    if not isinstance(store, LogStore | GroupStore):
        raise StorageError("store.no_log", path=str(target))
    kind = LOG_KIND if isinstance(store, LogStore) else GROUP_KIND
    with file_errors(target), _aside(target, kind) as making:
        answered = _copy_store(store, making, at, progress)
        found = verify(making, at)
        whole = found.sequence == answered if kind == LOG_KIND else found.sequence >= answered
        if found.wrong or not whole:
            reason = found.wrong[0] if found.wrong else f"it ends at {found.sequence}"
            raise StorageError("store.corrupt", path=str(target), reason=f"the copy: {reason}")
        made = BackupMade(
            PRODUCT, FORMAT_VERSION, found.sequence, store.epoch, at, size_of(making),
            found.counts["documents"],
        )  # fmt: skip
        write_whole(making / BACKUP, msgspec.json.encode(made) + b"\n")
    return made


def _copy_store(store: LogStore | GroupStore, making: Path, at: int, progress: Progress) -> int:
    """Copy an open store as of one instant; return the last sequence answered before."""
    store.checkpoint()
    needed = store.base_info()["used_bytes"] + store.log_bytes()
    if shutil.disk_usage(making).free < needed:
        raise StorageError("store.full", path=str(making))
    progress("state", 0, needed)
    answered = store.durable
    store.copy_base(making / "store", lambda done: progress("state", done, needed))
    if isinstance(store, LogStore):
        store.flush()
        answered = store.durable
        _copy_log(store, answered, making / "log", needed, progress)
        _finished(making, LOG_KIND, at)
    else:
        _finished(making, GROUP_KIND, at)
    progress("check", needed, needed)
    return answered


def check_in_use(queue: Queue, at: int) -> list[str]:
    """Return what is wrong with the store of an engine that goes on meanwhile; see `check`.

    A store that nobody writes to is looked at as it is.  Else a copy of one instant is, in a
    process of its own; it lies in the data directory meanwhile and takes as much room.  Raises
    StorageError `store.full` when there is none.
    """
    with suppress(MovedError):
        return queue.check()
    store = queue.store
    if not isinstance(store, LogStore | GroupStore):
        raise OverloadedError("store.busy", retry_after_s=RETRY_AFTER_S)
    with file_errors(store.path):
        for old in store.path.glob(f"{_CHECKING}*"):  # of a process that was killed
            with suppress(StorageError):  # of another check that goes on now
                forked.let_go(_held(old))
                shutil.rmtree(old)
        making = Path(tempfile.mkdtemp(prefix=_CHECKING, dir=store.path))
        held = _held(making)
        try:
            for name in _FOLDERS[LOG_KIND if isinstance(store, LogStore) else GROUP_KIND]:
                (making / name).mkdir(mode=0o700)
            _copy_store(store, making, at, quiet)
            return verify(making, at, rows=True).wrong
        finally:
            shutil.rmtree(making, ignore_errors=True)
            forked.let_go(held)


def _copy_log(store: LogStore, sequence: int, into: Path, needed: int, progress: Progress) -> None:
    """Copy the segments up to the end of one flushed record."""
    if not sequence:
        return
    spot = _spot_near(store, sequence)
    last, end = segments.end_of(store.path / "log", spot, sequence)
    done = 0
    for number in segments.numbers(store.path / "log"):
        if number > last:
            break
        name = segments.name_of(number)
        source = store.path / "log" / name
        limit = end if number == last else source.stat().st_size
        for copied in _copy(source, into / name, limit):
            done += copied
            progress("log", done, needed)


def _spot_near(store: Store, sequence: int) -> tuple[int, int]:
    """Return where a record lies, or one shortly before it: (segment, offset)."""
    for before in range(sequence, max(sequence - 2 * segments.SPOT_EVERY, 0), -1):
        row = store.row(TABLE["spots"], before.to_bytes(8, "big"))
        if row is not None:
            return int.from_bytes(row[:4], "big"), int.from_bytes(row[4:8], "big")
    raise StorageError(
        "store.corrupt", path=f"log[{sequence}]", reason=f"log record {sequence} is missing"
    )


def _copy(source: Path, target: Path, limit: int) -> Iterator[int]:
    """Copy the first `limit` bytes of a file, durable; yield how much each step copied."""
    with source.open("rb") as reading:
        writing = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            left = limit
            while left:
                copied = os.sendfile(writing, reading.fileno(), None, min(left, _COPY_BYTES))
                if not copied:
                    raise StorageError(
                        "store.corrupt", path=str(source), reason=f"{source.name} is cut short"
                    )
                left -= copied
                yield copied
            os.fsync(writing)
        finally:
            os.close(writing)


@contextmanager
def _aside(target: Path, kind: str) -> Iterator[Path]:
    """Make a directory beside its name; it gets the name at the end of the block, or goes.

    Raises StorageError `store.exists`, `store.locked` (another is making it now).
    """
    making = target.with_name(target.name + ".partial")
    _check_place(making)
    if os.path.lexists(target) and (not target.is_dir() or any(target.iterdir())):
        raise StorageError("store.exists", path=str(target))
    if making.is_dir():  # an interrupted one's, or one that is being made now
        if not {entry.name for entry in making.iterdir()} <= _OURS:
            raise StorageError("store.exists", path=str(making))
        forked.let_go(_held(making))
        shutil.rmtree(making)
    making.mkdir(mode=0o700, parents=True)
    held = _held(making)
    try:
        for name in _FOLDERS[kind]:
            (making / name).mkdir(mode=0o700)
        yield making
        flush_directory(making)
        making.rename(target)
        flush_directory(target.parent)
    except BaseException:
        shutil.rmtree(making, ignore_errors=True)
        raise
    finally:
        forked.let_go(held)


def _check_place(making: Path) -> None:
    """Raise StorageError `store.no_place` when there can never be a directory of that name."""
    try:
        os.lstat(making)
    except FileNotFoundError:
        return
    except OSError as error:
        if error.errno not in _NO_PLACE:
            raise
        reason = error.strerror or type(error).__name__
        raise StorageError("store.no_place", path=str(making), reason=reason) from None


def _held(making: Path) -> int:
    """Hold a directory that is being made, by its own entry: its LOCK is for who opens it.

    A process that is forked meanwhile does not hold it.  To be let go with `forked.let_go`.

    Raises StorageError `store.locked` when another is making it, OSError.
    """
    held = os.open(making, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(held)
        raise StorageError("store.locked", path=str(making)) from None
    return forked.hold(held)


def _finished(path: Path, kind: str, at: int) -> None:
    """Let a complete copy count as a data directory, all of it durable."""
    for name in (*_FOLDERS[kind], "."):
        flush_directory(path / name)
    write_format(path, Format(PRODUCT, FORMAT_VERSION, kind, at))


def size_of(path: Path) -> int:
    """Return the bytes of all files below a directory."""
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())


def read_backup(path: Path) -> BackupMade:
    """Return what a backup says of itself.

    Raises StorageError `store.no_backup`, `store.format`, `store.corrupt`, and what
    `read_format` raises.
    """
    with file_errors(path):
        known = read_format(path) if path.is_dir() else None
        if known is None or not (path / BACKUP).is_file():
            raise StorageError("store.no_backup", path=str(path))
        if known.format != FORMAT_VERSION or known.store not in KINDS:
            raise StorageError(
                "store.format", path=str(path), found=f"{known.format} ({known.store})",
                known=f"{FORMAT_VERSION} ({', '.join(KINDS)})",
            )  # fmt: skip
        try:
            return msgspec.json.decode((path / BACKUP).read_bytes(), type=BackupMade)
        except msgspec.MsgspecError as error:
            raise StorageError(
                "store.corrupt", path=str(path / BACKUP), reason=f"BACKUP can't be read: {error}"
            ) from error


def restore(
    source: Path, target: Path, at: int, actor: str, progress: Progress = quiet
) -> BackupMade:
    """Make a new data directory `target` from a backup, which stays as it is.

    Raises StorageError `store.exists` (nothing is ever written over), `store.no_backup`,
    `store.locked`, `store.full`, …; then nothing is left of it.
    """
    made, kind = read_backup(source), kind_of(source)
    with file_errors(target), _aside(target, kind) as making, _shared(source):
        files = [source / "store" / "data.mdb", *sorted((source / "log").glob("*.seg"))]
        needed, done = sum(file.stat().st_size for file in files), 0
        if shutil.disk_usage(making).free < needed:
            raise StorageError("store.full", path=str(target))
        for file in files:
            for copied in _copy(file, making / file.relative_to(source), file.stat().st_size):
                done += copied
                progress("copy", done, needed)
        _finished(making, kind, at)
        progress("check", needed, needed)
        found = verify(making, at)
        if found.sequence != made.sequence or found.wrong:
            reason = found.wrong[0] if found.wrong else f"it ends at {found.sequence}"
            raise StorageError("store.corrupt", path=str(source), reason=reason)
        _jump(making, made, kind, at)
        _note(making, made, at, actor)
    return made


@contextmanager
def _shared(path: Path) -> Iterator[None]:
    """Keep others from opening a backup within the block, where its medium can be locked."""
    try:
        held = forked.hold(os.open(path / "LOCK", os.O_RDONLY | os.O_CLOEXEC))
    except FileNotFoundError:
        yield
        return
    try:
        fcntl.flock(held, fcntl.LOCK_SH | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise StorageError("store.locked", path=str(path)) from None
    finally:
        forked.let_go(held)


def _jump(path: Path, made: BackupMade, kind: str, at: int) -> None:
    """Let sequences and epochs of a closed, checkpointed directory go on after a gap."""
    base = LmdbBase.open(path / "store", TABLES)
    try:
        sequence, _, epoch = place_of(base)
        if sequence != made.sequence:
            raise StorageError(
                "store.corrupt", path=str(path), reason=f"its checkpoint is of {sequence}"
            )
        act = Restored(sequence, made.at, max(epoch, made.epoch))
        first, epoch, changes = leap(act, at)
        if kind == LOG_KIND:
            _bridge(path, first, epoch)
        base.apply(changes)
    finally:
        base.close()


def _bridge(path: Path, first: int, epoch: int) -> None:
    """Let the log go on after a gap.

    The gap is a segment of its own, the first of an opening, that begins after it: what lies
    before it is read as ever, and replaying starts with it.
    """
    bridge = path / _BRIDGE
    bridge.mkdir(mode=0o700)
    SegmentLog.open(
        PosixDisk(bridge), checkpoint_sequence=first, epoch_min=epoch,
        number_min=max(segments.numbers(path / "log"), default=0),
    ).close()  # fmt: skip
    for file in sorted(bridge.iterdir()):
        file.rename(path / "log" / file.name)
    bridge.rmdir()
    flush_directory(path / "log")


def _note(path: Path, made: BackupMade, at: int, actor: str) -> None:
    """Write the restoration down, as the first record after the gap."""
    store = open_store(path, clock_us=at)
    queue = Queue(store)
    try:
        note(queue, Restored(made.sequence, made.at, made.epoch), at, actor)
    finally:
        queue.close()
