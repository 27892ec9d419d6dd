"""The analysis of a policy: what the directory does not know, what can't be, what is vain."""

from __future__ import annotations

import re
from datetime import date

import pytest
from support.sample_country import AFTER, BEFORE, SampleLookup
from support.sources import ROOT
from support.units import at

from router import limits
from router.messages import TABLE
from router.model.calendar import WorkingCalendar, YearOfDays
from router.model.policies import Finding
from router.model.reorganisations import GroupDefined
from router.policy import checking_pairs
from router.policy.checking import check_policy
from router.policy.lines import LineMap
from router.policy.parsing import parse_policy
from router.policy.problems import findings_of

NOW = at(2025, 6, 25)
CALENDAR = WorkingCalendar({year: YearOfDays(frozenset()) for year in (2025, 2026)})
FORBID = 'effect = { forbid = "recipients" }'
ALLOW = "effect = { allow = true }"


def check(
    body: str, lookup: SampleLookup = BEFORE, *, default: str = "forbid",
    calendar: WorkingCalendar = CALENDAR,
) -> tuple[Finding, ...]:  # fmt: skip
    text = f'format = 1\nname = "t"\ndefault = "{default}"\n{body}\n'  # the body begins at line 4
    policy = parse_policy(text.encode())
    problems = check_policy(policy, lookup, LineMap(text), at_us=NOW, calendar=calendar)
    findings = findings_of(problems)
    assert all(one.code in TABLE and one.line for one in findings)
    return findings


def rule(name: str, *lines: str) -> str:
    return "\n".join(["[[rules]]", f'name = "{name}"', *lines, ""])


def codes(findings: tuple[Finding, ...]) -> list[tuple[str, str]]:
    return [(one.code, one.rule) for one in findings]


def test_the_example_of_the_page_is_clean() -> None:
    page = (ROOT / "docs" / "policy.md").read_text(encoding="utf-8")
    example = re.search(r"```toml\n(format.*?)```", page, re.DOTALL)
    assert example is not None
    text = example[1].replace("H22.15.3", "H22.31.20")
    policy = parse_policy(text.encode())
    assert check_policy(policy, BEFORE, None, at_us=NOW, calendar=CALENDAR) == ()


@pytest.mark.parametrize(
    ("selector", "code", "suggestion"),
    [
        ("H22.31.29", "recipient.unknown", "H22.31.22"),
        ("kind(ministri)", "selector.unknown_kind", "ministry"),
        ("tier(comune)", "selector.unknown_tier", "commune"),
        ("tag(xa)", "selector.unknown_tag", "xã"),
        ("group('toàn tỉn')", "group.unknown", "toàn tỉnh"),
        ("group('các huyện cũ')", "group.undefined_then", "các huyện cũ"),
        ("H22 - H22", "audience.empty", ""),
        ("children(H22.31.20)", "audience.empty", ""),
        ("children(sender) & H22.31.20 & tier(province)", "audience.empty", ""),
    ],
)
def test_what_the_directory_does_not_know_is_an_error_with_a_suggestion(
    selector: str, code: str, suggestion: str
) -> None:
    quoted = selector.replace("'", '\\"')
    (found,) = check(rule("a", f'recipients = "{quoted}"', ALLOW))
    assert (found.severity, found.code, found.line, found.path, found.rule) == (
        "error", code, 6, "rules[0].recipients", "a",
    )  # fmt: skip
    assert found.suggestion == suggestion
    assert check(rule("a", f'effect = {{ add = "{quoted}" }}'))[0].code == code


def test_a_closed_unit_is_an_error_that_names_its_successor() -> None:
    body = rule("a", 'senders = "H22"', 'recipients = "H22.31 | H23"', ALLOW)
    assert check(body) == ()
    (found,) = check(body, AFTER)
    assert (found.severity, found.code, found.suggestion) == (
        "error", "recipient.closed", "H22.31.20",
    )  # fmt: skip
    assert "H22.31.20" in found.words


def test_every_wrong_name_of_a_selector_is_told() -> None:
    found = check(rule("a", 'senders = "H98 | H99 | kind(x)"', ALLOW))
    assert [one.code for one in found] == ["recipient.unknown"] * 2 + ["selector.unknown_kind"]


class Rings(SampleLookup):
    """The country with groups that name each other, and one with what is closed."""

    def group_of(self, name: str) -> GroupDefined | None:
        inner = {"một": 'group("hai") | children(sender)', "hai": 'group("một")',
                 "cũ": "H22.31 | H22", "trống": "H22 - H22"}  # fmt: skip
        return GroupDefined(name, inner[name]) if name in inner else super().group_of(name)


