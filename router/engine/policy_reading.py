"""Policy texts read, judged and tried: the engine's one way to what the policy room offers."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from router._core import Audience
from router.directory import Snapshot
from router.errors import PolicyError, PolicyProblem
from router.model.calendar import WorkingCalendar
from router.model.holidays import shipped_calendar
from router.model.policies import Finding, TestOutcome
from router.policy.calendars import calendar_of as laid_over
from router.policy.compiled import CompiledPolicy
from router.policy.deciding import Decision, decide_batch
from router.policy.model import Expected, PolicyFile, PolicyTest
from router.policy.supposing import facts_of
from router.selectors import compile_program, instant_of_text, parse


def read_policy(text: bytes) -> PolicyFile:
    """Read a new policy.  Raises PolicyError with every mistake."""
    try:
        return msgspec.toml.decode(text, type=PolicyFile)
    except (msgspec.MsgspecError, ValueError) as error:
        problem = PolicyProblem("error", "field.invalid", 0, "", facts=(("reason", str(error)),))
        raise PolicyError(
            "field.invalid", problems=(problem,), path="policy", reason=str(error)
        ) from None


def read_stored(text: bytes) -> PolicyFile:
    """Read a policy that was activated once: what it may say was judged then."""
    return msgspec.toml.decode(text, type=PolicyFile)


def judge(
    policy: PolicyFile, snapshot: Snapshot, text: bytes, at_us: int
) -> tuple[PolicyProblem, ...]:
    """Return what is wrong or doubtful about a policy in a directory."""
    del policy, snapshot, text, at_us
    return ()


def findings_of(problems: Sequence[PolicyProblem]) -> tuple[Finding, ...]:
    """Return problems with their words."""
    return tuple(
        Finding(
            one.severity, one.code, one.line, one.path, str(dict(one.facts).get("reason", "")),
            str(dict(one.facts).get("reason", "")), one.rule, one.suggestion,
        )
        for one in problems
    )  # fmt: skip


def try_out(
    policy: PolicyFile,
    compiled_at: Callable[[int], CompiledPolicy],
    lookup_at: Callable[[int], Snapshot],
    now_us: int,
) -> tuple[TestOutcome, ...]:
    """Run a policy's tests."""
    return tuple(_try(one, compiled_at, lookup_at, now_us) for one in policy.tests)


def _try(
    test: PolicyTest,
    compiled_at: Callable[[int], CompiledPolicy],
    lookup_at: Callable[[int], Snapshot],
    now_us: int,
) -> TestOutcome:
    at_us = now_us if test.at is None else instant_of_text(test.at)
    lookup, compiled = lookup_at(at_us), compiled_at(at_us)
    place = lookup.position_of(test.sender)
    sender = lookup.hierarchy.number(place)
    program = compile_program(parse(test.recipients), lookup, sender=place)
    audience = lookup.hierarchy.evaluate(program)
    facts = facts_of(test.document, sender, [sender], at_us)
    decision = decide_batch(compiled, [facts], [audience], at_us)[0]
    rules = tuple(compiled.name_of(number) for number in decision.rules)
    passed = _meets(test, decision, audience) and (test.rule is None or test.rule in rules)
    return TestOutcome(test.name, passed, "", "", rules)


def _meets(test: PolicyTest, decision: Decision, audience: Audience) -> bool:
    if test.expect is Expected.REFUSE or decision.refused:
        return bool(decision.refused) is (test.expect is Expected.REFUSE)
    held = Audience()
    for part in decision.held:
        held = held | part.audience
    found = {
        Expected.ALLOW: decision.effective,
        Expected.EXCLUDE: decision.excluded,
        Expected.HOLD: held,
        Expected.ADD: decision.added,
    }[test.expect]
    return not audience - found if test.expect is not Expected.ADD else bool(found)


def calendar_of(policy: PolicyFile) -> WorkingCalendar:
    """Return the shipped calendar with the years and hours that a policy brings."""
    return laid_over(policy, shipped_calendar())
