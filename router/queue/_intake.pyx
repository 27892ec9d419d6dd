# cython: language_level=3
"""Documents as they are accepted: known or new, and what they add to the state.

An acceptance record has fields at fixed places (`_layout.pxd`), then its parts of varying
length.  `is_acceptance` is the door: behind it every length has been held against the record.
An entry joins inboxes by topics; each topic's row says which runs of the audience it stands
for, so that an inbox tests membership without looking further.
"""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcmp, memcpy, memset

from router.queue._bytes cimport (
    FAILED, FOUND, Slice, load16, load32, load64, store16, store32, store64,
)
from router.queue._keys cimport prefetch
from router.queue._layout cimport (
    ACC_CONTENT, ACC_ENVELOPE, ACC_EXPIRES, ACC_FACTS, ACC_FIXED, ACC_FLAGS, ACC_IDEM, ACC_KEY,
    ACC_LANE, ACC_NAME, ACC_NUMBER, ACC_PARTS, ACC_POSTINGS, ACC_RUNS, ACC_SENDER, ACC_SHA,
    ACC_SIZE, ACC_SNAPSHOT, ACC_TEXTS, ACC_YEAR, AUD_RUNS, AUD_SHA, AUD_SIZE, AUD_SNAPSHOT,
    AUDIENCE_IDS, AUDIENCES, DOC_AT, DOC_BYTES, DOC_KEY, DOC_SENDER, DOC_TWIN, DOCUMENTS, DUE,
    ENT_AUDIENCE, ENT_BYTES, ENT_CAUSE, ENT_CHANGED, ENT_EXPIRES, ENT_LANE, ENT_MORE, ENT_NAMED,
    ENT_SINCE, ENT_SIZE, ENT_STANDING, ENTRIES, ENTRY_SHIFT, EXCLUDED, FLAG_IDEM,
    FLAG_NUMBER, IDEMPOTENCY, IDS, KEYS, KIND_ACCEPTANCE, NAME_BYTES, NAMED_NONE, NUMBERS, QUEUED,
    RECORD_VERSION, RELEASED, SENDERS, TOP_AUDIENCE, TOP_DOCUMENT, TOP_EXPIRES, TOP_HEAD, TOP_KEY,
    TOP_RUNS, TOP_SNAPSHOT, TOPIC_RUNS_MAX, TOPICS,
)
from router.queue._moves cimport LANES, Counters, entry_key, final
from router.queue._named cimport count_named, named_among, overfull
from router.queue._state cimport State
from router.queue._warm cimport digest_of

from router.limits import TOPIC_BYTES_MAX
from router.queue import records

__all__ = []

cdef enum:
    DIGEST_BYTES = 16
    PARTS_MAX = 7
    PLACES_TRIED = 8    # entries of one instant whose numbers agree in 32 bits
    PART_HEAD = 49     # standing, size, SHA-256, length of the runs, due
    RUN_BYTES = 12
    STORED_RUN_BYTES = 8

cdef uint64_t HOUR_US = 3_600_000_000
cdef uint64_t SNAPSHOT_MAX = records.SNAPSHOT_MAX  # rows of topics have 32 bits for it
cdef size_t TOPIC_MAX = TOPIC_BYTES_MAX


cdef bint is_acceptance(const uint8_t *record, size_t size) noexcept nogil:
    """Say whether the bytes are an acceptance record whose lengths agree with it."""
    cdef uint64_t total
    cdef const uint8_t *parts
    if size < ACC_FIXED or record[0] != KIND_ACCEPTANCE or record[1] != RECORD_VERSION:
        return False
    total = <uint64_t>ACC_FIXED + load32(record + ACC_RUNS) + load32(record + ACC_POSTINGS)
    total += <uint64_t>load32(record + ACC_PARTS) + load32(record + ACC_TEXTS)
    total += <uint64_t>load32(record + ACC_ENVELOPE) + load32(record + ACC_FACTS)
    if total != size or record[ACC_LANE] >= LANES or load32(record + ACC_RUNS) % STORED_RUN_BYTES:
        return False
    if load64(record + ACC_SNAPSHOT) > SNAPSHOT_MAX:
        return False
    parts = record + ACC_FIXED + load32(record + ACC_RUNS)
    return are_postings(parts, load32(record + ACC_POSTINGS)) and are_parts(
        parts + load32(record + ACC_POSTINGS), load32(record + ACC_PARTS)
    )