def test_groups_that_recur_are_an_error_and_hollow_ones_a_doubt() -> None:
    body = '[[rules]]\nname = "a"\nrecipients = "group(\\"{}\\")"\neffect.allow = true\n'
    before, after = Rings(), Rings(at(2025, 7, 1))
    for name in ("một", "hai"):
        (found,) = check(body.format(name), before)
        assert (found.severity, found.code, found.path) == (
            "error", "group.cycle", "rules[0].recipients",
        )  # fmt: skip
    assert [one.code for one in check(body.format("trống"), before)] == ["group.empty"]
    assert check(body.format("cũ"), before) == ()
    (hollow,) = check(body.format("cũ"), after)
    assert (hollow.severity, hollow.code) == ("warning", "policy.group_hollow")
    assert "H22.31" in hollow.words


def test_senders_that_speak_of_the_sender_through_a_group_are_an_error() -> None:
    (found,) = check(rule("a", "senders = 'group(\"các sở, ban, ngành\")'", ALLOW))
    assert (found.severity, found.code) == ("error", "policy.sender_in_senders")
    assert check(rule("a", "recipients = 'group(\"các sở, ban, ngành\")'", ALLOW)) == ()


def test_a_tier_that_is_gone_today_is_a_doubt_and_no_mistake() -> None:
    (found,) = check(rule("a", 'senders = "tier(district)"', ALLOW), AFTER)
    assert (found.severity, found.code) == ("warning", "policy.nobody_today")


@pytest.mark.parametrize(
    ("condition", "path"),
    [
        ("directions = ['up', 'down']\ntiers_crossed = { max = 0 }", "directions"),
        ("directions = ['across']\ntiers_crossed = { min = 1 }", "directions"),
        ("tiers_crossed = { min = 4 }", "tiers_crossed"),
        ("documents = { marks = ['HỎA TỐC'], without_marks = [' hỏa tốc '] }", "documents.marks"),
        ("documents = { attachments = { max = 0 }, media_types = ['image/*'] }",
         "documents.media_types"),
        ("documents = { signatures = { max = 0 }, signed_by = 'H22' }", "documents.signed_by"),
        ("documents = { signatures = { min = 9 } }", "documents.signatures"),
        ("documents = { attachments = { min = 65 } }", "documents.attachments"),
        ("audience = { size = { max = 0 } }", "audience.size"),
        ("audience = { includes = 'H22.31.20', lacks = 'tier(commune)' }", "audience.includes"),
        ("audience = { includes = 'parent(sender)', lacks = ' parent( sender )' }",
         "audience.includes"),
    ],
)  # fmt: skip
def test_conditions_that_nothing_can_meet_are_errors(condition: str, path: str) -> None:
    (found,) = check(rule("a", condition, ALLOW))
    assert (found.severity, found.code, found.path) == (
        "error", "policy.impossible", f"rules[0].{path}",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("condition", "lookup"),
    [
        ("when = { until = 2025-06-24 }", BEFORE),
        ("tiers_crossed = { min = 3 }", AFTER),
        ("audience = { size = { min = 1000 } }", BEFORE),
        ("senders = 'tier(central)'\ndirections = ['up']", BEFORE),
        ("senders = 'tier(commune)'\nrecipients = 'parent(sender)'\ndirections = ['down']", BEFORE),
    ],
)
def test_conditions_that_nothing_meets_today_are_doubts(
    condition: str, lookup: SampleLookup
) -> None:
    (found,) = check(rule("a", condition, ALLOW), lookup)
    assert (found.severity, found.code) == ("warning", "policy.rule_never_matches")


def test_conditions_that_can_be_met_are_not_doubted() -> None:
    for condition in (
        "when = { until = 2025-06-25 }",
        "directions = ['across']\ntiers_crossed = { max = 0 }",
        "tiers_crossed = { min = 3 }",
        "senders = 'tier(commune)'\nrecipients = 'parent(sender)'\ndirections = ['up']",
        "audience = { includes = 'tier(commune)', lacks = 'H22.31.20' }",
        "audience = { includes = 'parent(sender)', lacks = 'sender' }",
        "documents = { marks = ['a', 'b'], without_marks = ['b'] }",
    ):
        assert check(rule("a", condition, ALLOW)) == (), condition


