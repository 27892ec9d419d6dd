"""The first durability port: LMDB, fully synced once per group.

Log and state lie in one LMDB environment, so a group is one transaction: all of it is on
the disk when `group()` returns, or nothing of it is there.  A failed put or commit fences
the store, because LMDB promises nothing about an environment after a failed write; the
directory itself stays at the last good group and can be opened again.

The 0.9 file format is pinned.  The lock file of LMDB is kept beside ours: it guards the
readers of this process.  A transaction lives and dies on one thread.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import lmdb

from router.errors import ClosedError, StorageError
from router.limits import (
    LOG_VERIFY_BYTES_AT_OPEN,
    MAP_BYTES,
    MAP_BYTES_32BIT,
    STORE_READERS_MAX,
    STORE_TABLES_MAX,
)
from router.ports import Log, Transaction, View
from router.queue.datadir import DataDirectory
from router.queue.framing import SEQUENCE, corrupt, frame, unframe
from router.queue.tables import TABLES

_PLACE: Final = "store/data.mdb"
_LOG: Final = "log"
_META: Final = "meta"
_EPOCH: Final = b"epoch"
_LAST: Final = b"last"
_LIB_VERSION: Final = 0
_IDLE_FLUSH_S: Final = 0.1
_CUT_RECORDS: Final = 4_096
_FULL_WORDS: Final = ("No space left", "quota exceeded", "File too large")


class LmdbStore:
    """A data directory opened by its one owner.  Made by `open`; implements `ports.Store`."""

    def __init__(self, directory: DataDirectory, env: Any, *, place: Path) -> None:
        self._directory = directory
        self._env = env
        self._place = place
        self._owner = os.getpid()
        self._writing = threading.Lock()  # guards the one write group
        self._reading = threading.Condition()  # guards _views
        self._views = 0
        self._fence: StorageError | None = None
        self._closed = False
        self._tables: dict[str, Any] = {}
        self._last = 0
        self._epoch = 0
        self._log = _LmdbLog(self)

    @classmethod
    def open(
        cls, path: Path, *, clock_us: int, tables: Sequence[str] = TABLES, map_bytes: int = 0
    ) -> LmdbStore:
        """Own the directory, check it, begin a new epoch; make it when there is none.

        `map_bytes` bounds the data (0: the default, 1 TiB of address space, no disk).
        Raises StorageError `store.locked`, `store.foreign`, `store.format`,
        `store.corrupt`, `store.full`, `store.failed`.
        """
        directory = DataDirectory(path)
        env = None
        try:
            env = _open_environment(directory, path, map_bytes)
            store = cls(directory, env, place=path)
            store._start((*tables, _LOG, _META), clock_us)
        except BaseException:
            if env is not None:
                env.close()
            directory.release()
            raise
        return store

    @property
    def epoch(self) -> int:
        """The number of this opening, one larger at each."""
        return self._epoch

    @property
    def idle_flush_s(self) -> float | None:
        """Return how long a lease may stay unflushed, in seconds."""
        return _IDLE_FLUSH_S

    @property
    def log(self) -> Log:
        """The log of this store."""
        return self._log

    @contextmanager
    def group(self) -> Iterator[Transaction]:
        """Open the one write group; durable when the block has ended.

        Raises StorageError (and fences the store) when it can't be; ClosedError.
        """
        with self._writing:
            self._check_usable()
            with self._fencing():
                txn = self._env.begin(write=True)
            try:
                group = _LmdbGroup(self, txn)
                yield group
            except lmdb.Error as error:
                txn.abort()
                self._fence = _storage_error(error, self._place)
                raise self._fence from error
            except BaseException:
                txn.abort()
                raise
            with self._fencing():
                txn.commit()
            self._last = group.last

    @contextmanager
    def view(self) -> Iterator[View]:
        """Open a short reading of all that is durable.  Raises StorageError, ClosedError."""
        with self._reading:
            self._check_usable()
            self._views += 1
        try:
            durable = self._last
            with self._env.begin() as txn:
                yield _LmdbView(self, txn, durable)
        except lmdb.Error as error:
            raise _storage_error(error, self._place) from error
        finally:
            with self._reading:
                self._views -= 1
                if self._closed and not self._views:
                    self._reading.notify_all()

    def healthy(self) -> bool:
        """Return False once a write or flush has failed, or after `close`."""
        return self._fence is None and not self._closed

    def close(self) -> None:
        """Release environment and directory; idempotent.

        Waits for a running group and for all open views: LMDB must not be closed under
        them.  What comes later raises ClosedError.  Must not be called within either.
        """
        with self._writing:
            if not self._closed:
                self._closed = True
                if os.getpid() == self._owner:  # after a fork the views are another's
                    with self._reading:
                        self._reading.wait_for(lambda: not self._views)
                    self._env.close()
                self._directory.release()

    def _check_usable(self) -> None:
        if self._closed:
            raise ClosedError("engine.closed")
        if self._fence is not None:
            raise StorageError(self._fence.code, path=self._fence.path, **self._fence.facts)
        if os.getpid() != self._owner:
            raise StorageError(
                "store.locked", path=str(self._place), reason="opened before this process forked"
            )

    @contextmanager
    def _fencing(self) -> Iterator[None]:
        try:
            yield
        except (lmdb.Error, OSError) as error:
            self._fence = _storage_error(error, self._place)
            raise self._fence from error

    def _start(self, tables: Sequence[str], clock_us: int) -> None:
        """Make missing tables, count the epoch, check the log's end."""
        try:
            self._env.reader_check()
            with self._env.begin(write=True) as txn:
                for name in tables:
                    self._tables[name] = self._env.open_db(name.encode(), txn=txn)
                meta = self._tables[_META]
                self._last = self._check_log(txn)
                if self._directory.fresh and self._last:
                    raise StorageError(
                        "store.foreign", path=str(self._place), reason="FORMAT is missing"
                    )
                self._epoch = _number(txn.get(_EPOCH, db=meta)) + 1
                txn.put(_EPOCH, SEQUENCE.pack(self._epoch), db=meta)
        except (lmdb.Error, OSError) as error:
            raise _storage_error(error, self._place) from error
        if self._directory.fresh:
            self._directory.finish_creation(clock_us)

    def _check_log(self, txn: Any) -> int:
        """Verify the end of the log; return the last sequence ever given."""
        kept = _number(txn.get(_LAST, db=self._tables[_META]))
        last = 0
        expected = 0
        budget = LOG_VERIFY_BYTES_AT_OPEN
        with txn.cursor(db=self._tables[_LOG]) as cursor:
            for key, stored in cursor.iterprev(keys=True, values=True):
                sequence = _number(key)
                last = last or sequence
                if expected and sequence != expected:
                    raise corrupt(expected, _PLACE, "it is missing")
                expected = sequence - 1
                unframe(sequence, stored, _PLACE)
                budget -= len(stored)
                if budget <= 0:
                    break
        return max(last, kept)

    def _cut(self, before: int) -> None:
        """Remove log records below `before`, some thousand a group."""
        while True:
            with self._writing:
                self._check_usable()
                with self._fencing(), self._env.begin(write=True) as txn:
                    txn.put(_LAST, SEQUENCE.pack(self._last), db=self._tables[_META])
                    if not _cut_some(txn, self._tables[_LOG], before):
                        return


