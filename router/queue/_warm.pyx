# cython: language_level=3
"""What was met lately of rows that never change, kept in memory.

Key, sender and place of a document and the number of an audience are written once.  What is
handed out was mostly accepted a short while ago, and what is settled was handed out before; so
a table of the documents met last saves three walks down the base's trees for each delivery.

Each table has a fixed size; a newer document takes the line of an older one.  What is not here
is looked up, and what is here can't be wrong: of these rows none is ever changed or removed.
The row of a document's first entry is kept, too, from its acceptance to its first change; who
asks for it looks into the overlays before.
"""

cimport cython
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcmp, memcpy, memmove

from router.queue._bytes cimport Spot, load64
from router.queue._keys cimport fold, prefetch, word
from router.queue._layout cimport ENT_BYTES, ENTRY_SHIFT

from router.limits import WARM_AUDIENCES, WARM_DOCUMENTS

import os

__all__ = ["Warm"]

cdef size_t LINES = WARM_DOCUMENTS
cdef size_t SHAPES = WARM_AUDIENCES
cdef uint64_t[2] SECRET  # keys and digests come from outside: nobody may choose their places


def _draw():
    cdef bytes drawn = os.urandom(sizeof(SECRET))
    memcpy(SECRET, <const uint8_t *>drawn, sizeof(SECRET))


_draw()


cdef enum:
    WAYS = 4
    LINE_BITS = 18  # of a place; the other ones are a tag, so that few lines are looked at in vain

cdef uint32_t LINE_MASK = (1 << LINE_BITS) - 1

if WARM_DOCUMENTS > 1 << LINE_BITS - 1:
    raise ValueError("WARM_DOCUMENTS is at most 131,072")


cdef inline uint64_t mixed(const uint8_t *key) noexcept nogil:
    return fold(word(key) ^ SECRET[0], word(key + 8) ^ SECRET[1])


cdef void digest_of(const uint8_t *key, uint8_t *digest) noexcept nogil:
    """Mix a key so that all its bits look drawn: keys of one instant begin alike."""
    cdef uint64_t one = mixed(key)
    cdef uint64_t other = fold(word(key) ^ SECRET[1], one ^ SECRET[0])
    memcpy(digest, &one, 8)
    memcpy(digest + 8, &other, 8)