@pytest.mark.parametrize("approvers", ["sender", "children(sender) - children(sender)"])
def test_a_hold_that_nobody_may_release_is_an_error(approvers: str) -> None:
    hold = f'effect = {{ hold = {{ approvers = "{approvers}", expires_working_days = 1 }} }}'
    (found,) = check(rule("a", hold))
    assert (found.severity, found.code, found.path) == (
        "error", "policy.no_approvers", "rules[0].effect.hold.approvers",
    )  # fmt: skip
    hold = 'effect = { hold = { approvers = "H22", expires_working_days = 1 } }'
    assert codes(check(rule("a", 'senders = "H22"', hold))) == [("policy.no_approvers", "a")]
    assert check(rule("a", hold)) == ()


def test_what_a_weaker_prohibition_covers_is_shadowed() -> None:
    hold = 'effect = { hold = { approvers = "G22", expires_working_days = 1 } }'
    add = 'effect = { add = "H22.32.20" }'
    forbids = rule("no", 'recipients = "tier(commune)"', FORBID)
    for body in (
        rule("a", 'recipients = "H22.31.20"', ALLOW),
        rule("a", 'senders = "H22"', 'recipients = "tag(xã)"', hold),
        rule("a", "documents = { types = ['x'] }", add),
        rule("a", 'senders = "tier(district)"', 'recipients = "children(sender)"', ALLOW),
    ):
        assert codes(check(body + forbids)) == [("policy.rule_shadowed", "a")], body
        assert codes(check(forbids + body)) == [("policy.rule_shadowed", "a")], "in any order"
    for body in (
        rule("a", 'recipients = "H22.31.20 | H23"', "documents = { types = ['x'] }", ALLOW),
        rule("a", 'effect = { add = "H22.32.20 | H23" }'),
        rule("a", 'recipients = "H22.31.20"', "effect = { allow = true, lane = 'flash' }"),
    ):
        assert ("policy.rule_shadowed", "a") not in codes(check(body + forbids)), body


@pytest.mark.parametrize(
    ("narrow", "wide"),
    [
        ("senders = 'H22.31.20'", "senders = 'tier(commune)'"),
        ("directions = ['up']", "directions = ['up', 'down']"),
        ("tiers_crossed = { min = 2, max = 2 }", "tiers_crossed = { min = 1 }"),
        ("documents = { types = [' TỜ TRÌNH'] }", "documents = { types = ['tờ trình', 'x'] }"),
        ("documents = { marks = ['x'], urgencies = ['flash'] }", "documents = { marks = ['X'] }"),
        ("documents = { without_marks = ['x', 'y'] }", "documents = { without_marks = ['y'] }"),
        ("documents = { size_bytes = { min = 5, max = 6 } }",
         "documents = { size_bytes = { max = 6 } }"),
        ("documents = { signed_by = 'H22' }", "documents = { signed_by = 'tier(province)' }"),
        ("audience = { includes = 'H22' }", "audience = { includes = 'tier(province)' }"),
        ("audience = { lacks = 'tier(province)' }", "audience = { lacks = 'H22' }"),
        ("when = { from = 2025-07-01, until = 2025-08-01 }", "when = { from = 2025-06-01 }"),
        ("when = { hours = 'outside', from = 2025-07-01 }", "when = { hours = 'outside' }"),
    ],
)  # fmt: skip
def test_narrower_conditions_are_shadowed_and_wider_ones_are_not(narrow: str, wide: str) -> None:
    assert codes(check(rule("a", narrow, ALLOW) + rule("no", wide, FORBID))) == [
        ("policy.rule_shadowed", "a")
    ]
    assert check(rule("a", wide, ALLOW) + rule("no", narrow, FORBID)) == ()


def test_several_prohibitions_together_may_shadow() -> None:
    body = rule("a", 'recipients = "H22 | H23"', ALLOW)
    body += rule("no-1", 'recipients = "H22"', FORBID)
    assert codes(check(body)) == [("policy.rules_contradict", "a")]
    body += rule("no-2", 'recipients = "H23"', 'effect = { forbid = "document" }')
    assert codes(check(body)) == [("policy.rules_contradict", "a")], "two kinds are not joined"
    body += rule("no-3", 'recipients = "H23"', FORBID)
    assert codes(check(body)) == [("policy.rule_shadowed", "a")]


def test_a_refused_document_shadows_no_hold_of_what_others_add() -> None:
    hold = 'effect = { hold = { approvers = "G22", expires_working_days = 1 } }'
    body = rule("a", 'recipients = "H23"', hold)
    body += rule("no", 'recipients = "H23"', 'effect = { forbid = "document" }')
    assert codes(check(body)) == [("policy.rule_shadowed", "a")]
    assert check(body + rule("b", 'recipients = "H22"', 'effect = { add = "H23" }')) == ()


