# cython: language_level=3
"""What the overlay's memory holds: keys with values, groups of items, hashes over both."""

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc, realloc
from libc.string cimport memcmp, memcpy, memset

from router.queue._bytes cimport FAILED, store64
from router.queue._keys cimport (
    Rank, begins, compare, head_of, key_size_of, prefetch, same, sort_ranks,
)


cdef enum:
    TABLES_MAX = 32
    KEY_BYTES_MAX = 64  # of an ordered table: with the eight bytes of the suffix
    SUFFIX_BYTES = 8
    SLOTS_FIRST = 64
    SLOTS_FIRST_SHIFT = 58
    FAR = 12   # ranks ahead: its key is fetched
    NEAR = 5   # its value is: the key is there by then
    REMOVED = 1
    NEW = 2    # nothing below has the key: when it is removed again, there is nothing to remove


ctypedef struct Held:  # a value; 16 bytes, the last one so that a key behind it knows its size
    uint8_t *value
    uint32_t size
    uint16_t slack      # unused bytes behind the value
    uint8_t gone        # REMOVED, and NEW
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


ctypedef struct Slot:  # of the hash; key NULL: empty
    uint64_t hash
    uint8_t *key


ctypedef struct Loose:  # an item of a table where one prefix continues another
    Group *group
    uint32_t index
    uint8_t unused[3]
    uint8_t key_size
    uint8_t key[KEY_BYTES_MAX]


ctypedef struct Table:
    bint ordered
    bint is_sorted
    bint nested         # some prefix continues another one: `loose` holds every item
    Slot *slots
    size_t slot_count   # a power of two, or 0
    int shift           # a hash shifted right by this is a slot
    size_t used
    size_t items
    uint8_t **order     # the keys of all slots as they came, which is mostly nearly sorted
    size_t order_room
    Rank *ranks         # as of the last sort
    size_t rank_count
    Loose *loose


cdef inline Held *held_of(const uint8_t *key) noexcept nogil:
    return <Held *>(key - sizeof(Held))


cdef inline Group *group_of(const uint8_t *key) noexcept nogil:
    return <Group *>(key - sizeof(Group))


cdef inline uint8_t *prefix_of(Group *group) noexcept nogil:
    return <uint8_t *>group + sizeof(Group)


cdef inline Loose *loose_of(const uint8_t *key) noexcept nogil:
    return <Loose *>(key - (sizeof(Loose) - KEY_BYTES_MAX))


cdef inline Slot *look(Table *table, uint64_t hash, const uint8_t *key, size_t size) noexcept nogil:
    """The slot of a key, or the empty one where it would go; the table has slots."""
    cdef size_t mask = table.slot_count - 1
    cdef size_t at = hash >> table.shift
    cdef Slot *slot
    while True:
        slot = &table.slots[at]
        if slot.key == NULL:
            return slot
        if slot.hash == hash and key_size_of(slot.key) == size and same(slot.key, key, size):
            return slot
        at = (at + 1) & mask


cdef inline size_t bound(Group *group, uint64_t suffix) noexcept nogil:
    """The index of the first item with at least that suffix.

    Suffixes are whole numbers, each once: an item lies at most as many places from either end
    as its suffix is away from that end's.  In a run without gaps that finds it at once.
    """
    cdef size_t low = 0
    cdef size_t high = group.count
    cdef size_t middle
    cdef uint64_t last = group.items[high - 1].suffix
    cdef uint64_t first = group.items[0].suffix
    if suffix > last:
        return high
    if suffix <= first:
        return 0
    if last - suffix < high - 1:
        low = high - 1 - (last - suffix)
    if suffix - first < high:
        high = suffix - first
    while low < high:
        middle = (low + high) >> 1
        if group.items[middle].suffix < suffix:
            low = middle + 1
        else:
            high = middle
    return low


cdef inline int compare_item(
    Group *group, size_t at, const uint8_t *key, size_t size
) noexcept nogil:
    """Compare the whole key of an item with another one."""
    cdef size_t prefix_size = group.key_size
    cdef uint8_t suffix[SUFFIX_BYTES]
    cdef int sign = memcmp(prefix_of(group), key, prefix_size if prefix_size < size else size)
    if sign != 0:
        return sign
    if size <= prefix_size:
        return 1
    store64(suffix, group.items[at].suffix)
    return compare(suffix, SUFFIX_BYTES, key + prefix_size, size - prefix_size)


cdef inline size_t item_from(Group *group, const uint8_t *key, size_t size) noexcept nogil:
    """The index of the first item whose whole key is at least that one."""
    cdef size_t low = 0
    cdef size_t high = group.count
    cdef size_t middle
    while low < high:
        middle = (low + high) >> 1
        if compare_item(group, middle, key, size) < 0:
            low = middle + 1
        else:
            high = middle
    return low


