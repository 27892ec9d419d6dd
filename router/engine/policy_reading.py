"""Policy texts as the engine takes them: new ones judged, stored ones read, with a calendar."""

from __future__ import annotations

import msgspec

from router.directory import Snapshot
from router.errors import PolicyError, PolicyProblem
from router.model.calendar import WorkingCalendar
from router.model.holidays import shipped_calendar
from router.policy import calendars
from router.policy.checking import check_policy
from router.policy.lines import LineMap
from router.policy.model import PolicyFile
from router.policy.parsing import parse_policy
from router.policy.problems import error_of


def read_stored(text: bytes) -> PolicyFile:
    """Read a policy that was activated once.

    What it may say was judged then: a later version that judges more still reads it.
    """
    try:
        return parse_policy(text)
    except PolicyError:
        return msgspec.toml.decode(text, type=PolicyFile)


def read_new(text: bytes, snapshot: Snapshot, at_us: int) -> PolicyFile:
    """Read a policy that could be put in force, its tests apart.

    Raises PolicyError with all that is wrong: what was not judged is never compiled, so that
    no text takes more than the bounds of `router.limits`.
    """
    policy = parse_policy(text)
    problems = judge(policy, snapshot, text, at_us)
    wrong = [one for one in problems if one.severity == "error"]
    if wrong:
        raise error_of((*wrong, *(one for one in problems if one not in wrong)))
    return policy


def judge(
    policy: PolicyFile, snapshot: Snapshot, text: bytes, at_us: int
) -> tuple[PolicyProblem, ...]:
    """Return what is wrong or doubtful about a policy, as parsed from a text, in a directory."""
    lines, calendar = LineMap(text.decode("utf-8-sig")), calendar_of(policy)
    return check_policy(policy, snapshot, lines, at_us=at_us, calendar=calendar)


def calendar_of(policy: PolicyFile) -> WorkingCalendar:
    """Return the shipped calendar with the years and hours that a policy brings."""
    return calendars.calendar_of(policy, shipped_calendar())
