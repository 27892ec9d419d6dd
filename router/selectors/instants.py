"""The instant of a selector: what stands behind `@`."""

from __future__ import annotations

import re
from datetime import date, datetime, time
from typing import Final

from router.model.instants import INSTANT_MAX, VIETNAM_TIME, datetime_of, instant_of
from router.selectors.nodes import AtNode, Node

TOKEN: Final = re.compile(r"[0-9A-Za-z:.+-]+")
"""What may be meant as an instant."""
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_TIME: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?"
    r"(Z|[+-][0-9]{2}:[0-9]{2})?"
)


def instant_of_text(text: str) -> int:
    """Return the instant that a date (00:00 +07:00 of it) or a time with its zone names.

    The forms are those of RFC 3339, seconds may be left out.  Raises ValueError with words
    for a person.
    """
    moment: datetime | None = None
    try:
        if _DATE.fullmatch(text):
            moment = datetime.combine(date.fromisoformat(text), time(), VIETNAM_TIME)
        elif _TIME.fullmatch(text):
            moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"there is no such day or time as “{text}”") from None
    if moment is None:
        raise ValueError(
            "a date such as 2025-06-30 or a time such as 2025-06-30T08:00:00+07:00 expected"
        )
    if moment.tzinfo is None:
        raise ValueError("a time needs its zone, e.g. +07:00")
    try:
        instant = instant_of(moment)
    except OverflowError:
        instant = -1
    if not 0 <= instant <= INSTANT_MAX:
        raise ValueError("an instant lies between 1970 and 9999")
    return instant


def show_at(instant_us: int) -> str:
    """Return the canonical text of an instant: the date when it is midnight in +07:00."""
    moment = datetime_of(instant_us)
    if moment.timetz() == time(0, tzinfo=VIETNAM_TIME):
        return moment.date().isoformat()
    return moment.isoformat()


def instant_of_selector(node: Node) -> int | None:
    """Return the instant that a whole selector asks for, None when it names none."""
    return instant_of_text(node.at) if isinstance(node, AtNode) else None
