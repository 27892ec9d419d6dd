# cython: language_level=3
"""Entries after acceptance: those that join later, and those that move as a whole."""

from libc.stdint cimport uint8_t, uint64_t

from router.queue._bytes cimport Slice
from router.queue._moves cimport Counters
from router.queue._state cimport State


cdef int apply_join(
    State state, Counters *counters, const uint8_t *record, size_t size, uint64_t sequence
) noexcept nogil
cdef int apply_entry(
    State state, Counters *counters, const uint8_t *record, size_t size, uint64_t sequence
) noexcept nogil
cdef int apply_feed(
    State state, const uint8_t *record, size_t size, uint64_t sequence
) noexcept nogil
cdef int apply_room(
    State state, Counters *counters, const uint8_t *record, size_t size, uint64_t sequence
) noexcept nogil

# Whether joinings came too late: something they hand out anew is not dead any more.
cdef bint overtaken(State state, const Slice *made, size_t count) noexcept nogil
