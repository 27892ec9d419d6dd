# cython: language_level=3
"""Segment files: their format, and the table of those there are."""

from libc.stdint cimport uint8_t, uint32_t, uint64_t

from router.queue._disk cimport Disk

cdef extern from "pthread.h" nogil:
    ctypedef struct pthread_mutex_t:
        pass


cdef enum:
    HEADER_BYTES = 4096
    FRAME_BYTES = 24      # before the payload: checksum, length, sequence, flushed mark
    FILES_MAX = 64        # files kept open for reading
    NAME_BYTES = 16       # "00000001.seg" and its end

cdef enum:  # what is wrong
    FINE = 0
    BROKEN = 1            # a call to the disk failed: `error`
    FULL = 2
    DAMAGED = 3           # bytes that were flushed are not what was written
    FENCED = 4            # another owner has opened this directory
    SHUT = 5              # closed

cdef enum:
    REFUSED = -2          # a record without bytes, or larger than a record may be; nothing is lost


cdef struct Fault:
    int kind
    int error             # errno
    uint32_t segment
    uint64_t offset
    uint64_t sequence


cdef struct Header:
    uint32_t segment
    uint64_t epoch
    uint64_t salt
    uint64_t first        # of an opening's first segment; 0: the first frame tells
    uint64_t flushed      # known to be durable when the segment was made


cdef struct Segment:
    uint32_t number
    uint32_t seed         # where its checksums start
    bint opening          # the first of an opening: cuts off what lies before it
    uint64_t epoch
    uint64_t first        # lowest sequence; 0: holds no record
    uint64_t flushed      # of its header
    uint64_t bytes        # of the file


cdef struct Stretch:  # kept records that lie one after the other in one segment
    uint32_t segment
    uint32_t offset
    uint64_t first
    uint64_t stop         # the sequence after the last


cdef struct Frame:
    uint32_t length
    uint64_t sequence
    uint64_t flushed


cdef struct OpenFile:
    uint32_t segment      # 0: a free place
    int file
    int users
    bint doomed           # to be closed by its last user
    uint64_t used


cdef size_t frame_bytes(size_t length) noexcept nogil
cdef void write_header(uint8_t *page, const Header *header) noexcept nogil
cdef int read_header(const uint8_t *page, Header *header) noexcept nogil
cdef uint32_t seed_of(const Header *header) noexcept nogil
cdef void seal_frame(
    uint8_t *at, uint32_t length, uint64_t sequence, uint64_t flushed, uint32_t seed
) noexcept nogil
cdef bint read_frame(
    const uint8_t *at, size_t room, uint32_t seed, Frame *frame
) noexcept nogil
cdef void name_of(uint32_t segment, char *name) noexcept nogil


cdef class Segments:
    cdef readonly Disk disk
    cdef pthread_mutex_t mutex     # guards all below
    cdef Segment *items            # by number
    cdef size_t count
    cdef size_t capacity
    cdef OpenFile files[FILES_MAX]
    cdef uint64_t clock
    cdef Fault fault               # of the last failed reading
    cdef int append(self, const Segment *segment) noexcept nogil
    cdef void set_first(self, uint32_t number, uint64_t first, uint64_t size) noexcept nogil
    cdef int find(self, uint32_t number, Segment *segment) noexcept nogil
    cdef int find_sequence(self, uint64_t sequence, Segment *segment) noexcept nogil
    cdef int place_for(self) noexcept nogil
    cdef int hold(self, uint32_t number) noexcept nogil
    cdef int acquire(self, uint32_t number, OpenFile *held) noexcept nogil
    cdef void let_go(self, OpenFile *held) noexcept nogil
    cdef void doom(self, int i) noexcept nogil
    cdef void forget(self, uint32_t number) noexcept nogil
    cdef uint32_t oldest_below(self, uint64_t before) noexcept nogil
    cdef uint64_t bytes_above(self, uint64_t sequence, uint64_t last, uint64_t end) noexcept nogil
    cdef uint64_t bytes_all(self) noexcept nogil
    cdef void close_all(self) noexcept nogil
    cdef int blame(
        self, int kind, int error, uint32_t segment, uint64_t offset, uint64_t sequence
    ) noexcept nogil
