# cython: language_level=3
"""Sets of few units as the bits of a word: most documents go to some dozens of them.

`Units` names the units in the order of their positions; what a set has in common with them
is one bit each.
"""

from libc.stdint cimport int32_t, uint32_t, uint64_t
from libc.string cimport memcpy

from router._decide_tables cimport (
    FEW, Piece, Units, Workspace, first_past, take, trailing_zeros,
)
from router._tables cimport DONE, NO_MEMORY, Run, Status, push_run

cdef enum:
    BEYOND = 0x7FFFFFFF       # past every position
    SIDES_MAX = 8             # runs of which both ends are counted; more are walked along
    WALKED_MAX = 512          # runs; of more, each unit is looked for


cdef extern from *:
    """
    /* How many of 64 positions lie before one: no branch, so that it becomes vectors. */
    static inline uint32_t vanban_before(const int32_t *at, int32_t position) {
        uint32_t i, count = 0;
        for (i = 0; i < 64; i++) count += at[i] < position;
        return count;
    }
    """
    uint32_t before "vanban_before"(const int32_t *at, int32_t position) noexcept nogil


cdef bint name_units(Units *units, const Piece *piece) noexcept nogil:
    """Name the units of a set; False when they are too many."""
    cdef uint32_t count = 0, i
    cdef size_t run
    for run in range(piece.count):
        if piece.runs[run].stop - piece.runs[run].start > FEW - count:
            return False
        for i in range(piece.runs[run].start, piece.runs[run].stop):
            units.at[count] = <int32_t>i
            count += 1
    units.count = count
    for i in range(count, FEW + 4):
        units.at[i] = BEYOND
    return True


cdef uint64_t among(const Units *units, const Piece *piece) noexcept nogil:
    """Return which of the units are in a set."""
    cdef uint64_t found = 0
    cdef uint32_t low, high, i = 0, start, stop
    cdef size_t run, at
    if piece.count <= SIDES_MAX:
        for run in range(piece.count):
            low = before(units.at, <int32_t>piece.runs[run].start)
            high = before(units.at, <int32_t>piece.runs[run].stop)
            if low < high:
                found |= ~<uint64_t>0 >> (64 - (high - low)) << low
    elif piece.count <= WALKED_MAX:
        for run in range(piece.count):
            start = piece.runs[run].start
            stop = piece.runs[run].stop
            while <uint32_t>units.at[i] < start:
                i += 1
            while <uint32_t>units.at[i] < stop:
                found |= <uint64_t>1 << i
                i += 1
            if i >= units.count:
                break
    else:
        for i in range(units.count):
            at = first_past(piece.runs, piece.count, <uint32_t>units.at[i])
            if at < piece.count and piece.runs[at].start <= <uint32_t>units.at[i]:
                found |= <uint64_t>1 << i
    return found


cdef Status show(Workspace *w, const Units *a, uint64_t here, const Units *b, uint64_t there,
                 Piece *out) noexcept nogil:
    """Write some units of two lists as one set, in the memory of the call."""
    cdef Run[2 * FEW] runs
    cdef Run *kept
    cdef uint32_t one
    cdef size_t count = 0
    out.runs = NULL
    out.count = 0
    while here or there:
        if there == 0 or (here and a.at[trailing_zeros(here)] < b.at[trailing_zeros(there)]):
            one = <uint32_t>a.at[trailing_zeros(here)]
            here &= here - 1
        else:
            one = <uint32_t>b.at[trailing_zeros(there)]
            there &= there - 1
        count = push_run(runs, count, one, one + 1)
    if count == 0:
        return DONE
    kept = <Run *>take(&w.kept, count * sizeof(Run))
    if kept == NULL:
        return NO_MEMORY
    memcpy(kept, runs, count * sizeof(Run))
    out.runs = kept
    out.count = count
    return DONE
