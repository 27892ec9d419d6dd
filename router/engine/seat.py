"""The engine as one principal has it: what the rights allow, and nothing else.

The engine's own methods are for the host that embeds it and may everything.  Whoever lets
others in (the daemon, a portal with users of its own) seats them: `engine.seat(principal)`.
Documents that are not theirs to see are "not found"; an act beyond their rights raises
ForbiddenError `right.missing`, naming the action and the first unit that is not covered.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from router.directory import ResolveItem, decode_change
from router.directory.resolve import resolve_batch
from router.engine.access import Access, Reader
from router.engine.administration_directory import ListPreview, planned_changes
from router.engine.held_parts import HeldNow
from router.engine.holding import Viewer
from router.engine.policy_seat import PolicySeat
from router.engine.state import Rooms
from router.engine.tracking import Tracker
from router.engine.trust_seat import TrustSeat
from router.engine.verdict_seat import VerdictSeat
from router.errors import ForbiddenError, InputError, NotFoundError, VanbanError
from router.model.administration import DirectoryChanged, VersionShown
from router.model.answers import (
    Explanation,
    Outbox,
    Principal,
    Resolved,
    TrackedDelivery,
    Tracking,
)
from router.model.policies import Holds, HoldShown
from router.model.reorganisations import Closing, DirectoryChange, Reorganisation
from router.model.rights import RESOLVE, TOKEN, Right, RightWanted
from router.model.units import Unit

if TYPE_CHECKING:  # the engine makes seats
    from router.engine.engine import Engine


class Seat(PolicySeat, TrustSeat, VerdictSeat):
    """One principal's view of an engine; cheap, made for each question."""

    def __init__(
        self, engine: Engine, rooms: Rooms, access: Access, tracker: Tracker, by: Principal | None
    ) -> None:
        self._engine = engine
        self._rooms = rooms
        self._access = access
        self._tracker = tracker
        self._by = by

    # Documents.

    def track(
        self,
        document: str,
        *,
        below: str | None = None,
        state: str | None = None,
        limit: int = 100,
        page: int = 0,
    ) -> Tracking:
        """Say who has a document; see `Engine.track`."""
        return self._tracker.track(document, self._reads(), limit, page, below=below, state=state)

    def outbox(self, unit: str | int, *, after: str = "", limit: int = 100) -> Outbox:
        """Return what a sender is told, for itself or who may read it; see `Engine.outbox`."""
        found = self._engine.unit(unit)
        if not self._reads()(found.number):
            raise NotFoundError("unit.not_found", unit=unit)
        return self._engine.outbox(found.number, after=after, limit=limit)

    def explain(self, document: str, unit: str) -> Explanation:
        """Say why a unit receives a document, or why not; see `Engine.explain`."""
        return self._tracker.explain(document, unit, self._reads())

    def delivery(self, delivery: str) -> TrackedDelivery:
        """Return one delivery with its history; see `Engine.delivery`."""
        return self._tracker.delivery(delivery, self._reads())

    # Held parts.

    def holds(
        self, *, document: str = "", state: str = "held", limit: int = 100, page: int = 0
    ) -> Holds:
        """List the held parts that may be seen; see `Engine.holds`."""
        return self._engine._holding.page(self._sees(), document, state, limit, page)

    def hold(self, hold: str) -> HoldShown:
        """Return one held part; see `Engine.hold`."""
        return self._engine._holding.show(hold, self._sees())

    def approve(
        self, hold: str, *, unit: str | None = None, actor: str, reason: str = ""
    ) -> HoldShown:
        """Approve in the name of the own unit; an operator names one.  See `Engine.approve`."""
        return self._engine.approve(hold, self._acting(unit), actor=actor, reason=reason)

    def deny(self, hold: str, reason: str, *, unit: str | None = None, actor: str) -> HoldShown:
        """Deny in the name of the own unit; an operator names one.  See `Engine.deny`."""
        return self._engine.deny(hold, self._acting(unit), reason, actor=actor)

    def _acting(self, unit: str | None) -> str | int:
        """Return the unit that answers: nobody answers for another, but who may everything."""
        by = self._by
        if by is not None and by.unit is not None:
            if unit is not None and self._engine.unit(unit).number != by.unit:
                raise ForbiddenError("access.other_unit")
            return by.unit
        self._access.require_everything(by, "hold")
        if unit is None:
            raise InputError("field.missing", path="$", field="unit")
        return unit

    def _sees(self) -> Viewer:
        """Return which held parts may be seen: of senders it reads, and what it may approve."""
        by, reads, now_us = self._by, self._reads(), self._engine.now_us()
        holding = self._engine._holding

        def sees(one: HeldNow) -> bool:
            if reads(one.sender):
                return True
            unit = None if by is None else by.unit
            return unit is not None and bool(holding.approvable(one, unit, now_us))

        return sees

    def _reads(self) -> Reader:
        return self._access.reader(self._by, self._engine.now_us())

    # The directory.

    def unit(self, code: str | int) -> Unit:
        """Return a unit.  An operator bound by rights finds what any of them covers."""
        unit = self._engine.unit(code)
        self._require_known(unit, "")
        return unit

    def history(self, unit: str | int) -> list[VersionShown]:
        """Return all that was learnt about a unit: its own, or one it may read (`read`)."""
        found = self._engine.unit(unit)
        if not self._reads()(found.number):
            raise NotFoundError("unit.not_found", unit=unit)
        return self._engine.history(found.number)

    def _require_known(self, unit: Unit, action: str) -> None:
        by = self._by
        if by is None or by.unit is not None:
            return
        if not self._access.may(by, action, unit.number, self._engine.now_us()):
            raise NotFoundError("unit.not_found", unit=unit.code)

    def resolve(self, selector: str, *, at_us: int | None = None, **options: Any) -> Resolved:
        """Say whom a selector means; see `Engine.resolve`."""
        by, now_us = self._by, self._engine.now_us()
        if by is not None and by.limited:
            self._require_resolvable(by, selector, at_us, now_us, options)
        return self._engine.resolve(selector, at_us=at_us, **options)

    def _require_resolvable(
        self, by: Principal, selector: str, at_us: int | None, now_us: int, options: dict[str, Any]
    ) -> None:
        """Hold the answer against the rights; an error is not told, either."""
        directory = self._rooms.directory
        known, sender = options.get("known_at_us"), options.get("sender")
        sequence = None if known is None else directory.sequence_at(known)
        number = None if sender is None else self.unit(sender).number
        item = ResolveItem(selector, now_us if at_us is None else max(at_us, 0), sender=number)
        (answer,) = resolve_batch([item], lambda at: directory.snapshot(at, sequence))
        if isinstance(answer, VanbanError):
            if not self._access.rights_of(by, RESOLVE, now_us):
                self._access.require_everything(by, RESOLVE)
            raise answer
        self._access.require_audience(by, answer.snapshot, answer.audience, now_us)
        explained = options.get("explain")
        if explained is not None:
            self._require_known(self._engine.unit(explained), RESOLVE)

    def change_directory(
        self, changes: DirectoryChange | Sequence[DirectoryChange], *, actor: str
    ) -> DirectoryChanged:
        """Change the directory within the rights; see `Engine.change_directory`."""
        with self._rooms.lock:
            self._require_change(changes)
            return self._engine.change_directory(changes, actor=actor)

    def apply_preview(
        self, preview: ListPreview, *, confirm: str | None = None, actor: str
    ) -> DirectoryChanged:
        """Apply a list's preview within the rights; see `Engine.apply_preview`."""
        with self._rooms.lock:
            if not self._access.everything(self._by):
                bodies = [decode_change(body) for body in preview.bodies]
                self._access.require_change(self._by, bodies, self._engine.now_us())
            return self._engine.apply_preview(preview, confirm=confirm, actor=actor)

    def import_units(self, units: Sequence[Unit], *, actor: str) -> int:
        """Add units within the rights; see `Engine.import_units`."""
        with self._rooms.lock:
            if not self._access.everything(self._by):
                bodies = self._rooms.directory.plan_import(units)
                self._access.require_change(self._by, bodies, self._engine.now_us())
            return self._engine.import_units(units, actor=actor)

    def close_unit(
        self, code: str, at_us: int, successors: Sequence[str] = (), *, actor: str
    ) -> None:
        """Close a unit within the rights; see `Engine.close_unit`."""
        with self._rooms.lock:
            self._require_change(Reorganisation(at_us, "", (Closing(code, tuple(successors)),)))
            self._engine.close_unit(code, at_us, successors, actor=actor)

    def _require_change(self, changes: DirectoryChange | Sequence[DirectoryChange]) -> None:
        if not self._access.everything(self._by):
            bodies = planned_changes(self._rooms.directory, changes)
            self._access.require_change(self._by, bodies, self._engine.now_us())

    # Tokens, rights.

    def create_token(
        self, unit: str | None, name: str, *, operator: bool = False, actor: str, **options: Any
    ) -> str:
        """Make a token for a unit that is covered (action `token`); see `Engine.create_token`.

        Operators' tokens are made by who may do everything.
        """
        if operator or unit is None:
            self._access.require_everything(self._by, TOKEN)
        else:
            self._require(TOKEN, unit)
        return self._engine.create_token(unit, name, operator=operator, actor=actor, **options)

    def revoke_token(self, token_id: str, *, actor: str) -> None:
        """End a token of a unit that is covered; of others there is none."""
        if not any(one.token == token_id for one in self.tokens()):
            raise NotFoundError("token.not_found", token=token_id)
        self._engine.revoke_token(token_id, actor=actor)

    def tokens(self) -> list[Principal]:
        """List the live tokens of the units that are covered (action `token`)."""
        now_us = self._engine.now_us()
        return [
            one
            for one in self._engine.tokens()
            if self._access.everything(self._by)
            or (one.unit is not None and self._access.may(self._by, TOKEN, one.unit, now_us))
        ]

    def rights(self) -> list[Right]:
        """List all rights, for who may do everything; others see those they have."""
        if self._by is None or self._access.everything(self._by):
            return self._engine.rights()
        return self._engine.rights_of(self._by)

    def grant_right(self, holder: str | int, wanted: RightWanted, **options: Any) -> Right:
        """Grant a right: for who may do everything; see `Engine.grant_right`."""
        self._access.require_everything(self._by, "right")
        return self._engine.grant_right(holder, wanted.actions, wanted.selector, **options)

    def revoke_right(self, number: int, **options: Any) -> None:
        """End a right: for who may do everything; see `Engine.revoke_right`."""
        self._access.require_everything(self._by, "right")
        self._engine.revoke_right(number, **options)

    def _require(self, action: str, unit: str) -> None:
        number = self._engine.unit(unit).number
        self._access.require(self._by, action, [number], self._engine.now_us())
