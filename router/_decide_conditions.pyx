# cython: language_level=3
"""The conditions of the rules that were found: which of them apply to one document.

A set that depends on the sender and is not remembered yet is noted as wanted and the
document left pending: its answer means nothing until it is asked again.
"""

from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.string cimport memcpy

from router._decide_few cimport among, everyone, name_units
from router._decide_index cimport find_more, find_rules
from router._decide_stances cimport learn, stance_of
from router._decide_tables cimport (
    ARE_CHILDREN, ARE_DESCENDANTS, ASKS_AUDIENCE, ASKS_DAYS, ASKS_LISTS, ASKS_NUMBERS,
    ASKS_OUTSIDE, ASKS_WORKING, CONSTANT, CUTS, FEW, FORBIDS_RECIPIENTS, HOLDS, IS_PARENT,
    IS_SENDER,
    Hit, Known, Members, Piece, Row, Slot, Workspace, both, find_slot, grow, holds_one,
    pieces_meet, sort_keys, take, trailing_zeros, want,
)
from router._tables cimport DONE, NOBODY, Run, push_run


# Sets.

cdef bint set_of(Case *c, uint32_t number, Piece *out) noexcept nogil:
    """Return the set of a rule for this sender; False when it must be evaluated first."""
    cdef const Members *one = &c.p.sets[number - 1]
    cdef Known *known
    out.runs = one.runs
    out.count = one.count
    if one.form == CONSTANT:
        return True
    out.count = 0
    if c.d.sender == NOBODY:
        return True
    if c.stance == NULL:
        return find_set(c, one, number, out)
    known = &c.stance.sets[one.place]
    if known.runs == NULL:
        if not find_set(c, one, number, out):
            return False
        if learn(c.w, known, out, True) != DONE:
            c.failed = True
            return False
    out.runs = known.runs
    out.count = known.count
    return True


cdef bint find_set(Case *c, const Members *one, uint32_t number, Piece *out) noexcept nogil:
    """Find a set that depends on the sender, in the tables or among those evaluated."""
    cdef uint32_t sender = c.d.sender
    cdef uint64_t key
    cdef Slot *slot
    if one.form == IS_SENDER:
        out.runs = &c.w.own
        out.count = 1
    elif one.form == IS_PARENT:
        out.runs = &c.w.above
        out.count = c.w.above.start != NOBODY
    elif one.form == ARE_CHILDREN:
        out.runs = c.p.tables.children_runs + c.p.tables.children_first[sender]
        out.count = (
            c.p.tables.children_first[sender + 1] - c.p.tables.children_first[sender]
        )
    elif one.form == ARE_DESCENDANTS:
        out.runs = c.p.tables.below_runs + c.p.tables.below_first[sender]
        out.count = c.p.tables.below_first[sender + 1] - c.p.tables.below_first[sender]
    else:
        key = (<uint64_t>number << 32) | sender
        slot = find_slot(c.w, key)
        if slot == NULL:
            c.out.pending = True
            if want(c.w, key) != DONE:
                c.failed = True
            return False
        out.runs = slot.runs
        out.count = slot.count
    return True


cdef size_t tiers_of(Case *c, const Row *row, Run *out) noexcept nogil:
    """Write the at most two runs of positions in a rule's directions and tiers crossed."""
    cdef int64_t mine = c.p.rank_of[c.p.tables.tier[c.d.sender]]
    cdef int64_t last = <int64_t>c.p.rank_count - 1
    cdef int64_t least = row.crossed_min if row.crossed_min else 1
    cdef int64_t most = row.crossed_max, rank
    cdef size_t count = 0
    if row.directions & 1:
        for rank in range(max(mine - most, <int64_t>0), mine - least + 1):
            count = push_run(out, count, c.p.ranks[rank].start, c.p.ranks[rank].stop)
    if row.directions & 4 and row.crossed_min == 0:
        count = push_run(out, count, c.p.ranks[mine].start, c.p.ranks[mine].stop)
    if row.directions & 2:
        for rank in range(mine + least, min(mine + most, last) + 1):
            count = push_run(out, count, c.p.ranks[rank].start, c.p.ranks[rank].stop)
    return count


