# cython: language_level=3
"""Reads the texts of an envelope with one signature, without the GIL.

Only one spelling of each form is known, the one our encoder writes.  What is spelled otherwise
is not wrong: it is read the long way, by who asked.
"""

from libc.stdint cimport uint8_t, uint32_t
from libc.string cimport memchr, memcmp, memcpy, strlen

cdef uint32_t[2][4][256] LETTERS   # by alphabet and place in its group of four
cdef enum:
    READ_BYTES = 131072          # of envelopes read at once: what is read stays in the cache
    SIGNATURE_CHARS_MAX = 2048
    PROTECTED_CHARS_MAX = 24576  # limits.SIGNATURE_HEADER_CHARS_MAX
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

cdef Literal[5] IN_TREE   # what stands around the texts of the form "merkle",
IN_TREE[0] = b'{"version":1,"payload":"'
IN_TREE[1] = b'","signatures":[{"form":"merkle","protected":"'
IN_TREE[2] = b'","signature":"'
IN_TREE[3] = b'","tree":"'
IN_TREE[4] = b'"}]}'

cdef Literal[4] PLAIN     # and of the form "jws"
PLAIN[0] = IN_TREE[0]
PLAIN[1] = b'","signatures":[{"form":"jws","protected":"'
PLAIN[2] = IN_TREE[2]
PLAIN[3] = IN_TREE[4]


cdef bint find_parts(
    const uint8_t *raw, Py_ssize_t size, const Literal *around, int texts, Spelled *found
) noexcept nogil:
    """Find the texts of an envelope that is spelled just so; no escapes are among them.

    A text ends at the first quote.  An escape or a letter beyond ASCII in it is no base64, and
    fails when it is decoded or compared.
    """
    cdef const uint8_t *at = raw
    cdef const uint8_t *end = raw + size
    cdef const uint8_t *quote
    cdef Py_ssize_t length
    cdef int part
    for part in range(texts + 1):
        length = strlen(around[part])
        if end - at < length or memcmp(at, around[part], length) != 0:
            return False
        at += length
        if part == texts:
            return at == end
        quote = <const uint8_t *>memchr(at, c'"', end - at)
        if quote == NULL:
            return False
        found.text[part] = at
        found.length[part] = quote - at
        at = quote
    return False


cdef Py_ssize_t decode_payload(const Spelled *found, uint8_t *out) noexcept nogil:
    """Decode a payload of 1 byte to the most there may be; return the bytes, or -1."""
    cdef const uint8_t *text = found.text[PAYLOAD]
    cdef Py_ssize_t length = found.length[PAYLOAD]
    if length & 3 or not 0 < length <= PAYLOAD_CHARS_MAX:
        return -1
    while text[length - 1] == c"=" and length & 3 != 2:
        length -= 1
    length = decode(STANDARD, text, length, out)
    return length if 0 < length <= PAYLOAD_MAX else -1


cdef void read_in_tree(Read *one) noexcept nogil:
    """Read one envelope of that spelling, or say that it is not good."""
    one.good = False
    if not find_parts(one.raw, one.size, IN_TREE, 4, &one.found):
        return
    if one.found.length[SIGNATURE] > SIGNATURE_CHARS_MAX or (
        one.found.length[PLACE] > PLACE_CHARS_MAX
    ):
        return
    one.place_length = decode(URL, one.found.text[PLACE], one.found.length[PLACE], one.place)
    if one.place_length < 0:
        return
    one.leaf[0] = 0
    one.leaf_length = decode_payload(&one.found, one.leaf + 1) + 1
    one.good = one.leaf_length > 0


cdef void read_plain(Plain *one) noexcept nogil:
    """Read one envelope of that spelling, or say that it is not good.

    The header's letters are not looked at: who asked has to.
    """
    cdef Py_ssize_t header = 0
    one.good = False
    if not find_parts(one.raw, one.size, PLAIN, 3, &one.found):
        return
    header = one.found.length[PROTECTED]
    if one.found.length[SIGNATURE] > SIGNATURE_CHARS_MAX or header > PROTECTED_CHARS_MAX:
        return
    memcpy(one.message, one.found.text[PROTECTED], header)
    one.message[header] = c"."
    one.message_length = decode_payload(&one.found, one.message + header + 1)
    if one.message_length < 0:
        return
    one.message_length += header + 1
    one.signature = one.message + one.message_length
    one.signature_length = decode(
        URL, one.found.text[SIGNATURE], one.found.length[SIGNATURE], one.signature
    )
    one.good = one.signature_length >= 0


cdef Py_ssize_t run_end(list raws, Py_ssize_t first, Py_ssize_t *total) except -1:
    """Return where a run ends that is read at once, and set the bytes of its envelopes."""
    cdef Py_ssize_t end = first
    total[0] = 0
    while end < len(raws) and end - first < READ_COUNT and total[0] < READ_BYTES:
        total[0] += len(<bytes?>raws[end])
        end += 1
    return end
