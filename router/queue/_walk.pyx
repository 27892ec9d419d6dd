# cython: language_level=3
"""A unit's inbox: which entries wait for an address, in order.

Nothing is stored per recipient when a document is accepted.  An inbox is computed: the
entries of all topics the unit subscribes to, merged in entry order, minus those whose audience
does not hold the unit.

A cursor per address and lane says how far entries were handed out.  Below it only the rows of
OPEN count: what was handed out and is not final.  Above the mark nothing was ever touched.
Between the two (the topics changed, or something was settled before it was handed out) the
delivery's own cell decides.  So a walk costs what is open and what it finds.

Flash goes first, but of eight turns each lower lane that has something waiting gets one.
"""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memset

from router.queue._bytes cimport FOUND, Slice, Spot, load32, load64, store32, store64
from router.queue._layout cimport (
    AUD_RUNS, AUDIENCES, CUR_BYTES, CUR_DIGEST, CUR_ENTRY, CUR_MARK, CURSORS, DEAD, DOCUMENTS,
    ENT_STANDING, ENTRIES, EXPIRED, LEASED, OPEN, OPEN_ATTEMPTS, OPEN_DOCUMENT, OPEN_EXPIRES,
    OPEN_RANK, OPEN_STATE, OPEN_UNTIL, QUEUED, RECORDS, SPOTS, TOP_AUDIENCE, TOP_DOCUMENT,
    TOP_EXPIRES, TOP_HEAD, TOP_KEY, TOP_RUNS, TOP_SNAPSHOT, TOPICS,
)
from router.queue._moves cimport LANES, Cell, Counters, Move, entry_key, final, legal, read_cell
from router.queue._state cimport State, Stream
from router.queue._warm cimport WITH_SPOT, Line

from router.limits import TOPIC_BYTES_MAX

__all__ = []

cdef enum:
    TURNS = 8
    PASSED_MAX = 65536  # entries of others that one walk passes by in a lane
    RUN_BYTES = 12

cdef size_t TOPIC_MAX = TOPIC_BYTES_MAX


cdef int32_t place_in(Positions *positions, uint64_t snapshot) noexcept nogil:
    """Return the address's position in a snapshot, -1 when it has none, -2 when unknown."""
    cdef size_t low = 0, high = positions.count, middle, i
    while low < high:
        middle = (low + high) >> 1
        if positions.snapshots[middle] < snapshot:
            low = middle + 1
        else:
            high = middle
    if low < positions.count and positions.snapshots[low] == snapshot:
        return positions.places[low]
    for i in range(positions.unknown_count):
        if positions.unknown[i] == snapshot:
            return -2
    if positions.unknown_count < UNKNOWN_MAX:
        positions.unknown[positions.unknown_count] = snapshot
        positions.unknown_count += 1
    return -2


cdef int64_t rank_in(const uint8_t *runs, size_t size, uint32_t position) noexcept nogil:
    """Return how many members of stored runs stand before a position, -1 when it is none."""
    cdef size_t i
    cdef uint32_t start, stop
    cdef int64_t before = 0
    for i in range(0, size - size % 8, 8):
        start, stop = little32(runs + i), little32(runs + i + 4)
        if position < start:
            return -1
        if position < stop:
            return before + position - start
        before += stop - start
    return -1


cdef int64_t rank_by_topic(
    State state, Walk *found, const uint8_t *row, size_t size
) noexcept nogil:
    """Return the address's rank in the audience of a topic's row, -1 none, -2 unknown."""
    cdef int32_t place = place_in(found.positions, load32(row + TOP_SNAPSHOT))
    cdef uint32_t i, start, stop
    cdef const uint8_t *run
    cdef Slice audience
    if place < 0:
        return place
    if row[TOP_RUNS] == 0:
        if state.get(AUDIENCES, row + TOP_AUDIENCE, 8, &audience) != FOUND:
            state.failed = True
            return -1
        return rank_in(audience.data + AUD_RUNS, audience.size - AUD_RUNS, <uint32_t>place)
    for i in range(row[TOP_RUNS]):
        run = row + TOP_HEAD + i * RUN_BYTES
        start, stop = load32(run), load32(run + 4)
        if start <= <uint32_t>place < stop:
            return <int64_t>load32(run + 8) + place - start
    return -1


