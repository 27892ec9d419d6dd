# cython: language_level=3
"""Programs and audiences, for compiled siblings that `cimport` them."""

from libc.stdint cimport uint32_t

from router._machine cimport Constant, Op
from router._tables cimport Run


cdef class Program:
    cdef Op *ops
    cdef tuple held      # the audiences that `sets` points into
    cdef Constant *sets
    cdef size_t count
    cdef size_t stack_max
    cdef size_t reach   # one past the highest position named or held, 0 when none is
    cdef bint quick     # bounded by microseconds: no set function of several units

    cdef int hold(self, tuple sets) except -1


cdef enum:
    SMALL_RUNS = 5  # kept inside the object: a broadcast needs no memory of its own


cdef class Audience:
    cdef Run *data      # of its own, or `small`
    cdef Run[SMALL_RUNS] small
    cdef size_t count
    cdef readonly size_t size
    cdef Py_hash_t cached_hash  # -1: not yet computed


cdef uint32_t bounded(object value, uint32_t most, str what) except? 0xFFFFFFFF
cdef Audience own(Run *data, size_t count)
cdef Audience copied(const Run *data, size_t count)
