# cython: language_level=3
"""Selector programs and audiences as Python objects.

Every argument is checked here, before a pointer is touched: a value out of range raises
ValueError, one of another type TypeError.  Nothing is built by halves, because all of it
happens in `__cinit__` or before an object exists, and nothing changes afterwards, so
threads may share these objects.
"""

from cpython cimport array
from cpython.buffer cimport (
    PyBUF_C_CONTIGUOUS, PyBUF_FORMAT, PyBuffer_Release, PyObject_GetBuffer,
)
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport uint8_t, uint32_t
from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memcmp, memcpy
cimport cython

import array

from router._machine cimport (
    CODE_CLASS, CODE_DIFFERENCE, CODE_INTERSECTION, CODE_KIND, CODE_SET, CODE_SUBTREE, CODE_TIER,
    CODE_UNION, CODE_UNIT, Constant, Op, relates,
)
from router._tables cimport (
    Run, intersect, load_uint32, push_run, store_uint32, subtract, unite,
)

from router.limits import SELECTOR_NODES_MAX, UNITS_MAX

__all__ = ["Audience", "Program", "runs_contain"]

cdef uint32_t POSITIONS_MAX = UNITS_MAX
cdef size_t OPS_MAX = 4 * SELECTOR_NODES_MAX
cdef array.array NUMBERS = array.array("I")
assert NUMBERS.itemsize == 4, "unsigned int has 32 bits on every platform served"


cdef uint32_t bounded(object value, uint32_t most, str what) except? 0xFFFFFFFF:
    """Return an int between 0 and `most`, or raise ValueError (TypeError for no int)."""
    if not isinstance(value, int):
        raise TypeError(f"{what} must be an int")
    if value < 0 or value > most:
        raise ValueError(f"{what} must lie between 0 and {most}")
    return value


@cython.final
cdef class Program:
    """A compiled selector: postfix operations `(op, a, b)`; `b` is reserved and 0.

    `a` is the position for OP_UNIT, the tier for OP_TIER, the kind for OP_KIND, both at once
    for OP_CLASS (tier * 65,536 + kind), the place in `sets` for OP_SET, else 0.  The
    audiences in `sets` are of the snapshot that the program will run on.  Raises ValueError
    for an unknown operation, a value out of range, or a stack effect that does not end with
    exactly one set, and TypeError for what is no audience; a program that exists can be run.
    """

    def __cinit__(self, ops, sets=()):
        cdef list given = list(ops)
        cdef size_t i, height = 0
        cdef uint32_t code, value
        if not given or <size_t>len(given) > OPS_MAX:
            raise ValueError(f"a program has between 1 and {OPS_MAX} operations")
        self.ops = <Op *>malloc(len(given) * sizeof(Op))
        if self.ops == NULL:
            raise MemoryError
        self.quick = True
        self.hold(tuple(sets))
        for i in range(<size_t>len(given)):
            op, a, b = given[i]
            code = bounded(op, 255, "an operation")
            value = bounded(a, operand_limit(code, len(self.held)), "an operation's value")
            bounded(b, 0, "the reserved value")
            if code in (CODE_UNION, CODE_DIFFERENCE, CODE_INTERSECTION):
                if height < 2:
                    raise ValueError(f"operation {i} needs two sets")
                height -= 1
            elif relates(code):
                if height < 1:
                    raise ValueError(f"operation {i} needs a set")
                if self.ops[i - 1].code != CODE_UNIT:
                    self.quick = False
            else:
                height += 1
            if code == CODE_UNIT and value >= self.reach:
                self.reach = value + <size_t>1
            if height > self.stack_max:
                self.stack_max = height
            self.ops[i].code = code
            self.ops[i].value = value
            self.count = i + 1
        if height != 1:
            raise ValueError(f"a program must leave one set, not {height}")

    def __dealloc__(self):
        free(self.ops)
        free(self.sets)

    cdef int hold(self, tuple sets) except -1:
        """Keep the constant sets; their runs never change while they are kept."""
        cdef Audience one
        cdef size_t i = 0
        if <size_t>len(sets) > OPS_MAX:
            raise ValueError(f"a program has at most {OPS_MAX} sets")
        self.held = sets
        self.sets = <Constant *>malloc((len(sets) + <size_t>1) * sizeof(Constant))
        if self.sets == NULL:
            raise MemoryError
        for given in sets:
            if not isinstance(given, Audience):
                raise TypeError("a program's sets are audiences")
            one = given
            self.sets[i].runs = one.data
            self.sets[i].count = one.count
            if one.count and one.data[one.count - 1].stop > self.reach:
                self.reach = one.data[one.count - 1].stop
            i += 1
        return 0

    def __len__(self):
        return self.count

    def __reduce__(self):
        cdef size_t i
        ops = [(self.ops[i].code, self.ops[i].value, 0) for i in range(self.count)]
        return (Program, (ops, self.held))


