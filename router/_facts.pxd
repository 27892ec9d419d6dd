# cython: language_level=3
"""Facts about units in C columns: what is known, since when, for which time.

The contract of `_facts.pyx`.  A **fact** says that some properties of one unit hold from
`since` until `until`.  Facts are only ever added; of several that cover an instant the one
learnt last decides.  So the directory at any instant, as known at any time, is a filter
over one array, and nothing is ever rewritten.
"""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t
from libc.string cimport memcmp

from router._tables cimport NOBODY, Status


cdef extern from *:
    """
    static inline void fetch_ahead(const void *place) { __builtin_prefetch(place); }
    """
    void fetch_ahead(const void *place) noexcept nogil


cdef enum:
    OPENS = 1          # the unit exists
    CLOSES = 2         # it does not
    TIER = 4
    KIND = 8
    PARENT = 16
    TAGS = 32
    CODES = 64         # text fields from here on, in this order in a row of text
    NAME = 128
    DETAILS = 256
    SUCCESSORS = 512
    SYNTHESISED = 1024  # with CODES: they were made by rule
    WHOLE = 1 + 4 + 8 + 16 + 64 + 128  # what the first fact about a unit must say
    EVERY = 2047

cdef enum:
    BETWEEN_CODES = 31  # unit separator, between items of one field
    BETWEEN_FIELDS = 9  # tab
    ROW_END = 10        # line feed


cdef struct Fact:
    int64_t since
    int64_t until       # exclusive; INT64_MAX: for good
    uint32_t change     # place of the change that taught it, ascending along a unit's chain
    uint32_t following  # the unit's next fact in order of learning, or NOBODY
    uint32_t parent     # a number, 0 for a root
    uint32_t text       # where its row of text begins
    uint16_t kind
    uint16_t tags       # the number of a set of tags, 0: none
    uint16_t mask
    uint8_t tier


cdef struct Entry:  # one unit
    uint32_t number
    uint32_t first
    uint32_t last


cdef enum:
    PLAIN = 0x80000000  # with a slot's entry: the code may stand in a selector as it is


cdef struct Slot:  # one code of one unit; `text` NOBODY: free
    uint32_t hash
    uint32_t entry   # perhaps with PLAIN: see `entry_of`
    uint32_t text


cdef struct Book:
    Fact *facts
    Entry *entries
    uint32_t *by_number   # open addressing, a power of two: entry or NOBODY
    Slot *slots           # open addressing, a power of two
    uint8_t *texts
    size_t fact_count
    size_t fact_room
    size_t entry_count
    size_t entry_room
    size_t number_room
    size_t slot_count
    size_t slot_room
    size_t text_size
    size_t text_room


cdef struct Standing:  # what a unit is at one instant
    bint open
    bint recoded          # its codes changed at some time: look closer
    uint32_t parent
    uint16_t kind
    uint16_t tags
    uint8_t tier


cdef struct Row:  # one fact to add; `text` is copied
    int64_t since
    int64_t until
    const uint8_t *text
    size_t length         # with its line feed
    uint32_t change
    uint32_t number
    uint32_t parent
    uint16_t kind
    uint16_t tags
    uint16_t mask
    uint8_t tier


cdef Status add_fact(Book *b, const Row *row) noexcept nogil
cdef Status copy_book(Book *into, const Book *b) noexcept nogil
cdef void free_book(Book *b) noexcept nogil
cdef size_t book_bytes(const Book *b) noexcept nogil
cdef uint32_t bearer(const Book *b, const uint8_t *code, size_t length, int64_t at,
                     uint32_t known) noexcept nogil
cdef void life_of(const Book *b, uint32_t entry, uint32_t known, int64_t *opened,
                  int64_t *closed) noexcept nogil
cdef uint32_t text_fact(const Book *b, uint32_t entry, uint16_t bit, int64_t at,
                        uint32_t known) noexcept nogil
cdef size_t text_field(const Book *b, const Fact *fact, uint16_t bit,
                       const uint8_t **start) noexcept nogil


cdef inline uint32_t mix(uint32_t value) noexcept nogil:
    """Spread the bits of a number over all 32 (the finaliser of MurmurHash3)."""
    value ^= value >> 16
    value *= <uint32_t>0x85EBCA6B
    value ^= value >> 13
    value *= <uint32_t>0xC2B2AE35
    return value ^ (value >> 16)


cdef inline uint32_t hash_code(const uint8_t *code, size_t length) noexcept nogil:
    """Hash a code in its normal spelling, four bytes at a step."""
    cdef uint32_t value = <uint32_t>length * <uint32_t>0x9E3779B1
    cdef size_t i = 0
    while i + 4 <= length:
        value = (value ^ (<uint32_t>code[i] | (<uint32_t>code[i + 1] << 8)
                          | (<uint32_t>code[i + 2] << 16) | (<uint32_t>code[i + 3] << 24)))
        value *= <uint32_t>0x9E3779B1
        value ^= value >> 15
        i += 4
    while i < length:
        value = (value ^ code[i]) * <uint32_t>0x01000193
        i += 1
    return mix(value)


cdef inline uint32_t entry_of(const Slot *slot) noexcept nogil:
    """Return the entry of the unit that bears a slot's code."""
    return slot.entry & ~<uint32_t>PLAIN


cdef inline uint32_t find_entry(const Book *b, uint32_t number) noexcept nogil:
    """Return the entry of a unit's number, or NOBODY."""
    cdef size_t place
    cdef uint32_t entry
    if b.number_room == 0:
        return NOBODY
    place = mix(number) & (b.number_room - 1)
    while True:
        entry = b.by_number[place]
        if entry == NOBODY or b.entries[entry].number == number:
            return entry
        place = (place + 1) & (b.number_room - 1)


cdef inline bint same_code(const Book *b, uint32_t text, const uint8_t *code,
                           size_t length) noexcept nogil:
    """Say whether the code that begins at `text` is this one, to its last character."""
    cdef const uint8_t *kept = b.texts + text
    return (text + length < b.text_size and kept[length] <= BETWEEN_CODES
            and memcmp(kept, code, length) == 0)


cdef inline void stand(const Book *b, uint32_t entry, int64_t at, uint32_t known,
                       Standing *s) noexcept nogil:
    """Tell what a unit is at an instant, as known after the first `known` changes."""
    cdef uint32_t i = b.entries[entry].first
    cdef const Fact *fact = &b.facts[i]
    cdef uint32_t coded = 0
    if (fact.following == NOBODY and fact.since <= at < fact.until and fact.change < known
            and fact.mask & WHOLE == WHOLE):  # one fact says all: most units, in one step
        s.open = not fact.mask & CLOSES
        s.parent = fact.parent
        s.kind = fact.kind
        s.tags = fact.tags
        s.tier = fact.tier
        s.recoded = False
        return
    s.open = False
    s.parent = 0
    s.kind = 0
    s.tags = 0
    s.tier = 0
    while i != NOBODY:
        fact = &b.facts[i]
        if fact.change >= known:
            break
        coded += (fact.mask & CODES) != 0
        if fact.since <= at < fact.until:
            if fact.mask & OPENS:
                s.open = True
            if fact.mask & CLOSES:
                s.open = False
            if fact.mask & TIER:
                s.tier = fact.tier
            if fact.mask & KIND:
                s.kind = fact.kind
            if fact.mask & PARENT:
                s.parent = fact.parent
            if fact.mask & TAGS:
                s.tags = fact.tags
        i = fact.following
    s.recoded = coded > 1