class _LmdbView:
    """A reading: implements `ports.View` on one LMDB transaction."""

    __slots__ = ("_durable", "_get", "_store", "_tables", "_txn")

    def __init__(self, store: LmdbStore, txn: Any, durable: int) -> None:
        self._durable = durable
        self._store = store
        self._txn = txn
        self._get = txn.get
        self._tables = store._tables

    @property
    def durable(self) -> int:
        return self._durable

    def get(self, table: str, key: bytes) -> bytes | None:
        found: bytes | None = self._get(key, None, self._tables[table])
        return found

    def scan(self, table: str, start: bytes, stop: bytes) -> Iterator[tuple[bytes, bytes]]:
        with self._txn.cursor(db=self._tables[table]) as cursor:
            if not cursor.set_range(start):
                return
            for item in cursor.iternext(keys=True, values=True):
                if item[0] >= stop:
                    return
                yield item

    def record(self, sequence: int) -> bytes | None:
        stored = self._get(SEQUENCE.pack(sequence), None, self._tables[_LOG])
        return None if stored is None else unframe(sequence, stored, _PLACE)


class _LmdbGroup(_LmdbView):
    """A write group: implements `ports.Transaction`."""

    __slots__ = ("_put", "last")

    def __init__(self, store: LmdbStore, txn: Any) -> None:
        super().__init__(store, txn, store._last)
        self._put = txn.put
        self.last = store._last

    def append(self, record: bytes) -> int:
        sequence = self.last + 1
        stored = frame(sequence, self._store.epoch, record)
        self._put(SEQUENCE.pack(sequence), stored, append=True, db=self._tables[_LOG])
        self.last = sequence
        return sequence

    def put(self, table: str, key: bytes, value: bytes) -> None:
        self._put(key, value, True, True, False, self._tables[table])

    def delete(self, table: str, key: bytes) -> None:
        self._txn.delete(key, db=self._tables[table])


