# cython: language_level=3
"""The tables of a policy for one snapshot, and the door through which they decide.

Everything given is checked here before a pointer is touched.  Tables are built whole and
only read afterwards; what a call writes into (a `Desk`) belongs to it until it returns, so
any number of threads may ask at once.  Facts are packed and decisions made with the GIL
held; it is released once around the batch, and once more for each round in which sets were
asked for that depend on a sender not met before.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memcpy, memset
cimport cython
cimport router._decide_tables as rows_of

from router._audience cimport Audience
from router._core cimport Hierarchy
from router._decide_conditions cimport Answer, Asked, Hours, Instant
from router._decide_index cimport build_index
from router._decide_rules cimport PARTS_MAX, decide_one
from router._decide_stances cimport expect, forget_stances, sort_out
from router._decide_tables cimport (
    ADDS, CONSTANT, HOLDS, OTHERWISE, REQUIRES, Members, Policy, Row, Workspace,
    fill_slot, forget_slots, free_policy, free_workspace, grow, make_workspace,
    policy_bytes, take, take_back,
)
from router._decide_told cimport Teller
from router._tables cimport DONE, NOBODY, Run, Status, find_number

from router.limits import HELD_PARTS_MAX, POLICY_SETS_CACHED_MAX

__all__ = ["ROW_BYTES", "DecisionTables", "Flag"]

cdef enum:
    EPOCH_DAY = 719_163           # 1 January 1970, days since year 1
    NAMES_KEPT_MAX = 65_536       # spellings of types, marks and media types remembered

cdef enum:  # fields of a document's facts, as in NAMES
    SENDER, ACT, TYPE, URGENCY, ISSUED_AT, MARKS, SIZE_BYTES, ATTACHMENTS, MEDIA_TYPES, SIGNERS

cdef tuple NAMES = (
    "sender", "act", "type", "urgency", "issued_at", "marks", "size_bytes", "attachments",
    "media_types", "signers",
)
cdef int64_t VIETNAM_US = 25_200_000_000
cdef int64_t DAY_US = 86_400_000_000
cdef int64_t FIRST_US = -62_135_510_400_000_000   # as `router.model.instants.datetime_of`
cdef int64_t LAST_US = 253_402_214_399_000_000
cdef size_t SLOTS_MAX = POLICY_SETS_CACHED_MAX

ROW_BYTES = sizeof(Row)
assert PARTS_MAX == HELD_PARTS_MAX, "more parts than that are joined by `helper.parts`"


class Flag:
    """What a row says its rule does and asks."""

    ALLOWS = rows_of.ALLOWS
    FORBIDS_RECIPIENTS = rows_of.FORBIDS_RECIPIENTS
    FORBIDS_DOCUMENT = rows_of.FORBIDS_DOCUMENT
    HOLDS = rows_of.HOLDS
    ADDS = rows_of.ADDS
    REQUIRES = rows_of.REQUIRES
    QUARANTINES = rows_of.QUARANTINES
    ADMITS_UNSIGNED = rows_of.ADMITS_UNSIGNED
    IS_SETTING = rows_of.IS_SETTING
    IS_FLOOR = rows_of.IS_FLOOR
    CUTS = rows_of.CUTS
    ASKS_NUMBERS = rows_of.ASKS_NUMBERS
    ASKS_LISTS = rows_of.ASKS_LISTS
    ASKS_AUDIENCE = rows_of.ASKS_AUDIENCE
    ASKS_DAYS = rows_of.ASKS_DAYS
    ASKS_WORKING = rows_of.ASKS_WORKING
    ASKS_OUTSIDE = rows_of.ASKS_OUTSIDE


@cython.final
cdef class Desk:
    """What one call at a time works on."""

    def __cinit__(self, DecisionTables tables not None):
        self.held = []
        if make_workspace(&tables.policy, &self.space) != DONE:
            raise MemoryError

    def __dealloc__(self):
        free_workspace(&self.space)
        free(self.pool)

    cdef uint32_t push(self, uint32_t value) except? 0xFFFFFFFF:
        """Append to the pool; return the place."""
        if grow(<void **>&self.pool, &self.pool_capacity, self.pool_count + 1,
                sizeof(uint32_t)) != DONE:
            raise MemoryError
        self.pool[self.pool_count] = value
        self.pool_count += 1
        return <uint32_t>(self.pool_count - 1)


cdef uint32_t pack_words(Desk desk, tuple words, dict known, object ask) except? 0xFFFFFFFF:
    """Write the symbols of some words, their number first; return the place."""
    cdef uint32_t first = desk.push(0)
    for word in words:
        found = known.get(word)
        if found is None:
            if len(known) >= NAMES_KEPT_MAX:
                known.clear()
            found = known[word] = ask(word)
        for symbol in found:
            desk.push(symbol)
            desk.pool[first] += 1
    return first


cdef Status run(const Policy *p, Workspace *w, const Instant *now, Asked *asked,
                Answer *answers, size_t count) noexcept nogil:
    """Decide the documents that are pending."""
    cdef size_t i
    cdef Status status
    w.wanted_count = 0
    for i in range(count):
        if answers[i].pending:
            if w.stance_count and i + 1 < count and asked[i + 1].sender != NOBODY:
                expect(p, w, asked[i + 1].sender)
            status = decide_one(p, w, now, &asked[i], &answers[i])
            if status != DONE:
                return status
    return DONE


@cython.final
cdef class DecisionTables:
    """A policy's rules for one snapshot.

    `rows` are as `router.policy.tables` packs them, `sets` pairs of (form, Audience or
    None), `lists` 32-bit numbers (each list its length, then symbols), `approvals` the term
    (from 0) of each approval's expiry.  `helper` answers what stands outside of the tables:
    `type_of`, `mark_of`, `media_of` (symbols of a spelling), `members` (a set for a sender),
    `terms` (the instants from a day), `parts` (the parts of several approvals).  `facts` is
    the class of documents whose fields are read where they lie, not by name.  Raises
    ValueError for a row that names what is not there, TypeError for a wrong type.
    """

    def __cinit__(self, Hierarchy hierarchy not None, bytes rows not None, sets,
                  bytes lists not None, approvals, *, helper, decision, held_part, acts,
                  urgencies, refusals, version, int types, int terms, bint closed,
                  bint asks_sender, facts=None):
        self.hierarchy = hierarchy
        self.policy.tables = &hierarchy.tables
        self.policy.closed = closed
        self.policy.asks_sender = asks_sender
        self.helper = helper
        self.teller = Teller(
            helper=helper, decision=decision, held_part=held_part, refusals=refusals,
            approvals=approvals, version=version,
        )
        self.read_fields(facts)
        self.acts, self.urgencies = tuple(acts), tuple(urgencies)
        if len(self.acts) != 4 or len(self.urgencies) != 4:
            raise ValueError("there are four acts and four urgencies")
        if types < 0 or terms < 0:
            raise ValueError("counts are not below 0")
        self.types, self.marks, self.media = {}, {}, {}
        self.desks, self.kept = [], []
        self.version = version
        self.term_count = <size_t>terms
        self.approval_count = <uint32_t>len(approvals)
        if len(approvals) and max(approvals) >= terms:
            raise ValueError("an approval names a term that is not there")
        self.policy.bucket_count = <uint32_t>types + 1
        self.read_sets(list(sets))
        self.read_rows(rows, lists)
        self.read_tiers()
        cdef Status status
        with nogil:
            status = build_index(&self.policy)
            if status == DONE:
                status = sort_out(&self.policy)
        if status != DONE:
            raise MemoryError

    def __dealloc__(self):
        free_policy(&self.policy)

    def __reduce__(self):
        raise TypeError("tables are compiled from a policy, not pickled")

    @property
    def rule_count(self):
        """How many rules there are, those of the floor among them."""
        return self.policy.row_count

    @property
    def memory_bytes(self):
        """Bytes of memory of rows, lists and index, without the runs of the sets."""
        return policy_bytes(&self.policy)

    cdef int read_fields(self, object kind) except -1:
        """Find where the fields of a class lie; -1: not in place, so they are asked by name."""
        cdef int i
        self.facts = kind
        for i in range(FIELDS):
            self.places[i] = -1 if kind is None else place_of(getattr(kind, NAMES[i], None))
        return 0

    cdef inline object field(self, object facts, int which):
        """Return a field of a document's facts."""
        cdef void *found
        if type(facts) is self.facts and self.places[which] > 0:
            found = (<void **>(<char *><void *>facts + self.places[which]))[0]
            if found != NULL:
                return <object>found
        return getattr(facts, NAMES[which])

    cdef int read_sets(self, list sets) except -1:
        cdef Audience one
        cdef Members *into
        cdef uint32_t kind
        self.policy.sets = <Members *>calloc(len(sets) + <size_t>1, sizeof(Members))
        if self.policy.sets == NULL:
            raise MemoryError
        for form, members in sets:
            kind = form
            if kind > OTHERWISE:
                raise ValueError("a set has a form that is not known")
            into = &self.policy.sets[self.policy.set_count]
            into.form = <uint8_t>kind
            if kind == CONSTANT:
                if not isinstance(members, Audience):
                    raise TypeError("a constant set is an audience")
                one = members
                self.hierarchy.check(one)
                self.kept.append(one)
                into.runs = one.data
                into.count = <uint32_t>one.count
                into.size = <uint32_t>one.size
            self.policy.set_count += 1
        return 0

    cdef int read_rows(self, bytes rows, bytes lists) except -1:
        """Copy rows and lists, and check each row against all that is there."""
        cdef size_t size = <size_t>PyBytes_GET_SIZE(rows), length = <size_t>PyBytes_GET_SIZE(lists)
        cdef uint32_t i
        if size % sizeof(Row) or length % 4 or length == 0:
            raise ValueError("rows or lists have a length that is none of theirs")
        self.policy.rows = <Row *>malloc(size + 1)
        self.policy.lists = <uint32_t *>malloc(length)
        if self.policy.rows == NULL or self.policy.lists == NULL:
            raise MemoryError
        memcpy(self.policy.rows, PyBytes_AS_STRING(rows), size)
        memcpy(self.policy.lists, PyBytes_AS_STRING(lists), length)
        self.policy.row_count = <uint32_t>(size // sizeof(Row))
        self.policy.list_size = <uint32_t>(length // 4)
        for i in range(self.policy.row_count):
            self.check_row(i)
            if self.policy.rows[i].flags & ADDS:
                self.policy.adds = True
        return 0

    cdef int check_row(self, uint32_t place) except -1:
        cdef const Row *row = &self.policy.rows[place]
        cdef uint32_t sets = self.policy.set_count
        if max(row.senders, row.recipients, row.includes, row.lacks, row.signed_by, row.by,
               row.add) > sets:
            raise ValueError(f"rule {place + 1} names a set that is not there")
        if max(row.deadline, row.send_by) > self.term_count:
            raise ValueError(f"rule {place + 1} names a term that is not there")
        if row.approval > self.approval_count:
            raise ValueError(f"rule {place + 1} names an approval that is not there")
        if (
            (row.flags & ADDS and not row.add) or (row.flags & REQUIRES and not row.by)
            or (row.flags & HOLDS and not row.approval)
        ):
            raise ValueError(f"rule {place + 1} lacks what its effect needs")
        self.check_list(row.types, self.policy.bucket_count)
        self.check_list(row.marks, NOBODY)
        self.check_list(row.without, NOBODY)
        self.check_list(row.media, NOBODY)
        return 0

    cdef int check_list(self, uint32_t place, uint32_t below) except -1:
        cdef uint32_t i, size = self.policy.list_size
        if place >= size or self.policy.lists[place] >= size - place:
            raise ValueError("a rule names a list that is not there")
        for i in range(place + 1, place + 1 + self.policy.lists[place]):
            if self.policy.lists[i] >= below:
                raise ValueError("a list has a symbol that is not there")
        return 0

    cdef int read_tiers(self) except -1:
        """Number the tiers that have a unit: what `tiers_crossed` counts."""
        cdef uint32_t tier
        cdef Run run
        self.policy.ranks = <Run *>malloc(256 * sizeof(Run))
        if self.policy.ranks == NULL:
            raise MemoryError
        for tier in range(256):
            run = self.policy.tables.tiers[tier]
            if run.start < run.stop:
                self.policy.rank_of[tier] = <uint8_t>self.policy.rank_count
                self.policy.ranks[self.policy.rank_count] = run
                self.policy.rank_count += 1
        return 0

    def decide(self, documents, audiences, *, int day, int year, int hours,
               bytes terms not None):
        """Decide each document for its audience, in order.

        `day` is that of acceptance (days since year 1, Vietnam time), `hours` 0 outside, 1
        within working hours, 2 for a `year` without data, `terms` the instants from that
        day, 64 bits each.  Raises ValueError when the lists differ in length or an audience
        is of another snapshot, MemoryError.
        """
        cdef list given = list(documents), sets = list(audiences)
        cdef size_t count = <size_t>len(given), i
        cdef Instant now
        cdef Desk desk
        cdef Asked *asked
        cdef Answer *answers
        cdef Status status
        cdef list alive = []
        if len(sets) != len(given):
            raise ValueError("documents and audiences differ in length")
        if <size_t>PyBytes_GET_SIZE(terms) != 8 * self.term_count or not 0 <= hours <= 2:
            raise ValueError("terms or hours are not those of these tables")
        now.day = day
        now.year = <uint32_t>year
        now.hours = <Hours>hours
        now.terms = <const int64_t *>PyBytes_AS_STRING(terms)
        desk = self.desks.pop() if self.desks else Desk(self)
        try:
            take_back(&desk.space.kept)
            if desk.space.slot_count > SLOTS_MAX:
                forget_slots(&desk.space)
                forget_stances(&desk.space)
                desk.held.clear()
            asked = <Asked *>take(&desk.space.kept, (count + 1) * sizeof(Asked))
            answers = <Answer *>take(&desk.space.kept, (count + 1) * sizeof(Answer))
            if asked == NULL or answers == NULL:
                raise MemoryError
            desk.pool_count = 0
            desk.push(0)  # the empty list
            for i in range(count):
                self.pack(desk, given[i], sets[i], &asked[i], alive)
                answers[i].pending = True
            for i in range(count):
                asked[i].pool = desk.pool
            while True:
                with nogil:
                    status = run(&self.policy, &desk.space, &now, asked, answers, count)
                if status != DONE:
                    raise MemoryError
                if desk.space.wanted_count == 0:
                    break
                self.fetch_wanted(desk)
            return self.teller.tell(answers, sets, terms)
        finally:
            self.desks.append(desk)

    cdef int pack(self, Desk desk, object facts, Audience audience, Asked *out,
                  list alive) except -1:
        """Write one document's facts as numbers; its words become symbols."""
        cdef int64_t number, issued
        cdef object value
        cdef int place
        cdef bytes terms
        self.hierarchy.check(audience)
        memset(out, 0, sizeof(Asked))
        out.audience.runs = audience.data
        out.audience.count = audience.count
        out.audience_size = <uint32_t>audience.size
        number = number_of(self.field(facts, SENDER))
        out.sender = NOBODY
        if 1 <= number <= 0xFFFFFFFE:
            out.sender = find_number(&self.hierarchy.tables, <uint32_t>number)
        value = self.field(facts, ACT)
        for place in range(4):
            if value is self.acts[place]:
                out.bits = <uint32_t>1 << place
        value = self.field(facts, URGENCY)
        for place in range(4):
            if value is self.urgencies[place]:
                out.bits |= <uint32_t>16 << place
                out.lane = <uint8_t>(3 - place)  # normal is the last lane
        issued = number_of(self.field(facts, ISSUED_AT))
        if self.term_count:
            issued = min(max(issued, FIRST_US), LAST_US) + VIETNAM_US
            issued = (issued - (DAY_US - 1) if issued < 0 else issued) // DAY_US + EPOCH_DAY
            if desk.terms is None or desk.day != issued:
                terms = self.helper.terms(issued)
                if <size_t>PyBytes_GET_SIZE(terms) != 8 * self.term_count:
                    raise ValueError("terms are not those of these tables")
                if desk.terms is not None:
                    alive.append(desk.terms)  # documents before this one point into it
                desk.terms, desk.day = terms, issued
            out.issued = <const int64_t *>PyBytes_AS_STRING(desk.terms)
        number = number_of(self.field(facts, SIZE_BYTES))
        out.size = <uint64_t>number if number > 0 else 0
        out.attachments = count_of(self.field(facts, ATTACHMENTS))
        self.pack_names(desk, facts, out)
        value = self.field(facts, SIGNERS)
        out.signatures = <uint32_t>len(value)
        out.signers = self.pack_signers(
            desk, value, <uint32_t>number_of(self.field(facts, SENDER)), out.sender
        )
        return 0

    cdef int pack_names(self, Desk desk, object facts, Asked *out) except -1:
        """Look up the symbols of type, marks and media types."""
        cdef object word = self.field(facts, TYPE), found
        cdef tuple words
        found = self.types.get(word)
        if found is None:
            if len(self.types) >= NAMES_KEPT_MAX:
                self.types.clear()
            found = self.types[word] = self.helper.type_of(word)
        out.type = found
        if out.type >= self.policy.bucket_count:
            raise ValueError("a type has a symbol that is not there")
        words = self.field(facts, MARKS)
        if words:
            out.marks = pack_words(desk, words, self.marks, self.helper.mark_of)
        words = self.field(facts, MEDIA_TYPES)
        if words:
            out.media = pack_words(desk, words, self.media, self.helper.media_of)
        return 0

    cdef uint32_t pack_signers(self, Desk desk, tuple signers, uint32_t sender,
                               uint32_t position) except? 0xFFFFFFFF:
        """Write each signature's units as positions; return the place of the first."""
        cdef uint32_t first = <uint32_t>desk.pool_count, at, found
        cdef tuple units
        cdef int64_t number
        if not signers:
            return 0
        for units in signers:
            at = desk.push(0)
            for unit in units:
                number = number_of(unit)
                found = NOBODY
                if number == sender:
                    found = position
                elif 1 <= number <= 0xFFFFFFFE:
                    found = find_number(&self.hierarchy.tables, <uint32_t>number)
                if found != NOBODY:
                    desk.push(found)
                    desk.pool[at] += 1
        return first

    cdef int fetch_wanted(self, Desk desk) except -1:
        """Evaluate the sets that were asked for, and remember them at this desk."""
        cdef Audience members
        cdef size_t i
        cdef uint64_t key
        for i in range(desk.space.wanted_count):
            key = desk.space.wanted[i]
            members = self.helper.members(<uint32_t>(key >> 32), <uint32_t>key)
            self.hierarchy.check(members)
            desk.held.append(members)
            if fill_slot(&desk.space, key, members.data, members.count) != DONE:
                raise MemoryError
        return 0
