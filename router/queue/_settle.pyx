# cython: language_level=3
"""One delivery looked at, and what its recipient wants of it.

A document may have several entries; of those that hold an address the newest one counts.
What is not the address's own is not found, whatever it is.
"""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memset

from router.queue._bytes cimport FOUND, Slice, load32, load64, store32, store64
from router.queue._layout cimport (
    AUD_RUNS, AUD_SNAPSHOT, AUDIENCES, CELLS, ENT_AUDIENCE, ENT_CHANGED, ENT_EXPIRES, ENT_LANE,
    ENT_MORE, ENT_SINCE, ENT_STANDING, ENTRIES, ENTRY_SHIFT, EXCLUDED, EXPIRED, KEYS, LEASED, OPEN,
    OPEN_RANK, OPEN_UNTIL, QUEUED, RELEASED,
)
from router.queue._moves cimport Cell, Move, entry_key, final, legal, read_cell
from router.queue._state cimport State, Stream
from router.queue._walk cimport Positions, place_in, rank_in

__all__ = []

cdef uint64_t PART_MASK = (1 << ENTRY_SHIFT) - 1  # of an entry's number: which part of its record


cdef bint document_of(State state, const uint8_t *key, uint64_t *document) noexcept nogil:
    """Find the document of a key of 16 bytes; 0: there is none."""
    cdef Slice value
    document[0] = state.warm.document_of(key)
    if document[0]:
        return True
    if state.get(KEYS, key, 16, &value) != FOUND:
        return False
    document[0] = load64(value.data)
    state.warm.keep(document[0], key)
    return True


cdef int64_t rank_of(
    State state, Positions *positions, uint64_t audience, Standing *standing
) noexcept nogil:
    """Return the address's rank among an audience's members; -1 when it is none."""
    cdef uint8_t[8] key
    cdef Slice value
    cdef int place
    store64(key, audience)
    if state.get(AUDIENCES, key, 8, &value) != FOUND:
        state.failed = True
        return -1
    place = place_in(positions, load64(value.data + AUD_SNAPSHOT))
    if place == -2:
        standing.unsure = True
    if place < 0:
        return -1
    return rank_in(value.data + AUD_RUNS, value.size - AUD_RUNS, <uint32_t>place)


cdef bint look_at_entry(
    State state, Positions *positions, uint32_t address, const uint8_t *row, uint64_t entry,
    Standing *standing
) noexcept nogil:
    """Say whether an entry holds the address; fill in what its row says."""
    cdef uint8_t[13] key
    cdef Slice open
    cdef int64_t rank
    standing.entry = entry
    standing.lane = row[ENT_LANE]
    standing.until = 0
    store32(key, address)
    key[4] = row[ENT_LANE]
    store64(key + 5, entry)
    if state.get(OPEN, key, 13, &open) == FOUND:  # it is handed out: no need to look further
        standing.rank = load32(open.data + OPEN_RANK)
        standing.until = <int64_t>load64(open.data + OPEN_UNTIL)
    else:
        rank = rank_of(state, positions, load64(row + ENT_AUDIENCE), standing)
        if rank < 0:
            return False
        standing.rank = <uint32_t>rank
    standing.audience = load64(row + ENT_AUDIENCE)
    standing.expires = <int64_t>load64(row + ENT_EXPIRES)
    standing.since = <int64_t>load64(row + ENT_SINCE)
    standing.changed = load64(row + ENT_CHANGED)
    standing.stored = row[ENT_STANDING]
    return True