def test_rules_that_say_the_same_and_effects_without_a_meaning_are_told() -> None:
    twice = rule("a", 'recipients = "H22|H23"', FORBID)
    twice += rule("b", 'recipients = "H22 | H23"', FORBID)
    (found,) = check(twice)
    assert (found.code, found.rule, found.line) == ("policy.rule_repeated", "b", 8)
    assert "“a”" in found.words
    assert codes(check(rule("a", ALLOW), default="allow")) == [("policy.rule_without_effect", "a")]
    assert check(rule("a", "effect = { allow = true, lane = 'flash' }"), default="allow") == ()
    admit = "effect = { admit_unsigned = true }"
    signed = rule("a", "documents = { signatures = { min = 1 } }", admit)
    assert codes(check(signed)) == [("policy.rule_without_effect", "a")]


def test_years_that_rules_will_need_are_told_when_they_are_missing() -> None:
    only = WorkingCalendar({2025: YearOfDays(frozenset({date(2025, 9, 2)}))})
    far = rule("a", "effect = { deadline_working_days = 150 }")
    (found,) = check(far, calendar=only)
    assert (found.code, found.rule) == ("policy.year_missing", "a")
    assert "2026" in found.words
    assert check(rule("a", "effect = { deadline_working_days = 5 }"), calendar=only) == ()
    brought = far + "[calendar.years.2026]\ndays_off = []\n"
    assert check(brought, calendar=only) == ()
    hours = rule("a", "when = { hours = 'working' }", ALLOW)
    assert codes(check(hours, calendar=WorkingCalendar({}))) == [("policy.year_missing", "a")]
    assert check(rule("a", ALLOW), calendar=WorkingCalendar({})) == ()


def test_leaving_the_floor_out_is_told_each_time() -> None:
    (found,) = check("without_floor = 'thử nghiệm trong mạng nội bộ'")
    assert (found.severity, found.code, found.line) == ("warning", "policy.without_floor", 4)
    assert "nội bộ" in found.words_vi


def test_names_in_tests_of_today_are_judged_too() -> None:
    head = '[[tests]]\nname = "t"\nexpect = "allow"\n'
    body = head + 'sender = "H22.31.29"\nrecipients = "H99 | H22"\ndocument = { signed_by = ["X"] }'
    found = check(body)
    assert [(one.line, one.path) for one in found] == [
        (7, "tests[0].sender"), (8, "tests[0].recipients"),
        (9, "tests[0].document.signed_by[0]"),
    ]  # fmt: skip
    assert found[0].suggestion == "H22.31.22"
    assert check(body + '\nat = "2019-01-01"\n') == (), "another day's directory is not this one"


def test_no_more_is_told_than_the_bound_and_errors_come_first() -> None:
    many = "".join(rule(f"r{n}", 'recipients = "H23"', FORBID) for n in range(150))
    many += "".join(rule(f"s{n}", f'recipients = "X{n}"', ALLOW) for n in range(150))
    found = check(many)
    severities = [one.severity for one in found]
    assert severities.count("error") == limits.POLICY_PROBLEMS_MAX
    assert severities == sorted(severities)


def test_beyond_the_bound_of_comparisons_equal_conditions_are_still_compared(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(checking_pairs, "IMPLICATIONS_MAX", 0)
    body = rule("a", "documents = { types = ['x'] }", 'recipients = "H23"', ALLOW)
    wider = rule("no", "documents = { types = ['x', 'y'] }", 'recipients = "H23"', FORBID)
    equal = rule("no", "documents = { types = ['X'] }", 'recipients = "H23"', FORBID)
    free = rule("no", 'recipients = "H23"', FORBID)
    assert check(body + wider) == ()
    assert codes(check(body + equal)) == codes(check(body + free)) == [
        ("policy.rule_shadowed", "a")
    ]  # fmt: skip


def test_the_work_grows_with_the_rules_and_not_with_their_pairs() -> None:
    def implications(count: int) -> int:
        body = "".join(
            rule(
                f"r{n}", f"documents = {{ types = ['t{n // 2}'] }}", f'recipients = "{to}"', effect
            )
            for n in range(count)
            for to, effect in [("H22", FORBID) if n % 2 else ("H22.01 | H22", ALLOW)]
        )
        policy = parse_policy(f'format = 1\nname = "t"\ndefault = "forbid"\n{body}'.encode())
        sets = checking_pairs.Sets(BEFORE)
        asked = 0
        inner = checking_pairs._implies

        def counted(*given: object) -> bool:
            nonlocal asked
            asked += 1
            return inner(*given)  # type: ignore[arg-type]

        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(checking_pairs, "_implies", counted)
            assert len(list(checking_pairs.vain_rules(policy, sets))) == count // 2
        return asked

    assert implications(400) <= 2 * implications(200)
