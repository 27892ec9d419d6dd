# cython: language_level=3
"""Keys held in memory: hashed, compared, and sorted by rank.

A kept key has its size, at most 255, in the byte before it.
"""

from libc.stdint cimport uint8_t, uint64_t
from libc.string cimport memcmp, memcpy

from router.queue._bytes cimport load64

cdef extern from *:
    """
    static inline uint64_t vanban_fold(uint64_t a, uint64_t b)
    {
        unsigned __int128 product = (unsigned __int128)a * b;
        return (uint64_t)product ^ (uint64_t)(product >> 64);
    }
    """
    uint64_t fold "vanban_fold"(uint64_t a, uint64_t b) noexcept nogil


cdef enum:
    FEW = 12  # so many keys are sorted by insertion


ctypedef struct Rank:  # a kept key in sorted order, and eight bytes of it as a number
    uint64_t head
    const uint8_t *key


cdef inline uint64_t word(const uint8_t *at) noexcept nogil:
    """Eight bytes as they lie."""
    cdef uint64_t value
    memcpy(&value, at, 8)
    return value


cdef inline uint64_t short_word(const uint8_t *at, size_t size) noexcept nogil:
    """Fewer than eight bytes."""
    cdef uint64_t value = 0
    cdef size_t i
    for i in range(size):
        value = (value << 8) | at[i]
    return value


cdef inline uint64_t hash_of(
    const uint64_t *secret, const uint8_t *key, size_t size
) noexcept nogil:
    """Mix a key with six secret numbers: a 128-bit product per 16 bytes, folded.

    Keys come from outside: whoever does not know the secret cannot make them collide.
    """
    cdef uint64_t hash = secret[0] ^ size
    cdef uint64_t low = 0
    cdef uint64_t high = 0
    cdef size_t left = size
    while left > 16:
        hash = fold(word(key) ^ secret[1], word(key + 8) ^ secret[2] ^ hash) ^ secret[3]
        key += 16
        left -= 16
    if left >= 8:
        low = word(key)
        high = word(key + left - 8)
    else:
        low = short_word(key, left)
    hash = fold(low ^ secret[1], high ^ secret[4] ^ hash)
    return fold(hash ^ secret[5], secret[0] ^ secret[2])


cdef inline bint same(const uint8_t *one, const uint8_t *other, size_t size) noexcept nogil:
    """Say whether keys of one size are equal; most are two to four words long."""
    if size < 8:
        return memcmp(one, other, size) == 0
    cdef size_t at = 0
    while at + 8 < size:
        if word(one + at) != word(other + at):
            return False
        at += 8
    return word(one + size - 8) == word(other + size - 8)


cdef inline size_t key_size_of(const uint8_t *key) noexcept nogil:
    """A key that is kept has its size in the byte before it."""
    return (key - 1)[0]


cdef inline int compare(
    const uint8_t *one, size_t one_size, const uint8_t *other, size_t other_size
) noexcept nogil:
    """Compare as byte strings: below 0, 0 or above 0."""
    cdef int sign = memcmp(one, other, one_size if one_size < other_size else other_size)
    if sign != 0:
        return sign
    return (one_size > other_size) - (one_size < other_size)


cdef inline uint64_t head_of(const uint8_t *key, size_t depth) noexcept nogil:
    """Up to eight bytes from `depth` on, as a number that orders as they do."""
    cdef size_t size = key_size_of(key)
    cdef uint64_t head
    if size <= depth:
        return 0
    if size - depth >= 8:
        return load64(key + depth)
    head = short_word(key + depth, size - depth)
    return head << (8 * (8 - (size - depth)))


cdef inline bint is_less(Rank *one, Rank *other) noexcept nogil:
    if one.head != other.head:
        return one.head < other.head
    return compare(one.key, key_size_of(one.key), other.key, key_size_of(other.key)) < 0


cdef inline void swap(Rank *one, Rank *other) noexcept nogil:
    cdef Rank kept = one[0]
    one[0] = other[0]
    other[0] = kept


cdef inline void sort_few(Rank *ranks, size_t count) noexcept nogil:
    cdef size_t i
    cdef size_t at
    cdef Rank moved
    for i in range(1, count):
        moved = ranks[i]
        at = i
        while at > 0 and is_less(&moved, &ranks[at - 1]):
            ranks[at] = ranks[at - 1]
            at -= 1
        ranks[at] = moved


cdef inline void sort_ranks(
    Rank *ranks, size_t count, size_t depth, uint64_t *chance
) noexcept nogil:
    """Sort keys that agree before `depth`: quicksort by eight bytes at a time.

    Pivots are drawn, so no order of arrival is a bad one; the stack stays small because only
    the smaller side and the next eight bytes recurse.
    """
    cdef size_t below
    cdef size_t above
    cdef size_t at
    cdef uint64_t pivot
    while count > FEW:
        chance[0] = chance[0] * 6364136223846793005ULL + 1442695040888963407ULL
        pivot = ranks[(chance[0] >> 33) % count].head
        below = 0
        at = 0
        above = count
        while at < above:
            if ranks[at].head < pivot:
                swap(&ranks[at], &ranks[below])
                below += 1
                at += 1
            elif ranks[at].head > pivot:
                above -= 1
                swap(&ranks[at], &ranks[above])
            else:
                at += 1
        sort_equal(ranks + below, above - below, depth, chance)
        if below < count - above:
            sort_ranks(ranks, below, depth, chance)
            ranks += above
            count -= above
        else:
            sort_ranks(ranks + above, count - above, depth, chance)
            count = below
    sort_few(ranks, count)


cdef inline void sort_equal(
    Rank *ranks, size_t count, size_t depth, uint64_t *chance
) noexcept nogil:
    """Sort keys that agree in the eight bytes from `depth` on as well.

    Those that end there differ only in their number of zero bytes, so they are few, and each
    is the beginning of all that go on.
    """
    cdef size_t ended = 0
    cdef size_t i
    if count < 2:
        return
    for i in range(count):
        if key_size_of(ranks[i].key) <= depth + 8:
            swap(&ranks[i], &ranks[ended])
            ended += 1
    sort_few(ranks, ended)
    for i in range(ended, count):
        ranks[i].head = head_of(ranks[i].key, depth + 8)
    if count - ended > 1:
        sort_ranks(ranks + ended, count - ended, depth + 8, chance)


cdef inline bint begins(const uint8_t *one, const uint8_t *other) noexcept nogil:
    """Say whether the other kept key continues this one."""
    cdef size_t size = key_size_of(one)
    return size <= key_size_of(other) and memcmp(one, other, size) == 0