cdef void settle_on(State state, int64_t at, Standing *standing) noexcept nogil:
    """Work out where the delivery stands from its cell, its entry and the instant."""
    cdef Cell cell
    cdef uint8_t entry = standing.stored
    standing.state = entry
    if read_cell(state, standing.entry, standing.rank, &cell):
        standing.stored = standing.state = cell.state
        standing.attempts = cell.attempts
        standing.before = cell.sequence
        if not (final(entry) and not final(cell.state)) or (
            cell.state == LEASED and standing.until > at
        ):
            standing.changed = cell.sequence
            # Of a lease the cell says when it ends: from then on it is queued again.
            standing.since = 0 if cell.state == LEASED and standing.until > at else cell.at
        else:
            standing.state = entry
        if final(cell.state):
            standing.until = 0  # it ended with its entry, and its row is still in OPEN
    if standing.state == LEASED and standing.until <= at:
        standing.state = QUEUED
    if standing.expires and standing.expires <= at and legal(standing.state, EXPIRED) and (
        standing.state != LEASED
    ):
        standing.state = EXPIRED
        standing.since = standing.expires
    # A part of an acceptance never joined inboxes, whatever became of it since: what is released
    # is another entry's.
    standing.hidden = standing.entry & PART_MASK != 0 or (
        standing.state == EXCLUDED and not standing.before
    )


cdef void look(
    State state, Positions *positions, uint32_t address, uint64_t document, int64_t at,
    Standing *standing
) noexcept nogil:
    """Find the delivery of a document to an address, and where it stands at an instant."""
    cdef uint8_t[16] key
    cdef Slice row
    cdef Stream entries
    cdef Standing tried
    memset(standing, 0, sizeof(Standing))
    standing.document = document
    entry_key(key, document, document << ENTRY_SHIFT)
    if state.get(ENTRIES, key, 16, &row) == FOUND and not row.data[ENT_MORE]:
        standing.found = look_at_entry(
            state, positions, address, row.data, document << ENTRY_SHIFT, standing
        )
    else:
        state.open(&entries, ENTRIES, key, 8, 0)
        while entries.left and not standing.unsure:
            tried = standing[0]
            if entries.value.data[ENT_STANDING] != RELEASED and look_at_entry(
                state, positions, address, entries.value.data, entries.suffix, &tried
            ):
                standing[0] = tried
                standing.found = True
            standing.unsure = tried.unsure
            state.advance(&entries)
        state.close(&entries)
    if standing.found and not standing.unsure:
        settle_on(state, at, standing)


cdef void find_documents(State state, Wish *wishes, size_t count) noexcept nogil:
    """Find the documents of wishes, all at once: what each needs is read from memory together."""
    cdef uint8_t[16] key
    cdef size_t i
    for i in range(count):
        state.warm.fetch_place(wishes[i].key)
    for i in range(count):
        state.warm.fetch_line(wishes[i].key)
    for i in range(count):
        if document_of(state, wishes[i].key, &wishes[i].document):
            entry_key(key, wishes[i].document, wishes[i].document << ENTRY_SHIFT)
            state.fetch(ENTRIES, key, 8, False)
            state.fetch(CELLS, key + 8, 8, False)
    for i in range(count):
        if wishes[i].document:
            entry_key(key, wishes[i].document, wishes[i].document << ENTRY_SHIFT)
            state.fetch(ENTRIES, key, 8, True)
            state.fetch(CELLS, key + 8, 8, True)


cdef bint grant(
    State state, Positions *positions, uint32_t address, int64_t at, Wish *wish, Move *move
) noexcept nogil:
    """Judge one wish: True when `move` does what is wanted; False with `found` unset twice
    over when a snapshot is unknown (`positions.unknown_count` tells)."""
    cdef Standing standing
    cdef uint64_t document = wish.document
    wish.found = wish.repeated = wish.now = 0
    if not document:
        return False
    look(state, positions, address, document, at, &standing)
    if standing.unsure or not standing.found or standing.hidden:
        return False
    wish.found = 1
    wish.now = standing.state
    if final(standing.state):
        wish.repeated = 1
        return False
    if wish.state in (LEASED, QUEUED) and standing.state != LEASED:
        return False  # only what is handed out can be kept longer or given back
    memset(move, 0, sizeof(Move))
    move.document, move.entry = document, standing.entry
    move.rank, move.lane = standing.rank, standing.lane
    move.before = standing.before
    move.state, move.reason = wish.state, wish.reason
    wish.now = wish.state
    return True
