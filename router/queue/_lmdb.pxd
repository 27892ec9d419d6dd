# cython: language_level=3
"""The base in LMDB, read and written without the GIL (see `_base.pxd` for the contract)."""

from libc.stdint cimport uint64_t

from router.queue._base cimport Base
from router.queue._bytes cimport Slice
from router.queue._disk cimport Disk
from router.queue._lmdb_calls cimport Blob
from router.queue._overlay cimport TABLES_MAX, Overlay


ctypedef struct Held:  # a cursor of the reading transaction, kept for the next reading
    void *cursor
    int table
    Held *next


cdef class LmdbBase(Base):
    cdef object _path            # the directory, a Path
    cdef tuple _claim
    cdef object _gate            # for `info` and `copy_to`
    cdef int _forks              # before it was opened: a child must leave it alone
    cdef int _count              # of tables
    cdef void *_env
    cdef void *_reading          # reset between readings
    cdef int _depth
    cdef unsigned int _dbi[TABLES_MAX]
    cdef Held *_free[TABLES_MAX]
    cdef void *_near[TABLES_MAX]     # where `get` found something last, by table
    cdef uint64_t _near_as_of[TABLES_MAX]
    cdef uint64_t _readings          # begun so far
    cdef int _failure            # 0, or the number of what failed first
    cdef int _file
    cdef int _note               # the file of `note_commit`
    cdef size_t _page_size
    cdef uint64_t _length        # of the file; only `write` changes it
    cdef Disk _owner_disk        # says who owns the directory now, or None
    cdef uint64_t _owner_epoch

    cdef uint64_t _open_file(self, const char *path, size_t map_bytes) except? 0
    cdef int _failed(self, int number) noexcept nogil
    cdef int _open_tables(self, void *txn, const char **names, int count) noexcept nogil
    cdef int _read(
        self, void *cursor, Blob *key, Slice *key_found, Slice *value, int operation
    ) noexcept nogil
    cdef int _come_near(self, int table) noexcept nogil
    cdef int _commit(self, void *txn, uint64_t last) noexcept nogil
    cdef void _shut(self) noexcept
