# cython: language_level=3
"""The contract of `_decide_stances.pyx`: what senders make of the rules, remembered."""

from libc.stdint cimport uint32_t

from router._decide_tables cimport Known, Piece, Policy, Stance, Workspace
from router._tables cimport Status


cdef Status sort_out(Policy *p) noexcept nogil
cdef void expect(const Policy *p, const Workspace *w, uint32_t sender) noexcept nogil
cdef Stance *stance_of(const Policy *p, Workspace *w, uint32_t sender) noexcept nogil
cdef Status learn(Workspace *w, Known *known, const Piece *piece, bint lasts) noexcept nogil
cdef void forget_stances(Workspace *w) noexcept nogil
