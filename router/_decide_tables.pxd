# cython: language_level=3
"""A policy's rules as rows and sets, the postings that find them, and memory to decide in.

The contract of `_decide_tables.pyx`.  Nothing here touches a Python object; callers check
every argument and turn a status into an exception.
"""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from router._tables cimport NOBODY, Run, Status, Tables


cdef enum Effects:  # flags of a row: what a rule does, and which checks it needs
    ALLOWS = 1
    FORBIDS_RECIPIENTS = 2
    FORBIDS_DOCUMENT = 4
    HOLDS = 8
    ADDS = 16
    REQUIRES = 32
    QUARANTINES = 64
    ADMITS_UNSIGNED = 128
    IS_SETTING = 256       # is told among the deciding rules whenever it matches
    IS_FLOOR = 512         # an instant without data is left out instead of told
    CUTS = 1024            # asks directions or tiers crossed
    ASKS_NUMBERS = 2048    # size, attachments, signatures
    ASKS_LISTS = 4096      # marks, media types
    ASKS_AUDIENCE = 8192
    ASKS_DAYS = 16384
    ASKS_WORKING = 32768
    ASKS_OUTSIDE = 65536


cdef struct Row:  # one rule; set ids, terms, approvals and lists count from 1, 0: not asked
    uint64_t size_min
    uint64_t size_max
    int32_t since            # days since year 1, both inclusive
    int32_t until
    uint32_t flags
    uint32_t bits            # allowed values: act 4 | urgency 4
    uint32_t senders
    uint32_t recipients
    uint32_t includes
    uint32_t lacks
    uint32_t signed_by
    uint32_t by
    uint32_t add
    uint32_t types           # lists of symbols
    uint32_t marks
    uint32_t without
    uint32_t media
    uint32_t audience_min
    uint32_t audience_max
    uint32_t attachments_min
    uint32_t attachments_max
    uint32_t signatures_min
    uint32_t signatures_max
    uint32_t required
    uint32_t approval
    uint32_t deadline        # terms
    uint32_t send_by
    uint16_t retention
    uint16_t crossed_min
    uint16_t crossed_max
    uint8_t lane             # 255: not asked
    uint8_t directions       # 1 up | 2 down | 4 across


cdef enum Form:  # how a set depends on the sender
    CONSTANT = 0
    IS_SENDER = 1
    IS_PARENT = 2
    ARE_CHILDREN = 3
    ARE_DESCENDANTS = 4
    OTHERWISE = 5  # evaluated outside, remembered in the workspace


cdef struct Members:
    const Run *runs
    uint32_t count
    uint32_t size
    uint32_t place           # among the sets that depend on the sender
    uint8_t form


cdef enum:
    FEW = 64                 # units that are bits of one word


cdef struct Units:  # positions of few units in order, then positions beyond all
    int32_t[FEW + 4] at
    uint32_t count


cdef struct Piece:  # a set that lives elsewhere
    const Run *runs
    size_t count


cdef struct Posting:  # a run under which a rule is found; `most`: how far its half reaches
    uint32_t start
    uint32_t stop
    uint32_t most
    uint32_t rule


cdef struct Bucket:  # places in the postings: those by sender, by recipient, and the rest
    uint32_t senders
    uint32_t recipients
    uint32_t general
    uint32_t end


cdef struct Policy:
    const Tables *tables
    Row *rows
    uint32_t row_count
    Members *sets
    uint32_t set_count
    uint32_t *lists
    uint32_t list_size
    Posting *postings
    uint32_t posting_count
    Bucket *buckets          # by the type's symbol; 0: whatever the type
    uint32_t bucket_count
    Run *ranks               # the positions of each tier that has any unit, in order
    uint32_t rank_count
    uint8_t[256] rank_of     # by tier
    uint32_t words           # of a set of rules, one bit each; 0: too many for such sets
    uint64_t *of_type        # by the type's symbol: the rules that take it
    uint64_t *of_bit         # by act and urgency, likewise
    uint32_t known_count     # sets that depend on the sender: those of `sets`, then targets
    uint32_t *cut_place      # by rule: its target's place, if directions or tiers cut it
    size_t stance_bytes      # of what one sender makes of the rules, but for long sets
    bint closed              # what no rule allows is forbidden
    bint asks_sender
    bint adds


cdef struct Block:
    Block *next
    size_t size
    size_t used


cdef struct Arena:  # memory that never moves and is taken back all at once
    Block *first
    Block *now


cdef struct Slot:  # what a set is for one sender
    uint64_t key             # set id << 32 | position of the sender; 0: empty
    const Run *runs
    size_t count


