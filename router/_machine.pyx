# cython: language_level=3
"""Runs selector programs over the tables of one hierarchy: a stack machine on run lists.

No Python object is touched here: callers check every argument, release the GIL once around
the whole batch and turn a status into an exception afterwards.  A set that the tables hold
already (a tier, the units below one unit) is a view; only results are written, one after
the other, into an arena that all programs of a batch share.
"""

from libc.stdint cimport uint8_t, uint32_t
from libc.stdlib cimport calloc, free, realloc
from libc.string cimport memchr, memcpy, memmove, memset

from router._tables cimport (
    DONE, NO_MEMORY, NOBODY, Run, Status, Tables, intersect, subtract, unite,
)


cdef enum:
    FEW_RUNS = 8


cdef Status reserve(Workspace *w, size_t extra) noexcept nogil:
    """Make room for that many more runs in the arena."""
    cdef size_t wanted = w.used + extra
    cdef Run *larger
    if wanted <= w.capacity:
        return DONE
    if wanted < 2 * w.capacity:
        wanted = 2 * w.capacity
    if wanted < 64:
        wanted = 64
    larger = <Run *>realloc(w.arena, wanted * sizeof(Run))
    if larger == NULL:
        return NO_MEMORY
    w.arena = larger
    w.capacity = wanted
    return DONE


cdef inline const Run *runs_of(const Workspace *w, const Entry *entry) noexcept nogil:
    if entry.view == NULL:
        return w.arena + entry.offset
    return entry.view


cdef inline void push_view(Workspace *w, size_t height, const Run *runs,
                           size_t count) noexcept nogil:
    w.stack[height].view = runs
    w.stack[height].offset = w.used
    w.stack[height].count = count


cdef inline void settle(Workspace *w, Entry *entry, size_t count) noexcept nogil:
    """Move a result from the arena's end down to where its operands began."""
    cdef size_t i
    if count <= FEW_RUNS:  # a call costs more than the few
        for i in range(count):
            w.arena[entry.offset + i] = w.arena[w.used + i]
    else:
        memmove(w.arena + entry.offset, w.arena + w.used, count * sizeof(Run))
    w.used = entry.offset + count
    entry.view = NULL
    entry.count = count


cdef Status combine(Workspace *w, uint32_t code, Entry *a, const Entry *b) noexcept nogil:
    """Replace the set `a` by `a` with `b` (the one above it on the stack)."""
    cdef const Run *left
    cdef const Run *right
    cdef Run *out
    cdef size_t count
    if reserve(w, a.count + b.count) != DONE:
        return NO_MEMORY
    left = runs_of(w, a)
    right = runs_of(w, b)
    out = w.arena + w.used
    if code == CODE_UNION:
        count = unite(left, a.count, right, b.count, out)
    elif code == CODE_DIFFERENCE:
        count = subtract(left, a.count, right, b.count, out)
    else:
        count = intersect(left, a.count, right, b.count, out)
    settle(w, a, count)
    return DONE


cdef void mark(const Tables *t, uint8_t *marks, const Run *members, size_t count,
               uint32_t code) noexcept nogil:
    """Mark the relatives that an operation asks for of each member of a set."""
    cdef const uint32_t *first = t.children_first if code == CODE_CHILDREN else t.below_first
    cdef const Run *runs = t.children_runs if code == CODE_CHILDREN else t.below_runs
    cdef size_t i
    cdef uint32_t j, position
    for i in range(count):
        if code == CODE_SUBTREE:
            memset(marks + members[i].start, 1, members[i].stop - members[i].start)
        for position in range(members[i].start, members[i].stop):
            if code == CODE_PARENT:
                if t.parent[position] != NOBODY:
                    marks[t.parent[position]] = 1
                continue
            for j in range(first[position], first[position + 1]):
                memset(marks + runs[j].start, 1, runs[j].stop - runs[j].start)


