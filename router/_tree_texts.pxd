# cython: language_level=3
"""Texts of envelopes: canonical base64, and the parts of one spelling."""

from libc.stdint cimport uint8_t

ctypedef const uint8_t *Node

cdef enum:
    STANDARD = 0   # RFC 4648, section 4, padded
    URL = 1        # section 5, not padded

cdef enum:
    PAYLOAD = 0
    PROTECTED = 1
    SIGNATURE = 2
    PLACE = 3

cdef struct Spelled:
    # The texts of one envelope, within its bytes.
    Node[4] text
    Py_ssize_t[4] length

cdef Py_ssize_t decode(
    int alphabet, const uint8_t *text, Py_ssize_t length, uint8_t *out
) noexcept nogil
cdef bint find_parts(const uint8_t *raw, Py_ssize_t size, Spelled *found) noexcept nogil