cdef inline int grow_slots(Table *table, size_t *held) noexcept nogil:
    """Double the hash and the order.

    Slots order by hash, so old ones are met and placed in order.
    """
    cdef size_t count = table.slot_count * 2 if table.slot_count else SLOTS_FIRST
    cdef Slot *slots = <Slot *>calloc(count, sizeof(Slot))
    cdef int shift = table.shift - 1 if table.slot_count else SLOTS_FIRST_SHIFT
    cdef size_t room = count // 8 * 5 + 1  # so many are used before it grows again
    cdef uint8_t **order = <uint8_t **>realloc(table.order, room * sizeof(uint8_t *))
    cdef size_t i
    cdef size_t at
    if order != NULL:
        held[0] += (room - table.order_room) * sizeof(uint8_t *)
        table.order = order
        table.order_room = room
    if slots == NULL or order == NULL:
        free(slots)
        return FAILED
    for i in range(table.slot_count):
        if table.slots[i].key != NULL:
            at = table.slots[i].hash >> shift
            while slots[at].key != NULL:
                at = (at + 1) & (count - 1)
            slots[at] = table.slots[i]
    held[0] += (count - table.slot_count) * sizeof(Slot)
    free(table.slots)
    table.slots = slots
    table.slot_count = count
    table.shift = shift
    return 0


cdef inline void unrank(Table *table, size_t *held) noexcept nogil:
    held[0] -= table.rank_count * sizeof(Rank)
    if table.loose != NULL:
        held[0] -= table.rank_count * sizeof(Loose)
    free(table.ranks)
    free(table.loose)
    table.ranks = NULL
    table.loose = NULL
    table.rank_count = 0
    table.nested = False


cdef inline void clear_table(Table *table, size_t *held) noexcept nogil:
    cdef bint ordered = table.ordered
    unrank(table, held)
    held[0] -= table.slot_count * sizeof(Slot) + table.order_room * sizeof(uint8_t *)
    free(table.slots)
    free(table.order)
    memset(table, 0, sizeof(Table))
    table.ordered = ordered


cdef inline int rank(Table *table, size_t count, size_t *held) noexcept nogil:
    """Make room to rank so many keys."""
    table.ranks = <Rank *>malloc(count * sizeof(Rank))
    if table.ranks == NULL:
        return FAILED
    table.rank_count = count
    held[0] += count * sizeof(Rank)
    return 0


cdef inline void fetch_ahead(Table *table, size_t at) noexcept nogil:
    """Have what stands some ranks further on read from memory meanwhile."""
    cdef Group *group
    if at + FAR < table.rank_count:
        prefetch(table.ranks[at + FAR].key - sizeof(Group))
        prefetch(table.ranks[at + FAR].key + 16)
    if table.ordered and not table.nested and at + NEAR < table.rank_count:
        group = group_of(table.ranks[at + NEAR].key)
        prefetch(group.items[0].held.value)


cdef inline int sort_by_rank(Table *table) noexcept nogil:
    """Put what is ranked in order."""
    cdef Rank *spare
    cdef Rank *sorted
    if table.rank_count < 2:
        return 0
    spare = <Rank *>malloc(table.rank_count * sizeof(Rank))
    if spare == NULL:
        return FAILED
    sorted = sort_ranks(table.ranks, spare, table.rank_count)
    free(spare if sorted == table.ranks else table.ranks)
    table.ranks = sorted
    return 0


cdef inline int spread(Table *table, size_t *held) noexcept nogil:
    """Rank every single item: the groups' keys interleave."""
    cdef Group *group
    cdef Loose *loose
    cdef size_t count = 0
    cdef size_t i
    cdef uint32_t index
    unrank(table, held)
    if rank(table, table.items, held) == FAILED:
        return FAILED
    table.loose = <Loose *>malloc(table.items * sizeof(Loose))
    if table.loose == NULL:
        unrank(table, held)
        return FAILED
    held[0] += table.items * sizeof(Loose)
    for i in range(table.used):
        group = group_of(table.order[i])
        for index in range(group.count):
            loose = &table.loose[count]
            loose.group = group
            loose.index = index
            loose.key_size = group.key_size + SUFFIX_BYTES
            memcpy(loose.key, prefix_of(group), group.key_size)
            store64(loose.key + group.key_size, group.items[index].suffix)
            table.ranks[count].key = loose.key
            table.ranks[count].head = head_of(loose.key)
            count += 1
    if sort_by_rank(table) == FAILED:
        unrank(table, held)
        return FAILED
    table.nested = True
    table.is_sorted = True
    return 0


cdef inline int sort_table(Table *table, size_t *held) noexcept nogil:
    """Rank the keys, or of an ordered table the prefixes."""
    cdef size_t i
    unrank(table, held)
    if table.used and rank(table, table.used, held) == FAILED:
        return FAILED
    for i in range(table.used):
        table.ranks[i].key = table.order[i]
        table.ranks[i].head = head_of(table.order[i])
    if sort_by_rank(table) == FAILED:
        unrank(table, held)
        return FAILED
    if table.ordered:
        # Whatever continues a prefix stands right behind it.
        for i in range(1, table.used):
            if begins(table.ranks[i - 1].key, table.ranks[i].key):
                return spread(table, held)
    table.is_sorted = True
    return 0
