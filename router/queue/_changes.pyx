# cython: language_level=3
"""How changes of deliveries are written down: small, since every delivery has two of them.

Numbers are of varying length, documents count from the one before, an entry from its document,
the record before from the document too; cursors that stand at the last move of their lane are
said in two bits.
"""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

from router.queue._bytes cimport FAILED, FOUND, load64, store64
from router.queue._layout cimport ENTRY_SHIFT, KIND_CHANGES, RECORD_VERSION, STATES
from router.queue._moves cimport LANES, Changes, Move
from router.queue._wire cimport Reader, read_bytes, read_number, write_number

__all__ = []

cdef enum:
    HAS_UNTIL = 1
    HAS_CURSORS = 2
    HAS_TURN = 4
    HAS_REASONS = 8
    EXTENDS = 16
    CURSOR_AT_MOVE = 1
    CURSOR_FOLLOWS = 2
    ITEM_BYTES_MAX = 32
    HEAD_BYTES_MAX = 160

cdef int64_t SECOND_US = 1_000_000


cdef size_t changes_bytes_max(const Changes *changes) noexcept nogil:
    """Return how many bytes writing the record takes at most."""
    return (
        HEAD_BYTES_MAX + changes.actor_size + changes.reasons_size
        + <size_t>changes.count * ITEM_BYTES_MAX
    )


cdef size_t write_changes(const Changes *changes, uint8_t *into) noexcept nogil:
    """Write the record; return its size."""
    cdef uint8_t *at = into
    cdef uint32_t i
    cdef uint64_t previous = 0
    cdef const Move *move
    cdef bint has_cursors = changes.digest != 0
    at[0] = KIND_CHANGES
    at[1] = RECORD_VERSION
    at[2] = <uint8_t>(
        (HAS_UNTIL if changes.until else 0)
        | (HAS_CURSORS if has_cursors else 0)
        | (HAS_TURN if changes.turn else 0)
        | (HAS_REASONS if changes.reason_count else 0)
        | (EXTENDS if changes.extends else 0)
    )
    store64(at + 3, <uint64_t>changes.at)
    at = write_number(at + 11, changes.address)
    at = write_number(at, 0 if changes.unit == changes.address else <uint64_t>changes.unit + 1)
    at = write_number(at, changes.actor_size)
    memcpy(at, changes.actor, changes.actor_size)
    at += changes.actor_size
    if changes.until:
        at = write_number(at, packed_span(changes.until - changes.at))
    if has_cursors:
        at = write_cursors(changes, at)
    if changes.turn:
        at[0] = changes.turn
        at += 1
    if changes.reason_count:
        at = write_number(at, changes.reason_count)
        memcpy(at, changes.reasons, changes.reasons_size)
        at += changes.reasons_size
    at = write_number(at, changes.count)
    for i in range(changes.count):
        move = &changes.moves[i]
        at[0] = <uint8_t>(move.state << 4 | move.lane)
        at = write_number(at + 1, signed_up(<int64_t>(move.document - previous)))
        at = write_number(at, signed_up(<int64_t>(move.entry - (move.document << ENTRY_SHIFT))))
        at = write_number(at, move.rank)
        at = write_number(at, 0 if not move.before else move.before - move.document + 1)
        if changes.reason_count:
            at[0] = move.reason
            at += 1
        previous = move.document
    return at - into


