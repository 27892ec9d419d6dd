# cython: language_level=3
"""The compiled core: the hierarchy of one snapshot, and the door to its siblings.

Every argument is checked here, before a pointer is touched: a position out of range raises
IndexError, an audience or program that reaches past the snapshot ValueError.  A hierarchy
is built whole in `__cinit__` and only read afterwards, so threads may share it.  The plain
C work stands in `_tables` (building), `_machine` (running programs) and `_audience`; the
GIL is released once around a batch.
"""

from cpython cimport array
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stdint cimport uint8_t, uint32_t
from libc.stdlib cimport calloc, free, qsort
from libc.string cimport memset
cimport cython

import array
import hashlib

from router._audience cimport Audience, Program, bounded, copied
from router._machine cimport (
    CODE_ALL, CODE_CHILDREN, CODE_CLASS, CODE_DESCENDANTS, CODE_DIFFERENCE, CODE_INTERSECTION,
    CODE_KIND, CODE_NONE, CODE_PARENT, CODE_SET, CODE_SIBLINGS, CODE_SUBTREE, CODE_TIER,
    CODE_UNION, CODE_UNIT, Plan, run_plans,
)
from router._rollup cimport Tally, tally_all, tally_below
from router._tables cimport (
    CYCLE, DONE, DUPLICATE_NUMBER, MISSING_PARENT, NO_MEMORY, NOBODY, TOO_DEEP,
    TOO_MANY_GROUPS, Node, Run, Status, Tables, build_tables, common_ancestor, find_block,
    find_number, free_tables,
)

from router._audience import runs_contain
from router.limits import HIERARCHY_DEPTH_MAX, UNITS_MAX

__all__ = [
    "OP_ALL", "OP_CHILDREN", "OP_CLASS", "OP_DESCENDANTS", "OP_DIFFERENCE", "OP_INTERSECTION",
    "OP_KIND", "OP_NONE", "OP_PARENT", "OP_SET", "OP_SIBLINGS", "OP_SUBTREE", "OP_TIER",
    "OP_UNION", "OP_UNIT", "Audience", "Hierarchy", "Program", "runs_contain",
]

# A cimported class is no attribute of this module until it is made one.
globals().update(Audience=Audience, Program=Program)

OP_UNIT = CODE_UNIT
OP_ALL = CODE_ALL
OP_CHILDREN = CODE_CHILDREN
OP_DESCENDANTS = CODE_DESCENDANTS
OP_TIER = CODE_TIER
OP_KIND = CODE_KIND
OP_CLASS = CODE_CLASS
OP_UNION = CODE_UNION
OP_DIFFERENCE = CODE_DIFFERENCE
OP_INTERSECTION = CODE_INTERSECTION
OP_NONE = CODE_NONE
OP_SET = CODE_SET
OP_PARENT = CODE_PARENT
OP_SIBLINGS = CODE_SIBLINGS
OP_SUBTREE = CODE_SUBTREE

cdef uint32_t COUNT_MAX = UNITS_MAX
cdef uint32_t DEPTH_MAX = HIERARCHY_DEPTH_MAX
cdef array.array NUMBERS = array.array("I")
cdef object LATER = object()  # instead of units: `hierarchy_of` builds it
assert NUMBERS.itemsize == 4, "an unsigned int has 32 bits on every platform served"


cdef int by_number(const void *a, const void *b) noexcept nogil:
    cdef uint32_t x = (<const uint32_t *>a)[0]
    cdef uint32_t y = (<const uint32_t *>b)[0]
    return (x > y) - (x < y)


cdef int read_nodes(list units, Node *nodes) except -1:
    """Copy (number, tier, kind, parent) rows into C data, checking each value."""
    cdef size_t i = 0
    for row in units:
        number, tier, kind, parent = row
        nodes[i].number = bounded(number, 0xFFFFFFFE, "a unit's number")
        nodes[i].tier = <uint8_t>bounded(tier, 255, "a tier")
        nodes[i].kind = bounded(kind, 65_535, "a kind")
        nodes[i].parent = bounded(parent, 0xFFFFFFFE, "a parent's number")
        if nodes[i].number == 0:
            raise ValueError("a unit's number must be positive")
        i += 1
    return 0


