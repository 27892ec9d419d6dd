# cython: language_level=3
"""The store as its callers have it."""

from libc.stdint cimport uint8_t, uint64_t

from router.queue._log cimport Visitor
from router.queue._moves cimport Changes
from router.queue._pipeline cimport Ticket
from router.queue._readings cimport Readings
from router.queue._walk cimport Walk


cdef class Replay(Visitor):
    cdef Store store


cdef class Store(Readings):
    cdef dict waiting    # what queued tickets refer to, by number
    cdef uint64_t numbers

    cdef Ticket *ticket_of(self, list records, bint documents) except NULL
    cdef int raise_outcome(self, int outcome) except -1
    cdef int admit(self, Ticket *ticket) except -1
    cdef void hand_out(self, Walk *found, Changes *changes, bint look) noexcept nogil
    cdef uint64_t look_in(self, Walk *found, Changes *changes) noexcept nogil
    cdef list with_bodies(self, Walk *found)
