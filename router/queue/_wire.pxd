# cython: language_level=3
"""Numbers of varying length in records: seven bits a byte, least significant first."""

from libc.stdint cimport uint8_t, uint64_t


ctypedef struct Reader:  # what is left of a record; `bad` once more was wanted than there is
    const uint8_t *at
    const uint8_t *stop
    bint bad


cdef inline uint8_t *write_number(uint8_t *at, uint64_t value) noexcept nogil:
    """Write a number (at most ten bytes); return the place behind it."""
    while value >= 0x80:
        at[0] = <uint8_t>(value | 0x80)
        at += 1
        value >>= 7
    at[0] = <uint8_t>value
    return at + 1


cdef inline uint64_t read_number(Reader *reader) noexcept nogil:
    """Read a number; 0 and `bad` when there is none."""
    cdef uint64_t value = 0
    cdef int shift = 0
    while reader.at < reader.stop and shift < 64:
        value |= <uint64_t>(reader.at[0] & 0x7F) << shift
        reader.at += 1
        if not (reader.at - 1)[0] & 0x80:
            return value
        shift += 7
    reader.bad = True
    return 0


cdef inline const uint8_t *read_bytes(Reader *reader, uint64_t count) noexcept nogil:
    """Return so many bytes in place, or NULL and `bad`."""
    cdef const uint8_t *found = reader.at
    if count > <uint64_t>(reader.stop - reader.at):
        reader.bad = True
        return NULL
    reader.at += count
    return found
