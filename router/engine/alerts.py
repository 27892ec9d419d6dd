"""What is odd about an accepted document, though nothing is refused for it."""

from __future__ import annotations

from typing import Final

from router.engine.facts import Facts, decode_facts
from router.model.answers import Alert
from router.queue import Queue, after

RECEIPT_RULE: Final = "floor/receipt"
SENDING_RULES: Final = frozenset(("floor/send-by", "floor/send-urgent"))
"""The floor's rules whose deadlines are left out where the calendar lacks a year."""


def alerts_of(queue: Queue, twin: int, facts: Facts) -> tuple[Alert, ...]:
    """Return the alerts of a document; `twin` is the first one of its number, or 0."""
    return (*_repeated(queue, twin), *_untimely(facts))


def _repeated(queue: Queue, twin: int) -> tuple[Alert, ...]:
    """Tell of another document of the same number.

    NĐ 30/2020, Appendix VI, wants an alert when number, notation and agency are those of
    another document; it is taken all the same, as the first may be the wrong one.
    """
    row = after.document_row(queue.store, twin) if twin else None
    first = queue.document(row.key) if row is not None else None
    if first is None:
        return ()
    document_id = decode_facts(first.facts).document_id
    return (Alert("number.repeated", first.key.hex(), document_id),)


def _untimely(facts: Facts) -> tuple[Alert, ...]:
    """Tell that it was sent late (QĐ 28/2018, Art. 6.2), or that nobody can say whether."""
    kept = facts.decision
    if kept is None:
        return ()
    found = []
    if 0 < kept.send_by < facts.accepted_at:
        found.append(Alert("document.sent_late"))
    unknown = (not kept.deadline and RECEIPT_RULE in facts.rules) or (
        not kept.send_by and not SENDING_RULES.isdisjoint(facts.rules)
    )
    if unknown:
        found.append(Alert("calendar.year_missing"))
    return tuple(found)
