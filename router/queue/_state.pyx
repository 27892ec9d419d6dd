# cython: language_level=3
"""The state: what took place since the last checkpoint, laid over what it wrote.

Three layers, the upper hiding the lower: the overlay that takes changes, the overlay that a
checkpoint is writing, the base.  Every reading merges them, so every reading sees every
answered write.  A layer that fails sets `failed`; what was read since counts for nothing,
and the store refuses everything until it is opened anew.  All calls come under the store's
lock, between `begin` and `end`.
"""

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free, realloc
from libc.string cimport memcmp, memcpy, memset

from router.queue._base cimport Base
from router.queue._bytes cimport ABSENT, FAILED, FOUND, Slice, load32, load64, store32, store64
from router.queue._filter cimport Filter
from router.queue._layout cimport DUE, ENT_BYTES, ENTRIES, IDS, KEYS, META, PENDING
from router.queue._overlay cimport Overlay
from router.queue._pending cimport Pending
from router.queue._warm cimport Warm, digest_of

from router.limits import KEY_FILTER_BYTES_MAX
from router.queue.tables import ORDERED

__all__ = ["State"]


cdef class State:
    """The layers of one store; see the module's words."""

    def __cinit__(self, Base base not None):
        self.one = Overlay(ORDERED)
        self.two = Overlay(ORDERED)
        self.base = base
        self.names = Filter()
        self.keys = Filter(KEY_FILTER_BYTES_MAX)
        self.pending = Pending()
        self.warm = Warm()
        self.second = False
        self.freezing = False
        self.failed = False
        self.scratch = NULL
        self.scratch_size = 0
        self.joint = NULL
        self.joint_size = 0
        self.due_hour = 0xFFFFFFFF
        memset(self.years, 0, sizeof(self.years))
        memset(self.last_key, 0, 16)

    def __reduce__(self):
        raise TypeError("a state is not pickled")

    def __dealloc__(self):
        free(self.scratch)
        free(self.joint)

    cdef void begin(self) noexcept nogil:
        """Begin a reading of the base."""
        self.begun = self.base.begin() != FAILED
        if not self.begun:
            self.failed = True

    cdef void end(self) noexcept nogil:
        """End it: slices of the base are no longer valid."""
        if self.begun:  # after a beginning that failed there is nothing to end
            self.base.end()
        self.begun = False

    cdef int get(self, int table, const uint8_t *key, size_t size, Slice *value) noexcept nogil:
        """Give the value of a key: FOUND or ABSENT; valid until the next change of it."""
        cdef int found = self.above(table, key, size, value)
        if found == ABSENT:
            found = self.below(table, key, size, value)
        if found == FAILED:
            self.failed = True
        return FOUND if found == FOUND else ABSENT

    cdef int below(self, int table, const uint8_t *key, size_t size, Slice *value) noexcept nogil:
        """Give the value that a key had at the last checkpoint: FOUND, ABSENT or FAILED."""
        if not self.begun:
            return FAILED
        if table == ENTRIES and size == 16:
            value.data = self.warm.entry(key)
            value.size = ENT_BYTES
            if value.data != NULL:
                return FOUND
        return self.base.get(table, key, size, value)

    cdef void fetch(
        self, int table, const uint8_t *key, size_t size, bint deep
    ) noexcept nogil:
        """Have what is changed next, under a key or a prefix, read from memory meanwhile."""
        if self.second:
            self.two.fetch(table, key, size, deep)
        else:
            self.one.fetch(table, key, size, deep)

    cdef bint new_key(self, const uint8_t *key) noexcept nogil:
        """Say whether a document's key of 16 bytes stands for none yet.

        A key begins with its milliseconds: nearly all are above those of the last start, and
        of keys since then the filter knows.
        """
        cdef uint8_t[16] name
        cdef Slice value
        if memcmp(key, self.last_key, 16) > 0:
            digest_of(key, name)
            if not self.keys.may_hold(name):
                return True
        return self.get(KEYS, key, 16, &value) != FOUND

    cdef void note_key(self, const uint8_t *key) noexcept nogil:
        """Remember that a key stands for a document."""
        cdef uint8_t[16] name
        digest_of(key, name)
        self.keys.add(name)

    cdef int recall_keys(self) noexcept nogil:
        """Learn from the base, at a start, which key is the highest."""
        cdef uint8_t[16] most
        cdef Slice key, value
        cdef int found
        cdef void *cursor = self.base.cursor(KEYS)
        if cursor == NULL:
            return FAILED
        memset(most, 0xFF, 16)
        found = self.base.below(cursor, most, 16, &key, &value)
        if found == FOUND and key.size == 16:
            memcpy(self.last_key, key.data, 16)
        elif found == FOUND:  # no key of ours: who knows what stands below; all are looked up
            memset(self.last_key, 0xFF, 16)
        self.base.done(cursor)
        return FAILED if found == FAILED else FOUND

    cdef int above(self, int table, const uint8_t *key, size_t size, Slice *value) noexcept nogil:
        """Give the value of a key changed since the last checkpoint: FOUND, GONE or ABSENT."""
        cdef int found = (
            self.two.find(table, key, size, value) if self.second
            else self.one.find(table, key, size, value)
        )
        if found == ABSENT and self.freezing:
            found = (
                self.one.find(table, key, size, value) if self.second
                else self.two.find(table, key, size, value)
            )
        return found

    cdef uint8_t *own(
        self, int table, const uint8_t *key, size_t size, size_t *held
    ) noexcept nogil:
        """Give a value to be changed in place, copied up first; NULL when there is none."""
        cdef Slice value
        cdef int found
        value.size = 0
        found = (
            self.two.find(table, key, size, &value) if self.second
            else self.one.find(table, key, size, &value)
        )
        held[0] = value.size
        if found == FOUND:
            if table == ENTRIES:
                self.warm.forget_entry(key)
            return <uint8_t *>value.data if value.size else NULL  # the overlay's own bytes
        if found == ABSENT and self.freezing:
            found = (
                self.one.find(table, key, size, &value) if self.second
                else self.two.find(table, key, size, &value)
            )
        if found == ABSENT:
            found = self.below(table, key, size, &value)
        if found == FAILED:
            self.failed = True
        if found != FOUND or value.size == 0:
            return NULL
        held[0] = value.size
        return self.place(table, key, size, value.data, value.size)

    cdef void put(
        self, int table, const uint8_t *key, size_t size, const uint8_t *value, size_t held
    ) noexcept nogil:
        """Store a value under a key."""
        if table == ENTRIES:
            self.warm.forget_entry(key)
        cdef int done = (
            self.two.put(table, key, size, value, held) if self.second
            else self.one.put(table, key, size, value, held)
        )
        if done == FAILED:
            self.failed = True

    cdef void put_new(
        self, int table, const uint8_t *key, size_t size, const uint8_t *value, size_t held
    ) noexcept nogil:
        """Store a value under a key that has none in any layer, not even a removed one below:
        removed before the next checkpoint, it costs that nothing."""
        cdef int done = (
            self.two.put_new(table, key, size, value, held) if self.second
            else self.one.put_new(table, key, size, value, held)
        )
        if done == FAILED:
            self.failed = True

    cdef uint8_t *place(
        self, int table, const uint8_t *key, size_t size, const uint8_t *value, size_t held
    ) noexcept nogil:
        """Store a value, not an empty one, and give it to be changed in place; NULL: failed."""
        cdef uint8_t *own = (  # first: the value may be what is forgotten
            self.two.place(table, key, size, value, held) if self.second
            else self.one.place(table, key, size, value, held)
        )
        if table == ENTRIES:
            self.warm.forget_entry(key)
        if own == NULL:
            self.failed = True
        return own

    cdef void put_joined(
        self, int table, const uint8_t *key, size_t size, const uint8_t *first, size_t first_size,
        const uint8_t *rest, size_t rest_size
    ) noexcept nogil:
        """Store a value that comes in two pieces."""
        cdef uint8_t *whole = self.grown(&self.joint, &self.joint_size, first_size + rest_size)
        if whole == NULL:
            return
        memcpy(whole, first, first_size)
        memcpy(whole + first_size, rest, rest_size)
        self.put(table, key, size, whole, first_size + rest_size)

    cdef uint8_t *room(self, size_t size) noexcept nogil:
        """Give so many bytes to write in, until the next call; NULL: no memory."""
        return self.grown(&self.scratch, &self.scratch_size, size)

    cdef uint8_t *grown(self, uint8_t **held, size_t *room, size_t size) noexcept nogil:
        """Let a piece of memory have so many bytes; NULL: no memory."""
        cdef uint8_t *more
        if size > room[0]:
            more = <uint8_t *>realloc(held[0], size + size // 2 + 64)
            if more == NULL:
                self.failed = True
                return NULL
            held[0] = more
            room[0] = size + size // 2 + 64
        return held[0]

    cdef bint any_names(self, int table, uint32_t year) noexcept nogil:
        """Say whether IDS, IDEMPOTENCY or NUMBERS may hold a name of that year."""
        return (self.years[table - IDS][(year & 0xFFFF) >> 3] >> (year & 7)) & 1

    cdef void note_names(self, int table, uint32_t year) noexcept nogil:
        """Remember that a table holds names of a year, also after a start."""
        cdef uint8_t[4] key
        cdef uint8_t none = 0
        if self.any_names(table, year):
            return
        self.years[table - IDS][(year & 0xFFFF) >> 3] |= <uint8_t>(1 << (year & 7))
        key[0], key[1], key[2], key[3] = 121, <uint8_t>table, <uint8_t>(year >> 8), <uint8_t>year
        self.put(META, key, 4, &none, 0)

    cdef void note_due(self, uint32_t hour) noexcept nogil:
        """Remember the first hour that may have work due."""
        if hour < self.due_hour:
            self.due_hour = hour

    cdef int recall_names(self) noexcept nogil:
        """Fill the filter of names from the base, at a start."""
        cdef Slice name, value
        cdef int table, found
        cdef void *cursor
        for table in range(IDS, IDS + 3):
            cursor = self.base.cursor(table)
            if cursor == NULL:
                return FAILED
            found = self.base.seek(cursor, NULL, 0, &name, &value)
            while found == FOUND and self.names.complete:
                if name.size == 18:
                    self.names.add(name.data + 2)
                found = self.base.next(cursor, &name, &value)
            self.base.done(cursor)
            if found == FAILED:
                return FAILED
        return FOUND

    cdef int recall(self) noexcept nogil:
        """Learn from the base, at a start, what is kept in memory: years with names, due work."""
        cdef uint8_t[4] key
        cdef Slice value, name
        cdef int table
        cdef uint32_t year
        cdef void *cursor
        for table in range(IDS, IDS + 3):
            for year in range(1970, 3000):
                key[0], key[1], key[2], key[3] = (
                    121, <uint8_t>table, <uint8_t>(year >> 8), <uint8_t>year
                )
                if self.base.get(META, key, 4, &value) == FOUND:
                    self.years[table - IDS][year >> 3] |= <uint8_t>(1 << (year & 7))
        key[0] = key[1] = key[2] = key[3] = 0
        cursor = self.base.cursor(DUE)
        if cursor == NULL:
            return FAILED
        if self.base.seek(cursor, key, 4, &name, &value) == FOUND and name.size == 12:
            self.note_due(load32(name.data))
        self.base.done(cursor)
        if self.recall_keys() == FAILED:
            return FAILED
        return self.recall_pending()

    cdef int recall_pending(self) noexcept nogil:
        """Learn from the base how much is open of what was written by name."""
        cdef Slice name, value
        cdef int found
        cdef void *cursor = self.base.cursor(PENDING)
        if cursor == NULL:
            return FAILED
        found = self.base.seek(cursor, NULL, 0, &name, &value)
        while found == FOUND:
            if name.size == 4 and value.size == 4:
                if self.pending.set(load32(name.data), load32(value.data)) == FAILED:
                    found = FAILED
                    break
            found = self.base.next(cursor, &name, &value)
        self.base.done(cursor)
        return FAILED if found == FAILED else FOUND

    cdef void keep_pending(self) noexcept nogil:
        """Put what changed of it into the state."""
        cdef size_t at = 0
        cdef uint32_t address, count
        cdef uint8_t[4] key
        cdef uint8_t[4] value
        while self.pending.next_changed(&at, &address, &count):
            store32(key, address)
            store32(value, count)
            if count:
                self.put(PENDING, key, 4, value, 4)
            else:
                self.remove(PENDING, key, 4)

    cdef void remove(self, int table, const uint8_t *key, size_t size) noexcept nogil:
        """Remove a key; it need not be there."""
        if table == ENTRIES:
            self.warm.forget_entry(key)
        cdef int done = (
            self.two.remove(table, key, size) if self.second
            else self.one.remove(table, key, size)
        )
        if done == FAILED:
            self.failed = True

    cdef void open(
        self, Stream *stream, int table, const uint8_t *prefix, size_t size, uint64_t start
    ) noexcept nogil:
        """Begin at the first live item of a prefix whose suffix is `start` or more."""
        cdef uint8_t[64] key
        stream.table = table
        stream.size = size
        memcpy(stream.prefix, prefix, size)
        memcpy(key, prefix, size)
        store64(key + size, start)
        if self.second:
            stream.upper_left = self.two.seek(table, prefix, size, start, &stream.upper) == FOUND
            stream.lower_left = (
                self.freezing and self.one.seek(table, prefix, size, start, &stream.lower) == FOUND
            )
        else:
            stream.upper_left = self.one.seek(table, prefix, size, start, &stream.upper) == FOUND
            stream.lower_left = (
                self.freezing and self.two.seek(table, prefix, size, start, &stream.lower) == FOUND
            )
        stream.cursor = self.base.cursor(table) if self.begun else NULL
        stream.base_left = False
        if stream.cursor == NULL:
            self.failed = True
        else:
            self.take_base(stream, key)
        self.choose(stream)

    cdef void take_base(self, Stream *stream, const uint8_t *start) noexcept nogil:
        """Move the base's cursor: to a key, or (NULL) to the next one."""
        cdef Slice key
        cdef int found
        if start != NULL:
            found = self.base.seek(
                stream.cursor, start, stream.size + 8, &key, &stream.base_value
            )
        else:
            found = self.base.next(stream.cursor, &key, &stream.base_value)
        if found == FAILED:
            self.failed = True
        stream.base_left = (
            found == FOUND
            and key.size == stream.size + 8
            and memcmp(key.data, stream.prefix, stream.size) == 0
        )
        if stream.base_left:
            stream.base_suffix = load64(key.data + stream.size)

    cdef void step_upper(self, Stream *stream) noexcept nogil:
        if self.second:
            stream.upper_left = self.two.step(&stream.upper) == FOUND
        else:
            stream.upper_left = self.one.step(&stream.upper) == FOUND

    cdef void step_lower(self, Stream *stream) noexcept nogil:
        if self.second:
            stream.lower_left = self.one.step(&stream.lower) == FOUND
        else:
            stream.lower_left = self.two.step(&stream.lower) == FOUND

    cdef void choose(self, Stream *stream) noexcept nogil:
        """Settle on the next live item: the upper layers hide the lower ones."""
        cdef uint64_t least
        cdef bint gone
        while stream.upper_left or stream.lower_left or stream.base_left:
            least = <uint64_t>-1
            if stream.upper_left:
                least = stream.upper.suffix
            if stream.lower_left and stream.lower.suffix < least:
                least = stream.lower.suffix
            if stream.base_left and stream.base_suffix < least:
                least = stream.base_suffix
            stream.suffix = least
            if stream.upper_left and stream.upper.suffix == least:
                gone = stream.upper.gone
                stream.value = stream.upper.value
            elif stream.lower_left and stream.lower.suffix == least:
                gone = stream.lower.gone
                stream.value = stream.lower.value
            else:
                stream.left = True
                stream.value = stream.base_value
                return
            if not gone:
                stream.left = True
                return
            self.pass_by(stream)
        stream.left = False

    cdef void pass_by(self, Stream *stream) noexcept nogil:
        """Step all layers over the present suffix."""
        cdef uint64_t present = stream.suffix
        if stream.upper_left and stream.upper.suffix == present:
            self.step_upper(stream)
        if stream.lower_left and stream.lower.suffix == present:
            self.step_lower(stream)
        if stream.base_left and stream.base_suffix == present:
            self.take_base(stream, NULL)

    cdef void advance(self, Stream *stream) noexcept nogil:
        """Go on to the next live item; `left` says whether there is one."""
        self.pass_by(stream)
        self.choose(stream)

    cdef void close(self, Stream *stream) noexcept nogil:
        """Give the stream's cursor back."""
        if stream.cursor != NULL:
            self.base.done(stream.cursor)
            stream.cursor = NULL

    cdef size_t bytes(self) noexcept nogil:
        """Return the memory that both overlays hold."""
        return self.one.bytes + self.two.bytes

    cdef int freeze(self) noexcept nogil:
        """Let a checkpoint begin: changes go to the other overlay from now on."""
        if self.freezing:
            return FAILED
        self.freezing = True
        self.second = not self.second
        return FOUND

    cdef int write_frozen(self) noexcept nogil:
        """Write the frozen overlay into the base; the one call made without the lock."""
        if self.second:
            if self.one.sort() == FAILED:
                return FAILED
            return self.base.write(self.one)
        if self.two.sort() == FAILED:
            return FAILED
        return self.base.write(self.two)

    cdef void thaw(self) noexcept nogil:
        """The base has what was frozen: forget it."""
        self.freezing = False
        if self.second:
            self.one.reset()
        else:
            self.two.reset()
