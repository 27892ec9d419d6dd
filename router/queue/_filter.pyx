# cython: language_level=3
"""Names that are surely not there, known without looking.

A blocked Bloom filter over digests: one cache line a question.  Nearly every document's names
are new, and without it each would cost a walk down the base's tree.  It only ever saves work:
"perhaps" is answered by looking.  Names are never taken out; when one filter is full a larger
one is put beside it, until the memory allowed is used up, from when on it answers "perhaps".
"""

from libc.stdint cimport uint8_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy, memset

from router.queue._keys cimport prefetch

from router.limits import NAME_FILTER_BYTES_MAX

__all__ = ["Filter"]

cdef enum:
    LINE_WORDS = 8
    FIRST_LINES = 4096       # 256 KiB
    NAMES_A_LINE = 40        # about 13 bits a name: one false answer in some hundred
    PROBES = 5

cdef uint64_t BYTES_MAX = NAME_FILTER_BYTES_MAX


cdef class Filter:
    """A growing set of 16-byte digests that may say yes too often, never no.

    It holds at most `bytes_max` of memory.
    """

    def __cinit__(self, uint64_t bytes_max=BYTES_MAX):
        self.bytes_max = bytes_max
        memset(self.bits, 0, sizeof(self.bits))
        self.count = 0
        self.bytes = 0
        self.complete = True
        if self.grow() < 0:
            raise MemoryError

    def __dealloc__(self):
        self.give_up()

    cdef int grow(self) noexcept nogil:
        """Put a larger filter beside the full ones: 0, or -1 when there is no room."""
        cdef uint64_t lines = FIRST_LINES if not self.count else 4 * self.lines[self.count - 1]
        if self.count == FILTERS_MAX or self.bytes + lines * 64 > self.bytes_max:
            return -1
        self.bits[self.count] = <uint64_t *>calloc(lines, 64)
        if self.bits[self.count] == NULL:
            return -1
        self.lines[self.count] = lines
        self.names[self.count] = 0
        self.count += 1
        self.bytes += lines * 64
        return 0

    cdef void give_up(self) noexcept nogil:
        """Answer "perhaps" from now on; hold no memory."""
        cdef int i
        self.complete = False
        for i in range(self.count):
            free(self.bits[i])
            self.bits[i] = NULL
        self.count = 0
        self.bytes = 0

    cdef void add(self, const uint8_t *digest) noexcept nogil:
        """Put a digest in."""
        cdef uint64_t first, second
        cdef uint64_t *line
        cdef int _i, newest = self.count - 1
        if not self.complete:
            return
        if self.names[newest] >= self.lines[newest] * NAMES_A_LINE:
            if self.grow() < 0:
                self.give_up()
                return
            newest += 1
        memcpy(&first, digest, 8)
        memcpy(&second, digest + 8, 8)
        line = self.bits[newest] + LINE_WORDS * (first & (self.lines[newest] - 1))
        for _i in range(PROBES):
            line[(second >> 6) & 7] |= <uint64_t>1 << (second & 63)
            second >>= 9
        self.names[newest] += 1

    cdef void fetch(self, const uint8_t *digest) noexcept nogil:
        """Have what is asked next read from memory meanwhile."""
        cdef uint64_t first
        cdef int place
        memcpy(&first, digest, 8)
        for place in range(self.count):
            prefetch(self.bits[place] + LINE_WORDS * (first & (self.lines[place] - 1)))

    cdef bint may_hold(self, const uint8_t *digest) noexcept nogil:
        """Say False when the digest was surely never put in."""
        cdef uint64_t first, second
        cdef const uint64_t *line
        cdef int _i, place
        if not self.complete:
            return True
        memcpy(&first, digest, 8)
        for place in range(self.count):
            memcpy(&second, digest + 8, 8)
            line = self.bits[place] + LINE_WORDS * (first & (self.lines[place] - 1))
            for _i in range(PROBES):
                if not (line[(second >> 6) & 7] >> (second & 63)) & 1:
                    break
                second >>= 9
            else:
                return True
        return False

    def put(self, bytes digest not None):
        """Put a digest of 16 bytes in."""
        if len(digest) != 16:
            raise ValueError("a digest has 16 bytes")
        self.add(<const uint8_t *>digest)

    def __contains__(self, bytes digest not None):
        """Say whether a digest may be in."""
        return len(digest) == 16 and self.may_hold(<const uint8_t *>digest)
