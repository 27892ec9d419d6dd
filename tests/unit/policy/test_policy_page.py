"""docs/policy.md names every key there is, and what it shows is a policy."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest
from support.sample_country import NUMBERS, SampleLookup

from router.model.calendar import WorkingCalendar
from router.model.decisions import DocumentFacts
from router.policy.compiled import compile_policy
from router.policy.deciding import decide_batch
from router.policy.floor import floor_rules
from router.policy.model import (
    AudienceConditions,
    CalendarChanges,
    CalendarYear,
    DocumentConditions,
    Effect,
    Expected,
    Hold,
    PolicyFile,
    PolicyTest,
    Require,
    Rule,
    TestDocument,
    When,
)
from router.selectors import compile_program, instant_of_text, parse

PAGE = (Path(__file__).parents[3] / "docs" / "policy.md").read_text("utf-8")
BLOCKS = re.findall(r"^```toml\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
SHAPES = (
    PolicyFile, Rule, DocumentConditions, AudienceConditions, When, Effect, Hold, Require,
    PolicyTest, TestDocument, CalendarChanges, CalendarYear,
)  # fmt: skip


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.__name__)
def test_every_key_of_a_file_is_on_the_page(shape: type[msgspec.Struct]) -> None:
    for field in msgspec.structs.fields(shape):
        assert re.search(rf"\b{field.encode_name}\b", PAGE), field.encode_name


def test_every_value_that_a_test_may_expect_is_on_the_page() -> None:
    assert [one.value for one in Expected if f"`{one.value}`" not in PAGE] == []


def test_every_rule_of_the_floor_is_on_the_page() -> None:
    assert [rule.name for rule in floor_rules() if f"`{rule.name}`" not in PAGE] == []


def test_the_example_is_a_policy_and_does_what_its_test_says() -> None:
    policy = msgspec.toml.decode(BLOCKS[0], type=PolicyFile)
    lookup = SampleLookup()
    compiled = compile_policy(policy, lookup, WorkingCalendar({}))
    assert compiled.hollow == ()
    (test,) = policy.tests
    number = NUMBERS[test.sender]
    place = lookup.hierarchy.position(number)
    program = compile_program(parse(test.recipients), lookup, sender=place)
    audience = lookup.hierarchy.evaluate(program)
    now_us = instant_of_text("2025-06-25")
    facts = DocumentFacts(
        number, test.document.act, test.document.type, test.document.urgency, now_us,
        signers=((number,),),
    )  # fmt: skip
    (decision,) = decide_batch(compiled, [facts], [audience], now_us)
    assert decision.effective == audience


def test_the_years_shown_are_a_calendars() -> None:
    head = 'format = 1\nname = "x"\ndefault = "allow"\n'
    policy = msgspec.toml.decode(head + BLOCKS[1], type=PolicyFile)
    assert policy.calendar is not None
    assert list(policy.calendar.years) == ["2028"]
