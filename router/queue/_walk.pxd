# cython: language_level=3
"""A unit's inbox: which entries wait for an address, in order."""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t

from router.queue._bytes cimport Spot
from router.queue._moves cimport LANES, Counters, Move
from router.queue._state cimport State, Stream


cdef enum:
    UNKNOWN_MAX = 16   # snapshots one walk asks for at once


ctypedef struct Positions:  # where an address stands in each snapshot: -1 is nowhere
    const uint64_t *snapshots  # ascending
    const int32_t *places
    size_t count
    uint64_t[UNKNOWN_MAX] unknown  # snapshots a walk met that are not among them
    size_t unknown_count


ctypedef struct Ask:
    uint32_t address
    int64_t at
    uint32_t limit
    uint32_t attempts_max
    uint32_t leases_max     # that may run at once, what is handed out now included; 0: no bound
    uint64_t digest         # of the topics
    const uint8_t *topics   # each with its length before it, sorted
    size_t topics_size
    size_t topics_count
    uint8_t lanes           # one bit each
    bint leased_too         # a look, not a lease: what is leased is listed as well


ctypedef struct Lane:
    int lane
    Stream open
    Stream *topics
    size_t topics_count
    bint begun
    bint below          # still among the open ones below the cursor
    uint64_t cursor     # passed up to here
    uint64_t mark       # touched up to here
    uint64_t passed     # candidates passed since the stored cursor
    bint over
    bint ready          # `next` holds something to hand out
    Move next
    uint8_t[16] next_key
    uint64_t next_cursor
    Spot next_spot


ctypedef struct Walk:
    Ask *ask
    Positions *positions
    Lane[LANES] lanes
    Spot *spots         # where the records of what is handed out lie; NULL: not wanted
    uint64_t bytes_left  # of stored documents; the first is handed out in any case
    uint8_t *keys       # of the documents found, 16 bytes each; NULL: not wanted
    Move *moves         # handed out, and those that turned out to be over
    uint32_t room
    uint32_t count
    uint32_t ready      # of them, handed out
    uint32_t running    # leases of the address that run, whatever the lane; if there is a bound
    uint8_t turn
    bint turned         # it changed: the record says so
    bint unsure         # a snapshot is unknown: ask again with its position
    bint full


cdef int walk(State state, const Counters *counters, Walk *found) noexcept nogil
cdef void walk_done(State state, Walk *found) noexcept nogil
cdef int32_t place_in(Positions *positions, uint64_t snapshot) noexcept nogil
cdef int64_t rank_in(const uint8_t *runs, size_t size, uint32_t position) noexcept nogil


cdef inline uint32_t little32(const uint8_t *at) noexcept nogil:
    """Read a number of an audience's stored runs, least significant byte first."""
    return at[0] | (<uint32_t>at[1] << 8) | (<uint32_t>at[2] << 16) | (<uint32_t>at[3] << 24)
