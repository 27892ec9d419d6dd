"""The shipped floor: receipt the same day, sending in time, lanes, nothing unsigned."""

from __future__ import annotations

from datetime import date, datetime

import msgspec
import pytest
from support.policy_tests import Trial
from support.sample_country import NUMBERS, SampleLookup

from router._core import Audience
from router.model.answers import Lane
from router.model.calendar import WorkingCalendar, YearOfDays
from router.model.decisions import DocumentFacts, Refused
from router.model.documents import Act, Urgency
from router.model.instants import VIETNAM_TIME, instant_of
from router.policy.compiled import compile_policy
from router.policy.deciding import Decision, decide_batch
from router.policy.floor import FLOOR_PREFIX, SHIPPED, floor_policy, floor_rules
from router.policy.model import PolicyFile, PolicyTest
from vanban_bench.workloads.sample_policy import sides

LOOKUP = SampleLookup()
HERE, THERE = NUMBERS["H22"], NUMBERS["H23"]
TO = Audience.from_positions([LOOKUP.hierarchy.position(THERE)])
TET = frozenset(date(2025, 1, day) for day in range(25, 32)) | {date(2025, 2, 1), date(2025, 2, 2)}
MADE_UP = frozenset({date(2025, 4, 26)})  # a Saturday worked for Friday, 2 May
CALENDAR = WorkingCalendar({2025: YearOfDays(TET | {date(2025, 5, 1), date(2025, 5, 2)}, MADE_UP)})
WITHOUT_FLOOR = 'without_floor = "chỉ để thử nghiệm trong bộ kiểm thử"\n'


def us(text: str) -> int:
    """The instant of a date and time in Vietnam."""
    return instant_of(datetime.fromisoformat(text).replace(tzinfo=VIETNAM_TIME))


def decide(
    accepted: str, issued: str = "", rules: str = "", *, signed: bool = True,
    calendar: WorkingCalendar = CALENDAR, urgency: Urgency = Urgency.NORMAL,
) -> Decision:  # fmt: skip
    head = 'format = 1\nname = "t"\ndefault = "allow"\n'
    policy = msgspec.toml.decode(head + rules, type=PolicyFile) if rules else SHIPPED
    compiled = compile_policy(policy, LOOKUP, calendar, floor=floor_rules())
    facts = DocumentFacts(
        HERE, Act.NEW, "Công văn", urgency, us(issued or accepted),
        signers=((HERE,),) if signed else (),
    )  # fmt: skip
    return decide_batch(compiled, [facts], [TO], us(accepted))[0]


def test_the_floor_is_readable_and_bears_its_own_names() -> None:
    names = [rule.name for rule in floor_rules()]
    assert names
    assert all(name.startswith(FLOOR_PREFIX) for name in names)
    assert len(set(names)) == len(names)


def test_each_rule_of_the_floor_names_its_article() -> None:
    for rule in floor_rules():
        assert rule.title is not None
        assert "Điều" in rule.title


@pytest.mark.parametrize("test", floor_policy().tests, ids=lambda test: test.name)
@pytest.mark.parametrize("moment", ["2025-06-25T09:00", "2025-07-15T09:00"])
def test_the_tests_in_the_floors_file_hold_before_and_after_the_reform(
    test: PolicyTest, moment: str
) -> None:
    assert Trial(SHIPPED, sides().at, CALENDAR).failure(test, us(moment)) == ""


@pytest.mark.parametrize(
    ("accepted", "due"),
    [
        ("2025-06-25T09:00", "2025-06-26"),  # a Wednesday
        ("2025-06-25T23:59", "2025-06-26"),  # after hours: still that day
        ("2025-06-26T00:00", "2025-06-27"),
        ("2025-06-28T10:00", "2025-07-01"),  # a Saturday: with Monday
        ("2025-06-29T10:00", "2025-07-01"),
        ("2025-01-24T17:30", "2025-01-25"),  # the last working day before Tết
        ("2025-01-27T10:00", "2025-02-04"),  # in Tết: with the first working day after it
        ("2025-04-26T10:00", "2025-04-27"),  # a Saturday that is worked
        ("2025-05-02T10:00", "2025-05-06"),  # the day off it is worked for
    ],
)
def test_receipt_is_due_the_same_day(accepted: str, due: str) -> None:
    assert decide(accepted).deadline == us(f"{due}T00:00")


@pytest.mark.parametrize("urgency", list(Urgency))
def test_receipt_is_due_of_every_document(urgency: Urgency) -> None:
    assert decide("2025-06-25T09:00", urgency=urgency).deadline == us("2025-06-26T00:00")


