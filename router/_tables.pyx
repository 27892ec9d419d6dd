# cython: language_level=3
"""Builds the tables of one hierarchy from its units.

No Python object is touched here: the caller checks every argument, releases the GIL around
the building and turns a status into an exception afterwards.  Two promises hold it
together: units are numbered by (tier, kind, preorder), so that every hierarchical set is a
few runs; and the runs below each unit are laid out once, so that a set of one unit costs no
search when a program asks for its children or descendants.
"""

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc, qsort
from libc.string cimport memset


cdef int by_number(const void *a, const void *b) noexcept nogil:
    cdef uint32_t x = (<const Node *>a).number
    cdef uint32_t y = (<const Node *>b).number
    return (x > y) - (x < y)


cdef int by_value(const void *a, const void *b) noexcept nogil:
    cdef uint64_t x = (<const uint64_t *>a)[0]
    cdef uint64_t y = (<const uint64_t *>b)[0]
    return (x > y) - (x < y)


cdef void *counted(Tables *t, size_t count, size_t size) noexcept nogil:
    """Allocate zeroed memory that is kept in the tables (never of length zero)."""
    t.bytes += (count + 1) * size
    return calloc(count + 1, size)


cdef Status sort_nodes(Node *nodes, uint32_t count, uint32_t *culprit) noexcept nogil:
    """Bring the nodes into ascending order of their numbers; refuse duplicates."""
    cdef uint32_t i
    for i in range(1, count):
        if nodes[i].number < nodes[i - 1].number:
            qsort(nodes, count, sizeof(Node), &by_number)
            break
    for i in range(1, count):
        if nodes[i].number == nodes[i - 1].number:
            culprit[0] = nodes[i].number
            return DUPLICATE_NUMBER
    return DONE


cdef uint32_t search_node(const Node *nodes, uint32_t count, uint32_t number) noexcept nogil:
    """Return the index of the node with a number, or NOBODY."""
    cdef uint32_t low = 0, high = count, middle
    while low < high:
        middle = (low + high) >> 1
        if nodes[middle].number < number:
            low = middle + 1
        else:
            high = middle
    if low < count and nodes[low].number == number:
        return low
    return NOBODY


cdef Status join_parents(Node *nodes, uint32_t count, uint32_t *culprit) noexcept nogil:
    """Turn parents' numbers into indexes of the sorted nodes.

    Numbers are given out in ascending order, so they are dense as a rule and a table by
    number saves a binary search a unit.
    """
    cdef uint32_t i, found
    cdef uint32_t most = nodes[count - 1].number if count else 0
    cdef bint dense = most <= 8 * <uint64_t>count
    cdef uint32_t *index = NULL
    if dense:
        index = <uint32_t *>malloc((<size_t>most + 1) * sizeof(uint32_t))
        if index == NULL:
            return NO_MEMORY
        memset(index, 0xFF, (<size_t>most + 1) * sizeof(uint32_t))  # all NOBODY
        for i in range(count):
            index[nodes[i].number] = i
    for i in range(count):
        if nodes[i].parent == 0:
            nodes[i].parent = NOBODY
            continue
        if not dense:
            found = search_node(nodes, count, nodes[i].parent)
        elif nodes[i].parent > most:
            found = NOBODY
        else:
            found = index[nodes[i].parent]
        if found == NOBODY:
            culprit[0] = nodes[i].number
            free(index)
            return MISSING_PARENT
        nodes[i].parent = found
    free(index)
    return DONE


cdef Status walk(Node *nodes, uint32_t count, uint32_t depth_max, uint32_t *order,
                 uint32_t *links, uint32_t *culprit) noexcept nogil:
    """Give every node its place in preorder and its subtree's size.

    `order` (count) becomes node by preorder; `links` (3 * count) is scratch: first child,
    next sibling, stack.  Roots and siblings go by ascending number.
    """
    cdef uint32_t *first = links
    cdef uint32_t *following = links + count
    cdef uint32_t *stack = links + 2 * <size_t>count
    cdef uint32_t i, node, child, place = 0, height = 0
    cdef uint32_t roots = NOBODY
    for i in range(count):
        first[i] = NOBODY
    # A node is pushed in front of its list and popped from the back of the stack: two
    # reversals, so ascending input comes out ascending.
    for i in range(count):
        nodes[i].subtree = 1
        nodes[i].depth = 0
        if nodes[i].parent == NOBODY:
            following[i] = roots
            roots = i
        else:
            following[i] = first[nodes[i].parent]
            first[nodes[i].parent] = i
    node = roots
    while node != NOBODY:
        nodes[node].depth = 1
        stack[height] = node
        height += 1
        node = following[node]
    while height:
        height -= 1
        node = stack[height]
        nodes[node].preorder = place
        order[place] = node
        place += 1
        child = first[node]
        if child != NOBODY and nodes[node].depth >= depth_max:
            culprit[0] = nodes[child].number
            return TOO_DEEP
        while child != NOBODY:
            nodes[child].depth = nodes[node].depth + 1
            stack[height] = child
            height += 1
            child = following[child]
    return finish_walk(nodes, count, place, order, culprit)


