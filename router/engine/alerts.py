"""What is odd about an accepted document, though nothing is refused for it."""

from __future__ import annotations

from router.engine.facts import decode_facts
from router.model.answers import Alert
from router.queue import Queue, after


def alerts_of(queue: Queue, twin: int) -> tuple[Alert, ...]:
    """Return the alerts of a document; `twin` is the first one of its number, or 0.

    NĐ 30/2020, Appendix VI, wants an alert when number, notation and agency are those of
    another document; it is taken all the same, as the first may be the wrong one.
    """
    row = after.document_row(queue.store, twin) if twin else None
    first = queue.document(row.key) if row is not None else None
    if first is None:
        return ()
    document_id = decode_facts(first.facts).document_id
    return (Alert("number.repeated", first.key.hex(), document_id),)