cdef bint are_postings(const uint8_t *at, size_t size) noexcept nogil:
    """Say whether the bytes are topics, each with its length, number of runs, runs."""
    cdef const uint8_t *stop = at + size
    cdef size_t need
    while at < stop:
        if at[0] == 0 or at[0] > TOPIC_MAX or at + at[0] + 2 > stop:
            return False
        if at[at[0] + 1] > TOPIC_RUNS_MAX:
            return False
        need = <size_t>at[0] + 2 + RUN_BYTES * at[at[0] + 1]
        if need > <size_t>(stop - at):
            return False
        at += need
    return True


cdef bint are_parts(const uint8_t *at, size_t size) noexcept nogil:
    """Say whether the bytes are further parts of a document's recipients."""
    cdef const uint8_t *stop = at + size
    cdef int count = 0
    cdef uint32_t runs
    while at < stop:
        count += 1
        if count > PARTS_MAX or stop - at < PART_HEAD:
            return False
        runs = load32(at + 37)
        if at[0] == QUEUED or at[0] >= RELEASED or runs % STORED_RUN_BYTES:
            return False
        if runs > <size_t>(stop - at - PART_HEAD):
            return False
        at += PART_HEAD + runs
    return True


cdef void dated_key(uint8_t *key, uint32_t year, const uint8_t *name) noexcept nogil:
    store16(key, <uint16_t>year)
    memcpy(key + 2, name, DIGEST_BYTES)


cdef bint named(
    State state, int table, uint32_t year, const uint8_t *name, Slice *value
) noexcept nogil:
    """Find what a name stands for in a calendar year."""
    cdef uint8_t[18] key
    if not state.any_names(table, year) or not state.names.may_hold(name):
        return False
    dated_key(key, year, name)
    return state.get(table, key, 18, value) == FOUND and value.size >= 8


cdef void look_up(
    State state, const uint8_t *id_name, const uint8_t *key_name, const uint8_t *content,
    const uint32_t *years, int count, Answer *answer
) noexcept nogil:
    """Say whether a document of that id, else of that idempotency key (NULL: none), is known.

    A key that stands for another document than the id does is a conflict, also where the id's
    is a repetition: else two documents would answer to one key.  What is repeated leaves no
    trace: a key that comes with it for the first time stands for nothing afterwards.
    """
    cdef Slice value
    cdef int i
    answer.kind, answer.sequence, answer.twin = NEW, 0, 0
    for i in range(count):
        if named(state, IDS, years[i], id_name, &value):
            answer.sequence = load64(value.data)
            answer.kind = SAME if memcmp(value.data + 8, content, 16) == 0 else OTHER_ID
            break
    if key_name == NULL or answer.kind == OTHER_ID:
        return
    for i in range(count):
        if named(state, IDEMPOTENCY, years[i], key_name, &value):
            if answer.kind == SAME and answer.sequence == load64(value.data):
                return
            if answer.kind == SAME or memcmp(value.data + 8, content, 16) != 0:
                answer.kind = OTHER_KEY
            else:
                answer.kind = SAME
            answer.sequence = load64(value.data)
            return


cdef void fetch_ahead(State state, const uint8_t *record, size_t size) noexcept nogil:
    """Have what judging and keeping a record will touch read from memory meanwhile.

    The record may be anything: it has not been judged.
    """
    cdef uint8_t[64] key
    cdef uint8_t[DIGEST_BYTES] name
    cdef const uint8_t *at
    if size < ACC_FIXED or record[0] != KIND_ACCEPTANCE:
        return
    state.names.fetch(record + ACC_NAME)
    digest_of(record + ACC_KEY, name)
    state.keys.fetch(name)
    dated_key(key, load16(record + ACC_YEAR), record + ACC_NAME)
    state.fetch(IDS, key, 18, False)
    if record[ACC_FLAGS] & FLAG_IDEM:
        state.names.fetch(record + ACC_IDEM)
        dated_key(key, load16(record + ACC_YEAR), record + ACC_IDEM)
        state.fetch(IDEMPOTENCY, key, 18, False)
    if record[ACC_FLAGS] & FLAG_NUMBER:
        state.names.fetch(record + ACC_NUMBER)
        dated_key(key, load16(record + ACC_YEAR), record + ACC_NUMBER)
        state.fetch(NUMBERS, key, 18, False)
    state.fetch(KEYS, record + ACC_KEY, 16, False)
    state.fetch(SENDERS, record + ACC_SENDER, 4, False)
    state.warm.fetch_place(record + ACC_KEY)
    state.warm.fetch_shape(record + ACC_SHA)
    at = record + ACC_FIXED + load32(record + ACC_RUNS)
    if load32(record + ACC_RUNS) < size - ACC_FIXED and at[0] <= TOPIC_MAX and (
        <size_t>at[0] + 1 <= <size_t>(record + size - at)
    ):
        key[0] = record[ACC_LANE]
        memcpy(key + 1, at, at[0] + 1)
        state.fetch(TOPICS, key, at[0] + 2, False)
        if at[0] >= 4:  # of a unit written to by name
            state.pending.fetch(load32(at + 1))


