# cython: language_level=3
"""The algebra of docs/policy.md over few recipients: each set is the bits of a word.

What `grant`, `forbid` and `hold` of `_decide_rules.pyx` do with runs, for at most 64 units
addressed and 64 added; what they note and answer is noted and answered here.
"""

from libc.stdint cimport uint32_t, uint64_t
from libc.string cimport memset

from router._decide_conditions cimport Approval, Case, Part, note_year, set_of
from router._decide_few cimport among, everyone, name_units, show
from router._decide_tables cimport (
    ADDS, ALLOWS, FORBIDS_RECIPIENTS, HOLDS, Hit, Piece, Row, Units, pieces_meet, sort_keys, take,
)
from router._tables cimport DONE, Status

cdef enum:
    HOLDS_MAX = 5             # hold rules; so there are at most 31 parts
    PARTS_MAX = 5             # as of `_decide_rules.pxd`


cdef struct Group:  # who waits for the same approvals
    uint32_t approvals
    uint64_t here             # of those addressed
    uint64_t there            # of those added


cdef struct Scale:  # the sets of one document
    Units more                # those added
    uint64_t left
    uint64_t added
    uint64_t[HOLDS_MAX] keys  # approval << 32 | hit
    size_t key_count
    Group[HOLDS_MAX] needs    # of each approval
    size_t need_count
    Group[1 << HOLDS_MAX] parts
    size_t part_count


cdef inline void must(Case *c, Status status) noexcept nogil:
    if status != DONE:
        c.failed = True


cdef inline uint64_t beyond(Case *c, const Scale *s, const Hit *hit) noexcept nogil:
    """Return which of those added a rule speaks of."""
    return among(&s.more, &hit.target) if s.more.count else 0


cdef bint can_weigh(Case *c) noexcept nogil:
    """Say whether few enough units are added and few enough rules hold."""
    cdef size_t i, count = 0, run
    cdef uint32_t size = 0
    for run in range(c.extra.count):
        size += c.extra.runs[run].stop - c.extra.runs[run].start
    for i in range(c.w.hit_count):
        count += c.p.rows[c.w.hits[i].rule].flags & HOLDS != 0
    return size <= 64 and count <= HOLDS_MAX


cdef void weigh(Case *c) noexcept nogil:
    """W, F and H: who receives, who waits, who does not."""
    cdef Scale s
    s.key_count = s.need_count = s.part_count = 0
    s.more.count = 0
    if c.extra.count:
        name_units(&s.more, &c.extra)
    leave(c, &s)
    note_deciding(c, &s)
    if s.key_count:
        find_needs(c, &s)
        cut_parts(c, &s)
        show_parts(c, &s)
    show_rest(c, &s)


cdef void leave(Case *c, Scale *s) noexcept nogil:
    """Take away what no rule allows and what one forbids."""
    cdef uint64_t everybody = everyone(&c.w.few), allowed = everybody
    cdef uint64_t forbidden = 0, forbidden_more = 0
    cdef uint32_t flags
    cdef Hit *hit
    cdef size_t i
    if c.p.closed:
        allowed = 0
    for i in range(c.w.hit_count):
        hit = &c.w.hits[i]
        flags = c.p.rows[hit.rule].flags
        if hit.unknown:
            continue
        if flags & ALLOWS and c.p.closed:
            allowed |= hit.here
            hit.noted = hit.matches
        if flags & FORBIDS_RECIPIENTS:
            forbidden |= hit.here
            forbidden_more |= beyond(c, s, hit)
    c.allowed = c.d.audience
    if allowed != everybody:  # what follows asks only whether there are any, and whether all
        c.allowed.runs = NULL
        c.allowed.count = allowed != 0
    s.left = allowed & ~forbidden
    s.added = everyone(&s.more) & ~forbidden_more
    c.left.count = s.left != 0
    must(c, show(c.w, &c.w.few, 0, &s.more, s.added, &c.out.added))


cdef void note_deciding(Case *c, Scale *s) noexcept nogil:
    """Note the rules that decided, and those that hold somebody."""
    cdef Piece some
    cdef const Row *row
    cdef Hit *hit
    cdef size_t i
    for i in range(c.w.hit_count):
        hit = &c.w.hits[i]
        row = &c.p.rows[hit.rule]
        if hit.unknown:
            if hit.matches or (
                row.flags & (FORBIDS_RECIPIENTS | HOLDS) and beyond(c, s, hit)
            ):
                note_year(c.out, c.now.year)
            continue
        if row.flags & FORBIDS_RECIPIENTS:
            hit.noted = hit.noted or hit.matches or beyond(c, s, hit) != 0
            if hit.matches and not c.cutting:
                c.cutting = hit.rule + 1
        if row.flags & ADDS and hit.matches and s.added and not hit.noted:
            hit.noted = set_of(c, row.add, &some) and pieces_meet(&some, &c.out.added)
        if row.flags & HOLDS and (hit.here & s.left or beyond(c, s, hit) & s.added):
            hit.noted = True
            s.keys[s.key_count] = (<uint64_t>row.approval << 32) | i
            s.key_count += 1


