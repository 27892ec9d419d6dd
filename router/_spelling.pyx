# cython: language_level=3
"""Strict base64url, and the two spellings of an ECDSA signature.

Each document's signature passes here, so this is compiled: in Python it cost as much as a
seventh of an RSA verification.  Exactly one text is taken for each byte string (RFC 7515
section 2, RFC 4648 section 3.5): no padding, no other letters, unused bits zero.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.unicode cimport PyUnicode_1BYTE_DATA, PyUnicode_GET_LENGTH, PyUnicode_KIND
from libc.stdint cimport uint8_t, uint32_t
from libc.string cimport memcpy, memset

__all__ = ["decode_url", "ecdsa_der"]

cdef uint8_t FOREIGN = 64
cdef Py_ssize_t INTEGER_BYTES_BOUND = 60  # longer ones need a length of two bytes in DER
cdef const char *LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
cdef uint8_t[256] VALUES


cdef void fill_values() noexcept:
    cdef int i
    memset(VALUES, FOREIGN, sizeof(VALUES))
    for i in range(64):
        VALUES[<uint8_t>LETTERS[i]] = <uint8_t>i


fill_values()


cdef int decode(const uint8_t *text, Py_ssize_t length, uint8_t *out) noexcept nogil:
    """Write three bytes for each four letters and what is left; 0 when it is not canonical."""
    cdef Py_ssize_t i = 0
    cdef uint32_t bits
    cdef uint8_t seen = 0  # gets FOREIGN when any letter is
    cdef uint8_t a, b, c, d
    while i + 4 <= length:
        a = VALUES[text[i]]
        b = VALUES[text[i + 1]]
        c = VALUES[text[i + 2]]
        d = VALUES[text[i + 3]]
        seen |= a | b | c | d
        bits = (<uint32_t>a << 18) | (<uint32_t>b << 12) | (<uint32_t>c << 6) | d
        out[0] = <uint8_t>(bits >> 16)
        out[1] = <uint8_t>(bits >> 8)
        out[2] = <uint8_t>bits
        out += 3
        i += 4
    if length - i == 1:
        return 0
    if length - i >= 2:
        a = VALUES[text[i]]
        b = VALUES[text[i + 1]]
        seen |= a | b
        out[0] = <uint8_t>((a << 2) | (b >> 4))
        if length - i == 2:
            return not (seen & FOREIGN) and not (b & 15)
        c = VALUES[text[i + 2]]
        seen |= c
        out[1] = <uint8_t>(((b & 15) << 4) | (c >> 2))
        return not (seen & FOREIGN) and not (c & 3)
    return not (seen & FOREIGN)


def decode_url(str text not None):
    """Return the bytes of canonical base64url without padding.  Raises ValueError otherwise."""
    cdef Py_ssize_t length = PyUnicode_GET_LENGTH(text)
    cdef bytes data
    if PyUnicode_KIND(text) != 1:
        raise ValueError("not canonical base64url")
    data = PyBytes_FromStringAndSize(NULL, length // 4 * 3 + (length % 4) * 3 // 4)
    if not decode(
        <const uint8_t *>PyUnicode_1BYTE_DATA(text), length, <uint8_t *>PyBytes_AS_STRING(data)
    ):
        raise ValueError("not canonical base64url")
    return data


cdef Py_ssize_t put_integer(const uint8_t *digits, Py_ssize_t size, uint8_t *out) noexcept nogil:
    """Write a DER INTEGER of big-endian digits; return the bytes written."""
    cdef Py_ssize_t sign
    while size > 1 and digits[0] == 0:
        digits += 1
        size -= 1
    sign = digits[0] >> 7  # it would read as negative
    out[0] = 2
    out[1] = <uint8_t>(size + sign)
    out[2] = 0
    memcpy(out + 2 + sign, digits, size)
    return 2 + sign + size


def ecdsa_der(bytes signature not None, Py_ssize_t integer_bytes):
    """Return r and s, big-endian one after the other, as the DER that OpenSSL wants.

    Raises ValueError when the signature is not twice `integer_bytes` long (1 to 60).
    """
    cdef Py_ssize_t size
    cdef uint8_t[128] out
    cdef const uint8_t *digits = <const uint8_t *>PyBytes_AS_STRING(signature)
    if not 1 <= integer_bytes <= INTEGER_BYTES_BOUND:
        raise ValueError(f"integers have 1 to {INTEGER_BYTES_BOUND} bytes")
    if PyBytes_GET_SIZE(signature) != 2 * integer_bytes:
        raise ValueError("not r and s in full length")
    size = put_integer(digits, integer_bytes, &out[2])
    size += put_integer(digits + integer_bytes, integer_bytes, &out[2 + size])
    out[0] = 48
    out[1] = <uint8_t>size
    return PyBytes_FromStringAndSize(<const char *>out, size + 2)
