# cython: language_level=3
"""The state's tables as the newest answered write left them, for compiled siblings."""

from libc.stdint cimport uint8_t, uint32_t, uint64_t

from router.queue._base cimport Base
from router.queue._bytes cimport Slice
from router.queue._filter cimport Filter
from router.queue._overlay cimport Overlay, Place
from router.queue._pending cimport Pending
from router.queue._warm cimport Warm


ctypedef struct Stream:  # the live items of one prefix in ascending order of their suffix
    int table
    uint8_t[64] prefix
    size_t size
    void *cursor      # in the base, or NULL
    bint base_left
    bint upper_left   # in the overlay that takes changes
    bint lower_left   # in the one that a checkpoint is writing
    uint64_t base_suffix
    Slice base_value
    Place upper
    Place lower
    bint left         # whether `suffix` and `value` are those of an item
    uint64_t suffix
    Slice value


cdef class State:
    cdef Overlay one
    cdef Overlay two
    cdef Base base
    cdef bint second   # `two` takes the changes, not `one`
    cdef bint freezing  # the other one is on its way into the base
    cdef uint8_t[3][8192] years  # one bit a calendar year: IDS, IDEMPOTENCY, NUMBERS have any
    cdef uint32_t due_hour       # no work is due in an hour before
    cdef uint8_t *scratch
    cdef size_t scratch_size
    cdef uint8_t *joint       # for values in two pieces; the second may lie in `scratch`
    cdef size_t joint_size
    cdef Filter names   # of IDS, IDEMPOTENCY, NUMBERS, without their years
    cdef Filter keys    # of documents, since the start
    cdef uint8_t[16] last_key  # the highest one at the start
    cdef Warm warm
    cdef Pending pending  # written to one address by name and open
    cdef bint begun    # a reading of the base is under way
    cdef bint failed   # a reading or a change failed: nothing since may be believed

    cdef void begin(self) noexcept nogil
    cdef void end(self) noexcept nogil
    cdef int get(self, int table, const uint8_t *key, size_t size, Slice *value) noexcept nogil
    cdef uint8_t *own(self, int table, const uint8_t *key, size_t size, size_t *held) noexcept nogil
    cdef void put(
        self, int table, const uint8_t *key, size_t size, const uint8_t *value, size_t held
    ) noexcept nogil
    cdef void put_new(
        self, int table, const uint8_t *key, size_t size, const uint8_t *value, size_t held
    ) noexcept nogil
    cdef uint8_t *place(
        self, int table, const uint8_t *key, size_t size, const uint8_t *value, size_t held
    ) noexcept nogil
    cdef void put_joined(
        self, int table, const uint8_t *key, size_t size, const uint8_t *first, size_t first_size,
        const uint8_t *rest, size_t rest_size
    ) noexcept nogil
    cdef uint8_t *room(self, size_t size) noexcept nogil
    cdef uint8_t *grown(self, uint8_t **held, size_t *room, size_t size) noexcept nogil
    cdef bint any_names(self, int table, uint32_t year) noexcept nogil
    cdef void note_names(self, int table, uint32_t year) noexcept nogil
    cdef void note_due(self, uint32_t hour) noexcept nogil
    cdef int below(self, int table, const uint8_t *key, size_t size, Slice *value) noexcept nogil
    cdef void fetch(
        self, int table, const uint8_t *key, size_t size, bint deep
    ) noexcept nogil
    cdef bint new_key(self, const uint8_t *key) noexcept nogil
    cdef void note_key(self, const uint8_t *key) noexcept nogil
    cdef int recall_keys(self) noexcept nogil
    cdef int above(self, int table, const uint8_t *key, size_t size, Slice *value) noexcept nogil
    cdef int recall_names(self) noexcept nogil
    cdef int recall(self) noexcept nogil
    cdef int recall_pending(self) noexcept nogil
    cdef void keep_pending(self) noexcept nogil
    cdef void remove(self, int table, const uint8_t *key, size_t size) noexcept nogil
    cdef void open(
        self, Stream *stream, int table, const uint8_t *prefix, size_t size, uint64_t start
    ) noexcept nogil
    cdef void advance(self, Stream *stream) noexcept nogil
    cdef void close(self, Stream *stream) noexcept nogil
    cdef size_t bytes(self) noexcept nogil
    cdef void take_base(self, Stream *stream, const uint8_t *start) noexcept nogil
    cdef void step_upper(self, Stream *stream) noexcept nogil
    cdef void step_lower(self, Stream *stream) noexcept nogil
    cdef void choose(self, Stream *stream) noexcept nogil
    cdef void pass_by(self, Stream *stream) noexcept nogil
    cdef int freeze(self) noexcept nogil
    cdef int write_frozen(self) noexcept nogil
    cdef void thaw(self) noexcept nogil