cdef Status finish_walk(Node *nodes, uint32_t count, uint32_t reached, uint32_t *order,
                        uint32_t *culprit) noexcept nogil:
    """Refuse what no root reaches (a cycle) and sum up the subtrees from the leaves."""
    cdef uint32_t i
    if reached < count:
        for i in range(count):
            if nodes[i].depth == 0:
                culprit[0] = nodes[i].number
                break
        return CYCLE
    i = count
    while i:
        i -= 1
        if nodes[order[i]].parent != NOBODY:
            nodes[nodes[order[i]].parent].subtree += nodes[order[i]].subtree
    return DONE


cdef void sort_by_byte(const uint64_t *given, uint64_t *out, uint32_t count,
                       uint32_t shift) noexcept nogil:
    """Write the keys in order of one byte, equal bytes in the order given."""
    cdef uint32_t[257] begins
    cdef uint32_t i, byte
    memset(&begins, 0, sizeof(begins))
    for i in range(count):
        begins[((given[i] >> shift) & 0xFF) + 1] += 1
    for i in range(256):
        begins[i + 1] += begins[i]
    for i in range(count):
        byte = (given[i] >> shift) & 0xFF
        out[begins[byte]] = given[i]
        begins[byte] += 1


cdef Status number_units(Tables *t, Node *nodes, const uint32_t *order) noexcept nogil:
    """Number the units by (tier, kind, preorder) and fill the columns.

    They come in preorder, so three passes by byte (kind low, kind high, tier) that keep
    the order of equals are enough; a byte that all share costs no pass.
    """
    cdef uint32_t i, index, shift, count = t.size
    cdef uint64_t differ = 0
    cdef uint64_t *spare
    cdef uint64_t *keys = <uint64_t *>malloc((2 * <size_t>count + 1) * sizeof(uint64_t))
    cdef uint64_t *memory = keys
    if keys == NULL:
        return NO_MEMORY
    spare = keys + count
    for i in range(count):  # tier, kind, then the node: in preorder
        keys[i] = (<uint64_t>nodes[order[i]].tier << 48) | (<uint64_t>nodes[order[i]].kind << 32)
        keys[i] |= order[i]
        differ |= keys[i] ^ keys[0]
    for shift in range(32, 56, 8):
        if (differ >> shift) & 0xFF:
            sort_by_byte(keys, spare, count, shift)
            keys, spare = spare, keys
    for i in range(count):
        index = <uint32_t>keys[i]
        t.number[i] = nodes[index].number
        t.tier[i] = nodes[index].tier
        t.kind[i] = nodes[index].kind
        t.tags[i] = nodes[index].tags
        t.preorder[i] = nodes[index].preorder
        t.subtree_stop[i] = nodes[index].preorder + nodes[index].subtree
        t.rank[i] = index  # the nodes are sorted by number
        t.ranked[index] = i
    for i in range(count):
        index = nodes[t.rank[i]].parent
        t.parent[i] = NOBODY if index == NOBODY else t.ranked[index]
    free(memory)
    return DONE


cdef Status list_blocks(Tables *t) noexcept nogil:
    """Find the runs of each (tier, kind) and of each tier."""
    cdef uint32_t i, count = 0
    cdef Block *block
    for i in range(t.size):
        if i == 0 or t.tier[i] != t.tier[i - 1] or t.kind[i] != t.kind[i - 1]:
            count += 1
    t.block_count = count
    t.blocks = <Block *>counted(t, count, sizeof(Block))
    if t.blocks == NULL:
        return NO_MEMORY
    count = 0
    for i in range(t.size):
        if i == 0 or t.tier[i] != t.tier[i - 1] or t.kind[i] != t.kind[i - 1]:
            block = &t.blocks[count]
            block.start = i
            block.tier = t.tier[i]
            block.kind = t.kind[i]
            count += 1
        t.blocks[count - 1].stop = i + 1
        if t.tiers[t.tier[i]].stop == 0:
            t.tiers[t.tier[i]].start = i
        t.tiers[t.tier[i]].stop = i + 1
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


