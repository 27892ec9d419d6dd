# cython: language_level=3
"""The index that finds the rules a document may meet, however many others there are.

Each rule is posted under the types it names (or under "any") by its *anchor*: the runs of
its senders, or of its recipients if those are far fewer.  A document stabs the
first kind with its sender and lays its audience over the second; both are sorted by start
and carry, for each half, how far the half reaches (`most`), so that a part which ends too
early is passed by whole.  A rule without an anchor is looked at by every document of its type.
"""

from libc.stdint cimport uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc, qsort
from libc.string cimport memset

from router._decide_tables cimport (
    CONSTANT, Bucket, Members, Policy, Posting, Row, Workspace, first_past,
)
from router._tables cimport DONE, NO_MEMORY, NOBODY, Run, Status

cdef enum:
    SENDERS_FOR_ONE = 64      # an audience meets a set that much more often than a sender does
    ANCHOR_RUNS_MAX = 32      # more runs are joined into so many wider ones: they only find
    POSTINGS_AIM = 128        # of one rule: what names many types is posted by fewer runs
    BY_SENDER = 0
    BY_RECIPIENT = 1
    GENERAL = 2


cdef struct Sorted:  # a posting while it is put in order
    uint64_t order           # bucket << 34 | class << 32 | start
    uint32_t stop
    uint32_t rule


cdef int by_order(const void *a, const void *b) noexcept nogil:
    cdef const Sorted *x = <const Sorted *>a
    cdef const Sorted *y = <const Sorted *>b
    if x.order != y.order:
        return 1 if x.order > y.order else -1
    return (x.rule > y.rule) - (x.rule < y.rule)


cdef int anchor_of(const Policy *p, const Row *row, const Members **found) noexcept nogil:
    """Choose the set that finds a rule: its class, or -1 when the rule can never apply."""
    cdef const Members *senders = NULL
    cdef const Members *recipients = NULL
    if row.senders and p.sets[row.senders - 1].form == CONSTANT:
        senders = &p.sets[row.senders - 1]
    if row.recipients and p.sets[row.recipients - 1].form == CONSTANT:
        recipients = &p.sets[row.recipients - 1]
    if (senders != NULL and senders.size == 0) or (recipients != NULL and recipients.size == 0):
        return -1
    if senders != NULL and (
        recipients == NULL or senders.size // SENDERS_FOR_ONE <= recipients.size
    ):
        found[0] = senders
        return BY_SENDER
    found[0] = recipients
    return BY_RECIPIENT if recipients != NULL else GENERAL


