# cython: language_level=3
"""What a sender makes of few rules: which of them it may meet, and their sets for it.

Most policies have some dozens of rules.  For these the index is not asked: a set of rules is
a few words of bits, and the rules a document may meet are those of its sender, its type, its
act and its urgency, in the order of the file.  A sender's bits are found when it is first
met; a set is noted when a document first asks for it, so nothing is evaluated that no
document needs.  What is remembered is bounded in bytes, belongs to one workspace (threads
share nothing that is written) and is forgotten as a whole.
"""

from libc.stdint cimport uint32_t, uint64_t
from libc.stdlib cimport calloc
from libc.string cimport memcpy, memset

from router._decide_tables cimport (
    CONSTANT, CUTS, Arena, Known, Piece, Policy, Row, Stance, StancePlace, Workspace, first_past,
    free_arena, take,
)
from router._tables cimport DONE, NO_MEMORY, Run, Status

from router.limits import POLICY_STANCES_BYTES_MAX

__all__ = []

cdef enum:
    WORDS_MAX = 4                  # 64 rules each
    TYPES_MAX = 16_384             # each has a set of rules
    PLACES_AT_LEAST = 64           # a power of two
    NEAR_BYTES = 1024              # brought near for the document after this one

cdef size_t STANCES_BYTES_MAX = POLICY_STANCES_BYTES_MAX
cdef size_t SET_BYTES_MAX = POLICY_STANCES_BYTES_MAX // 64   # longer sets are found each time


cdef extern from *:
    """
    #define VANBAN_BRING(at) __builtin_prefetch(at)
    """
    void bring "VANBAN_BRING"(const void *at) noexcept nogil


cdef inline void note(uint64_t *rules, uint32_t rule) noexcept nogil:
    rules[rule >> 6] |= <uint64_t>1 << (rule & 63)


cdef Status sort_out(Policy *p) noexcept nogil:
    """Note which rules take each type, act and urgency, if the rules are few."""
    cdef uint32_t words = (p.row_count + 63) >> 6, rule, i, t, place = 0
    cdef const Row *row
    for i in range(p.set_count):
        if p.sets[i].form != CONSTANT:
            p.sets[i].place = place
            place += 1
    if words == 0 or words > WORDS_MAX or p.bucket_count > TYPES_MAX:
        return DONE
    for rule in range(p.row_count):  # a set of senders never depends on the sender
        row = &p.rows[rule]
        if row.senders and p.sets[row.senders - 1].form != CONSTANT:
            return DONE
    p.of_type = <uint64_t *>calloc(<size_t>p.bucket_count * words, sizeof(uint64_t))
    p.of_bit = <uint64_t *>calloc(<size_t>8 * words, sizeof(uint64_t))
    p.cut_place = <uint32_t *>calloc(p.row_count, sizeof(uint32_t))
    if p.of_type == NULL or p.of_bit == NULL or p.cut_place == NULL:
        return NO_MEMORY
    for rule in range(p.row_count):
        row = &p.rows[rule]
        if row.flags & CUTS:
            p.cut_place[rule] = place
            place += 1
        if row.types:
            for i in range(p.lists[row.types]):
                note(p.of_type + <size_t>p.lists[row.types + 1 + i] * words, rule)
        else:
            for t in range(p.bucket_count):
                note(p.of_type + <size_t>t * words, rule)
        for i in range(8):
            if row.bits >> i & 1:
                note(p.of_bit + <size_t>i * words, rule)
    p.known_count = place
    p.stance_bytes = (
        sizeof(Stance) + words * sizeof(uint64_t) + <size_t>place * sizeof(Known)
    )
    p.words = words
    return DONE


cdef Status make_places(const Policy *p, Workspace *w) noexcept nogil:
    """Make room for as many senders as may be remembered."""
    cdef size_t count = PLACES_AT_LEAST
    w.stance_most = STANCES_BYTES_MAX // (p.stance_bytes + 2 * sizeof(StancePlace))
    if w.stance_most > p.tables.size:
        w.stance_most = p.tables.size
    while count < 2 * w.stance_most:
        count *= 2
    w.stances = <StancePlace *>calloc(count, sizeof(StancePlace))
    w.stance_mask = count - 1
    return NO_MEMORY if w.stances == NULL else DONE