cdef void fetch_records(
    State state, const Slice *given, size_t first, size_t count
) noexcept nogil:
    """Have what the next few records need read from memory all together."""
    cdef size_t i, at, stop = min(first + TOGETHER, count)
    for i in range(stop, min(stop + TOGETHER, count)):  # of those after: their heads
        for at in range(0, ACC_FIXED, 64):
            prefetch(given[i].data + at)
    for i in range(first, stop):
        fetch_ahead(state, given[i].data, given[i].size)


cdef void judge(
    State state, const uint8_t *record, uint64_t in_flight_max, uint32_t pending_max,
    Answer *answer
) noexcept nogil:
    """Say whether a document is new, and whether sender and recipients may have one more."""
    cdef uint32_t[3] years
    cdef Slice value
    cdef uint8_t flags = record[ACC_FLAGS]
    cdef const uint8_t *key_name = record + ACC_IDEM if flags & FLAG_IDEM else NULL
    years[0] = load16(record + 2)  # as `records.years_to_ask` says
    years[1] = years[0] - 1
    years[2] = years[0] + 1
    look_up(state, record + ACC_NAME, key_name, record + ACC_CONTENT, years, 3, answer)
    if answer.kind != NEW:
        return
    if not state.new_key(record + ACC_KEY):
        answer.kind = KEY_IN_USE
    elif in_flight_max and state.get(SENDERS, record + ACC_SENDER, 4, &value) == FOUND:
        if load64(value.data) >= in_flight_max:
            answer.kind = TOO_MANY
            return
    if pending_max and answer.kind == NEW:
        answer.sequence = overfull(
            state, record + ACC_FIXED + load32(record + ACC_RUNS), load32(record + ACC_POSTINGS),
            pending_max,
        )
        if answer.sequence:
            answer.kind = TOO_MANY_PENDING


cdef void keep_name(
    State state, int table, const uint8_t *record, const uint8_t *name, uint64_t sequence
) noexcept nogil:
    """Let a name stand for a document in its year of issue."""
    cdef uint8_t[18] key
    cdef uint8_t[NAME_BYTES] value
    cdef uint32_t year = load16(record + ACC_YEAR)
    dated_key(key, year, name)
    store64(value, sequence)
    memcpy(value + 8, record + ACC_CONTENT, 16)
    state.put(table, key, 18, value, NAME_BYTES)
    state.names.add(name)
    state.note_names(table, year)


cdef uint64_t keep_number(State state, const uint8_t *record, uint64_t sequence) noexcept nogil:
    """Note number and notation; return the first document that bore them this year, or 0."""
    cdef Slice value
    cdef uint8_t[18] key
    cdef uint8_t[8] packed
    cdef uint32_t year = load16(record + ACC_YEAR)
    if named(state, NUMBERS, year, record + ACC_NUMBER, &value):
        return load64(value.data)
    dated_key(key, year, record + ACC_NUMBER)
    store64(packed, sequence)
    state.put(NUMBERS, key, 18, packed, 8)
    state.names.add(record + ACC_NUMBER)
    state.note_names(NUMBERS, year)
    return 0


cdef uint64_t audience_of(State state, const Members *members, uint64_t entry) noexcept nogil:
    """Return the number under which equal members are kept; stored now when they are new."""
    cdef uint8_t[24] name
    cdef uint8_t[8] id
    cdef uint8_t[AUD_RUNS] head
    cdef Slice value
    cdef uint64_t known
    store64(name, members.snapshot)
    memcpy(name + 8, members.sha, DIGEST_BYTES)
    known = state.warm.audience_of(members.snapshot, members.sha)
    if known:
        return known
    if state.get(AUDIENCE_IDS, name, 24, &value) == FOUND:
        state.warm.keep_audience(members.snapshot, members.sha, load64(value.data))
        return load64(value.data)
    state.warm.keep_audience(members.snapshot, members.sha, entry)
    store64(id, entry)
    state.put(AUDIENCE_IDS, name, 24, id, 8)
    store64(head + AUD_SNAPSHOT, members.snapshot)
    store32(head + AUD_SIZE, members.size)
    memcpy(head + AUD_SHA, members.sha, 32)
    state.put_joined(AUDIENCES, id, 8, head, AUD_RUNS, members.runs, members.runs_size)
    return entry


