# cython: language_level=3
"""Entries after acceptance, what senders are told, and the records of other rooms.

A released hold, a recipient added later, a delivery that is queued again after it was dead:
each is an entry of its own, so that inboxes meet it as new.  An entry moves as a whole when
its hold is denied, its time is over, its sender takes it back: members that nothing ever
changed stand where the entry stands; the others move one by one.
"""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy

from router.queue._bytes cimport FAILED, FOUND, Slice, load32, load64, store32, store64
from router.queue._intake cimport (
    Entry, Members, are_postings, audience_of, forget_due, keep_due, keep_entry, keep_topics,
)
from router.queue._layout cimport (
    AUDIENCES, AUD_RUNS, AUD_SNAPSHOT, DEAD, DELIVERED, DOCUMENTS, ENTRIES, ENTRY_SHIFT,
    ENT_AUDIENCE, ENT_CHANGED, ENT_COUNTS, ENT_EXPIRES, ENT_LANE, ENT_MORE, ENT_NAMED, ENT_SINCE,
    ENT_SIZE, ENT_STANDING, ENT_TOUCHED, EXCLUDED, EXPIRED, FEED, FEED_EVENTS, FEED_FIXED,
    JOIN_CAUSE, JOIN_DOCUMENT, JOIN_EXPIRES, JOIN_FIXED, JOIN_FROM, JOIN_LANE, JOIN_POSTINGS,
    JOIN_RUNS, JOIN_SHA, JOIN_SIZE, JOIN_SNAPSHOT, JOIN_TEXTS, KIND_JOIN, LEASED, MOVE_DOCUMENT,
    MOVE_ENTRY, MOVE_FIXED, MOVE_STANDING, MOVE_TEXTS, MOVE_TOPICS, QUEUED, RELEASED, ROOMS,
    TOPICS, TOP_HEAD, TOP_RUNS, UNIT_TOPIC_BYTES, WITHDRAWN,
)
from router.queue._moves cimport (
    LANES, Cell, Counters, end_cells, entry_key, final, hand_on, is_over, legal, note_over,
    read_cell, sender_of,
)
from router.queue._named cimport named_among
from router.queue._state cimport State
from router.queue._walk cimport little32, rank_in

from router.queue import records

__all__ = []

cdef enum:
    ROOM_FIXED = 20      # then the length of the room's name, the name, the rest
    ROOM_NAME_MAX = 48

cdef uint8_t REDRIVEN = records.REDRIVEN


cdef int apply_join(
    State state, Counters *counters, const uint8_t *record, size_t size, uint64_t sequence
) noexcept nogil:
    """Let an entry join inboxes: FOUND, or FAILED when the bytes are no such record."""
    cdef Entry entry
    cdef Members members
    cdef uint64_t total
    if size < JOIN_FIXED or record[JOIN_LANE] >= LANES:
        return FAILED
    members.runs_size = load32(record + JOIN_RUNS)
    total = <uint64_t>JOIN_FIXED + members.runs_size + load32(record + JOIN_POSTINGS)
    total += load32(record + JOIN_TEXTS)
    members.runs = record + JOIN_FIXED
    if total != size or members.runs_size % 8 or not are_postings(
        members.runs + members.runs_size, load32(record + JOIN_POSTINGS)
    ):
        return FAILED
    members.snapshot = load64(record + JOIN_SNAPSHOT)
    members.size = load32(record + JOIN_SIZE)
    members.sha = record + JOIN_SHA
    entry.document = load64(record + JOIN_DOCUMENT)
    entry.number = sequence << ENTRY_SHIFT
    entry.snapshot, entry.size = members.snapshot, members.size
    entry.at = <int64_t>load64(record + 8)
    entry.expires = <int64_t>load64(record + JOIN_EXPIRES)
    entry.sender = sender_of(state, entry.document)
    entry.lane, entry.cause = record[JOIN_LANE], record[JOIN_CAUSE]
    entry.standing, entry.more = QUEUED, True
    mark_more(state, entry.document)
    if load64(record + JOIN_FROM) and entry.cause == REDRIVEN:
        hand_dead_on(state, counters, &members, entry.document, load64(record + JOIN_FROM))
    elif load64(record + JOIN_FROM):
        release(state, counters, entry.document, load64(record + JOIN_FROM), entry.at, sequence)
    entry.named = named_among(
        members.runs + members.runs_size, load32(record + JOIN_POSTINGS), members.size
    )
    entry.audience = audience_of(state, &members, entry.number)
    keep_entry(state, counters, &entry)
    entry.key = key_of(state, entry.document)
    if entry.key == NULL:
        return FAILED
    keep_topics(
        state, &entry, members.runs + members.runs_size, load32(record + JOIN_POSTINGS)
    )
    return FAILED if state.failed else FOUND


cdef const uint8_t *key_of(State state, uint64_t document) noexcept nogil:
    """Return the 16 bytes of a document's key, or NULL: there is no such document."""
    cdef uint8_t[8] key
    cdef Slice row
    store64(key, document)
    if state.get(DOCUMENTS, key, 8, &row) != FOUND:
        return NULL
    return row.data


