"""Instants: integer microseconds since 1970-01-01T00:00Z, shown in Vietnam time.

Stored in UTC, shown as ISO 8601 with +07:00 (QĐ 28/2018, Art. 14.4).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache

VIETNAM_TIME = timezone(timedelta(hours=7), "+07:00")
SECOND_US = 1_000_000
INSTANT_MAX = 253_402_214_399 * SECOND_US
"""The last whole second of 30 December 9999: a date also in zones ahead of UTC."""
_MINUTE_US = 60 * SECOND_US
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_INSTANT_MIN = -62_135_510_400 * SECOND_US  # 2 January of the year 1


def instant_of(moment: datetime) -> int:
    """Return the instant of a zoned datetime.  Raises ValueError for a naive one."""
    if moment.tzinfo is None:
        raise ValueError("a time without a zone names no instant")
    return (moment - _EPOCH) // timedelta(microseconds=1)


def datetime_of(instant_us: int) -> datetime:
    """Return the instant as a datetime in Vietnam time.

    What lies beyond the calendar becomes its first or last day: showing never raises.
    """
    shown_us = min(max(instant_us, _INSTANT_MIN), INSTANT_MAX)
    return (_EPOCH + timedelta(microseconds=shown_us)).astimezone(VIETNAM_TIME)


@lru_cache(maxsize=4_096)
def show_instant(instant_us: int) -> str:
    """Return e.g. ``2024-09-04T07:30:00+07:00`` (milliseconds only when there are any)."""
    shown_us = min(max(instant_us, _INSTANT_MIN), INSTANT_MAX)
    minute, rest = divmod(shown_us, _MINUTE_US)
    second, fraction = divmod(rest, SECOND_US)
    shown = f"{_shown_minute(minute)}:{second:02}"
    return f"{shown}.{fraction // 1_000:03}+07:00" if fraction else f"{shown}+07:00"


@lru_cache(maxsize=256)
def _shown_minute(minute: int) -> str:
    """Remember the text: the documents of an inbox share their minutes, and it costs most."""
    return datetime_of(minute * _MINUTE_US).isoformat(timespec="minutes")[:16]


def year_of(instant_us: int) -> int:
    """Return the calendar year in Vietnam time."""
    return datetime_of(instant_us).year