cdef inline uint64_t packed_span(int64_t span) noexcept nogil:
    """Pack a span of time: in whole seconds if it is, else in microseconds."""
    if span % SECOND_US == 0:
        return <uint64_t>(span // SECOND_US) << 1
    return <uint64_t>span << 1 | 1


cdef inline int64_t span_of(uint64_t packed) noexcept nogil:
    return <int64_t>(packed >> 1) * (1 if packed & 1 else SECOND_US)


cdef uint64_t last_entry(const Changes *changes, uint32_t lane) noexcept nogil:
    """Return the last entry of a lane among the moves, or 0."""
    cdef uint32_t i = changes.count
    while i:
        i -= 1
        if changes.moves[i].lane == lane:
            return changes.moves[i].entry
    return 0


cdef uint8_t *write_cursors(const Changes *changes, uint8_t *at) noexcept nogil:
    """Write the cursors: two bits a lane (none, as the last move says, as follows)."""
    cdef uint8_t *kinds
    cdef uint32_t i
    store64(at, changes.digest)
    kinds = at + 8
    kinds[0] = 0
    at += 9
    for i in range(LANES):
        if not changes.cursors[i]:
            continue
        if changes.cursors[i] == last_entry(changes, i):
            kinds[0] |= <uint8_t>(CURSOR_AT_MOVE << (2 * i))
        else:
            kinds[0] |= <uint8_t>(CURSOR_FOLLOWS << (2 * i))
            at = write_number(at, changes.cursors[i])
    return at


cdef uint8_t read_cursors(Reader *reader, Changes *changes) noexcept nogil:
    """Read digest and cursors; return their kinds, for those that are as the moves say."""
    cdef uint8_t kinds
    cdef uint32_t i
    if read_bytes(reader, 9) == NULL:
        return 0
    changes.digest = load64(reader.at - 9)
    kinds = (reader.at - 1)[0]
    for i in range(LANES):
        if (kinds >> (2 * i)) & 3 == CURSOR_FOLLOWS:
            changes.cursors[i] = read_number(reader)
    return kinds


cdef inline uint64_t signed_up(int64_t value) noexcept nogil:
    """Fold a signed number so that small ones of either sign stay small."""
    return (<uint64_t>value << 1) ^ <uint64_t>(value >> 63)


cdef inline int64_t signed_down(uint64_t value) noexcept nogil:
    return <int64_t>(value >> 1) ^ -<int64_t>(value & 1)


cdef int read_changes(
    const uint8_t *data, size_t size, Changes *changes, Move *moves, size_t room
) noexcept nogil:
    """Read a record into `changes` and `moves`: FOUND, or FAILED when it is none."""
    cdef Reader reader
    cdef uint64_t count, i, _i
    cdef uint8_t flags, kinds = 0
    memset(changes, 0, sizeof(Changes))
    if size < 12 or data[0] != KIND_CHANGES or data[1] != RECORD_VERSION:
        return FAILED
    flags = data[2]
    changes.at = <int64_t>load64(data + 3)
    reader.at, reader.stop, reader.bad = data + 11, data + size, False
    changes.address = <uint32_t>read_number(&reader)
    count = read_number(&reader)
    changes.unit = changes.address if count == 0 else <uint32_t>(count - 1)
    changes.actor_size = <uint32_t>read_number(&reader)
    changes.actor = read_bytes(&reader, changes.actor_size)
    changes.extends = (flags & EXTENDS) != 0
    if flags & HAS_UNTIL:
        changes.until = changes.at + span_of(read_number(&reader))
    if flags & HAS_CURSORS:
        kinds = read_cursors(&reader, changes)
    if flags & HAS_TURN:
        if read_bytes(&reader, 1) == NULL:
            return FAILED
        changes.turn = (reader.at - 1)[0]
    if flags & HAS_REASONS:
        changes.reason_count = <uint32_t>read_number(&reader)
        changes.reasons = reader.at
        for _i in range(changes.reason_count):
            if reader.bad:
                return FAILED
            read_bytes(&reader, read_number(&reader))
        changes.reasons_size = <uint32_t>(reader.at - changes.reasons)
    changes.count = <uint32_t>read_number(&reader)
    if reader.bad or changes.count > room:
        return FAILED
    changes.moves = moves
    if read_moves(&reader, changes) == FAILED:
        return FAILED
    for i in range(LANES):
        if (kinds >> (2 * i)) & 3 == CURSOR_AT_MOVE:
            changes.cursors[i] = last_entry(changes, <uint32_t>i)
    return FOUND


cdef int read_moves(Reader *reader, Changes *changes) noexcept nogil:
    """Read the moves of a record."""
    cdef uint64_t i, previous = 0, number
    cdef Move *move
    for i in range(changes.count):
        move = &changes.moves[i]
        if read_bytes(reader, 1) == NULL:
            return FAILED
        memset(move, 0, sizeof(Move))
        move.state = (reader.at - 1)[0] >> 4
        move.lane = (reader.at - 1)[0] & 0x0F
        move.document = previous + <uint64_t>signed_down(read_number(reader))
        move.entry = (move.document << ENTRY_SHIFT) + <uint64_t>signed_down(read_number(reader))
        move.rank = <uint32_t>read_number(reader)
        number = read_number(reader)
        move.before = 0 if number == 0 else number - 1 + move.document
        if changes.reason_count:
            if read_bytes(reader, 1) == NULL:
                return FAILED
            move.reason = (reader.at - 1)[0]
        if move.state >= STATES or move.lane >= LANES:
            return FAILED
        previous = move.document
    return FAILED if reader.bad or reader.at != reader.stop else FOUND
