# cython: language_level=3
"""Finds a member name that stands twice in one JSON object.

RFC 8259 leaves the meaning of such objects open and parsers differ (first, last, error), so
a signed document may say one thing to one reader and another to the next.  The decoder we
use keeps the last one silently; the door therefore asks here first.  The bytes are already
known to be valid JSON, but any bytes are safe to scan.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from cpython.unicode cimport PyUnicode_DecodeUTF8
from libc.stdint cimport uint8_t, uint32_t
from libc.stdlib cimport free, malloc, qsort, realloc
from libc.string cimport memchr, memcmp

__all__ = ["find_duplicate_member"]

cdef size_t DEPTH_BOUND = 1024

cdef enum Outcome:
    CLEAN = 0
    REPEATED = 1
    TOO_DEEP = 2
    NO_MEMORY = 3


cdef struct Name:
    const uint8_t *text
    size_t length
    size_t offset    # of the opening quote
    uint32_t holder  # which object it stands in, numbered in order of opening


cdef struct Scan:
    const uint8_t *data
    size_t size
    Name *names
    size_t count
    size_t capacity
    uint8_t *unescaped  # as long as the data, made for the first name with an escape
    size_t written
    uint32_t *holders   # by depth: the number of the open object, 0 for an array


cdef int by_text(const void *a, const void *b) noexcept nogil:
    """Order by object, length, bytes; equals by place."""
    cdef const Name *x = <const Name *>a
    cdef const Name *y = <const Name *>b
    cdef int order
    if x.holder != y.holder:
        return (x.holder > y.holder) - (x.holder < y.holder)
    if x.length != y.length:
        return (x.length > y.length) - (x.length < y.length)
    order = memcmp(x.text, y.text, x.length)
    return order if order else (x.offset > y.offset) - (x.offset < y.offset)


cdef size_t string_end(const Scan *s, size_t start, bint *escaped) noexcept nogil:
    """Return the place of the quote that closes a string, or the data's end."""
    cdef const uint8_t *quote = <const uint8_t *>memchr(s.data + start, 34, s.size - start)
    cdef size_t i, end
    escaped[0] = False
    if quote == NULL:
        return s.size
    end = quote - s.data
    quote = <const uint8_t *>memchr(s.data + start, 92, end - start)
    if quote == NULL:
        return end
    escaped[0] = True
    i = quote - s.data
    while i < s.size and s.data[i] != 34:
        i += 2 if s.data[i] == 92 else 1
    return i if i < s.size else s.size


cdef int hexadecimal(const uint8_t *text) noexcept nogil:
    """Return the value of four hexadecimal digits (any other byte counts as 0)."""
    cdef int value = 0, i
    cdef uint8_t c
    for i in range(4):
        c = text[i]
        value <<= 4
        if 48 <= c <= 57:
            value |= c - 48
        elif 97 <= (c | 32) <= 102:
            value |= (c | 32) - 87
    return value


cdef size_t put_utf8(uint8_t *out, uint32_t point) noexcept nogil:
    """Write one code point (a lone surrogate as three bytes); return the bytes written."""
    if point < 0x80:
        out[0] = point
        return 1
    if point < 0x800:
        out[0] = 0xC0 | (point >> 6)
        out[1] = 0x80 | (point & 0x3F)
        return 2
    if point < 0x10000:
        out[0] = 0xE0 | (point >> 12)
        out[1] = 0x80 | ((point >> 6) & 0x3F)
        out[2] = 0x80 | (point & 0x3F)
        return 3
    out[0] = 0xF0 | (point >> 18)
    out[1] = 0x80 | ((point >> 12) & 0x3F)
    out[2] = 0x80 | ((point >> 6) & 0x3F)
    out[3] = 0x80 | (point & 0x3F)
    return 4


cdef uint8_t plain_escape(uint8_t letter) noexcept nogil:
    """Return the byte that a one-letter escape stands for."""
    if letter == 98:    # b
        return 8
    if letter == 102:   # f
        return 12
    if letter == 110:   # n
        return 10
    if letter == 114:   # r
        return 13
    if letter == 116:   # t
        return 9
    return letter


cdef size_t unescape(const uint8_t *text, size_t length, uint8_t *out) noexcept nogil:
    """Write the bytes a name stands for (never more than it has); return their count."""
    cdef size_t i = 0, written = 0
    cdef uint32_t point, low
    while i < length:
        if text[i] != 92 or i + 1 >= length:
            out[written] = text[i]
            written += 1
            i += 1
        elif text[i + 1] != 117 or i + 6 > length:  # not \uXXXX
            out[written] = plain_escape(text[i + 1])
            written += 1
            i += 2
        else:
            point = hexadecimal(text + i + 2)
            i += 6
            if 0xD800 <= point < 0xDC00 and i + 6 <= length and text[i] == 92 \
                    and text[i + 1] == 117:
                low = hexadecimal(text + i + 2)
                if 0xDC00 <= low < 0xE000:
                    point = 0x10000 + ((point - 0xD800) << 10) + (low - 0xDC00)
                    i += 6
            written += put_utf8(out + written, point)
    return written