cdef uint32_t operand_limit(uint32_t code, size_t sets) except? 0xFFFFFFFF:
    """Return the largest value an operation may carry; raise ValueError if there is none."""
    if code == CODE_SET:
        if sets == 0:
            raise ValueError("the program has no set")
        return <uint32_t>(sets - 1)
    if code == CODE_UNIT:
        return POSITIONS_MAX - 1
    if code == CODE_TIER:
        return 255
    if code == CODE_KIND:
        return 65_535
    if code == CODE_CLASS:
        return 0xFFFFFF
    if CODE_UNIT <= code <= CODE_SUBTREE:
        return 0
    raise ValueError(f"no operation {code}")


cdef Audience own(Run *data, size_t count):
    """Wrap malloc'd runs, taking ownership also when this raises."""
    cdef Audience made
    cdef size_t i
    if count <= SMALL_RUNS:
        try:
            return copied(data, count)
        finally:
            free(data)
    try:
        made = Audience.__new__(Audience)
    except BaseException:
        free(data)
        raise
    made.data = data
    made.count = count
    for i in range(count):
        made.size += data[i].stop - data[i].start
    return made


cdef Audience copied(const Run *data, size_t count):
    """Make an audience of runs that live elsewhere."""
    cdef Audience made
    cdef Run *runs
    cdef size_t i
    if count > SMALL_RUNS:
        runs = <Run *>malloc(count * sizeof(Run))
        if runs == NULL:
            raise MemoryError
        memcpy(runs, data, count * sizeof(Run))
        return own(runs, count)
    made = Audience.__new__(Audience)
    for i in range(count):
        made.small[i] = data[i]
        made.size += data[i].stop - data[i].start
    made.data = made.small
    made.count = count
    return made


cdef Audience joined(Audience a, Audience b, uint32_t code):
    """Return a | b, a - b or a & b."""
    cdef size_t count
    cdef Run *runs = <Run *>malloc((a.count + b.count + 1) * sizeof(Run))
    cdef Run *smaller
    if runs == NULL:
        raise MemoryError
    if code == CODE_UNION:
        count = unite(a.data, a.count, b.data, b.count, runs)
    elif code == CODE_DIFFERENCE:
        count = subtract(a.data, a.count, b.data, b.count, runs)
    else:
        count = intersect(a.data, a.count, b.data, b.count, runs)
    smaller = <Run *>realloc(runs, (count + 1) * sizeof(Run))
    return own(runs if smaller == NULL else smaller, count)


cdef inline bint holds(const Run *runs, size_t count, uint32_t position) noexcept nogil:
    """Say whether a position is in the set, without a branch a step.

    A branch on a random answer is guessed wrong every other time, which costs more than the
    step: on thousands of runs this is more than twice as fast.
    """
    cdef size_t base = 0, left = count, half
    if count == 0:
        return False
    while left > 1:
        half = left >> 1
        base += half & (<size_t>0 - <size_t>(runs[base + half - 1].stop <= position))
        left -= half
    return runs[base].start <= position < runs[base].stop


