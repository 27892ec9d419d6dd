# cython: language_level=3
"""Adds facts about units and finds them again: by number, by code, at an instant.

No Python object is touched here: callers check every argument and hold the GIL while facts
are added, because the arrays may move.
"""

from libc.stdint cimport INT64_MAX, int64_t, uint8_t, uint16_t, uint32_t
from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memchr, memcmp, memcpy, memset

from router._tables cimport DONE, NO_MEMORY, Status


cdef Status room_for(void **array, size_t *room, size_t wanted, size_t size) noexcept nogil:
    """Make room for `wanted` items; a quarter more than needed, untouched until used."""
    cdef void *larger
    cdef size_t more = wanted + wanted // 4 + 64
    if wanted <= room[0]:
        return DONE
    larger = realloc(array[0], more * size)
    if larger == NULL:
        return NO_MEMORY
    array[0] = larger
    room[0] = more
    return DONE


cdef Status grow_numbers(Book *b) noexcept nogil:
    """Keep the table of numbers at most three quarters full."""
    cdef size_t room = b.number_room, place, i
    cdef uint32_t *larger
    if 4 * (b.entry_count + 1) <= 3 * room:
        return DONE
    room = 2 * room if room else 64
    larger = <uint32_t *>malloc(room * sizeof(uint32_t))
    if larger == NULL:
        return NO_MEMORY
    memset(larger, 0xFF, room * sizeof(uint32_t))
    for i in range(b.entry_count):
        place = mix(b.entries[i].number) & (room - 1)
        while larger[place] != NOBODY:
            place = (place + 1) & (room - 1)
        larger[place] = <uint32_t>i
    free(b.by_number)
    b.by_number = larger
    b.number_room = room
    return DONE


cdef Status grow_slots(Book *b) noexcept nogil:
    """Keep the table of codes at most three quarters full."""
    cdef size_t room = b.slot_room, place, i
    cdef Slot *larger
    if 4 * (b.slot_count + 1) <= 3 * room:
        return DONE
    room = 2 * room if room else 64
    larger = <Slot *>malloc(room * sizeof(Slot))
    if larger == NULL:
        return NO_MEMORY
    memset(larger, 0xFF, room * sizeof(Slot))
    for i in range(b.slot_room):
        if b.slots[i].text != NOBODY:
            place = b.slots[i].hash & (room - 1)
            while larger[place].text != NOBODY:
                place = (place + 1) & (room - 1)
            larger[place] = b.slots[i]
    free(b.slots)
    b.slots = larger
    b.slot_room = room
    return DONE


cdef bint reserved(const uint8_t *word, size_t length) noexcept nogil:
    """Say whether a word of the language stands where a code could.

    These are the words of `router.selectors`, which lies above; a test compares them.
    """
    if length == 3:
        return memcmp(word, b"ALL", 3) == 0 or memcmp(word, b"TAG", 3) == 0
    if length == 4:
        return memcmp(word, b"TIER", 4) == 0 or memcmp(word, b"KIND", 4) == 0
    if length == 5:
        return memcmp(word, b"GROUP", 5) == 0
    if length == 6:
        return memcmp(word, b"SENDER", 6) == 0 or memcmp(word, b"PARENT", 6) == 0
    if length == 7:
        return memcmp(word, b"SUBTREE", 7) == 0
    if length == 8:
        return memcmp(word, b"CHILDREN", 8) == 0 or memcmp(word, b"SIBLINGS", 8) == 0
    return length == 11 and memcmp(word, b"DESCENDANTS", 11) == 0


cdef bint plain(const uint8_t *code, size_t length) noexcept nogil:
    """Say whether a code may stand in a selector without quotation marks."""
    cdef size_t i
    for i in range(length):
        if not (65 <= code[i] <= 90 or 46 <= code[i] <= 58 and code[i] != 47):  # A-Z 0-9 . :
            return False
    return not reserved(code, length)


cdef Status add_code(Book *b, uint32_t entry, uint32_t text, size_t length) noexcept nogil:
    """Note that a unit bears, at some time, the code whose text begins there."""
    cdef uint32_t hashed = hash_code(b.texts + text, length)
    cdef size_t place
    if grow_slots(b) != DONE:
        return NO_MEMORY
    place = hashed & (b.slot_room - 1)
    while b.slots[place].text != NOBODY:
        if (b.slots[place].hash == hashed and entry_of(&b.slots[place]) == entry
                and same_code(b, b.slots[place].text, b.texts + text, length)):
            return DONE
        place = (place + 1) & (b.slot_room - 1)
    b.slots[place].hash = hashed
    b.slots[place].entry = entry | (PLAIN if plain(b.texts + text, length) else 0)
    b.slots[place].text = text
    b.slot_count += 1
    return DONE


