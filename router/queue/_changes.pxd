# cython: language_level=3
"""How changes of deliveries are written down."""

from libc.stdint cimport uint8_t

from router.queue._moves cimport Changes, Move


cdef size_t changes_bytes_max(const Changes *changes) noexcept nogil
cdef size_t write_changes(const Changes *changes, uint8_t *into) noexcept nogil
# FOUND, or FAILED when the bytes are no such record; at most `room` moves.
cdef int read_changes(
    const uint8_t *data, size_t size, Changes *changes, Move *moves, size_t room
) noexcept nogil