cdef Status sweep(const Tables *t, Workspace *w, Entry *entry, uint32_t code) noexcept nogil:
    """Replace a set by the relatives of all its members."""
    cdef size_t count = 0
    cdef uint32_t start = 0, stop
    cdef uint8_t *found
    if w.marks == NULL:
        w.marks = <uint8_t *>calloc(t.size + <size_t>1, 1)
    if w.marks == NULL or reserve(w, t.size // 2 + <size_t>1) != DONE:
        return NO_MEMORY
    mark(t, w.marks, runs_of(w, entry), entry.count, code)
    while start < t.size:
        found = <uint8_t *>memchr(w.marks + start, 1, t.size - start)
        if found == NULL:
            break
        start = <uint32_t>(found - w.marks)
        found = <uint8_t *>memchr(found, 0, t.size - start + <size_t>1)  # one zero past the end
        stop = <uint32_t>(found - w.marks)
        w.arena[w.used + count].start = start
        w.arena[w.used + count].stop = stop
        count += 1
        memset(w.marks + start, 0, stop - start)
        start = stop
    settle(w, entry, count)
    return DONE


cdef inline void look_below(const Tables *t, Workspace *w, Entry *entry, uint32_t position,
                            bint children_only) noexcept nogil:
    """Replace a set by a view of what the tables hold below one unit."""
    cdef const uint32_t *first = t.children_first if children_only else t.below_first
    cdef const Run *runs = t.children_runs if children_only else t.below_runs
    w.used = entry.offset
    entry.view = runs + first[position]
    entry.count = first[position + 1] - first[position]


cdef Status relate_one(const Tables *t, Workspace *w, Entry *entry, uint32_t position,
                       uint32_t code) noexcept nogil:
    """Replace the set of one unit by its relatives, without a pass over the units."""
    cdef uint32_t above = t.parent[position]
    cdef size_t count
    cdef Run itself
    itself.start = position
    itself.stop = position + 1
    if code == CODE_CHILDREN or code == CODE_DESCENDANTS:
        look_below(t, w, entry, position, code == CODE_CHILDREN)
        return DONE
    if code == CODE_SUBTREE:
        look_below(t, w, entry, position, False)
    elif above == NOBODY:  # a root has neither parent nor siblings
        w.used = entry.offset
        entry.count = 0
        return DONE
    elif code == CODE_SIBLINGS:
        look_below(t, w, entry, above, True)
    else:
        itself.start = above
        itself.stop = above + 1
        w.used = entry.offset
        entry.count = 0
    if reserve(w, entry.count + 1) != DONE:
        return NO_MEMORY
    if code == CODE_SIBLINGS:
        count = subtract(entry.view, entry.count, &itself, 1, w.arena + w.used)
    else:
        count = unite(entry.view, entry.count, &itself, 1, w.arena + w.used)
    settle(w, entry, count)
    return DONE


cdef Status relate_siblings(const Tables *t, Workspace *w, Entry *entry) noexcept nogil:
    """Replace a set by the children of its members' parents that are no members."""
    cdef Entry beside
    cdef size_t count
    cdef Status status
    if reserve(w, entry.count) != DONE:
        return NO_MEMORY
    memcpy(w.arena + w.used, runs_of(w, entry), entry.count * sizeof(Run))
    beside.view = NULL
    beside.offset = w.used
    beside.count = entry.count
    w.used += entry.count
    status = sweep(t, w, &beside, CODE_PARENT)
    if status == DONE:
        status = sweep(t, w, &beside, CODE_CHILDREN)
    if status != DONE or reserve(w, beside.count + entry.count) != DONE:
        return NO_MEMORY
    count = subtract(runs_of(w, &beside), beside.count, runs_of(w, entry), entry.count,
                     w.arena + w.used)
    settle(w, entry, count)
    return DONE


cdef Status relate(const Tables *t, Workspace *w, Entry *entry, uint32_t code) noexcept nogil:
    """Replace a set by its members' children, descendants, parents, siblings or subtrees."""
    cdef const Run *members = runs_of(w, entry)
    if entry.count == 0:
        return DONE
    if entry.count == 1 and members[0].stop - members[0].start == 1:
        return relate_one(t, w, entry, members[0].start, code)
    if code == CODE_SIBLINGS:
        return relate_siblings(t, w, entry)
    return sweep(t, w, entry, code)


cdef Status push_operand(const Tables *t, Workspace *w, size_t height, Op op,
                         const Constant *sets) noexcept nogil:
    """Push the set that an operand names."""
    cdef uint32_t low = 0, high = t.kind_count, middle
    if op.code == CODE_UNIT:
        if reserve(w, 1) != DONE:
            return NO_MEMORY
        push_view(w, height, NULL, 1)
        w.arena[w.used].start = op.value
        w.arena[w.used].stop = op.value + 1
        w.used += 1
    elif op.code == CODE_SET:
        push_view(w, height, sets[op.value].runs, sets[op.value].count)
    elif op.code == CODE_ALL:
        push_view(w, height, &t.everything, t.size != 0)
    elif op.code == CODE_TIER:
        push_view(w, height, &t.tiers[op.value], t.tiers[op.value].stop != 0)
    elif op.code == CODE_CLASS:
        high = t.block_count
        while low < high:
            middle = (low + high) >> 1
            if (<uint32_t>t.blocks[middle].tier << 16 | t.blocks[middle].kind) < op.value:
                low = middle + 1
            else:
                high = middle
        if low < t.block_count and (
                <uint32_t>t.blocks[low].tier << 16 | t.blocks[low].kind) == op.value:
            push_view(w, height, <const Run *>&t.blocks[low], 1)  # a block begins as a run
        else:
            push_view(w, height, &t.everything, 0)
    elif op.code == CODE_KIND:
        while low < high:
            middle = (low + high) >> 1
            if t.kind_names[middle] < op.value:
                low = middle + 1
            else:
                high = middle
        if low < t.kind_count and t.kind_names[low] == op.value:
            push_view(w, height, t.kind_runs + t.kind_first[low],
                      t.kind_first[low + 1] - t.kind_first[low])
        else:
            push_view(w, height, &t.everything, 0)
    else:
        push_view(w, height, &t.everything, 0)
    return DONE


cdef Status run_program(const Tables *t, const Plan *plan, Workspace *w) noexcept nogil:
    """Run a checked program; its answer is the only set left, `w.stack[0]`.

    The caller has checked the stack effect and that every position is below `t.size`.
    """
    cdef const Op *ops = plan.ops
    cdef size_t i, height = 0
    cdef Status status
    cdef Entry *larger
    if plan.stack_max > w.stack_capacity:
        larger = <Entry *>realloc(w.stack, plan.stack_max * sizeof(Entry))
        if larger == NULL:
            return NO_MEMORY
        w.stack = larger
        w.stack_capacity = plan.stack_max
    w.used = 0
    for i in range(plan.count):
        if ops[i].code in (CODE_UNION, CODE_DIFFERENCE, CODE_INTERSECTION):
            height -= 1
            status = combine(w, ops[i].code, &w.stack[height - 1], &w.stack[height])
        elif relates(ops[i].code):
            status = relate(t, w, &w.stack[height - 1], ops[i].code)
        else:
            status = push_operand(t, w, height, ops[i], plan.sets)
            height += 1
        if status != DONE:
            return status
    return DONE


cdef Status run_plans(const Tables *t, const Plan *plans, size_t count, Run **pool,
                      size_t *lengths) noexcept nogil:
    """Run checked programs in one workspace; keep their answers one after the other.

    `pool` is NULL before; on any status the caller frees what it holds.
    """
    cdef Workspace w
    cdef size_t i, j, filled = 0, room = 0
    cdef Run *larger
    cdef const Run *answer
    cdef Status status = DONE
    memset(&w, 0, sizeof(Workspace))
    for i in range(count):
        status = run_program(t, &plans[i], &w)
        if status != DONE:
            break
        lengths[i] = w.stack[0].count
        if filled + lengths[i] > room:
            room = 2 * (filled + lengths[i]) + 4 * count
            larger = <Run *>realloc(pool[0], room * sizeof(Run))
            if larger == NULL:
                status = NO_MEMORY
                break
            pool[0] = larger
        answer = runs_of(&w, &w.stack[0])
        if lengths[i] <= FEW_RUNS:
            for j in range(lengths[i]):
                pool[0][filled + j] = answer[j]
        else:
            memcpy(pool[0] + filled, answer, lengths[i] * sizeof(Run))
        filled += lengths[i]
    free(w.arena)
    free(w.stack)
    free(w.marks)
    return status
