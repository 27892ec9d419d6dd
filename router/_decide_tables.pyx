# cython: language_level=3
"""The memory a decision is made with, and its sets.

An arena hands out memory that never moves and is taken back all at once: one of the
document at hand, one of the call.  Sets are views or lie in the document's arena.
"""

from libc.stdint cimport uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc, realloc
from libc.string cimport memset

from router._tables cimport (
    DONE, NO_MEMORY, NOBODY, Run, Status, intersect, push_run, subtract, unite,
)

cdef enum:
    BLOCK_BYTES = 16_384
    SLOTS_AT_FIRST = 256      # a power of two


cdef void free_policy(Policy *p) noexcept nogil:
    free(p.rows)
    free(p.sets)
    free(p.lists)
    free(p.postings)
    free(p.buckets)
    free(p.ranks)
    free(p.of_type)
    free(p.of_bit)
    free(p.cut_place)


cdef size_t policy_bytes(const Policy *p) noexcept nogil:
    """Return the memory of rows, lists, index and headers of sets (not the sets' runs)."""
    return (
        sizeof(Policy) + p.row_count * sizeof(Row) + p.set_count * sizeof(Members)
        + p.list_size * sizeof(uint32_t) + p.posting_count * sizeof(Posting)
        + p.bucket_count * sizeof(Bucket) + p.rank_count * sizeof(Run)
        + (p.bucket_count + <size_t>8) * p.words * sizeof(uint64_t)
        + (p.row_count * sizeof(uint32_t) if p.words else 0)
    )


# Memory.

cdef Status make_workspace(const Policy *p, Workspace *w) noexcept nogil:
    """Take the memory to decide under one policy; the caller always frees it."""
    memset(w, 0, sizeof(Workspace))
    w.stamps = <uint32_t *>calloc(p.row_count + <size_t>1, sizeof(uint32_t))
    w.found = <uint32_t *>malloc((p.row_count + <size_t>1) * sizeof(uint32_t))
    w.words = <uint64_t *>calloc((p.tables.size >> 6) + <size_t>1, sizeof(uint64_t))
    w.slots = <Slot *>calloc(SLOTS_AT_FIRST, sizeof(Slot))
    w.slot_mask = SLOTS_AT_FIRST - 1
    if w.stamps == NULL or w.found == NULL or w.words == NULL or w.slots == NULL:
        return NO_MEMORY
    return DONE


cdef void free_arena(Arena *arena) noexcept nogil:
    cdef Block *block = arena.first
    cdef Block *after
    while block != NULL:
        after = block.next
        free(block)
        block = after


cdef void free_workspace(Workspace *w) noexcept nogil:
    free_arena(&w.scratch)
    free_arena(&w.kept)
    free_arena(&w.known)
    free(w.stances)
    free(w.stamps)
    free(w.found)
    free(w.hits)
    free(w.gathered)
    free(w.words)
    free(w.slots)
    free(w.wanted)


cdef void *take(Arena *arena, size_t size) noexcept nogil:
    """Return memory for a while, aligned for any number; NULL when there is none."""
    cdef Block *block = arena.now
    cdef size_t wanted
    size = (size + 15) & ~<size_t>15
    while block != NULL and block.size - block.used < size:
        block = block.next
        if block != NULL:
            block.used = 0
            arena.now = block
    if block == NULL:
        wanted = size + sizeof(Block) if size > BLOCK_BYTES else BLOCK_BYTES
        block = <Block *>malloc(wanted + sizeof(Block))
        if block == NULL:
            return NULL
        block.size = wanted
        block.used = 0
        block.next = NULL
        if arena.now == NULL:
            arena.first = block
        else:  # the walk above ended at the last one
            arena.now.next = block
        arena.now = block
    block.used += size
    return <char *>(block + 1) + block.used - size


cdef void take_back(Arena *arena) noexcept nogil:
    arena.now = arena.first
    if arena.first != NULL:
        arena.first.used = 0


