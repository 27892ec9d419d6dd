# cython: language_level=3
"""Reading single records of the log beside its writer."""

from libc.stdint cimport uint8_t, uint32_t, uint64_t

from router.queue._bytes cimport Spot
from router.queue._segments cimport Segments


cdef struct Wanted:  # a record to be read with its frame's head
    Spot spot
    uint64_t sequence
    size_t at             # where its frame goes; there is room for all of it
    uint32_t move         # its asker's
    bint moved            # it lies elsewhere: `read_record` finds it


cdef int read_record(
    Segments segments, Spot start, uint64_t sequence, uint8_t **into, size_t *size
) noexcept nogil
cdef int read_frames(
    Segments segments, Wanted *wanted, size_t count, uint8_t *into
) noexcept nogil
