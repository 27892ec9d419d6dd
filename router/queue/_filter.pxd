# cython: language_level=3
"""Names that are surely not there, known without looking."""

from libc.stdint cimport uint8_t, uint64_t


cdef enum:
    FILTERS_MAX = 12


cdef class Filter:
    cdef uint64_t *bits[FILTERS_MAX]
    cdef uint64_t lines[FILTERS_MAX]     # of 64 bytes each, a power of two
    cdef uint64_t names[FILTERS_MAX]
    cdef int count
    cdef readonly bint complete          # holds every name there is; else it answers yes
    cdef readonly uint64_t bytes
    cdef uint64_t bytes_max

    cdef void add(self, const uint8_t *digest) noexcept nogil
    cdef void fetch(self, const uint8_t *digest) noexcept nogil
    cdef bint may_hold(self, const uint8_t *digest) noexcept nogil
    cdef int grow(self) noexcept nogil
    cdef void give_up(self) noexcept nogil
