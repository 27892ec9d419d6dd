"""The engine's calls about held parts and about what a policy refused."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from router.engine.held_parts import HeldParts
from router.engine.holding import Holding
from router.engine.quarantine import Quarantine
from router.engine.redirecting import Redirections
from router.engine.state import Rooms
from router.model.policies import Holds, HoldShown, Quarantined
from router.model.units import Unit
from router.ports import Clock
from router.queue import Queue, StoredAudience

if TYPE_CHECKING:
    from router.engine.engine import Engine


class HoldsFace:
    """What `Engine` does with held parts."""

    def _face_holds(
        self, rooms: Rooms, queue: Queue, held: HeldParts, redirections: Redirections,
        clock: Clock,
    ) -> None:  # fmt: skip
        self._holding = Holding(rooms, queue, held, redirections, clock)
        self._quarantine = Quarantine(rooms, queue)

    def _alive(self) -> None:
        raise NotImplementedError

    def _recipient(self, unit: str | int) -> Unit:
        raise NotImplementedError

    def _tell_listeners(self, audiences: Sequence[StoredAudience]) -> None:
        raise NotImplementedError

    def holds(  # type: ignore[misc]
        self: Engine,
        unit: str | int | None = None,
        *,
        document: str = "",
        state: str = "held",
        limit: int = 100,
        page: int = 0,
    ) -> Holds:
        """List held parts of documents, the oldest first.

        `unit` is who looks (None: an operator): it sees what it may approve, and what was
        sent by units whose documents it reads.  `document` (a key in hex) narrows the list
        to one document; then `state` may be any state, or "" for all.  Raises InputError.
        """
        viewer = self._viewer(unit)
        return self.seat(viewer).holds(document=document, state=state, limit=limit, page=page)

    def hold(self: Engine, hold: str, *, unit: str | int | None = None) -> HoldShown:  # type: ignore[misc]
        """Return one held part by its id (``<document key>/<part>``).

        Raises NotFoundError `hold.not_found`, also for what `unit` may not see.
        """
        return self.seat(self._viewer(unit)).hold(hold)

    def approve(self, hold: str, unit: str | int, *, actor: str, reason: str = "") -> HoldShown:
        """Give, in the name of a unit, every approval of a held part that it may give.

        When none is missing any more, the part joins inboxes, with audience, lane and policy
        version of the decision, and its sender is told (`outbox`).  Flushed before it
        answers; harmless to repeat.  Raises ForbiddenError `hold.not_approver`, ConflictError
        `hold.over` (naming the state) when the part was denied or has run out.
        """
        self._alive()
        shown, reached = self._holding.approve(hold, self._recipient(unit), actor, reason)
        self._tell_listeners(reached)
        return shown

    def deny(self, hold: str, unit: str | int, reason: str, *, actor: str) -> HoldShown:
        """Deny a held part in the name of a unit: its recipients are excluded for good.

        The sender is told the reason.  Raises what `approve` raises, and InputError
        `reason.missing`.
        """
        self._alive()
        return self._holding.deny(hold, self._recipient(unit), actor, reason)

    def quarantined(self, *, after: int = 0, limit: int = 20) -> tuple[Quarantined, ...]:
        """Return what a policy refused and kept as evidence, after an id, the oldest first."""
        self._alive()
        return self._quarantine.page(after, limit)

    def evidence(self, number: int) -> Quarantined:
        """Return one refusal that was kept as evidence, with the envelope as it came.

        Raises NotFoundError `quarantine.not_found`.
        """
        self._alive()
        return self._quarantine.one(number)
