"""Instants are shown as the calendar says, to the millisecond, whatever they are."""

from __future__ import annotations

from random import Random

import pytest

from router.model.instants import INSTANT_MAX, SECOND_US, datetime_of, show_instant

DAY_US = 86_400 * SECOND_US
EIGHT = 1_725_411_600 * SECOND_US  # 2024-09-04 08:00 +07:00


@pytest.mark.parametrize(
    ("instant", "shown"),
    [
        (0, "1970-01-01T07:00:00+07:00"),
        (-1, "1970-01-01T06:59:59.999+07:00"),
        (EIGHT, "2024-09-04T08:00:00+07:00"),
        (EIGHT + 1, "2024-09-04T08:00:00.000+07:00"),
        (EIGHT + 61_002_999, "2024-09-04T08:01:01.002+07:00"),
        (EIGHT - 8 * 3_600 * SECOND_US - 1, "2024-09-03T23:59:59.999+07:00"),
        (INSTANT_MAX, "9999-12-31T06:59:59+07:00"),
        (1 << 80, "9999-12-31T06:59:59+07:00"),
        (-(1 << 80), "0001-01-02T07:00:00+07:00"),
    ],
)
def test_an_instant_is_shown_in_vietnam_time(instant: int, shown: str) -> None:
    assert show_instant(instant) == shown


def test_what_is_shown_is_what_the_calendar_says() -> None:
    chance = Random(8)
    for _ in range(5_000):
        instant = chance.randrange(-62_135_510_400, 253_402_214_399) * SECOND_US
        instant += chance.choice((0, chance.randrange(SECOND_US)))
        for near in (instant, instant + chance.randrange(DAY_US)):
            moment = datetime_of(near)
            precision = "milliseconds" if moment.microsecond else "seconds"
            assert show_instant(near) == moment.isoformat(timespec=precision)
