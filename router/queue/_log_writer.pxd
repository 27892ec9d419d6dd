# cython: language_level=3
"""The writer of the log: frames, groups, and one segment after the other."""

from libc.stdint cimport uint8_t, uint32_t, uint64_t

from router.queue._bytes cimport Slice, Spot
from router.queue._disk cimport Disk
from router.queue._segments cimport Fault, Header, Segments, pthread_mutex_t


cdef const char *AHEAD
cdef const char *OPENING


cdef class LogWriter:
    cdef readonly uint64_t epoch
    cdef readonly uint64_t last          # highest sequence given
    cdef readonly uint64_t flushed       # highest sequence known to be durable
    cdef readonly uint64_t added_bytes   # of all frames added since this opening
    cdef readonly Disk disk
    cdef Segments segments
    cdef Fault trouble
    cdef bint shut
    # the segment being written
    cdef uint32_t number
    cdef uint32_t seed
    cdef int file
    cdef uint64_t end                    # where the buffer goes
    cdef uint64_t room                   # size of the file
    cdef uint64_t written                # highest sequence in the file, flushed or not
    cdef bint dirty                      # something is written and not flushed
    cdef uint8_t *buffer
    cdef size_t filled                   # not written yet
    cdef size_t kept                     # of the page at `end`, written, before it in the buffer
    cdef size_t capacity
    # the segment made ahead; guarded by `making`
    cdef pthread_mutex_t making
    cdef uint32_t numbers                # highest number given to a segment
    cdef Header ready                    # of the one that is ready; segment 0: none
    cdef uint64_t ready_bytes
    cdef bint busy                       # one is being made
    cdef uint64_t next_bytes
    cdef uint64_t bytes_max

    cdef int add(
        self, const Slice *parts, int count, uint64_t *sequence, Spot *spot
    ) noexcept nogil
    cdef int write(self) noexcept nogil
    cdef int flush(self) noexcept nogil
    cdef void drop(self) noexcept nogil
    cdef bint wanting(self) noexcept nogil
    cdef int prepare(self) noexcept nogil
    cdef int number_ahead(self, int file, Header *header) noexcept nogil
    cdef int cut_below(self, uint64_t before) noexcept nogil
    cpdef void close(self)

    cdef int blame(self, int kind, int error) noexcept nogil
    cdef int sound(self) noexcept nogil
    cdef int frame(
        self, const Slice *parts, int count, size_t length, uint64_t sequence, uint64_t mark
    ) noexcept nogil
    cdef int spill(self) noexcept nogil
    cdef int roll(self) noexcept nogil
    cdef int make(
        self, const char *name, Header *header, uint64_t size, uint64_t step
    ) noexcept nogil
    cdef int settle(self, const char *name, uint32_t number) noexcept nogil
    cdef int go_to(self, const Header *header, int file, uint64_t first) noexcept nogil
