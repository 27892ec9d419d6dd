# cython: language_level=3
"""The contract of `_decide_few.pyx`: sets of few units as the bits of a word."""

from libc.stdint cimport uint64_t

from router._decide_tables cimport Piece, Units, Workspace
from router._tables cimport Status


cdef bint name_units(Units *units, const Piece *piece) noexcept nogil
cdef uint64_t among(const Units *units, const Piece *piece) noexcept nogil
cdef Status show(Workspace *w, const Units *a, uint64_t here, const Units *b, uint64_t there,
                 Piece *out) noexcept nogil


cdef inline uint64_t everyone(const Units *units) noexcept nogil:
    """Return the bits of all units."""
    return ~<uint64_t>0 >> (64 - units.count) if units.count else 0