@pytest.mark.parametrize(
    ("issued", "by"),
    [
        ("2025-06-25T09:00", "2025-06-26T12:00"),
        ("2025-06-25T23:00", "2025-06-26T12:00"),
        ("2025-06-27T16:00", "2025-06-30T12:00"),  # a Friday: Monday's morning
        ("2025-01-24T16:00", "2025-02-03T12:00"),  # before Tết: the first morning after it
        ("2025-04-25T16:00", "2025-04-26T12:00"),  # the Saturday is worked
    ],
)
def test_a_plain_document_is_to_be_sent_by_the_next_working_morning(issued: str, by: str) -> None:
    assert decide("2025-03-03T09:00", issued).send_by == us(by)


@pytest.mark.parametrize("urgency", [Urgency.URGENT, Urgency.VERY_URGENT, Urgency.FLASH])
@pytest.mark.parametrize(
    ("issued", "by"),
    [
        ("2025-06-25T09:00", "2025-06-26T00:00"),
        ("2025-06-25T22:00", "2025-06-26T00:00"),
        ("2025-06-28T09:00", "2025-07-01T00:00"),  # a Saturday
    ],
)
def test_what_is_urgent_is_to_be_sent_the_same_day(urgency: Urgency, issued: str, by: str) -> None:
    assert decide("2025-03-03T09:00", issued, urgency=urgency).send_by == us(by)


def test_a_policy_may_shorten_what_the_floor_gives_and_never_lengthen_it() -> None:
    longer = (
        '[[rules]]\nname = "a"\neffect = { deadline_working_days = 5, send_by_working_days = 9 }\n'
    )
    shorter = '[[rules]]\nname = "a"\neffect = { send_by_working_days = 0 }\n'
    bare = decide("2025-06-25T09:00")
    found = decide("2025-06-25T09:00", rules=longer)
    assert (found.deadline, found.send_by) == (bare.deadline, bare.send_by)
    assert decide("2025-06-25T09:00", rules=shorter).send_by == us("2025-06-26T00:00")


@pytest.mark.parametrize("floor", ["", WITHOUT_FLOOR])
@pytest.mark.parametrize("urgency", list(Urgency))
def test_a_policy_may_raise_a_lane_and_never_lower_it(urgency: Urgency, floor: str) -> None:
    as_signed = Lane[urgency.name].value
    for named in Urgency:
        rules = f'{floor}[[rules]]\nname = "a"\neffect = {{ lane = "{named.value}" }}\n'
        found = decide("2025-06-25T09:00", rules=rules, urgency=urgency)
        assert found.lane == min(as_signed, Lane[named.name].value)


def test_a_year_without_data_leaves_the_floors_deadlines_out_and_refuses_nothing() -> None:
    found = decide("2025-06-25T09:00", calendar=WorkingCalendar({}))
    assert (found.refused, found.deadline, found.send_by) == (Refused.NO, 0, 0)


def test_without_the_floor_its_deadlines_are_gone_and_nothing_else() -> None:
    found = decide("2025-06-25T09:00", rules=WITHOUT_FLOOR)
    assert (found.deadline, found.send_by, found.rules) == (0, 0, ())
    unsigned = decide("2025-06-25T09:00", rules=WITHOUT_FLOOR, signed=False)
    assert unsigned.refused is Refused.UNSIGNED


def test_what_is_unsigned_is_admitted_by_a_rule_only_and_for_information_only() -> None:
    assert decide("2025-06-25T09:00", signed=False).refused is Refused.UNSIGNED
    admits = '[[rules]]\nname = "a"\neffect = { admit_unsigned = true }\n'
    found = decide("2025-06-25T09:00", rules=admits, signed=False)
    assert (found.refused, found.information_only) == (Refused.NO, True)
    assert not decide("2025-06-25T09:00", rules=admits).information_only
    elsewhere = admits.replace("effect", 'recipients = "H22.31"\neffect')
    assert decide("2025-06-25T09:00", rules=elsewhere, signed=False).refused is Refused.UNSIGNED


def test_admitting_the_unsigned_waives_no_prohibition() -> None:
    rules = (
        '[[rules]]\nname = "a"\neffect = { admit_unsigned = true }\n'
        '[[rules]]\nname = "b"\neffect = { forbid = "document" }\n'
    )
    assert decide("2025-06-25T09:00", rules=rules, signed=False).refused is Refused.FORBIDDEN