cdef Status add_codes(Book *b, uint32_t entry, const Fact *fact) noexcept nogil:
    """Index every code of a fact."""
    cdef const uint8_t *start
    cdef size_t length = text_field(b, fact, CODES, &start)
    cdef size_t first = 0, i
    cdef uint32_t base = <uint32_t>(start - b.texts)
    for i in range(length + 1):
        if i == length or b.texts[base + i] == BETWEEN_CODES:
            if i > first and add_code(b, entry, <uint32_t>(base + first), i - first) != DONE:
                return NO_MEMORY
            first = i + 1
    return DONE


cdef Status add_entry(Book *b, uint32_t number, uint32_t *entry) noexcept nogil:
    """Begin a unit."""
    cdef size_t place
    if (grow_numbers(b) != DONE
            or room_for(<void **>&b.entries, &b.entry_room, b.entry_count + 1,
                        sizeof(Entry)) != DONE):
        return NO_MEMORY
    entry[0] = <uint32_t>b.entry_count
    b.entries[b.entry_count].number = number
    b.entries[b.entry_count].first = NOBODY
    b.entries[b.entry_count].last = NOBODY
    b.entry_count += 1
    place = mix(number) & (b.number_room - 1)
    while b.by_number[place] != NOBODY:
        place = (place + 1) & (b.number_room - 1)
    b.by_number[place] = entry[0]
    return DONE


cdef Status add_fact(Book *b, const Row *row) noexcept nogil:
    """Add one checked fact.  After NO_MEMORY the book is only fit to be freed."""
    cdef uint32_t entry = find_entry(b, row.number), place
    cdef Fact *fact
    if entry == NOBODY and add_entry(b, row.number, &entry) != DONE:
        return NO_MEMORY
    if (room_for(<void **>&b.facts, &b.fact_room, b.fact_count + 1, sizeof(Fact)) != DONE
            or room_for(<void **>&b.texts, &b.text_room, b.text_size + row.length, 1) != DONE):
        return NO_MEMORY
    place = <uint32_t>b.fact_count
    fact = &b.facts[place]
    fact.since = row.since
    fact.until = row.until
    fact.change = row.change
    fact.following = NOBODY
    fact.parent = row.parent
    fact.text = <uint32_t>b.text_size
    fact.kind = row.kind
    fact.tags = row.tags
    fact.mask = row.mask
    fact.tier = row.tier
    memcpy(b.texts + b.text_size, row.text, row.length)
    b.text_size += row.length
    b.fact_count += 1
    if b.entries[entry].first == NOBODY:
        b.entries[entry].first = place
    else:
        b.facts[b.entries[entry].last].following = place
    b.entries[entry].last = place
    if row.mask & CODES:
        return add_codes(b, entry, fact)
    return DONE


cdef Status copy_part(void **into, const void *given, size_t bytes_used,
                      size_t bytes_room) noexcept nogil:
    into[0] = malloc(bytes_room + 1)
    if into[0] == NULL:
        return NO_MEMORY
    memcpy(into[0], given, bytes_used)
    return DONE


cdef Status copy_book(Book *into, const Book *b) noexcept nogil:
    """Copy everything; on NO_MEMORY the caller still frees `into`."""
    memset(into, 0, sizeof(Book))
    if (copy_part(<void **>&into.facts, b.facts, b.fact_count * sizeof(Fact),
                  b.fact_room * sizeof(Fact)) != DONE
            or copy_part(<void **>&into.entries, b.entries, b.entry_count * sizeof(Entry),
                         b.entry_room * sizeof(Entry)) != DONE
            or copy_part(<void **>&into.by_number, b.by_number,
                         b.number_room * sizeof(uint32_t),
                         b.number_room * sizeof(uint32_t)) != DONE
            or copy_part(<void **>&into.slots, b.slots, b.slot_room * sizeof(Slot),
                         b.slot_room * sizeof(Slot)) != DONE
            or copy_part(<void **>&into.texts, b.texts, b.text_size, b.text_room) != DONE):
        return NO_MEMORY
    into.fact_count = b.fact_count
    into.fact_room = b.fact_room
    into.entry_count = b.entry_count
    into.entry_room = b.entry_room
    into.number_room = b.number_room
    into.slot_count = b.slot_count
    into.slot_room = b.slot_room
    into.text_size = b.text_size
    into.text_room = b.text_room
    return DONE