cdef size_t post(const Policy *p, uint32_t rule, Sorted *out) noexcept nogil:
    """Write a rule's postings (`out` NULL: only count them); return how many."""
    cdef const Row *row = &p.rows[rule]
    cdef const Members *anchor = NULL
    cdef int kind = anchor_of(p, row, &anchor)
    cdef uint32_t types = 1, t, bucket, runs = 1, i, low, high
    cdef size_t count = 0
    if kind < 0:
        return 0
    if row.types:
        types = p.lists[row.types]
    if kind != GENERAL:
        runs = anchor.count if anchor.count < ANCHOR_RUNS_MAX else ANCHOR_RUNS_MAX
        if types * runs > POSTINGS_AIM:
            runs = POSTINGS_AIM // types if types < POSTINGS_AIM else 1
    if out == NULL:
        return <size_t>types * runs
    for t in range(types):
        bucket = p.lists[row.types + 1 + t] if row.types else 0
        for i in range(runs):
            out[count].order = (<uint64_t>bucket << 34) | (<uint64_t>kind << 32)
            out[count].stop = 0
            if kind != GENERAL:
                low = <uint32_t>(<uint64_t>i * anchor.count // runs)
                high = <uint32_t>((<uint64_t>i + 1) * anchor.count // runs)
                out[count].order |= anchor.runs[low].start
                out[count].stop = anchor.runs[high - 1].stop
            out[count].rule = rule
            count += 1
    return count


cdef uint32_t measure(Posting *at, uint32_t low, uint32_t high) noexcept nogil:
    """Write into the middle of each part how far the part reaches; return it for the whole."""
    cdef uint32_t middle, left, right, most
    if low >= high:
        return 0
    middle = low + ((high - low) >> 1)
    left = measure(at, low, middle)
    right = measure(at, middle + 1, high)
    most = at[middle].stop
    if left > most:
        most = left
    if right > most:
        most = right
    at[middle].most = most
    return most


cdef Status build_index(Policy *p) noexcept nogil:
    """Post every rule; the rows, sets, lists and the number of buckets are there."""
    cdef size_t total = 0, i, place = 0
    cdef uint32_t rule, bucket, kind
    cdef Sorted *order
    cdef Bucket *b
    cdef uint32_t[3] count
    for rule in range(p.row_count):
        total += post(p, rule, NULL)
    if total >> 32:
        return NO_MEMORY
    order = <Sorted *>malloc((total + 1) * sizeof(Sorted))
    p.postings = <Posting *>malloc((total + 1) * sizeof(Posting))
    p.buckets = <Bucket *>calloc(p.bucket_count, sizeof(Bucket))
    if order == NULL or p.postings == NULL or p.buckets == NULL:
        free(order)
        return NO_MEMORY
    for rule in range(p.row_count):
        place += post(p, rule, order + place)
    qsort(order, total, sizeof(Sorted), &by_order)
    p.posting_count = <uint32_t>total
    for i in range(total):
        p.postings[i].start = <uint32_t>order[i].order
        p.postings[i].stop = order[i].stop
        p.postings[i].most = 0
        p.postings[i].rule = order[i].rule
    place = 0
    for bucket in range(p.bucket_count):
        b = &p.buckets[bucket]
        memset(&count, 0, sizeof(count))
        i = place
        while i < total and order[i].order >> 34 == bucket:
            kind = <uint32_t>((order[i].order >> 32) & 3)
            count[kind] += 1
            i += 1
        b.senders = <uint32_t>place
        b.recipients = b.senders + count[BY_SENDER]
        b.general = b.recipients + count[BY_RECIPIENT]
        b.end = <uint32_t>i
        measure(p.postings, b.senders, b.recipients)
        measure(p.postings, b.recipients, b.general)
        place = i
    free(order)
    return DONE


cdef inline void found_one(Workspace *w, uint32_t rule) noexcept nogil:
    if w.stamps[rule] != w.stamp:
        w.stamps[rule] = w.stamp
        w.found[w.found_count] = rule
        w.found_count += 1


cdef void overlap(Workspace *w, const Posting *at, uint32_t low, uint32_t high,
                  uint32_t start, uint32_t stop) noexcept nogil:
    """Find the rules of a part whose runs meet [start, stop)."""
    cdef uint32_t middle
    while low < high:
        middle = low + ((high - low) >> 1)
        if at[middle].most <= start:
            return
        overlap(w, at, low, middle, start, stop)
        if at[middle].start >= stop:
            return
        if at[middle].stop > start:
            found_one(w, at[middle].rule)
        low = middle + 1


cdef void find_for(const Policy *p, Workspace *w, const Bucket *b, const Run *audience,
                   size_t count) noexcept nogil:
    """Find the rules of a bucket whose recipients meet a set."""
    cdef uint32_t i
    cdef size_t run, at
    if b.general - b.recipients <= 2 * count:  # fewer rules than runs: ask for each rule
        for i in range(b.recipients, b.general):
            at = first_past(audience, count, p.postings[i].start)
            if at < count and audience[at].start < p.postings[i].stop:
                found_one(w, p.postings[i].rule)
        return
    for run in range(count):
        overlap(w, p.postings, b.recipients, b.general, audience[run].start, audience[run].stop)


cdef void find_from(const Policy *p, Workspace *w, const Bucket *b,
                    uint32_t sender) noexcept nogil:
    """Find the rules of a bucket that the sender meets, and those without an anchor."""
    cdef uint32_t i
    for i in range(b.general, b.end):
        found_one(w, p.postings[i].rule)
    if sender != NOBODY:
        overlap(w, p.postings, b.senders, b.recipients, sender, sender + 1)


cdef void find_rules(const Policy *p, Workspace *w, uint32_t type, uint32_t sender,
                     const Run *audience, size_t count) noexcept nogil:
    """Find each rule once that the type, the sender and the audience may meet."""
    w.stamp += 1
    if w.stamp == 0:  # wrapped: old stamps must not look like new ones
        memset(w.stamps, 0, p.row_count * sizeof(uint32_t))
        w.stamp = 1
    w.found_count = 0
    find_from(p, w, &p.buckets[0], sender)
    find_for(p, w, &p.buckets[0], audience, count)
    if type:
        find_from(p, w, &p.buckets[type], sender)
        find_for(p, w, &p.buckets[type], audience, count)


cdef void find_more(const Policy *p, Workspace *w, uint32_t type, const Run *more,
                    size_t count) noexcept nogil:
    """Find the rules, not found before, that meet a set more: what policy adds."""
    w.found_count = 0
    find_for(p, w, &p.buckets[0], more, count)
    if type:
        find_for(p, w, &p.buckets[type], more, count)
