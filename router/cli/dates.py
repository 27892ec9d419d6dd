"""Dates and times as a clerk types them."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from typing import Any

import rich_click as click

from router.cli.output import moment
from router.model.instants import VIETNAM_TIME, datetime_of, instant_of, show_instant
from router.selectors import instant_of_text

_VIETNAMESE = re.compile(r"([0-9]{1,2})/([0-9]{1,2})/([0-9]{4})")


class Instant(click.ParamType[int]):
    """A date (00:00 of it in +07:00) or a time with its zone, as microseconds since 1970."""

    name = "date"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Read 2025-07-01, 01/07/2025 or 2025-07-01T08:00:00+07:00."""
        if isinstance(value, int):
            return value
        text = str(value).strip()
        written = _VIETNAMESE.fullmatch(text)
        if written is not None:
            text = f"{written[3]}-{written[2]:0>2}-{written[1]:0>2}"
        try:
            return instant_of_text(text)
        except ValueError as error:
            self.fail(str(error), param, ctx)


INSTANT = Instant()


def at_option(words: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return the option `--at`."""
    return click.option("--at", "at_us", type=INSTANT, help=words)


def known_at_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--known-at`."""
    return click.option(
        "--known-at", "known_at_us", type=INSTANT,
        help="As the directory was known then (default: as known now).",
    )(command)  # fmt: skip


def today_us() -> int:
    """Return 00:00 of today in +07:00."""
    now = datetime.now(VIETNAM_TIME)
    return instant_of(now.replace(hour=0, minute=0, second=0, microsecond=0))


def shown(instant_us: int) -> str:
    """Return an instant as people read it: the date when it is midnight in +07:00."""
    return moment(show_instant(instant_us))


def day_text(instant_us: int) -> str:
    """Return an instant as an option takes it back."""
    return datetime_of(instant_us).isoformat().removesuffix("T00:00:00+07:00")
