"""The working calendar: Tết, make-up days, missing years, hours."""

from __future__ import annotations

from datetime import date, datetime

import pytest

from router.errors import CalendarError
from router.model.calendar import WorkingCalendar
from router.model.holidays import shipped_calendar
from router.model.instants import VIETNAM_TIME, instant_of, show_instant

SHIPPED = shipped_calendar()


def moment(*parts: int) -> int:
    return instant_of(datetime(*parts, tzinfo=VIETNAM_TIME))  # type: ignore[misc,arg-type]


@pytest.mark.parametrize(
    ("day", "worked"),
    [
        (date(2024, 2, 7), True),  # the last day before Tết
        (date(2024, 2, 14), False),
        (date(2024, 2, 15), True),
        (date(2024, 4, 18), False),  # Hùng Kings' day
        (date(2024, 4, 29), False),  # exchanged for a Saturday
        (date(2024, 5, 4), True),
        (date(2024, 5, 11), False),
        (date(2025, 1, 31), False),
        (date(2025, 2, 3), True),
        (date(2025, 4, 26), True),
        (date(2025, 5, 2), False),
        (date(2025, 9, 1), False),
        (date(2026, 4, 27), False),  # Hùng Kings' day was a Sunday
        (date(2026, 8, 22), True),
        (date(2026, 8, 31), False),
    ],
)
def test_the_shipped_days_off_are_those_that_were_announced(day: date, worked: bool) -> None:
    assert SHIPPED.is_working_day(day) is worked


def test_every_shipped_year_is_whole_and_says_where_it_is_from() -> None:
    for number, year in SHIPPED.years.items():
        assert {day.year for day in year.days_off | year.working_days} == {number}
        assert all(day.weekday() >= 5 for day in year.working_days)
        assert not year.days_off & year.working_days
        weekdays_off = sum(day.weekday() < 5 for day in year.days_off)
        assert weekdays_off - len(year.working_days) == 11 - _on_weekends(number), number
        assert year.source


def _on_weekends(year: int) -> int:
    """Count the law's eleven days that fell on a weekend and were not made good."""
    return {2024: 0, 2025: 0, 2026: 0}[year]


def test_working_days_are_counted_over_tet_and_make_up_days() -> None:
    assert SHIPPED.add_working_days(date(2024, 2, 7), 1) == date(2024, 2, 15)
    assert SHIPPED.add_working_days(date(2024, 2, 10), 0) == date(2024, 2, 15)
    assert SHIPPED.add_working_days(date(2024, 5, 3), 1) == date(2024, 5, 4)
    assert SHIPPED.add_working_days(date(2024, 5, 3), 2) == date(2024, 5, 6)


def test_deadlines_are_those_of_vietnam_time() -> None:
    late = moment(2024, 2, 7, 23, 59)
    assert show_instant(SHIPPED.end_of_working_day(late, 0)) == "2024-02-08T00:00:00+07:00"
    assert show_instant(SHIPPED.end_of_working_day(late, 1)) == "2024-02-16T00:00:00+07:00"
    assert show_instant(SHIPPED.noon_of_working_day(late, 1)) == "2024-02-15T12:00:00+07:00"


@pytest.mark.parametrize(
    ("hour", "minute", "within"),
    [(7, 59, False), (8, 0, True), (11, 59, True), (12, 0, False), (13, 0, True), (17, 0, False)],
)
def test_working_hours_end_before_noon_and_evening(hour: int, minute: int, within: bool) -> None:
    assert SHIPPED.in_working_hours(moment(2024, 9, 4, hour, minute)) is within
    assert not SHIPPED.in_working_hours(moment(2024, 9, 7, hour, minute))  # a Saturday


def test_a_missing_year_is_said_and_never_guessed() -> None:
    last = max(SHIPPED.years)
    with pytest.raises(CalendarError) as told:
        SHIPPED.add_working_days(date(last, 12, 31), 1)
    assert (told.value.code, told.value.facts["year"]) == ("calendar.year_missing", last + 1)
    with pytest.raises(CalendarError):
        WorkingCalendar({}).is_working_day(date(2024, 9, 7))  # not even for a Saturday
    with pytest.raises(ValueError, match="working days"):
        SHIPPED.add_working_days(date(2024, 9, 4), 367)