cdef void free_book(Book *b) noexcept nogil:
    """Free everything the book holds."""
    free(b.facts)
    free(b.entries)
    free(b.by_number)
    free(b.slots)
    free(b.texts)


cdef size_t book_bytes(const Book *b) noexcept nogil:
    """Return the bytes in use (room that was never touched costs no memory)."""
    return (b.fact_count * sizeof(Fact) + b.entry_count * sizeof(Entry)
            + b.number_room * sizeof(uint32_t) + b.slot_room * sizeof(Slot) + b.text_size)


cdef size_t text_field(const Book *b, const Fact *fact, uint16_t bit,
                       const uint8_t **start) noexcept nogil:
    """Find one text field of a fact that has it; return its length in bytes."""
    cdef const uint8_t *place = b.texts + fact.text
    cdef uint16_t before = CODES
    cdef size_t length = 0
    while before < bit:
        if fact.mask & before:
            while place[0] > ROW_END or place[0] < BETWEEN_FIELDS:
                place += 1
            place += 1
        before <<= 1
    start[0] = place
    while place[length] > ROW_END or place[length] < BETWEEN_FIELDS:
        length += 1
    return length


cdef uint32_t text_fact(const Book *b, uint32_t entry, uint16_t bit, int64_t at,
                        uint32_t known) noexcept nogil:
    """Return the fact that decides a text field at an instant, or NOBODY."""
    cdef uint32_t i = b.entries[entry].first, found = NOBODY
    cdef const Fact *fact
    while i != NOBODY:
        fact = &b.facts[i]
        if fact.change >= known:
            break
        if fact.mask & bit and fact.since <= at < fact.until:
            found = i
        i = fact.following
    return found


cdef bint is_open(const Book *b, uint32_t entry, int64_t at, uint32_t known) noexcept nogil:
    cdef Standing s
    stand(b, entry, at, known, &s)
    return s.open


cdef void life_of(const Book *b, uint32_t entry, uint32_t known, int64_t *opened,
                  int64_t *closed) noexcept nogil:
    """Tell when a unit begins and ends (INT64_MAX: never), as known.

    `opened` is INT64_MAX for a unit not known yet, or withdrawn.  A life is one interval:
    the first instant at which it is open, and the next at which it is not.
    """
    cdef uint32_t i, round_ = 0
    cdef int64_t[2] edges
    cdef int edge
    cdef const Fact *fact
    opened[0] = INT64_MAX
    closed[0] = INT64_MAX
    for round_ in range(2):
        i = b.entries[entry].first
        while i != NOBODY:
            fact = &b.facts[i]
            if fact.change >= known:
                break
            if fact.mask & (OPENS | CLOSES):
                edges[0] = fact.since
                edges[1] = fact.until
                for edge in range(2):
                    if round_ == 0:
                        if edges[edge] < opened[0] and is_open(b, entry, edges[edge], known):
                            opened[0] = edges[edge]
                    elif (opened[0] < edges[edge] < closed[0]
                            and not is_open(b, entry, edges[edge], known)):
                        closed[0] = edges[edge]
            i = fact.following


cdef bint bears(const Book *b, uint32_t entry, const uint8_t *code, size_t length, int64_t at,
                uint32_t known) noexcept nogil:
    """Say whether a unit bears a code at an instant."""
    cdef uint32_t decides = text_fact(b, entry, CODES, at, known)
    cdef const uint8_t *start
    cdef const uint8_t *stop
    cdef size_t left
    if decides == NOBODY:
        return False
    left = text_field(b, &b.facts[decides], CODES, &start)
    while True:
        if same_code(b, <uint32_t>(start - b.texts), code, length):
            return True
        stop = <const uint8_t *>memchr(start, BETWEEN_CODES, left)
        if stop == NULL:
            return False
        left -= stop + 1 - start
        start = stop + 1


cdef uint32_t bearer(const Book *b, const uint8_t *code, size_t length, int64_t at,
                     uint32_t known) noexcept nogil:
    """Return the unit that is open and bears a code at an instant, or NOBODY."""
    cdef uint32_t hashed = hash_code(code, length), entry
    cdef size_t place
    if b.slot_room == 0:
        return NOBODY
    place = hashed & (b.slot_room - 1)
    while b.slots[place].text != NOBODY:
        entry = entry_of(&b.slots[place])
        if (b.slots[place].hash == hashed and same_code(b, b.slots[place].text, code, length)
                and is_open(b, entry, at, known) and bears(b, entry, code, length, at, known)):
            return entry
        place = (place + 1) & (b.slot_room - 1)
    return NOBODY
