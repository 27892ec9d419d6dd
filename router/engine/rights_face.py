"""The part of the engine's face that is about rights, and about changes before they are made."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from router.engine.access import Access
from router.engine.administration_directory import ListPreview
from router.engine.directory_face import OPERATOR
from router.engine.granting import Granter, Holder, wanted_right
from router.engine.impact import ImpactMaker
from router.engine.seat import Seat
from router.engine.state import Rooms
from router.engine.tracking import Tracker
from router.errors import InputError
from router.model.answers import Principal, TrackedDelivery
from router.model.impact import Impact
from router.model.reorganisations import DirectoryChange
from router.model.rights import Right, RightWanted
from router.model.units import Unit
from router.ports import Chance, Clock
from router.queue import Queue

if TYPE_CHECKING:  # the engine is built on this
    from router.engine.engine import Engine


class RightsFace:
    """What `Engine` answers about rights, deliveries by id, and changes not yet made."""

    _rooms: Rooms
    _tracker: Tracker

    def _alive(self) -> None:
        raise NotImplementedError

    def _unit(self, unit: str | int) -> Unit:
        raise NotImplementedError

    def _face_rights(self, queue: Queue, clock: Clock, chance: Chance) -> None:
        self._access = Access(self._rooms.directory, self._rooms.rights)
        self._granter = Granter(self._rooms, self._access, clock, chance)
        self._impacts = ImpactMaker(self._rooms, queue, clock)

    def seat(self: Engine, principal: Principal | None) -> Seat:  # type: ignore[misc]
        """Return this engine as somebody has it: what the rights allow (None: everything)."""
        self._alive()
        return Seat(self, self._rooms, self._access, self._tracker, principal)

    def _viewer(self, unit: str | int | None) -> Principal | None:
        """Return a unit as one who asks (None: an operator without bounds)."""
        if unit is None:
            return None
        found = self._unit(unit)
        return Principal("", "", found.number, found.code)

    def delivery(self: Engine, delivery: str, *, unit: str | int | None = None) -> TrackedDelivery:  # type: ignore[misc]
        """Return one delivery and all that happened to it.

        `unit` is the viewer (None: an operator): who answers for the sender or the address
        today, or was granted to read one of them.  Raises NotFoundError
        `delivery.not_found`, also for deliveries of others.
        """
        return self.seat(self._viewer(unit)).delivery(delivery)

    def grant_right(
        self,
        holder: str | int,
        actions: Sequence[str] | str,
        selector: str,
        *,
        token: bool = False,
        since: int | None = None,
        until: int | None = None,
        reason: str,
        actor: str = OPERATOR,
    ) -> Right:
        """Let a unit (or, with `token`, a token by its id) do more; flushed before it answers.

        `actions` are words of `router.model.rights.ACTIONS`; the selector says for which
        units, in the directory of the day it is asked.  Raises InputError `right.invalid`
        and RecipientError (path `selector`) for a selector that is wrong or means nobody.
        """
        self._alive()
        to = Holder(token=str(holder)) if token else Holder(self._unit(holder).number)
        wanted = wanted_right(actions, selector)
        return self._granter.grant(to, wanted, since=since, until=until, reason=reason, actor=actor)

    def revoke_right(self, number: int, *, reason: str = "", actor: str = OPERATOR) -> None:
        """End a right at once.  Raises NotFoundError `right.not_found`."""
        self._alive()
        self._granter.revoke(number, reason, actor)

    def rights(self) -> list[Right]:
        """List the rights that were not revoked, those of past and future times too."""
        self._alive()
        return self._granter.all()

    def rights_of(self, principal: Principal) -> list[Right]:
        """List the rights that somebody has now, beside what everybody may."""
        self._alive()
        return self._granter.of(principal)

    def _create_limited(
        self,
        unit: str | None,
        operator: bool,
        name: str,
        rights: Sequence[RightWanted],
        expires_at: int | None,
        actor: str,
    ) -> str:
        if unit is not None or not operator:
            reason = "rights are for an operator's token; grant a unit its own"
            raise InputError("right.invalid", path="rights", reason=reason)
        return self._granter.create_limited(name, rights, expires_at, actor)

    def impact(self, changes: DirectoryChange | Sequence[DirectoryChange] | ListPreview) -> Impact:
        """Say what a change of the directory (several in order, or a list) would do.

        Nothing is changed.  Raises what the change itself would raise (InputError
        `directory.invalid`), and ConflictError `import.changed` for an outdated preview.
        """
        self._alive()
        return self._impacts.of(changes)
