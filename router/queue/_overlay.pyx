# cython: language_level=3
"""The overlay: what changed since the last checkpoint, in memory, in front of the base.

An exact table hashes whole keys.  An ordered table hashes the key without its last eight bytes
(the prefix); the items of one prefix, its group, stand in an array sorted by those eight bytes
(the suffix), so that appending in order, the usual case, costs no search.  Keys, values and
small arrays are cut from chunks that are dropped as a whole.  A removed key stays as a
tombstone: it hides what the base still holds.
"""

import os

cimport cython
from libc.stdint cimport UINT32_MAX, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport free, realloc
from libc.string cimport memcpy, memmove, memset

from router.queue._arena cimport empty, take
from router.queue._bytes cimport ABSENT, FAILED, FOUND, GONE, Slice, load64, store64
from router.queue._cells cimport (
    KEY_BYTES_MAX, NEW, REMOVED, SUFFIX_BYTES, TABLES_MAX, Group, Held, Item, Loose, Slot, Table,
    bound, clear_table, compare_item, fetch_ahead, group_of, grow_slots, held_of, item_from, look,
    loose_of, prefix_of, sort_table,
)
from router.queue._keys cimport compare, hash_of, key_size_of, prefetch

__all__ = ["Overlay"]

cdef enum:
    ITEMS_FIRST = 2
    PASSED = 3        # of a walk: new here and removed again
    ITEMS_SMALL = 64  # arrays up to this many items lie in the arena


cdef inline int show_place(Place *place) noexcept nogil:
    cdef Item *item
    if place.index >= place.group.count:
        return ABSENT
    item = &place.group.items[place.index]
    place.suffix = item.suffix
    place.value.data = item.held.value
    place.value.size = item.held.size
    place.gone = item.held.gone & REMOVED
    return FOUND


# --- the overlay -------------------------------------------------------------------------


