# cython: language_level=3
"""Builds the tables of one hierarchy from its units.

No Python object is touched here: the caller checks every argument, releases the GIL around
the building and turns a status into an exception afterwards.  Two promises hold it
together: units are numbered by (tier, kind, preorder), so that every hierarchical set is a
few runs; and the runs below each unit are laid out once, so that a set of one unit costs no
search when a program asks for its children or descendants.
"""

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc, qsort, realloc

from router._ordering cimport Scratch, free_scratch, order_nodes


cdef int by_value(const void *a, const void *b) noexcept nogil:
    cdef uint64_t x = (<const uint64_t *>a)[0]
    cdef uint64_t y = (<const uint64_t *>b)[0]
    return (x > y) - (x < y)


cdef void *counted(Tables *t, size_t count, size_t size) noexcept nogil:
    """Allocate zeroed memory that is kept in the tables (never of length zero)."""
    t.bytes += (count + 1) * size
    return calloc(count + 1, size)


cdef struct Begun:  # a run of the units below one
    uint32_t start
    uint32_t stop
    uint32_t unit


cdef Status number_units(Tables *t, const Scratch *s, const Node *nodes) noexcept nogil:
    """Number the units by (tier, kind, preorder) and fill the columns.

    They come in preorder and each takes the next place of its group.
    """
    cdef uint32_t i, index, place
    cdef uint32_t *free_place = <uint32_t *>malloc(
        (<size_t>s.group_count + 1) * sizeof(uint32_t))
    if free_place == NULL:
        return NO_MEMORY
    place = 0
    for i in range(s.group_count):
        free_place[i] = place
        place += s.groups[i].count
    for i in range(t.size):
        index = s.order[i]
        place = free_place[s.group[index]]
        free_place[s.group[index]] = place + 1
        t.ranked[index] = place  # the nodes are sorted by number
        t.rank[place] = index
        t.preorder[place] = i
    for place in range(t.size):  # apart, so that each column is written from end to end
        index = t.rank[place]
        t.number[place] = nodes[index].number
        t.tier[place] = nodes[index].tier
        t.kind[place] = nodes[index].kind
        t.tags[place] = nodes[index].tags
        t.subtree_stop[place] = t.preorder[place] + s.size[index]
        index = s.parent[index]
        t.parent[place] = NOBODY if index == NOBODY else t.ranked[index]
    free(free_place)
    return DONE


cdef Status list_blocks(Tables *t, const Scratch *s) noexcept nogil:
    """Note the runs of each (tier, kind) and of each tier."""
    cdef uint32_t i, place = 0
    cdef Block *block
    t.block_count = s.group_count
    t.blocks = <Block *>counted(t, s.group_count, sizeof(Block))
    if t.blocks == NULL:
        return NO_MEMORY
    for i in range(s.group_count):
        block = &t.blocks[i]
        block.start = place
        block.tier = <uint8_t>(s.groups[i].name >> 16)
        block.kind = <uint16_t>s.groups[i].name
        place += s.groups[i].count
        block.stop = place
        if t.tiers[block.tier].stop == 0:
            t.tiers[block.tier].start = block.start
        t.tiers[block.tier].stop = place
    return DONE


cdef Status list_kinds(Tables *t) noexcept nogil:
    """Lay out the runs of each kind over all tiers, kinds ascending."""
    cdef size_t i, count = t.block_count, runs = 0, kinds = 0
    cdef size_t first
    cdef uint64_t key
    cdef uint64_t *keys
    cdef Block *block
    t.kind_names = <uint16_t *>counted(t, count, sizeof(uint16_t))
    t.kind_first = <uint32_t *>counted(t, count, sizeof(uint32_t))
    t.kind_runs = <Run *>counted(t, count, sizeof(Run))
    if t.kind_names == NULL or t.kind_first == NULL or t.kind_runs == NULL:
        return NO_MEMORY
    keys = <uint64_t *>malloc((count + 1) * sizeof(uint64_t))
    if keys == NULL:
        return NO_MEMORY
    for i in range(count):
        key = t.blocks[i].kind
        keys[i] = (key << 32) | i
    qsort(keys, count, sizeof(uint64_t), &by_value)
    first = 0
    for i in range(count):
        block = &t.blocks[<uint32_t>keys[i]]
        if kinds == 0 or t.kind_names[kinds - 1] != block.kind:
            t.kind_names[kinds] = block.kind
            t.kind_first[kinds] = <uint32_t>runs
            kinds += 1
            first = runs
        runs = first + push_run(t.kind_runs + first, runs - first, block.start, block.stop)
    t.kind_first[kinds] = <uint32_t>runs
    t.kind_count = <uint32_t>kinds
    free(keys)
    return DONE


