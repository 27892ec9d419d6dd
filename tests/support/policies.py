"""A policy put in force in an engine without activating it, for tests of what decides."""

from __future__ import annotations

from weakref import WeakKeyDictionary

import msgspec
from support.office import Office

from router.engine import Engine
from router.engine.policies import InForce
from router.model.calendar import WorkingCalendar, YearOfDays
from router.model.holidays import shipped_calendar
from router.policy.model import PolicyFile

EVERY_WEEK_ALIKE = WorkingCalendar({year: YearOfDays(frozenset()) for year in range(2020, 2100)})
"""A calendar without holidays, for engines that go by the machine's clock."""
_versions: WeakKeyDictionary[object, dict[int, InForce]] = WeakKeyDictionary()


def in_force(
    office: Office | Engine, toml: str, *, version: int = 1, calendar: WorkingCalendar | None = None
) -> PolicyFile:
    """Put a policy in force under a version's number; return it as parsed.

    After `Office.reopen` say it anew: nothing of it is stored.
    """
    policy = msgspec.toml.decode('format = 1\nname = "t"\n' + toml, type=PolicyFile)
    engine = office if isinstance(office, Engine) else office.engine
    policies = engine._rooms.policies
    policies._compiled.clear()  # a test may give one number to two texts
    engine._submitter._policy._names.clear()
    engine._submitter._policy._asking = (-1, False)
    policies._current = InForce(version, policy, calendar or shipped_calendar())
    known = _versions.setdefault(office, {})
    known[version] = policies._current
    policies.of_version = known.__getitem__  # type: ignore[method-assign]
    return policy
