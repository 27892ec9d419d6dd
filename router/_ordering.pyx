# cython: language_level=3
"""Orders the units of one hierarchy: who is below whom, in which order they are numbered.

No Python object is touched here.  The columns are small arrays by index of the nodes
sorted by number, because they are read at random and the caches are small.
"""

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc, qsort
from libc.string cimport memset

from router._tables cimport (
    CYCLE, DONE, DUPLICATE_NUMBER, MISSING_PARENT, NO_MEMORY, NOBODY, TOO_DEEP,
    TOO_MANY_GROUPS, Node, Status,
)


cdef int by_number(const void *a, const void *b) noexcept nogil:
    cdef uint32_t x = (<const Node *>a).number
    cdef uint32_t y = (<const Node *>b).number
    return (x > y) - (x < y)


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


cdef Status make_scratch(Scratch *s, size_t count) noexcept nogil:
    cdef size_t room = count + 2
    memset(s, 0, sizeof(Scratch))
    s.memory = <uint32_t *>malloc(5 * room * sizeof(uint32_t) + room * 3)
    if s.memory == NULL:
        return NO_MEMORY
    s.parent = s.memory
    s.size = s.memory + room
    s.level_order = s.memory + 2 * room
    s.next_place = s.memory + 3 * room
    s.order = s.memory + 4 * room
    s.group = <uint16_t *>(s.memory + 5 * room)
    s.depth = <uint8_t *>(s.group + room)
    return DONE


cdef int by_name(const void *a, const void *b) noexcept nogil:
    cdef uint32_t x = (<const Group *>a).name
    cdef uint32_t y = (<const Group *>b).name
    return (x > y) - (x < y)


cdef Status count_groups(Scratch *s, const Node *nodes, uint32_t count) noexcept nogil:
    """Find the groups (tier, kind) that occur, in order, and which each node is of.

    Kinds are numbered from 1 without gaps, so a table by (tier, kind) stays small.
    """
    cdef uint32_t i, name, most = 0, groups = 0
    cdef uint32_t *index
    for i in range(count):
        name = (<uint32_t>nodes[i].tier << 16) | nodes[i].kind
        if name > most:
            most = name
    index = <uint32_t *>calloc(<size_t>most + 1, sizeof(uint32_t))  # pages are made when met
    if index == NULL:
        return NO_MEMORY
    for i in range(count):
        name = (<uint32_t>nodes[i].tier << 16) | nodes[i].kind
        groups += index[name] == 0
        index[name] += 1
    if groups > 65_535:
        free(index)
        return TOO_MANY_GROUPS
    s.groups = <Group *>malloc((<size_t>groups + 1) * sizeof(Group))
    if s.groups == NULL:
        free(index)
        return NO_MEMORY
    for i in range(count):
        name = (<uint32_t>nodes[i].tier << 16) | nodes[i].kind
        if index[name]:
            s.groups[s.group_count].name = name
            s.groups[s.group_count].count = index[name]
            index[name] = 0
            s.group_count += 1
            if s.group_count == groups:
                break
    qsort(s.groups, groups, sizeof(Group), &by_name)
    for i in range(groups):
        index[s.groups[i].name] = i
    for i in range(count):
        s.group[i] = <uint16_t>index[(<uint32_t>nodes[i].tier << 16) | nodes[i].kind]
    free(index)
    return DONE


cdef Status join_parents(Scratch *s, const Node *nodes, uint32_t count,
                         uint32_t *culprit) noexcept nogil:
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
        s.parent[i] = NOBODY
        if nodes[i].parent == 0:
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
        s.parent[i] = found
    free(index)
    return DONE


cdef Status measure_depths(Scratch *s, const Node *nodes, uint32_t count, uint32_t depth_max,
                           uint32_t *culprit) noexcept nogil:
    """Give every node its depth, from 1: up to the next one that has it, and back down."""
    cdef uint32_t i, node, steps
    memset(s.depth, 0, <size_t>count + 1)
    for i in range(count):
        node = i
        steps = 0
        while node != NOBODY and s.depth[node] == 0 and steps <= depth_max:
            node = s.parent[node]
            steps += 1
        if steps > depth_max or (node != NOBODY and s.depth[node] + steps > depth_max):
            culprit[0] = nodes[i].number
            return hangs_on_itself(s, i, count)
        steps += 0 if node == NOBODY else s.depth[node]
        node = i
        while node != NOBODY and s.depth[node] == 0:
            s.depth[node] = <uint8_t>steps
            steps -= 1
            node = s.parent[node]
    return DONE


cdef Status hangs_on_itself(const Scratch *s, uint32_t node, uint32_t count) noexcept nogil:
    """Say why a node is too deep: a cycle above it has no end, a deep tree has one."""
    cdef uint32_t steps = 0
    while node != NOBODY:
        if steps > count:
            return CYCLE
        node = s.parent[node]
        steps += 1
    return TOO_DEEP


cdef Status walk(Scratch *s, const Node *nodes, uint32_t count, uint32_t depth_max,
                 uint32_t *culprit) noexcept nogil:
    """Give every node its place in preorder and its subtree's size.

    Roots and siblings go by ascending number.  The nodes are taken level by level: sizes
    from the lowest up, then places from the roots down, where each takes what its parent
    has left.
    """
    cdef uint32_t i, node, above, level, place = 0
    cdef uint32_t[258] begins
    cdef Status status = measure_depths(s, nodes, count, depth_max, culprit)
    if status != DONE:
        return status
    memset(&begins, 0, sizeof(begins))
    for i in range(count):
        begins[s.depth[i] + 1] += 1
        s.size[i] = 1
    for level in range(257):
        begins[level + 1] += begins[level]
    for i in range(count):
        s.level_order[begins[s.depth[i]]] = i
        begins[s.depth[i]] += 1
    i = count
    while i:
        i -= 1
        node = s.level_order[i]
        if s.parent[node] != NOBODY:
            s.size[s.parent[node]] += s.size[node]
    for i in range(count):
        node = s.level_order[i]
        above = s.parent[node]
        if above == NOBODY:
            s.next_place[node] = place
            place += s.size[node]
        else:
            s.next_place[node] = s.next_place[above]
            s.next_place[above] += s.size[node]
        s.order[s.next_place[node]] = node
        s.next_place[node] += 1  # its first child's
    return DONE


cdef Status order_nodes(Scratch *s, Node *nodes, uint32_t count, uint32_t depth_max,
                        uint32_t *culprit) noexcept nogil:
    """Sort the nodes by number and fill the columns; the caller always calls `free_scratch`."""
    cdef Status status
    status = make_scratch(s, count)
    if status == DONE:
        status = sort_nodes(nodes, count, culprit)
    if status == DONE:
        status = join_parents(s, nodes, count, culprit)
    if status == DONE:
        status = count_groups(s, nodes, count)
    if status == DONE:
        status = walk(s, nodes, count, depth_max, culprit)
    return status


cdef void free_scratch(Scratch *s) noexcept nogil:
    """Free what `order_nodes` made."""
    free(s.memory)
    free(s.groups)
