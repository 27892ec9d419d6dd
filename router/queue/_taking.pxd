# cython: language_level=3
"""Callers' wishes on their way into the pipeline."""

from libc.stdint cimport uint64_t

from router.queue._pipeline cimport Ticket
from router.queue._readings cimport Places, Readings


cdef class Taking(Readings):
    cdef dict waiting    # what queued tickets refer to, by number
    cdef uint64_t numbers

    cdef Ticket *ticket_of(self, list records, bint documents) except NULL
    cdef int raise_outcome(self, int outcome) except -1
    cdef int admit(self, Ticket *ticket) except -1
    cdef int have_settled(
        self, Ticket *ticket, bytes actor, bytes reasons, Places places
    ) except -1


cdef object refusal_of(int outcome)