cdef inline size_t place_of(const Workspace *w, uint32_t sender) noexcept nogil:
    """Return where a sender stands, or would."""
    cdef size_t at = (sender * <size_t>0x9E3779B1 >> 8) & w.stance_mask
    while w.stances[at].stance != NULL and w.stances[at].sender != sender:
        at = (at + 1) & w.stance_mask
    return at


cdef Stance *make_stance(const Policy *p, Workspace *w, uint32_t sender) noexcept nogil:
    """Find the rules whose senders hold; no set is known yet."""
    cdef Stance *made = <Stance *>take(&w.known, p.stance_bytes)
    cdef const Row *row
    cdef const Run *runs
    cdef uint32_t rule, count
    cdef size_t at
    if made == NULL:
        return NULL
    memset(made, 0, p.stance_bytes)
    made.rules = <uint64_t *>(made + 1)
    made.sets = <Known *>(made.rules + p.words)
    for rule in range(p.row_count):
        row = &p.rows[rule]
        if row.senders:
            runs = p.sets[row.senders - 1].runs
            count = p.sets[row.senders - 1].count
            at = first_past(runs, count, sender)
            if at == count or runs[at].start > sender:
                continue
        note(made.rules, rule)
    return made


cdef void expect(const Policy *p, const Workspace *w, uint32_t sender) noexcept nogil:
    """Have what is known of a sender brought near: its document is decided next."""
    cdef size_t at = place_of(w, sender), i
    cdef const char *stance = <const char *>w.stances[at].stance
    if stance != NULL:
        for i in range(0, p.stance_bytes if p.stance_bytes < NEAR_BYTES else NEAR_BYTES, 64):
            bring(stance + i)


cdef Stance *stance_of(const Policy *p, Workspace *w, uint32_t sender) noexcept nogil:
    """Return what the sender at a position makes of the rules; NULL: no memory."""
    cdef size_t at
    if w.stances == NULL and make_places(p, w) != DONE:
        return NULL
    if w.stance_bytes >= STANCES_BYTES_MAX:  # also known senders learn more
        forget_stances(w)
    at = place_of(w, sender)
    if w.stances[at].stance != NULL:
        return w.stances[at].stance
    if w.stance_count >= w.stance_most:
        forget_stances(w)
        at = place_of(w, sender)
    w.stances[at].stance = make_stance(p, w, sender)
    w.stances[at].sender = sender
    if w.stances[at].stance != NULL:
        w.stance_count += 1
        w.stance_bytes += p.stance_bytes
    return w.stances[at].stance


cdef Status learn(Workspace *w, Known *known, const Piece *piece, bint lasts) noexcept nogil:
    """Note a set for a sender, if there is room; `lasts`: its runs stay where they lie."""
    cdef Run *runs = known.small
    cdef size_t size = piece.count * sizeof(Run)
    if lasts and piece.count > 2:
        known.runs = piece.runs
        known.count = piece.count
        return DONE
    if piece.count > 2:
        if size > SET_BYTES_MAX or w.stance_bytes >= STANCES_BYTES_MAX:
            return DONE
        runs = <Run *>take(&w.known, size)
        if runs == NULL:
            return NO_MEMORY
        w.stance_bytes += size
    if size:
        memcpy(runs, piece.runs, size)
    known.runs = runs
    known.count = piece.count
    return DONE


cdef void forget_stances(Workspace *w) noexcept nogil:
    """Forget all senders: more are met than may be remembered, or their sets go."""
    if w.stances != NULL:
        memset(w.stances, 0, (w.stance_mask + 1) * sizeof(StancePlace))
    w.stance_count = 0
    w.stance_bytes = 0
    free_arena(&w.known)  # not taken back: blocks of other sizes would be passed over, and kept
    memset(&w.known, 0, sizeof(Arena))