@cython.final
cdef class Overlay:
    """Keys and values of up to 32 tables, tombstones among them."""

    def __cinit__(self, ordered):
        """Make an empty one; `ordered[i]` says whether table i is ordered, else it is exact."""
        cdef bytes secret
        flags = [bool(flag) for flag in ordered]
        if not 0 < len(flags) <= TABLES_MAX:
            raise ValueError(f"an overlay has 1 to {TABLES_MAX} tables, not {len(flags)}")
        self.table_count = len(flags)
        for i, flag in enumerate(flags):
            self.tables[i].ordered = flag
        secret = os.urandom(sizeof(self.secret))
        memcpy(self.secret, <const uint8_t *>secret, sizeof(self.secret))
        self.arena.held = &self.bytes
        empty(&self.arena)

    def __dealloc__(self):
        self.reset()
        free(self.arena.chunk)

    cdef void reset(self) noexcept nogil:
        cdef int i
        while self.large != NULL:
            free(self.large.items)
            self.bytes -= self.large.room * sizeof(Item)
            self.large = self.large.next_large
        for i in range(self.table_count):
            clear_table(&self.tables[i], &self.bytes)
        empty(&self.arena)
        self.items = 0

    # --- memory --------------------------------------------------------------------------

    cdef int _grow_items(self, Group *group) noexcept nogil:
        """Double a group's array; large ones move out of the arena to be extended in place."""
        cdef size_t room = <size_t>group.room * 2
        cdef Item *items
        if room > UINT32_MAX:
            return FAILED
        if room <= ITEMS_SMALL:
            items = <Item *>take(&self.arena, room * sizeof(Item))
        else:
            items = <Item *>realloc(
                group.items if group.large else NULL, room * sizeof(Item)
            )
        if items == NULL:
            return FAILED
        if not group.large:
            memcpy(items, group.items, group.count * sizeof(Item))
        if room > ITEMS_SMALL:
            self.bytes += (room - (group.room if group.large else 0)) * sizeof(Item)
            if not group.large:
                group.large = 1
                group.next_large = self.large
                self.large = group
        group.items = items
        group.room = <uint32_t>room
        return 0

    # --- writing -------------------------------------------------------------------------

    cdef int put(
        self, int table, const uint8_t *key, size_t size, const uint8_t *value, size_t value_size
    ) noexcept nogil:
        return FAILED if self._store(table, key, size, value, value_size, 0) == NULL else 0

    cdef int put_new(
        self, int table, const uint8_t *key, size_t size, const uint8_t *value, size_t value_size
    ) noexcept nogil:
        return FAILED if self._store(table, key, size, value, value_size, NEW) == NULL else 0

    cdef uint8_t *place(
        self, int table, const uint8_t *key, size_t size, const uint8_t *value, size_t value_size
    ) noexcept nogil:
        cdef Held *held = self._store(table, key, size, value, value_size, 0)
        return NULL if held == NULL else held.value

    cdef int remove(self, int table, const uint8_t *key, size_t size) noexcept nogil:
        return FAILED if self._store(table, key, size, NULL, 0, REMOVED) == NULL else 0

    cdef Held *_store(
        self, int table, const uint8_t *key, size_t size, const uint8_t *value,
        size_t value_size, uint8_t gone
    ) noexcept nogil:
        """Store a value or a tombstone; give where it is held, or NULL when that failed."""
        cdef Table *of = &self.tables[table]
        if size > KEY_BYTES_MAX or value_size > UINT32_MAX:
            return NULL
        if of.used * 8 >= of.slot_count * 5 and grow_slots(of, &self.bytes) == FAILED:
            return NULL
        if not of.ordered:
            return self._store_exact(of, key, size, value, value_size, gone)
        if size < SUFFIX_BYTES:
            return NULL
        return self._store_ordered(of, key, size - SUFFIX_BYTES, value, value_size, gone)

    cdef Held *_fill(
        self, Held *held, const uint8_t *value, size_t value_size, uint8_t gone
    ) noexcept nogil:
        """Set a value or a tombstone; in place when it fits.  NULL: failed, unchanged."""
        cdef size_t room = <size_t>held.size + held.slack
        cdef uint8_t *own = held.value
        if value_size > room:
            own = <uint8_t *>take(&self.arena, value_size)
            if own == NULL:
                return NULL
            room = value_size
        if value_size:
            memmove(own, value, value_size)  # may be a piece of what it replaces
        held.value = own
        held.size = <uint32_t>value_size
        held.slack = <uint16_t>(room - value_size if room - value_size < 65535 else 65535)
        held.gone = (gone & REMOVED) | (held.gone & NEW)  # a tombstone stays one for the base
        return held

    cdef Held *_store_exact(
        self, Table *table, const uint8_t *key, size_t size, const uint8_t *value,
        size_t value_size, uint8_t gone
    ) noexcept nogil:
        cdef uint64_t hash = hash_of(self.secret, key, size)
        cdef Slot *slot = look(table, hash, key, size)
        cdef Held *held
        if slot.key != NULL:
            return self._fill(held_of(slot.key), value, value_size, gone)
        held = <Held *>take(&self.arena, sizeof(Held) + size + value_size)
        if held == NULL:
            return NULL
        slot.hash = hash
        slot.key = table.order[table.used] = <uint8_t *>held + sizeof(Held)
        memcpy(slot.key, key, size)
        held.value = slot.key + size
        if value_size:
            memcpy(held.value, value, value_size)
        held.size = <uint32_t>value_size
        held.slack = 0
        held.gone = gone
        held.key_size = <uint8_t>size
        table.used += 1
        table.items += 1
        table.is_sorted = False
        self.items += 1
        return held

    cdef Held *_store_ordered(
        self, Table *table, const uint8_t *key, size_t size, const uint8_t *value,
        size_t value_size, uint8_t gone
    ) noexcept nogil:
        """As above; `size` is the prefix's."""
        cdef uint64_t hash = hash_of(self.secret, key, size)
        cdef Slot *slot = look(table, hash, key, size)
        cdef uint64_t suffix = load64(key + size)
        cdef Held held
        cdef Item *item
        cdef Group *group = NULL
        cdef size_t at = 0
        if slot.key != NULL:
            group = group_of(slot.key)
            at = bound(group, suffix)
            if at < group.count and group.items[at].suffix == suffix:
                return self._fill(&group.items[at].held, value, value_size, gone)
        memset(&held, 0, sizeof(Held))
        held.gone = gone & NEW
        if self._fill(&held, value, value_size, gone) == NULL:
            return NULL
        if slot.key == NULL:
            item = self._found(table, slot, hash, key, size)
        else:
            item = self._insert(table, group, at)
        if item == NULL:
            return NULL
        item.suffix = suffix
        item.held = held
        table.items += 1
        self.items += 1
        return &item.held

    cdef Item *_found(
        self, Table *table, Slot *slot, uint64_t hash, const uint8_t *key, size_t size
    ) noexcept nogil:
        """A new group with room for its first items, the first of them to be filled."""
        cdef size_t whole = sizeof(Group) + ((size + 7) & ~<size_t>7)
        cdef Group *group = <Group *>take(&self.arena, whole + ITEMS_FIRST * sizeof(Item))
        if group == NULL:
            return NULL
        memset(group, 0, sizeof(Group))
        group.items = <Item *>(<uint8_t *>group + whole)
        group.count = 1
        group.room = ITEMS_FIRST
        group.key_size = <uint8_t>size
        slot.hash = hash
        slot.key = table.order[table.used] = prefix_of(group)
        memcpy(slot.key, key, size)
        table.used += 1
        table.is_sorted = False
        return group.items

    cdef Item *_insert(self, Table *table, Group *group, size_t at) noexcept nogil:
        """Make room for one item at an index."""
        if group.count == group.room and self._grow_items(group) == FAILED:
            return NULL
        if at < group.count:
            memmove(&group.items[at + 1], &group.items[at], (group.count - at) * sizeof(Item))
        group.count += 1
        if table.nested:  # its order lists every item, not only the groups
            table.is_sorted = False
        return &group.items[at]

    # --- reading -------------------------------------------------------------------------

    cdef Held *_held(self, int table, const uint8_t *key, size_t size) noexcept nogil:
        cdef Table *of = &self.tables[table]
        cdef Slot *slot
        cdef Group *group
        cdef uint64_t suffix
        cdef size_t at
        if of.slot_count == 0 or size > KEY_BYTES_MAX:
            return NULL
        if not of.ordered:
            slot = look(of, hash_of(self.secret, key, size), key, size)
            return NULL if slot.key == NULL else held_of(slot.key)
        if size < SUFFIX_BYTES:
            return NULL
        size -= SUFFIX_BYTES
        slot = look(of, hash_of(self.secret, key, size), key, size)
        if slot.key == NULL:
            return NULL
        group = group_of(slot.key)
        suffix = load64(key + size)
        at = bound(group, suffix)
        if at < group.count and group.items[at].suffix == suffix:
            return &group.items[at].held
        return NULL

    cdef int find(self, int table, const uint8_t *key, size_t size, Slice *value) noexcept nogil:
        cdef Held *held = self._held(table, key, size)
        if held == NULL:
            return ABSENT
        if held.gone & REMOVED:
            return GONE
        value.data = held.value
        value.size = held.size
        return FOUND

    cdef void fetch(
        self, int table, const uint8_t *key, size_t size, bint deep
    ) noexcept nogil:
        cdef Table *of = &self.tables[table]
        cdef uint64_t hash
        cdef Slot *slot
        if of.slot_count == 0:
            return
        hash = hash_of(self.secret, key, size)
        slot = &of.slots[hash >> of.shift]
        if not deep:
            prefetch(slot)
        elif slot.key != NULL and slot.hash == hash:
            prefetch(slot.key - 2 * sizeof(Group))  # a group's first value mostly lies before it
            prefetch(slot.key - sizeof(Group))
            prefetch(slot.key + 16)

    cdef uint8_t *edit(
        self, int table, const uint8_t *key, size_t size, size_t *value_size
    ) noexcept nogil:
        cdef Held *held = self._held(table, key, size)
        if held == NULL or held.gone & REMOVED or held.size == 0:
            return NULL
        value_size[0] = held.size
        return held.value

    cdef int seek(
        self, int table, const uint8_t *prefix, size_t size, uint64_t start, Place *place
    ) noexcept nogil:
        cdef Table *of = &self.tables[table]
        cdef Slot *slot
        if of.slot_count == 0 or not of.ordered or size > KEY_BYTES_MAX - SUFFIX_BYTES:
            return ABSENT
        slot = look(of, hash_of(self.secret, prefix, size), prefix, size)
        if slot.key == NULL:
            return ABSENT
        place.group = group_of(slot.key)
        place.index = bound(place.group, start)
        return show_place(place)

    cdef int step(self, Place *place) noexcept nogil:
        place.index += 1
        return show_place(place)

    # --- in order ------------------------------------------------------------------------

    cdef int sort(self) noexcept nogil:
        cdef int i
        for i in range(self.table_count):
            if not self.tables[i].is_sorted and sort_table(&self.tables[i], &self.bytes) == FAILED:
                return FAILED
        return 0

    cdef int first(
        self, int table, const uint8_t *key, size_t size, Walk *walk
    ) noexcept nogil:
        cdef Table *of = &self.tables[table]
        cdef bint grouped = of.ordered and not of.nested
        cdef size_t low = 0
        cdef size_t high = of.rank_count
        cdef size_t middle
        cdef const uint8_t *at
        cdef Group *group
        cdef bint before
        cdef int found
        if not of.is_sorted:
            return FAILED
        while low < high:
            middle = (low + high) >> 1
            at = of.ranks[middle].key
            if grouped:  # all keys of a group lie before or behind those of another
                group = group_of(at)
                before = compare_item(group, group.count - 1, key, size) < 0
            else:
                before = compare(at, key_size_of(at), key, size) < 0
            if before:
                low = middle + 1
            else:
                high = middle
        walk.table = table
        walk.rank = low
        walk.index = 0
        if grouped and low < of.rank_count:
            walk.index = item_from(group_of(of.ranks[low].key), key, size)
        found = self._show(walk)
        return self.next(walk) if found == PASSED else found

    cdef int next(self, Walk *walk) noexcept nogil:
        cdef Table *of = &self.tables[walk.table]
        cdef int found = PASSED
        if not of.is_sorted:
            return FAILED
        while found == PASSED:
            if walk.rank >= of.rank_count:
                return ABSENT
            walk.index += 1
            if not of.ordered or of.nested or (
                walk.index >= group_of(of.ranks[walk.rank].key).count
            ):
                walk.index = 0
                walk.rank += 1
                fetch_ahead(of, walk.rank)
            found = self._show(walk)
        return found

    cdef int _show(self, Walk *walk) noexcept nogil:
        """Set what stands at a rank and, in a group, at an index; PASSED: nobody need know."""
        cdef Table *of = &self.tables[walk.table]
        cdef const uint8_t *key
        cdef Group *group
        cdef Loose *loose
        cdef Held *held
        if walk.rank >= of.rank_count:
            return ABSENT
        key = of.ranks[walk.rank].key
        walk.key.data = key
        walk.key.size = key_size_of(key)
        if not of.ordered:
            held = held_of(key)
        elif of.nested:
            loose = loose_of(key)
            held = &loose.group.items[loose.index].held
        else:
            group = group_of(key)
            held = &group.items[walk.index].held
            memcpy(walk.buffer, key, group.key_size)
            store64(walk.buffer + group.key_size, group.items[walk.index].suffix)
            walk.key.data = walk.buffer
            walk.key.size = group.key_size + SUFFIX_BYTES
        walk.value.data = held.value
        walk.value.size = held.size
        walk.gone = held.gone & REMOVED
        return PASSED if held.gone == NEW | REMOVED else FOUND

    # --- for tests and dumps -------------------------------------------------------------

    def _check(self, int table, bytes key, bint whole=True):
        """Refuse what no caller in C asks for."""
        if not 0 <= table < self.table_count:
            raise ValueError(f"no table {table}")
        spare = SUFFIX_BYTES if self.tables[table].ordered and whole else 0
        if len(key) < spare or len(key) > KEY_BYTES_MAX:
            raise ValueError(f"a key has {spare} to {KEY_BYTES_MAX} bytes, not {len(key)}")

    def set(self, int table, bytes key, bytes value, *, bint new=False):
        """Put a value (`new`: nothing below has its key); MemoryError: there is none."""
        self._check(table, key)
        if self._store(table, key, len(key), value, len(value), NEW if new else 0) == NULL:
            raise MemoryError

    def delete(self, int table, bytes key):
        """Leave a tombstone; MemoryError when there is no memory."""
        self._check(table, key)
        if self.remove(table, key, len(key)) == FAILED:
            raise MemoryError

    def get(self, int table, bytes key):
        """Return the value, or None of a removed key; KeyError when it was never here."""
        cdef Slice value
        self._check(table, key)
        found = self.find(table, key, len(key), &value)
        if found == ABSENT:
            raise KeyError(key)
        return value.data[:value.size] if found == FOUND else None

    def alter(self, int table, bytes key, bytes value):
        """Write over the beginning of a value in place; False when there is none so long."""
        cdef size_t size = 0
        self._check(table, key)
        cdef uint8_t *own = self.edit(table, key, len(key), &size)
        if own == NULL or <size_t>len(value) > size:
            return False
        memcpy(own, <const uint8_t *>value, len(value))
        return True

    def group(self, int table, bytes prefix, uint64_t start=0):
        """List (suffix, value) of one prefix from a suffix on; None for a removed one."""
        cdef Place place
        self._check(table, prefix, False)
        listed = []
        found = self.seek(table, prefix, len(prefix), start, &place)
        while found == FOUND:
            value = None if place.gone else place.value.data[:place.value.size]
            listed.append((place.suffix, value))
            found = self.step(&place)
        return listed

    def walk(self, int table, bytes start=b""):
        """List (key, value) of a table in order from a key on; None for a removed one."""
        cdef Walk at
        self._check(table, b"" if len(start) <= KEY_BYTES_MAX else start, False)
        if self.sort() == FAILED:
            raise MemoryError
        listed = []
        found = self.first(table, start, len(start), &at)
        while found == FOUND:
            value = None if at.gone else at.value.data[:at.value.size]
            listed.append((at.key.data[:at.key.size], value))
            found = self.next(&at)
        return listed

    def clear(self):
        """Drop everything."""
        self.reset()
