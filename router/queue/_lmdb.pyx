# cython: language_level=3
"""The base in LMDB, through its own functions and without the GIL.

One reading transaction is renewed at `begin` and reset at the last `end`, so none outlives a
call; one writing transaction lives and dies within `write`, on whichever thread calls it.  A
write is one commit, durable as a whole or not at all when it returns.  Where it fails LMDB
promises nothing about the environment: every later write fails too, until it is closed and opened
again.

The file is kept some way ahead of the data, filled with zeros: a commit that neither
allocates nor lengthens the file costs the file system no journal commit (docs/decisions/0008).
"""

from libc.errno cimport EIO, ENOMEM, EPERM
from libc.stdint cimport uint8_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcmp, memcpy
from posix.unistd cimport close as close_file

from router.queue._bytes cimport ABSENT, FAILED, FOUND, Slice
from router.queue._disk cimport Disk
from router.queue._lmdb_calls cimport (
    LMDB_COMPACT, LMDB_CREATE, LMDB_FIRST, LMDB_LAST, LMDB_NEXT, LMDB_NO_LOCK,
    LMDB_NO_READ_AHEAD, LMDB_NO_SYNC, LMDB_NO_TLS, LMDB_NOT_FOUND, LMDB_PREVIOUS, LMDB_READ_ONLY,
    LMDB_SET, LMDB_SET_RANGE, Blob, EnvironmentInfo, TableInfo, lmdb, open_environment,
)
from router.queue._lmdb_commit cimport finish_commit, note_commit
from router.queue._lmdb_write cimport NOT_SORTED, apply_changes, keep_ahead, length_of, true_reason
from router.queue._overlay cimport TABLES_MAX, Overlay

import os
import sys
import warnings
from pathlib import Path

from router.errors import StorageError
from router.limits import COMMIT_PLAIN_BYTES, MAP_BYTES, MAP_BYTES_32BIT, STORE_TABLES_MAX
from router.queue._lmdb_calls import PROBLEM, describe
from router.queue.commit_note import open_note
from router.queue.environment import (
    Gate, claim, copy_file_into, copy_into, mend_length, prepare, refusal, release,
)

__all__ = ["LmdbBase"]

cdef extern from *:
    """
    #include <pthread.h>
    static int vanban_forks = 0;  /* how many forks made this process */
    static void vanban_forked(void) { vanban_forks++; }
    static int vanban_watch_forks(void) { return pthread_atfork(NULL, NULL, vanban_forked); }
    """
    int vanban_forks
    int vanban_watch_forks() nogil

if vanban_watch_forks():
    raise MemoryError

cdef size_t PLAIN_BYTES = COMMIT_PLAIN_BYTES

cdef enum:
    FREE_PAGES = 0   # the table in which LMDB keeps what pages are free
    TABLE_NAMES = 1  # the table of tables


