"""The working calendar: which days are worked, and when a number of working days is over.

Days are those of Vietnam (+07:00).  Public holidays are data by year, as published: they
cannot be computed (Tết follows the moon, make-up days a decision of each autumn).  A year
without data is said, never guessed.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, time, timedelta

import msgspec

from router.errors import CalendarError
from router.limits import POLICY_WORKING_DAYS_MAX
from router.model.instants import VIETNAM_TIME, datetime_of, instant_of

_SATURDAY = 5
_DAY = timedelta(days=1)
_NOON = time(12)


class YearOfDays(msgspec.Struct, frozen=True):
    """What differs from Monday to Friday in one year; `source` names the publication."""

    days_off: frozenset[date]
    working_days: frozenset[date] = frozenset()
    source: str = ""


class WorkingHours(msgspec.Struct, frozen=True):
    """One stretch of a working day, in minutes after midnight; the end is exclusive."""

    begin: int
    end: int


class WorkingCalendar(msgspec.Struct, frozen=True):
    """Years with their days off and make-up days, and the hours of a working day."""

    years: Mapping[int, YearOfDays]
    hours: tuple[WorkingHours, ...] = (WorkingHours(480, 720), WorkingHours(780, 1_020))

    def is_working_day(self, day: date) -> bool:
        """Say whether a day is worked.  Raises CalendarError `calendar.year_missing`."""
        year = self.years.get(day.year)
        if year is None:
            raise CalendarError("calendar.year_missing", year=day.year)
        if day in year.working_days:
            return True
        return day.weekday() < _SATURDAY and day not in year.days_off

    def add_working_days(self, day: date, count: int) -> date:
        """Return the `count`-th working day after a day.

        0 is the day itself when it is worked, else the next working day.  Raises
        CalendarError `calendar.year_missing`, ValueError for a count that is below 0 or over
        POLICY_WORKING_DAYS_MAX.
        """
        if not 0 <= count <= POLICY_WORKING_DAYS_MAX:
            raise ValueError(f"0 to {POLICY_WORKING_DAYS_MAX} working days")
        if count == 0:
            while not self.is_working_day(day):
                day += _DAY
        while count:
            day += _DAY
            count -= self.is_working_day(day)
        return day

    def end_of_working_day(self, instant_us: int, count: int) -> int:
        """Return the instant at which the `count`-th working day after an instant's day ends.

        It is 24:00 +07:00 of that day, exclusive.  Raises what `add_working_days` raises.
        """
        last = self.add_working_days(datetime_of(instant_us).date(), count)
        return instant_of(datetime.combine(last + _DAY, time(), VIETNAM_TIME))

    def noon_of_working_day(self, instant_us: int, count: int) -> int:
        """Return 12:00 +07:00 of the `count`-th working day after an instant's day."""
        last = self.add_working_days(datetime_of(instant_us).date(), count)
        return instant_of(datetime.combine(last, _NOON, VIETNAM_TIME))

    def in_working_hours(self, instant_us: int) -> bool:
        """Say whether an instant lies within working hours of a working day.

        Raises CalendarError `calendar.year_missing`.
        """
        moment = datetime_of(instant_us)
        minute = moment.hour * 60 + moment.minute
        return self.is_working_day(moment.date()) and any(
            part.begin <= minute < part.end for part in self.hours
        )
