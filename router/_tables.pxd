# cython: language_level=3
"""Sets as runs, and the tables of one numbered hierarchy.

The contract of `_tables.pyx`.  A set of positions is an array of runs `[start, stop)` in
ascending order, no two touching.  Nothing here touches a Python object, so every function
is `noexcept nogil`; failure is a status, turned into an exception by `_core.pyx`.
"""

from libc.stdint cimport uint8_t, uint16_t, uint32_t


cdef struct Run:
    uint32_t start
    uint32_t stop


cdef enum:
    NOBODY = 0xFFFFFFFF  # "no position": the parent of a root

cdef enum Status:
    DONE = 0
    NO_MEMORY = 1
    DUPLICATE_NUMBER = 2
    MISSING_PARENT = 3
    CYCLE = 4
    TOO_DEEP = 5
    TOO_MANY_GROUPS = 6


cdef struct Block:  # the units of one (tier, kind): one run of positions, in preorder
    uint32_t start
    uint32_t stop
    uint16_t kind
    uint8_t tier


cdef struct Node:  # one unit the tables are built from
    uint32_t number
    uint32_t parent  # a number, 0 for a root
    uint16_t kind
    uint16_t tags    # the number of its set of tags, 0: none
    uint8_t tier


cdef struct Tables:
    uint32_t size
    uint32_t *number         # by position: stable number
    uint32_t *parent         # by position: the parent's position or NOBODY
    uint32_t *preorder       # by position: place in preorder
    uint32_t *subtree_stop   # by position: preorder just past its subtree
    uint32_t *rank           # by position: place among the numbers in ascending order
    uint32_t *ranked         # by rank: position
    uint16_t *kind           # by position
    uint16_t *tags           # by position: the number of its set of tags
    uint8_t *tier            # by position
    Block *blocks            # every (tier, kind), in order of position
    uint32_t block_count
    Run everything
    Run tiers[256]           # empty (0, 0) when no unit is of the tier
    uint16_t *kind_names     # the kinds that occur, ascending
    uint32_t kind_count
    uint32_t *kind_first     # by place in kind_names: first of its runs; one more at the end
    Run *kind_runs
    uint32_t *children_first  # by position, one more at the end
    Run *children_runs
    uint32_t *below_first
    Run *below_runs
    size_t bytes             # all of the above


cdef Status build_tables(Tables *t, Node *nodes, uint32_t count, uint32_t depth_max,
                         uint32_t *culprit) noexcept nogil
cdef void free_tables(Tables *t) noexcept nogil


cdef inline size_t push_run(Run *out, size_t count, uint32_t start, uint32_t stop) noexcept nogil:
    """Append a run at or after the last one, merging when they touch; return the count."""
    if count and out[count - 1].stop >= start:
        if stop > out[count - 1].stop:
            out[count - 1].stop = stop
        return count
    out[count].start = start
    out[count].stop = stop
    return count + 1


cdef inline size_t unite(const Run *a, size_t a_count, const Run *b, size_t b_count,
                         Run *out) noexcept nogil:
    """Write a | b; `out` has room for a_count + b_count runs and overlaps neither."""
    cdef size_t i = 0, j = 0, count = 0
    while i < a_count and j < b_count:
        if a[i].start <= b[j].start:
            count = push_run(out, count, a[i].start, a[i].stop)
            i += 1
        else:
            count = push_run(out, count, b[j].start, b[j].stop)
            j += 1
    while i < a_count:
        count = push_run(out, count, a[i].start, a[i].stop)
        i += 1
    while j < b_count:
        count = push_run(out, count, b[j].start, b[j].stop)
        j += 1
    return count


cdef inline size_t intersect(const Run *a, size_t a_count, const Run *b, size_t b_count,
                             Run *out) noexcept nogil:
    """Write a & b; `out` has room for a_count + b_count runs and overlaps neither."""
    cdef size_t i = 0, j = 0, count = 0
    cdef uint32_t low, high
    while i < a_count and j < b_count:
        low = a[i].start if a[i].start > b[j].start else b[j].start
        high = a[i].stop if a[i].stop < b[j].stop else b[j].stop
        if low < high:
            out[count].start = low
            out[count].stop = high
            count += 1
        if a[i].stop < b[j].stop:
            i += 1
        else:
            j += 1
    return count


cdef inline size_t subtract(const Run *a, size_t a_count, const Run *b, size_t b_count,
                            Run *out) noexcept nogil:
    """Write a - b; `out` has room for a_count + b_count runs and overlaps neither."""
    cdef size_t i, j = 0, count = 0
    cdef uint32_t low
    for i in range(a_count):
        low = a[i].start
        while j < b_count and b[j].stop <= low:
            j += 1
        while j < b_count and b[j].start < a[i].stop:
            if b[j].start > low:
                out[count].start = low
                out[count].stop = b[j].start
                count += 1
            low = b[j].stop
            if low >= a[i].stop:
                break  # this run of b may reach into the next run of a
            j += 1
        if low < a[i].stop:
            out[count].start = low
            out[count].stop = a[i].stop
            count += 1
    return count


cdef inline bint in_runs(const Run *runs, size_t count, uint32_t position) noexcept nogil:
    """Say whether a position is in the set: a binary search."""
    cdef size_t low = 0, high = count, middle
    while low < high:
        middle = (low + high) >> 1
        if position < runs[middle].stop:
            high = middle
        else:
            low = middle + 1
    return low < count and runs[low].start <= position


cdef inline uint32_t find_number(const Tables *t, uint32_t number) noexcept nogil:
    """Return the position of a stable number, or NOBODY."""
    cdef uint32_t low = 0, high = t.size, middle
    while low < high:
        middle = (low + high) >> 1
        if t.number[t.ranked[middle]] < number:
            low = middle + 1
        else:
            high = middle
    if low < t.size and t.number[t.ranked[low]] == number:
        return t.ranked[low]
    return NOBODY


cdef inline uint32_t find_block(const Tables *t, uint32_t position) noexcept nogil:
    """Return the index of the block that holds a valid position."""
    cdef uint32_t low = 0, high = t.block_count, middle
    while low < high:
        middle = (low + high) >> 1
        if position < t.blocks[middle].stop:
            high = middle
        else:
            low = middle + 1
    return low


cdef inline uint32_t common_ancestor(const Tables *t, uint32_t first,
                                     uint32_t last) noexcept nogil:
    """Return the lowest unit whose subtree holds both positions, or NOBODY.

    With `first` and `last` of one block it is above every unit between them, too: a block
    stands in preorder.
    """
    while first != NOBODY and not (
        t.preorder[first] <= t.preorder[last] < t.subtree_stop[first]
    ):
        first = t.parent[first]
    return first


cdef inline uint32_t load_uint32(const uint8_t *data) noexcept nogil:
    """Read four bytes, least significant first, on any machine."""
    return (<uint32_t>data[0] | (<uint32_t>data[1] << 8)
            | (<uint32_t>data[2] << 16) | (<uint32_t>data[3] << 24))


cdef inline void store_uint32(uint8_t *data, uint32_t value) noexcept nogil:
    """Write four bytes, least significant first, on any machine."""
    data[0] = value & 0xFF
    data[1] = (value >> 8) & 0xFF
    data[2] = (value >> 16) & 0xFF
    data[3] = (value >> 24) & 0xFF
