# cython: language_level=3
"""What was met lately of rows that never change, kept in memory."""

from libc.stdint cimport uint8_t, uint32_t, uint64_t

from router.queue._bytes cimport Spot
from router.queue._layout cimport ENT_BYTES


cdef enum:
    WITH_SENDER = 1
    WITH_SPOT = 2
    WITH_ENTRY = 4


ctypedef struct Line:  # one document; 128 bytes, two lines of the processor's cache
    uint64_t document   # 0: none
    uint8_t[16] key
    uint32_t sender
    uint32_t known      # WITH_SENDER, WITH_SPOT, WITH_ENTRY
    Spot spot
    uint8_t[ENT_BYTES] entry  # the row of its first one, as it was accepted
    uint8_t[15] unused


ctypedef struct Shape:  # members of an audience, by their digest
    uint64_t snapshot
    uint64_t audience   # 0: none
    uint8_t[16] digest


cdef void digest_of(const uint8_t *key, uint8_t *digest) noexcept nogil  # 16 bytes of 16


cdef class Warm:
    cdef Line *lines
    cdef uint32_t *places   # by key, four to a bucket, the newest first: tag, 1 + line
    cdef Shape *shapes

    cdef Line *find(self, const uint8_t *key) noexcept nogil
    cdef void fetch_place(self, const uint8_t *key) noexcept nogil
    cdef void fetch_line(self, const uint8_t *key) noexcept nogil
    cdef void fetch_shape(self, const uint8_t *digest) noexcept nogil
    cdef Line *line(self, uint64_t document) noexcept nogil
    cdef Line *keep(self, uint64_t document, const uint8_t *key) noexcept nogil
    cdef void keep_sender(
        self, uint64_t document, const uint8_t *key, uint32_t sender
    ) noexcept nogil
    cdef void keep_spot(self, uint64_t document, const uint8_t *key, Spot spot) noexcept nogil
    cdef void keep_entry(self, uint64_t document, const uint8_t *row) noexcept nogil
    cdef const uint8_t *entry(self, const uint8_t *key) noexcept nogil
    cdef void forget_entry(self, const uint8_t *key) noexcept nogil
    cdef uint64_t document_of(self, const uint8_t *key) noexcept nogil
    cdef uint64_t audience_of(self, uint64_t snapshot, const uint8_t *digest) noexcept nogil
    cdef void keep_audience(
        self, uint64_t snapshot, const uint8_t *digest, uint64_t audience
    ) noexcept nogil