cdef void mark_more(State state, uint64_t document) noexcept nogil:
    """Note at a document's first entry that there are others."""
    cdef uint8_t[16] key
    cdef size_t held
    cdef uint8_t *row
    entry_key(key, document, document << ENTRY_SHIFT)
    row = state.own(ENTRIES, key, 16, &held)
    if row != NULL:
        row[ENT_MORE] = True


cdef void release(
    State state, Counters *counters, uint64_t document, uint64_t entry, int64_t at,
    uint64_t sequence
) noexcept nogil:
    """Let another entry take the members of one over."""
    cdef uint8_t[16] key
    cdef size_t held
    cdef uint8_t *row
    entry_key(key, document, entry)
    row = state.own(ENTRIES, key, 16, &held)
    if row == NULL or final(row[ENT_STANDING]):
        return
    if not is_over(row):
        note_over(state, counters, sender_of(state, document))
    forget_due(state, <int64_t>load64(row + ENT_EXPIRES), document, entry)
    row[ENT_STANDING] = RELEASED
    store64(row + ENT_SINCE, <uint64_t>at)
    store64(row + ENT_CHANGED, sequence)
    counters.recipients -= load32(row + ENT_SIZE)


cdef bint overtaken(State state, const Slice *made, size_t count) noexcept nogil:
    """Say whether joinings came too late: something they hand out anew is not dead any more.

    A late answer makes a dead delivery final.  An entry that handed it out once more would hold
    its recipient beside the one in which it answered.  Asked before any of them is written: in
    the log each stands for good, so applying one asks nothing.
    """
    cdef size_t i
    cdef const uint8_t *record
    for i in range(count):
        record = made[i].data
        if made[i].size < JOIN_FIXED or record[0] != KIND_JOIN:
            continue
        if record[JOIN_CAUSE] == REDRIVEN and not all_dead(state, record, made[i].size):
            return True
    return False


cdef bint all_dead(State state, const uint8_t *record, size_t size) noexcept nogil:
    """Say whether each member of a joining is dead in the entry that it comes from."""
    cdef uint8_t[16] key
    cdef Slice row, audience
    cdef Cell cell
    cdef uint64_t entry = load64(record + JOIN_FROM)
    cdef size_t at, stop = JOIN_FIXED + <size_t>load32(record + JOIN_RUNS)
    cdef uint32_t position
    cdef int64_t rank
    entry_key(key, load64(record + JOIN_DOCUMENT), entry)
    if stop > size or state.get(ENTRIES, key, 16, &row) != FOUND:
        return False
    if state.get(AUDIENCES, row.data + ENT_AUDIENCE, 8, &audience) != FOUND or (
        load64(audience.data + AUD_SNAPSHOT) != load64(record + JOIN_SNAPSHOT)
    ):
        return False
    for at in range(JOIN_FIXED, stop - 7, 8):
        for position in range(little32(record + at), little32(record + at + 4)):
            rank = rank_in(audience.data + AUD_RUNS, audience.size - AUD_RUNS, position)
            if rank < 0 or not read_cell(state, entry, <uint32_t>rank, &cell):
                return False
            if cell.state != DEAD:
                return False
    return True


cdef void hand_dead_on(
    State state, Counters *counters, const Members *members, uint64_t document, uint64_t entry
) noexcept nogil:
    """Let another entry have those of its members that are dead in one of the same snapshot.

    Each is counted once: where it is handed out anew.
    """
    cdef uint8_t[16] key
    cdef size_t held, i
    cdef uint8_t *row
    cdef Slice audience
    cdef uint32_t position
    cdef int64_t rank
    entry_key(key, document, entry)
    row = state.own(ENTRIES, key, 16, &held)
    if row == NULL:
        return
    for i in range(0, members.runs_size, 8):
        for position in range(little32(members.runs + i), little32(members.runs + i + 4)):
            if state.get(AUDIENCES, row + ENT_AUDIENCE, 8, &audience) != FOUND or (
                load64(audience.data + AUD_SNAPSHOT) != members.snapshot
            ):
                return
            rank = rank_in(audience.data + AUD_RUNS, audience.size - AUD_RUNS, position)
            if rank >= 0:
                hand_on(state, counters, row, entry, <uint32_t>rank)