cdef int complain(Status status, uint32_t unit) except -1:
    """Turn a status of building into its exception."""
    if status == NO_MEMORY:
        raise MemoryError
    if status == DUPLICATE_NUMBER:
        raise ValueError(f"unit number {unit} stands twice")
    if status == MISSING_PARENT:
        raise ValueError(f"the parent of unit {unit} is not among the units")
    if status == CYCLE:
        raise ValueError(f"unit {unit} is its own ancestor, or below such a unit")
    if status == TOO_DEEP:
        raise ValueError(f"unit {unit} lies deeper than {DEPTH_MAX} levels")
    if status == TOO_MANY_GROUPS:
        raise ValueError("more than 65,535 pairs of tier and kind occur")
    return 0


cdef Hierarchy hierarchy_of(Node *nodes, uint32_t count):
    """Compile nodes that were checked before (reordered in place).  Raises as `Hierarchy`."""
    cdef Hierarchy made = Hierarchy.__new__(Hierarchy, LATER)
    made.build(nodes, count)
    return made


@cython.final
cdef class Hierarchy:
    """One compiled snapshot, its units numbered tier-major: by (tier, kind, preorder).

    Rows are (stable number, tier 0..255, kind 0..65535, the parent's stable number or 0
    for a root).  Raises ValueError for a value out of range, a number that stands twice,
    a missing parent, a cycle, a tree deeper than HIERARCHY_DEPTH_MAX levels or more than
    UNITS_MAX units; TypeError for a value that is no int.
    """

    def __cinit__(self, units):
        cdef list given
        cdef uint32_t count
        cdef Node *nodes
        if units is LATER:
            return
        given = list(units)
        if len(given) > COUNT_MAX:
            raise ValueError(f"a hierarchy has at most {COUNT_MAX} units")
        count = <uint32_t>len(given)
        nodes = <Node *>calloc(count + <size_t>1, sizeof(Node))
        if nodes == NULL:
            raise MemoryError
        try:
            read_nodes(given, nodes)
            self.build(nodes, count)
        finally:
            free(nodes)

    cdef int build(self, Node *nodes, uint32_t count) except -1:
        """Build the tables, once; the GIL is released meanwhile."""
        cdef uint32_t culprit = 0
        cdef Status status
        with nogil:
            status = build_tables(&self.tables, nodes, count, DEPTH_MAX, &culprit)
        return complain(status, culprit)

    def __dealloc__(self):
        free_tables(&self.tables)

    def __reduce__(self):
        raise TypeError("a hierarchy is compiled from its units, not pickled")

    cdef uint32_t at(self, object position) except? 0xFFFFFFFF:
        """Return a checked position; raise IndexError."""
        if not isinstance(position, int):
            raise TypeError("a position is an int")
        if position < 0 or position >= self.tables.size:
            raise IndexError(f"no position {position} among {self.tables.size}")
        return position

    cdef int check(self, Audience audience) except -1:
        """Refuse an audience that reaches past this snapshot."""
        if audience is None:
            raise TypeError("an audience is needed")
        if audience.count and audience.data[audience.count - 1].stop > self.tables.size:
            raise ValueError("the audience belongs to another, larger snapshot")
        return 0

    cdef int admit(self, Program program) except -1:
        """Refuse a program that names a position past this snapshot."""
        if program is None:
            raise TypeError("a program is needed")
        if program.reach > self.tables.size:
            raise ValueError("the program names a position outside this snapshot")
        return 0

    @property
    def size(self):
        """How many units the snapshot has."""
        return self.tables.size

    def __len__(self):
        return self.tables.size

    @property
    def memory_bytes(self):
        """Bytes of memory the tables take."""
        return self.tables.bytes + sizeof(Tables)

    def position(self, number):
        """Return the position of a stable number, or -1 when no unit here has it."""
        cdef uint32_t found
        if not isinstance(number, int):
            raise TypeError("a stable number is an int")
        if number < 1 or number > 0xFFFFFFFE:
            return -1
        found = find_number(&self.tables, number)
        return -1 if found == NOBODY else found

    def number(self, position):
        """Return the stable number of a unit."""
        return self.tables.number[self.at(position)]

    def tier(self, position):
        """Return the tier of a unit."""
        return self.tables.tier[self.at(position)]

    def kind(self, position):
        """Return the kind of a unit."""
        return self.tables.kind[self.at(position)]

    def parent(self, position):
        """Return the position of a unit's parent, or -1 for a root."""
        cdef uint32_t above = self.tables.parent[self.at(position)]
        return -1 if above == NOBODY else above

    def ancestors(self, position):
        """Return the positions above a unit, nearest first."""
        cdef uint32_t above = self.tables.parent[self.at(position)]
        cdef list found = []
        while above != NOBODY:
            found.append(above)
            above = self.tables.parent[above]
        return tuple(found)

    def with_tags(self, sets):
        """Return the units whose set of tags has one of these numbers (1 to 65,535)."""
        cdef uint8_t[65536] wanted
        cdef uint32_t p
        cdef list found = []
        memset(&wanted, 0, sizeof(wanted))
        for number in sets:
            wanted[bounded(number, 65_535, "the number of a set of tags")] = 1
        for p in range(self.tables.size):
            if wanted[self.tables.tags[p]]:
                found.append(p)
        return Audience.from_positions(found)

    def everything(self):
        """Return the audience of all units."""
        return copied(&self.tables.everything, self.tables.size != 0)

    def children(self, position):
        """Return the units directly below one."""
        cdef uint32_t p = self.at(position)
        cdef const uint32_t *first = self.tables.children_first
        return copied(self.tables.children_runs + first[p], first[p + 1] - first[p])

    def descendants(self, position):
        """Return all units below one, without itself."""
        cdef uint32_t p = self.at(position)
        cdef const uint32_t *first = self.tables.below_first
        return copied(self.tables.below_runs + first[p], first[p + 1] - first[p])

    def evaluate(self, Program program not None):
        """Return what one program selects.

        Keeps the GIL unless the program asks for the units below a set of several: giving
        it up costs more than running the rest.  Raises ValueError for a program that names
        a position outside this snapshot.
        """
        cdef Plan plan
        cdef Run *answer = NULL
        cdef size_t length = 0
        cdef Status status
        self.admit(program)
        plan.ops = program.ops
        plan.count = program.count
        plan.stack_max = program.stack_max
        plan.sets = program.sets
        if program.quick:
            status = run_plans(&self.tables, &plan, 1, &answer, &length)
        else:
            with nogil:
                status = run_plans(&self.tables, &plan, 1, &answer, &length)
        try:
            if status != DONE:
                raise MemoryError
            return copied(answer, length)
        finally:
            free(answer)

    def evaluate_batch(self, programs):
        """Return what each program selects, in order; the GIL is released once.

        Raises ValueError, before anything runs, if one names a position outside this
        snapshot, and TypeError for what is no program.
        """
        cdef list held = list(programs)  # kept alive while the GIL is released
        cdef size_t i, count = len(held)
        cdef Program program
        cdef Status status = NO_MEMORY
        cdef Plan *plans = <Plan *>calloc(count + 1, sizeof(Plan))
        cdef size_t *lengths = <size_t *>calloc(count + 1, sizeof(size_t))
        cdef Run *pool = NULL
        cdef size_t used = 0
        cdef list made = []
        try:
            if plans == NULL or lengths == NULL:
                raise MemoryError
            for i in range(count):
                if not isinstance(held[i], Program):
                    raise TypeError("a batch holds programs")
                program = held[i]
                self.admit(program)
                plans[i].ops = program.ops
                plans[i].count = program.count
                plans[i].stack_max = program.stack_max
                plans[i].sets = program.sets
            with nogil:
                status = run_plans(&self.tables, plans, count, &pool, lengths)
            if status != DONE:
                raise MemoryError
            for i in range(count):
                made.append(copied(pool + used, lengths[i]))
                used += lengths[i]
            return made
        finally:
            free(plans)
            free(pool)
            free(lengths)

    def numbers(self, Audience audience not None):
        """Return the members' stable numbers in ascending order, as 32-bit numbers.

        Raises ValueError for an audience that reaches past this snapshot.
        """
        cdef array.array out
        cdef uint32_t *into
        cdef uint8_t *marks
        cdef size_t i, filled = 0
        cdef uint32_t p
        self.check(audience)
        out = array.clone(NUMBERS, <Py_ssize_t>audience.size, zero=False)
        into = <uint32_t *>out.data.as_uints
        if audience.size <= 64:
            for i in range(audience.count):
                for p in range(audience.data[i].start, audience.data[i].stop):
                    into[filled] = self.tables.number[p]
                    filled += 1
            qsort(into, filled, sizeof(uint32_t), &by_number)
            return out
        marks = <uint8_t *>calloc(self.tables.size, 1)
        if marks == NULL:
            raise MemoryError
        for i in range(audience.count):
            for p in range(audience.data[i].start, audience.data[i].stop):
                marks[self.tables.rank[p]] = 1
        for p in range(self.tables.size):
            if marks[p]:
                into[filled] = self.tables.number[self.tables.ranked[p]]
                filled += 1
        free(marks)
        return out

    def digest(self, Audience audience not None):
        """Return the SHA-256 over the members' stable numbers, ascending, 4 bytes each,
        most significant first: the same set has the same digest under every snapshot."""
        cdef array.array numbers = self.numbers(audience)
        cdef bytes data = PyBytes_FromStringAndSize(NULL, <Py_ssize_t>(4 * audience.size))
        cdef uint8_t *raw = <uint8_t *>PyBytes_AS_STRING(data)
        cdef size_t i
        cdef uint32_t number
        for i in range(audience.size):
            number = numbers.data.as_uints[i]
            raw[4 * i] = number >> 24
            raw[4 * i + 1] = (number >> 16) & 0xFF
            raw[4 * i + 2] = (number >> 8) & 0xFF
            raw[4 * i + 3] = number & 0xFF
        return hashlib.sha256(data).digest()

    def topics(self, Audience audience not None):
        """Return one (ancestor's stable number or 0, tier, kind) a run, without repeats.

        Runs are cut where tier or kind changes.  The ancestor is the lowest unit above
        both ends of the run (a run of one: the unit itself), so it is above all between;
        0 stands for the whole country.  Topics only find candidates: more units may
        subscribe to one than are members.
        """
        cdef dict found = {}
        cdef const Tables *t = &self.tables
        cdef size_t i
        cdef uint32_t start, stop, block, ancestor
        self.check(audience)
        for i in range(audience.count):
            start = audience.data[i].start
            block = find_block(t, start)
            while start < audience.data[i].stop:
                stop = audience.data[i].stop
                if stop > t.blocks[block].stop:
                    stop = t.blocks[block].stop
                ancestor = common_ancestor(t, start, stop - 1)
                number = 0 if ancestor == NOBODY else t.number[ancestor]
                found[(number, t.blocks[block].tier, t.blocks[block].kind)] = None
                start = stop
                block += 1
        return list(found)

    def subscriptions(self, position):
        """Return the topics that find a unit: for itself, each ancestor and 0 (the whole
        country) its own tier and kind.  Every audience it is a member of has one of them."""
        cdef uint32_t p = self.at(position)
        cdef uint32_t above = p
        cdef list found = []
        tier = self.tables.tier[p]
        kind = self.tables.kind[p]
        while above != NOBODY:
            found.append((self.tables.number[above], tier, kind))
            above = self.tables.parent[above]
        found.append((0, tier, kind))
        return found

    def count_by_class(self, Audience audience not None):
        """Return how many members there are of each (tier, kind) that has any."""
        cdef dict found = {}
        cdef size_t i
        cdef uint32_t start, stop, block
        self.check(audience)
        for i in range(audience.count):
            start = audience.data[i].start
            block = find_block(&self.tables, start)
            while start < audience.data[i].stop:
                stop = audience.data[i].stop
                if stop > self.tables.blocks[block].stop:
                    stop = self.tables.blocks[block].stop
                key = (self.tables.blocks[block].tier, self.tables.blocks[block].kind)
                found[key] = found.get(key, 0) + (stop - start)
                start = stop
                block += 1
        return found

    def overlap(self, Audience audience not None, position):
        """Return how many members lie at or below a unit."""
        cdef uint32_t p = self.at(position)
        cdef uint32_t low, high
        cdef size_t i, j, end, total
        cdef const Run *below = self.tables.below_runs
        self.check(audience)
        total = p in audience
        i = 0
        j = self.tables.below_first[p]
        end = self.tables.below_first[p + 1]
        while i < audience.count and j < end:
            low = max(audience.data[i].start, below[j].start)
            high = min(audience.data[i].stop, below[j].stop)
            if low < high:
                total += high - low
            if audience.data[i].stop < below[j].stop:
                i += 1
            else:
                j += 1
        return total

    def count_by_tier(self, Audience audience not None):
        """Return for each tier that occurs in the snapshot (members of it, units of it)."""
        cdef Tally tally
        self.check(audience)
        tally_all(&self.tables, audience.data, audience.count, &tally)
        return told(&tally)

    def roll_up(self, Audience audience not None, positions):
        """Return for each unit at `positions`, in order, a dict of its subtree's tiers:
        tier -> (members at or below the unit, all units at or below it).

        Raises IndexError for a bad position, ValueError for another snapshot's audience.
        """
        cdef Tally tally
        cdef uint32_t p
        cdef list rows = []
        self.check(audience)
        for position in positions:
            p = self.at(position)
            tally_below(&self.tables, audience.data, audience.count, p, &tally)
            rows.append(told(&tally))
        return rows


cdef dict told(const Tally *tally):
    """Return the counts of the tiers that occur."""
    cdef size_t i
    return {
        i: (tally.members[i], tally.units[i]) for i in range(256) if tally.units[i]
    }