cdef Status grow(void **data, size_t *capacity, size_t count, size_t each) noexcept nogil:
    """Make room for `count` things, at least doubling."""
    cdef size_t wanted = 2 * capacity[0]
    cdef void *larger
    if count <= capacity[0]:
        return DONE
    if wanted < count:
        wanted = count
    if wanted < 16:
        wanted = 16
    larger = realloc(data[0], wanted * each)
    if larger == NULL:
        return NO_MEMORY
    data[0] = larger
    capacity[0] = wanted
    return DONE


cdef inline size_t slot_place(const Slot *slots, size_t mask, uint64_t key) noexcept nogil:
    cdef size_t at = <size_t>((key * <uint64_t>0x9E3779B97F4A7C15) >> 32) & mask
    while slots[at].key and slots[at].key != key:
        at = (at + 1) & mask
    return at


cdef Slot *find_slot(const Workspace *w, uint64_t key) noexcept nogil:
    """Return what is remembered under a key, or NULL."""
    cdef size_t at = slot_place(w.slots, w.slot_mask, key)
    return &w.slots[at] if w.slots[at].key else NULL


cdef Status fill_slot(Workspace *w, uint64_t key, const Run *runs, size_t count) noexcept nogil:
    """Remember a set under a key; the runs live as long as the workspace."""
    cdef size_t at, i, mask
    cdef Slot *larger
    if 2 * w.slot_count > w.slot_mask:
        mask = 2 * w.slot_mask + 1
        larger = <Slot *>calloc(mask + 1, sizeof(Slot))
        if larger == NULL:
            return NO_MEMORY
        for i in range(w.slot_mask + 1):
            if w.slots[i].key:
                larger[slot_place(larger, mask, w.slots[i].key)] = w.slots[i]
        free(w.slots)
        w.slots = larger
        w.slot_mask = mask
    at = slot_place(w.slots, w.slot_mask, key)
    w.slot_count += w.slots[at].key == 0
    w.slots[at].key = key
    w.slots[at].runs = runs
    w.slots[at].count = count
    return DONE


cdef void forget_slots(Workspace *w) noexcept nogil:
    memset(w.slots, 0, (w.slot_mask + 1) * sizeof(Slot))
    w.slot_count = 0


cdef Status want(Workspace *w, uint64_t key) noexcept nogil:
    """Note that a set is needed which is not remembered."""
    cdef Status status = grow(
        <void **>&w.wanted, &w.wanted_capacity, w.wanted_count + 1, sizeof(uint64_t)
    )
    if status == DONE:
        w.wanted[w.wanted_count] = key
        w.wanted_count += 1
    return status


# Sets.  What can't be made for want of memory is empty, so that a caller may go on to its end.

cdef void sort_keys(uint64_t *keys, size_t count) noexcept nogil:
    """Sort in place: by insertion over shrinking gaps (Ciura's, then by 9/4 upwards)."""
    cdef size_t[24] gaps
    cdef size_t steps = 1, i, j, gap
    cdef uint64_t key
    gaps[0] = 1
    while steps < 24 and gaps[steps - 1] * 9 // 4 + 1 < count:
        gaps[steps] = gaps[steps - 1] * 9 // 4 + 1
        steps += 1
    while steps:
        steps -= 1
        gap = gaps[steps]
        for i in range(gap, count):
            key = keys[i]
            j = i
            while j >= gap and keys[j - gap] > key:
                keys[j] = keys[j - gap]
                j -= gap
            keys[j] = key


cdef Status gather(Workspace *w, const Piece *piece) noexcept nogil:
    """Add a set to those that `united` will join."""
    cdef size_t i
    cdef Status status = grow(
        <void **>&w.gathered, &w.gathered_capacity, w.gathered_count + piece.count,
        sizeof(uint64_t),
    )
    if status != DONE:
        return status
    for i in range(piece.count):
        w.gathered[w.gathered_count + i] = (
            (<uint64_t>piece.runs[i].start << 32) | piece.runs[i].stop
        )
    w.gathered_count += piece.count
    return DONE


