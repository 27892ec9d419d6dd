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

cdef enum:
    READ_COUNT = 32   # envelopes read at once

cdef struct Spelled:
    # The texts of one envelope, within its bytes; no place in the form "jws".
    Node[4] text
    Py_ssize_t[4] length

cdef struct Read:
    # One envelope, read: its texts, its place decoded, and 0x00 with the payload decoded.
    const uint8_t *raw
    Py_ssize_t size
    Spelled found
    uint8_t[680] place
    Py_ssize_t place_length
    uint8_t *leaf              # given by the caller, as long as `raw`
    Py_ssize_t leaf_length
    bint good

cdef struct Plain:
    # One envelope, read: its texts, and what its signature is over, with the signature after it.
    const uint8_t *raw
    Py_ssize_t size
    Spelled found
    uint8_t *message           # given by the caller, as long as `raw`
    Py_ssize_t message_length
    uint8_t *signature
    Py_ssize_t signature_length
    bint good

cdef void read_in_tree(Read *one) noexcept nogil
cdef void read_plain(Plain *one) noexcept nogil
cdef Py_ssize_t run_end(list raws, Py_ssize_t first, Py_ssize_t *total) except -1
cdef Py_ssize_t decode(
    int alphabet, const uint8_t *text, Py_ssize_t length, uint8_t *out
) noexcept nogil
