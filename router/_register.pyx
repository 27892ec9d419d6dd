# cython: language_level=3
"""The register: every fact ever learnt about units, and questions to it.

`known` everywhere is the number of changes that count: facts of later ones are not seen,
so a reader goes on with what it knew while a change is being added.  Every argument is
checked here before a pointer is touched.  The GIL is held throughout, because adding moves
the arrays; only the building of a snapshot's tables releases it, on a copy.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.stdint cimport INT64_MAX, int64_t, uint8_t, uint16_t, uint32_t
from libc.stdlib cimport free, malloc
from libc.string cimport memchr
cimport cython

from router._core cimport hierarchy_of
from router._facts cimport (
    CODES, CLOSES, DETAILS, EVERY, NAME, OPENS, PARENT, ROW_END, SUCCESSORS, SYNTHESISED, TAGS,
    WHOLE, BETWEEN_FIELDS, Book, Fact, Row, Slot, Standing, add_fact, bearer, book_bytes,
    copy_book, entry_of, fetch_ahead, find_entry, free_book, hash_code, life_of, same_code,
    stand, text_fact, text_field,
)
from router._facts cimport KIND as KIND_BIT
from router._facts cimport TIER as TIER_BIT
from router._tables cimport DONE, NOBODY, Node

from router.limits import UNITS_MAX

__all__ = [
    "FACT_CLOSES", "FACT_CODES", "FACT_DETAILS", "FACT_KIND", "FACT_NAME", "FACT_OPENS",
    "FACT_PARENT", "FACT_SUCCESSORS", "FACT_SYNTHESISED", "FACT_TAGS", "FACT_TIER", "FOR_GOOD",
    "Register",
]

FACT_OPENS = OPENS
FACT_CLOSES = CLOSES
FACT_TIER = TIER_BIT
FACT_KIND = KIND_BIT
FACT_PARENT = PARENT
FACT_TAGS = TAGS
FACT_CODES = CODES
FACT_NAME = NAME
FACT_DETAILS = DETAILS
FACT_SUCCESSORS = SUCCESSORS
FACT_SYNTHESISED = SYNTHESISED
FOR_GOOD = INT64_MAX

cdef enum:
    AHEAD = 24  # units whose facts are asked for before their turn

cdef size_t ENTRIES_MAX = UNITS_MAX
cdef size_t TEXTS_MAX = 0xF0000000
cdef size_t FACTS_MAX = 0xF0000000


cdef int column(bytes data, size_t count, size_t size, str what) except -1:
    """Check the length of a column."""
    if <size_t>PyBytes_GET_SIZE(data) != count * size:
        raise ValueError(f"the column of {what} has not {count} values")
    return 0


cdef size_t fields_of(uint16_t mask) noexcept:
    """Count the text fields that a mask promises."""
    return (((mask & CODES) != 0) + ((mask & NAME) != 0) + ((mask & DETAILS) != 0)
            + ((mask & SUCCESSORS) != 0))


cdef int check_row(Book *book, Row *row) except -1:
    """Refuse a fact that can't be what was written."""
    cdef size_t i, fields = 1
    if row.number == 0 or row.number == NOBODY or row.parent == NOBODY:
        raise ValueError("a unit's number is out of range")
    if row.since >= row.until:
        raise ValueError(f"a fact about unit {row.number} holds for no time")
    if row.mask == 0 or row.mask > EVERY:
        raise ValueError(f"a fact about unit {row.number} says nothing that is known here")
    if find_entry(book, row.number) == NOBODY:
        if row.mask & WHOLE != WHOLE:
            raise ValueError(f"the first fact about unit {row.number} does not say all")
        if book.entry_count >= ENTRIES_MAX:
            raise ValueError(f"over {ENTRIES_MAX} units")
    for i in range(row.length):
        fields += row.text[i] == BETWEEN_FIELDS
    if fields != max(<size_t>1, fields_of(row.mask)):
        raise ValueError(f"a fact about unit {row.number} has another number of texts")
    if book.fact_count >= FACTS_MAX or book.text_size + row.length >= TEXTS_MAX:
        raise ValueError("the directory is full")
    return 0


cdef str text_of(const Book *book, const Fact *fact, uint16_t bit):
    cdef const uint8_t *start
    cdef size_t length = text_field(book, fact, bit, &start)
    return (<const char *>start)[:length].decode("utf-8", "replace")


