"""The shipped working calendar: days off and make-up days by year, as published."""

from __future__ import annotations

from functools import cache

from router.model.calendar import WorkingCalendar


@cache
def shipped_calendar() -> WorkingCalendar:
    """Return the calendar of the years whose days off were published when this was made."""
    return WorkingCalendar({})
