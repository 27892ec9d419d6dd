# cython: language_level=3
"""The segment log: records framed into groups, one flush a group."""

from libc.stdint cimport uint8_t, uint32_t, uint64_t

from router.queue._bytes cimport Slice, Spot
from router.queue._disk cimport Disk
from router.queue._segments cimport Fault, Segments, pthread_mutex_t


cdef class Visitor:
    # 0: go on; FAILED: stop.  The bytes are valid during the call only.
    cdef int record(
        self, uint64_t sequence, const uint8_t *data, size_t size, Spot spot
    ) noexcept nogil


cdef struct Stretch:  # kept records that lie one after the other in one segment
    uint32_t segment
    uint32_t offset
    uint64_t first
    uint64_t stop         # the sequence after the last


cdef class SegmentLog:
    cdef readonly uint64_t epoch
    cdef readonly uint64_t last          # highest sequence given
    cdef readonly uint64_t flushed       # highest sequence known to be durable
    cdef readonly uint64_t added_bytes   # of all frames added since this opening
    cdef readonly Disk disk
    cdef Segments segments
    cdef Fault trouble
    # the segment being written
    cdef uint32_t number
    cdef uint32_t seed
    cdef int file
    cdef uint64_t end                    # where the buffer goes
    cdef uint64_t room                   # size of the file
    cdef bint dirty                      # written, not flushed
    cdef uint8_t *buffer
    cdef size_t filled
    cdef size_t capacity
    # the segment made ahead; guarded by `making`
    cdef pthread_mutex_t making
    cdef uint32_t numbers                # highest number given to a segment
    cdef uint32_t ready                  # number of the one that is ready; 0: none
    cdef uint64_t ready_bytes
    cdef bint busy                       # one is being made
    cdef uint64_t next_bytes
    cdef uint64_t bytes_max
    cdef Stretch *stretches
    cdef size_t stretch_count

    cdef int replay(self, Visitor visitor) noexcept nogil
    cdef int add(
        self, const Slice *parts, int count, uint64_t *sequence, Spot *spot
    ) noexcept nogil
    cdef int write(self) noexcept nogil
    cdef int flush(self) noexcept nogil
    cdef int read(
        self, Spot start, uint64_t sequence, uint8_t **into, size_t *size
    ) noexcept nogil
    cdef bint wanting(self) noexcept nogil
    cdef int prepare(self) noexcept nogil
    cdef int cut_below(self, uint64_t before) noexcept nogil
    cpdef object fault(self)
    cpdef void close(self)
