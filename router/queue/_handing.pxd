# cython: language_level=3
"""Deliveries on their way out."""

from libc.stdint cimport uint64_t

from router.queue._leased cimport Leased
from router.queue._log_reads cimport Wanted
from router.queue._moves cimport Changes
from router.queue._taking cimport Taking
from router.queue._walk cimport Walk


cdef class Handing(Taking):
    cdef void hand_out(self, Walk *found, Changes *changes, bint look) noexcept nogil
    cdef uint64_t look_in(self, Walk *found, Changes *changes) noexcept nogil
    cdef list with_bodies(self, Walk *found)
    cdef Leased handed(self, const Wanted *wanted, const Walk *found, bytes kept)
