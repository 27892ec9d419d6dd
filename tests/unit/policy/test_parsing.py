"""What is wrong with a policy file is told with its line, its key and what may be meant."""

from __future__ import annotations

import pickle
import re

import pytest
from support.sources import ROOT

from router import limits
from router.errors import PolicyError, PolicyProblem
from router.messages import TABLE, say
from router.policy.lines import LineMap, path_text
from router.policy.model import Default, Direction
from router.policy.parsing import parse_policy
from router.policy.problems import findings_of

HEAD = 'format = 1\nname = "t"\ndefault = "allow"\n'  # three lines


def refused(text: str | bytes) -> PolicyError:
    data = text if isinstance(text, bytes) else (HEAD + text).encode()
    with pytest.raises(PolicyError) as raised:
        parse_policy(data)
    return raised.value


def only(text: str | bytes) -> PolicyProblem:
    (problem,) = refused(text).problems
    assert problem.severity == "error"
    assert problem.code in TABLE
    return problem


def rule(*lines: str) -> str:
    """A rule whose further lines begin at line 6; its effect comes last."""
    return "\n".join(['[[rules]]\nname = "a"', *lines, "effect = { retention_years = 1 }\n"])


def test_the_example_of_the_page_is_read() -> None:
    page = (ROOT / "docs" / "policy.md").read_text(encoding="utf-8")
    example = re.search(r"```toml\n(format.*?)```", page, re.DOTALL)
    assert example is not None
    policy = parse_policy(example[1].encode())
    assert [one.name for one in policy.rules] == ["own-line", "no-skipping", "sideways-held"]
    assert (policy.default, len(policy.tests)) == (Default.FORBID, 1)
    assert policy.rules[1].directions == (Direction.UP,)


def test_the_floor_itself_is_a_policy_but_for_its_reserved_names() -> None:
    floor = ROOT / "router" / "policy" / "floor.toml"
    assert {one.code for one in refused(floor.read_bytes()).problems} == {"policy.reserved_name"}


def test_a_mark_of_byte_order_and_windows_lines_are_no_mistake() -> None:
    text = "\ufeff" + (HEAD + rule()).replace("\n", "\r\n")
    assert parse_policy(text.encode()).rules[0].name == "a"
    assert only(b"\xef\xbb\xbf" + (HEAD + "x = 1").replace("\n", "\r\n").encode()).line == 4


