# cython: language_level=3
"""CRC-32C (Castagnoli, RFC 3720 appendix B.4): by the processor where it can, else by table.

The processor's instruction waits three cycles for its last answer, so three stretches of a
record are summed side by side and joined through a table.
"""

from libc.stdint cimport uint8_t, uint32_t, uint64_t

__all__ = ["HARDWARE", "checksum", "checksum_by_table"]

cdef extern from *:
    """
    #include <stdint.h>
    #include <stddef.h>
    #include <string.h>

    #define VANBAN_STRETCH 256

    #if defined(__x86_64__) && defined(__GNUC__)
    #include <nmmintrin.h>
    #define VANBAN_HARDWARE 1

    static int vanban_has_crc(void) { return __builtin_cpu_supports("sse4.2") != 0; }

    static inline uint64_t vanban_word(const uint8_t *at) {
        uint64_t word;
        memcpy(&word, at, 8);
        return word;
    }

    static inline uint32_t vanban_shift(uint32_t (*table)[256], uint32_t crc) {
        return table[0][crc & 255] ^ table[1][(crc >> 8) & 255]
            ^ table[2][(crc >> 16) & 255] ^ table[3][crc >> 24];
    }

    __attribute__((target("sse4.2")))
    static uint32_t vanban_crc(
        uint32_t start, const uint8_t *at, size_t size, uint32_t (*shift)[256]
    ) {
        uint64_t a = start, b, c;
        while (size >= 3 * VANBAN_STRETCH) {
            b = 0;
            c = 0;
            for (size_t i = 0; i < VANBAN_STRETCH; i += 8) {
                a = _mm_crc32_u64(a, vanban_word(at + i));
                b = _mm_crc32_u64(b, vanban_word(at + i + VANBAN_STRETCH));
                c = _mm_crc32_u64(c, vanban_word(at + i + 2 * VANBAN_STRETCH));
            }
            a = vanban_shift(shift, (uint32_t)a) ^ b;
            a = vanban_shift(shift, (uint32_t)a) ^ c;
            at += 3 * VANBAN_STRETCH;
            size -= 3 * VANBAN_STRETCH;
        }
        for (; size >= 8; at += 8, size -= 8) a = _mm_crc32_u64(a, vanban_word(at));
        for (; size; at++, size--) a = _mm_crc32_u8((uint32_t)a, *at);
        return (uint32_t)a;
    }
    #else
    #define VANBAN_HARDWARE 0
    static int vanban_has_crc(void) { return 0; }
    static uint32_t vanban_crc(
        uint32_t start, const uint8_t *at, size_t size, uint32_t (*shift)[256]
    ) { (void)at; (void)size; (void)shift; return start; }
    #endif
    """
    enum:
        VANBAN_STRETCH
    int vanban_has_crc() nogil
    uint32_t vanban_crc(
        uint32_t start, const uint8_t *at, size_t size, uint32_t (*shift)[256]
    ) nogil

cdef uint32_t TABLE[8][256]   # TABLE[k][b]: the effect of byte b, k bytes before the end
cdef uint32_t SHIFT[4][256]   # SHIFT[k][b]: the effect of byte k of a sum, one stretch on
cdef bint HAS_CRC = vanban_has_crc()

HARDWARE = bool(HAS_CRC)


cdef void fill_tables() noexcept:
    cdef uint32_t value, i
    cdef int k
    for i in range(256):
        value = i
        for k in range(8):
            value = (value >> 1) ^ (0x82F63B78 if value & 1 else 0)
        TABLE[0][i] = value
    for i in range(256):
        for k in range(1, 8):
            TABLE[k][i] = TABLE[0][TABLE[k - 1][i] & 255] ^ (TABLE[k - 1][i] >> 8)
    for i in range(256):
        for k in range(4):
            value = i << (8 * k)
            for _ in range(VANBAN_STRETCH):
                value = TABLE[0][value & 255] ^ (value >> 8)
            SHIFT[k][i] = value


cdef uint32_t by_table(uint32_t value, const uint8_t *at, size_t size) noexcept nogil:
    while size >= 8:
        value ^= (
            <uint32_t>at[0] | (<uint32_t>at[1] << 8)
            | (<uint32_t>at[2] << 16) | (<uint32_t>at[3] << 24)
        )
        value = (
            TABLE[7][value & 255] ^ TABLE[6][(value >> 8) & 255]
            ^ TABLE[5][(value >> 16) & 255] ^ TABLE[4][value >> 24]
            ^ TABLE[3][at[4]] ^ TABLE[2][at[5]] ^ TABLE[1][at[6]] ^ TABLE[0][at[7]]
        )
        at += 8
        size -= 8
    while size:
        value = TABLE[0][(value ^ at[0]) & 255] ^ (value >> 8)
        at += 1
        size -= 1
    return value


cdef uint32_t crc32c(uint32_t crc, const uint8_t *data, size_t size) noexcept nogil:
    if HAS_CRC:
        return ~vanban_crc(~crc, data, size, SHIFT)
    return ~by_table(~crc, data, size)


def checksum(const uint8_t[::1] data not None, uint32_t before=0):
    """Return the CRC-32C of `data`, going on from the sum of the bytes `before` it."""
    return crc32c(before, &data[0], data.shape[0]) if data.shape[0] else before


def checksum_by_table(const uint8_t[::1] data not None, uint32_t before=0):
    """Return the same as `checksum`, never asking the processor."""
    return <uint32_t>~by_table(~before, &data[0], data.shape[0]) if data.shape[0] else before


fill_tables()
