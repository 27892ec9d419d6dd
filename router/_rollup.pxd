# cython: language_level=3
"""Counts of an audience by tier, in the whole snapshot and below one unit."""

from libc.stdint cimport uint32_t

from router._tables cimport Run, Tables


cdef struct Tally:
    uint32_t members[256]  # by tier: members of the audience
    uint32_t units[256]    # by tier: all units


cdef void tally_all(const Tables *t, const Run *audience, size_t count,
                    Tally *tally) noexcept nogil
cdef void tally_below(const Tables *t, const Run *audience, size_t count, uint32_t position,
                      Tally *tally) noexcept nogil
