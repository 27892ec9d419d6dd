# cython: language_level=3
"""What is asked of one document and what is answered, and which rules apply to it.

The contract of `_decide_conditions.pyx`; no Python object is touched.
"""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t

from router._decide_tables cimport Piece, Policy, Stance, Workspace


cdef enum Hours:
    OUTSIDE_HOURS = 0
    WORKING_HOURS = 1
    HOURS_UNKNOWN = 2


cdef enum Refusal:  # as router.model.decisions.Refused
    NOT_REFUSED = 0
    SENDER_NOT_THEN = 1
    CALENDAR = 2
    UNSIGNED = 3
    FORBIDDEN = 4
    REQUIREMENT = 5
    NOBODY_LEFT = 6


cdef struct Instant:  # what all documents of a call share
    int32_t day              # of acceptance, days since year 1 in Vietnam time
    uint32_t year
    Hours hours
    const int64_t *terms     # by term: an instant, or minus the year without data


cdef struct Asked:
    uint32_t sender          # a position, or NOBODY
    uint32_t bits            # act and urgency, one bit of each
    uint32_t type            # a symbol, 0: no rule names it
    uint32_t attachments
    uint32_t signatures
    uint32_t audience_size
    uint64_t size
    uint32_t marks           # places in `pool`: a count, then symbols
    uint32_t media
    uint32_t signers         # for each signature a count, then positions
    uint8_t lane
    Piece audience
    const int64_t *issued    # terms from the day of issue
    const uint32_t *pool


cdef struct Approval:
    uint32_t approval
    uint32_t rule            # the first that decided
    Piece units


cdef struct Part:  # who waits for the same approvals
    uint32_t approvals       # bits: places among the answer's approvals
    Piece units


cdef struct Answer:
    bint pending             # sets were wanted: to be asked again
    bint changed             # the sets below differ from "everybody addressed"
    Piece effective
    Piece excluded
    Piece added
    Approval *approvals
    size_t approval_count
    Part *parts              # disjoint, in order; NULL: so many that they are cut outside
    size_t part_count
    uint32_t *rules          # numbers, ascending
    size_t rule_count
    uint8_t lane
    uint32_t retention
    int64_t deadline
    int64_t send_by
    Refusal refused
    uint32_t refusal_rule
    bint quarantine
    bint information_only
    uint32_t missing_year


cdef struct Case:  # one document while it is decided
    const Policy *p
    Workspace *w
    const Instant *now
    const Asked *d
    Answer *out
    Stance *stance           # what the sender makes of the rules; NULL: the index finds them
    Piece left
    Piece allowed
    Piece extra
    bint few                 # recipients are bits of a word: `w.few` names those addressed
    bint failed              # out of memory
    uint32_t unmet           # first rule whose signatures are missing, 0: none
    uint32_t banning         # first rule that forbids the document
    uint32_t cutting         # first rule that matches and forbids recipients


cdef void find_hits(Case *c) noexcept nogil
cdef void find_late_hits(Case *c) noexcept nogil
cdef void order_hits(Case *c) noexcept nogil
cdef bint set_of(Case *c, uint32_t number, Piece *out) noexcept nogil
cdef uint32_t signed_by(const Asked *d, const Piece *units) noexcept nogil


cdef inline void note_year(Answer *answer, uint32_t year) noexcept nogil:
    """Keep the earliest year without data."""
    if year and (answer.missing_year == 0 or year < answer.missing_year):
        answer.missing_year = year
