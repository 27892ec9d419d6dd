# cython: language_level=3
"""A delivery as it is handed out."""

from libc.stdint cimport int64_t, uint32_t, uint64_t


cdef class Leased:
    cdef readonly uint64_t sequence
    cdef readonly uint32_t lane
    cdef readonly uint32_t attempt
    cdef readonly int64_t accepted_at
    cdef bytes kept            # holds its record, maybe among those of others
    cdef size_t key_at
    cdef size_t envelope_at
    cdef size_t facts_at
    cdef size_t end
    cdef bytes cut(self, size_t start, size_t stop)
    cdef tuple fields(self)


cdef Leased leased_of(
    bytes kept, size_t start, size_t size, uint64_t sequence, uint32_t lane, uint32_t attempt
)