@pytest.mark.parametrize(
    ("text", "line", "path", "code", "suggestion"),
    [
        # Unknown keys.
        ("defaul = 1\n", 4, "defaul", "policy.unknown_key", "default"),
        (rule("sendrs = 'H22'"), 6, "rules[0].sendrs", "policy.unknown_key", "senders"),
        (rule("types = ['Tờ trình']"), 6, "rules[0].types", "policy.unknown_key",
         "documents.types"),
        (rule("documents = { type = ['x'] }"), 6, "rules[0].documents.type",
         "policy.unknown_key", "types"),
        # Values that are none of the allowed ones.
        (rule("directions = ['upp']"), 6, "rules[0].directions[0]", "policy.invalid_value", "up"),
        (rule("when = { hours = 'workin' }"), 6, "rules[0].when.hours", "policy.invalid_value",
         "working"),
        (rule("directions = []"), 6, "rules[0].directions", "policy.invalid_value", ""),
        (rule("documents = { acts = [] }"), 6, "rules[0].documents.acts",
         "policy.invalid_value", ""),
        (rule("documents = { types = [] }"), 6, "rules[0].documents.types",
         "policy.invalid_value", ""),
        (rule("when = { from = '2025-01-01' }"), 6, "rules[0].when.from",
         "policy.invalid_value", ""),
        (rule("recipients = 5"), 6, "rules[0].recipients", "policy.invalid_value", ""),
        ("rules = 5", 4, "rules", "policy.invalid_value", ""),
        # Keys that are missing.
        ("[[rules]]\nname = 'a'\n", 4, "rules[0]", "policy.missing_key", ""),
        # Names.
        (rule() + rule(), 8, "rules[1].name", "policy.duplicate_name", ""),
        ("[[rules]]\nname = 'floor/a'\neffect = { allow = true }\n", 5, "rules[0].name",
         "policy.reserved_name", ""),
        # Selectors.
        (rule("recipients = 'H22 H23'"), 6, "rules[0].recipients", "selector.syntax", ""),
        (rule("recipients = 'H22 @ 2025-06-30'"), 6, "rules[0].recipients",
         "policy.dated_selector", ""),
        (rule("senders = 'all - sender'"), 6, "rules[0].senders", "policy.sender_in_senders", ""),
        (rule("recipients = '" + "(" * 200 + "H22" + ")" * 200 + "'"), 6, "rules[0].recipients",
         "selector.too_large", ""),
        # Conditions that say nothing, or what cannot be.
        (rule("tiers_crossed = {}"), 6, "rules[0].tiers_crossed", "policy.empty", ""),
        (rule("documents = { marks = [' '] }"), 6, "rules[0].documents.marks", "policy.empty", ""),
        (rule("audience = { size = { min = 3, max = 2 } }"), 6, "rules[0].audience.size",
         "policy.impossible", ""),
        (rule("when = { from = 2025-07-01, until = 2025-06-30 }"), 6, "rules[0].when",
         "policy.dates_reversed", ""),
        # Effects.
        ("[[rules]]\nname = 'a'\neffect = { reason = 'so' }\n", 6, "rules[0].effect",
         "policy.empty", ""),
        ("[[rules]]\nname = 'a'\n[rules.effect]\nallow = true\nforbid = 'document'\n", 6,
         "rules[0].effect", "policy.allow_and_forbid", ""),
        (("[[rules]]\nname = 'a'\neffect = { hold = { approvers = 'G22', "
         "expires_working_days = 0 } }\n"), 6, "rules[0].effect.hold.expires_working_days",
         "policy.invalid_value", ""),
        # The calendar.
        ("[calendar.years.2028]\ndays_off = [2027-01-01]\n", 5, "calendar.years.2028.days_off[0]",
         "policy.day_elsewhere", ""),
        ("[calendar.years.2028]\ndays_off = []\nworking_days = [2028-01-03]\n", 6,
         "calendar.years.2028.working_days[0]", "policy.no_weekend_day", ""),
        ("[calendar.years.next]\ndays_off = []\n", 4, "calendar.years.next",
         "policy.invalid_value", ""),
        ("[calendar]\nhours = ['08:00-12:00', '11:00-17:00']\n", 5, "calendar.hours[1]",
         "policy.hours", ""),
        ("[calendar]\nhours = ['08:00-24:30']\n", 5, "calendar.hours[0]",
         "policy.invalid_value", ""),
        # Tests.
        ("[[tests]]\nname = 't'\nsender = 'H22'\nrecipients = 'H23'\nexpect = 'add'\n", 4,
         "tests[0].units", "policy.test_units", ""),
        ("[[tests]]\nname = 't'\nsender = 'H22'\nrecipients = 'H23'\nexpect = 'alow'\n", 8,
         "tests[0].expect", "policy.invalid_value", "allow"),
        (("[[tests]]\nname = 't'\nsender = 'H22'\nrecipients = 'H23'\nexpect = 'allow'\n"
         "rule = 'floor/reciept'\n"), 9, "tests[0].rule", "policy.unknown_rule", "floor/receipt"),
        (("[[tests]]\nname = 't'\nsender = 'H22'\nrecipients = 'H23'\nexpect = 'allow'\n"
         "at = '2025-02-30'\n"), 9, "tests[0].at", "policy.invalid_value", ""),
        # What is no TOML.
        ("[[rules]]\nname 'a'\n", 5, "rules[0].name", "policy.syntax", ""),
        ("[[rules]]\nname = 'a'\nname = 'b'\n", 6, "rules[0].name", "policy.syntax", ""),
        ("title = '''never\nclosed\n", 4, "title", "policy.syntax", ""),
        ("title = " + "9" * 5_000, 4, "title", "policy.syntax", ""),
    ],
)  # fmt: skip
def test_each_mistake_is_told_with_line_key_and_suggestion(
    text: str, line: int, path: str, code: str, suggestion: str
) -> None:
    problem = only(text)
    assert problem[1:4] == (code, line, path)
    assert problem.suggestion == suggestion


def test_a_mistake_in_a_rule_names_the_rule() -> None:
    assert only(rule("recipients = 'H22 H23'")).rule == "a"
    assert only(rule("sendrs = 'H22'")).rule == "a"
    assert only(rule("documents = { acts = [] }")).rule == "a"


def test_the_allowed_values_are_told() -> None:
    error = refused(rule("documents = { urgencies = ['quick'] }"))
    assert '"very_urgent"' in say(error)[0]
    assert "0 … 366" in say(refused(
        '[[rules]]\nname = "a"\neffect = { deadline_working_days = 367 }\n'
    ))[0]  # fmt: skip


