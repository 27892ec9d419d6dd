"""The page docs/policy.md in small: what is forbidden, added, held, set, refused."""

from __future__ import annotations

from datetime import date

import msgspec
import pytest
from support.sample_country import NUMBERS, SampleLookup
from support.units import at

from router._core import Audience
from router.errors import CalendarError
from router.model.calendar import WorkingCalendar, YearOfDays
from router.model.decisions import DocumentFacts, Refused
from router.model.documents import Act, Urgency
from router.policy.compiled import compile_policy
from router.policy.deciding import Decision, decide_batch
from router.policy.model import PolicyFile
from router.selectors import compile_program, parse

LOOKUP = SampleLookup()
NOW = at(2025, 6, 25) + 9 * 3_600_000_000  # a Wednesday, 09:00
CALENDAR = WorkingCalendar({2025: YearOfDays(frozenset({date(2025, 6, 26)}))})


def audience(text: str, sender: str) -> Audience:
    place = LOOKUP.hierarchy.position(NUMBERS[sender])
    return LOOKUP.hierarchy.evaluate(compile_program(parse(text), LOOKUP, sender=place))


def decide(toml: str, sender: str, to: str, *, signed: bool = True, **facts: object) -> Decision:
    policy = msgspec.toml.decode('format = 1\nname = "t"\n' + toml, type=PolicyFile)
    number = NUMBERS[sender]
    given = {"act": Act.NEW, "type": "Công văn", "urgency": Urgency.NORMAL, "issued_at": NOW}
    signers = ((number,),) if signed else ()
    document = DocumentFacts(sender=number, signers=signers, **{**given, **facts})
    compiled = compile_policy(policy, LOOKUP, CALENDAR)
    return decide_batch(compiled, [document], [audience(to, sender)], NOW)[0]


SKIPPING = """
default = "allow"
[[rules]]
name = "no-skipping"
directions = ["up"]
tiers_crossed = { min = 2 }
audience = { lacks = "parent(sender)" }
effect = { forbid = "recipients" }
"""


def test_no_level_is_skipped_upward_without_the_parent_in_copy() -> None:
    alone = decide(SKIPPING, "H22.31.20", "H22 | H22.31.21")
    assert alone.excluded == audience("H22", "H22")
    assert (alone.effective, alone.rules) == (audience("H22.31.21", "H22"), (1,))
    assert not decide(SKIPPING, "H22.31.20", "H22 | H22.31").excluded
    assert decide(SKIPPING, "H22.31.20", "H22").refused is Refused.NOBODY_LEFT


def test_forbid_wins_over_what_is_added_and_allowed() -> None:
    found = decide(
        'default = "forbid"\n'
        '[[rules]]\nname = "a"\nrecipients = "tier(commune)"\neffect = { allow = true }\n'
        '[[rules]]\nname = "b"\neffect = { add = "H23 | H22.01" }\n'
        '[[rules]]\nname = "c"\nrecipients = "H23"\neffect = { forbid = "recipients" }\n',
        "H22",
        "H22.31.20 | H22.02",
    )
    assert found.effective == audience("H22.31.20 | H22.01", "H22")
    assert found.added == audience("H22.01", "H22")
    assert found.excluded == audience("H22.02", "H22")
    assert found.rules == (0, 1, 2, 3)


def test_a_recipient_held_twice_needs_both_approvals() -> None:
    found = decide(
        'default = "allow"\n'
        '[[rules]]\nname = "a"\nrecipients = "tier(district)"\n'
        'effect = { hold = { approvers = "H22", expires_working_days = 2 } }\n'
        '[[rules]]\nname = "b"\nrecipients = "subtree(H22.31)"\n'
        'effect = { hold = { approvers = "G22", expires_working_days = 1 } }\n',
        "H22.01",
        "descendants(H22.31) | tier(district) | H23",
    )
    assert {part.rules: part.audience for part in found.held} == {
        (1,): audience("H22.32", "H22"),
        (1, 2): audience("H22.31", "H22"),
        (2,): audience("children(H22.31)", "H22"),
    }
    assert found.effective == audience("H23", "H22")
    assert {part.expires_at for part in found.held if 2 in part.rules} == {at(2025, 6, 28)}


def test_an_unsigned_document_needs_a_rule_that_admits_it() -> None:
    admitted = 'default = "allow"\n[[rules]]\nname = "a"\neffect = { admit_unsigned = true }\n'
    assert decide('default = "allow"', "H22", "H23", signed=False).refused is Refused.UNSIGNED
    found = decide(admitted, "H22", "H23", signed=False)
    assert (found.refused, found.information_only) == (Refused.NO, True)


def test_settings_combine_without_an_order() -> None:
    found = decide(
        'default = "allow"\n'
        '[[rules]]\nname = "a"\n'
        'effect = { lane = "urgent", retention_years = 10, deadline_working_days = 5 }\n'
        '[[rules]]\nname = "b"\n'
        'effect = { lane = "flash", retention_years = 5, deadline_working_days = 1 }\n',
        "H22",
        "H23",
    )
    assert (found.lane, found.retention_years) == (0, 10)
    assert found.deadline == at(2025, 6, 28)  # the 26th is off


def test_a_missing_year_is_said() -> None:
    held = 'effect = { hold = { approvers = "G22", expires_working_days = 200 } }\n'
    found = decide('default = "allow"\n[[rules]]\nname = "a"\n' + held, "H22", "H23")
    assert (found.refused, found.calendar_year) == (Refused.CALENDAR, 2026)
    with pytest.raises(CalendarError) as raised:
        CALENDAR.is_working_day(date(2026, 1, 2))
    assert raised.value.code == "calendar.year_missing"


def test_a_rule_of_many_types_and_runs_costs_no_product_of_both_and_is_found() -> None:
    types = ", ".join(f'"t{number}"' for number in range(256))
    rules = "".join(
        f'[[rules]]\nname = "r{number}"\nrecipients = \'tag("xã")\'\n'
        f'documents = {{ types = [{types}] }}\neffect = {{ forbid = "recipients" }}\n'
        for number in range(20)
    )
    policy = f'default = "allow"\n{rules}'
    for kind in ("t0", "t128", "t255"):
        assert decide(policy, "H22", "tier(commune)", type=kind).excluded == audience(
            'tag("xã")', "H22"
        )
    assert decide(policy, "H22", "tier(commune)", type="t256").excluded.size == 0
    parsed = msgspec.toml.decode(f'format = 1\nname = "t"\n{policy}', type=PolicyFile)
    tables = compile_policy(parsed, LOOKUP, CALENDAR).tables
    assert tables.memory_bytes < 20 * 256 * 16 + 40_000  # one posting of each type