cdef struct Hit:  # a rule whose conditions hold, and its recipients
    uint32_t rule
    uint8_t matches
    uint8_t unknown          # but for working hours of a year without data
    uint8_t noted            # it decided something
    uint64_t here            # its recipients among few addressed, one bit each
    Piece target


cdef struct Known:  # a set for one sender
    const Run *runs          # NULL: not asked for yet
    size_t count
    Run[2] small             # where most sets lie: beside what points to them


cdef struct Stance:  # what a sender makes of few rules; the rest is found by the index
    uint64_t *rules          # whose senders hold
    Known *sets              # by place


cdef struct StancePlace:
    uint32_t sender          # a position
    Stance *stance           # NULL: free


cdef struct Workspace:
    Arena scratch            # of one document
    Arena kept               # of one call
    Arena known              # of stances
    StancePlace *stances
    size_t stance_mask
    size_t stance_count
    size_t stance_most
    size_t stance_bytes
    uint32_t *stamps         # by rule: the number of the last document that met it
    uint32_t stamp
    uint32_t *found          # rules to look at
    size_t found_count
    Hit *hits
    size_t hit_count
    size_t hit_capacity
    uint64_t *gathered       # runs to be united, start << 32 | stop
    size_t gathered_count
    size_t gathered_capacity
    uint64_t *words          # one bit a position, all 0 between uses
    Slot *slots
    size_t slot_mask
    size_t slot_count
    uint64_t *wanted         # keys of slots that a document asked for in vain
    size_t wanted_count
    size_t wanted_capacity
    Units few                # those addressed by the document at hand, if few
    Run own                  # the sender of the document at hand
    Run above                # its parent


cdef extern from *:
    """
    #define VANBAN_TRAILING_ZEROS(x) ((unsigned)__builtin_ctzll(x))
    """
    uint32_t trailing_zeros "VANBAN_TRAILING_ZEROS"(uint64_t x) noexcept nogil


cdef void free_policy(Policy *p) noexcept nogil
cdef size_t policy_bytes(const Policy *p) noexcept nogil

cdef Status make_workspace(const Policy *p, Workspace *w) noexcept nogil
cdef void free_workspace(Workspace *w) noexcept nogil
cdef void free_arena(Arena *arena) noexcept nogil
cdef void *take(Arena *arena, size_t size) noexcept nogil
cdef void take_back(Arena *arena) noexcept nogil
cdef Status grow(void **data, size_t *capacity, size_t count, size_t each) noexcept nogil
cdef Slot *find_slot(const Workspace *w, uint64_t key) noexcept nogil
cdef Status fill_slot(Workspace *w, uint64_t key, const Run *runs, size_t count) noexcept nogil
cdef Status want(Workspace *w, uint64_t key) noexcept nogil
cdef void forget_slots(Workspace *w) noexcept nogil

cdef void sort_keys(uint64_t *keys, size_t count) noexcept nogil
cdef Status gather(Workspace *w, const Piece *piece) noexcept nogil
cdef Status united(const Policy *p, Workspace *w, Piece *out) noexcept nogil
cdef Status both(Workspace *w, const Piece *a, const Piece *b, Piece *out) noexcept nogil
cdef Status without(Workspace *w, const Piece *a, const Piece *b, Piece *out) noexcept nogil
cdef Status either(Workspace *w, const Piece *a, const Piece *b, Piece *out) noexcept nogil


cdef inline size_t first_past(const Run *runs, size_t count, uint32_t position) noexcept nogil:
    """Return the place of the first run that ends past a position, without a branch a step."""
    cdef size_t base = 0, left = count, half
    if count == 0:
        return 0
    while left > 1:
        half = left >> 1
        base += half & (<size_t>0 - <size_t>(runs[base + half - 1].stop <= position))
        left -= half
    return base + <size_t>(runs[base].stop <= position)


cdef inline bint holds_one(const Piece *piece, uint32_t position) noexcept nogil:
    """Say whether a position is in a set."""
    cdef size_t at = first_past(piece.runs, piece.count, position)
    return at < piece.count and piece.runs[at].start <= position


cdef inline bint meets(const Run *a, size_t a_count, const Run *b, size_t b_count) noexcept nogil:
    """Say whether two sets have a member in common."""
    cdef size_t i, at
    cdef const Run *swapped
    if a_count > b_count:
        swapped = a
        a = b
        b = swapped
        at = a_count
        a_count = b_count
        b_count = at
    for i in range(a_count):
        at = first_past(b, b_count, a[i].start)
        if at == b_count:
            return False  # all the rest of a is past b, too
        if b[at].start < a[i].stop:
            return True
    return False


cdef inline bint pieces_meet(const Piece *a, const Piece *b) noexcept nogil:
    return meets(a.runs, a.count, b.runs, b.count)
