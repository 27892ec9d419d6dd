# cython: language_level=3
"""What changes of deliveries change (`_changes.pyx` has how they are written down).

A delivery is a member of an entry's audience, found by its rank there.  It has a cell (state,
hand-outs, instant, record) from its first change on; before that it stands where its entry
stands.  What is neither final nor untouched has a row in OPEN under its address, so that an
inbox finds it below the cursor.  Each move names the record before it, so that the history of
one delivery is read from the log, record by record.

Applying is pure: all that is needed is in the record and the tables.
"""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memset

from router.queue._bytes cimport FAILED, FOUND, Slice, load32, load64, store16, store32, store64
from router.queue._layout cimport (
    CELLS, CELLS_A_BLOCK, CELL_BYTES, CURSORS, CUR_BYTES, CUR_DIGEST, CUR_ENTRY, CUR_MARK, DEAD,
    DELIVERED, DOCUMENTS, DOC_KEY, DOC_SENDER, ENTRIES, ENT_COUNTS, ENT_EXPIRES, ENT_NAMED,
    ENT_SINCE, ENT_SIZE, ENT_STANDING, ENT_TOUCHED, EXCLUDED, EXPIRED, FEED, LEASED, OPEN,
    OPEN_ATTEMPTS, OPEN_BYTES, OPEN_DOCUMENT, OPEN_EXPIRES, OPEN_RANK, OPEN_STATE, OPEN_UNTIL,
    REFUSED, RELEASED, SENDERS, STATES, WITHDRAWN,
)
from router.queue._named cimport count_pending
from router.queue._state cimport State
from router.queue._warm cimport WITH_SENDER, Line

from router.queue.transport import MOVES

__all__ = ["legal_moves"]

cdef uint64_t SEQUENCE_MASK = 0xFFFFFFFFFFFF
cdef uint32_t[16] LEGAL  # RELEASED included: nothing follows it


def _learn_moves():
    """Take the table of legal moves in: one bit a state that may follow."""
    for state, follows in MOVES.items():
        LEGAL[int(state)] = 0
        for after in follows:
            LEGAL[int(state)] |= <uint32_t>1 << <int>int(after)


_learn_moves()


def legal_moves():
    """Return the pairs (state, state after) that the compiled rules allow."""
    return {(old, new) for old in range(STATES) for new in range(STATES) if legal(old, new)}


cdef bint legal(int old, int new) noexcept nogil:
    """Say whether a delivery may move from one state to another."""
    return 0 <= old < STATES and 0 <= new < STATES and (LEGAL[old] >> new) & 1


cdef bint final(int state) noexcept nogil:
    """Say whether a state never changes: none follows."""
    return LEGAL[state] == 0


cdef void entry_key(uint8_t *key, uint64_t document, uint64_t entry) noexcept nogil:
    """Write the 16 bytes that name an entry in ENTRIES."""
    store64(key, document)
    store64(key + 8, entry)


