"""Backups of a data directory that is in use, and data directories made from them.

A backup is a directory of the same format: LMDB as of a checkpoint, and the log up to one
flushed record, which is its instant.  It is made aside, opened, checked, closed and only then
given its name and its BACKUP file.  A directory with BACKUP is opened by nothing but these
functions: two engines must never go on from one instant.

A restored directory goes on where nothing was given out: its sequences continue after a gap,
and its epoch is above any that the lost one can have had.  See
docs/decisions/0012-backup-and-restore.md.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec

from router.errors import StorageError
from router.queue import segments
from router.queue._disk import PosixDisk
from router.queue._lmdb import LmdbBase
from router.queue._log import SegmentLog
from router.queue._store import Store, place_of
from router.queue.datadir import (
    BACKUP,
    FORMAT_VERSION,
    LOG_KIND,
    PRODUCT,
    Format,
    file_errors,
    flush_directory,
    read_format,
    write_format,
    write_whole,
)
from router.queue.log_store import LogStore
from router.queue.queue import Queue
from router.queue.reading import TABLE
from router.queue.restored import Restored, leap, note
from router.queue.tables import TABLES
from router.queue.verifying import verify

_BRIDGE: Final = "bridge"
_OURS: Final = frozenset((
    "LOCK", "FORMAT", "FORMAT.new", "store", "log", BACKUP, "BACKUP.new", _BRIDGE,
))  # fmt: skip
_COPY_BYTES: Final = 8 << 20

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
    if not isinstance(store, LogStore):
        raise StorageError("store.no_log", path=str(target))
    with file_errors(target), _aside(target) as making:
        store.checkpoint()
        needed = store.base_info()["used_bytes"] + store.log_bytes()
        if shutil.disk_usage(making).free < needed:
            raise StorageError("store.full", path=str(target))
        progress("state", 0, needed)
        store.copy_base(making / "store")
        store.flush()
        sequence = store.durable
        _copy_log(store, sequence, making / "log", needed, progress)
        for name in ("log", "store", "."):
            flush_directory(making / name)
        _with_format(making, at)
        progress("check", needed, needed)
        found = verify(making, at)
        if found.sequence != sequence or found.wrong:
            reason = found.wrong[0] if found.wrong else f"it ends at {found.sequence}"
            raise StorageError("store.corrupt", path=str(target), reason=f"the copy: {reason}")
        made = BackupMade(
            PRODUCT, FORMAT_VERSION, sequence, store.epoch, at, size_of(making),
            found.counts["documents"],
        )  # fmt: skip
        write_whole(making / BACKUP, msgspec.json.encode(made) + b"\n")
    return made


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
def _aside(target: Path) -> Iterator[Path]:
    """Make a directory beside its name; it gets the name at the end of the block, or goes.

    Raises StorageError `store.exists`, `store.locked` (another is making it now).
    """
    making = target.with_name(target.name + ".partial")
    if os.path.lexists(target) and (not target.is_dir() or any(target.iterdir())):
        raise StorageError("store.exists", path=str(target))
    if making.is_dir():  # an interrupted one's, or one that is being made now
        if not {entry.name for entry in making.iterdir()} <= _OURS:
            raise StorageError("store.exists", path=str(making))
        os.close(_held(making))
        shutil.rmtree(making)
    making.mkdir(mode=0o700, parents=True)
    held = _held(making)
    try:
        (making / "store").mkdir(mode=0o700)
        (making / "log").mkdir(mode=0o700)
        yield making
        flush_directory(making)
        making.rename(target)
        flush_directory(target.parent)
    except BaseException:
        shutil.rmtree(making, ignore_errors=True)
        raise
    finally:
        os.close(held)


def _held(making: Path) -> int:
    """Hold a directory that is being made, by its own entry: its LOCK is for who opens it.

    Raises StorageError `store.locked` when another is making it, OSError.
    """
    held = os.open(making, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(held)
        raise StorageError("store.locked", path=str(making)) from None
    return held


def _with_format(path: Path, at: int) -> None:
    """Let a complete copy count as a data directory."""
    write_format(path, Format(PRODUCT, FORMAT_VERSION, LOG_KIND, at))


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
        if known.format != FORMAT_VERSION or known.store != LOG_KIND:
            raise StorageError(
                "store.format", path=str(path), found=f"{known.format} ({known.store})",
                known=f"{FORMAT_VERSION} ({LOG_KIND})",
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
    made = read_backup(source)
    with file_errors(target), _aside(target) as making, _shared(source):
        files = [source / "store" / "data.mdb", *sorted((source / "log").glob("*.seg"))]
        needed, done = sum(file.stat().st_size for file in files), 0
        if shutil.disk_usage(making).free < needed:
            raise StorageError("store.full", path=str(target))
        for file in files:
            for copied in _copy(file, making / file.relative_to(source), file.stat().st_size):
                done += copied
                progress("copy", done, needed)
        for name in ("log", "store", "."):
            flush_directory(making / name)
        _with_format(making, at)
        progress("check", needed, needed)
        found = verify(making, at)
        if found.sequence != made.sequence or found.wrong:
            reason = found.wrong[0] if found.wrong else f"it ends at {found.sequence}"
            raise StorageError("store.corrupt", path=str(source), reason=reason)
        _jump(making, made, at)
        _note(making, made, at, actor)
    return made


@contextmanager
def _shared(path: Path) -> Iterator[None]:
    """Keep others from opening a backup within the block, where its medium can be locked."""
    try:
        held = os.open(path / "LOCK", os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        yield
        return
    try:
        fcntl.flock(held, fcntl.LOCK_SH | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise StorageError("store.locked", path=str(path)) from None
    finally:
        os.close(held)


def _jump(path: Path, made: BackupMade, at: int) -> None:
    """Let sequences and epochs of a closed, checkpointed directory go on after a gap.

    The gap is a segment of its own, the first of an opening, that begins after it: what lies
    before it is read as ever, and replaying starts with it.
    """
    base = LmdbBase.open(path / "store", TABLES)
    try:
        sequence, _, epoch = place_of(base)
        if sequence != made.sequence:
            raise StorageError(
                "store.corrupt", path=str(path), reason=f"its checkpoint is of {sequence}"
            )
        act = Restored(sequence, made.at, max(epoch, made.epoch))
        first, epoch, changes = leap(act, at)
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
        base.apply(changes)
    finally:
        base.close()


def _note(path: Path, made: BackupMade, at: int, actor: str) -> None:
    """Write the restoration down, as the first record after the gap."""
    store = LogStore.open(path, clock_us=at)
    queue = Queue(store)
    try:
        note(queue, Restored(made.sequence, made.at, made.epoch), at, actor)
    finally:
        queue.close()
