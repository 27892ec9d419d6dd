# cython: language_level=3
"""The compiled hierarchy, for compiled siblings that `cimport` it."""

from libc.stdint cimport uint32_t

from router._audience cimport Audience, Program
from router._tables cimport Node, Run, Tables


cdef class Hierarchy:
    cdef Tables tables

    cdef int build(self, Node *nodes, uint32_t count) except -1
    cdef uint32_t at(self, object position) except? 0xFFFFFFFF
    cdef int check(self, Audience audience) except -1
    cdef int admit(self, Program program) except -1


cdef Hierarchy hierarchy_of(Node *nodes, uint32_t count)