@cython.final
cdef class Warm:
    """Documents and audiences met lately; under the store's lock."""

    def __cinit__(self):
        self.lines = <Line *>calloc(LINES, sizeof(Line))
        self.places = <uint32_t *>calloc(LINES * WAYS, sizeof(uint32_t))
        self.shapes = <Shape *>calloc(SHAPES, sizeof(Shape))
        if self.lines == NULL or self.places == NULL or self.shapes == NULL:
            raise MemoryError

    def __dealloc__(self):
        free(self.lines)
        free(self.places)
        free(self.shapes)

    def __reduce__(self):
        raise TypeError("what is kept at hand is not pickled")

    cdef void fetch_place(self, const uint8_t *key) noexcept nogil:
        """Have what is known of a key read from memory meanwhile."""
        prefetch(&self.places[WAYS * (mixed(key) & (LINES - 1))])

    cdef void fetch_line(self, const uint8_t *key) noexcept nogil:
        """Have its document's line, too."""
        cdef Line *line = self.find(key)
        if line != NULL:
            prefetch(line)

    cdef void fetch_shape(self, const uint8_t *digest) noexcept nogil:
        """Have an audience read from memory meanwhile."""
        prefetch(&self.shapes[mixed(digest) & (SHAPES - 1)])

    cdef Line *find(self, const uint8_t *key) noexcept nogil:
        """Give the newest line whose place and tag are the key's, or NULL; not looked at."""
        cdef uint64_t hash = mixed(key)
        cdef const uint32_t *bucket = &self.places[WAYS * (hash & (LINES - 1))]
        cdef uint32_t tag = <uint32_t>(hash >> 32) & ~LINE_MASK
        cdef int i
        for i in range(WAYS):
            if bucket[i] & ~LINE_MASK == tag and bucket[i] & LINE_MASK:
                return &self.lines[(bucket[i] & LINE_MASK) - 1]
        return NULL

    cdef Line *line(self, uint64_t document) noexcept nogil:
        """Give a document's line, or NULL."""
        cdef Line *line = &self.lines[document & (LINES - 1)]
        return line if document and line.document == document else NULL

    cdef Line *keep(self, uint64_t document, const uint8_t *key) noexcept nogil:
        """Give a document's line, made when it has none."""
        cdef Line *line = &self.lines[document & (LINES - 1)]
        cdef uint64_t hash
        cdef uint32_t *bucket
        if line.document != document:
            line.document = document
            line.known = 0
            memcpy(line.key, key, 16)
            hash = mixed(key)
            bucket = &self.places[WAYS * (hash & (LINES - 1))]
            memmove(bucket + 1, bucket, (WAYS - 1) * sizeof(uint32_t))
            bucket[0] = <uint32_t>(hash >> 32) & ~LINE_MASK
            bucket[0] |= <uint32_t>(document & (LINES - 1)) + 1
        return line

    cdef void keep_sender(
        self, uint64_t document, const uint8_t *key, uint32_t sender
    ) noexcept nogil:
        """Keep who sent a document."""
        cdef Line *line = self.keep(document, key)
        line.sender = sender
        line.known |= WITH_SENDER

    cdef void keep_spot(self, uint64_t document, const uint8_t *key, Spot spot) noexcept nogil:
        """Keep where a document's record lies."""
        cdef Line *line = self.keep(document, key)
        line.spot = spot
        line.known |= WITH_SPOT

    cdef void keep_entry(self, uint64_t document, const uint8_t *row) noexcept nogil:
        """Keep the row of a document's first entry, if it has a line: it is not touched yet."""
        cdef Line *line = self.line(document)
        if line != NULL:
            memcpy(line.entry, row, ENT_BYTES)
            line.known |= WITH_ENTRY

    cdef const uint8_t *entry(self, const uint8_t *key) noexcept nogil:
        """Give the row that the base has under a key of ENTRIES, or NULL: not known here."""
        cdef uint64_t document = load64(key)
        cdef Line *line = self.line(document)
        if line == NULL or load64(key + 8) != document << ENTRY_SHIFT:
            return NULL
        return line.entry if line.known & WITH_ENTRY else NULL

    cdef void forget_entry(self, const uint8_t *key) noexcept nogil:
        """Forget an entry's row: from now on the overlay has it, and then the base a later one."""
        cdef Line *line = self.line(load64(key))
        if line != NULL and load64(key + 8) == line.document << ENTRY_SHIFT:
            line.known &= ~<uint32_t>WITH_ENTRY

    cdef uint64_t document_of(self, const uint8_t *key) noexcept nogil:
        """Return the document of a key of 16 bytes, 0 when it is not here."""
        cdef const Line *line = self.find(key)
        if line == NULL or memcmp(line.key, key, 16) != 0:
            return 0
        return line.document

    cdef uint64_t audience_of(self, uint64_t snapshot, const uint8_t *digest) noexcept nogil:
        """Return the number of an audience by 16 bytes of its digest, 0 when it is not here."""
        cdef Shape *shape = &self.shapes[mixed(digest) & (SHAPES - 1)]
        if shape.snapshot != snapshot or memcmp(shape.digest, digest, 16) != 0:
            return 0
        return shape.audience

    cdef void keep_audience(
        self, uint64_t snapshot, const uint8_t *digest, uint64_t audience
    ) noexcept nogil:
        """Keep the number of an audience."""
        cdef Shape *shape = &self.shapes[mixed(digest) & (SHAPES - 1)]
        shape.snapshot, shape.audience = snapshot, audience
        memcpy(shape.digest, digest, 16)
