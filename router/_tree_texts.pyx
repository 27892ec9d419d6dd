# cython: language_level=3
"""Reads the texts of an envelope whose document was signed in a tree, without the GIL.

Only one spelling is known, the one our encoder writes.  What is spelled otherwise is not wrong:
it is read the long way, by who asked.
"""

from libc.stdint cimport uint8_t, uint32_t
from libc.string cimport memchr, memcmp, strlen

cdef uint32_t[2][4][256] LETTERS   # by alphabet and place in its group of four
cdef enum:
    SIGNATURE_CHARS_MAX = 2048
    PLACE_CHARS_MAX = 907        # of 680 bytes in base64url
    PAYLOAD_MAX = 131072         # limits.PAYLOAD_BYTES_MAX,
    PAYLOAD_CHARS_MAX = 174764   # in base64, which has room for one byte more
cdef uint32_t BAD = 0x1000000      # no letter of the alphabet


cdef void fill_letters() noexcept:
    """Fill the tables of both alphabets."""
    cdef bytes common = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
    cdef bytes letters
    cdef int alphabet, place, letter
    for alphabet in range(2):
        letters = common + (b"-_" if alphabet == URL else b"+/")
        for place in range(4):
            for letter in range(256):
                LETTERS[alphabet][place][letter] = BAD
            for letter in range(64):
                LETTERS[alphabet][place][<uint8_t>letters[letter]] = letter << (18 - 6 * place)


fill_letters()


cdef Py_ssize_t decode(
    int alphabet, const uint8_t *text, Py_ssize_t length, uint8_t *out
) noexcept nogil:
    """Decode canonical base64 without its padding; return the bytes written, or -1."""
    cdef const uint32_t *first = LETTERS[alphabet][0]
    cdef const uint32_t *second = LETTERS[alphabet][1]
    cdef const uint32_t *third = LETTERS[alphabet][2]
    cdef const uint32_t *fourth = LETTERS[alphabet][3]
    cdef const uint8_t *end = text + (length & ~<Py_ssize_t>3)
    cdef uint8_t *start = out
    cdef uint32_t seen = 0
    cdef uint32_t bits
    while text < end:
        bits = first[text[0]] | second[text[1]] | third[text[2]] | fourth[text[3]]
        seen |= bits
        out[0] = <uint8_t>(bits >> 16)
        out[1] = <uint8_t>(bits >> 8)
        out[2] = <uint8_t>bits
        text += 4
        out += 3
    if length & 3:
        if length & 3 == 1:
            return -1
        bits = first[text[0]] | second[text[1]]
        if length & 3 == 3:
            bits |= third[text[2]]
        seen |= bits
        out[0] = <uint8_t>(bits >> 16)
        out += 1
        if length & 3 == 3:
            out[0] = <uint8_t>(bits >> 8)
            out += 1
            bits &= 0xFF
        else:
            bits &= 0xFFFF
        if bits:
            return -1
    return -1 if seen & BAD else out - start


ctypedef const char *Literal

cdef Literal[5] BETWEEN
BETWEEN[0] = b'{"version":1,"payload":"'
BETWEEN[1] = b'","signatures":[{"form":"merkle","protected":"'
BETWEEN[2] = b'","signature":"'
BETWEEN[3] = b'","tree":"'
BETWEEN[4] = b'"}]}'


cdef bint find_parts(const uint8_t *raw, Py_ssize_t size, Spelled *found) noexcept nogil:
    """Find the four texts of an envelope that is spelled just so; no escapes are among them.

    A text ends at the first quote.  An escape or a letter beyond ASCII in it is no base64, and
    fails when it is decoded or compared.
    """
    cdef const uint8_t *at = raw
    cdef const uint8_t *end = raw + size
    cdef const uint8_t *quote
    cdef Py_ssize_t length
    cdef int part
    for part in range(5):
        length = strlen(BETWEEN[part])
        if end - at < length or memcmp(at, BETWEEN[part], length) != 0:
            return False
        at += length
        if part == 4:
            return at == end
        quote = <const uint8_t *>memchr(at, c'"', end - at)
        if quote == NULL:
            return False
        found.text[part] = at
        found.length[part] = quote - at
        at = quote
    return False


cdef void read_spelled(Read *one) noexcept nogil:
    """Read one envelope of that spelling, or say that it is not good."""
    cdef const uint8_t *text
    cdef Py_ssize_t length
    one.good = False
    if not find_parts(one.raw, one.size, &one.found):
        return
    if one.found.length[SIGNATURE] > SIGNATURE_CHARS_MAX or (
        one.found.length[PLACE] > PLACE_CHARS_MAX
        or one.found.length[PAYLOAD] > PAYLOAD_CHARS_MAX
    ):
        return
    one.place_length = decode(URL, one.found.text[PLACE], one.found.length[PLACE], one.place)
    text = one.found.text[PAYLOAD]
    length = one.found.length[PAYLOAD]
    if one.place_length < 0 or length & 3 or not length:
        return
    while text[length - 1] == c"=" and length & 3 != 2:
        length -= 1
    one.leaf[0] = 0
    one.leaf_length = decode(STANDARD, text, length, one.leaf + 1) + 1
    one.good = 0 < one.leaf_length <= PAYLOAD_MAX + 1
