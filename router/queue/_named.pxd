# cython: language_level=3
"""Who was written to by name, and how much of that is open."""

from libc.stdint cimport uint8_t, uint32_t

from router.queue._state cimport State


cdef bint by_name(const uint8_t *posting, uint32_t *address) noexcept nogil
cdef uint8_t named_among(const uint8_t *at, size_t size, uint32_t members) noexcept nogil
cdef uint32_t overfull(
    State state, const uint8_t *at, size_t size, uint32_t pending_max
) noexcept nogil
cdef void count_named(
    State state, uint8_t named, const uint8_t *audience, const uint8_t *at, size_t size
) noexcept nogil
cdef void count_pending(
    State state, const uint8_t *row, uint32_t rank, uint32_t address, int by
) noexcept nogil
