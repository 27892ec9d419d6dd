# cython: language_level=3
"""Makes what a caller sees of the answers of the tables."""

from router._audience cimport Audience
from router._decide_conditions cimport Answer
from libc.stdint cimport int64_t, uint32_t


cdef class Teller:
    cdef object helper
    cdef object decision
    cdef object held_part
    cdef tuple refusals
    cdef uint32_t[:] approvals
    cdef Audience nobody
    cdef object version

    cdef list tell(self, Answer *answers, list given, bytes terms)
    cdef object show(self, Answer *answer, Audience given, bytes terms, Instants known)
    cdef tuple show_held(self, Answer *answer, bytes terms, Instants known)
    cdef object show_part(self, Answer *answer, size_t place, const int64_t *instants,
                          Instants known)


cdef class Instants:
    cdef int64_t[4] values
    cdef list made
    cdef uint32_t next

    cdef object of(self, int64_t value)
