# cython: language_level=3
"""Decides one document: the algebra of docs/policy.md over the rules that apply.

Sets are views into the tables or lie in the workspace's memory of this document; what the
answer keeps is copied into the memory of the call.
"""

from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.string cimport memcmp, memcpy, memset

from router._decide_conditions cimport (
    CALENDAR, FORBIDDEN, NOBODY_LEFT, REQUIREMENT, SENDER_NOT_THEN, UNSIGNED, Answer, Approval,
    Asked, Case, Instant, Part, find_hits, find_late_hits, note_year, order_hits, set_of, signed_by,
)
from router._decide_tables cimport (
    ADDS, ADMITS_UNSIGNED, ALLOWS, FORBIDS_DOCUMENT, FORBIDS_RECIPIENTS, HOLDS, IS_FLOOR,
    IS_SETTING, QUARANTINES, REQUIRES, Hit, Piece, Policy, Row, Workspace, both, either, gather,
    pieces_meet, sort_keys, take, take_back, united, without,
)
from router._decide_weighing cimport can_weigh, weigh
from router._tables cimport DONE, NO_MEMORY, NOBODY, Run, Status


cdef void join(Case *c, uint32_t flag, Piece *out) noexcept nogil:
    """Unite the recipients of the rules with an effect; one alone is not copied."""
    cdef size_t i, count = 0
    cdef Hit *first = NULL
    cdef Hit *hit
    for i in range(c.w.hit_count):
        hit = &c.w.hits[i]
        if not c.p.rows[hit.rule].flags & flag or hit.unknown:
            continue
        count += 1
        if count == 1:
            first = hit
            continue
        if count == 2 and gather(c.w, &first.target) != DONE:
            c.failed = True
        if gather(c.w, &hit.target) != DONE:
            c.failed = True
    out.count = 0
    if count == 1:
        out[0] = first.target
    elif count and united(c.p, c.w, out) != DONE:
        c.failed = True


cdef inline void must(Case *c, Status status) noexcept nogil:
    if status != DONE:
        c.failed = True


cdef void grant(Case *c) noexcept nogil:
    """W: what rules allow, when nothing else is."""
    cdef size_t i
    c.allowed = c.d.audience
    if not c.p.closed:
        return
    join(c, ALLOWS, &c.allowed)
    must(c, both(c.w, &c.d.audience, &c.allowed, &c.allowed))
    if c.allowed.count == c.d.audience.count and (
        memcmp(c.allowed.runs, c.d.audience.runs, c.allowed.count * sizeof(Run)) == 0
    ):
        c.allowed = c.d.audience  # nothing changed: later steps and the answer share it
    for i in range(c.w.hit_count):
        if c.p.rows[c.w.hits[i].rule].flags & ALLOWS and not c.w.hits[i].unknown:
            c.w.hits[i].noted = c.w.hits[i].matches


cdef void add_more(Case *c) noexcept nogil:
    """P: what matching rules add beside those addressed."""
    cdef size_t i
    cdef Piece some
    c.extra.count = 0
    if not c.p.adds:
        return
    for i in range(c.w.hit_count):
        if c.w.hits[i].matches and not c.w.hits[i].unknown:
            if c.p.rows[c.w.hits[i].rule].flags & ADDS:
                if set_of(c, c.p.rows[c.w.hits[i].rule].add, &some):
                    must(c, gather(c.w, &some))
    must(c, united(c.p, c.w, &some))
    must(c, without(c.w, &some, &c.d.audience, &c.extra))


cdef void forbid(Case *c) noexcept nogil:
    """F: take away what is forbidden, from those addressed and from those added."""
    cdef Piece forbidden, some
    cdef size_t i
    cdef Hit *hit
    cdef const Row *row
    join(c, FORBIDS_RECIPIENTS, &forbidden)
    must(c, without(c.w, &c.allowed, &forbidden, &c.left))
    must(c, without(c.w, &c.extra, &forbidden, &c.out.added))
    for i in range(c.w.hit_count):
        hit = &c.w.hits[i]
        row = &c.p.rows[hit.rule]
        if hit.unknown:
            if hit.matches or (
                row.flags & (FORBIDS_RECIPIENTS | HOLDS) and pieces_meet(&hit.target, &c.extra)
            ):
                note_year(c.out, c.now.year)
            continue
        if row.flags & FORBIDS_RECIPIENTS and not hit.noted:
            hit.noted = hit.matches or pieces_meet(&hit.target, &c.extra)
        if row.flags & FORBIDS_RECIPIENTS and hit.matches and not c.cutting:
            c.cutting = hit.rule + 1
        if row.flags & ADDS and hit.matches and c.out.added.count and not hit.noted:
            hit.noted = set_of(c, row.add, &some) and pieces_meet(&some, &c.out.added)


