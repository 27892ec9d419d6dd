# cython: language_level=3
"""The store as its callers have it."""

from router.queue._handing cimport Handing
from router.queue._log cimport Visitor


cdef class Replay(Visitor):
    cdef Store store


cdef class Store(Handing):
    pass
