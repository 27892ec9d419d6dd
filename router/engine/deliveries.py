"""Handing deliveries out under a lease; extending it, giving back, acknowledging, refusing.

A unit answers for its own address and for those of closed units whose holder it is today;
the delivery names the address it was written to.  Ids of other units are "not found".
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from router import limits
from router.engine.facts import (
    decode_facts_handed_out,
    delivery_id,
    read_delivery_id,
    shown_deadline,
)
from router.engine.state import Rooms
from router.engine.turns import Turns
from router.errors import InputError, NotFoundError, TooLargeError, TooManyOpenError
from router.model.answers import LANE_NAMES, Delivery, DeliveryState, Settled
from router.model.documents import Envelope
from router.model.instants import SECOND_US, show_instant
from router.model.units import Unit
from router.ports import Clock
from router.queue import Leased, Queue, Settlement

_LEASED = DeliveryState.LEASED.value
_envelopes: msgspec.msgpack.Decoder[Envelope] = msgspec.msgpack.Decoder(Envelope)


class _Lease:
    """One lease in the making: what was handed out so far, and what still fits the answer."""

    def __init__(
        self, rooms: Rooms, queue: Queue, unit: int, limit: int, lease_s: int, now_us: int,
        actor: str,
    ) -> None:  # fmt: skip
        self._rooms = rooms
        self._queue = queue
        self.unit = unit
        self.limit = limit
        self.now_us = now_us
        self._until = now_us + lease_s * SECOND_US
        self._actor = actor
        self._bytes_left = limits.LEASE_BYTES_MAX
        self._full = False
        self.deliveries: list[Delivery] = []
        self.lanes: list[int] = []
        self.overfull: TooManyOpenError | None = None

    def take_lane(self, addresses: Sequence[int], lane: int, most: int) -> int:
        """Lease up to `most` of one lane, of one address after the other; return how many."""
        before = len(self.deliveries)
        for address in addresses:
            taken = len(self.deliveries) - before
            if taken >= most:
                break
            self.take(address, (lane,), most - taken)
        return len(self.deliveries) - before

    def take(self, address: int, lanes: tuple[int, ...] | None, most: int) -> None:
        """Lease up to `most` of one address, of some lanes (None: all in their turns)."""
        most = min(most, self.limit - len(self.deliveries))
        if self._full or most < 1:
            return
        try:
            leased = self._queue.lease(
                address,
                self._rooms.subscriptions(address),
                self._rooms.places(address),
                most,
                self._until,
                self.now_us,
                self._actor,
                unit=self.unit,
                bytes_max=self._bytes_left,
                lanes=lanes,
            )
        except TooManyOpenError as error:  # of this address; others may have something
            self.overfull = error
            return
        if not leased:
            return
        code = self._rooms.unit(address, self.now_us).code
        until = show_instant(self._until)
        self.deliveries += [_delivery(one, address, code, until) for one in leased]
        self.lanes += [one.lane for one in leased]
        self._bytes_left -= sum(one.body_bytes for one in leased)
        # Below one record's bound the next document might not fit: a later lane must not
        # overtake it.
        self._full = self._bytes_left < limits.RECORD_BYTES_MAX


class Deliverer:
    """The recipient's side of one engine; thread-safe."""

    def __init__(self, rooms: Rooms, queue: Queue, clock: Clock) -> None:
        self._rooms = rooms
        self._queue = queue
        self._clock = clock
        self._turns: dict[int, Turns] = {}  # of holders of several addresses

    def lease(self, unit: Unit, limit: int, lease_s: int, actor: str) -> list[Delivery]:
        """Hand out up to `limit` deliveries, flash lane first, each for `lease_s` seconds.

        Until then nobody else gets them; afterwards they are handed out again.  Each lower
        lane that waits gets a turn in eight.  A holder gets each lane of all its addresses
        before the next lane; which address comes first changes from call to call.  One answer
        holds at most `LEASE_BYTES_MAX` stored bytes; the rest waits for the next call.  Raises
        TooManyOpenError `unit.too_many_leased` when there is nothing but what is leased
        already, too much.
        """
        _check_range("limit", limit, limits.LEASE_DELIVERIES_MAX)
        _check_range("lease_s", lease_s, limits.LEASE_S_MAX)
        check_actor(actor)
        now_us = self._clock.now_us()
        lease = _Lease(self._rooms, self._queue, unit.number, limit, lease_s, now_us, actor)
        addresses = self._rooms.addresses_of(unit.number, now_us)
        if len(addresses) > 1:
            self._lease_in_turn(lease, addresses)
        elif addresses:
            lease.take(addresses[0], None, limit)
        if lease.overfull is not None and not lease.deliveries:
            raise lease.overfull
        return lease.deliveries

    def _lease_in_turn(self, lease: _Lease, addresses: tuple[int, ...]) -> None:
        """Lease for a holder of several addresses: see `turns`."""
        found = {one: self._lanes_to_lease(one, lease.now_us) for one in addresses}
        waiting = sorted({lane for lanes in found.values() for lane in lanes})
        turns = self._turns.setdefault(lease.unit, Turns())
        start, plan = turns.plan(lease.limit, waiting, len(addresses))
        rotated = addresses[start:] + addresses[:start]
        unused, cut = 0, []
        for lane, count in plan:
            unused += count
            unused -= lease.take_lane([one for one in rotated if lane in found[one]], lane, unused)
            if not unused:
                cut.append(lane)
        for lane in sorted(set(cut)):  # what nobody else used
            lease.take_lane([one for one in rotated if lane in found[one]], lane, lease.limit)
        turns.handed(lease.lanes, waiting)

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


def _delivery(leased: Leased, address: int, code: str, until: str) -> Delivery:
    envelope = _envelopes.decode(leased.envelope)
    facts = decode_facts_handed_out(leased.facts)
    kept = facts.decision
    return Delivery(
        delivery=delivery_id(leased.key, address),
        key=leased.key.hex(),
        address=code,
        sender=facts.sender,
        lane=LANE_NAMES[leased.lane],
        accepted_at=show_instant(leased.accepted_at),
        leased_until=until,
        attempt=leased.attempt,
        payload=envelope.payload,
        signatures=envelope.signatures,
        contents=envelope.contents,
        signer=facts.signer,
        for_information=kept is not None and kept.information_only,
        deadline="" if kept is None else shown_deadline(kept),
    )