cdef void hold(Case *c) noexcept nogil:
    """H: who waits, by approval; then who receives now and who does not."""
    cdef Piece among, waiting
    cdef uint64_t *keys = NULL
    cdef size_t i, count = 0
    cdef Hit *hit
    must(c, either(c.w, &c.left, &c.out.added, &among))
    c.out.effective = among
    for i in range(c.w.hit_count):
        hit = &c.w.hits[i]
        if not c.p.rows[hit.rule].flags & HOLDS or hit.unknown:
            continue
        if not pieces_meet(&hit.target, &among):
            continue
        if keys == NULL:
            keys = <uint64_t *>take(&c.w.scratch, c.w.hit_count * sizeof(uint64_t))
            if keys == NULL:
                c.failed = True
                return
        hit.noted = True
        keys[count] = (<uint64_t>c.p.rows[hit.rule].approval << 32) | i
        count += 1
    if count:
        part(c, keys, count, &among)
        if c.out.approval_count == 1:
            waiting = c.out.approvals[0].units
        else:
            for i in range(c.out.approval_count):
                must(c, gather(c.w, &c.out.approvals[i].units))
            must(c, united(c.p, c.w, &waiting))
        must(c, without(c.w, &among, &waiting, &c.out.effective))
        cut(c)
    if c.left.runs != c.d.audience.runs:
        must(c, without(c.w, &c.d.audience, &c.left, &c.out.excluded))


cdef void cut(Case *c) noexcept nogil:
    """Cut what is held into parts that need the same approvals."""
    cdef Part[CUTS_MAX] parts
    cdef Part one
    cdef Piece fresh, common
    cdef size_t i, j, known, count = 0
    if c.out.approval_count > APPROVALS_MAX:
        return
    for i in range(c.out.approval_count):
        fresh = c.out.approvals[i].units
        known = count
        for j in range(known):
            if not pieces_meet(&parts[j].units, &fresh):
                continue
            if count + 2 > CUTS_MAX:
                return
            must(c, both(c.w, &parts[j].units, &fresh, &common))
            must(c, without(c.w, &fresh, &common, &fresh))
            must(c, without(c.w, &parts[j].units, &common, &parts[j].units))
            parts[count].approvals = parts[j].approvals | (<uint32_t>1 << i)
            parts[count].units = common
            if parts[j].units.count == 0:  # all of it needs this one, too
                parts[j] = parts[count]
            else:
                count += 1
        if fresh.count:
            if count == CUTS_MAX:
                return
            parts[count].approvals = <uint32_t>1 << i
            parts[count].units = fresh
            count += 1
    if c.failed:
        return
    for i in range(1, count):
        one = parts[i]
        j = i
        while j and parts[j - 1].units.runs[0].start > one.units.runs[0].start:
            parts[j] = parts[j - 1]
            j -= 1
        parts[j] = one
    if count > PARTS_MAX:
        for i in range(PARTS_MAX - 1, count):
            parts[PARTS_MAX - 1].approvals |= parts[i].approvals
            must(c, gather(c.w, &parts[i].units))
        must(c, united(c.p, c.w, &parts[PARTS_MAX - 1].units))
        count = PARTS_MAX
    c.out.parts = <Part *>take(&c.w.kept, count * sizeof(Part))
    if c.out.parts == NULL:
        c.failed = True
        return
    memcpy(c.out.parts, &parts[0], count * sizeof(Part))
    c.out.part_count = count


cdef void part(Case *c, uint64_t *keys, size_t count, const Piece *among) noexcept nogil:
    """Unite the recipients of each approval's rules; keys are approval << 32 | hit."""
    cdef Approval *one = NULL
    cdef size_t i, at
    cdef bint last
    c.out.approvals = <Approval *>take(&c.w.kept, count * sizeof(Approval))
    if c.out.approvals == NULL:
        c.failed = True
        return
    sort_keys(keys, count)
    for i in range(count):
        at = <uint32_t>keys[i]
        if one == NULL or one.approval != keys[i] >> 32:
            one = &c.out.approvals[c.out.approval_count]
            c.out.approval_count += 1
            one.approval = <uint32_t>(keys[i] >> 32)
            one.rule = c.w.hits[at].rule + 1
        last = i + 1 == count or keys[i + 1] >> 32 != one.approval
        if last and c.w.gathered_count == 0:  # the only rule of its approval: nothing to unite
            must(c, both(c.w, &c.w.hits[at].target, among, &one.units))
            continue
        must(c, gather(c.w, &c.w.hits[at].target))
        if last:
            must(c, united(c.p, c.w, &one.units))
            must(c, both(c.w, &one.units, among, &one.units))


# Settings and refusals.

cdef inline void earlier(Case *c, const Row *row, int64_t found, int64_t *known) noexcept nogil:
    """Take the earlier of two instants; a year without data is told, or left out by the floor."""
    if found <= 0:
        if not row.flags & IS_FLOOR:
            note_year(c.out, <uint32_t>-found)
    elif known[0] == 0 or found < known[0]:
        known[0] = found


