# cython: language_level=3
"""Counts the members of an audience by tier, in the whole snapshot and below one unit.

No Python object is touched here; callers check every argument.  Positions are tier-major,
so a run falls into its tiers by comparing it with their few bounds.
"""

from libc.stdint cimport uint32_t
from libc.string cimport memset

from router._tables cimport Run, Tables, find_block


cdef void add_run(const Tables *t, uint32_t *counts, uint32_t start,
                  uint32_t stop) noexcept nogil:
    """Add the units of a run that is not empty to the counts of their tiers."""
    cdef uint32_t block = find_block(t, start), end
    cdef uint32_t tier
    while start < stop:
        tier = t.blocks[block].tier
        end = t.tiers[tier].stop
        if end >= stop:
            counts[tier] += stop - start
            return
        counts[tier] += end - start
        start = end
        block = find_block(t, start)


cdef void add_common(const Tables *t, uint32_t *counts, const Run *audience, size_t count,
                     Run within) noexcept nogil:
    """Add the members of an audience that lie in a run."""
    cdef size_t low = 0, high = count, middle
    cdef uint32_t start, stop
    while low < high:  # the first run that ends past the start
        middle = (low + high) >> 1
        if audience[middle].stop <= within.start:
            low = middle + 1
        else:
            high = middle
    while low < count and audience[low].start < within.stop:
        start = audience[low].start if audience[low].start > within.start else within.start
        stop = audience[low].stop if audience[low].stop < within.stop else within.stop
        add_run(t, counts, start, stop)
        low += 1


cdef void tally_all(const Tables *t, const Run *audience, size_t count,
                    Tally *tally) noexcept nogil:
    """Count a whole audience, and all units of the snapshot."""
    cdef size_t i
    memset(tally, 0, sizeof(Tally))
    for i in range(256):
        tally.units[i] = t.tiers[i].stop - t.tiers[i].start
    for i in range(count):
        add_run(t, tally.members, audience[i].start, audience[i].stop)


cdef void tally_below(const Tables *t, const Run *audience, size_t count, uint32_t position,
                      Tally *tally) noexcept nogil:
    """Count what lies at or below one unit."""
    cdef uint32_t i
    cdef Run run
    memset(tally, 0, sizeof(Tally))
    run.start = position
    run.stop = position + 1
    tally.units[t.tier[position]] = 1
    add_common(t, tally.members, audience, count, run)
    for i in range(t.below_first[position], t.below_first[position + 1]):
        run = t.below_runs[i]
        add_run(t, tally.units, run.start, run.stop)
        add_common(t, tally.members, audience, count, run)
