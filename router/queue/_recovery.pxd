# cython: language_level=3
"""What a log holds when it is opened: which records are kept, and what is damage."""

from libc.stdint cimport uint8_t, uint32_t, uint64_t

from router.queue._bytes cimport Spot
from router.queue._disk cimport Disk
from router.queue._segments cimport Frame, Segment, Segments, Stretch


cdef class SegmentReader:  # one segment from front to back, through a window
    cdef Disk disk
    cdef int file
    cdef int error
    cdef uint32_t seed
    cdef uint64_t size
    cdef uint8_t *window
    cdef size_t capacity
    cdef uint64_t start
    cdef size_t held
    cdef int open(self, const Segment *segment) noexcept nogil
    cdef void close(self) noexcept nogil
    cdef int look(self, uint64_t offset, size_t need, size_t *room) noexcept nogil
    cdef int frame(self, uint64_t offset, Frame *frame, const uint8_t **data) noexcept nogil
    cdef int mark_from(
        self, uint64_t offset, uint64_t expected, uint64_t *place
    ) noexcept nogil


cdef class Recovery:
    cdef Disk disk
    cdef Segments segments
    cdef SegmentReader reader
    cdef readonly uint64_t checkpoint
    cdef readonly uint64_t expected      # the sequence after the last that is kept
    cdef readonly uint64_t mark          # highest sequence known to be durable
    cdef uint64_t epoch                  # of the segments being walked
    cdef Stretch *stretches              # kept records above the checkpoint
    cdef size_t count
    cdef size_t capacity
    cdef readonly uint32_t end_segment   # where what is kept ends; 0: nowhere
    cdef readonly uint64_t end_offset
    cdef int keep(self, uint32_t segment, uint64_t offset, uint64_t sequence) noexcept nogil
    cdef void cut_off(self, uint64_t first) noexcept nogil
    cdef int walk_frames(
        self, const Segment *segment, uint64_t offset, uint64_t *kept, uint64_t *end
    ) noexcept nogil
    cdef int _load_one(self, uint32_t number, Segment *segment) except -1
    cdef bint _joins(self, Segment *segment) except -1
    cdef bint _stands_again(self, size_t index) except -1
    cdef int _check_spot(self, Segment *segment, uint64_t offset) except -1