cdef void begin_lane(State state, const Counters *counters, Walk *found, Lane *lane) noexcept nogil:
    """Read how far a lane was handed out; open what comes below and above."""
    cdef uint8_t[5] key
    cdef Slice row
    store32(key, found.ask.address)
    key[4] = <uint8_t>lane.lane
    lane.begun = True
    lane.over = False
    lane.below = True
    lane.cursor = lane.mark = 0
    if counters.lanes[lane.lane] == 0:
        lane.over = True
        return
    if state.get(CURSORS, key, 5, &row) == FOUND and row.size == CUR_BYTES:
        lane.mark = load64(row.data + CUR_MARK)
        if load64(row.data + CUR_DIGEST) == found.ask.digest:
            lane.cursor = load64(row.data + CUR_ENTRY)
    state.open(&lane.open, OPEN, key, 5, 0)
    if lane.mark == 0 and not lane.open.left:
        lane.below = False
        open_topics(state, found, lane)


cdef void open_topics(State state, Walk *found, Lane *lane) noexcept nogil:
    """Open the streams of a lane's topics above its cursor."""
    cdef const uint8_t *at = found.ask.topics
    cdef size_t _i, size
    cdef uint8_t[40] prefix
    lane.topics = <Stream *>malloc(found.ask.topics_count * sizeof(Stream) + 1)
    if lane.topics == NULL:
        state.failed = True
        lane.over = True
        return
    prefix[0] = <uint8_t>lane.lane
    for _i in range(found.ask.topics_count):
        size = at[0]
        if size > TOPIC_MAX:  # no entry joins one so long, and `prefix` does not hold it
            at += size + 1
            continue
        memcpy(prefix + 1, at, size + 1)
        state.open(&lane.topics[lane.topics_count], TOPICS, prefix, size + 2, lane.cursor + 1)
        if lane.topics[lane.topics_count].left:
            lane.topics_count += 1
        else:
            state.close(&lane.topics[lane.topics_count])
        at += size + 1


cdef void note_over(Walk *found, Lane *lane, const Move *move, int to) noexcept nogil:
    """Note a delivery that can't be handed out any more: the lease's record says so."""
    found.moves[found.count] = move[0]
    found.moves[found.count].state = <uint8_t>to
    found.count += 1
    if found.count >= found.room:
        found.full = True


cdef void next_below(State state, Walk *found, Lane *lane) noexcept nogil:
    """Look for the next open delivery below the cursor that may be handed out again."""
    cdef const uint8_t *row
    cdef Move *move = &lane.next
    cdef int to
    while lane.open.left and not found.full and not state.failed:
        row = lane.open.value.data
        memset(move, 0, sizeof(Move))
        move.document, move.entry = load64(row + OPEN_DOCUMENT), lane.open.suffix
        move.rank, move.lane = load32(row + OPEN_RANK), <uint8_t>lane.lane
        move.attempts = row[OPEN_ATTEMPTS]
        move.expires = <int64_t>load64(row + OPEN_EXPIRES)
        move.state = LEASED
        to = stands_below(state, found.ask, move, row)
        state.advance(&lane.open)
        if to == LEASED:
            continue
        name_before(state, move)
        if to == QUEUED:
            lane.next_cursor = lane.cursor
            lane.ready = found.keys == NULL or find_key(state, lane)
            return
        if not found.ask.leased_too:
            note_over(found, lane, move, to)
    if found.full or state.failed:
        return  # what is left below comes before anything above
    lane.below = False
    state.close(&lane.open)
    open_topics(state, found, lane)


cdef bint find_key(State state, Lane *lane) noexcept nogil:
    """Find the key of the next document where its row says it."""
    cdef uint8_t[8] key
    cdef Slice row
    store64(key, lane.next.document)
    if state.get(DOCUMENTS, key, 8, &row) != FOUND:
        state.failed = True
        return False
    memcpy(lane.next_key, row.data, 16)
    return True


