# cython: language_level=3
"""Documents as they are accepted: known or new, and what they add to the state."""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from router.queue._bytes cimport Slice
from router.queue._moves cimport Counters
from router.queue._state cimport State


cdef enum:  # answers to one document
    NEW = 0
    SAME = 1          # accepted before, with equal content
    OTHER_ID = 2      # its id names a document of other content
    OTHER_KEY = 3     # its idempotency key does
    KEY_IN_USE = 4    # the engine's own key stands for another document
    TOO_MANY = 5      # the sender has too many documents in flight
    NO_RECORD = 6     # the bytes are no acceptance record
    TOO_MANY_PENDING = 7  # a recipient written to by name has too much open: `sequence` is it


cdef enum:
    TOGETHER = 8  # records whose places in memory are fetched together


ctypedef struct Answer:
    int kind
    uint64_t sequence  # of the document: the new one, or the one found
    uint64_t twin      # of the first one of equal number and notation, or 0


ctypedef struct Members:  # an audience as a record has it
    uint64_t snapshot
    uint32_t size
    const uint8_t *sha
    const uint8_t *runs
    size_t runs_size


ctypedef struct Entry:  # an entry on its way into the tables
    uint64_t document
    uint64_t number
    uint64_t audience
    uint64_t snapshot
    int64_t at
    int64_t expires
    uint32_t sender
    uint32_t size
    uint8_t lane
    uint8_t cause
    uint8_t standing
    const uint8_t *key  # the document's
    uint8_t more       # whether the document has further entries
    uint8_t named      # which members were written to by name


cdef bint is_acceptance(const uint8_t *record, size_t size) noexcept nogil
cdef void fetch_records(
    State state, const Slice *records, size_t first, size_t count
) noexcept nogil
cdef void judge(
    State state, const uint8_t *record, uint64_t in_flight_max, uint32_t pending_max,
    Answer *answer
) noexcept nogil
cdef void look_up(
    State state, const uint8_t *id_name, const uint8_t *key_name, const uint8_t *content,
    const uint32_t *years, int count, Answer *answer
) noexcept nogil
cdef int apply_acceptance(
    State state, Counters *counters, const uint8_t *record, size_t size, uint64_t sequence,
    uint64_t *twin
) noexcept nogil
cdef int keep_due(
    State state, int64_t at, uint64_t document, uint64_t entry
) noexcept nogil
cdef bint forget_due(
    State state, int64_t at, uint64_t document, uint64_t entry
) noexcept nogil
cdef bint are_postings(const uint8_t *at, size_t size) noexcept nogil
cdef uint64_t audience_of(State state, const Members *members, uint64_t entry) noexcept nogil
cdef void keep_entry(State state, Counters *counters, const Entry *entry) noexcept nogil
cdef void keep_topics(
    State state, const Entry *entry, const uint8_t *at, size_t size
) noexcept nogil
