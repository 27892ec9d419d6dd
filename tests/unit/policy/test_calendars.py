"""What a policy's calendar changes, and what it leaves."""

from __future__ import annotations

from datetime import date, datetime

import msgspec

from router.model.calendar import WorkingCalendar
from router.model.holidays import shipped_calendar
from router.model.instants import VIETNAM_TIME, instant_of
from router.policy.calendars import calendar_of
from router.policy.model import PolicyFile

SHIPPED = shipped_calendar()


def calendar(toml: str) -> WorkingCalendar:
    text = 'format = 1\nname = "Tỉnh mẫu"\ndefault = "allow"\n' + toml
    return calendar_of(msgspec.toml.decode(text, type=PolicyFile), SHIPPED)


def test_without_changes_it_is_the_shipped_one() -> None:
    assert calendar("") is SHIPPED


def test_a_year_of_the_policy_takes_the_place_of_the_shipped_one() -> None:
    found = calendar(
        "[calendar.years.2024]\ndays_off = [2024-09-05]\n"
        "[calendar.years.2031]\ndays_off = [2031-01-01]\nworking_days = [2031-01-04]\n"
    )
    assert not found.is_working_day(date(2024, 9, 5))
    assert found.is_working_day(date(2024, 9, 2)), "the shipped days off of that year are gone"
    assert found.is_working_day(date(2031, 1, 4))
    assert found.years[2025] is SHIPPED.years[2025]
    assert found.hours == SHIPPED.hours
    assert "Tỉnh mẫu" in found.years[2031].source


def test_hours_of_the_policy_take_the_place_of_the_shipped_ones() -> None:
    found = calendar('[calendar]\nhours = ["07:00-11:30", "13:30-17:00"]\n')
    early = instant_of(datetime(2024, 9, 4, 7, 30, tzinfo=VIETNAM_TIME))
    assert found.in_working_hours(early)
    assert not SHIPPED.in_working_hours(early)
    assert found.years == SHIPPED.years