cdef Outcome note_name(Scan *s, size_t start, size_t end, uint32_t holder,
                       bint escaped) noexcept nogil:
    """Keep a member name, unescaped."""
    cdef Name *larger
    cdef Name *name
    if s.count == s.capacity:
        s.capacity = 2 * s.capacity + 32
        larger = <Name *>realloc(s.names, s.capacity * sizeof(Name))
        if larger == NULL:
            return NO_MEMORY
        s.names = larger
    name = &s.names[s.count]
    name.text = s.data + start
    name.length = end - start
    name.offset = start - 1
    name.holder = holder
    if escaped:
        if s.unescaped == NULL:
            s.unescaped = <uint8_t *>malloc(s.size + 1)
            if s.unescaped == NULL:
                return NO_MEMORY
        name.text = s.unescaped + s.written
        name.length = unescape(s.data + start, end - start, s.unescaped + s.written)
        s.written += name.length
    s.count += 1
    return CLEAN


cdef Outcome collect(Scan *s, size_t depth_max) noexcept nogil:
    """Pass over the data once and keep every member name with its object."""
    cdef size_t i = 0, end, depth = 0
    cdef uint32_t objects = 0
    cdef uint8_t c
    cdef bint naming = False  # the next string is a member name
    cdef bint escaped
    while i < s.size:
        c = s.data[i]
        if c == 34:
            end = string_end(s, i + 1, &escaped)
            if naming and end < s.size:
                if note_name(s, i + 1, end, s.holders[depth], escaped) != CLEAN:
                    return NO_MEMORY
            naming = False
            i = end
        elif c == 123 or c == 91:  # { or [
            if depth == depth_max:
                return TOO_DEEP
            depth += 1
            naming = c == 123
            objects += naming
            s.holders[depth] = objects if naming else 0
        elif c == 125 or c == 93:  # } or ]
            naming = False
            if depth:
                depth -= 1
        elif c == 44:  # a comma
            naming = s.holders[depth] != 0
        i += 1
    return CLEAN


cdef const Name *first_repeated(Scan *s) noexcept nogil:
    """Return the repeated name that stands first in the data, or NULL.

    Sorting keeps hostile input at n log n, with no hash to attack.
    """
    cdef size_t i
    cdef const Name *found = NULL
    cdef Name *a
    cdef Name *b
    qsort(s.names, s.count, sizeof(Name), &by_text)
    for i in range(1, s.count):
        a = &s.names[i - 1]
        b = &s.names[i]
        if a.holder == b.holder and a.length == b.length \
                and memcmp(a.text, b.text, a.length) == 0 \
                and (found == NULL or b.offset < found.offset):
            found = b
    return found


def find_duplicate_member(bytes data not None, size_t depth_max=32):
    """Return (byte offset of the repeat's opening quote, name) of the first member name
    that stands a second time in one object, or None.

    Names are compared as read, escapes undone.  One pass, no recursion, the GIL released.
    Raises ValueError("too deep") when objects and arrays nest deeper than `depth_max`
    (itself at most 1024).
    """
    cdef Scan s
    cdef Outcome outcome
    cdef const Name *found = NULL
    if depth_max > DEPTH_BOUND:
        raise ValueError(f"depth_max is at most {DEPTH_BOUND}")
    s.data = <const uint8_t *>PyBytes_AS_STRING(data)
    s.size = PyBytes_GET_SIZE(data)
    s.names = NULL
    s.count = s.capacity = s.written = 0
    s.unescaped = NULL
    s.holders = <uint32_t *>malloc((depth_max + 1) * sizeof(uint32_t))
    if s.holders == NULL:
        raise MemoryError
    s.holders[0] = 0
    try:
        with nogil:
            outcome = collect(&s, depth_max)
            if outcome == CLEAN and s.count > 1:
                found = first_repeated(&s)
        if outcome == NO_MEMORY:
            raise MemoryError
        if outcome == TOO_DEEP:
            raise ValueError("too deep")
        if found == NULL:
            return None
        name = PyUnicode_DecodeUTF8(<const char *>found.text, <Py_ssize_t>found.length,
                                    "replace")
        return (found.offset, name)
    finally:
        free(s.names)
        free(s.unescaped)
        free(s.holders)
