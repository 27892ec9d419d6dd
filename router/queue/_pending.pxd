# cython: language_level=3
"""How many open deliveries were written to each address by name."""

cimport cython
from libc.stdint cimport uint32_t, uint64_t


@cython.final  # called for each recipient of a list: directly, not through a table
cdef class Pending:
    # One slot an address: address (32 bits), used, changed since it was last written, count (30).
    cdef uint64_t *slots
    cdef uint32_t bits       # the number of slots is 2 to this
    cdef uint32_t used

    cdef void fetch(self, uint32_t address) noexcept nogil
    cdef uint32_t get(self, uint32_t address) noexcept nogil
    cdef int add(self, uint32_t address, int by) noexcept nogil   # 0, or FAILED (no memory)
    cdef int set(self, uint32_t address, uint32_t count) noexcept nogil
    cdef bint next_changed(self, size_t *at, uint32_t *address, uint32_t *count) noexcept nogil
    cdef uint64_t *find(self, uint32_t address) noexcept nogil
    cdef uint64_t *make(self, uint32_t address) noexcept nogil
    cdef int grow(self) noexcept nogil