cdef bint read_cell(State state, uint64_t entry, uint32_t rank, Cell *cell) noexcept nogil:
    """Read where a delivery stands; False when nothing ever changed it."""
    cdef uint8_t[16] key
    cdef Slice value
    cdef size_t at = (rank % CELLS_A_BLOCK) * CELL_BYTES
    store64(key, entry)
    store64(key + 8, rank // CELLS_A_BLOCK)
    memset(cell, 0, sizeof(Cell))
    if state.get(CELLS, key, 16, &value) != FOUND or at + CELL_BYTES > value.size:
        return False
    unpack_cell(value.data + at, cell)
    return cell.sequence != 0


cdef inline void unpack_cell(const uint8_t *at, Cell *cell) noexcept nogil:
    cell.state = at[0]
    cell.attempts = at[1]
    cell.sequence = load64(at) & SEQUENCE_MASK
    cell.at = <int64_t>load64(at + 8)


cdef inline void pack_cell(uint8_t *at, const Cell *cell) noexcept nogil:
    store64(at, cell.sequence)
    at[0] = cell.state
    at[1] = cell.attempts
    store64(at + 8, <uint64_t>cell.at)


cdef uint8_t *own_cell(
    State state, uint64_t entry, uint32_t rank, uint32_t members, bint touched
) noexcept nogil:
    """Give a delivery's cell to be changed; its block is made when it is the first.

    `touched`: some member has a cell; if none has, there is no block to look for.
    """
    cdef uint8_t[16] key
    cdef uint8_t[CELLS_A_BLOCK * CELL_BYTES] fresh
    cdef size_t held, cells
    cdef uint32_t block = rank // CELLS_A_BLOCK
    cdef uint8_t *found
    store64(key, entry)
    store64(key + 8, block)
    found = state.own(CELLS, key, 16, &held) if touched else NULL
    if found == NULL:
        cells = members - block * CELLS_A_BLOCK
        if cells > CELLS_A_BLOCK:
            cells = CELLS_A_BLOCK
        memset(fresh, 0, cells * CELL_BYTES)
        held = cells * CELL_BYTES
        found = state.place(CELLS, key, 16, fresh, held)
        if found == NULL:
            return NULL
    if (rank % CELLS_A_BLOCK + 1) * CELL_BYTES > held:
        return NULL
    return found + (rank % CELLS_A_BLOCK) * CELL_BYTES


cdef uint32_t sender_of(State state, uint64_t document) noexcept nogil:
    """Return the sender of a document, or 0."""
    cdef uint8_t[8] key
    cdef Slice value
    cdef Line *line = state.warm.line(document)
    if line != NULL and line.known & WITH_SENDER:
        return line.sender
    store64(key, document)
    if state.get(DOCUMENTS, key, 8, &value) != FOUND:
        return 0
    state.warm.keep_sender(document, value.data + DOC_KEY, load32(value.data + DOC_SENDER))
    return load32(value.data + DOC_SENDER)


cdef void note_over(State state, Counters *counters, uint32_t sender) noexcept nogil:
    """Count one entry of a sender less that has open members."""
    cdef uint8_t[4] key
    cdef size_t held
    cdef uint8_t *row
    counters.in_flight -= 1
    store32(key, sender)
    row = state.own(SENDERS, key, 4, &held)
    if row != NULL and load64(row):
        store64(row, load64(row) - 1)


cdef int64_t *counter_of(Counters *counters, int state) noexcept nogil:
    if state == LEASED:
        return &counters.leased
    if state == DELIVERED:
        return &counters.delivered
    if state == REFUSED:
        return &counters.refused
    if state == EXPIRED:
        return &counters.expired
    if state == DEAD:
        return &counters.dead
    if state == WITHDRAWN:
        return &counters.withdrawn
    if state == EXCLUDED:
        return &counters.excluded
    return NULL


cdef void count_move(Counters *counters, int old, int new, bint anew) noexcept nogil:
    """Keep the counters of the whole store."""
    cdef int64_t *counter = counter_of(counters, old)
    if counter != NULL:
        counter[0] -= 1
    counter = counter_of(counters, new)
    if counter != NULL:
        counter[0] += 1
    if new == LEASED and anew:
        counters.attempts += 1


cdef bint is_over(const uint8_t *row) noexcept nogil:
    """Say whether no member of an entry is under way, by its counters: all final or dead.

    What is queued again after it was dead is another entry's, and stays counted with the dead.
    """
    cdef uint32_t over = 0
    cdef int i
    for i in range(DELIVERED, EXCLUDED + 1):
        over += load32(row + ENT_COUNTS + 4 * (i - DELIVERED))
    return over == load32(row + ENT_SIZE)


cdef void count_in_entry(
    State state, Counters *counters, uint8_t *row, uint64_t document, int old, int new
) noexcept nogil:
    """Keep an entry's counters of final and dead members; note when it is over."""
    cdef int i
    cdef bint was_over = is_over(row)
    if old >= DELIVERED and old <= EXCLUDED:
        i = ENT_COUNTS + 4 * (old - DELIVERED)
        store32(row + i, load32(row + i) - 1)
    if new >= DELIVERED and new <= EXCLUDED:
        i = ENT_COUNTS + 4 * (new - DELIVERED)
        store32(row + i, load32(row + i) + 1)
    if not was_over and row[ENT_STANDING] != RELEASED and is_over(row):
        note_over(state, counters, sender_of(state, document))


cdef int64_t end_cells(
    State state, Counters *counters, uint8_t *row, uint64_t entry, uint8_t to, int64_t at
) noexcept nogil:
    """Let the members of an entry that are open end as the entry did.

    Those whose lease still runs at an instant go on; returns when the last of these ends, 0
    for none.  Their rows in OPEN stay until an inbox meets them: whose they are is not known
    here.
    """
    cdef uint8_t[16] key
    cdef Slice value
    cdef Cell cell
    cdef uint32_t block, members = load32(row + ENT_SIZE)
    cdef int64_t last = 0
    cdef size_t i
    cdef uint8_t *own
    if not load32(row + ENT_TOUCHED):
        return 0
    store64(key, entry)
    for block in range((members + CELLS_A_BLOCK - 1) // CELLS_A_BLOCK):
        store64(key + 8, block)
        if state.get(CELLS, key, 16, &value) != FOUND:
            continue
        for i in range(value.size // CELL_BYTES):
            unpack_cell(value.data + i * CELL_BYTES, &cell)
            if not cell.sequence or not legal(cell.state, to):
                continue
            if cell.state == LEASED and cell.at > at:
                last = max(last, cell.at)
                continue
            own = own_cell(state, entry, block * CELLS_A_BLOCK + <uint32_t>i, members, True)
            if own == NULL:
                state.failed = True
                return 0
            end_cell(counters, row, own, &cell, to)
            if state.get(CELLS, key, 16, &value) != FOUND:  # it may have moved
                break
    return last


cdef void end_cell(
    Counters *counters, uint8_t *row, uint8_t *at, Cell *cell, uint8_t to
) noexcept nogil:
    """Let one member end with its entry: when that ended, or its lease if that was later."""
    cdef int64_t ended = <int64_t>load64(row + ENT_SINCE)
    cdef uint8_t *count
    count_move(counters, cell.state, to, False)
    if cell.state == DEAD:
        count = row + ENT_COUNTS + 4 * (DEAD - DELIVERED)
        store32(count, load32(count) - 1)
    count = row + ENT_COUNTS + 4 * (to - DELIVERED)
    store32(count, load32(count) + 1)
    cell.at = max(ended, cell.at) if cell.state == LEASED else ended
    cell.state = to
    pack_cell(at, cell)


cdef bint hand_on(
    State state, Counters *counters, uint8_t *row, uint64_t entry, uint32_t rank
) noexcept nogil:
    """Let a dead member be another entry's, which hands it out anew; False: it is not dead."""
    cdef Cell cell
    cdef uint8_t *at
    if not read_cell(state, entry, rank, &cell) or cell.state != DEAD:
        return False
    at = own_cell(state, entry, rank, load32(row + ENT_SIZE), True)
    if at == NULL:
        state.failed = True
        return False
    cell.state = RELEASED
    pack_cell(at, &cell)
    counters.dead -= 1
    counters.recipients -= 1
    return True


cdef void forget_open(State state, uint32_t address, const Move *move) noexcept nogil:
    """Take away the row by which an inbox finds an open delivery."""
    cdef uint8_t[13] key
    store32(key, address)
    key[4] = move.lane
    store64(key + 5, move.entry)
    state.remove(OPEN, key, 13)


cdef void keep_open(
    State state, const Changes *changes, const Move *move, int64_t expires, uint8_t attempts,
    bint first
) noexcept nogil:
    """Keep the row by which an inbox finds an open delivery below its cursor."""
    cdef uint8_t[13] key
    cdef uint8_t[OPEN_BYTES] row
    if final(move.state) or move.state == DEAD:
        if not first:
            forget_open(state, changes.address, move)
        return
    store32(key, changes.address)
    key[4] = move.lane
    store64(key + 5, move.entry)
    store64(row + OPEN_UNTIL, <uint64_t>(changes.until if move.state == LEASED else 0))
    store64(row + OPEN_DOCUMENT, move.document)
    store64(row + OPEN_EXPIRES, <uint64_t>expires)
    store32(row + OPEN_RANK, move.rank)
    row[OPEN_ATTEMPTS] = attempts
    row[OPEN_STATE] = move.state
    store16(row + 30, 0)
    if first:  # it had no row before
        state.put_new(OPEN, key, 13, row, OPEN_BYTES)
    else:
        state.put(OPEN, key, 13, row, OPEN_BYTES)


cdef void tell_sender(State state, const Move *move, uint64_t sequence) noexcept nogil:
    """Put a row into the sender's feed: one byte, a state; the record says which deliveries."""
    cdef uint8_t[12] key
    store32(key, sender_of(state, move.document))
    store64(key + 4, sequence)
    state.put(FEED, key, 12, &move.state, 1)


cdef int apply_move(
    State state, Counters *counters, const Changes *changes, const Move *move, uint64_t sequence
) noexcept nogil:
    """Move one delivery; what is not legal stays as it is."""
    cdef uint8_t[16] key
    cdef size_t held
    cdef Cell cell
    cdef uint8_t *row
    cdef uint8_t *at
    entry_key(key, move.document, move.entry)
    row = state.own(ENTRIES, key, 16, &held)
    if row == NULL or move.rank >= load32(row + ENT_SIZE):
        return FAILED
    at = own_cell(
        state, move.entry, move.rank, load32(row + ENT_SIZE), load32(row + ENT_TOUCHED) != 0
    )
    if at == NULL:
        return FAILED
    unpack_cell(at, &cell)
    if not cell.sequence:  # untouched until now: it stood where its entry stands
        if final(row[ENT_STANDING]):
            return FOUND
        cell.state = row[ENT_STANDING]
    if not legal(cell.state, move.state):
        if final(cell.state):  # it ended with its entry, and only now its inbox learns of it
            forget_open(state, changes.address, move)
        return FOUND
    if changes.extends and cell.state != LEASED:
        return FOUND
    if move.state == LEASED and not changes.extends and cell.attempts < 255:
        cell.attempts += 1
    if not cell.sequence:
        store32(row + ENT_TOUCHED, load32(row + ENT_TOUCHED) + 1)
    count_move(counters, cell.state, move.state, not changes.extends)
    if move.state >= DELIVERED or cell.state >= DELIVERED:
        count_in_entry(state, counters, row, move.document, cell.state, move.state)
    if row[ENT_NAMED] and (cell.state <= LEASED) != (move.state <= LEASED) and not final(
        row[ENT_STANDING]  # then all of them were counted out when it became so
    ):
        count_pending(state, row, move.rank, changes.address, -1 if cell.state <= LEASED else 1)
    keep_open(
        state, changes, move, <int64_t>load64(row + ENT_EXPIRES), cell.attempts, not cell.sequence
    )
    if move.state == DEAD:
        tell_sender(state, move, sequence)
    cell.state = move.state
    cell.sequence = sequence
    cell.at = changes.until if move.state == LEASED else changes.at
    pack_cell(at, &cell)
    return FOUND


cdef void move_cursors(State state, const Changes *changes) noexcept nogil:
    """Keep how far each lane was handed out, and the highest entry ever touched there."""
    cdef uint8_t[5] key
    cdef uint8_t[CUR_BYTES] fresh
    cdef uint64_t[LANES] touched
    cdef uint64_t mark
    cdef size_t held
    cdef uint8_t *row
    cdef uint32_t i
    memset(touched, 0, sizeof(touched))
    for i in range(changes.count):
        if changes.moves[i].entry > touched[changes.moves[i].lane]:
            touched[changes.moves[i].lane] = changes.moves[i].entry
    store32(key, changes.address)
    for i in range(LANES):
        if not touched[i] and not (changes.digest and changes.cursors[i]):
            continue
        key[4] = <uint8_t>i
        row = state.own(CURSORS, key, 5, &held)
        if row == NULL:
            memset(fresh, 0, CUR_BYTES)
            row = state.place(CURSORS, key, 5, fresh, CUR_BYTES)
            if row == NULL:
                return
        if changes.digest and changes.cursors[i]:
            store64(row + CUR_DIGEST, changes.digest)
            store64(row + CUR_ENTRY, changes.cursors[i])
            if changes.cursors[i] > touched[i]:
                touched[i] = changes.cursors[i]
        mark = load64(row + CUR_MARK)
        if touched[i] > mark:
            store64(row + CUR_MARK, touched[i])
    if changes.turn:
        key[4] = 0xFF
        fresh[0] = changes.turn - 1
        state.put(CURSORS, key, 5, fresh, 1)


cdef int apply_changes(
    State state, Counters *counters, const Changes *changes, uint64_t sequence
) noexcept nogil:
    """Change the state as a record of that sequence says: FOUND or FAILED (it can't be)."""
    cdef uint8_t[16] key
    cdef uint32_t i
    for i in range(changes.count):  # both are met in any order
        entry_key(key, changes.moves[i].document, changes.moves[i].entry)
        state.fetch(ENTRIES, key, 8, False)
        state.fetch(CELLS, key + 8, 8, False)
    for i in range(changes.count):
        if apply_move(state, counters, changes, &changes.moves[i], sequence) == FAILED:
            return FAILED
    move_cursors(state, changes)
    return FAILED if state.failed else FOUND