cdef Status begin_run(Begun **begun, size_t *room, uint32_t *total, uint32_t unit,
                      uint32_t start) noexcept nogil:
    cdef Begun *larger
    if total[0] == room[0]:
        larger = <Begun *>realloc(begun[0], 2 * room[0] * sizeof(Begun))
        if larger == NULL:
            return NO_MEMORY
        begun[0] = larger
        room[0] *= 2
    begun[0][total[0]].start = start
    begun[0][total[0]].stop = start
    begun[0][total[0]].unit = unit
    total[0] += 1
    return DONE


cdef Status begin_children(const Tables *t, Begun **begun, size_t *room,
                           uint32_t *total) noexcept nogil:
    """Note the runs of units that have one parent."""
    cdef uint32_t i
    for i in range(t.size):
        if t.parent[i] == NOBODY:
            continue
        if i == 0 or t.parent[i] != t.parent[i - 1]:
            if begin_run(begun, room, total, t.parent[i], i) != DONE:
                return NO_MEMORY
        begun[0][total[0] - 1].stop = i + 1
    return DONE


cdef Status begin_descendants(const Tables *t, const Scratch *s, Begun **begun, size_t *room,
                              uint32_t *total) noexcept nogil:
    """Note the runs of units that have one ancestor.

    `chain` holds the ancestors of the unit before, by depth.  Of the next unit's only the
    lowest are others, as a rule: where the two ways up meet, all above is the same.
    """
    cdef uint32_t i, above, deepest = 0, depth
    cdef uint32_t[257] chain, run
    for i in range(t.size):
        above = t.parent[i]
        depth = 0 if above == NOBODY else s.depth[t.rank[above]]
        while deepest > depth:
            begun[0][run[deepest]].stop = i
            deepest -= 1
        while deepest < depth:  # there was nobody so deep
            deepest += 1
            chain[deepest] = NOBODY
        while above != NOBODY and chain[depth] != above:
            if chain[depth] != NOBODY:
                begun[0][run[depth]].stop = i
            chain[depth] = above
            run[depth] = total[0]
            if begin_run(begun, room, total, above, i) != DONE:
                return NO_MEMORY
            above = t.parent[above]
            depth -= 1
    while deepest:
        begun[0][run[deepest]].stop = t.size
        deepest -= 1
    return DONE


cdef Status list_below(Tables *t, const Scratch *s, bint children_only, uint32_t **first_out,
                       Run **runs_out) noexcept nogil:
    """Lay out, for each unit, the runs of its children or of all its descendants.

    Runs are noted as they begin, in order of position, and then dealt out to their units.
    At most size * depth of them (1,000,000 * 16) exist, so their indexes fit 32 bits.
    """
    cdef uint32_t total = 0
    cdef size_t room = t.size + <size_t>64
    cdef uint32_t *first = <uint32_t *>counted(t, t.size + <size_t>1, sizeof(uint32_t))
    cdef Begun *begun = <Begun *>malloc(room * sizeof(Begun))
    cdef Status status = NO_MEMORY
    first_out[0] = first
    if first != NULL and begun != NULL:
        if children_only:
            status = begin_children(t, &begun, &room, &total)
        else:
            status = begin_descendants(t, s, &begun, &room, &total)
    if status == DONE:
        runs_out[0] = <Run *>counted(t, total, sizeof(Run))
        if runs_out[0] == NULL:
            status = NO_MEMORY
    if status == DONE:
        deal_out(begun, total, first, s.size, t.size, runs_out[0])
    free(begun)
    return status


