"""Any bytes are a policy or a PolicyError with a place; and every key is found on its line.

What is read can be checked and tried in any directory without another error.
"""

from __future__ import annotations

import re
import tomllib
from typing import Any

import msgspec
from hypothesis import example, given, settings
from hypothesis import strategies as st
from support.sample_country import AFTER, BEFORE, NUMBERS
from support.units import at

from router import limits
from router._core import Audience
from router.errors import PolicyError
from router.messages import TABLE
from router.model.calendar import WorkingCalendar, YearOfDays
from router.model.decisions import DocumentFacts
from router.model.documents import Act, Urgency
from router.policy.checking import check_policy
from router.policy.compiled import compile_policy
from router.policy.deciding import decide_batch
from router.policy.floor import floor_rules
from router.policy.lines import LineMap, Path
from router.policy.model import PolicyFile
from router.policy.parsing import parse_policy
from router.policy.problems import findings_of
from router.policy.trying import run_tests

HEAD = 'format = 1\nname = "t"\ndefault = "forbid"\n'
NOW = at(2025, 6, 25)
CALENDAR = WorkingCalendar({2025: YearOfDays(frozenset())})
SELECTORS = [
    "all", "sender", "H22", "H22.31", "H99", "tier(commune)", "tier(district)", "kind(x)",
    "parent(sender)", "siblings(parent(sender))", "H22 - H22", "all - siblings(sender)",
    'group(\\"toàn tỉnh\\")', 'group(\\"các huyện cũ\\")', "H22 @ 2025-06-30", "H22 H23", "",
]  # fmt: skip
VAIN = {
    "policy.rule_shadowed", "policy.rule_repeated", "policy.rule_never_matches",
    "policy.rule_without_effect",
}  # fmt: skip
KEYS = [
    "senders", "recipients", "directions", "tiers_crossed", "documents", "audience", "when",
    "effect", "name", "acts", "types", "marks", "without_marks", "size_bytes", "signed_by",
    "includes", "lacks", "size", "from", "until", "hours", "allow", "forbid", "hold", "add",
    "approvers", "expires_working_days", "require", "by", "lane", "min", "max", "x",
    "retention_years", "admit_unsigned", "reason", "format", "rules", "tests", "calendar",
    "years", "2028", "days_off", "expect", "units", "at", "rule", "sender",
]  # fmt: skip
VALUES = [
    "true", "false", "0", "1", "-1", "400", "1.5", "nan", '"up"', '["up"]', "[]", "{}",
    "2025-06-30", "[2028-01-01]", "2025-06-30T08:00:00", '"recipients"', '"document"', '"flash"',
    '["new"]', '[" "]', '"working"', "{ min = 1 }", "{ max = 0 }", "{ min = 3, max = 1 }",
    '"""\nx = 1\n"""', "'''a\n[[b]]\n'''", '["08:00-12:00"]', '"allow"', '"refuse"',
    *(f'"{one}"' for one in SELECTORS),
]  # fmt: skip
pairs = st.tuples(st.sampled_from(KEYS), st.sampled_from(VALUES)).map(" = ".join)
inline = st.lists(pairs, max_size=3).map(lambda many: "{ " + ", ".join(many) + " }")
assignments = pairs | st.tuples(st.sampled_from(KEYS), inline).map(" = ".join)
headers = st.sampled_from([
    "[[rules]]", "[rules.effect]", "[rules.documents]", "[rules.when]", "[[tests]]", "[calendar]",
    "[calendar.years.2028]", "[tests.document]", "[ rules . audience ]", "[[rules.x]]", "[",
])  # fmt: skip
files = st.lists(assignments | headers | st.sampled_from(["# x = 1", "", "x", '"'])).map(
    lambda lines: HEAD + "\n".join(lines)
)
sound = st.tuples(
    st.sampled_from(SELECTORS), st.sampled_from(SELECTORS), st.sampled_from(KEYS[:7]),
    st.sampled_from(VALUES), st.sampled_from(["allow = true", 'forbid = "recipients"',
    'forbid = "document"', 'add = "tier(commune)"',
    'hold = { approvers = "parent(sender)", expires_working_days = 2 }']),
)  # fmt: skip


def attempt(data: bytes) -> tuple[PolicyFile | None, PolicyError | None]:
    """Return what came of reading, or the one kind of error that is allowed."""
    try:
        return parse_policy(data), None
    except PolicyError as error:
        return None, error


def read(data: bytes) -> PolicyFile | None:
    """Read a file; what is refused is refused well."""
    policy, error = attempt(data)
    if error is not None:
        assert 1 <= len(error.problems) <= limits.POLICY_PROBLEMS_MAX
        lines = data.count(b"\n") + 1
        for one in error.problems:
            assert one.code in TABLE
            assert 0 <= one.line <= lines
            assert one.line or one.code == "policy.missing_key"
        assert all(one.words and one.words_vi for one in findings_of(error.problems))
    return policy


@settings(deadline=None)
@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
@example(b"\x00")
@example(b"[" * 3_000)
@example(b"a." * 2_000 + b"b = 1")
@example(b"a = {" * 2_000)
@example(b'a = "\\ud800"')
@example(b'"""' * 99)
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    policy, error = attempt(data)
    assert (policy is None) is (error is not None)
    assert error is None or error.problems


@settings(deadline=None)
@given(files)
def test_any_file_of_known_words_is_read_or_refused_with_places(text: str) -> None:
    read(text.encode())


