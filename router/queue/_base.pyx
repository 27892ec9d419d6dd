# cython: language_level=3
"""The base: the state at the last checkpoint; and the one that lies in memory.

`Base` is the contract of all of them (see the .pxd).  `MemoryBase` keeps each table as a
sorted array that never changes once made.  A write makes new arrays of the tables it touches and
puts them in place in one step, so a reading sees one state from `begin` to `end`, a copy
costs nothing, and a crash (the simulator's) leaves exactly the last state written.
"""

from cpython.bytes cimport PyBytes_FromStringAndSize
from libc.stdint cimport uint8_t
from libc.stdlib cimport free, malloc

from router.queue._bytes cimport ABSENT, FAILED, FOUND, Slice
from router.queue._overlay cimport TABLES_MAX, Overlay
from router.queue._sheets cimport (
    NO_MEMORY, NOT_SORTED, Position, Sheet, Version, compare, key_of, merge_tables, new_version,
    own_version, place_of, release_version, show, value_of,
)

from router.errors import ClosedError, StorageError
from router.limits import BASE_PAGE_ROWS

__all__ = ["Base", "MemoryBase"]


cdef extern from "<pthread.h>" nogil:
    int pthread_mutex_init(pthread_mutex_t *, void *)
    int pthread_mutex_lock(pthread_mutex_t *)
    int pthread_mutex_unlock(pthread_mutex_t *)
    int pthread_mutex_destroy(pthread_mutex_t *)


cdef enum:
    PLANNED = 3  # beside NO_MEMORY and NOT_SORTED