cdef void set_up(Case *c) noexcept nogil:
    """Combine the settings of the rules that match: each a minimum, a maximum or an `or`."""
    cdef Answer *out = c.out
    cdef const Row *row
    cdef Hit *hit
    cdef size_t i
    for i in range(c.w.hit_count):
        hit = &c.w.hits[i]
        row = &c.p.rows[hit.rule]
        if not hit.matches or hit.unknown:
            continue
        if row.flags & FORBIDS_DOCUMENT:
            hit.noted = True
            if not c.banning:
                c.banning = hit.rule + 1
        if not row.flags & IS_SETTING:
            continue
        hit.noted = True
        if row.lane < out.lane:
            out.lane = row.lane
        if row.retention > out.retention:
            out.retention = row.retention
        if row.deadline:
            earlier(c, row, c.now.terms[row.deadline - 1], &out.deadline)
        if row.send_by:
            earlier(c, row, c.d.issued[row.send_by - 1], &out.send_by)
        if row.flags & QUARANTINES:
            out.quarantine = True
        if row.flags & ADMITS_UNSIGNED and c.d.signatures == 0:
            out.information_only = True


cdef void require(Case *c) noexcept nogil:
    """Find the first rule whose signatures are missing."""
    cdef const Row *row
    cdef Piece some
    cdef size_t i
    if c.out.information_only:
        return
    for i in range(c.w.hit_count):
        row = &c.p.rows[c.w.hits[i].rule]
        if not row.flags & REQUIRES or not c.w.hits[i].matches or c.w.hits[i].unknown:
            continue
        if not set_of(c, row.by, &some):
            continue
        if signed_by(c.d, &some) < row.required:
            c.unmet = c.w.hits[i].rule + 1
            return


cdef void refuse(Case *c) noexcept nogil:
    """Name the first reason for which the document is refused, if there is one."""
    cdef Answer *out = c.out
    if c.d.sender == NOBODY and c.p.asks_sender:
        out.refused = SENDER_NOT_THEN
    elif out.missing_year:
        out.refused = CALENDAR
    elif c.d.signatures == 0 and not out.information_only:
        out.refused = UNSIGNED
    elif c.banning:
        out.refused = FORBIDDEN
        out.refusal_rule = c.banning
    elif c.unmet:
        out.refused = REQUIREMENT
        out.refusal_rule = c.unmet
    elif c.left.count == 0:
        out.refused = NOBODY_LEFT
        out.refusal_rule = c.cutting if c.allowed.count else 0


cdef void keep(Case *c, Piece *piece) noexcept nogil:
    """Copy a set into the memory of the call; the audience itself is shared."""
    cdef Run *runs
    if piece.count == 0 or piece.runs == c.d.audience.runs:
        return
    runs = <Run *>take(&c.w.kept, piece.count * sizeof(Run))
    if runs == NULL:
        c.failed = True
        return
    memcpy(runs, piece.runs, piece.count * sizeof(Run))
    piece.runs = runs


cdef void keep_sets(Case *c) noexcept nogil:
    cdef Answer *out = c.out
    cdef size_t i
    keep(c, &out.effective)
    keep(c, &out.excluded)
    keep(c, &out.added)
    for i in range(out.part_count):
        keep(c, &out.parts[i].units)
    if out.parts == NULL:
        for i in range(out.approval_count):
            keep(c, &out.approvals[i].units)


cdef void tell(Case *c) noexcept nogil:
    """Keep the sets and the numbers of the rules that decided."""
    cdef Answer *out = c.out
    cdef size_t i
    cdef uint32_t *rules
    if not c.few:
        keep_sets(c)
    rules = <uint32_t *>take(&c.w.kept, (c.w.hit_count + 1) * sizeof(uint32_t))
    if rules == NULL:
        c.failed = True
        return
    out.rules = rules
    if c.p.closed and c.allowed.runs != c.d.audience.runs:
        rules[0] = 0
        out.rule_count = 1
    for i in range(c.w.hit_count):
        if c.w.hits[i].noted:
            rules[out.rule_count] = c.w.hits[i].rule + 1
            out.rule_count += 1


cdef Status decide_one(const Policy *p, Workspace *w, const Instant *now, Asked *d,
                       Answer *out) noexcept nogil:
    """Decide one document.  `out` refers to the memory of the call (`w.kept`)."""
    cdef Case c
    memset(&c, 0, sizeof(Case))
    memset(out, 0, sizeof(Answer))
    c.p = p
    c.w = w
    c.now = now
    c.d = d
    c.out = out
    out.lane = d.lane
    take_back(&w.scratch)
    w.gathered_count = 0
    w.own.start = w.above.start = NOBODY
    if d.sender != NOBODY:
        w.own.start = d.sender
        w.own.stop = d.sender + 1
        w.above.start = p.tables.parent[d.sender]
        w.above.stop = w.above.start + 1
    find_hits(&c)
    add_more(&c)
    if c.extra.count:
        find_late_hits(&c)
    order_hits(&c)
    if c.few and not c.failed and can_weigh(&c):
        weigh(&c)
    else:
        c.few = False
        grant(&c)
        forbid(&c)
        hold(&c)
    set_up(&c)
    require(&c)
    if c.failed:
        return NO_MEMORY
    if out.pending:
        return DONE
    refuse(&c)
    tell(&c)
    return NO_MEMORY if c.failed else DONE
