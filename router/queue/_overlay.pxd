# cython: language_level=3
"""The overlay: what changed since the last checkpoint, as sorted writing and quick reading need it.

Callers hold the store's lock.  Slices handed out stay readable until `reset` or the end of the
overlay; the bytes of a value stay as they are until the next put, remove or edit of its key.
"""

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t

from router.queue._bytes cimport Slice


cdef enum:
    TABLES_MAX = 32
    KEY_BYTES_MAX = 64  # of an ordered table: with the eight bytes of the suffix


ctypedef struct Held:  # a value; 16 bytes, the last one so that a key behind it knows its size
    uint8_t *value
    uint32_t size
    uint16_t slack      # unused bytes behind the value
    uint8_t gone
    uint8_t key_size


ctypedef struct Item:  # one key of an ordered group
    uint64_t suffix
    Held held


ctypedef struct Group:  # the keys of one prefix, which stands right behind this
    Item *items         # sorted by suffix, never empty
    Group *next_large   # chain of the groups whose items lie outside the arena
    uint32_t count
    uint32_t room
    uint8_t large
    uint8_t unused[6]
    uint8_t key_size


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


ctypedef struct Slot:  # of the hash; key NULL: empty
    uint64_t hash
    uint8_t *key


ctypedef struct Rank:  # a key in sorted order, and eight bytes of it as a number
    uint64_t head
    const uint8_t *key


ctypedef struct Loose:  # an item of a table where one prefix continues another
    Group *group
    uint32_t index
    uint8_t unused[3]
    uint8_t key_size
    uint8_t key[KEY_BYTES_MAX]


ctypedef struct Chunk:
    Chunk *older
    size_t size


ctypedef struct Table:
    bint ordered
    bint is_sorted
    bint nested         # some prefix continues another one: `loose` holds every item
    Slot *slots
    size_t slot_count   # a power of two, or 0
    int shift           # a hash shifted right by this is a slot
    size_t used
    size_t items
    Rank *ranks         # as of the last sort
    size_t rank_count
    Loose *loose


cdef class Overlay:
    cdef readonly size_t bytes  # memory held: arena, hash, arrays
    cdef readonly size_t items  # keys held, tombstones included
    cdef int table_count
    cdef Table tables[TABLES_MAX]
    cdef Chunk *chunk           # the one being filled, then older ones
    cdef uint8_t *free_from
    cdef uint8_t *free_to
    cdef size_t chunk_size      # of the next chunk
    cdef Group *large

    # 0, or FAILED: no memory, or a key or value of a size that cannot be held.
    cdef int put(
        self, int table, const uint8_t *key, size_t size, const uint8_t *value, size_t value_size
    ) noexcept nogil
    # 0 or FAILED; leaves a tombstone, also of a key that was not here.
    cdef int remove(self, int table, const uint8_t *key, size_t size) noexcept nogil
    # FOUND, GONE or ABSENT.
    cdef int find(self, int table, const uint8_t *key, size_t size, Slice *value) noexcept nogil
    # The value's own bytes, to be changed in place; NULL when absent or gone.
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
    # (of an ordered table: of a new prefix).  Changes nothing that find, seek and step read.
    cdef int sort(self) noexcept nogil
    # The first key >= the given one, tombstones included: FOUND, ABSENT, or FAILED (not sorted).
    cdef int first(
        self, int table, const uint8_t *key, size_t size, Walk *walk
    ) noexcept nogil
    cdef int next(self, Walk *walk) noexcept nogil
    # Drops everything; keeps one chunk of memory for what comes.
    cdef void reset(self) noexcept nogil

    cdef void *_take(self, size_t size) noexcept nogil
    cdef int _new_chunk(self, size_t size) noexcept nogil
    cdef int _store(
        self, int table, const uint8_t *key, size_t size, const uint8_t *value,
        size_t value_size, uint8_t gone
    ) noexcept nogil
    cdef int _fill(
        self, Held *held, const uint8_t *value, size_t value_size, uint8_t gone
    ) noexcept nogil
    cdef int _store_exact(
        self, Table *table, const uint8_t *key, size_t size, const uint8_t *value,
        size_t value_size, uint8_t gone
    ) noexcept nogil
    cdef int _store_ordered(
        self, Table *table, const uint8_t *key, size_t size, const uint8_t *value,
        size_t value_size, uint8_t gone
    ) noexcept nogil
    cdef Item *_insert(self, Table *table, Group *group, uint64_t suffix) noexcept nogil
    cdef Held *_held(self, int table, const uint8_t *key, size_t size) noexcept nogil
    cdef int _grow_slots(self, Table *table) noexcept nogil
    cdef int _grow_items(self, Group *group) noexcept nogil
    cdef int _sort_table(self, Table *table) noexcept nogil
    cdef int _spread(self, Table *table) noexcept nogil
    cdef int _show(self, Walk *walk) noexcept nogil
