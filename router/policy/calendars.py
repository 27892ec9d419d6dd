"""The shipped calendar with what a policy file brings: its years, its working hours."""

from __future__ import annotations

from datetime import date

from router.model.calendar import WorkingCalendar, WorkingHours, YearOfDays
from router.policy.model import CalendarYear, PolicyFile


def calendar_of(policy: PolicyFile, shipped: WorkingCalendar) -> WorkingCalendar:
    """Return the calendar that a checked policy counts working days by.

    A year of the policy takes the place of the shipped one as a whole; hours, where there are
    any, take the place of the shipped ones.  Raises ValueError for a year that is no number
    or hours that are none: parsing refuses those first.
    """
    changes = policy.calendar
    if changes is None:
        return shipped
    source = f"policy “{policy.name}”"
    brought = {int(number): _year(year, source) for number, year in changes.years.items()}
    hours = tuple(_hours(text) for text in changes.hours) or shipped.hours
    return WorkingCalendar({**shipped.years, **brought}, hours)


def _year(year: CalendarYear, source: str) -> YearOfDays:
    days: frozenset[date] = frozenset(year.days_off)
    return YearOfDays(days, frozenset(year.working_days), source)


def _hours(text: str) -> WorkingHours:
    """Read "08:00-12:00"."""
    begin, _, end = text.partition("-")
    return WorkingHours(_minutes(begin), _minutes(end))


def _minutes(text: str) -> int:
    hour, _, minute = text.partition(":")
    return int(hour) * 60 + int(minute)