cdef Status list_below(Tables *t, bint children_only, uint32_t **first_out,
                       Run **runs_out) noexcept nogil:
    """Lay out, for each unit, the runs of its children or of all its descendants.

    Positions come in ascending order, so each unit's runs grow at their end.  At most
    size * depth runs (1,000,000 * 16) exist, so their indexes fit 32 bits.
    """
    cdef uint32_t i, above, total = 0
    cdef uint32_t *first = <uint32_t *>counted(t, t.size + <size_t>1, sizeof(uint32_t))
    cdef uint32_t *last = <uint32_t *>calloc(t.size + <size_t>1, sizeof(uint32_t))
    cdef Run *runs
    first_out[0] = first
    if first == NULL or last == NULL:
        free(last)
        return NO_MEMORY
    for i in range(t.size):  # count: `last` is the stop of the newest run, 0 before it
        above = t.parent[i]
        while above != NOBODY:
            if last[above] != i or i == 0:
                first[above] += 1
            last[above] = i + 1
            above = NOBODY if children_only else t.parent[above]
    for i in range(t.size):  # now `last` becomes the index of the next run to write
        above = first[i]
        first[i] = last[i] = total
        total += above
    first[t.size] = total
    runs = <Run *>counted(t, total, sizeof(Run))
    runs_out[0] = runs
    if runs == NULL:
        free(last)
        return NO_MEMORY
    for i in range(t.size):
        above = t.parent[i]
        while above != NOBODY:
            last[above] = first[above] + <uint32_t>push_run(
                runs + first[above], last[above] - first[above], i, i + 1)
            above = NOBODY if children_only else t.parent[above]
    free(last)
    return DONE


cdef Status make_columns(Tables *t) noexcept nogil:
    """Allocate the columns, all or an error (what was made is freed by `free_tables`)."""
    t.number = <uint32_t *>counted(t, t.size, sizeof(uint32_t))
    t.parent = <uint32_t *>counted(t, t.size, sizeof(uint32_t))
    t.preorder = <uint32_t *>counted(t, t.size, sizeof(uint32_t))
    t.subtree_stop = <uint32_t *>counted(t, t.size, sizeof(uint32_t))
    t.rank = <uint32_t *>counted(t, t.size, sizeof(uint32_t))
    t.ranked = <uint32_t *>counted(t, t.size, sizeof(uint32_t))
    t.kind = <uint16_t *>counted(t, t.size, sizeof(uint16_t))
    t.tags = <uint16_t *>counted(t, t.size, sizeof(uint16_t))
    t.tier = <uint8_t *>counted(t, t.size, sizeof(uint8_t))
    if (t.number == NULL or t.parent == NULL or t.preorder == NULL or t.subtree_stop == NULL
            or t.rank == NULL or t.ranked == NULL or t.kind == NULL or t.tags == NULL
            or t.tier == NULL):
        return NO_MEMORY
    return DONE


cdef Status build_tables(Tables *t, Node *nodes, uint32_t count, uint32_t depth_max,
                         uint32_t *culprit) noexcept nogil:
    """Build the tables from checked nodes (reordered in place).

    `t` is zeroed.  On any status but DONE the caller still calls `free_tables`; `culprit`
    is then the number of the unit at fault.
    """
    cdef Status status
    cdef uint32_t *order
    t.size = count
    t.everything.stop = count
    status = make_columns(t)
    if status != DONE:
        return status
    order = <uint32_t *>malloc((4 * <size_t>count + 1) * sizeof(uint32_t))
    if order == NULL:
        return NO_MEMORY
    status = sort_nodes(nodes, count, culprit)
    if status == DONE:
        status = join_parents(nodes, count, culprit)
    if status == DONE:
        status = walk(nodes, count, depth_max, order, order + count, culprit)
    if status == DONE:
        status = number_units(t, nodes, order)
    free(order)
    if status == DONE:
        status = list_blocks(t)
    if status == DONE:
        status = list_kinds(t)
    if status == DONE:
        status = list_below(t, True, &t.children_first, &t.children_runs)
    if status == DONE:
        status = list_below(t, False, &t.below_first, &t.below_runs)
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
