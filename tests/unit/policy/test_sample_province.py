"""The sample province's policy means what its tests say, with districts and without them."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import msgspec
import pytest
from support.policy_tests import Trial, audience_of
from support.units import at

from router.directory import Directory
from router.model.answers import Lane
from router.model.calendar import WorkingCalendar, YearOfDays
from router.policy.model import PolicyFile, PolicyTest
from vanban_bench.workloads.sample_directory import ha_giang_directory
from vanban_bench.workloads.sample_policy import (
    after_reform_tests_text,
    province_policy,
    province_policy_text,
    sides,
)

ROOT = Path(__file__).parents[3]
CALENDAR = WorkingCalendar({2025: YearOfDays(frozenset({date(2025, 4, 30), date(2025, 5, 1)}))})
POLICY = province_policy()
ALONE = msgspec.toml.decode(province_policy_text(), type=PolicyFile)
"""The file without the tests that need more than the sample directory."""
NOON = at(2025, 6, 26) + 12 * 3_600_000_000
TRIAL = Trial(POLICY, sides().at, CALENDAR)


def test_the_file_has_forty_rules_of_different_names_and_more_tests() -> None:
    names = [rule.name for rule in POLICY.rules]
    assert len(names) == len(set(names)) == 40
    assert len(ALONE.tests) >= 40
    titles = [test.name for test in POLICY.tests]
    assert len(titles) == len(set(titles)), "the tests of both files may stand in one"


@pytest.mark.parametrize("test", POLICY.tests, ids=lambda test: f"{test.at[:10]} {test.name}")
def test_each_test_of_the_file_holds(test: PolicyTest) -> None:
    assert TRIAL.failure(test) == ""


def test_each_rule_decides_some_test() -> None:
    assert {rule.name for rule in POLICY.rules} == {test.rule for test in POLICY.tests} - {None}


def test_without_any_one_rule_a_test_has_another_outcome() -> None:
    """No test passes for another reason than it says; settings are looked at below."""
    bare = [msgspec.structs.replace(test, rule=None) for test in POLICY.tests]
    for gone in POLICY.rules:
        effect = gone.effect
        if effect.lane or effect.retention_years:
            continue
        rules = tuple(rule for rule in POLICY.rules if rule is not gone)
        trial = Trial(msgspec.structs.replace(POLICY, rules=rules), sides().at, CALENDAR)
        assert any(map(trial.failure, bare)), gone.name


@pytest.mark.parametrize(
    ("name", "lane", "years", "sent_by"),
    [
        ("a telegram is raised", Lane.VERY_URGENT, 0, at(2025, 6, 26)),
        ("a recall is raised", Lane.URGENT, 5, NOON),
        ("a decision is kept", Lane.NORMAL, 20, NOON),
        ("a report is kept", Lane.NORMAL, 10, NOON),
        ("a letter is kept", Lane.NORMAL, 5, NOON),
        ("a flash telegram may skip", Lane.FLASH, 0, at(2025, 6, 26)),
        ("what is to be returned goes down the line", Lane.NORMAL, 0, NOON),
    ],
)
def test_the_settings_of_the_policy_and_the_floor_meet(
    name: str, lane: Lane, years: int, sent_by: int
) -> None:
    (test,) = (test for test in ALONE.tests if test.name == name)
    decision = TRIAL.decide(test)[1]
    assert (decision.lane, decision.retention_years) == (lane.value, years)
    assert (decision.send_by, decision.deadline) == (sent_by, at(2025, 6, 26))


def test_a_program_leaves_evidence_and_a_forbidden_form_does_not() -> None:
    by_name = {test.name: TRIAL.decide(test)[1] for test in ALONE.tests}
    assert by_name["a program is not sent"].quarantine
    assert not by_name["a leave form is not sent"].quarantine


@pytest.mark.parametrize(
    ("name", "rule", "approvers"),
    [
        ("communes of different districts wait", "sideways-held", "H22.31"),
        ("before the reform a commune's letter to another province waits", "beyond-the-province",
         "H22.01"),
        ("an appointment waits for the province", "personnel-held", "H22"),
        ("more than 20 MB wait", "large-held", "H22 | H22.01"),
        ("an office's letter in the evening waits", "offices-outside-hours", "H22.31"),
        ("what is to be returned waits when it leaves the line", "return-outside-the-line", "H22"),
    ],
)  # fmt: skip
def test_who_may_approve_is_somebody_above(name: str, rule: str, approvers: str) -> None:
    test = next(test for test in POLICY.tests if test.name == name)
    hold = next(one for one in POLICY.rules if one.name == rule).effect.hold
    assert hold is not None
    before = sides().before
    found = audience_of(hold.approvers, before, test.sender)
    assert found == audience_of(approvers, before, test.sender)


def test_large_and_many_are_one_approval() -> None:
    test = next(test for test in ALONE.tests if test.name == "more than 20 files wait")
    document = msgspec.structs.replace(test.document, size_bytes=1 << 26)
    held = TRIAL.decide(msgspec.structs.replace(test, document=document))[1].held
    (names,) = ([POLICY.rules[number - 1].name for number in part.rules] for part in held)
    assert names == ["large-held"]


def test_the_file_is_right_in_the_sample_directory_too() -> None:
    directory = Directory()
    for sequence, change in enumerate(directory.plan_import(ha_giang_directory()), 1):
        directory.apply(change, sequence)
    trial = Trial(ALONE, directory.snapshot, CALENDAR)
    assert [trial.failure(test) for test in ALONE.tests] == [""] * len(ALONE.tests)


def test_no_selector_of_the_policy_is_hollow_on_either_side_of_the_reform() -> None:
    for snapshot in (sides().before, sides().after):
        assert TRIAL.over(snapshot).hollow == ()


def test_the_other_file_holds_tests_only() -> None:
    assert ALONE.rules == POLICY.rules
    assert len(POLICY.tests) > len(ALONE.tests)
    assert b"[[rules]]" not in after_reform_tests_text()


def test_every_rule_is_explained_on_its_page() -> None:
    """Each rule stands there as it stands in the file, in the file's order, with words below."""
    rules = province_policy_text().decode().partition("\n# Tests")[0]
    page = (ROOT / "docs" / "policy-sample.md").read_text("utf-8")
    shown = re.findall(r"^```toml\n(.*?)^```\n(.*?)(?=^```|\Z)", page, re.DOTALL | re.MULTILINE)
    assert "".join("".join(text.split()) for text, _ in shown) == "".join(rules.split())
    for text, words in shown:
        for name in re.findall(r'^name = "([a-z0-9-]+)"', text, re.MULTILINE):
            assert f"`{name}`" in words, name
