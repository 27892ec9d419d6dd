# cython: language_level=3
"""The overlay: what changed since the last checkpoint, as sorted writing and quick reading need it.

Callers hold the store's lock.  Slices handed out stay readable until `reset` or the end of the
overlay; the bytes of a value stay as they are until the next put, remove or edit of its key.
"""

cimport cython
from libc.stdint cimport uint8_t, uint64_t

from router.queue._arena cimport Arena
from router.queue._bytes cimport Slice
from router.queue._cells cimport KEY_BYTES_MAX, TABLES_MAX, Group, Held, Item, Slot, Table


ctypedef struct Place:  # a position in a group; any put or remove in that group makes it invalid
    uint64_t suffix
    Slice value
    bint gone
    Group *group
    size_t index


ctypedef struct Walk:  # a position in a table; a put of a new key or `sort` makes it invalid
    Slice key          # of an ordered table it lies in `buffer`: do not copy a Walk
    Slice value
    bint gone
    int table
    size_t rank
    size_t index
    uint8_t buffer[KEY_BYTES_MAX]


@cython.final
cdef class Overlay:
    cdef readonly size_t bytes  # memory held: arena, hash, arrays
    cdef readonly size_t items  # keys held, tombstones included
    cdef int table_count
    cdef Table tables[TABLES_MAX]
    cdef uint64_t secret[6]     # of the hash
    cdef Arena arena
    cdef Group *large           # the groups whose items lie outside the arena

    # 0, or FAILED: no memory, or a key or value of a size that cannot be held.
    cdef int put(
        self, int table, const uint8_t *key, size_t size, const uint8_t *value, size_t value_size
    ) noexcept nogil
    # As `put`, of a key that neither a lower layer nor the base has.
    cdef int put_new(
        self, int table, const uint8_t *key, size_t size, const uint8_t *value, size_t value_size
    ) noexcept nogil
    # As `put`; the value's own bytes, to be changed in place, or NULL.
    cdef uint8_t *place(
        self, int table, const uint8_t *key, size_t size, const uint8_t *value, size_t value_size
    ) noexcept nogil
    # 0 or FAILED; leaves a tombstone, also of a key that was not here.
    cdef int remove(self, int table, const uint8_t *key, size_t size) noexcept nogil
    # FOUND, GONE or ABSENT.
    cdef int find(self, int table, const uint8_t *key, size_t size, Slice *value) noexcept nogil
    # Have the place of a key (`size`: without its suffix, in an ordered table) read from memory
    # meanwhile; `deep`: the place is here already, what stands in it is wanted.
    cdef void fetch(
        self, int table, const uint8_t *key, size_t size, bint deep
    ) noexcept nogil
    # The value's own bytes, to be changed in place; NULL when absent, gone or empty.
    cdef uint8_t *edit(
        self, int table, const uint8_t *key, size_t size, size_t *value_size
    ) noexcept nogil
    # The first item of the group with suffix >= start, tombstones included: FOUND or ABSENT.
    cdef int seek(
        self, int table, const uint8_t *prefix, size_t size, uint64_t start, Place *place
    ) noexcept nogil
    # The next one of the group: FOUND or ABSENT.
    cdef int step(self, Place *place) noexcept nogil
    # Puts all tables in order for walks: 0 or FAILED.  A later put of a new key undoes it
    # (of an ordered table: of a new prefix).  Changes nothing that find, seek and step read, so
    # a frozen overlay may be sorted and walked on one thread while others read it.
    cdef int sort(self) noexcept nogil
    # The first key >= the given one, tombstones included: FOUND, ABSENT, or FAILED (not sorted).
    cdef int first(
        self, int table, const uint8_t *key, size_t size, Walk *walk
    ) noexcept nogil
    cdef int next(self, Walk *walk) noexcept nogil
    # Drops everything; keeps one chunk of memory for what comes.
    cdef void reset(self) noexcept nogil

    cdef Held *_store(
        self, int table, const uint8_t *key, size_t size, const uint8_t *value,
        size_t value_size, uint8_t gone
    ) noexcept nogil
    cdef Held *_fill(
        self, Held *held, const uint8_t *value, size_t value_size, uint8_t gone
    ) noexcept nogil
    cdef Held *_store_exact(
        self, Table *table, const uint8_t *key, size_t size, const uint8_t *value,
        size_t value_size, uint8_t gone
    ) noexcept nogil
    cdef Held *_store_ordered(
        self, Table *table, const uint8_t *key, size_t size, const uint8_t *value,
        size_t value_size, uint8_t gone
    ) noexcept nogil
    cdef Item *_found(
        self, Table *table, Slot *slot, uint64_t hash, const uint8_t *key, size_t size
    ) noexcept nogil
    cdef Item *_insert(self, Table *table, Group *group, size_t at) noexcept nogil
    cdef Held *_held(self, int table, const uint8_t *key, size_t size) noexcept nogil
    cdef int _grow_items(self, Group *group) noexcept nogil
    cdef int _show(self, Walk *walk) noexcept nogil