@settings(deadline=None)
@given(st.lists(sound, max_size=5))
def test_what_is_read_is_checked_and_tried_without_another_error(
    many: list[tuple[str, str, str, str, str]],
) -> None:
    text = HEAD
    for place, (senders, recipients, key, value, effect) in enumerate(many):
        more = "" if key in {"senders", "recipients"} else f"{key} = {value}\n"
        text += (
            f'[[rules]]\nname = "r{place}"\nsenders = "{senders}"\nrecipients = "{recipients}"\n'
            f"{more}effect = {{ {effect} }}\n"
            f'[[tests]]\nname = "t{place}"\nsender = "H22.31.20"\nrecipients = "{recipients}"\n'
            'expect = "allow"\n'
        )
    policy = read(text.encode())
    if policy is None:
        return
    for lookup in (BEFORE, AFTER):
        lines = LineMap(text)
        problems = check_policy(policy, lookup, lines, at_us=NOW, calendar=CALENDAR)
        findings = findings_of(problems)
        assert all(one.line and one.words and one.words_vi for one in findings)
        compiled = compile_policy(policy, lookup, CALENDAR, floor=floor_rules())
        outcomes = run_tests(policy, lambda _, c=compiled: c, lambda _, s=lookup: s, NOW)  # type: ignore[misc]
        assert all(one.passed or (one.words and one.words_vi) for one in outcomes)


conditions = st.sampled_from([
    "", "documents = { types = ['x'] }\n", "documents = { types = ['x', 'y'] }\n",
    "directions = ['up']\n", "directions = ['up', 'down']\n", "tiers_crossed = { min = 1 }\n",
    "audience = { includes = 'H22' }\n", "audience = { lacks = 'H22.31' }\n",
    "audience = { size = { max = 3 } }\n", "documents = { signed_by = 'sender' }\n",
    "documents = { without_marks = ['m'] }\n", "documents = { marks = ['m', 'n'] }\n",
])  # fmt: skip
members = st.sampled_from([
    "all", "H22", "H22.31", "tier(commune)", "tier(district) | H22", "parent(sender)",
    "children(sender)", "siblings(sender)", "all - siblings(sender)", "tag(xã) - sender",
])  # fmt: skip
effects = st.sampled_from([
    "allow = true", 'forbid = "recipients"', 'forbid = "document"', 'add = "tier(province)"',
    'hold = { approvers = "G22", expires_working_days = 1 }',
])  # fmt: skip
whole_rules = st.tuples(
    st.sampled_from(["all", "H22", "tier(commune)", "tier(district)"]), members, conditions, effects
)
CODES = ["G22", "H22", "H23", "H22.31", "H22.31.20", "H22.31.21", "H22.32.20"]


@settings(deadline=None)
@given(st.lists(whole_rules, min_size=2, max_size=6), st.data())
def test_a_rule_that_is_said_to_be_vain_changes_nothing_when_it_goes(
    many: list[tuple[str, str, str, str]], data: st.DataObject
) -> None:
    text = HEAD + '[[rules]]\nname = "base"\nrecipients = "all"\neffect.allow = true\n'
    text += "".join(
        f'[[rules]]\nname = "r{place}"\nsenders = "{senders}"\nrecipients = "{to}"\n'
        f"{more}effect = {{ {effect} }}\n"
        for place, (senders, to, more, effect) in enumerate(many)
    )
    policy = parse_policy(text.encode())
    problems = check_policy(policy, BEFORE, None, at_us=NOW, calendar=CALENDAR)
    vain = [one for one in problems if one.code in VAIN]
    if not vain:
        return
    gone = data.draw(st.sampled_from(vain)).rule
    fewer = tuple(rule for rule in policy.rules if rule.name != gone)
    less = msgspec.structs.replace(policy, rules=fewer)
    sender = BEFORE.hierarchy.position(NUMBERS[data.draw(st.sampled_from(CODES))])
    wanted = data.draw(st.sets(st.sampled_from(CODES), min_size=1))
    audience = Audience.from_positions(BEFORE.position_of(code) for code in wanted)
    number = BEFORE.hierarchy.number(sender)
    document = DocumentFacts(
        number, Act.NEW, data.draw(st.sampled_from(["x", "y", "z"])), Urgency.NORMAL, NOW,
        marks=data.draw(st.sampled_from([(), ("m",), ("n",)])), signers=((number,),),
    )  # fmt: skip
    with_it, without = (
        decide_batch(compile_policy(one, BEFORE, CALENDAR), [document], [audience], NOW)[0]
        for one in (policy, less)
    )
    assert bool(with_it.refused) is bool(without.refused)
    if not with_it.refused:
        assert (with_it.effective, with_it.excluded, with_it.added) == (
            without.effective, without.excluded, without.added,
        )  # fmt: skip
        assert [one.audience for one in with_it.held] == [one.audience for one in without.held]


def paths(value: Any, path: Path = ()) -> list[Path]:
    """Every key path of a TOML value."""
    items: list[tuple[str | int, Any]] = []
    if isinstance(value, dict):
        items = list(value.items())
    elif isinstance(value, list):
        items = list(enumerate(value))
    return [found for key, one in items for found in [(*path, key), *paths(one, (*path, key))]]


@settings(deadline=None)
@given(files)
def test_every_key_of_a_file_is_found_on_a_line_that_has_it(text: str) -> None:
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        LineMap(text)  # tells what it can, and raises nothing
        return
    lines = LineMap(text)
    written = text.split("\n")
    for path in paths(raw):
        line = lines.line(path)
        assert line, path
        if isinstance(path[-1], str):
            assert re.search(rf"(?<!\w){re.escape(path[-1])}(?!\w)", written[line - 1]), path
