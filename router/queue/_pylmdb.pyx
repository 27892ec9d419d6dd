# cython: language_level=3
"""The base over py-lmdb: what is left where LMDB's own functions cannot be used.

The same interface and the same files as `LmdbBase`, but every call takes the GIL, and py-lmdb
gives it up and retakes it within: beside a busy Python thread this is slow (docs/decisions/0008).
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.ref cimport Py_DECREF, Py_INCREF
from libc.stdint cimport uint8_t, uint64_t

from router.queue._base cimport Base
from router.queue._bytes cimport ABSENT, FAILED, FOUND, Slice
from router.queue._disk cimport Disk
from router.queue._overlay cimport Overlay, Walk

import errno
import os
import sys
from pathlib import Path

import lmdb

from router.errors import StorageError
from router.limits import MAP_BYTES, MAP_BYTES_32BIT, STORE_READERS_MAX, STORE_TABLES_MAX
from router.queue.commit_note import undo_commit
from router.queue.environment import (
    DATA, Gate, claim, copy_file_into, copy_into, mend_length, prepare, refusal, release,
    true_reason,
)

__all__ = ["PyLmdbBase"]

NUMBERS = {
    lmdb.PageNotFoundError: -30797,
    lmdb.CorruptedError: -30796,
    lmdb.VersionMismatchError: -30794,
    lmdb.InvalidError: -30793,
    lmdb.MapFullError: -30792,
    lmdb.IncompatibleError: -30784,
}
SYSTEM_NUMBERS = (
    errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EACCES, errno.EROFS, errno.ENOENT,
)
cdef const uint8_t *NOTHING = <const uint8_t *>b""


cdef class PyLmdbBase(Base):
    """A base in an LMDB environment, over py-lmdb.  See `LmdbBase.open`."""

    cdef object _path
    cdef object _claim
    cdef object _gate            # for `info` and `copy_to`
    cdef object _env
    cdef list _dbs
    cdef object _reading
    cdef int _depth
    cdef list _kept              # what slices handed out since `begin` point into
    cdef object _fault
    cdef Disk _owner_disk        # says who owns the directory now, or None
    cdef uint64_t _owner_epoch

    def __reduce__(self):
        raise TypeError("a base is not pickled")

    def __init__(self, path, tables, map_bytes=0):
        """See `LmdbBase.open`."""
        super().__init__(tables)
        self._path = Path(path)
        self._gate = Gate()
        self._kept = []
        try:
            self._path.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise refusal(error.errno or errno.EIO, self._path) from error
        self._claim = claim(self._path)
        try:
            self._open(map_bytes or (MAP_BYTES if sys.maxsize > 2**32 else MAP_BYTES_32BIT))
        except (lmdb.Error, OSError) as error:
            self.close()
            raise self._words(error) from error
        except BaseException:
            self.close()
            raise

    def _open(self, map_bytes):
        mended = False
        while True:
            prepare(self._path, self._make)
            undo_commit(self._path)
            self._env = self._environment(self._path, map_bytes)
            self._env.reader_check()
            needed = self._used()
            if mended or (self._path / DATA).stat().st_size >= needed:
                break
            self._env.close()
            mend_length(self._path, needed)
            mended = True
        self._dbs = self._open_tables()

    def _environment(self, path, map_bytes, **options):
        return lmdb.open(
            str(path), map_size=map_bytes, max_dbs=STORE_TABLES_MAX, mode=0o600, create=True,
            max_readers=STORE_READERS_MAX, readahead=False, lib_version=0, **options,
        )

    def _make(self, path):
        self._env = self._environment(path, 1 << 20, lock=False)
        try:
            self._open_tables()
        finally:
            self._env.close()

    def _open_tables(self):
        """Open every table; make those that are missing, in one synced transaction."""
        encoded = [name.encode() for name in self.tables]
        with self._env.begin(write=True) as txn:
            if txn.stat(db=None)["entries"] and not any(txn.get(name) for name in encoded):
                raise StorageError(
                    "store.foreign", path=str(self._path), reason="data.mdb is of another program"
                )
            return [self._env.open_db(name, txn=txn) for name in encoded]

    def _used(self):
        return (self._env.info()["last_pgno"] + 1) * self._env.stat()["psize"]

    def _words(self, error):
        """Say in our words what py-lmdb or the file system said (its text names paths)."""
        if isinstance(error, OSError):
            return refusal(error.errno or errno.EIO, self._path)
        number = NUMBERS.get(type(error), 0)
        for known in SYSTEM_NUMBERS:
            if number == 0 and str(error).endswith(os.strerror(known)):
                number = known
        if number:
            short = number == errno.EIO and self._env is not None
            return refusal(true_reason(self._path) if short else number, self._path)
        words = str(error).rpartition(": ")[2]
        return StorageError("store.failed", path=str(self._path), reason=words)

    cdef int _failed(self, error):
        if self._fault is None:
            self._fault = self._words(error)
        return FAILED

    cdef Slice _keep(self, bytes data):
        self._kept.append(data)
        return Slice(<const uint8_t *>PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data))

    cdef int begin(self) noexcept nogil:
        with gil:
            if self._depth == 0:
                if self._env is None:
                    return FAILED
                try:
                    self._reading = self._env.begin()
                except lmdb.Error as error:
                    return self._failed(error)
            self._depth += 1
            return 0

    cdef void end(self) noexcept nogil:
        with gil:
            self._depth -= 1
            if self._depth == 0:
                self._reading.abort()
                self._reading = None
                self._kept.clear()

    cdef int get(self, int table, const uint8_t *key, size_t size, Slice *value) noexcept nogil:
        if size == 0:
            return ABSENT
        with gil:
            try:
                found = self._reading.get(to_bytes(key, size), db=self._dbs[table])
            except lmdb.Error as error:
                return self._failed(error)
            if found is None:
                return ABSENT
            value[0] = self._keep(found)
            return FOUND

    cdef void *cursor(self, int table) noexcept nogil:
        with gil:
            try:
                made = self._reading.cursor(db=self._dbs[table])
            except lmdb.Error as error:
                self._failed(error)
                return NULL
            Py_INCREF(made)
            return <void *>made

    cdef void done(self, void *cursor) noexcept nogil:
        with gil:
            (<object>cursor).close()
            Py_DECREF(<object>cursor)

    cdef int _show(self, cursor, bint found, Slice *key_found, Slice *value) except FAILED:
        if not found:
            return ABSENT
        key_found[0] = self._keep(cursor.key())
        value[0] = self._keep(cursor.value())
        return FOUND

    cdef int seek(
        self, void *cursor, const uint8_t *key, size_t size, Slice *key_found, Slice *value
    ) noexcept nogil:
        with gil:
            at = <object>cursor
            try:
                found = at.set_range(to_bytes(key, size)) if size else at.first()
                return self._show(at, found, key_found, value)
            except lmdb.Error as error:
                return self._failed(error)

    cdef int next(self, void *cursor, Slice *key_found, Slice *value) noexcept nogil:
        with gil:
            at = <object>cursor
            try:
                return self._show(at, at.next(), key_found, value)
            except lmdb.Error as error:
                return self._failed(error)

    cdef int below(
        self, void *cursor, const uint8_t *key, size_t size, Slice *key_found, Slice *value
    ) noexcept nogil:
        if size == 0:
            return ABSENT
        with gil:
            at = <object>cursor
            try:
                wanted = to_bytes(key, size)
                found = at.set_range(wanted)
                if not found:
                    found = at.last()
                elif at.key() != wanted:
                    found = at.prev()
                return self._show(at, found, key_found, value)
            except lmdb.Error as error:
                return self._failed(error)

    cdef int write(self, Overlay changes) noexcept nogil:
        with gil:
            if self._fault is not None or self._env is None:
                return FAILED
            try:
                with self._env.begin(write=True) as txn:
                    if self._owner_disk is not None and (
                        self._owner_disk.claimed() != self._owner_epoch
                    ):
                        return FAILED
                    for table, db in enumerate(self._dbs):
                        apply_table(txn, db, changes, table)
                self._reach()
                return 0
            except StorageError as error:
                self._fault = error
                return FAILED
            except (lmdb.Error, OSError) as error:
                return self._failed(error)

    def _reach(self):
        """Let the file reach to the end of its last page, also one given up unwritten."""
        needed = self._used()
        if (self._path / DATA).stat().st_size < needed:
            os.truncate(self._path / DATA, needed)

    def belong_to(self, Disk disk, uint64_t epoch):
        """Refuse to write once that disk was claimed for another opening than `epoch`."""
        self._owner_disk = disk
        self._owner_epoch = epoch

    def fault(self):
        """Return what the first failure was, as a StorageError, or None."""
        return self._fault

    def info(self):
        """Return sizes by name: bytes of the map, the file, its used part; readers.

        Raises StorageError, ClosedError.
        """
        with self._gate.inside():
            info = self._env.info()
            return {
                "map_bytes": info["map_size"],
                "file_bytes": (self._path / DATA).stat().st_size,
                "used_bytes": self._used(),
                "page_bytes": self._env.stat()["psize"],
                "readers": info["num_readers"],
                "last_transaction": info["last_txnid"],
            }

    def copy_still_to(self, path, tell, goes_on):
        """Write the file as it is: see `Base.copy_still_to`."""
        with self._gate.inside(), open(self._path / DATA, "rb") as file:
            return copy_file_into(Path(path), file.fileno(), self._used(), tell, goes_on)

    def copy_to(self, path):
        """Write the present state, compacted, as `path`/data.mdb; the directory may be there.

        Durable when it returns.  Raises StorageError (`store.exists`, `store.full`, …),
        ClosedError.
        """
        with self._gate.inside():
            copy_into(Path(path), self._copy)

    def _copy(self, file):
        try:
            self._env.copyfd(file, compact=True)
        except lmdb.Error as error:
            raise self._words(error) from error

    cpdef void close(self):
        """Close the environment; idempotent.  No reading or write may be under way."""
        self._gate.shut()
        if self._env is not None:
            self._env.close()
            self._env = None
        if self._claim is not None:
            release(self._claim)
            self._claim = None


cdef bytes to_bytes(const uint8_t *data, size_t size):
    return PyBytes_FromStringAndSize(<const char *>data, <Py_ssize_t>size)


cdef apply_table(txn, db, Overlay changes, int table):
    cdef Walk walk
    cdef int status = changes.first(table, NOTHING, 0, &walk)
    if status == FAILED:
        raise StorageError("store.failed", reason="the changes are not in order")
    while status == FOUND:
        key = to_bytes(walk.key.data, walk.key.size)
        if walk.gone:
            txn.delete(key, db=db)
        else:
            txn.put(key, to_bytes(walk.value.data, walk.value.size), db=db)
        status = changes.next(&walk)
