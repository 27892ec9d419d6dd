"""Dead deliveries queued again by an operator: they join inboxes as new, in their own entry."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from router import limits
from router._core import Audience
from router._postings import postings
from router.engine.deliveries import check_actor
from router.engine.facts import delivery_id
from router.engine.state import Rooms
from router.engine.tracking import Tracker
from router.engine.tracking_counts import Leg, Member, page, state_at
from router.errors import InputError, NotFoundError, TooLargeError
from router.model.answers import DeliveryState, Settled
from router.ports import Clock
from router.queue import Queue, StoredAudience, StoredDocument, after

_DEAD = DeliveryState.DEAD.value
_QUEUED = DeliveryState.QUEUED.value


class Redriver:
    """Queues dead deliveries again; thread-safe."""

    def __init__(self, rooms: Rooms, queue: Queue, tracker: Tracker, clock: Clock) -> None:
        self._rooms = rooms
        self._queue = queue
        self._tracker = tracker
        self._clock = clock
        self._lock = threading.Lock()

    def redrive(
        self, document: str, units: Sequence[str | int], reason: str, actor: str
    ) -> tuple[list[Settled], list[StoredAudience]]:
        """Return the answers in order, and whom the document reaches anew; see `Engine`."""
        _check(units, reason, actor)
        stored = self._tracker.document(document)
        with self._lock:  # two operators: the second finds nothing dead any more
            while True:  # a recipient that answers late, meanwhile, is not handed it once more
                now_us = self._clock.now_us()
                legs = self._tracker.legs(stored, now_us)
                dead, answers = self._dead(stored, legs, units, now_us)
                reached, batch = [], []
                for leg in legs:
                    places = sorted(one.position for one in dead if one.leg is leg)
                    if places:
                        audience, names = self._joined(leg, places)
                        reached.append(audience)
                        entry, sequence = leg.entry, stored.sequence
                        batch.append(
                            after.joining(sequence, entry, audience, names, now_us, actor, reason)
                        )
                if not batch or self._queue.store.append_joinings(batch):
                    return answers, reached

    def _dead(
        self, stored: StoredDocument, legs: Sequence[Leg], units: Sequence[str | int], now_us: int
    ) -> tuple[list[Member], list[Settled]]:
        """Return what is dead (of the units named, if any are), and the answers."""
        if units:
            return self._named(stored, legs, units, now_us)
        whole = [(leg, leg.slices(None)) for leg in legs]
        dead = page(self._queue, whole, _DEAD, 0, limits.REDRIVE_DELIVERIES_MAX)
        return dead, [Settled(self._id(stored, one), _QUEUED) for one in dead]

    def _named(
        self, stored: StoredDocument, legs: Sequence[Leg], units: Sequence[str | int], now_us: int
    ) -> tuple[list[Member], list[Settled]]:
        """Return which of the units named are dead, and an answer for each."""
        dead: dict[int, Member] = {}
        answers = []
        for name in units:
            try:
                number = self._rooms.unit(name, now_us).number
            except NotFoundError as error:
                answers.append(Settled(str(name), code=error.code))
                continue
            member = _newest(self._queue, legs, number)
            delivery = delivery_id(stored.key, number)
            if member is None:
                answers.append(Settled(delivery, code="delivery.not_found"))
            elif member.state == _DEAD:
                dead[number] = member
                answers.append(Settled(delivery, _QUEUED))
            else:
                answers.append(Settled(delivery, member.state, code="delivery.not_dead"))
        return list(dead.values()), answers

    def _joined(self, leg: Leg, places: Sequence[int]) -> tuple[StoredAudience, bytes]:
        """Return the audience that joins anew out of one entry, and its postings."""
        audience = Audience.from_positions(places)
        digest = self._rooms.digest(leg.number, leg.snapshot, audience)
        stored = StoredAudience(leg.number, audience.to_bytes(), digest, audience.size)
        return stored, postings(leg.snapshot.hierarchy, audience)

    @staticmethod
    def _id(stored: StoredDocument, one: Member) -> str:
        return delivery_id(stored.key, one.leg.snapshot.hierarchy.number(one.position))


def _check(units: Sequence[str | int], reason: str, actor: str) -> None:
    check_actor(actor)
    if not actor.strip():
        raise InputError("actor.invalid", path="actor", reason="an operator's act needs one")
    if len(reason) > limits.REASON_CHARS_MAX:
        said = f"at most {limits.REASON_CHARS_MAX} characters"
        raise InputError("field.too_long", path="reason", reason=said)
    if len(units) > limits.REDRIVE_DELIVERIES_MAX:
        limit = limits.REDRIVE_DELIVERIES_MAX
        raise TooLargeError("batch.too_large", size=len(units), limit=limit)


def _newest(queue: Queue, legs: Sequence[Leg], number: int) -> Member | None:
    """Return the delivery to a unit, in the newest entry that holds it."""
    for leg in reversed(legs):
        position = leg.snapshot.hierarchy.position(number)
        if position >= 0 and position in leg.audience:
            rank = leg.rank(position)
            return Member(leg, rank, position, state_at(queue, leg, rank))
    return None