cdef class Base:
    """The state at the last checkpoint, table by table; keys and values are bytes.

    `tables` are the names of the tables; everywhere else a table is its index in them.  The
    Python methods are for dumps, statistics and tests: the caller keeps others from reading
    meanwhile, as the store's lock does for the compiled ones.
    """

    def __init__(self, tables):
        """Name the tables, at most 32 of them.  Raises ValueError when there are more."""
        names = tuple(tables)
        if len(names) > TABLES_MAX or len(set(names)) < len(names):
            raise ValueError(f"tables must be at most {TABLES_MAX} names, all different")
        self.tables = names

    def __reduce__(self):
        raise TypeError("a base is not pickled")

    cdef int begin(self) noexcept nogil:
        return FAILED

    cdef void end(self) noexcept nogil:
        pass

    cdef int get(self, int table, const uint8_t *key, size_t size, Slice *value) noexcept nogil:
        return FAILED

    cdef void *cursor(self, int table) noexcept nogil:
        return NULL

    cdef void done(self, void *cursor) noexcept nogil:
        pass

    cdef int seek(
        self, void *cursor, const uint8_t *key, size_t size, Slice *key_found, Slice *value
    ) noexcept nogil:
        return FAILED

    cdef int next(self, void *cursor, Slice *key_found, Slice *value) noexcept nogil:
        return FAILED

    cdef int below(
        self, void *cursor, const uint8_t *key, size_t size, Slice *key_found, Slice *value
    ) noexcept nogil:
        return FAILED

    cdef int write(self, Overlay changes) noexcept nogil:
        return FAILED

    cpdef void close(self):
        """Release what the base holds; idempotent.  Nothing may be reading or writing."""

    def fault(self):
        """Return what the first failure was, as a StorageError, or None."""
        return None

    def info(self):
        """Return sizes by name, for statistics: bytes, pages, readers, rows."""
        return {}

    def copy_still_to(self, path, tell, goes_on):
        """Write the file as it is as `path`/data.mdb, without a reading: nobody may write to it.

        `tell`, if any, gets the bytes copied; when `goes_on()` is false nothing is left, and
        False is returned.  Raises StorageError, ClosedError; NotImplementedError: no file.
        """
        raise NotImplementedError

    def copy_to(self, path):
        """Write the present state as `path`/data.mdb.  NotImplementedError: none on disk."""
        raise NotImplementedError

    def value(self, int table, bytes key not None):
        """Return the value of a key, or None.  Raises StorageError, IndexError."""
        cdef Slice found
        self._check(table)
        if self.begin() == FAILED:
            raise self._reason()
        try:
            status = self.get(table, key, len(key), &found)
            if status == FAILED:
                raise self._reason()
            return bytes_of(found) if status == FOUND else None
        finally:
            self.end()

    def items(self, int table, bytes start=b"", bytes stop=None):
        """Iterate (key, value) from `start` up to, not with, `stop`, in order of keys.

        Read in short pieces, so what is written meanwhile may show.  Raises StorageError,
        IndexError.
        """
        self._check(table)
        return self._iterate(table, start, stop)

    def last_below(self, int table, bytes key not None):
        """Return (key, value) of the last key not above this one, or None."""
        cdef Slice found, value
        cdef void *cursor
        self._check(table)
        if self.begin() == FAILED:
            raise self._reason()
        cursor = self.cursor(table)
        try:
            status = FAILED
            if cursor is not NULL:
                status = self.below(cursor, key, len(key), &found, &value)
            if status == FAILED:
                raise self._reason()
            return (bytes_of(found), bytes_of(value)) if status == FOUND else None
        finally:
            if cursor is not NULL:
                self.done(cursor)
            self.end()

    def apply(self, Overlay changes not None):
        """Write an overlay durably, all or nothing.  Raises StorageError.

        Gives up the GIL; may run on another thread while others read.
        """
        cdef int status
        with nogil:
            status = changes.sort()
            if status != FAILED:
                status = self.write(changes)
        if status == FAILED:
            raise self._reason()

    def _iterate(self, int table, bytes start, bytes stop):
        while True:
            page = self._page(table, start, stop)
            yield from page
            if len(page) < BASE_PAGE_ROWS:
                return
            start = page[len(page) - 1][0] + b"\0"  # these modules do not count from the end

    def _page(self, int table, bytes start, bytes stop):
        cdef Slice key, value
        cdef void *cursor
        cdef list rows = []
        if self.begin() == FAILED:
            raise self._reason()
        cursor = self.cursor(table)
        try:
            status = FAILED
            if cursor is not NULL:
                status = self.seek(cursor, start, len(start), &key, &value)
            while status == FOUND and len(rows) < BASE_PAGE_ROWS:
                found = bytes_of(key)
                if stop is not None and found >= stop:
                    break
                rows.append((found, bytes_of(value)))
                status = self.next(cursor, &key, &value)
            if status == FAILED:
                raise self._reason()
            return rows
        finally:
            if cursor is not NULL:
                self.done(cursor)
            self.end()

    def _check(self, int table):
        if not 0 <= table < len(self.tables):
            raise IndexError(f"there is no table {table}")

    def _reason(self):
        return self.fault() or ClosedError("engine.closed")


cdef bytes bytes_of(Slice data):
    return PyBytes_FromStringAndSize(<const char *>data.data, <Py_ssize_t>data.size)