cdef int apply_entry(
    State state, Counters *counters, const uint8_t *record, size_t size, uint64_t sequence
) noexcept nogil:
    """Move an entry's untouched members: FOUND, or FAILED when the bytes are no such record.

    Those that are open move with them, but for leases that run: an entry that is over is due
    again when the last of them ends, and a second record ends what is open then.
    """
    cdef uint8_t[16] key
    cdef size_t held
    cdef uint8_t *row
    cdef uint8_t to
    cdef uint64_t document, entry
    if size < MOVE_FIXED or record[MOVE_STANDING] > 9:
        return FAILED
    if <uint64_t>MOVE_FIXED + load32(record + MOVE_TOPICS) + load32(record + MOVE_TEXTS) != size:
        return FAILED
    document, entry = load64(record + MOVE_DOCUMENT), load64(record + MOVE_ENTRY)
    to = record[MOVE_STANDING]
    entry_key(key, document, entry)
    row = state.own(ENTRIES, key, 16, &held)
    if row == NULL:
        return FAILED
    if row[ENT_STANDING] == to and final(to):
        if forget_due(state, <int64_t>load64(record + 8), document, entry):
            close_members(state, counters, row, document, entry, 0, <int64_t>load64(record + 8))
        return FAILED if state.failed else FOUND
    if row[ENT_STANDING] == RELEASED or not legal(row[ENT_STANDING], to):
        return FOUND
    leave_topics(
        state, row, entry, final(to), record + MOVE_FIXED, load32(record + MOVE_TOPICS)
    )
    row[ENT_STANDING] = to
    store64(row + ENT_SINCE, load64(record + 8))
    store64(row + ENT_CHANGED, sequence)
    if final(to):
        forget_due(state, <int64_t>load64(row + ENT_EXPIRES), document, entry)
        close_members(
            state, counters, row, document, entry,
            load32(row + ENT_SIZE) - load32(row + ENT_TOUCHED), <int64_t>load64(record + 8),
        )
    return FAILED if state.failed else FOUND


cdef void close_members(
    State state, Counters *counters, uint8_t *row, uint64_t document, uint64_t entry,
    uint32_t untouched, int64_t at
) noexcept nogil:
    """Count an entry's untouched members as final, and end what is open at an instant.

    Notes when none is left, or when the last lease ends.
    """
    cdef uint8_t to = row[ENT_STANDING]
    cdef uint8_t *count = row + ENT_COUNTS + 4 * (to - DELIVERED)
    cdef bint was_over = is_over(row)
    cdef int64_t leased_until
    store32(count, load32(count) + untouched)
    if to == EXPIRED:
        counters.expired += untouched
    elif to == WITHDRAWN:
        counters.withdrawn += untouched
    elif to == EXCLUDED:
        counters.excluded += untouched
    leased_until = end_cells(state, counters, row, entry, to, at)
    if leased_until:
        keep_due(state, leased_until, document, entry)
    if not was_over and is_over(row):
        note_over(state, counters, sender_of(state, document))


cdef void count_out(
    State state, uint64_t entry, const uint8_t *key, size_t size
) noexcept nogil:
    """Count one less open for the unit that a topic's row stands for, if it is one by name."""
    cdef Slice row
    cdef Cell cell
    cdef const uint8_t *run
    if key[1] != UNIT_TOPIC_BYTES or state.get(TOPICS, key, size, &row) != FOUND:
        return
    run = row.data + TOP_HEAD
    if row.data[TOP_RUNS] != 1 or load32(run) + 1 != load32(run + 4):
        return
    if not read_cell(state, entry, load32(run + 8), &cell) or cell.state <= LEASED:
        state.pending.add(load32(key + 2), -1)


cdef void leave_topics(
    State state, const uint8_t *row, uint64_t entry, bint over, const uint8_t *at, size_t size
) noexcept nogil:
    """Take an entry out of its topics: inboxes meet it no more.

    When it is `over`, those written to by name that had it open have one less.
    """
    cdef const uint8_t *stop = at + size
    cdef uint8_t[64] key
    key[0] = row[ENT_LANE]
    while at < stop and 0 < at[0] <= 32 and at + at[0] < stop:
        memcpy(key + 1, at, at[0] + 1)
        store64(key + 2 + at[0], entry)
        if over and row[ENT_NAMED]:
            count_out(state, entry, key, <size_t>at[0] + 10)
        state.remove(TOPICS, key, <size_t>at[0] + 10)
        at += at[0] + 1


cdef int apply_feed(
    State state, const uint8_t *record, size_t size, uint64_t sequence
) noexcept nogil:
    """Put what senders are told into their feeds: FOUND, or FAILED (no such record)."""
    cdef uint8_t[12] key
    cdef const uint8_t *at = record + FEED_FIXED
    cdef const uint8_t *stop = record + size
    cdef uint32_t _i, bytes
    if size < FEED_FIXED:
        return FAILED
    for _i in range(load32(record + FEED_EVENTS)):
        if stop - at < 8:
            return FAILED
        bytes = load32(at + 4)
        if bytes > <size_t>(stop - at - 8):
            return FAILED
        memcpy(key, at, 4)
        store64(key + 4, sequence)
        state.put(FEED, key, 12, at + 8, bytes)
        at += 8 + bytes
    return FAILED if state.failed or at != stop else FOUND


cdef int apply_room(
    State state, Counters *counters, const uint8_t *record, size_t size, uint64_t sequence
) noexcept nogil:
    """Note where a record of another room stands: FOUND, or FAILED (no such record)."""
    cdef uint8_t[64] key
    cdef uint8_t none = 0
    cdef size_t name
    if size < ROOM_FIXED or not 0 < record[16] <= ROOM_NAME_MAX:
        return FAILED
    name = record[16]
    if 17 + name > size:
        return FAILED
    memcpy(key, record + 16, name + 1)
    store64(key + 1 + name, sequence)
    state.put(ROOMS, key, name + 9, &none, 0)
    counters.rooms += 1
    return FAILED if state.failed else FOUND
