"""A policy file as parsed: exactly the shape of its TOML (docs/policy.md).

The structs say what a file may contain and how long it may be; what its words mean (do the
selectors parse, does a range begin before it ends) is checked by `router.policy.parsing`.
Keys of TOML are the names of the fields.
"""

from __future__ import annotations

from datetime import date
from enum import Enum
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from router import limits
from router.model.documents import Act, Urgency
from router.model.policies import Count
from router.model.policies import TestDocument as TestDocument  # noqa: PLC0414 - of this room, too

POLICY_FORMAT = 1

Name = Annotated[
    str,
    Meta(min_length=1, max_length=limits.POLICY_NAME_CHARS_MAX, pattern=r"^[\w./-]+(?![\s\S])"),
]
"""A rule's or test's name: letters of any script, digits, `_ . / -`."""
Selector = Annotated[str, Meta(min_length=1, max_length=limits.SELECTOR_CHARS_MAX)]
Words = Annotated[str, Meta(min_length=1, max_length=limits.REASON_CHARS_MAX)]
WorkingDays = Annotated[int, Meta(ge=0, le=limits.POLICY_WORKING_DAYS_MAX)]
Texts = Annotated[
    tuple[Annotated[str, Meta(min_length=1, max_length=limits.DOCUMENT_TYPE_CHARS_MAX)], ...],
    Meta(min_length=1, max_length=limits.POLICY_VALUES_MAX),
]


class Default(Enum):
    """What becomes of a recipient that no rule speaks of."""

    ALLOW = "allow"
    FORBID = "forbid"


class Direction(Enum):
    """Where a recipient's tier stands, seen from the sender's: above, below, the same."""

    UP = "up"
    DOWN = "down"
    ACROSS = "across"


class Hours(Enum):
    """Within the working hours of a working day (Vietnam time), or not."""

    WORKING = "working"
    OUTSIDE = "outside"


class Forbid(Enum):
    """Whom a prohibition meets: these recipients, or the document as a whole."""

    RECIPIENTS = "recipients"
    DOCUMENT = "document"


class LaneName(Enum):
    """The lanes by name, most urgent first."""

    FLASH = "flash"
    VERY_URGENT = "very_urgent"
    URGENT = "urgent"
    NORMAL = "normal"


class Expected(Enum):
    """What a policy test expects to become of each unit that it names."""

    ALLOW = "allow"
    EXCLUDE = "exclude"
    HOLD = "hold"
    ADD = "add"
    REFUSE = "refuse"


class Range(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A range of numbers, both ends inclusive; one of them at least is there."""

    min: Count | None = None
    max: Count | None = None


class DocumentConditions(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True
):
    """Which documents: every key holds, of each list one value is enough."""

    acts: tuple[Act, ...] = ()
    types: Texts = ()
    urgencies: tuple[Urgency, ...] = ()
    marks: Texts = ()
    without_marks: Texts = ()
    size_bytes: Range | None = None
    attachments: Range | None = None
    media_types: Texts = ()
    signatures: Range | None = None
    signed_by: Selector | None = None


class AudienceConditions(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True
):
    """What the audience as resolved includes or lacks, and how many it has."""

    includes: Selector | None = None
    lacks: Selector | None = None
    size: Range | None = None


class When(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Days in Vietnam time, both inclusive; working hours or outside of them."""

    since: date | None = msgspec.field(default=None, name="from")
    until: date | None = None
    hours: Hours | None = None


class Hold(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who may approve (relative to the document's sender), and within how many working days."""

    approvers: Selector
    expires_working_days: Annotated[int, Meta(ge=1, le=limits.POLICY_WORKING_DAYS_MAX)]


class Require(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """At least so many good signatures whose certificates were bound to units of `by`."""

    signatures: Annotated[int, Meta(ge=1, le=limits.SIGNATURES_MAX)] = 1
    by: Selector = "sender"


class Effect(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What a rule does; at least one key beside `reason`.  `reason` is told to the sender."""

    allow: Literal[True] | None = None
    forbid: Forbid | None = None
    hold: Hold | None = None
    require: Require | None = None
    add: Selector | None = None
    lane: LaneName | None = None
    deadline_working_days: WorkingDays | None = None
    send_by_working_days: WorkingDays | None = None
    retention_years: Annotated[int, Meta(ge=1, le=1_000)] | None = None
    quarantine: Literal[True] | None = None
    admit_unsigned: Literal[True] | None = None
    reason: Words | None = None


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One rule: who, to whom, which documents, when, and what then.

    `name` is unique in the file and stable over versions; `title` is for people.
    """

    name: Name
    effect: Effect
    title: Words | None = None
    senders: Selector | None = None
    recipients: Selector | None = None
    directions: tuple[Direction, ...] = ()
    tiers_crossed: Range | None = None
    documents: DocumentConditions | None = None
    audience: AudienceConditions | None = None
    when: When | None = None


class PolicyTest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """`sender` sends `document` to `recipients` at `at`: each of `units` meets `expect`.

    `units` left out: every unit addressed; with "add" it must be there; with "refuse" it
    must not.  `at` is a date or a zoned time, in quotes, as in a selector (left out: when the
    test is run).  `rule` names a rule that must be among
    those that decided.
    """

    __test__ = False

    name: Annotated[str, Meta(min_length=1, max_length=limits.REASON_CHARS_MAX)]
    sender: Annotated[str, Meta(min_length=1, max_length=limits.CODE_CHARS_MAX)]
    recipients: Selector
    expect: Expected
    units: Selector | None = None
    document: TestDocument = TestDocument()
    at: Annotated[str, Meta(min_length=10, max_length=32)] | None = None
    rule: Name | None = None


class CalendarYear(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One year: days off beside weekends, and weekend days that are worked (làm bù)."""

    days_off: tuple[date, ...]
    working_days: tuple[date, ...] = ()


class CalendarChanges(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Years that take the place of the shipped ones, and other working hours.

    `years` by number ("2028"); `hours` as "08:00-12:00", in order.
    """

    years: dict[str, CalendarYear] = {}
    hours: tuple[Annotated[str, Meta(pattern=r"^\d\d:\d\d-\d\d:\d\d(?![\s\S])")], ...] = ()


class PolicyFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A policy file.  `without_floor` is the reason for which the law's floor is left out."""

    format: int
    name: Words
    default: Default
    rules: Annotated[tuple[Rule, ...], Meta(max_length=limits.POLICY_RULES_MAX)] = ()
    tests: Annotated[tuple[PolicyTest, ...], Meta(max_length=limits.POLICY_TESTS_MAX)] = ()
    title: Words | None = None
    calendar: CalendarChanges | None = None
    without_floor: Annotated[str, Meta(min_length=20, max_length=1_000)] | None = None