@cython.final
cdef class Register:
    """Facts about units, append-only; see the module."""

    def __dealloc__(self):
        free_book(&self.book)

    def __reduce__(self):
        raise TypeError("a register is made from the log, not pickled")

    def __len__(self):
        """Count the units ever known, to the newest change."""
        return self.book.entry_count

    @property
    def facts(self):
        """How many facts there are."""
        return self.book.fact_count

    @property
    def memory_bytes(self):
        """Bytes in use."""
        return book_bytes(&self.book)

    def copy(self):
        """Return an independent copy, to try a change on."""
        cdef Register made = Register()
        if copy_book(&made.book, &self.book) != DONE:
            raise MemoryError
        return made

    def add(self, uint32_t change, bytes number not None, bytes since not None,
            bytes until not None, bytes mask not None, bytes tier not None, bytes kind not None,
            bytes tags not None, bytes parent not None, bytes text not None,
            kind_numbers, tag_numbers):
        """Add facts given as columns of native integers, one row a fact.

        `number` and `parent` are u32, `since` and `until` i64, `mask`, `kind` and `tags`
        u16, `tier` u8; `kind` and `tags` index the two sequences of register-wide numbers;
        `text` holds a line for each row, its fields split by tabs.  Returns the instants at
        which something begins or ends, and (number, successors as text) of each fact that
        names some.  Raises ValueError for what can't be a fact; then the register is only
        fit to be thrown away.
        """
        cdef size_t count = <size_t>PyBytes_GET_SIZE(number) // 4, i
        cdef list kinds = list(kind_numbers), tag_sets = list(tag_numbers)
        cdef Row row
        cdef const uint8_t *place = <const uint8_t *>PyBytes_AS_STRING(text)
        cdef size_t left = <size_t>PyBytes_GET_SIZE(text)
        cdef const uint8_t *stop
        cdef const uint16_t *kind_of = <const uint16_t *>PyBytes_AS_STRING(kind)
        cdef const uint16_t *tags_of = <const uint16_t *>PyBytes_AS_STRING(tags)
        cdef int64_t last_since = INT64_MAX, last_until = INT64_MAX
        cdef set instants = set()
        cdef list succeeded = []
        check_columns(count, number, since, until, mask, tier, kind, tags, parent)
        row.change = change
        for i in range(count):
            stop = <const uint8_t *>memchr(place, ROW_END, left)
            if stop == NULL or kind_of[i] >= len(kinds) or tags_of[i] >= len(tag_sets):
                raise ValueError("a column of facts is damaged")
            row.number = (<const uint32_t *>PyBytes_AS_STRING(number))[i]
            row.parent = (<const uint32_t *>PyBytes_AS_STRING(parent))[i]
            row.since = (<const int64_t *>PyBytes_AS_STRING(since))[i]
            row.until = (<const int64_t *>PyBytes_AS_STRING(until))[i]
            row.mask = (<const uint16_t *>PyBytes_AS_STRING(mask))[i]
            row.tier = (<const uint8_t *>PyBytes_AS_STRING(tier))[i]
            row.kind = kinds[kind_of[i]]
            row.tags = tag_sets[tags_of[i]]
            row.text = place
            row.length = stop + 1 - place
            left -= row.length
            place = stop + 1
            check_row(&self.book, &row)
            if add_fact(&self.book, &row) != DONE:
                raise MemoryError
            if row.since != last_since:
                instants.add(row.since)
            if row.until != last_until:
                instants.add(row.until)
            last_since, last_until = row.since, row.until
            if row.mask & SUCCESSORS:
                succeeded.append((row.number, text_of(
                    &self.book, &self.book.facts[self.book.fact_count - 1], SUCCESSORS)))
        if left:
            raise ValueError("a column of facts is damaged")
        instants.discard(INT64_MAX)
        return instants, succeeded

    cdef uint32_t entry(self, object number) except? 0xFFFFFFFE:
        """Return the entry of a number, or NOBODY."""
        if not isinstance(number, int):
            raise TypeError("a stable number is an int")
        if number < 1 or number > 0xFFFFFFFE:
            return NOBODY
        return find_entry(&self.book, number)

    def numbers(self):
        """Return the numbers of all units ever known, in order of first appearance."""
        cdef size_t i
        return [self.book.entries[i].number for i in range(self.book.entry_count)]

    def life(self, number, uint32_t known):
        """Return (first instant, end or FOR_GOOD) of a unit, None when not known by then."""
        cdef uint32_t entry = self.entry(number)
        cdef int64_t opened, closed
        if entry == NOBODY:
            return None
        life_of(&self.book, entry, known, &opened, &closed)
        return None if opened == INT64_MAX else (opened, closed)

    def state(self, number, int64_t at, uint32_t known):
        """Return what is known of a unit at an instant, None for nothing at all.

        (open, tier, kind, parent, tags, synthesised, codes, name, details, successors); the
        texts as they were added, "" where nothing was said.
        """
        cdef uint32_t entry = self.entry(number), decides
        cdef Standing s
        cdef list texts = []
        cdef uint16_t bit = CODES
        cdef bint synthesised = False
        if entry == NOBODY or self.book.facts[self.book.entries[entry].first].change >= known:
            return None
        stand(&self.book, entry, at, known, &s)
        while bit <= SUCCESSORS:
            decides = text_fact(&self.book, entry, bit, at, known)
            if decides == NOBODY:
                texts.append("")
            else:
                texts.append(text_of(&self.book, &self.book.facts[decides], bit))
                if bit == CODES:
                    synthesised = (self.book.facts[decides].mask & SYNTHESISED) != 0
            bit <<= 1
        return (bool(s.open), s.tier, s.kind, s.parent, s.tags, synthesised, *texts)

    def history(self, number):
        """Return every fact about a unit in order of learning, as
        (change, since, until, mask, tier, kind, parent, tags, texts by field)."""
        cdef uint32_t entry = self.entry(number), i
        cdef const Fact *fact
        cdef uint16_t bit
        cdef list found = []
        if entry == NOBODY:
            return found
        i = self.book.entries[entry].first
        while i != NOBODY:
            fact = &self.book.facts[i]
            texts = {}
            bit = CODES
            while bit <= SUCCESSORS:
                if fact.mask & bit:
                    texts[bit] = text_of(&self.book, fact, bit)
                bit <<= 1
            found.append((fact.change, fact.since, fact.until, fact.mask, fact.tier, fact.kind,
                          fact.parent, fact.tags, texts))
            i = fact.following
        return found

    def find(self, str code not None, int64_t at, uint32_t known):
        """Return the number of the unit that is open and bears a code then, or 0."""
        cdef bytes spelled = code.encode("utf-8", "surrogatepass")
        cdef uint32_t entry = bearer(
            &self.book, <const uint8_t *>PyBytes_AS_STRING(spelled),
            <size_t>PyBytes_GET_SIZE(spelled), at, known)
        return 0 if entry == NOBODY else self.book.entries[entry].number

    def bearers(self, str code not None):
        """Return the numbers of all units that bore a code at some time, by any knowledge."""
        cdef bytes spelled = code.encode("utf-8", "surrogatepass")
        cdef const uint8_t *raw = <const uint8_t *>PyBytes_AS_STRING(spelled)
        cdef size_t length = <size_t>PyBytes_GET_SIZE(spelled)
        cdef uint32_t hashed = hash_code(raw, length)
        cdef size_t place
        cdef const Slot *slot
        cdef list found = []
        if self.book.slot_room == 0:
            return found
        place = hashed & (self.book.slot_room - 1)
        while self.book.slots[place].text != NOBODY:
            slot = &self.book.slots[place]
            if slot.hash == hashed and same_code(&self.book, slot.text, raw, length):
                found.append(self.book.entries[entry_of(slot)].number)
            place = (place + 1) & (self.book.slot_room - 1)
        return found

    def lineage(self, number):
        """Return what a unit ever was and was below, whenever and by any knowledge.

        The set of its (tier, kind), and of the numbers above it at any time (the parents'
        parents included, at their times or not).
        """
        cdef uint32_t entry = self.entry(number), i
        cdef const Fact *fact
        cdef set classes = set(), above = set()
        cdef list ways = [number]
        cdef bint itself = True
        if entry == NOBODY:
            return classes, above
        for below in ways:
            entry = self.entry(below)
            if entry == NOBODY:
                continue
            i = self.book.entries[entry].first
            while i != NOBODY:
                fact = &self.book.facts[i]
                if itself and fact.mask & (TIER_BIT | KIND_BIT):
                    classes.add((fact.mask & TIER_BIT, fact.tier, fact.mask & KIND_BIT,
                                 fact.kind))
                if fact.mask & PARENT and fact.parent and fact.parent not in above:
                    above.add(fact.parent)
                    ways.append(fact.parent)
                i = fact.following
            itself = False
        return combined(classes), above

    def open_numbers(self, int64_t at, uint32_t known):
        """Return the numbers of the units open at an instant, in order of appearance."""
        cdef uint32_t i
        cdef Standing s
        cdef list found = []
        for i in range(<uint32_t>self.book.entry_count):
            stand(&self.book, i, at, known, &s)
            if s.open:
                found.append(self.book.entries[i].number)
        return found

    def compile(self, int64_t at, uint32_t known):
        """Return the hierarchy of the units open at an instant.

        Raises ValueError when they are no sound tree (`faults` says which unit and why).
        """
        cdef size_t room = self.book.entry_count + 1
        cdef Node *nodes = <Node *>malloc(room * sizeof(Node))
        cdef uint32_t i, count = 0
        cdef Standing s
        if nodes == NULL:
            raise MemoryError
        try:
            for i in range(<uint32_t>self.book.entry_count):
                if i + AHEAD < self.book.entry_count:  # later facts lie in another order
                    fetch_ahead(&self.book.facts[self.book.entries[i + AHEAD].last])
                stand(&self.book, i, at, known, &s)
                if s.open:
                    nodes[count].number = self.book.entries[i].number
                    nodes[count].parent = s.parent
                    nodes[count].tier = s.tier
                    nodes[count].kind = s.kind
                    nodes[count].tags = s.tags
                    count += 1
            return hierarchy_of(nodes, count)
        finally:
            free(nodes)

    def faults(self, int64_t at, uint32_t known):
        """Return the first unit at fault at an instant as (what, number, other), or None.

        `what` is "parent" (not open then), "tier" (above its parent's) or "code" (the other
        unit bears the same one).  A tree that hangs on itself is found by `compile`.
        """
        cdef uint32_t i, above, other
        cdef Standing s, p
        for i in range(<uint32_t>self.book.entry_count):
            stand(&self.book, i, at, known, &s)
            if not s.open:
                continue
            if s.parent:
                above = find_entry(&self.book, s.parent)
                p.open = False
                if above != NOBODY:
                    stand(&self.book, above, at, known, &p)
                if not p.open:
                    return "parent", self.book.entries[i].number, s.parent
                if s.tier < p.tier:
                    return "tier", self.book.entries[i].number, s.parent
            other = shared_code(&self.book, i, at, known)
            if other != NOBODY:
                return "code", self.book.entries[i].number, self.book.entries[other].number
        return None


