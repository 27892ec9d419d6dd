"""A policy of a few rules put in force in an engine, as an operator does; and other calendars."""

from __future__ import annotations

from support.office import Office

from router.engine import Engine
from router.engine.policies import InForce
from router.model.calendar import WorkingCalendar

EVERY_WEEK_ALIKE = "\n".join(
    f"[calendar.years.{year}]\ndays_off = []" for year in range(2020, 2100)
)
"""Years without holidays, for engines that go by the machine's clock; the end of a policy."""


def in_force(office: Office | Engine, toml: str) -> int:
    """Check, try and activate a policy; return its version."""
    text = f'format = 1\nname = "t"\n{toml}'.encode()
    return _engine(office).activate_policy(text, reason="thử").version


def without_years(office: Office | Engine) -> None:
    """Take every year from the calendar of the policy in force.

    No policy can say that: files bring years and keep the shipped ones.  The version stays.
    """
    policies = _engine(office)._rooms.policies
    policies._compiled.clear()
    standing = policies.in_force
    policies._current = InForce(standing.version, standing.policy, WorkingCalendar({}))


def _engine(office: Office | Engine) -> Engine:
    return office if isinstance(office, Engine) else office.engine
