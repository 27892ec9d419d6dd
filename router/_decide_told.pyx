# cython: language_level=3
"""Makes the decisions that a caller sees, with the GIL held.

A batch makes several objects a document, so each is made once and at its size: tuples are
filled in place, and the few instants that documents of one batch share are one int each.
"""

from cpython.bytes cimport PyBytes_AS_STRING
from cpython.ref cimport Py_INCREF
from cpython.tuple cimport PyTuple_New, PyTuple_SET_ITEM
from libc.stdint cimport int64_t, uint32_t
cimport cython

from array import array

from router._audience cimport Audience, copied
from router._decide_conditions cimport CALENDAR, NOT_REFUSED, Answer, Approval, Part, note_year
from router._decide_tables cimport Piece

__all__ = ["Instants", "Teller"]

cdef enum:
    APPROVALS_MOST = 32       # bits of `Part.approvals`


@cython.final
cdef class Instants:
    """The last few instants told, as objects."""

    def __cinit__(self):
        self.made = [0, 0, 0, 0]

    def __reduce__(self):
        raise TypeError("what was told last is not pickled")

    cdef object of(self, int64_t value):
        """Return an instant (microseconds since 1970) as an int, the same one if just told."""
        cdef uint32_t i
        for i in range(4):
            if self.values[i] == value:
                return self.made[i]
        i = self.next & 3
        self.next += 1
        self.values[i] = value
        self.made[i] = value
        return self.made[i]


@cython.final
cdef class Teller:
    """Knows the classes of decisions and what the numbers in an answer stand for."""

    def __cinit__(self, *, helper, decision, held_part, refusals, approvals, version):
        self.helper, self.decision, self.held_part = helper, decision, held_part
        self.refusals = tuple(refusals)
        if len(self.refusals) != 7:
            raise ValueError("there are seven answers")
        self.approvals = array("I", approvals)
        self.version = version

        self.nobody = Audience()

    def __reduce__(self):
        raise TypeError("a teller is not pickled")

    cdef list tell(self, Answer *answers, list given, bytes terms):
        """Make the decisions of a batch; `given` are the audiences it was asked about."""
        cdef Instants known = Instants()
        cdef size_t i
        return [
            self.show(&answers[i], given[i], terms, known) for i in range(<size_t>len(given))
        ]

    cdef object show(self, Answer *answer, Audience given, bytes terms, Instants known):
        """Make one decision."""
        cdef tuple held = self.show_held(answer, terms, known)
        if answer.missing_year and (
            answer.refused == NOT_REFUSED or answer.refused > CALENDAR
        ):
            answer.refused = CALENDAR
            answer.refusal_rule = 0
        return self.decision(
            audience_of(&answer.effective, given, self.nobody),
            audience_of(&answer.excluded, given, self.nobody),
            audience_of(&answer.added, given, self.nobody),
            held, answer.lane, numbers(answer.rules, answer.rule_count), self.version,
            known.of(answer.deadline), known.of(answer.send_by), answer.retention,
            self.refusals[<int>answer.refused], answer.refusal_rule,
            True if answer.quarantine else False, True if answer.information_only else False,
            answer.missing_year,
        )

    cdef tuple show_held(self, Answer *answer, bytes terms, Instants known):
        """Make the held parts; a year without data is noted in the answer."""
        cdef const int64_t *instants = <const int64_t *>PyBytes_AS_STRING(terms)
        cdef Approval *one
        cdef size_t i
        if answer.approval_count == 0:
            return ()
        if answer.parts == NULL:
            needed = []
            for i in range(answer.approval_count):
                one = &answer.approvals[i]
                units = copied(one.units.runs, one.units.count)
                needed.append((one.rule, self.approvals[one.approval - 1], units))
            parts, year = self.helper.parts(needed, terms)
            note_year(answer, year)
            return parts
        if answer.part_count == 1:
            return (self.show_part(answer, 0, instants, known),)
        return tuple(
            [self.show_part(answer, i, instants, known) for i in range(answer.part_count)]
        )

    cdef object show_part(self, Answer *answer, size_t place, const int64_t *instants,
                          Instants known):
        """Make one held part: who waits, for which rules' approvals, until when."""
        cdef const Part *part = &answer.parts[place]
        cdef uint32_t[APPROVALS_MOST] rules
        cdef uint32_t rule
        cdef int64_t expiry = -0x7FFFFFFF, found
        cdef size_t i, j, count = 0
        for i in range(answer.approval_count):
            if not part.approvals >> i & 1:
                continue
            rule = answer.approvals[i].rule
            j = count
            while j and rules[j - 1] > rule:
                rules[j] = rules[j - 1]
                j -= 1
            rules[j] = rule
            count += 1
            found = instants[self.approvals[answer.approvals[i].approval - 1]]
            # Fewer days: an earlier instant; without data only if more days are, too.
            if expiry <= 0 and found > expiry or 0 < found < expiry:
                expiry = found
        if expiry <= 0:
            note_year(answer, <uint32_t>-expiry)
            expiry = 0
        return self.held_part(
            copied(part.units.runs, part.units.count), numbers(rules, count), known.of(expiry)
        )


cdef tuple numbers(const uint32_t *values, size_t count):
    """Make a tuple of numbers."""
    cdef tuple made = PyTuple_New(<Py_ssize_t>count)
    cdef object one
    cdef size_t i
    for i in range(count):
        one = values[i]
        Py_INCREF(one)  # the tuple takes one reference over
        PyTuple_SET_ITEM(made, <Py_ssize_t>i, one)
    return made


cdef Audience audience_of(const Piece *piece, Audience given, Audience nobody):
    """Make an audience of a piece; the one that came in is shared when nothing changed."""
    if piece.count == 0:
        return nobody
    if piece.runs == given.data:
        return given
    return copied(piece.runs, piece.count)