class _LmdbLog:
    """The log's face: implements `ports.Log`."""

    def __init__(self, store: LmdbStore) -> None:
        self._store = store

    @property
    def epoch(self) -> int:
        return self._store.epoch

    def append(self, records: Sequence[bytes]) -> int:
        with self._store.group() as group:
            sequences = [group.append(record) for record in records]
        return sequences[0] if sequences else 0

    def read(self, start: int) -> Iterator[tuple[int, bytes]]:
        """Read in short views, so that a slow reader keeps no old pages alive."""
        budget = 4 * 1_048_576
        while True:
            found: list[tuple[int, bytes]] = []
            size = 0
            with self._store.view() as view:
                for key, stored in view.scan(_LOG, SEQUENCE.pack(start), b"\xff" * 9):
                    sequence = _number(key)
                    found.append((sequence, unframe(sequence, stored, _PLACE)))
                    size += len(stored)
                    if size >= budget:
                        break
            if not found:
                return
            yield from found
            start = found[-1][0] + 1

    def cut(self, before: int) -> None:
        self._store._cut(before)


def _open_environment(directory: DataDirectory, path: Path, map_bytes: int) -> Any:
    default = MAP_BYTES if sys.maxsize > 2**32 else MAP_BYTES_32BIT
    try:
        return lmdb.open(
            str(directory.store_path),
            map_size=map_bytes or default,
            max_dbs=STORE_TABLES_MAX,
            max_readers=STORE_READERS_MAX,
            mode=0o600,
            readahead=False,
            lib_version=_LIB_VERSION,
        )
    except (lmdb.Error, OSError) as error:
        raise _storage_error(error, path) from error


def _cut_some(txn: Any, log: Any, before: int) -> int:
    count = 0
    with txn.cursor(db=log) as cursor:
        while count < _CUT_RECORDS and cursor.first() and _number(cursor.key()) < before:
            cursor.delete()
            count += 1
    return count


def _number(data: bytes | None) -> int:
    if data is None:
        return 0
    value: int = SEQUENCE.unpack(data)[0]
    return value


def _storage_error(error: BaseException, place: Path) -> StorageError:
    """Say in our words what LMDB or the file system said (its text names paths: cut)."""
    text = str(error)
    if isinstance(error, lmdb.MapFullError) or any(words in text for words in _FULL_WORDS):
        return StorageError("store.full", path=str(place))
    if isinstance(
        error,
        lmdb.CorruptedError | lmdb.InvalidError | lmdb.PageNotFoundError
        | lmdb.VersionMismatchError | lmdb.IncompatibleError,
    ):  # fmt: skip
        reason = f"{_PLACE}: {type(error).__name__}: {text.rpartition(': ')[2]}"
        return StorageError("store.corrupt", path=str(place), reason=reason)
    reason = f"{type(error).__name__}: {text.rpartition(': ')[2]}"
    return StorageError("store.failed", path=str(place), reason=reason)
