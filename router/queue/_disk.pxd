# cython: language_level=3
"""The files of one directory, as the log sees them.

Every call of the C face returns a number that is not negative, or -errno.
"""

from libc.stdint cimport int64_t, uint8_t, uint64_t


cdef class Disk:
    cdef int open(self, const char *name, bint create) noexcept nogil
    cdef int close(self, int file) noexcept nogil
    cdef int64_t size(self, int file) noexcept nogil
    cdef int64_t read(self, int file, void *into, size_t count, uint64_t offset) noexcept nogil
    cdef int64_t write(
        self, int file, const void *data, size_t count, uint64_t offset
    ) noexcept nogil
    cdef int flush(self, int file) noexcept nogil
    cdef int flush_names(self) noexcept nogil
    cdef int reserve(self, int file, uint64_t size) noexcept nogil
    cdef int extend(self, int file, uint64_t size) noexcept nogil
    cdef int truncate(self, int file, uint64_t size) noexcept nogil
    cdef int rename(self, const char *name, const char *new_name) noexcept nogil
    cdef int remove(self, const char *name) noexcept nogil
    cdef int claim(self, uint64_t epoch) noexcept nogil     # EPOCH says so, flushed
    cdef uint64_t claimed(self) noexcept nogil              # what EPOCH says now; 0: nothing
    cdef uint64_t salt(self) noexcept nogil                 # unlike any before
    cpdef list names(self)
    cpdef object free_bytes(self)


cdef class PosixDisk(Disk):
    cdef readonly str path
    cdef int directory
    cdef uint64_t *epoch_word   # EPOCH, mapped; NULL until first asked for
    cdef int map_epoch(self, bint create) noexcept nogil
