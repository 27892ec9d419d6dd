# cython: language_level=3
"""Who bears which code in one snapshot, and lists of codes resolved without a parser.

Most documents name their recipients one by one.  Such a selector (codes joined by “|”) is
read here in one pass; whatever else it holds, and whatever code is unknown, is left to the
parser, which knows all of the language and words the error.  The look-ups of one list are
made in waves, so that the memory they wait for is fetched while the next ones start.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.stdint cimport int64_t, uint8_t, uint32_t
from libc.stdlib cimport free, malloc
from libc.string cimport memchr, memset
cimport cython

from router._audience cimport own
from router._core cimport Hierarchy
from router._facts cimport (
    CODES, PLAIN, Book, Slot, bearer, entry_of, fetch_ahead, find_entry, hash_code,
    same_code,
)
from router._register cimport Register
from router._tables cimport NOBODY, Run, push_run

from router.limits import CODE_CHARS_MAX, SELECTOR_CHARS_MAX, SELECTOR_NODES_MAX

__all__ = ["Bearers"]

cdef extern from "Python.h":
    bint PyUnicode_IS_COMPACT_ASCII(object text)
    void *PyUnicode_DATA(object text)
    Py_ssize_t PyUnicode_GET_LENGTH(object text)

cdef enum:
    RECODED = 0x80000000  # with a position: the unit's codes changed at some time
    INSERTION_MAX = 64
    DIGIT_BITS = 10       # two passes sort positions below UNITS_MAX (2 ** 20)

cdef size_t CHARS_MAX = SELECTOR_CHARS_MAX
cdef size_t CODES_MAX = SELECTOR_NODES_MAX - 1
cdef size_t CODE_MAX = CODE_CHARS_MAX


cdef struct Word:  # one code of a list while it is looked up
    uint32_t start   # in the buffer of upper-case characters
    uint32_t length
    uint32_t hash


cdef struct Bench:  # one list on its way
    Word *words
    uint32_t *positions  # and as many more to sort with
    uint8_t *upper
    size_t count         # 0: left to the parser


cdef size_t bench_bytes(size_t longest) noexcept:
    """Return the memory that one list of so many characters needs."""
    cdef size_t codes = longest // 2 + 2
    return codes * (sizeof(Word) + 2 * sizeof(uint32_t)) + longest + 1


cdef void furnish(Bench *w, uint8_t *memory, size_t longest) noexcept:
    cdef size_t codes = longest // 2 + 2
    w.words = <Word *>memory
    w.positions = <uint32_t *>(memory + codes * sizeof(Word))
    w.upper = memory + codes * (sizeof(Word) + 2 * sizeof(uint32_t))
    w.count = 0


cdef inline bint blank(uint8_t sign) noexcept nogil:
    return sign == 32 or sign == 9 or sign == 10 or sign == 13


cdef bint read_list(const uint8_t *text, size_t length, Bench *w) noexcept:
    """Cut a text at each “|” into what may be codes; False when some part can't be one.

    What signs a part holds is not looked at: only a plain code is equal to it later.
    """
    cdef size_t i, start = 0, stop, following
    cdef const void *sign
    for i in range(length):
        w.upper[i] = text[i] - 32 * (97 <= text[i] <= 122)
    while True:
        sign = memchr(w.upper + start, 124, length - start)  # |
        stop = length if sign == NULL else <size_t>(<const uint8_t *>sign - w.upper)
        following = stop + 1
        while start < stop and blank(w.upper[start]):
            start += 1
        while stop > start and blank(w.upper[stop - 1]):
            stop -= 1
        if stop == start or stop - start > CODE_MAX or w.count == CODES_MAX:
            return False
        w.words[w.count].start = <uint32_t>start
        w.words[w.count].length = <uint32_t>(stop - start)
        w.words[w.count].hash = hash_code(w.upper + start, stop - start)
        w.count += 1
        if sign == NULL:
            return True
        start = following


cdef void sort_positions(uint32_t *values, uint32_t *spare, size_t count) noexcept:
    """Sort ascending: by insertion when few, else by digits (the result is in `values`)."""
    cdef size_t i, j
    cdef uint32_t value, shift, digit
    cdef uint32_t[1 + (1 << DIGIT_BITS)] begins
    if count <= INSERTION_MAX:
        for i in range(1, count):
            value = values[i]
            j = i
            while j and values[j - 1] > value:
                values[j] = values[j - 1]
                j -= 1
            values[j] = value
        return
    for shift in range(0, 2 * DIGIT_BITS, DIGIT_BITS):
        memset(&begins, 0, sizeof(begins))
        for i in range(count):
            begins[((values[i] >> shift) & ((1 << DIGIT_BITS) - 1)) + 1] += 1
        for i in range(1 << DIGIT_BITS):
            begins[i + 1] += begins[i]
        for i in range(count):
            digit = (values[i] >> shift) & ((1 << DIGIT_BITS) - 1)
            spare[begins[digit]] = values[i]
            begins[digit] += 1
        values, spare = spare, values  # an even number of passes ends where it began


cdef uint32_t texts_known(const Book *b, uint32_t known) noexcept:
    """Return where the text of the first fact learnt by a later change begins."""
    cdef size_t low = 0, high = b.fact_count, middle
    while low < high:
        middle = low + (high - low) // 2
        if b.facts[middle].change < known:
            low = middle + 1
        else:
            high = middle
    return <uint32_t>(b.text_size if low == b.fact_count else b.facts[low].text)


@cython.final
cdef class Bearers:
    """The codes of one snapshot; `at` and `known` are those it was compiled for."""

    cdef Register register
    cdef Hierarchy hierarchy
    cdef uint32_t *place  # by entry of the register: position (perhaps RECODED), or NOBODY
    cdef size_t entries
    cdef uint32_t texts  # where texts learnt later begin: no code from there on is known yet
    cdef int64_t at
    cdef uint32_t known

    def __cinit__(self, Register register not None, Hierarchy hierarchy not None, int64_t at,
                  uint32_t known):
        cdef const Book *b = &register.book
        cdef uint32_t position, entry, i, coded
        self.register = register
        self.hierarchy = hierarchy
        self.at = at
        self.known = known
        self.entries = b.entry_count
        self.texts = texts_known(b, known)
        self.place = <uint32_t *>malloc((self.entries + 1) * sizeof(uint32_t))
        if self.place == NULL:
            raise MemoryError
        memset(self.place, 0xFF, (self.entries + 1) * sizeof(uint32_t))
        for position in range(hierarchy.tables.size):
            entry = find_entry(b, hierarchy.tables.number[position])
            if entry == NOBODY:
                raise ValueError("the hierarchy is of another register")
            self.place[entry] = position
            coded = 0
            i = b.entries[entry].first
            while i != NOBODY and b.facts[i].change < known:
                coded += (b.facts[i].mask & CODES) != 0
                i = b.facts[i].following
            if coded > 1:
                self.place[entry] |= RECODED

    def __dealloc__(self):
        free(self.place)

    def __reduce__(self):
        raise TypeError("code look-ups are made with their snapshot, not pickled")

    @property
    def memory_bytes(self):
        """Bytes of memory, the register's own left out."""
        return self.entries * sizeof(uint32_t) + sizeof(uint32_t)

    cdef inline uint32_t bears_now(self, uint32_t entry, const uint8_t *code,
                                   size_t length) noexcept:
        """Return the position of a bearer of this code (at some time), or NOBODY."""
        cdef uint32_t position
        if entry >= self.entries:
            return NOBODY
        position = self.place[entry]
        if position == NOBODY or not position & RECODED:
            return position
        if bearer(&self.register.book, code, length, self.at, self.known) != entry:
            return NOBODY
        return position & ~<uint32_t>RECODED

    cdef uint32_t look_up(self, const uint8_t *code, size_t length, uint32_t hashed,
                          uint32_t flag) noexcept:
        """Return the position of a code in its normal spelling, or NOBODY.

        With PLAIN as the `flag` only of a code that needs no quotation marks.
        """
        cdef const Book *b = &self.register.book
        cdef size_t place
        cdef uint32_t position
        if b.slot_room == 0:
            return NOBODY
        place = hashed & (b.slot_room - 1)
        while b.slots[place].text != NOBODY:
            if (b.slots[place].hash == hashed and b.slots[place].text < self.texts
                    and b.slots[place].entry & flag == flag
                    and same_code(b, b.slots[place].text, code, length)):
                position = self.bears_now(entry_of(&b.slots[place]), code, length)
                if position != NOBODY:
                    return position
            place = (place + 1) & (b.slot_room - 1)
        return NOBODY

    def position(self, str code not None):
        """Return the position of the unit with a code in its normal spelling, or -1."""
        cdef bytes spelled = code.encode("utf-8", "surrogatepass")
        cdef const uint8_t *raw = <const uint8_t *>PyBytes_AS_STRING(spelled)
        cdef size_t length = <size_t>PyBytes_GET_SIZE(spelled)
        cdef uint32_t position = self.look_up(raw, length, hash_code(raw, length), 0)
        return -1 if position == NOBODY else position

    cdef void begin(self, str text, Bench *w) noexcept:
        """Read one list and ask for the memory where its codes are looked up."""
        cdef const Book *b = &self.register.book
        cdef size_t length = <size_t>PyUnicode_GET_LENGTH(text)
        cdef size_t i
        w.count = 0
        if b.slot_room == 0 or not PyUnicode_IS_COMPACT_ASCII(text) or length > CHARS_MAX:
            return
        if not read_list(<const uint8_t *>PyUnicode_DATA(text), length, w):
            w.count = 0
        for i in range(w.count):
            fetch_ahead(&b.slots[w.words[i].hash & (b.slot_room - 1)])

    cdef void go_on(self, const Bench *w) noexcept:
        """Ask for the memory that the slots lead to."""
        cdef const Book *b = &self.register.book
        cdef const Slot *slot
        cdef size_t i
        for i in range(w.count):
            slot = &b.slots[w.words[i].hash & (b.slot_room - 1)]
            if slot.text != NOBODY:
                fetch_ahead(b.texts + slot.text)
                fetch_ahead(&self.place[entry_of(slot)])

    cdef object end(self, Bench *w):
        """Return the audience of one list, or None when a code is unknown or no code."""
        cdef const Word *word
        cdef size_t i, count = 0
        cdef Run *runs
        for i in range(w.count):
            word = &w.words[i]
            w.positions[i] = self.look_up(w.upper + word.start, word.length, word.hash, PLAIN)
            if w.positions[i] == NOBODY:
                return None
        if w.count == 0:
            return None
        sort_positions(w.positions, w.positions + w.count, w.count)
        runs = <Run *>malloc((w.count + 1) * sizeof(Run))
        if runs == NULL:
            raise MemoryError
        for i in range(w.count):
            count = push_run(runs, count, w.positions[i], w.positions[i] + 1)
        return own(runs, count)

    def list_audiences(self, texts):
        """Return for each selector its audience if it is a plain list of known codes, else None.

        None says nothing about the selector: ask the parser.
        """
        cdef list held = list(texts), made = []
        cdef size_t longest = 0
        cdef Bench w
        cdef uint8_t *memory
        for text in held:
            if not isinstance(text, str):
                raise TypeError("a selector is text")
            if longest < <size_t>PyUnicode_GET_LENGTH(text) <= CHARS_MAX:
                longest = <size_t>PyUnicode_GET_LENGTH(text)
        memory = <uint8_t *>malloc(bench_bytes(longest))
        if memory == NULL:
            raise MemoryError
        try:
            furnish(&w, memory, longest)
            for text in held:
                self.begin(text, &w)
                self.go_on(&w)
                made.append(self.end(&w))
            return made
        finally:
            free(memory)
