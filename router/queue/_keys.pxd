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
    /* A function with nothing but __builtin_prefetch counts as one without effect, and calls
       of it are left out: what is volatile stays. */
    static inline void vanban_fetch(const void *at)
    {
    #if defined(__x86_64__)
        __asm__ volatile("prefetcht0 %0" : : "m"(*(const char *)at));
    #elif defined(__aarch64__)
        __asm__ volatile("prfm pldl1keep, %0" : : "Q"(*(const char *)at));
    #else
        (void)at;
    #endif
    }
    """
    uint64_t fold "vanban_fold"(uint64_t a, uint64_t b) noexcept nogil
    void prefetch "vanban_fetch"(const void *at) noexcept nogil  # what is read soon


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


cdef inline uint64_t head_of(const uint8_t *key) noexcept nogil:
    """Up to eight bytes of a kept key, as a number that orders as they do."""
    cdef size_t size = key_size_of(key)
    if size >= 8:
        return load64(key)
    return short_word(key, size) << (8 * (8 - size)) if size else 0


cdef inline bint is_less(Rank *one, Rank *other) noexcept nogil:
    if one.head != other.head:
        return one.head < other.head
    return compare(one.key, key_size_of(one.key), other.key, key_size_of(other.key)) < 0


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


cdef inline size_t run_from(Rank *ranks, size_t at, size_t count) noexcept nogil:
    """Where the sorted run that begins at an index ends."""
    if at < count:
        at += 1
    while at < count and not is_less(&ranks[at], &ranks[at - 1]):
        at += 1
    return at


cdef inline void merge(
    Rank *one, Rank *one_end, Rank *other, Rank *other_end, Rank *into
) noexcept nogil:
    """Merge two sorted runs."""
    while one < one_end and other < other_end:
        if is_less(other, one):
            into[0] = other[0]
            other += 1
        else:
            into[0] = one[0]
            one += 1
        into += 1
    memcpy(into, one, <size_t>(one_end - one) * sizeof(Rank))
    into += one_end - one
    memcpy(into, other, <size_t>(other_end - other) * sizeof(Rank))


cdef inline Rank *sort_ranks(Rank *ranks, Rank *spare, size_t count) noexcept nogil:
    """Sort keys, with room for as many to spare; give the array that holds them in the end.

    Merges the runs that are there.  Most keys come in order, or in a few runs, and then one
    pass or a few are all; no order of arrival is a bad one.
    """
    cdef size_t at = 0
    cdef size_t middle
    cdef size_t end
    cdef Rank *kept
    while at < count:
        sort_few(ranks + at, FEW if count - at > FEW else count - at)
        at += FEW
    while run_from(ranks, 0, count) < count:
        at = 0
        while at < count:
            middle = run_from(ranks, at, count)
            end = run_from(ranks, middle, count)
            merge(ranks + at, ranks + middle, ranks + middle, ranks + end, spare + at)
            at = end
        kept = ranks
        ranks = spare
        spare = kept
    return ranks


cdef inline bint begins(const uint8_t *one, const uint8_t *other) noexcept nogil:
    """Say whether the other kept key continues this one."""
    cdef size_t size = key_size_of(one)
    return size <= key_size_of(other) and memcmp(one, other, size) == 0