cdef void name_before(State state, Move *move) noexcept nogil:
    """Name the record that changed a delivery last."""
    cdef Cell cell
    if read_cell(state, move.entry, move.rank, &cell):
        move.before = cell.sequence


cdef int stands_below(State state, const Ask *ask, Move *move, const uint8_t *row) noexcept nogil:
    """Say where an open delivery stands: LEASED (pass by), QUEUED (hand out), or over."""
    cdef uint8_t[16] key
    cdef Slice entry
    cdef uint8_t was = row[OPEN_STATE]
    if <int64_t>load64(row + OPEN_UNTIL) > ask.at:
        if ask.leased_too:
            return QUEUED
        return LEASED
    if ask.leased_too:
        move.state = QUEUED
    entry_key(key, move.document, move.entry)
    if state.get(ENTRIES, key, 16, &entry) != FOUND:
        state.failed = True
        return LEASED
    if final(entry.data[ENT_STANDING]) and legal(was, entry.data[ENT_STANDING]):
        return entry.data[ENT_STANDING]
    if move.expires and move.expires <= ask.at:
        return EXPIRED
    if was == LEASED and move.attempts >= ask.attempts_max:
        return DEAD
    return QUEUED


cdef void next_above(State state, Walk *found, Lane *lane) noexcept nogil:
    """Look for the next entry above the cursor that holds the address."""
    cdef uint64_t least
    cdef int64_t rank
    cdef Stream *first
    cdef size_t i
    cdef Cell cell
    cdef bint twice
    cdef Move *move = &lane.next
    while not state.failed:
        first = NULL
        least = <uint64_t>-1
        twice = False
        for i in range(lane.topics_count):
            if not lane.topics[i].left:
                continue
            if lane.topics[i].suffix < least:
                least, first, twice = lane.topics[i].suffix, &lane.topics[i], False
            elif lane.topics[i].suffix == least:
                twice = True
        if first == NULL:
            lane.over = True
            return
        rank = rank_by_topic(state, found, first.value.data, first.value.size)
        if rank == -2:
            found.unsure = True
            lane.over = True
            return
        memset(move, 0, sizeof(Move))
        move.document, move.entry = load64(first.value.data + TOP_DOCUMENT), least
        move.expires = <int64_t>load64(first.value.data + TOP_EXPIRES)
        move.lane = <uint8_t>lane.lane
        if found.keys != NULL:
            memcpy(lane.next_key, first.value.data + TOP_KEY, 16)
        elif rank >= 0:  # it is settled next, by its key
            state.warm.keep(move.document, first.value.data + TOP_KEY)
        state.advance(first)
        if rank < 0:
            if twice:  # another topic of the entry may hold the address
                continue
            pass_by(lane, least)
            if lane.passed >= PASSED_MAX:
                found.full = True
                return
            continue
        move.rank = <uint32_t>rank
        for i in range(lane.topics_count):  # the same entry under another topic
            if lane.topics[i].left and lane.topics[i].suffix == least:
                state.advance(&lane.topics[i])
        if (move.expires and move.expires <= found.ask.at) or (
            least <= lane.mark and read_cell(state, least, move.rank, &cell)
        ):
            pass_by(lane, least)
            continue
        move.state = QUEUED if found.ask.leased_too else LEASED
        lane.next_cursor = least
        lane.ready = True
        return


cdef inline void pass_by(Lane *lane, uint64_t entry) noexcept nogil:
    lane.cursor = entry
    lane.passed += 1


cdef void find_spot(State state, Lane *lane) noexcept nogil:
    """Find where the record of the lane's next document lies."""
    cdef uint8_t[8] key
    cdef Slice value
    cdef Line *line = state.warm.line(lane.next.document)
    if line != NULL and line.known & WITH_SPOT:
        lane.next_spot = line.spot
        return
    store64(key, lane.next.document)
    memset(&lane.next_spot, 0, sizeof(Spot))
    if state.get(SPOTS, key, 8, &value) == FOUND and value.size == 12:
        lane.next_spot.segment = load32(value.data)
        lane.next_spot.offset = load32(value.data + 4)
        lane.next_spot.size = load32(value.data + 8)
    elif state.get(RECORDS, key, 8, &value) == FOUND:
        lane.next_spot.size = <uint32_t>value.size