def test_all_mistakes_are_told_in_the_order_of_the_file() -> None:
    error = refused(
        rule("sendrs = 'H22'", "tiers_crossed = { min = -1 }")
        + rule("recipients = 'H22 H23'", "audience = { size = {} }")
        + "[[tests]]\nname = 't'\n"
    )
    found = [(one.line, one.code) for one in error.problems]
    assert found == sorted(found)
    codes = [code for _, code in found]
    assert codes.count("policy.missing_key") == 3
    assert {"policy.unknown_key", "policy.invalid_value", "selector.syntax", "policy.empty",
            "policy.duplicate_name"} <= set(codes)  # fmt: skip
    assert (error.code, error.path, error.facts["line"]) == (
        error.problems[0].code, error.problems[0].path, error.problems[0].line,
    )  # fmt: skip


def test_no_more_mistakes_are_told_than_the_bound() -> None:
    many = "".join(f'[[rules]]\nname = "r{n}"\nx = 1\n' for n in range(300))
    assert len(refused(many).problems) == limits.POLICY_PROBLEMS_MAX
    many = "".join(f'[[rules]]\nname = "r{n}"\neffect = {{}}\n' for n in range(300))
    assert len(refused(many).problems) == limits.POLICY_PROBLEMS_MAX


def test_another_format_is_refused_before_anything_else() -> None:
    problem = only(b'format = 2\nname = 5\nnew_key = "x"\n')
    assert problem[1:4] == ("policy.format", 1, "format")
    assert refused(b'name = "t"\ndefault = "allow"\n').code == "policy.missing_key"


def test_what_is_too_large_or_no_text_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    assert only(HEAD.encode() + b"\n# \xff\n")[1:3] == ("policy.syntax", 5)
    assert only("x = " + "[" * 10_000)[1:3] == ("policy.syntax", 4)
    for key in ("a." * 1_000_000 + "b", '"a" . ' * 300_000 + "b", "x = { " + "a." * 500_000 + "b"):
        problem = only(f"[calendar]\n{key} = 1\n")  # squared, it would take hours
        assert problem[1:3] == ("policy.syntax", 5)
    monkeypatch.setattr(limits, "POLICY_BYTES_MAX", 20)
    assert only(HEAD.encode()).code == "policy.too_large"


def test_more_rules_than_the_bound_are_refused() -> None:
    data = HEAD + "rules = [" + "{}," * (limits.POLICY_RULES_MAX + 1) + "]"
    assert refused(data.encode()).code == "policy.missing_key"
    good = '{name="a",effect={allow=true}},'
    data = HEAD + "tests = []\nrules = [" + good * 3 + "]"
    assert refused(data.encode()).code == "policy.duplicate_name"


def test_findings_have_words_in_both_languages_and_the_error_travels() -> None:
    error = refused(rule("sendrs = 'H22'"))
    (finding,) = findings_of(error.problems)
    assert "“sendrs”" in finding.words
    assert "“sendrs”" in finding.words_vi
    assert (finding.line, finding.path, finding.suggestion) == (6, "rules[0].sendrs", "senders")
    again = pickle.loads(pickle.dumps(error))
    assert (again.problems, again.code, again.path) == (error.problems, error.code, error.path)


def test_lines_are_found_through_every_way_to_write_a_key() -> None:
    lines = LineMap(
        'a = """\nb = 1\n"""\n'
        "c.d = { e = [1, {f = 2}], g = 'x = 1' } # h = 1\n"
        "[i]\n'j k' = [\n  1,\n  { l = 2 },\n]\n"
        "[[m.n]]\no = 1\n[m.n.p]\nq = 2\n[[m.n]]\no = 3\n"
        '"r\\u0073" = 4\n'
    )
    assert {
        path_text(path): lines.line(path)
        for path in [
            ("a",), ("c", "d", "e", 1, "f"), ("c", "d", "g"), ("i", "j k", 1, "l"),
            ("m", "n", 0, "o"), ("m", "n", 0, "p", "q"), ("m", "n", 1, "o"), ("m", "n", 1, "rs"),
        ]
    } == {
        "a": 1, "c.d.e[1].f": 4, "c.d.g": 4, 'i."j k"[1].l': 8,
        "m.n[0].o": 11, "m.n[0].p.q": 13, "m.n[1].o": 15, "m.n[1].rs": 16,
    }  # fmt: skip
    assert lines.line(("b",)) == lines.line(("h",)) == 0
    assert lines.line(("m", "n", 1, "gone")) == 14, "the nearest container"
    assert lines.path_at(13) == ("m", "n", 0, "p", "q")
