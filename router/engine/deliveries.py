"""Handing deliveries out under a lease; extending it, giving back, acknowledging, refusing.

A unit answers for its own address and for those of closed units whose holder it is today;
the delivery names the address it was written to.  Ids of other units are "not found".
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import count

import msgspec

from router import limits
from router.engine.facts import (
    decode_facts,
    delivery_id,
    read_delivery_id,
    shown_deadline,
)
from router.engine.state import Rooms
from router.errors import InputError, NotFoundError, TooLargeError, TooManyOpenError
from router.model.answers import Delivery, DeliveryState, Lane, Settled
from router.model.documents import Envelope
from router.model.instants import SECOND_US, show_instant
from router.model.units import Unit
from router.ports import Clock
from router.queue import Leased, Queue, Settlement

_LEASED = DeliveryState.LEASED.value
_envelopes: msgspec.msgpack.Decoder[Envelope] = msgspec.msgpack.Decoder(Envelope)


class Deliverer:
    """The recipient's side of one engine; thread-safe."""

    def __init__(self, rooms: Rooms, queue: Queue, clock: Clock) -> None:
        self._rooms = rooms
        self._queue = queue
        self._clock = clock
        self._starts: dict[int, count[int]] = {}  # of holders of several addresses

    def lease(self, unit: Unit, limit: int, lease_s: int, actor: str) -> list[Delivery]:
        """Hand out up to `limit` deliveries, flash lane first, each for `lease_s` seconds.

        Until then nobody else gets them; afterwards they are handed out again.  A holder
        gets each lane of all its addresses before the next lane; which address comes
        first changes from call to call.  One answer holds at most `LEASE_BYTES_MAX` stored
        bytes; the rest waits for the next call.  Raises TooManyOpenError
        `unit.too_many_leased` when there is nothing but what is leased already, too much.
        """
        _check_range("limit", limit, limits.LEASE_DELIVERIES_MAX)
        _check_range("lease_s", lease_s, limits.LEASE_S_MAX)
        check_actor(actor)
        now_us = self._clock.now_us()
        until = now_us + lease_s * SECOND_US
        deliveries: list[Delivery] = []
        overfull: TooManyOpenError | None = None
        bytes_left = limits.LEASE_BYTES_MAX
        for address, lanes in self._turns_of(unit.number, now_us):
            try:
                leased = self._queue.lease(
                    address,
                    self._rooms.subscriptions(address),
                    self._rooms.places(address),
                    limit - len(deliveries),
                    until,
                    now_us,
                    actor,
                    unit=unit.number,
                    bytes_max=bytes_left,
                    lanes=lanes,
                )
            except TooManyOpenError as error:  # of this address; others may have something
                overfull = error
                continue
            if not leased:
                continue
            code = self._rooms.unit(address, now_us).code
            deliveries += [_delivery(one, address, code, until) for one in leased]
            bytes_left -= sum(len(one.envelope) + len(one.facts) for one in leased)
            # Below one record's bound the next document might not fit: a later lane must
            # not overtake it.
            if len(deliveries) >= limit or bytes_left < limits.RECORD_BYTES_MAX:
                break
        if overfull is not None and not deliveries:
            raise overfull
        return deliveries

    def _turns_of(self, unit: int, now_us: int) -> list[tuple[int, tuple[int, ...] | None]]:
        """Return the (address, lanes) to lease from in order; None stands for all lanes."""
        addresses = self._rooms.addresses_of(unit, now_us)
        if len(addresses) < 2:
            return [(address, None) for address in addresses]
        start = next(self._starts.setdefault(unit, count())) % len(addresses)
        rotated = addresses[start:] + addresses[:start]
        found = [(address, self._lanes_to_lease(address, now_us)) for address in rotated]
        return [
            (address, (lane,))
            for lane in range(limits.LANES)
            for address, lanes in found
            if lane in lanes
        ]

    def _lanes_to_lease(self, address: int, now_us: int) -> tuple[int, ...]:
        """Return the lanes worth asking: one look is cheaper than an empty lease of each."""
        return self._queue.lanes_to_lease(
            address,
            self._rooms.subscriptions(address),
            self._rooms.places(address),
            now_us,
        )

    def waiting(self, unit: Unit) -> bool:
        """Say whether `lease` would hand anything out now."""
        now_us = self._clock.now_us()
        return any(
            self._queue.waiting(
                address,
                self._rooms.subscriptions(address),
                self._rooms.places(address),
                now_us,
            )
            for address in self._rooms.addresses_of(unit.number, now_us)
        )

    def settle(
        self, unit: Unit, deliveries: Sequence[str], state: str, reason: str, actor: str
    ) -> list[Settled]:
        """Make deliveries final; answers in order, the same when asked again.

        Flushed before it answers.  What is not this unit's answers `delivery.not_found`.
        """
        now_us = self._clock.now_us()

        def act(address: int, keys: Sequence[bytes]) -> list[Settlement]:
            items = [(key, state, reason) for key in keys]
            places = self._rooms.places(address)
            return self._queue.settle(address, items, now_us, unit.number, actor, places)

        return self._each(unit, deliveries, actor, now_us, act)

    def extend(
        self, unit: Unit, deliveries: Sequence[str], lease_s: int, actor: str
    ) -> list[Settled]:
        """Keep deliveries that are handed out for `lease_s` seconds from now.

        State "leased" and `leased_until` say that it is so.  Another state says why not: a
        lease that had run out is "queued", or leased again by whoever asked next.
        """
        _check_range("lease_s", lease_s, limits.LEASE_S_MAX)
        now_us = self._clock.now_us()
        until = now_us + lease_s * SECOND_US

        def act(address: int, keys: Sequence[bytes]) -> list[Settlement]:
            places = self._rooms.places(address)
            return self._queue.extend(address, keys, until, now_us, unit.number, actor, places)

        answers = self._each(unit, deliveries, actor, now_us, act)
        shown = show_instant(until)
        return [
            msgspec.structs.replace(one, leased_until=shown) if one.state == _LEASED else one
            for one in answers
        ]

    def give_back(self, unit: Unit, deliveries: Sequence[str], actor: str) -> list[Settled]:
        """Put deliveries that are handed out back into the inbox, in their old places.

        State "queued" says that it is so; harmless to repeat.
        """
        now_us = self._clock.now_us()

        def act(address: int, keys: Sequence[bytes]) -> list[Settlement]:
            places = self._rooms.places(address)
            return self._queue.give_back(address, keys, now_us, unit.number, actor, places)

        return self._each(unit, deliveries, actor, now_us, act)

    def _each(
        self,
        unit: Unit,
        deliveries: Sequence[str],
        actor: str,
        now_us: int,
        act: Callable[[int, Sequence[bytes]], list[Settlement]],
    ) -> list[Settled]:
        """Act on deliveries, those of one address at once; answer each, in order."""
        if len(deliveries) > limits.ACKNOWLEDGE_DELIVERIES_MAX:
            limit = limits.ACKNOWLEDGE_DELIVERIES_MAX
            raise TooLargeError("batch.too_large", size=len(deliveries), limit=limit)
        check_actor(actor)
        mine = set(self._rooms.addresses_of(unit.number, now_us))
        answers: dict[int, Settled] = {}
        by_address: dict[int, list[tuple[int, bytes]]] = {}
        for index, text in enumerate(deliveries):
            try:
                key, address = read_delivery_id(text)
            except NotFoundError as error:
                answers[index] = Settled(text, code=error.code)
                continue
            if address in mine:
                by_address.setdefault(address, []).append((index, key))
            else:
                answers[index] = Settled(text, code="delivery.not_found")
        for address, items in by_address.items():
            settlements = act(address, [key for _, key in items])
            for (index, _), one in zip(items, settlements, strict=True):
                text = deliveries[index]
                answers[index] = (
                    Settled(text, state=one.state, repeated=one.repeated)
                    if one.found
                    else Settled(text, code="delivery.not_found")
                )
        return [answers[index] for index in range(len(deliveries))]


