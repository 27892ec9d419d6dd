"""Deciding a batch: who of each audience may receive, who waits, what is set, by which rules.

The algebra of docs/policy.md over whole audiences; no loop over recipients.  Pure: the same
arguments give the same decisions, whatever was asked before.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from router._core import Audience
from router.errors import CalendarError
from router.model.decisions import DocumentFacts
from router.model.instants import datetime_of
from router.policy.answers import Decision, HeldPart
from router.policy.compiled import CompiledPolicy, Relative

__all__ = ["Decision", "HeldPart", "decide_batch", "signatures_by"]

_OUTSIDE, _WORKING, _NO_DATA = range(3)
_EMPTY: Final = Audience()


def decide_batch(
    compiled: CompiledPolicy,
    documents: Sequence[DocumentFacts],
    audiences: Sequence[Audience],
    instant_us: int,
) -> list[Decision]:
    """Decide each document for its audience (not empty, of the compiled snapshot), in order.

    `instant_us` is the instant of acceptance.  Never raises for a document: a refusal is a
    Decision.  Raises ValueError when the two lists differ in length.
    """
    moment = datetime_of(instant_us)
    hours = _OUTSIDE
    if compiled.asks_hours:
        try:
            hours = _WORKING if compiled.calendar.in_working_hours(instant_us) else _OUTSIDE
        except CalendarError:
            hours = _NO_DATA
    day = moment.toordinal()
    decisions: list[Decision] = compiled.tables.decide(
        documents, audiences, day=day, year=moment.year, hours=hours,
        terms=compiled.outside.terms(day),
    )  # fmt: skip
    return decisions


def signatures_by(compiled: CompiledPolicy, facts: DocumentFacts, units: Relative | None) -> int:
    """Count the good signatures of a document that are bound to units of a set."""
    place = compiled.hierarchy.position
    members = _EMPTY if units is None else units.of(place(facts.sender))
    return sum(any(place(unit) in members for unit in one) for one in facts.signers)
