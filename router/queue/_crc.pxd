# cython: language_level=3
"""CRC-32C (Castagnoli, RFC 3720 appendix B.4)."""

from libc.stdint cimport uint8_t, uint32_t


# `crc` is 0 at the start, or the result for the bytes before.
cdef uint32_t crc32c(uint32_t crc, const uint8_t *data, size_t size) noexcept nogil
