# cython: language_level=3
"""The base: the state at the last checkpoint, below the overlays.

Calls come under the store's lock and without the GIL, but for `write`, which may run on
another thread while others read: they see the state from before until their next `begin`.
What goes wrong is FAILED; `fault()` then says what, and every later `write` fails too.
"""

from libc.stdint cimport uint8_t, uint64_t

from router.queue._bytes cimport Slice
from router.queue._overlay cimport Overlay
from router.queue._sheets cimport Version


cdef extern from "<pthread.h>" nogil:
    ctypedef struct pthread_mutex_t:
        pass


cdef class Base:
    cdef readonly tuple tables  # names; a table's number is its index
    cdef uint64_t size    # of the file, about; 0 in memory
    # What a writer on another thread looks at now and then.
    cdef uint64_t beside  # flushes of the log so far: it leaves room between them
    cdef bint hurry       # callers wait for it

    # Bracket every reading; brackets nest.  Slices and cursors are valid in between.
    # 0 or FAILED; after FAILED there is nothing to end.
    cdef int begin(self) noexcept nogil
    cdef void end(self) noexcept nogil
    # FOUND, ABSENT or FAILED.
    cdef int get(self, int table, const uint8_t *key, size_t size, Slice *value) noexcept nogil
    # A position in a table, or NULL (FAILED); to be given back by `done` before `end`.
    cdef void *cursor(self, int table) noexcept nogil
    cdef void done(self, void *cursor) noexcept nogil
    # The first key >= key (size 0: the first of all): FOUND, ABSENT or FAILED.
    cdef int seek(
        self, void *cursor, const uint8_t *key, size_t size, Slice *key_found, Slice *value
    ) noexcept nogil
    # The key after the one found last.
    cdef int next(self, void *cursor, Slice *key_found, Slice *value) noexcept nogil
    # The last key <= key.
    cdef int below(
        self, void *cursor, const uint8_t *key, size_t size, Slice *key_found, Slice *value
    ) noexcept nogil
    # All of a sorted overlay in one durable transaction: 0, or FAILED and nothing of it.
    cdef int write(self, Overlay changes) noexcept nogil
    cpdef void close(self)


cdef class MemoryBase(Base):
    cdef Version *_current
    cdef pthread_mutex_t _guard  # guards _current
    cdef Version *_reading       # as of `begin`
    cdef int _depth
    cdef int _writes_left        # before one fails on purpose; below 0: none does
    cdef bint _full              # and that one as a full disk
    cdef int _failure            # 0, or how the first failed write failed
    cdef bint _closed