def check_actor(actor: str) -> None:
    """Refuse an actor's name that is over 64 characters or not printable (InputError)."""
    if not isinstance(actor, str) or len(actor) > limits.ACTOR_CHARS_MAX or not actor.isprintable():
        raise InputError("actor.invalid", reason="too long or not printable")


def check_reason(reason: str) -> None:
    """Refuse an absent or overlong reason (InputError): a refusal must say why."""
    if not reason.strip():
        raise InputError("reason.missing", path="$.reason")
    if len(reason) > limits.REASON_CHARS_MAX:
        said = f"at most {limits.REASON_CHARS_MAX} characters"
        raise InputError("field.too_long", path="$.reason", reason=said)


def _check_range(name: str, value: int, maximum: int) -> None:
    if not 1 <= value <= maximum:
        raise InputError("field.invalid", path=f"$.{name}", reason=f"1 to {maximum} is taken")


def _delivery(leased: Leased, address: int, code: str, until: int) -> Delivery:
    envelope = _envelopes.decode(leased.envelope)
    facts = decode_facts(leased.facts)
    kept = facts.decision
    return Delivery(
        delivery=delivery_id(leased.key, address),
        key=leased.key.hex(),
        address=code,
        sender=facts.sender,
        lane=Lane(leased.lane).name.lower(),
        accepted_at=show_instant(leased.accepted_at),
        leased_until=show_instant(until),
        attempt=leased.attempt,
        payload=envelope.payload,
        signatures=envelope.signatures,
        contents=envelope.contents,
        signer=facts.signer,
        for_information=kept is not None and kept.information_only,
        deadline="" if kept is None else shown_deadline(kept),
    )