cdef class LmdbBase(Base):
    """A base in an LMDB environment of this process's own.  Made by `open`.

    `info` and `copy_to` may be called from any thread beside readings and a write.
    """

    def __reduce__(self):
        raise TypeError("a base is not pickled")

    @staticmethod
    def open(path, tables, map_bytes=0, *, fallback=False):
        """Open the environment in directory `path`, or make it; its parent must be there.

        `map_bytes` bounds the data (0: the default, 1 TiB of address space, no disk).  Where
        LMDB's own functions cannot be used, warns and returns a base over py-lmdb, with the
        same interface; `fallback` asks for that one.  Raises StorageError `store.locked`,
        `store.foreign`, `store.corrupt`, `store.full`, `store.failed`, and leaves nothing open.
        """
        if PROBLEM and not fallback:
            warnings.warn(
                f"the queue goes the slow way, through py-lmdb: {PROBLEM}",
                RuntimeWarning, stacklevel=2,
            )
        if PROBLEM or fallback:
            from router.queue._pylmdb import PyLmdbBase
            return PyLmdbBase(path, tables, map_bytes)
        return LmdbBase(path, tables, map_bytes)

    def __cinit__(self, *_):
        self._gate = Gate()
        self._file = self._note = -1

    def __init__(self, path, tables, map_bytes=0):
        """See `open`.  Raises RuntimeError where LMDB's own functions cannot be used."""
        super().__init__(tables)
        if PROBLEM:
            raise RuntimeError(PROBLEM)
        if len(self.tables) > STORE_TABLES_MAX:
            raise ValueError(f"tables must be at most {STORE_TABLES_MAX}")
        self._path = Path(path)
        self._forks = vanban_forks
        self._count = <int>len(self.tables)
        try:
            self._path.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise refusal(error.errno or EIO, self._path) from error
        self._claim = claim(self._path)
        try:
            self._open(map_bytes or (MAP_BYTES if sys.maxsize > 2**32 else MAP_BYTES_32BIT))
        except BaseException:
            self.close()
            raise

    def __dealloc__(self):
        self._shut()

    def _open(self, size_t map_bytes):
        cdef bytes path = os.fsencode(self._path)
        cdef uint64_t needed
        prepare(self._path, self._make)
        self._note = open_note(self._path)
        needed = self._open_file(path, map_bytes)
        if needed > self._length:
            self._shut()
            mend_length(self._path, needed)
            self._open_file(path, map_bytes)
        self._begin_tables()
        self._raise_if(lmdb.txn_begin(self._env, NULL, LMDB_READ_ONLY, &self._reading))
        lmdb.txn_reset(self._reading)

    cdef uint64_t _open_file(self, const char *path, size_t map_bytes) except? 0:
        """Open the environment; return how long its file must be."""
        cdef EnvironmentInfo info
        cdef TableInfo stat
        cdef int dead = 0
        self._raise_if(open_environment(
            path, map_bytes, LMDB_NO_READ_AHEAD | LMDB_NO_TLS, &self._env
        ))
        self._raise_if(lmdb.reader_check(self._env, &dead))
        self._raise_if(lmdb.env_get_fd(self._env, &self._file))
        self._raise_if(lmdb.env_info(self._env, &info))
        self._raise_if(lmdb.env_stat(self._env, &stat))
        self._page_size = stat.page_size
        self._length = self.size = length_of(self._file)
        return (info.last_page + 1) * self._page_size

    def _make(self, directory):
        """Make a new environment with all tables in a directory."""
        cdef bytes path = os.fsencode(directory)
        try:
            self._raise_if(open_environment(path, 1 << 20, LMDB_NO_LOCK, &self._env))
            self._begin_tables()
        finally:
            self._shut()

    def _begin_tables(self):
        """Open every table; make those that are missing, in one synced transaction."""
        cdef const char *names[TABLES_MAX]
        cdef void *txn = NULL
        cdef int failed
        cdef list encoded = [name.encode() for name in self.tables]
        for table, name in enumerate(encoded):
            names[table] = name
        self._raise_if(lmdb.txn_begin(self._env, NULL, 0, &txn))
        failed = self._open_tables(txn, names, <int>len(encoded))
        if failed:
            lmdb.txn_abort(txn)
            if failed == LMDB_NOT_FOUND:
                raise StorageError(
                    "store.foreign", path=str(self._path), reason="data.mdb is of another program"
                )
            self._raise_if(failed)
        with nogil:
            failed = lmdb.txn_commit(txn)
        self._raise_if(failed)

    cdef int _open_tables(self, void *txn, const char **names, int count) noexcept nogil:
        """0 or what failed; LMDB_NOT_FOUND: there are tables, but none of these."""
        cdef TableInfo stat
        cdef int table
        cdef int known = 0
        cdef int failed = lmdb.stat(txn, TABLE_NAMES, &stat)
        for table in range(count):
            if failed:
                return failed
            failed = lmdb.dbi_open(txn, names[table], 0, &self._dbi[table])
            if failed == 0:
                known += 1
            elif failed == LMDB_NOT_FOUND:
                failed = 0
        if failed or (stat.entries and not known):
            return failed or LMDB_NOT_FOUND
        for table in range(count):
            failed = lmdb.dbi_open(txn, names[table], LMDB_CREATE, &self._dbi[table])
            if failed:
                return failed
        return 0

    cdef int _failed(self, int number) noexcept nogil:
        if self._failure == 0:
            self._failure = number
        return FAILED

    def _raise_if(self, int failed):
        if failed:
            raise refusal(failed, self._path, describe(failed))

    cdef int begin(self) noexcept nogil:
        cdef int failed
        if self._depth == 0:
            if self._reading is NULL:
                return FAILED
            if vanban_forks != self._forks:  # its place among the readers is the parent's
                return self._failed(EPERM)
            failed = lmdb.txn_renew(self._reading)
            if failed:
                return self._failed(failed)
            self._readings += 1
        self._depth += 1
        return 0

    cdef void end(self) noexcept nogil:
        self._depth -= 1
        if self._depth == 0:
            lmdb.txn_reset(self._reading)

    cdef int get(self, int table, const uint8_t *key, size_t size, Slice *value) noexcept nogil:
        cdef Blob wanted = Blob(size, <void *>key)
        cdef Blob found
        cdef int failed = LMDB_NOT_FOUND
        if size:
            failed = self._come_near(table)
            if not failed:  # a key near the last one is found without a walk from the root
                failed = lmdb.cursor_get(self._near[table], &wanted, &found, LMDB_SET)
        if failed:
            return ABSENT if failed == LMDB_NOT_FOUND else self._failed(failed)
        value[0] = Slice(<const uint8_t *>found.data, found.size)
        return FOUND

    cdef int _come_near(self, int table) noexcept nogil:
        """Have the table's own cursor stand in this reading."""
        cdef int failed = 0
        if self._near[table] is NULL:
            failed = lmdb.cursor_open(self._reading, self._dbi[table], &self._near[table])
            if failed:
                self._near[table] = NULL
        elif self._near_as_of[table] != self._readings:
            failed = lmdb.cursor_renew(self._reading, self._near[table])
        self._near_as_of[table] = self._readings
        return failed

    cdef void *cursor(self, int table) noexcept nogil:
        cdef Held *held = self._free[table]
        cdef int failed
        if held is not NULL:
            self._free[table] = held.next
            failed = lmdb.cursor_renew(self._reading, held.cursor)
            if failed:
                lmdb.cursor_close(held.cursor)
        else:
            held = <Held *>malloc(sizeof(Held))
            if held is NULL:
                self._failed(ENOMEM)
                return NULL
            held.table = table
            failed = lmdb.cursor_open(self._reading, self._dbi[table], &held.cursor)
        if failed:
            free(held)
            self._failed(failed)
            return NULL
        return held

    cdef void done(self, void *cursor) noexcept nogil:
        cdef Held *held = <Held *>cursor
        held.next = self._free[held.table]
        self._free[held.table] = held

    cdef int _read(
        self, void *cursor, Blob *key, Slice *key_found, Slice *value, int operation
    ) noexcept nogil:
        cdef Blob found
        cdef int failed = lmdb.cursor_get((<Held *>cursor).cursor, key, &found, operation)
        if failed:
            return ABSENT if failed == LMDB_NOT_FOUND else self._failed(failed)
        key_found[0] = Slice(<const uint8_t *>key.data, key.size)
        value[0] = Slice(<const uint8_t *>found.data, found.size)
        return FOUND

    cdef int seek(
        self, void *cursor, const uint8_t *key, size_t size, Slice *key_found, Slice *value
    ) noexcept nogil:
        cdef Blob at = Blob(size, <void *>key)
        return self._read(cursor, &at, key_found, value, LMDB_SET_RANGE if size else LMDB_FIRST)

    cdef int next(self, void *cursor, Slice *key_found, Slice *value) noexcept nogil:
        cdef Blob at
        return self._read(cursor, &at, key_found, value, LMDB_NEXT)

    cdef int below(
        self, void *cursor, const uint8_t *key, size_t size, Slice *key_found, Slice *value
    ) noexcept nogil:
        cdef Blob at
        cdef int found
        if size == 0:
            return ABSENT
        found = self.seek(cursor, key, size, key_found, value)
        if found == FOUND and key_found.size == size and not memcmp(key_found.data, key, size):
            return FOUND
        if found == FAILED:
            return FAILED
        return self._read(
            cursor, &at, key_found, value, LMDB_PREVIOUS if found == FOUND else LMDB_LAST
        )

    cdef int write(self, Overlay changes) noexcept nogil:
        cdef void *txn = NULL
        cdef EnvironmentInfo before, after
        cdef bint plain = changes.bytes < PLAIN_BYTES
        cdef int failed
        if self._failure or self._env is NULL:
            return FAILED
        if vanban_forks != self._forks:
            return self._failed(EPERM)
        lmdb.env_info(self._env, &before)
        failed = lmdb.txn_begin(self._env, NULL, 0, &txn)
        if failed:
            return self._failed(failed)
        # Whoever opens the directory claims it before it begins a writing transaction of its
        # own, so from here on either the claim is seen or this commit is seen by them.
        if self._owner_disk is not None and self._owner_disk.claimed() != self._owner_epoch:
            lmdb.txn_abort(txn)
            return FAILED
        failed = apply_changes(txn, self._dbi, self._count, changes)
        if failed:
            lmdb.txn_abort(txn)
            return self._failed(failed)
        failed = lmdb.txn_commit(txn) if plain else self._commit(txn, before.last_transaction)
        if failed:
            return self._failed(true_reason(self._file, failed))
        lmdb.env_info(self._env, &after)
        failed = keep_ahead(
            self._file, &self._length, (after.last_page + 1) * self._page_size,
            (after.last_page - before.last_page) * self._page_size, self,
        )
        self.size = self._length
        return self._failed(failed) if failed else 0

    cdef int _commit(self, void *txn, uint64_t last) noexcept nogil:
        """Commit what is large, after the commit `last`: 0, or what failed."""
        cdef EnvironmentInfo info
        cdef int failed = note_commit(self._note, self._file, self._page_size, last)
        if failed:
            lmdb.txn_abort(txn)
            return failed
        lmdb.env_set_flags(self._env, LMDB_NO_SYNC, 1)
        failed = lmdb.txn_commit(txn)
        lmdb.env_set_flags(self._env, LMDB_NO_SYNC, 0)
        if failed:
            return failed
        lmdb.env_info(self._env, &info)
        return finish_commit(
            self._note, self._file, (info.last_page + 1) * self._page_size, self
        )

    def belong_to(self, Disk disk, uint64_t epoch):
        """Refuse to write once that disk was claimed for another opening than `epoch`."""
        self._owner_disk = disk
        self._owner_epoch = epoch

    def fault(self):
        """Return what the first failure was, as a StorageError, or None."""
        if self._failure == 0:
            return None
        if self._failure == NOT_SORTED:
            return StorageError(
                "store.failed", path=str(self._path), reason="the changes are not in order"
            )
        return refusal(self._failure, self._path, describe(self._failure))

    def info(self):
        """Return sizes by name: bytes of the map, the file, its used part; free pages; readers.

        Raises StorageError, ClosedError.
        """
        cdef EnvironmentInfo info
        cdef size_t free_pages = 0
        cdef int failed
        with self._gate.inside():
            self._raise_if(lmdb.env_info(self._env, &info))
            with nogil:
                failed = count_free(self._env, &free_pages)
            self._raise_if(failed)
            return {
                "map_bytes": info.map_size,
                "file_bytes": length_of(self._file),
                "used_bytes": self._used(),
                "free_pages": free_pages,
                "page_bytes": self._page_size,
                "readers": info.readers,
                "last_transaction": info.last_transaction,
            }

    def copy_still_to(self, path, tell, goes_on):
        """Write the file as it is: see `Base.copy_still_to`."""
        with self._gate.inside():
            return copy_file_into(Path(path), self._file, self._used(), tell, goes_on)

    def _used(self):
        cdef EnvironmentInfo info
        self._raise_if(lmdb.env_info(self._env, &info))
        return (info.last_page + 1) * self._page_size

    def copy_to(self, path):
        """Write the present state, compacted, as `path`/data.mdb; the directory may be there.

        Without the GIL, durable when it returns.  Meanwhile pages given up are not used
        again, so the file grows.  Raises StorageError (`store.exists`, `store.full`,
        …), ClosedError.
        """
        with self._gate.inside():
            copy_into(Path(path), self._copy)

    def _copy(self, int file):
        cdef int failed
        with nogil:
            failed = lmdb.env_copyfd2(self._env, file, LMDB_COMPACT)
        if failed > 0:
            raise OSError(failed, os.strerror(failed))
        self._raise_if(failed)

    cpdef void close(self):
        """Close the environment; idempotent.  No reading or write may be under way."""
        self._gate.shut()
        self._shut()
        if self._claim is not None:
            release(self._claim)
            self._claim = None

    cdef void _shut(self) noexcept:
        cdef Held *held
        cdef int table
        if self._note >= 0:
            close_file(self._note)
            self._note = -1
        if self._env is NULL:
            return
        for table in range(TABLES_MAX):
            if self._near[table] is not NULL and vanban_forks == self._forks:
                lmdb.cursor_close(self._near[table])
            self._near[table] = NULL
            while self._free[table] is not NULL:
                held = self._free[table]
                self._free[table] = held.next
                if vanban_forks == self._forks:
                    lmdb.cursor_close(held.cursor)
                free(held)
        if vanban_forks == self._forks:  # after a fork the environment is another's
            if self._reading is not NULL:
                lmdb.txn_abort(self._reading)
            with nogil:
                lmdb.env_close(self._env)
        self._reading = NULL
        self._env = NULL
        self._file = -1


cdef int count_free(void *env, size_t *pages) noexcept nogil:
    """Add up what LMDB's table of free pages says: 0 or what failed."""
    cdef void *txn = NULL
    cdef void *cursor = NULL
    cdef Blob key, value
    cdef size_t count
    cdef int failed = lmdb.txn_begin(env, NULL, LMDB_READ_ONLY, &txn)
    if failed:
        return failed
    failed = lmdb.cursor_open(txn, FREE_PAGES, &cursor)
    if not failed:
        failed = lmdb.cursor_get(cursor, &key, &value, LMDB_FIRST)
        while not failed:
            memcpy(&count, value.data, sizeof(count))  # a list begins with its length
            pages[0] += count
            failed = lmdb.cursor_get(cursor, &key, &value, LMDB_NEXT)
        lmdb.cursor_close(cursor)
    lmdb.txn_abort(txn)
    return 0 if failed == LMDB_NOT_FOUND else failed
