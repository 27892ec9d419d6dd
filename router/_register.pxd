# cython: language_level=3
"""The register, for compiled siblings that `cimport` it."""

from libc.stdint cimport uint32_t

from router._facts cimport Book


cdef class Register:
    cdef Book book

    cdef uint32_t entry(self, object number) except? 0xFFFFFFFE
