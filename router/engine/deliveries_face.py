"""The engine's calls about deliveries under way: kept, given back, told of, queued again, due."""

from __future__ import annotations

from collections.abc import Sequence

from router import limits
from router.engine.arrivals import Arrival, Returned
from router.engine.deliveries import Deliverer
from router.engine.directory_face import OPERATOR
from router.engine.due import DueWork
from router.engine.held_parts import HeldParts
from router.engine.judging import Judge
from router.engine.lease_ends import LeaseEnds
from router.engine.outbox import OutboxReader
from router.engine.redirecting import Redirections
from router.engine.redriving import Redriver
from router.engine.state import Rooms
from router.engine.tracking import Tracker
from router.engine.verifying import Verification
from router.model.answers import Delivery, Outbox, Settled
from router.model.instants import SECOND_US
from router.model.units import Unit
from router.ports import Clock
from router.queue import Queue, StoredAudience


class DeliveriesFace:
    """What `Engine` does with deliveries beside handing them out and settling them."""

    _deliverer: Deliverer
    _tracker: Tracker
    _clock: Clock

    def _face_deliveries(
        self, rooms: Rooms, queue: Queue, clock: Clock, verification: Verification
    ) -> Redirections:
        """Make what stands behind the calls; return what submissions need of it."""
        redirections = Redirections(rooms, queue)
        self._outbox = OutboxReader(rooms, queue, clock)
        self._redriver = Redriver(rooms, queue, self._tracker, clock)
        self._lease_ends = LeaseEnds()
        self._held = HeldParts(queue)
        self._judge = Judge(rooms, queue, verification, self._held, redirections, clock)
        self._due = DueWork(queue, redirections, self._held, self._judge, clock)
        return redirections

    def _alive(self) -> None:
        raise NotImplementedError

    def _unit(self, unit: str | int) -> Unit:
        raise NotImplementedError

    def _recipient(self, unit: str | int) -> Unit:
        raise NotImplementedError

    def _tell_listeners(self, audiences: Sequence[StoredAudience]) -> None:
        raise NotImplementedError

    def _tell(self, arrivals: Sequence[Arrival]) -> None:
        raise NotImplementedError

    def lease(
        self,
        unit: str | int,
        limit: int = 100,
        *,
        lease_s: int = limits.LEASE_S_DEFAULT,
        actor: str = "",
    ) -> list[Delivery]:
        """Hand out up to `limit` deliveries to `unit`, flash first, for `lease_s` seconds.

        Raises ForbiddenError `unit.closed` (naming the successor) for a unit whose documents
        its successor gets; so do `acknowledge`, `refuse` and `create_token`.
        """
        found = self._recipient(unit)
        deliveries = self._deliverer.lease(found, limit, lease_s, actor)
        if deliveries:
            self._lent(found, lease_s)
        return deliveries

    def _lent(self, unit: Unit, lease_s: int) -> None:
        self._lease_ends.lent(unit.number, self._clock.now_us() + lease_s * SECOND_US)

    def extend(
        self,
        unit: str | int,
        deliveries: Sequence[str],
        lease_s: int = limits.LEASE_S_DEFAULT,
        *,
        actor: str = "",
    ) -> list[Settled]:
        """Keep deliveries that are handed out for `lease_s` seconds from now.

        State "leased" says that it is so, until `leased_until`; another state why not.
        Flushed before it answers.
        """
        found = self._recipient(unit)
        answers = self._deliverer.extend(found, deliveries, lease_s, actor)
        self._lent(found, lease_s)
        return answers

    def give_back(
        self, unit: str | int, deliveries: Sequence[str], *, actor: str = ""
    ) -> list[Settled]:
        """Put deliveries that are handed out back into the inbox, in their old places.

        State "queued" says that it is so.  The hand-out counts: after `DELIVERY_ATTEMPTS_MAX`
        of them a lease that runs out leaves the delivery dead (`redrive`).
        """
        found = self._recipient(unit)
        answers = self._deliverer.give_back(found, deliveries, actor)
        self._tell([Returned(found.number)])
        return answers

    def outbox(self, unit: str | int, *, after: str = "", limit: int = 100) -> Outbox:
        """Return what a sender is told about its documents, in order, after a cursor.

        Also what closed units were told whose holder it is today.  Events stay; ask again from
        the `cursor` of the answer.  The kinds stand at `OutboxEvent`.  Raises InputError
        `field.invalid` for a limit out of range and a cursor that is none.
        """
        return self._outbox.page(self._unit(unit), after, limit)

    def redrive(
        self,
        document: str,
        units: Sequence[str | int] = (),
        *,
        reason: str = "",
        actor: str = OPERATOR,
    ) -> list[Settled]:
        """Queue dead deliveries of a document again, for the units named (none: for all).

        They join inboxes as new and may be handed out as often as at first; the answers
        (state "queued") are flushed.  At most `REDRIVE_DELIVERIES_MAX` are queued: call again.
        Another delivery answers `delivery.not_dead` or `delivery.not_found`; a recipient that
        answers at this very moment is not handed it once more.
        """
        self._alive()
        answers, audiences = self._redriver.redrive(document, units, reason, actor)
        self._tell_listeners(audiences)
        return answers

    def tick(self) -> int:
        """Do what fell due by now, a bounded piece of it; return how many pieces it was.

        Times to live and holds that ran out are written down, the senders of units that have
        closed are told (`outbox`), documents that waited for their verdict are judged when they
        can be; listeners hear of leases that have ended, which is no piece of work.  The daemon
        calls it each second, `open` once; an embedding program calls it as often as it likes,
        and again at once until it returns 0.
        """
        self._alive()
        done = self._due.tick() + self._judge_waiting()
        self._tell([Returned(unit) for unit in self._lease_ends.ended(self._clock.now_us())])
        return done

    def _judge_waiting(self) -> int:
        """Judge documents that wait for their verdict; return how many were decided."""
        self._alive()
        decided, reached = self._judge.turn()
        self._tell_listeners(reached)
        return decided
