# cython: language_level=3
"""Who was written to by name, and how much of that is open.

A posting names a unit when it stands for one run of one member: its topic begins with that
unit's number.  All members of an entry may be named, none, or some of them: then PENDING has
their ranks under the audience.  What is open of it is counted by address (`_pending`).
"""

from libc.stdint cimport uint8_t, uint32_t

from router.queue._bytes cimport FAILED, FOUND, Slice, load32, store32
from router.queue._layout cimport (
    ENT_AUDIENCE, ENT_NAMED, NAMED_ALL, NAMED_MAX, NAMED_NONE, NAMED_SOME, PENDING,
    UNIT_TOPIC_BYTES,
)
from router.queue._state cimport State

__all__ = []

cdef enum:
    RUN_BYTES = 12
    RANK_BYTES = 4


cdef bint by_name(const uint8_t *posting, uint32_t *address) noexcept nogil:
    """Say whether a posting stands for one unit, and which."""
    cdef const uint8_t *run = posting + posting[0] + 2
    if posting[0] != UNIT_TOPIC_BYTES or posting[posting[0] + 1] != 1:
        return False
    address[0] = load32(posting + 1)
    return load32(run + 4) == load32(run) + 1


cdef inline size_t posting_bytes(const uint8_t *posting) noexcept nogil:
    return <size_t>posting[0] + 2 + RUN_BYTES * posting[posting[0] + 1]


cdef uint8_t named_among(const uint8_t *at, size_t size, uint32_t members) noexcept nogil:
    """Say which members of an entry its postings name."""
    cdef const uint8_t *stop = at + size
    cdef uint32_t address, named = 0
    while at < stop:
        named += by_name(at, &address)
        at += posting_bytes(at)
    if named == members:
        return NAMED_ALL
    return NAMED_SOME if 0 < named <= NAMED_MAX else NAMED_NONE


cdef uint32_t overfull(
    State state, const uint8_t *at, size_t size, uint32_t pending_max
) noexcept nogil:
    """Return the first unit written to by name that has too much open; 0: none."""
    cdef const uint8_t *stop = at + size
    cdef uint32_t address
    while at < stop:
        if by_name(at, &address) and state.pending.get(address) >= pending_max:
            return address
        at += posting_bytes(at)
    return 0


cdef void count_named(
    State state, uint8_t named, const uint8_t *audience, const uint8_t *at, size_t size
) noexcept nogil:
    """Count one more open for each unit that postings name.

    `audience` is the eight bytes that stand for their audience in keys.
    """
    cdef const uint8_t *stop = at + size
    cdef uint8_t[RANK_BYTES * NAMED_MAX] ranks
    cdef uint32_t address, count = 0
    cdef Slice known
    if named == NAMED_NONE:
        return
    while at < stop:
        if by_name(at, &address):
            if named == NAMED_SOME:
                store32(ranks + RANK_BYTES * count, load32(at + at[0] + 10))
                count += 1
            if state.pending.add(address, 1) == FAILED:
                state.failed = True
        at += posting_bytes(at)
    if count and state.get(PENDING, audience, 8, &known) != FOUND:
        state.put(PENDING, audience, 8, ranks, RANK_BYTES * count)


cdef void count_pending(
    State state, const uint8_t *row, uint32_t rank, uint32_t address, int by
) noexcept nogil:
    """Count one more or less open for an address, if its entry was written to it by name."""
    cdef Slice ranks
    cdef size_t i
    if row[ENT_NAMED] == NAMED_SOME:
        if state.get(PENDING, row + ENT_AUDIENCE, 8, &ranks) != FOUND:
            return
        for i in range(0, ranks.size, 4):
            if load32(ranks.data + i) == rank:
                break
        else:
            return
    if state.pending.add(address, by) == FAILED:
        state.failed = True
