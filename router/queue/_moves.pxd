# cython: language_level=3
"""Changes of deliveries, and what they change."""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from router.queue._state cimport State


cdef enum:
    LANES = 4
    COUNTER_BYTES = 136  # of Counters
    MOVES_MAX = 8192       # of one record
    REASON_BYTES_MAX = 8192


ctypedef struct Move:  # one delivery to a new state
    uint64_t document
    uint64_t entry
    uint64_t before     # sequence of the record that changed it last, or 0
    uint32_t rank       # of the address in the entry's audience
    uint8_t state
    uint8_t lane
    uint8_t attempts    # hand-outs so far (of a walk; not written down)
    uint8_t reason      # 1 + which of the record's reasons, or 0
    int64_t expires     # of a walk; not written down


ctypedef struct Changes:  # one record: deliveries of one address
    uint32_t address
    uint32_t unit       # who acts: the address or its holder
    int64_t at
    int64_t until       # of leases, else 0
    uint64_t digest     # of the topics that the cursors were found under; 0: no cursors
    uint64_t[LANES] cursors  # 0: as it was
    uint8_t turn        # 1 + the next turn among lanes, or 0
    bint extends        # leases that go on: no new hand-out
    Move *moves
    uint32_t count
    const uint8_t *actor
    uint32_t actor_size
    const uint8_t *reasons  # as written: number of bytes, bytes; one after the other
    uint32_t reasons_size
    uint32_t reason_count


ctypedef struct Counters:  # of the whole store, in the order of `tables.COUNTERS`
    int64_t documents
    int64_t entries
    int64_t recipients
    int64_t rooms
    int64_t leased
    int64_t delivered
    int64_t refused
    int64_t expired
    int64_t dead
    int64_t withdrawn
    int64_t excluded
    int64_t attempts
    int64_t in_flight     # entries with members that are neither final nor dead
    int64_t[LANES] lanes  # entries that ever joined each


ctypedef struct Cell:  # where one delivery stands
    uint8_t state
    uint8_t attempts
    uint64_t sequence     # of the record that changed it last
    int64_t at            # when; of a lease, when it ends


cdef bint legal(int old, int new) noexcept nogil
cdef bint final(int state) noexcept nogil
cdef bint is_over(const uint8_t *row) noexcept nogil
cdef bint read_cell(State state, uint64_t entry, uint32_t rank, Cell *cell) noexcept nogil
cdef int apply_changes(
    State state, Counters *counters, const Changes *changes, uint64_t sequence
) noexcept nogil
cdef void entry_key(uint8_t *key, uint64_t document, uint64_t entry) noexcept nogil
cdef void note_over(State state, Counters *counters, uint32_t sender) noexcept nogil
cdef uint32_t sender_of(State state, uint64_t document) noexcept nogil
cdef int64_t end_cells(
    State state, Counters *counters, uint8_t *row, uint64_t entry, uint8_t to, int64_t at
) noexcept nogil
cdef bint hand_on(
    State state, Counters *counters, uint8_t *row, uint64_t entry, uint32_t rank
) noexcept nogil