cdef void deal_out(const Begun *begun, uint32_t total, uint32_t *first, uint32_t *place,
                   uint32_t size, Run *runs) noexcept nogil:
    """Count the runs of each unit and put them there (`place` is scratch)."""
    cdef uint32_t i, here, before = 0
    for i in range(total):
        first[begun[i].unit] += 1
    for i in range(size):
        here = first[i]
        first[i] = place[i] = before
        before += here
    first[size] = before
    for i in range(total):
        here = place[begun[i].unit]
        place[begun[i].unit] = here + 1
        runs[here].start = begun[i].start
        runs[here].stop = begun[i].stop


cdef void *column(Tables *t, size_t size) noexcept nogil:
    """Allocate one value a unit; all of it is written by `number_units`."""
    t.bytes += t.size * size
    return malloc((<size_t>t.size + 1) * size)


cdef Status make_columns(Tables *t) noexcept nogil:
    """Allocate the columns, all or an error (what was made is freed by `free_tables`)."""
    t.number = <uint32_t *>column(t, sizeof(uint32_t))
    t.parent = <uint32_t *>column(t, sizeof(uint32_t))
    t.preorder = <uint32_t *>column(t, sizeof(uint32_t))
    t.subtree_stop = <uint32_t *>column(t, sizeof(uint32_t))
    t.rank = <uint32_t *>column(t, sizeof(uint32_t))
    t.ranked = <uint32_t *>column(t, sizeof(uint32_t))
    t.kind = <uint16_t *>column(t, sizeof(uint16_t))
    t.tags = <uint16_t *>column(t, sizeof(uint16_t))
    t.tier = <uint8_t *>column(t, sizeof(uint8_t))
    if (t.number == NULL or t.parent == NULL or t.preorder == NULL or t.subtree_stop == NULL
            or t.rank == NULL or t.ranked == NULL or t.kind == NULL or t.tags == NULL
            or t.tier == NULL):
        return NO_MEMORY
    return DONE


cdef Status order_units(Tables *t, Node *nodes, uint32_t depth_max,
                        uint32_t *culprit) noexcept nogil:
    """Bring the units into their final order and fill the columns and the runs below each."""
    cdef Scratch s
    cdef Status status = order_nodes(&s, nodes, t.size, depth_max, culprit)
    if status == DONE:
        status = number_units(t, &s, nodes)
    if status == DONE:
        status = list_blocks(t, &s)
    if status == DONE:
        status = list_below(t, &s, True, &t.children_first, &t.children_runs)
    if status == DONE:
        status = list_below(t, &s, False, &t.below_first, &t.below_runs)
    free_scratch(&s)
    return status


cdef Status build_tables(Tables *t, Node *nodes, uint32_t count, uint32_t depth_max,
                         uint32_t *culprit) noexcept nogil:
    """Build the tables from checked nodes (reordered in place).

    `t` is zeroed.  On any status but DONE the caller still calls `free_tables`; `culprit`
    is then the number of the unit at fault.
    """
    cdef Status status
    t.size = count
    t.everything.stop = count
    status = make_columns(t)
    if status == DONE:
        status = order_units(t, nodes, depth_max, culprit)
    if status == DONE:
        status = list_kinds(t)
    return status


cdef void free_tables(Tables *t) noexcept nogil:
    """Free everything the tables hold."""
    free(t.number)
    free(t.parent)
    free(t.preorder)
    free(t.subtree_stop)
    free(t.rank)
    free(t.ranked)
    free(t.kind)
    free(t.tags)
    free(t.tier)
    free(t.blocks)
    free(t.kind_names)
    free(t.kind_first)
    free(t.kind_runs)
    free(t.children_first)
    free(t.children_runs)
    free(t.below_first)
    free(t.below_runs)