cdef set combined(set classes):
    """Return every (tier, kind) that the seen tiers and kinds make."""
    tiers = {tier for said, tier, _, _ in classes if said}
    kinds = {kind for _, _, said, kind in classes if said}
    return {(tier, kind) for tier in tiers for kind in kinds}


cdef int check_columns(size_t count, bytes number, bytes since, bytes until, bytes mask,
                       bytes tier, bytes kind, bytes tags, bytes parent) except -1:
    column(number, count, 4, "numbers")
    column(since, count, 8, "beginnings")
    column(until, count, 8, "ends")
    column(mask, count, 2, "masks")
    column(tier, count, 1, "tiers")
    column(kind, count, 2, "kinds")
    column(tags, count, 2, "tags")
    column(parent, count, 4, "parents")
    return 0


cdef uint32_t shared_code(const Book *b, uint32_t entry, int64_t at, uint32_t known) noexcept:
    """Return another unit that bears one of this unit's codes at an instant, or NOBODY.

    The first bearer found decides, so of two that share a code the one that is not first
    in the table finds the other.
    """
    cdef uint32_t decides = text_fact(b, entry, CODES, at, known), other
    cdef const uint8_t *start
    cdef size_t length, first = 0, i
    if decides == NOBODY:
        return NOBODY
    length = text_field(b, &b.facts[decides], CODES, &start)
    for i in range(length + 1):
        if i == length or start[i] == 31:
            other = bearer(b, start + first, i - first, at, known)
            if other != entry and other != NOBODY:
                return other
            first = i + 1
    return NOBODY
