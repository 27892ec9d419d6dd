"""What was learnt when: the changes of the directory, and the versions of one unit."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from router._register import (
    FACT_CLOSES,
    FACT_CODES,
    FACT_DETAILS,
    FACT_KIND,
    FACT_NAME,
    FACT_OPENS,
    FACT_PARENT,
    FACT_SUCCESSORS,
    FACT_TAGS,
    FACT_TIER,
    FOR_GOOD,
)
from router.directory.known import Known
from router.model.units import Unit

_SAID = {
    FACT_OPENS: "opens",
    FACT_CLOSES: "closes",
    FACT_TIER: "tier",
    FACT_KIND: "kind",
    FACT_PARENT: "parent",
    FACT_TAGS: "tags",
    FACT_CODES: "codes",
    FACT_NAME: "name",
    FACT_DETAILS: "details",
    FACT_SUCCESSORS: "successors",
}


class ChangeMade(msgspec.Struct, frozen=True):
    """One visible change of the directory.

    `sequence` is its (last) record's, `known_at` the instant it was written; `form` is
    "import", "reorganisation", "correction" or "group"; `at` the instant it takes effect
    (0: each fact has its own); `count` the facts in it.
    """

    sequence: int
    known_at: int
    form: str
    title: str
    at: int
    count: int
    name: str = ""


class Version(msgspec.Struct, frozen=True):
    """One fact about a unit: what it said, for which time, and since when it is known.

    `unit` is the unit at `since` as known with this change; `said` names the properties
    the fact speaks of; `until` None is for good.
    """

    unit: Unit
    since: int
    until: int | None
    said: tuple[str, ...]
    sequence: int
    known_at: int
    form: str
    title: str


def versions_of(known: Known, number: int, changes: Sequence[ChangeMade]) -> list[Version]:
    """Return the facts about a unit in order of learning."""
    found = []
    for place, since, until, mask, *_ in known.register.history(number):
        if place >= known.count:
            break
        unit = Known(known.register, known.words, place + 1).unit(number, since)
        made = changes[place]
        if unit is None:  # withdrawn: it never existed
            unit = known.unit(number) or Known(known.register, known.words, place).unit(number)
        assert unit is not None, "a fact is about a unit that was known once"
        said = tuple(word for bit, word in _SAID.items() if mask & bit)
        end = None if until == FOR_GOOD else until
        found.append(
            Version(unit, since, end, said, made.sequence, made.known_at, made.form, made.title)
        )
    return found