cdef bint fits(State state, Walk *found, Lane *lane) noexcept nogil:
    """Say whether the bytes of the next document fit what is left; find where they lie."""
    if found.spots == NULL:
        return True
    find_spot(state, lane)
    if found.ready and lane.next_spot.size > found.bytes_left:
        return False
    found.bytes_left -= (
        lane.next_spot.size if lane.next_spot.size < found.bytes_left else found.bytes_left
    )
    return True


cdef Lane *whose_turn(Walk *found) noexcept nogil:
    """Return the lane that is served next, or NULL when none has anything."""
    cdef Lane *top = NULL
    cdef int[LANES] lower
    cdef int waiting = 0, i
    for i in range(LANES):
        if found.lanes[i].ready:
            if top == NULL:
                top = &found.lanes[i]
            else:
                lower[waiting] = i
                waiting += 1
    if waiting and found.turn >= TURNS - waiting:
        return &found.lanes[lower[found.turn - (TURNS - waiting)]]
    return top


cdef bint contested(const Walk *found, const Lane *served) noexcept nogil:
    """Say whether another lane waited while one was served: only then are turns counted."""
    cdef int i
    for i in range(LANES):
        if found.lanes[i].ready and i != served.lane:
            return True
    return False


cdef uint32_t running_leases(State state, const Counters *counters, const Ask *ask) noexcept nogil:
    """Count the leases of an address that run, in all lanes; no more than its bound."""
    cdef uint8_t[5] key
    cdef Stream open
    cdef uint32_t running = 0
    cdef int lane
    store32(key, ask.address)
    for lane in range(LANES):
        if counters.lanes[lane] == 0:
            continue
        key[4] = <uint8_t>lane
        state.open(&open, OPEN, key, 5, 0)
        while open.left and running < ask.leases_max:
            if <int64_t>load64(open.value.data + OPEN_UNTIL) > ask.at:
                running += 1
            state.advance(&open)
        state.close(&open)
    return running


cdef int walk(State state, const Counters *counters, Walk *found) noexcept nogil:
    """Find what is to be handed out, lanes in turn, entries in order: FOUND or a failure.

    `found.unsure` says that a snapshot is not among the positions: nothing else counts then.
    Must be followed by `walk_done`.
    """
    cdef int i
    cdef Lane *lane
    memset(found.lanes, 0, sizeof(found.lanes))
    if found.ask.leases_max:
        found.running = running_leases(state, counters, found.ask)
    for i in range(LANES):
        found.lanes[i].lane = i
        found.lanes[i].over = not (found.ask.lanes >> i) & 1
    while found.ready < found.ask.limit and not found.full:
        for i in range(LANES):
            lane = &found.lanes[i]
            if not lane.over and not lane.begun:
                begin_lane(state, counters, found, lane)
            if not lane.over and not lane.ready and lane.below:
                next_below(state, found, lane)
            if not lane.over and not lane.ready and not lane.below:
                next_above(state, found, lane)
        if found.unsure or found.full or state.failed:
            break
        if found.ask.leases_max and found.running + found.ready >= found.ask.leases_max:
            break
        lane = whose_turn(found)
        if lane == NULL or not fits(state, found, lane):
            break
        found.moves[found.count] = lane.next
        if found.spots != NULL:
            found.spots[found.count] = lane.next_spot
        if found.keys != NULL:
            memcpy(found.keys + 16 * <size_t>found.count, lane.next_key, 16)
        lane.cursor = lane.next_cursor
        lane.ready = False
        found.count += 1
        found.ready += 1
        if contested(found, lane):
            found.turn = (found.turn + 1) % TURNS
            found.turned = True
        found.full = found.count >= found.room
    return FOUND


cdef void walk_done(State state, Walk *found) noexcept nogil:
    """Give all streams back."""
    cdef int i
    cdef size_t k
    cdef Lane *lane
    for i in range(LANES):
        lane = &found.lanes[i]
        if lane.begun:
            state.close(&lane.open)
        for k in range(lane.topics_count):
            state.close(&lane.topics[k])
        free(lane.topics)
        lane.topics, lane.topics_count = NULL, 0
