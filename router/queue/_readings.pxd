# cython: language_level=3
"""What can be read of a store."""

from libc.stdint cimport uint64_t

from router.queue._bytes cimport Spot
from router.queue._pipeline cimport Pipeline
from router.queue._walk cimport Positions


cdef class Places:
    cdef bytes snapshots
    cdef bytes places
    cdef Positions positions

    cdef list unknown(self)


cdef class Readings(Pipeline):
    cdef object store_fault

    cdef object failure(self)
    cdef int check(self) except -1
    cdef object unwrapped(self, uint64_t sequence, bytes stored)
    cdef int locate(self, uint64_t sequence, Spot *spot) noexcept nogil
