# cython: language_level=3
"""One delivery looked at, and what its recipient wants of it."""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from router.queue._moves cimport Move
from router.queue._state cimport State
from router.queue._walk cimport Positions


ctypedef struct Standing:  # where one delivery stands at an instant
    bint found          # the address is a member of the document's audience
    bint unsure         # a snapshot is unknown: ask again with its position
    bint hidden         # held, waiting or excluded: not for the recipient's eyes
    uint64_t document
    uint64_t entry
    uint64_t audience
    uint64_t changed    # record that changed it last: its own, or its entry's
    uint64_t before     # its own, or 0
    int64_t since
    int64_t until       # of a lease
    int64_t expires
    uint32_t rank
    uint8_t lane
    uint8_t state       # as of the instant asked for
    uint8_t stored      # as written down
    uint8_t attempts


ctypedef struct Wish:  # what a recipient wants of one delivery, and the answer
    const uint8_t *key
    uint64_t document   # as `find_documents` found it, or 0
    uint8_t state       # DELIVERED, REFUSED; LEASED to go on, QUEUED to give back
    uint8_t reason      # 1 + which of the record's reasons, or 0
    uint8_t found
    uint8_t now         # the state it is in, after
    uint8_t repeated    # it was final before


cdef bint document_of(State state, const uint8_t *key, uint64_t *document) noexcept nogil
cdef void look(
    State state, Positions *positions, uint32_t address, uint64_t document, int64_t at,
    Standing *standing
) noexcept nogil
cdef void find_documents(State state, Wish *wishes, size_t count) noexcept nogil
cdef bint grant(
    State state, Positions *positions, uint32_t address, int64_t at, Wish *wish, Move *move
) noexcept nogil
