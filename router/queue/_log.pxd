# cython: language_level=3
"""The segment log: records framed into groups, one flush a group."""

from libc.stdint cimport uint8_t, uint32_t, uint64_t

from router.queue._bytes cimport Slice, Spot
from router.queue._log_reads cimport Wanted
from router.queue._log_writer cimport LogWriter
from router.queue._recovery cimport SegmentReader
from router.queue._segments cimport Stretch


cdef class Visitor:
    # 0: go on; FAILED: stop.  The bytes are valid during the call only.
    cdef int record(
        self, uint64_t sequence, const uint8_t *data, size_t size, Spot spot
    ) noexcept nogil


cdef class SegmentLog(LogWriter):
    # Of LogWriter: epoch, last, flushed, added_bytes, disk; add, write, flush, wanting,
    # prepare, cut_below, close.
    cdef SegmentReader reader            # of the opening and of replays
    cdef Stretch *stretches              # what this opening kept above the checkpoint
    cdef size_t stretch_count
    cdef int replay(self, Visitor visitor) noexcept nogil
    cdef int read(
        self, Spot start, uint64_t sequence, uint8_t **into, size_t *size
    ) noexcept nogil
    cdef int read_many(self, Wanted *wanted, size_t count, uint8_t *into) noexcept nogil
    cpdef object fault(self)
    cpdef object read_fault(self)
    cpdef uint64_t bytes_since(self, uint64_t sequence)
    cdef int _copy_tail(self, uint64_t first, uint32_t number) except? -5
    cdef int _add_stretch(self, size_t kept, uint32_t number, uint64_t first) noexcept