@cython.final
@cython.freelist(1024)
cdef class Audience:
    """An immutable set of positions of one snapshot, kept as runs `[start, stop)`.

    `Audience()` is the empty one.  It does not know its snapshot: the caller keeps the
    two together (a stored audience is snapshot number and runs).
    """

    def __cinit__(self):
        self.cached_hash = -1

    def __dealloc__(self):
        if self.data != self.small:
            free(self.data)

    @staticmethod
    def from_bytes(data):
        """Read the form `to_bytes` writes.  Raises ValueError when it is not that form:
        runs empty, touching, out of order, or past `UNITS_MAX`."""
        cdef bytes source
        cdef size_t count, i
        cdef const uint8_t *raw
        cdef Run *runs
        cdef bint good = True
        if not isinstance(data, (bytes, bytearray, memoryview)):
            raise TypeError("runs are bytes")
        source = bytes(data)
        count = <size_t>PyBytes_GET_SIZE(source) // 8
        if PyBytes_GET_SIZE(source) % 8 or count > POSITIONS_MAX:
            raise ValueError("the length of stored runs is not a multiple of 8, or too large")
        raw = <const uint8_t *>PyBytes_AS_STRING(source)
        runs = <Run *>malloc((count + 1) * sizeof(Run))
        if runs == NULL:
            raise MemoryError
        for i in range(count):
            runs[i].start = load_uint32(raw + 8 * i)
            runs[i].stop = load_uint32(raw + 8 * i + 4)
            if runs[i].start >= runs[i].stop or runs[i].stop > POSITIONS_MAX or (
                i and runs[i].start <= runs[i - 1].stop
            ):
                good = False
                break
        if not good:
            free(runs)
            raise ValueError(f"stored run {i} is empty, out of order or out of range")
        return own(runs, count)

    @staticmethod
    def from_positions(positions):
        """Make the audience of some positions, in any order, repeats allowed.

        Raises ValueError for one below 0 or not below `UNITS_MAX`.
        """
        cdef list ordered = sorted(set(positions))
        cdef uint32_t position
        cdef size_t count = 0
        cdef Run *runs = <Run *>malloc((len(ordered) + <size_t>1) * sizeof(Run))
        if runs == NULL:
            raise MemoryError
        try:
            for value in ordered:
                position = bounded(value, POSITIONS_MAX - 1, "a position")
                count = push_run(runs, count, position, position + 1)
        except BaseException:
            free(runs)
            raise
        return own(runs, count)

    def to_bytes(self):
        """Return the stored form: for each run start and stop, 4 bytes each, little-endian."""
        cdef bytes out = PyBytes_FromStringAndSize(NULL, <Py_ssize_t>(8 * self.count))
        cdef uint8_t *raw = <uint8_t *>PyBytes_AS_STRING(out)
        cdef size_t i
        for i in range(self.count):
            store_uint32(raw + 8 * i, self.data[i].start)
            store_uint32(raw + 8 * i + 4, self.data[i].stop)
        return out

    @property
    def runs(self):
        """The runs, ascending, no two touching."""
        cdef size_t i
        return tuple([(self.data[i].start, self.data[i].stop) for i in range(self.count)])

    def positions(self):
        """Return the members in ascending order, as an array of 32-bit numbers."""
        cdef array.array out = array.clone(NUMBERS, <Py_ssize_t>self.size, zero=False)
        cdef size_t i, filled = 0
        cdef uint32_t position
        for i in range(self.count):
            for position in range(self.data[i].start, self.data[i].stop):
                out.data.as_uints[filled] = position
                filled += 1
        return out

    def __len__(self):
        return self.size

    def __contains__(self, position):
        if not isinstance(position, int) or position < 0 or position >= POSITIONS_MAX:
            return False
        return holds(self.data, self.count, position)

    def contains_many(self, positions):
        """Say of each position whether it is a member: one byte each, 0 or 1, in order.

        `positions` is a contiguous buffer of unsigned 32-bit numbers of this machine, such
        as `array("I")`; the GIL is released meanwhile.  Raises TypeError for another.
        """
        cdef Py_buffer given
        cdef bytes out
        cdef uint8_t *raw
        cdef const uint32_t *asked
        cdef size_t i, count
        PyObject_GetBuffer(positions, &given, PyBUF_FORMAT | PyBUF_C_CONTIGUOUS)
        try:
            if given.itemsize != 4 or given.format == NULL or given.format != b"I":
                raise TypeError("positions are unsigned 32-bit numbers")
            count = <size_t>given.len // 4
            out = PyBytes_FromStringAndSize(NULL, <Py_ssize_t>count)
            raw = <uint8_t *>PyBytes_AS_STRING(out)
            asked = <const uint32_t *>given.buf
            with nogil:
                for i in range(count):
                    raw[i] = holds(self.data, self.count, asked[i])
        finally:
            PyBuffer_Release(&given)
        return out

    def __eq__(self, other):
        cdef Audience b
        if not isinstance(other, Audience):
            return NotImplemented
        b = other
        return self.count == b.count and (
            self.count == 0 or memcmp(self.data, b.data, self.count * sizeof(Run)) == 0
        )

    def __hash__(self):
        if self.cached_hash == -1:
            self.cached_hash = hash(self.to_bytes())
        return self.cached_hash

    def __or__(self, other):
        if not isinstance(self, Audience) or not isinstance(other, Audience):
            return NotImplemented
        return joined(self, other, CODE_UNION)

    def __and__(self, other):
        if not isinstance(self, Audience) or not isinstance(other, Audience):
            return NotImplemented
        return joined(self, other, CODE_INTERSECTION)

    def __sub__(self, other):
        if not isinstance(self, Audience) or not isinstance(other, Audience):
            return NotImplemented
        return joined(self, other, CODE_DIFFERENCE)

    def __repr__(self):
        return f"Audience({self.size} members in {self.count} runs)"

    def __reduce__(self):
        return (Audience.from_bytes, (self.to_bytes(),))


def runs_contain(bytes runs not None, position):
    """Say whether a position is in an audience's stored form: a binary search in place.

    Raises ValueError when the length is not a multiple of 8; trusts the rest, which
    `Audience.to_bytes` wrote.  Any bytes are safe to ask.
    """
    cdef const uint8_t *raw = <const uint8_t *>PyBytes_AS_STRING(runs)
    cdef size_t low = 0, high = PyBytes_GET_SIZE(runs) // 8, middle
    cdef size_t count = high
    cdef uint32_t wanted
    if PyBytes_GET_SIZE(runs) % 8:
        raise ValueError("the length of stored runs is not a multiple of 8")
    if not isinstance(position, int) or position < 0 or position >= POSITIONS_MAX:
        return False
    wanted = position
    while low < high:
        middle = (low + high) >> 1
        if wanted < load_uint32(raw + 8 * middle + 4):
            high = middle
        else:
            low = middle + 1
    return low < count and load_uint32(raw + 8 * low) <= wanted
