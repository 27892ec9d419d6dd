"""What recipients may want of the queue and the engine's face does not offer yet.

To keep a delivery for longer, or to give it back: by unit and delivery ids, as the face would.
"""

from __future__ import annotations

from collections.abc import Sequence

from router.engine import Engine
from router.engine.facts import read_delivery_id
from router.errors import NotFoundError
from router.model.answers import Settled

NOT_FOUND = "delivery.not_found"


def wish(
    engine: Engine, unit: int, deliveries: Sequence[str], until: int, now_us: int
) -> list[Settled]:
    """Extend leases until an instant, or (0) give deliveries back; answers in order."""
    queue, rooms = engine._queue, engine._rooms
    mine = set(rooms.addresses_of(unit, now_us))
    answers = [Settled(text, code=NOT_FOUND) for text in deliveries]
    by_address: dict[int, list[tuple[int, bytes]]] = {}
    for index, text in enumerate(deliveries):
        try:
            key, address = read_delivery_id(text)
        except NotFoundError:
            continue
        if address in mine:
            by_address.setdefault(address, []).append((index, key))
    for address, items in by_address.items():
        keys, places = [key for _, key in items], rooms.places(address)
        settlements = (
            queue.extend(address, keys, until, now_us, unit, "văn thư", places)
            if until
            else queue.give_back(address, keys, now_us, unit, "văn thư", places)
        )
        for (index, _), one in zip(items, settlements, strict=True):
            if one.found:
                answers[index] = Settled(deliveries[index], state=one.state, repeated=one.repeated)
    return answers