cdef bint target_of(Case *c, const Row *row, Piece *out) noexcept nogil:
    """Return the recipients that a rule speaks of; False when that is not known yet."""
    cdef Run[4] tiers
    cdef Piece cut
    if row.recipients:
        if not set_of(c, row.recipients, out):
            return False
    else:
        out.runs = &c.p.tables.everything
        out.count = c.p.tables.size != 0
    if not row.flags & CUTS or out.count == 0:
        return True
    cut.runs = tiers
    cut.count = 0 if c.d.sender == NOBODY else tiers_of(c, row, tiers)
    if both(c.w, out, &cut, out) != DONE:
        c.failed = True
    return True


# Conditions.

cdef uint32_t signed_by(const Asked *d, const Piece *units) noexcept nogil:
    """Count the signatures of which one unit at least is of a set."""
    cdef const uint32_t *at = d.pool + d.signers
    cdef uint32_t _i, unit, count = 0
    for _i in range(d.signatures):
        for unit in range(at[0]):
            if holds_one(units, at[unit + 1]):
                count += 1
                break
        at += at[0] + 1
    return count


cdef bint share(const uint32_t *a, const uint32_t *b) noexcept nogil:
    """Say whether two lists of symbols, each with its length first, have one in common."""
    cdef uint32_t i, j
    for i in range(1, a[0] + 1):
        for j in range(1, b[0] + 1):
            if a[i] == b[j]:
                return True
    return False


cdef bint is_such(Case *c, const Row *row) noexcept nogil:
    """Judge the conditions that few rules have; False also while a set is wanted."""
    cdef const Asked *d = c.d
    cdef Piece some
    if row.flags & ASKS_NUMBERS and not (
        row.size_min <= d.size <= row.size_max
        and row.attachments_min <= d.attachments <= row.attachments_max
        and row.signatures_min <= d.signatures <= row.signatures_max
    ):
        return False
    if row.flags & ASKS_DAYS and not row.since <= c.now.day <= row.until:
        return False
    if row.flags & ASKS_LISTS:
        if row.marks and not share(c.p.lists + row.marks, d.pool + d.marks):
            return False
        if row.without and share(c.p.lists + row.without, d.pool + d.marks):
            return False
        if row.media and not share(c.p.lists + row.media, d.pool + d.media):
            return False
    if row.flags & ASKS_AUDIENCE:
        if not row.audience_min <= d.audience_size <= row.audience_max:
            return False
        if row.includes and not (
            set_of(c, row.includes, &some) and pieces_meet(&some, &d.audience)
        ):
            return False
        if row.lacks and (not set_of(c, row.lacks, &some) or pieces_meet(&some, &d.audience)):
            return False
    if row.signed_by:
        return set_of(c, row.signed_by, &some) and signed_by(d, &some) != 0
    return True


cdef inline bint recipients_of(Case *c, uint32_t rule, Piece *out) noexcept nogil:
    """Return a rule's target, remembered if the sender is."""
    cdef const Row *row = &c.p.rows[rule]
    cdef Known *known
    if c.stance == NULL or not row.flags & CUTS:
        return target_of(c, row, out)
    known = &c.stance.sets[c.p.cut_place[rule]]
    if known.runs == NULL:
        if not target_of(c, row, out) or c.failed:
            return False
        if learn(c.w, known, out, False) != DONE:
            c.failed = True
            return False
        if known.runs == NULL:  # not noted: it lies in the memory of this document
            return True
    out.runs = known.runs
    out.count = known.count
    return True


cdef void consider(Case *c, uint32_t rule) noexcept nogil:
    """Keep a rule that was found, if it applies and may decide anything."""
    cdef const Row *row = &c.p.rows[rule]
    cdef Piece some
    if c.d.bits & ~row.bits:
        return
    if row.senders and not (
        c.d.sender != NOBODY and set_of(c, row.senders, &some)
        and holds_one(&some, c.d.sender)
    ):
        return
    meet(c, rule)


