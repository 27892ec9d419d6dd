"""The shipped working calendar: days off and make-up days by year, as published.

Public holidays follow Art. 112 of the Labour Code 2019: 1 January, five days of Tết, the
10th of the third lunar month, 30 April, 1 May, 2 September and a day beside it.  Which days
of Tết, which day beside 2 September, and which days are exchanged for a Saturday, is
announced for each year; a year that is not announced is not here.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta
from functools import cache
from typing import Final

from router.model.calendar import WorkingCalendar, YearOfDays


def _days(year: int, *spans: str) -> frozenset[date]:
    """Return the days of spans such as "08-02..14-02" (day and month) of a year."""
    return frozenset(day for span in spans for day in _span(year, span))


def _span(year: int, span: str) -> Iterable[date]:
    begin, _, end = span.partition("..")
    first, last = _day(year, begin), _day(year, end or begin)
    return (first + timedelta(days) for days in range((last - first).days + 1))


def _day(year: int, text: str) -> date:
    day, month = map(int, text.split("-"))
    return date(year, month, day)


_YEARS: Final = {
    2024: YearOfDays(
        _days(2024, "01-01", "08-02..14-02", "18-04", "29-04..01-05", "02-09..03-09"),
        _days(2024, "04-05"),
        "Labour Code 2019, Art. 112; Tết and 2 September: notice of the Ministry of Labour, "
        "November 2023; 29 April for 4 May: 2450/VPCP-KGVX of 12 April 2024",
    ),
    2025: YearOfDays(
        _days(2025, "01-01", "25-01..02-02", "07-04", "30-04..02-05", "01-09..02-09"),
        _days(2025, "26-04"),
        "Labour Code 2019, Art. 112; notice of the Ministry of Labour, December 2024 "
        "(2 May for 26 April)",
    ),
    2026: YearOfDays(
        _days(
            2026, "01-01..02-01", "14-02..22-02", "27-04", "30-04..01-05", "31-08..02-09",
        ),
        _days(2026, "10-01", "22-08"),
        "Labour Code 2019, Art. 112; notice of the Ministry of Home Affairs, October 2025 "
        "(31 August for 22 August); Hùng Kings' day is a Sunday, 27 April instead of it. To be "
        "confirmed by the operator: 2 January for 10 January; 24 November is not counted as off",
    ),
}  # fmt: skip


@cache
def shipped_calendar() -> WorkingCalendar:
    """Return the calendar of the years whose days off were published when this was made."""
    return WorkingCalendar(_YEARS)