cdef void keep_entry(State state, Counters *counters, const Entry *entry) noexcept nogil:
    """Add an entry's own row, and count it."""
    cdef uint8_t[16] key
    cdef uint8_t[ENT_BYTES] row
    cdef size_t held
    cdef uint8_t *sender
    memset(row, 0, ENT_BYTES)
    store64(row + ENT_AUDIENCE, entry.audience)
    row[ENT_CAUSE] = entry.cause
    row[ENT_STANDING] = entry.standing
    row[ENT_LANE] = entry.lane
    row[ENT_MORE] = entry.more
    row[ENT_NAMED] = entry.named
    store32(row + ENT_SIZE, entry.size)
    store64(row + ENT_EXPIRES, <uint64_t>entry.expires)
    store64(row + ENT_SINCE, <uint64_t>entry.at)
    store64(row + ENT_CHANGED, entry.number >> ENTRY_SHIFT)
    entry_key(key, entry.document, entry.number)
    state.put(ENTRIES, key, 16, row, ENT_BYTES)
    if entry.number == entry.document << ENTRY_SHIFT:
        state.warm.keep_entry(entry.document, row)
    counters.entries += 1
    counters.recipients += entry.size
    counters.lanes[entry.lane] += 1
    if final(entry.standing):
        if entry.standing == EXCLUDED:
            counters.excluded += entry.size
        return
    counters.in_flight += 1
    store32(key, entry.sender)
    sender = state.own(SENDERS, key, 4, &held)
    if sender != NULL:
        store64(sender, load64(sender) + 1)
    else:
        store64(row, 1)
        state.put(SENDERS, key, 4, row, 8)
    if entry.expires:
        keep_due(state, entry.expires, entry.document, entry.number)