cdef inline void fill_bits(uint64_t *words, uint32_t start, uint32_t stop) noexcept nogil:
    cdef uint32_t first = start >> 6, last = (stop - 1) >> 6, i
    cdef uint64_t head = ~<uint64_t>0 << (start & 63)
    cdef uint64_t tail = ~<uint64_t>0 >> (63 - ((stop - 1) & 63))
    if first == last:
        words[first] |= head & tail
        return
    words[first] |= head
    for i in range(first + 1, last):
        words[i] = ~<uint64_t>0
    words[last] |= tail


cdef size_t read_bits(uint64_t *words, uint32_t first, uint32_t last, Run *out) noexcept nogil:
    """Write the runs of set bits within some words, and clear those words."""
    cdef size_t count = 0
    cdef uint32_t i, base, low, high
    cdef uint64_t word
    for i in range(first, last + 1):
        word = words[i]
        words[i] = 0
        base = i << 6
        while word:
            low = trailing_zeros(word)
            word = ~(word >> low)
            high = low + trailing_zeros(word) if word else 64
            count = push_run(out, count, base + low, base + high)
            if high >= 64:
                break
            word = ~word >> (high - low) << high
    return count


cdef Status united(const Policy *p, Workspace *w, Piece *out) noexcept nogil:
    """Join what was gathered, in the document's memory: few runs sorted, many as bits."""
    cdef size_t i, total = w.gathered_count, count = 0
    cdef uint32_t start, stop, low = NOBODY, high = 0
    cdef Run *runs
    w.gathered_count = 0
    out.runs = NULL
    out.count = 0
    if total == 0:
        return DONE
    runs = <Run *>take(&w.scratch, total * sizeof(Run))
    if runs == NULL:
        return NO_MEMORY
    for i in range(total):
        start = <uint32_t>(w.gathered[i] >> 32)
        stop = <uint32_t>w.gathered[i]
        low = start if start < low else low
        high = stop if stop > high else high
    if total <= 16 + ((high - low) >> 8):
        sort_keys(w.gathered, total)
        for i in range(total):
            count = push_run(runs, count, <uint32_t>(w.gathered[i] >> 32),
                             <uint32_t>w.gathered[i])
    else:
        for i in range(total):
            fill_bits(w.words, <uint32_t>(w.gathered[i] >> 32),
                      <uint32_t>w.gathered[i])
        count = read_bits(w.words, low >> 6, (high - 1) >> 6, runs)
    out.runs = runs
    out.count = count
    return DONE


cdef Status both(Workspace *w, const Piece *a, const Piece *b, Piece *out) noexcept nogil:
    """Write a & b."""
    cdef Run *runs = <Run *>take(&w.scratch, (a.count + b.count + 1) * sizeof(Run))
    cdef size_t count
    if runs == NULL:
        out.count = 0
        return NO_MEMORY
    count = intersect(a.runs, a.count, b.runs, b.count, runs)
    out.runs = runs
    out.count = count
    return DONE


cdef Status without(Workspace *w, const Piece *a, const Piece *b, Piece *out) noexcept nogil:
    """Write a - b."""
    cdef Run *runs
    cdef size_t count
    if a.count == 0 or b.count == 0:
        out[0] = a[0]
        return DONE
    runs = <Run *>take(&w.scratch, (a.count + b.count + 1) * sizeof(Run))
    if runs == NULL:
        out.count = 0
        return NO_MEMORY
    count = subtract(a.runs, a.count, b.runs, b.count, runs)
    out.runs = runs
    out.count = count
    return DONE


cdef Status either(Workspace *w, const Piece *a, const Piece *b, Piece *out) noexcept nogil:
    """Write a | b."""
    cdef Run *runs
    cdef size_t count
    if b.count == 0:
        out[0] = a[0]
        return DONE
    runs = <Run *>take(&w.scratch, (a.count + b.count + 1) * sizeof(Run))
    if runs == NULL:
        out.count = 0
        return NO_MEMORY
    count = unite(a.runs, a.count, b.runs, b.count, runs)
    out.runs = runs
    out.count = count
    return DONE
