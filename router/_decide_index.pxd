# cython: language_level=3
"""The contract of `_decide_index.pyx`: build it once, ask it for each document."""

from libc.stdint cimport uint32_t

from router._decide_tables cimport Policy, Workspace
from router._tables cimport Run, Status


cdef Status build_index(Policy *p) noexcept nogil
cdef void find_rules(const Policy *p, Workspace *w, uint32_t type, uint32_t sender,
                     const Run *audience, size_t count) noexcept nogil
cdef void find_more(const Policy *p, Workspace *w, uint32_t type, const Run *more,
                    size_t count) noexcept nogil