cdef int keep_due(
    State state, int64_t at, uint64_t document, uint64_t entry
) noexcept nogil:
    """Note that an entry wants attention at an instant."""
    cdef uint8_t[12] key
    cdef uint8_t[16] value
    cdef Slice found
    cdef uint64_t when = <uint64_t>at
    store64(value, document)
    store64(value + 8, entry)
    while True:  # a microsecond later when another entry has the place: never overwritten
        store32(key, <uint32_t>(when // HOUR_US))
        store64(key + 4, (when % HOUR_US) << 32 | <uint32_t>entry)
        if state.get(DUE, key, 12, &found) != FOUND:
            break
        when += 1
    state.put(DUE, key, 12, value, 16)
    state.note_due(<uint32_t>(when // HOUR_US))
    return FOUND


cdef bint forget_due(
    State state, int64_t at, uint64_t document, uint64_t entry
) noexcept nogil:
    """Take back what `keep_due` noted; say whether it had."""
    cdef uint8_t[12] key
    cdef Slice found
    cdef uint64_t when = <uint64_t>at
    cdef int _tried
    if not at:
        return False
    for _tried in range(PLACES_TRIED):
        store32(key, <uint32_t>(when // HOUR_US))
        store64(key + 4, (when % HOUR_US) << 32 | <uint32_t>entry)
        if state.get(DUE, key, 12, &found) == FOUND and found.size == 16 and (
            load64(found.data) == document and load64(found.data + 8) == entry
        ):
            state.remove(DUE, key, 12)
            return True
        when += 1
    return False


cdef void keep_topics(
    State state, const Entry *entry, const uint8_t *at, size_t size
) noexcept nogil:
    """Add a row under each topic: who subscribes to it meets the entry.  Count for each
    unit written to by name what it has open."""
    cdef const uint8_t *stop = at + size
    cdef const uint8_t *first = at
    cdef uint8_t[64] key
    cdef uint8_t[TOP_HEAD + TOPIC_RUNS_MAX * RUN_BYTES] row
    cdef size_t topic, runs
    key[0] = entry.lane
    store64(row + TOP_DOCUMENT, entry.document)
    store64(row + TOP_EXPIRES, <uint64_t>entry.expires)
    store64(row + TOP_AUDIENCE, entry.audience)
    store32(row + TOP_SNAPSHOT, <uint32_t>entry.snapshot)
    memcpy(row + TOP_KEY, entry.key, 16)
    while at < stop:
        topic = at[0]
        memcpy(key + 1, at, topic + 1)
        store64(key + 2 + topic, entry.number)
        runs = at[topic + 1]
        row[TOP_RUNS] = <uint8_t>runs
        memcpy(row + TOP_HEAD, at + topic + 2, runs * RUN_BYTES)
        state.put(TOPICS, key, topic + 10, row, TOP_HEAD + runs * RUN_BYTES)
        at += topic + 2 + runs * RUN_BYTES
    count_named(state, entry.named, row + TOP_AUDIENCE, first, size)


cdef void keep_document(
    State state, const uint8_t *record, uint64_t sequence, uint64_t twin
) noexcept nogil:
    cdef uint8_t[8] packed
    cdef uint8_t[DOC_BYTES] row
    store64(packed, sequence)
    memcpy(row + DOC_KEY, record + ACC_KEY, 16)
    memcpy(row + DOC_SENDER, record + ACC_SENDER, 4)
    memcpy(row + DOC_AT, record + 8, 8)
    store64(row + DOC_TWIN, twin)
    state.put(DOCUMENTS, packed, 8, row, DOC_BYTES)
    state.put(KEYS, record + ACC_KEY, 16, packed, 8)
    state.note_key(record + ACC_KEY)
    state.warm.keep_sender(sequence, record + ACC_KEY, load32(record + ACC_SENDER))


cdef int apply_acceptance(
    State state, Counters *counters, const uint8_t *record, size_t size, uint64_t sequence,
    uint64_t *twin
) noexcept nogil:
    """Add a document to the state: FOUND, or FAILED when the bytes are no such record."""
    cdef Entry entry
    cdef Members members
    cdef const uint8_t *at = record + ACC_FIXED
    cdef uint8_t flags = record[ACC_FLAGS]
    if not is_acceptance(record, size):
        return FAILED
    twin[0] = keep_number(state, record, sequence) if flags & FLAG_NUMBER else 0
    keep_document(state, record, sequence, twin[0])
    keep_name(state, IDS, record, record + ACC_NAME, sequence)
    if flags & FLAG_IDEM:
        keep_name(state, IDEMPOTENCY, record, record + ACC_IDEM, sequence)
    members.snapshot = load64(record + ACC_SNAPSHOT)
    members.size = load32(record + ACC_SIZE)
    members.sha = record + ACC_SHA
    members.runs, members.runs_size = at, load32(record + ACC_RUNS)
    entry.document, entry.number = sequence, sequence << ENTRY_SHIFT
    entry.snapshot, entry.size = members.snapshot, members.size
    entry.at, entry.expires = <int64_t>load64(record + 8), <int64_t>load64(record + ACC_EXPIRES)
    entry.sender = load32(record + ACC_SENDER)
    entry.key = record + ACC_KEY
    entry.lane, entry.cause, entry.standing = record[ACC_LANE], 0, QUEUED
    entry.more = load32(record + ACC_PARTS) != 0
    counters.documents += 1
    entry.named = NAMED_NONE
    if members.size:
        entry.named = named_among(
            at + members.runs_size, load32(record + ACC_POSTINGS), members.size
        )
        entry.audience = audience_of(state, &members, entry.number)
        keep_entry(state, counters, &entry)
        keep_topics(state, &entry, at + members.runs_size, load32(record + ACC_POSTINGS))
    at += members.runs_size + load32(record + ACC_POSTINGS)
    keep_parts(state, counters, &entry, at, load32(record + ACC_PARTS))
    return FAILED if state.failed else FOUND


cdef void keep_parts(
    State state, Counters *counters, Entry *entry, const uint8_t *at, size_t size
) noexcept nogil:
    """Add the parts of a document's recipients that are held, waiting or excluded."""
    cdef const uint8_t *stop = at + size
    cdef Members members
    members.snapshot = entry.snapshot
    entry.named = NAMED_NONE
    while at < stop:
        entry.number += 1
        entry.standing = at[0]
        entry.size = members.size = load32(at + 1)
        members.sha = at + 5
        members.runs_size = load32(at + 37)
        entry.expires = <int64_t>load64(at + 41)
        members.runs = at + PART_HEAD
        entry.audience = audience_of(state, &members, entry.number)
        keep_entry(state, counters, entry)
        at += PART_HEAD + members.runs_size
