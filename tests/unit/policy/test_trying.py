"""Policy tests pass when what they expect is so, and say what was found when it is not."""

from __future__ import annotations

import pytest
from support.sample_country import AFTER, BEFORE, FIRST_OF_JULY_2025, SampleLookup
from support.units import at

from router.model.calendar import WorkingCalendar, YearOfDays
from router.model.policies import TestOutcome
from router.policy.compiled import CompiledPolicy, compile_policy
from router.policy.floor import floor_rules
from router.policy.parsing import parse_policy
from router.policy.trying import run_tests

NOW = at(2025, 6, 25)
CALENDAR = WorkingCalendar({2025: YearOfDays(frozenset())})
POLICY = """
format = 1
name = "t"
default = "allow"
[[rules]]
name = "no-ministries"
senders = "tier(commune)"
recipients = "kind(ministry)"
effect = { forbid = "recipients", reason = "qua tỉnh" }
[[rules]]
name = "held"
recipients = "H23"
effect = { hold = { approvers = "G22", expires_working_days = 1 } }
[[rules]]
name = "copy"
recipients = "H22.02"
effect = { add = "H22.01" }
[[rules]]
name = "two-signatures"
documents = { types = ["Nghị quyết"] }
effect = { require = { signatures = 1, by = "parent(sender)" } }
[[rules]]
name = "invitations"
documents = { types = ["Giấy mời"] }
effect = { admit_unsigned = true }
"""


def lookup_at(instant_us: int) -> SampleLookup:
    return AFTER if instant_us >= FIRST_OF_JULY_2025 else BEFORE


def run(*lines: str) -> TestOutcome:
    text = "\n".join([POLICY, "[[tests]]", 'name = "it"', *lines])
    policy = parse_policy(text.encode())

    def compile_at(instant_us: int) -> CompiledPolicy:
        return compile_policy(policy, lookup_at(instant_us), CALENDAR, floor=floor_rules())

    (outcome,) = run_tests(policy, compile_at, lookup_at, NOW)
    assert outcome.name == "it"
    assert bool(outcome.words) is bool(outcome.words_vi) is not outcome.passed
    return outcome


COMMUNE = 'sender = "H22.31.20"'


@pytest.mark.parametrize(
    "lines",
    [
        [COMMUNE, 'recipients = "H22 | H22.31"', 'expect = "allow"'],
        [COMMUNE, 'recipients = "H22 | G09"', 'expect = "exclude"', 'units = "G09"',
         'rule = "no-ministries"'],
        [COMMUNE, 'recipients = "G09 | G15"', 'expect = "refuse"', 'rule = "no-ministries"'],
        [COMMUNE, 'recipients = "H22 | H23"', 'expect = "hold"', 'units = "H23"', 'rule = "held"'],
        [COMMUNE, 'recipients = "H22.02"', 'expect = "add"', 'units = "H22.01"'],
        [COMMUNE, 'recipients = "parent(sender)"', 'expect = "allow"', 'units = "H22"',
         'at = "2025-07-02"'],
        [COMMUNE, 'recipients = "H22"', 'expect = "allow"', 'rule = "floor/receipt"'],
        [COMMUNE, 'recipients = "H22"', 'expect = "refuse"', 'rule = "two-signatures"',
         'document = { type = "Nghị quyết" }'],
        [COMMUNE, 'recipients = "H22"', 'expect = "allow"',
         'document = { type = "Nghị quyết", signed_by = ["H22.31.20", "H22.31"] }'],
        [COMMUNE, 'recipients = "H22"', 'expect = "refuse"', "document = { signed_by = [] }"],
        [COMMUNE, 'recipients = "H22"', 'expect = "allow"',
         'document = { type = "Giấy mời", signed_by = [] }'],
    ],
)  # fmt: skip
def test_what_is_so_passes(lines: list[str]) -> None:
    outcome = run(*lines)
    assert outcome.passed, outcome
    assert outcome.rules


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ([COMMUNE, 'recipients = "H22 | G09"', 'expect = "allow"'], "G09: excluded"),
        ([COMMUNE, 'recipients = "H22 | G09"', 'expect = "exclude"'], "H22: allowed"),
        ([COMMUNE, 'recipients = "H22 | H23"', 'expect = "allow"'], "H23: held"),
        ([COMMUNE, 'recipients = "H22.02"', 'expect = "hold"', 'units = "H22.01"'],
         "H22.01: added"),
        ([COMMUNE, 'recipients = "H22"', 'expect = "add"', 'units = "H22.01"'],
         "H22.01: not addressed"),
        ([COMMUNE, 'recipients = "H22"', 'expect = "refuse"'], "not refused"),
        ([COMMUNE, 'recipients = "G09"', 'expect = "exclude"'], "it is refused"),
        ([COMMUNE, 'recipients = "H22"', 'expect = "allow"', 'rule = "held"'],
         "“held” did not decide"),
        ([COMMUNE, 'recipients = "H22"', 'expect = "refuse"', 'rule = "held"',
          "document = { signed_by = [] }"], "“held” did not decide"),
        (['sender = "H99"', 'recipients = "H22"', 'expect = "allow"'], "No unit has the code H99"),
        (['sender = "H22.31"', 'recipients = "H22"', 'expect = "allow"', 'at = "2025-07-02"'],
         "was closed on 2025-07-01"),
        ([COMMUNE, 'recipients = "H22 - H22"', 'expect = "refuse"'], "selects nobody"),
        ([COMMUNE, 'recipients = "all"', 'expect = "hold"'], "… ("),
    ],
)  # fmt: skip
def test_what_is_not_so_fails_and_says_what_was_found(lines: list[str], words: str) -> None:
    outcome = run(*lines)
    assert not outcome.passed
    assert words in outcome.words
