# cython: language_level=3
"""Sorted arrays that never change once made, counted by their owners (see the .pxd)."""

from libc.stdint cimport uint8_t, uint32_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memset

from router.queue._bytes cimport ABSENT, FAILED, FOUND, Slice
from router.queue._overlay cimport Overlay, Walk


cdef extern from *:
    """
    static inline void vanban_own(int *owners) {
        __atomic_add_fetch(owners, 1, __ATOMIC_RELAXED);
    }
    static inline int vanban_disown(int *owners) {  /* how many are left */
        return __atomic_sub_fetch(owners, 1, __ATOMIC_ACQ_REL);
    }
    """
    void vanban_own(int *owners) noexcept nogil
    int vanban_disown(int *owners) noexcept nogil


cdef const uint8_t *NOTHING = <const uint8_t *>b""


cdef void own_version(Version *version) noexcept nogil:
    vanban_own(&version.owners)


cdef size_t place_of(Sheet *sheet, const uint8_t *key, size_t size) noexcept nogil:
    """Find the first entry whose key is not below this one."""
    cdef size_t low = 0
    cdef size_t high = sheet.count
    cdef size_t middle
    while low < high:
        middle = (low + high) >> 1
        if compare(key_of(sheet.entries[middle]), key, size) < 0:
            low = middle + 1
        else:
            high = middle
    return low


cdef int show(Position *position, Slice *key, Slice *value) noexcept nogil:
    if position.at >= position.sheet.count:
        return ABSENT
    key[0] = key_of(position.sheet.entries[position.at])
    value[0] = value_of(position.sheet.entries[position.at])
    return FOUND


cdef Entry *new_entry(Slice key, Slice value) noexcept nogil:
    cdef Entry *entry = <Entry *>malloc(sizeof(Entry) + key.size + value.size)
    if entry is not NULL:
        entry.owners = 1
        entry.key_size = <uint32_t>key.size
        entry.value_size = value.size
        memcpy(entry + 1, key.data, key.size)
        if value.size:
            memcpy(<uint8_t *>(entry + 1) + key.size, value.data, value.size)
    return entry


cdef Sheet *new_sheet(size_t room) noexcept nogil:
    cdef Sheet *sheet = <Sheet *>malloc(sizeof(Sheet))
    if sheet is NULL:
        return NULL
    sheet.owners = 1
    sheet.count = 0
    sheet.entries = <Entry **>malloc((room or 1) * sizeof(Entry *))
    if sheet.entries is NULL:
        free(sheet)
        return NULL
    return sheet


cdef void release_sheet(Sheet *sheet) noexcept nogil:
    cdef size_t at
    if sheet is NULL or vanban_disown(&sheet.owners):
        return
    for at in range(sheet.count):
        if vanban_disown(&sheet.entries[at].owners) == 0:
            free(sheet.entries[at])
    free(sheet.entries)
    free(sheet)


cdef Version *new_version(int count) noexcept nogil:
    """Make a state of `count` empty tables, or NULL."""
    cdef Version *version = <Version *>malloc(sizeof(Version))
    cdef int table
    if version is NULL:
        return NULL
    memset(version, 0, sizeof(Version))
    version.owners = 1
    version.count = count
    for table in range(count):
        version.sheets[table] = new_sheet(0)
        if version.sheets[table] is NULL:
            release_version(version)
            return NULL
    return version


cdef void release_version(Version *version) noexcept nogil:
    cdef int table
    if version is NULL or vanban_disown(&version.owners):
        return
    for table in range(version.count):
        release_sheet(version.sheets[table])
    free(version)


cdef int merge_tables(Version *into, Version *old, Overlay changes) noexcept nogil:
    """Fill the new state: 0 or what failed.  Untouched tables are shared with the old."""
    cdef Walk walk
    cdef Sheet *sheet
    cdef int table, status
    for table in range(old.count):
        status = changes.first(table, NOTHING, 0, &walk)
        if status == FAILED:
            return NOT_SORTED
        if status == ABSENT:
            sheet = old.sheets[table]
            vanban_own(&sheet.owners)
        else:
            sheet = merge_table(old.sheets[table], changes, table, &walk)
            if sheet is NULL:
                return NO_MEMORY
        release_sheet(into.sheets[table])
        into.sheets[table] = sheet
    return 0


cdef Sheet *merge_table(Sheet *old, Overlay changes, int table, Walk *walk) noexcept nogil:
    """Merge a table with the changes from `walk` on; NULL: no memory."""
    cdef Walk counting
    cdef Sheet *made
    cdef size_t at = 0
    cdef size_t fresh = 0
    cdef int status = changes.first(table, NOTHING, 0, &counting)
    while status == FOUND:
        fresh += not counting.gone
        status = changes.next(&counting)
    made = new_sheet(old.count + fresh)
    if made is NULL:
        return NULL
    status = FOUND
    while status == FOUND:
        at = share_below(made, old, at, walk.key)
        if at < old.count and not compare(key_of(old.entries[at]), walk.key.data, walk.key.size):
            at += 1  # replaced or removed
        if not walk.gone:
            made.entries[made.count] = new_entry(walk.key, walk.value)
            if made.entries[made.count] is NULL:
                release_sheet(made)
                return NULL
            made.count += 1
        status = changes.next(walk)
    while at < old.count:
        share(made, old.entries[at])
        at += 1
    return made


cdef size_t share_below(Sheet *made, Sheet *old, size_t at, Slice key) noexcept nogil:
    while at < old.count and compare(key_of(old.entries[at]), key.data, key.size) < 0:
        share(made, old.entries[at])
        at += 1
    return at


cdef inline void share(Sheet *made, Entry *entry) noexcept nogil:
    vanban_own(&entry.owners)
    made.entries[made.count] = entry
    made.count += 1