cdef void find_needs(Case *c, Scale *s) noexcept nogil:
    """Unite the recipients of each approval's rules."""
    cdef Group *need = NULL
    cdef Hit *hit
    cdef size_t i
    c.out.approvals = <Approval *>take(&c.w.kept, s.key_count * sizeof(Approval))
    if c.out.approvals == NULL:
        c.failed = True
        s.key_count = 0
        return
    memset(c.out.approvals, 0, s.key_count * sizeof(Approval))
    sort_keys(s.keys, s.key_count)
    for i in range(s.key_count):
        hit = &c.w.hits[<uint32_t>s.keys[i]]
        if need == NULL or c.out.approvals[s.need_count - 1].approval != s.keys[i] >> 32:
            need = &s.needs[s.need_count]
            need.approvals = <uint32_t>1 << s.need_count
            need.here = need.there = 0
            c.out.approvals[s.need_count].approval = <uint32_t>(s.keys[i] >> 32)
            c.out.approvals[s.need_count].rule = hit.rule + 1
            s.need_count += 1
        need.here |= hit.here & s.left
        need.there |= beyond(c, s, hit) & s.added
    c.out.approval_count = s.need_count


cdef void cut_parts(Case *c, Scale *s) noexcept nogil:
    """Cut what is held into parts that need the same approvals, each with any unit."""
    cdef Group fresh, common
    cdef Group *part
    cdef size_t i, j, known
    for i in range(s.need_count):
        fresh = s.needs[i]
        known = s.part_count
        for j in range(known):
            part = &s.parts[j]
            common.here = part.here & fresh.here
            common.there = part.there & fresh.there
            if not (common.here or common.there):
                continue
            common.approvals = part.approvals | fresh.approvals
            fresh.here &= ~common.here
            fresh.there &= ~common.there
            part.here &= ~common.here
            part.there &= ~common.there
            if part.here or part.there:
                s.parts[s.part_count] = common
                s.part_count += 1
            else:  # all of it needs this one, too
                part[0] = common
        if fresh.here or fresh.there:
            s.parts[s.part_count] = fresh
            s.part_count += 1


cdef void show_parts(Case *c, Scale *s) noexcept nogil:
    """Write the parts in the order of their first units; the last of too many are one."""
    cdef Part *parts
    cdef Part one
    cdef Group rest
    cdef size_t i, j
    parts = <Part *>take(&c.w.kept, s.part_count * sizeof(Part))
    if parts == NULL or c.failed:
        c.failed = True
        return
    for i in range(s.part_count):
        parts[i].approvals = s.parts[i].approvals
        must(c, show(c.w, &c.w.few, s.parts[i].here, &s.more, s.parts[i].there, &parts[i].units))
    if c.failed:
        return
    for i in range(1, s.part_count):
        one = parts[i]
        rest = s.parts[i]
        j = i
        while j and parts[j - 1].units.runs[0].start > one.units.runs[0].start:
            parts[j] = parts[j - 1]
            s.parts[j] = s.parts[j - 1]
            j -= 1
        parts[j] = one
        s.parts[j] = rest
    if s.part_count > PARTS_MAX:
        rest = s.parts[PARTS_MAX - 1]
        for i in range(PARTS_MAX, s.part_count):
            rest.approvals |= s.parts[i].approvals
            rest.here |= s.parts[i].here
            rest.there |= s.parts[i].there
        parts[PARTS_MAX - 1].approvals = rest.approvals
        must(c, show(c.w, &c.w.few, rest.here, &s.more, rest.there, &parts[PARTS_MAX - 1].units))
    c.out.parts = parts
    c.out.part_count = s.part_count if s.part_count < PARTS_MAX else PARTS_MAX


cdef void show_rest(Case *c, Scale *s) noexcept nogil:
    """Write who receives now and who does not; nobody touched: the audience itself."""
    cdef uint64_t here = s.left, there = s.added, everybody = everyone(&c.w.few)
    cdef size_t i
    for i in range(s.need_count):
        here &= ~s.needs[i].here
        there &= ~s.needs[i].there
    if here == everybody and there == 0:
        c.out.effective = c.d.audience
    else:
        must(c, show(c.w, &c.w.few, here, &s.more, there, &c.out.effective))
    if s.left != everybody:
        must(c, show(c.w, &c.w.few, everybody & ~s.left, &s.more, 0, &c.out.excluded))
