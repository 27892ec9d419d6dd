# cython: language_level=3
"""Reads envelopes whose one signature is a detached JWS, many at once and without the GIL.

A signature of RSA is checked in the time that a JSON decoder and the copies after it take four
times: all of that under the GIL leaves a second thread little to gain.  Here three objects are
made of an envelope: the header's text, the signature's bytes and the bytes it is over.

Says "this is in it" or "read it the long way", never why not: all refusals are worded there.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport uint8_t, uint32_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcmp

from router._envelope_texts cimport (
    PROTECTED, READ_COUNT, URL, Plain, decode, read_plain, run_end,
)

__all__ = ["HEADER_TEXTS_BYTES_MAX", "PlainEnvelopes"]

cdef extern from "Python.h":
    Py_ssize_t PyUnicode_GET_LENGTH(object text)
    void *PyUnicode_DATA(object text)
    object PyUnicode_DecodeLatin1(const char *data, Py_ssize_t size, const char *errors)

cdef enum:
    SLOTS = 1024         # a power of two
    KEPT_CHARS_MAX = 4096   # of a header whose text is given again: some three certificates
    TAIL = 16            # letters that say the slot: the end of the thumbprint, as we write headers

HEADER_TEXTS_BYTES_MAX = SLOTS * KEPT_CHARS_MAX


@cython.final
cdef class PlainEnvelopes:
    """A reader that gives equal headers the same text, whose hash is then computed once.

    A header's slot follows from its last letters.  Whoever makes them fall together gets the
    same texts, made anew.  Nothing is known of these headers but that they are base64url.
    `nbytes` is what the texts take, at most `HEADER_TEXTS_BYTES_MAX`.  Thread-safe: slots are
    looked at and filled with the GIL held throughout.
    """

    cdef list headers
    cdef readonly size_t nbytes

    def __cinit__(self):
        self.headers = [None] * SLOTS

    def __reduce__(self):
        raise TypeError("a reader belongs to one process")

    def read(self, list raws not None):
        """Return (protected, signature, message) of each envelope's JSON bytes, or None.

        `message` is what the signature is over: the header as sent, a dot, the payload.  Only
        our encoder's spelling is read: compact, members in the order of the model, one
        signature of form "jws", no attachments, no idempotency key; and only when header,
        signature and payload are canonical base64.  None: it has to be read the long way.
        """
        cdef list found = []
        cdef Py_ssize_t first = 0
        cdef Py_ssize_t end
        cdef Py_ssize_t total
        while first < len(raws):
            end = run_end(raws, first, &total)
            self.read_some(raws, first, end, total, found)
            first = end
        return found

    cdef int read_some(
        self, list raws, Py_ssize_t first, Py_ssize_t end, Py_ssize_t total, list found
    ) except -1:
        """Append what is in a run of envelopes of `total` bytes."""
        cdef Plain[READ_COUNT] read
        cdef Py_ssize_t count = end - first
        cdef Py_ssize_t place
        cdef bytes raw
        cdef uint8_t *room = <uint8_t *>malloc(total or 1)
        if room == NULL:
            raise MemoryError
        try:
            total = 0
            for place in range(count):
                raw = raws[first + place]
                read[place].raw = <const uint8_t *>PyBytes_AS_STRING(raw)
                read[place].size = PyBytes_GET_SIZE(raw)
                read[place].message = room + total
                total += read[place].size
            with nogil:
                for place in range(count):
                    read_plain(&read[place])
            for place in range(count):
                found.append(self.told(&read[place]) if read[place].good else None)
        finally:
            free(room)
        return 0

    cdef object told(self, const Plain *one):
        """Return the three objects of one envelope, or None when the header is not base64url."""
        cdef str header = self.header(one.found.text[PROTECTED], one.found.length[PROTECTED])
        if header is None:
            return None
        return (
            header,
            PyBytes_FromStringAndSize(<const char *>one.signature, one.signature_length),
            PyBytes_FromStringAndSize(<const char *>one.message, one.message_length),
        )

    cdef str header(self, const uint8_t *letters, Py_ssize_t length):
        """Return a header's text, the one given before if it is there still."""
        cdef uint32_t slot = 0
        cdef Py_ssize_t place
        cdef str text
        cdef str kept
        for place in range(max(0, length - TAIL), length):
            slot = 31 * slot + letters[place]
        slot = (slot ^ slot >> 16) & (SLOTS - 1)
        text = self.headers[slot]
        if text is not None and PyUnicode_GET_LENGTH(text) == length and (
            memcmp(PyUnicode_DATA(text), letters, length) == 0
        ):
            return text
        if not is_base64url(letters, length):
            return None
        kept = text
        text = PyUnicode_DecodeLatin1(<const char *>letters, length, NULL)
        if length <= KEPT_CHARS_MAX:
            self.nbytes += length - (0 if kept is None else PyUnicode_GET_LENGTH(kept))
            self.headers[slot] = text
        return text


cdef bint is_base64url(const uint8_t *letters, Py_ssize_t length) except -1:
    """Say whether a text decodes, so that it is ASCII and was no JSON escape."""
    cdef uint8_t *room = <uint8_t *>malloc(length or 1)
    if room == NULL:
        raise MemoryError
    length = decode(URL, letters, length, room)
    free(room)
    return length >= 0