cdef inline void meet(Case *c, uint32_t rule) noexcept nogil:
    """Keep a rule of this sender, type, act and urgency, if all else holds."""
    cdef const Row *row = &c.p.rows[rule]
    cdef Piece some
    cdef Hit *hit
    cdef uint64_t here = 0
    cdef bint matches, unknown = False
    if row.flags & (ASKS_NUMBERS | ASKS_LISTS | ASKS_AUDIENCE | ASKS_DAYS) or row.signed_by:
        if not is_such(c, row):
            return
    if row.flags & (ASKS_WORKING | ASKS_OUTSIDE):
        unknown = c.now.hours == HOURS_UNKNOWN
        if not unknown and (row.flags & ASKS_WORKING != 0) != (c.now.hours == WORKING_HOURS):
            return
    if not recipients_of(c, rule, &some):
        return
    if c.few:
        here = everyone(&c.w.few)
        if some.runs != &c.p.tables.everything:
            here = among(&c.w.few, &some)
        matches = here != 0
    else:
        matches = pieces_meet(&some, &c.d.audience)
    if not matches and not (c.p.adds and row.flags & (FORBIDS_RECIPIENTS | HOLDS)):
        return
    if grow(<void **>&c.w.hits, &c.w.hit_capacity, c.w.hit_count + 1, sizeof(Hit)) != DONE:
        c.failed = True
        return
    hit = &c.w.hits[c.w.hit_count]
    hit.rule = rule
    hit.matches = matches
    hit.unknown = unknown
    hit.noted = False
    hit.here = here
    hit.target = some
    c.w.hit_count += 1


cdef void meet_all(Case *c) noexcept nogil:
    """Look at the rules that the sender meets and that take the document, in order."""
    cdef uint32_t words = c.p.words, word, bits
    cdef const uint64_t *of_type = c.p.of_type + <size_t>c.d.type * words
    cdef uint64_t rules
    for word in range(words):
        rules = c.stance.rules[word] & of_type[word]
        bits = c.d.bits
        while bits:
            rules &= c.p.of_bit[trailing_zeros(bits) * words + word]
            bits &= bits - 1
        while rules:
            meet(c, (word << 6) + trailing_zeros(rules))
            rules &= rules - 1


cdef void find_hits(Case *c) noexcept nogil:
    """Find the rules that apply to the audience, in any order."""
    cdef Workspace *w = c.w
    cdef size_t i
    w.hit_count = 0
    if c.p.words and c.d.sender != NOBODY:
        c.stance = stance_of(c.p, w, c.d.sender)
        if c.stance == NULL:
            c.failed = True
        else:
            c.few = c.d.audience_size <= FEW and name_units(&w.few, &c.d.audience)
            meet_all(c)
        return
    find_rules(c.p, w, c.d.type, c.d.sender, c.d.audience.runs, c.d.audience.count)
    for i in range(w.found_count):
        consider(c, w.found[i])


cdef void find_late_hits(Case *c) noexcept nogil:
    """Find the prohibitions and holds that meet only what policy adds."""
    cdef Workspace *w = c.w
    cdef size_t i
    if c.stance != NULL:  # all that meet more than the audience are there
        return
    find_more(c.p, w, c.d.type, c.extra.runs, c.extra.count)
    for i in range(w.found_count):
        consider(c, w.found[i])


cdef void order_hits(Case *c) noexcept nogil:
    """Put the hits in the order of their rules: what is told first depends on it."""
    cdef Workspace *w = c.w
    cdef uint64_t *keys
    cdef Hit *copy
    cdef size_t i = 1
    while i < w.hit_count and w.hits[i - 1].rule < w.hits[i].rule:
        i += 1
    if i >= w.hit_count:
        return
    keys = <uint64_t *>take(&w.scratch, w.hit_count * sizeof(uint64_t))
    copy = <Hit *>take(&w.scratch, w.hit_count * sizeof(Hit))
    if keys == NULL or copy == NULL:
        c.failed = True
        return
    for i in range(w.hit_count):
        keys[i] = (<uint64_t>w.hits[i].rule << 32) | i
    memcpy(copy, w.hits, w.hit_count * sizeof(Hit))
    sort_keys(keys, w.hit_count)
    for i in range(w.hit_count):
        w.hits[i] = copy[<uint32_t>keys[i]]