cdef class MemoryBase(Base):
    """A base in memory, for the simulator and for stores that need not survive.

    `fail_after(n)` lets a later write fail, as a bad or full disk would; what was written
    before stays readable, and `copy()` is what a process finds that opens it again.
    """

    def __cinit__(self, *_):
        pthread_mutex_init(&self._guard, NULL)
        self._writes_left = -1

    def __init__(self, tables):
        """Name the tables; all are empty."""
        super().__init__(tables)
        release_version(self._current)
        self._current = new_version(<int>len(self.tables))
        if self._current is NULL:
            raise MemoryError

    def __dealloc__(self):
        release_version(self._reading)
        release_version(self._current)
        pthread_mutex_destroy(&self._guard)

    cdef int begin(self) noexcept nogil:
        if self._depth == 0:
            pthread_mutex_lock(&self._guard)
            if not self._closed:
                self._reading = self._current
                own_version(self._reading)
            pthread_mutex_unlock(&self._guard)
            if self._reading is NULL:
                return FAILED
        self._depth += 1
        return 0

    cdef void end(self) noexcept nogil:
        self._depth -= 1
        if self._depth == 0:
            release_version(self._reading)
            self._reading = NULL

    cdef int get(self, int table, const uint8_t *key, size_t size, Slice *value) noexcept nogil:
        cdef Sheet *sheet = self._reading.sheets[table]
        cdef size_t at = place_of(sheet, key, size)
        if at == sheet.count or compare(key_of(sheet.entries[at]), key, size):
            return ABSENT
        value[0] = value_of(sheet.entries[at])
        return FOUND

    cdef void *cursor(self, int table) noexcept nogil:
        cdef Position *position = <Position *>malloc(sizeof(Position))
        if position is not NULL:
            position.sheet = self._reading.sheets[table]
            position.at = 0
        return position

    cdef void done(self, void *cursor) noexcept nogil:
        free(cursor)

    cdef int seek(
        self, void *cursor, const uint8_t *key, size_t size, Slice *key_found, Slice *value
    ) noexcept nogil:
        cdef Position *position = <Position *>cursor
        position.at = place_of(position.sheet, key, size)
        return show(position, key_found, value)

    cdef int next(self, void *cursor, Slice *key_found, Slice *value) noexcept nogil:
        cdef Position *position = <Position *>cursor
        if position.at < position.sheet.count:
            position.at += 1
        return show(position, key_found, value)

    cdef int below(
        self, void *cursor, const uint8_t *key, size_t size, Slice *key_found, Slice *value
    ) noexcept nogil:
        cdef Position *position = <Position *>cursor
        position.at = place_of(position.sheet, key, size)
        if show(position, key_found, value) == FOUND and not compare(key_found[0], key, size):
            return FOUND
        if position.at == 0:
            return ABSENT
        position.at -= 1
        return show(position, key_found, value)

    cdef int write(self, Overlay changes) noexcept nogil:
        cdef Version *made
        cdef Version *old = NULL
        cdef int status = PLANNED if self._writes_left == 0 else 0
        if self._failure or self._closed:
            return FAILED
        # Only a write changes _current, so reading it here needs no guard.
        made = NULL if status else new_version(self._current.count)
        if made is NULL:
            self._failure = status or NO_MEMORY
            return FAILED
        status = merge_tables(made, self._current, changes)
        if status:
            release_version(made)
            self._failure = status
            return FAILED
        pthread_mutex_lock(&self._guard)
        old = self._current
        self._current = made
        pthread_mutex_unlock(&self._guard)
        release_version(old)
        if self._writes_left > 0:
            self._writes_left -= 1
        return 0

    cpdef void close(self):
        """Forget nothing, but refuse every later call; `copy` still works."""
        self._closed = True

    def fault(self):
        """Return what the first failure was, as a StorageError, or None."""
        if self._failure == 0:
            return None
        if self._failure == PLANNED and self._full:
            return StorageError("store.full")
        reasons = {NO_MEMORY: "no memory", NOT_SORTED: "the changes are not in order"}
        return StorageError("store.failed", reason=reasons.get(self._failure, "a planned failure"))

    def info(self):
        """Return the number of rows, of all tables and of each (`rows.NAME`)."""
        cdef Version *version
        pthread_mutex_lock(&self._guard)
        version = self._current
        own_version(version)
        pthread_mutex_unlock(&self._guard)
        counts = [version.sheets[table].count for table in range(version.count)]
        release_version(version)
        named = {f"rows.{name}": n for name, n in zip(self.tables, counts, strict=True)}
        return {"rows": sum(counts), **named}

    def fail_after(self, int writes, *, bint full=False):
        """Let the write after so many further ones fail (`full`: as on a full disk)."""
        self._writes_left = writes
        self._full = full

    def copy(self):
        """Return a base of its own with what the last good write left.  Costs no copying."""
        cdef MemoryBase other = MemoryBase(self.tables)
        release_version(other._current)
        pthread_mutex_lock(&self._guard)
        other._current = self._current
        own_version(other._current)
        pthread_mutex_unlock(&self._guard)
        return other
