# cython: language_level=3
"""A delivery as it is handed out."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
cimport cython

from router.queue._bytes cimport load32, load64
from router.queue._layout cimport ACC_ENVELOPE, ACC_FACTS, ACC_FIXED, ACC_KEY

from router.errors import StorageError

__all__ = ["Leased"]

cdef enum:
    KEY_BYTES = 16


@cython.final
cdef class Leased:
    """One delivery handed out; `attempt` counts from 1, `accepted_at` is an instant.

    It does not change.  `key`, `envelope` and `facts` are cut when they are asked for, out of
    memory that all deliveries of one lease share.
    """

    def __init__(
        self, bytes key not None, uint64_t sequence, uint32_t lane, uint32_t attempt,
        bytes envelope not None, bytes facts not None, int64_t accepted_at,
    ):
        if len(key) != KEY_BYTES:
            raise ValueError("a key has 16 bytes")
        self.sequence, self.lane, self.attempt = sequence, lane, attempt
        self.accepted_at = accepted_at
        self.kept = key + envelope + facts
        self.key_at, self.envelope_at = 0, KEY_BYTES
        self.facts_at = self.envelope_at + len(envelope)
        self.end = self.facts_at + len(facts)

    @property
    def key(self):
        """The engine's 16-byte key of the document."""
        return self.cut(self.key_at, self.key_at + KEY_BYTES)

    @property
    def envelope(self):
        """The envelope as it was accepted."""
        return self.cut(self.envelope_at, self.facts_at)

    @property
    def facts(self):
        """What was judged of it at acceptance."""
        return self.cut(self.facts_at, self.end)

    @property
    def body_bytes(self):
        """How many bytes envelope and facts have together."""
        return self.end - self.envelope_at

    cdef bytes cut(self, size_t start, size_t stop):
        return PyBytes_FromStringAndSize(PyBytes_AS_STRING(self.kept) + start, stop - start)

    cdef tuple fields(self):
        return (
            self.key, self.sequence, self.lane, self.attempt, self.envelope, self.facts,
            self.accepted_at,
        )

    def __eq__(self, other):
        if type(other) is not Leased:
            return NotImplemented
        return self.fields() == (<Leased>other).fields()

    def __hash__(self):
        return hash(self.fields())

    def __repr__(self):
        names = ("key", "sequence", "lane", "attempt", "envelope", "facts", "accepted_at")
        said = ", ".join([f"{name}={one!r}" for name, one in zip(names, self.fields())])
        return f"Leased({said})"

    def __reduce__(self):
        return Leased, self.fields()


cdef Leased leased_of(
    bytes kept, size_t start, size_t size, uint64_t sequence, uint32_t lane, uint32_t attempt
):
    """Make a delivery of the acceptance record that stands in `kept` from `start` on."""
    cdef Leased made
    cdef const uint8_t *record = <const uint8_t *>PyBytes_AS_STRING(kept) + start
    cdef size_t envelope, facts
    if size < ACC_FIXED:
        raise StorageError("store.corrupt", reason="a record is no document")
    envelope, facts = load32(record + ACC_ENVELOPE), load32(record + ACC_FACTS)
    if ACC_FIXED + envelope + facts > size:
        raise StorageError("store.corrupt", reason="a record is no document")
    made = Leased.__new__(Leased)
    made.sequence, made.lane, made.attempt = sequence, lane, attempt
    made.accepted_at = <int64_t>load64(record + 8)
    made.kept = kept
    made.key_at, made.end = start + ACC_KEY, start + size
    made.facts_at = made.end - facts
    made.envelope_at = made.facts_at - envelope
    return made
