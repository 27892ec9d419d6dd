"""Granting and ending rights, and tokens made with rights: operators' acts, each a record."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from router.engine import rights, tokens
from router.engine.access import Access
from router.engine.deliveries import check_actor
from router.engine.rights import RightGranted, RightRevoked, checked_actions
from router.engine.state import Rooms, encode_record
from router.errors import InputError, NotFoundError, VanbanError
from router.model.answers import Principal
from router.model.rights import Right, RightWanted
from router.ports import Chance, Clock
from router.queue import RoomRecord

_audit = logging.getLogger("router.audit")


@dataclass(frozen=True)
class Holder:
    """Who is to have a right: a unit by stable number, or a token by its id."""

    unit: int | None = None
    token: str = ""


class Granter:
    """Changes of rights; thread-safe."""

    def __init__(self, rooms: Rooms, access: Access, clock: Clock, chance: Chance) -> None:
        self._rooms = rooms
        self._access = access
        self._clock = clock
        self._chance = chance

    def grant(
        self,
        holder: Holder,
        wanted: RightWanted,
        *,
        since: int | None,
        until: int | None,
        reason: str,
        actor: str,
    ) -> Right:
        """Grant a right and return it.

        Raises InputError `right.invalid`, NotFoundError `token.not_found`, and what the
        selector raises (path `selector`): one that means nobody now is refused.
        """
        self._check_actor(actor)
        now_us = self._clock.now_us()
        with self._rooms.lock:
            if holder.token:
                made = self._rooms.tokens.find(holder.token)
                if made.operator and not made.limited:
                    raise _unlimited()
            granted = self._granted(holder, wanted, now_us, since, until, reason)
            record = RoomRecord(rights.ROOM, encode_record(granted), now_us, 0, actor)
            (number,) = self._rooms.append([record])
        _audit.info("granted right=%s actor=%s", number, actor)
        return self.named(self._rooms.rights.find(number))

    def _granted(
        self,
        holder: Holder,
        wanted: RightWanted,
        now_us: int,
        since: int | None,
        until: int | None,
        reason: str,
    ) -> RightGranted:
        change = RightGranted(
            holder.unit, holder.token, wanted.actions, wanted.selector.strip(),
            now_us if since is None else since, until, reason,
        )  # fmt: skip
        planned = self._rooms.rights.plan(change, now_us)
        try:
            self._access.coverage.reach(planned.selector, now_us, holder.unit)
        except VanbanError as error:
            raise type(error)(error.code, path="selector", **error.facts) from None
        return planned

    def revoke(self, number: int, reason: str, actor: str) -> None:
        """End a right at once.  Raises NotFoundError `right.not_found`."""
        self._check_actor(actor)
        now_us = self._clock.now_us()
        with self._rooms.lock:
            self._rooms.rights.find(number)
            body = encode_record(RightRevoked(number, now_us, reason))
            self._rooms.append([RoomRecord(rights.ROOM, body, now_us, 0, actor)])
        _audit.info("revoked right=%s actor=%s", number, actor)

    def create_limited(
        self, name: str, wanted: Sequence[RightWanted], expires_at: int | None, actor: str
    ) -> str:
        """Make an operator's token that may do what these rights say, in one flush with them.

        Raises what `grant` raises, and InputError for a name that is none.
        """
        self._check_actor(actor)
        now_us = self._clock.now_us()
        if not wanted:
            raise InputError("right.invalid", path="rights", reason="no right is named")
        if len(wanted) > rights.PER_HOLDER_MAX:
            reason = f"at most {rights.PER_HOLDER_MAX} rights"
            raise InputError("right.invalid", path="rights", reason=reason)
        with self._rooms.lock:
            made, token = self._rooms.tokens.plan(
                self._chance, name, None,
                operator=True, made_at=now_us, expires_at=expires_at, limited=True,
            )  # fmt: skip
            bodies = [(tokens.ROOM, encode_record(made))]
            for one in wanted:
                granted = self._granted(Holder(token=made.id), one, now_us, None, None, name)
                bodies.append((rights.ROOM, encode_record(granted)))
            self._rooms.append([RoomRecord(room, body, now_us, 0, actor) for room, body in bodies])
        _audit.info("granted token=%s rights=%s actor=%s", made.id, len(wanted), actor)
        return token

    def all(self) -> list[Right]:
        """List the rights that were not revoked, with the codes their holders bear now."""
        return [self.named(right) for right in self._rooms.rights.all()]

    def of(self, by: Principal) -> list[Right]:
        """List the rights somebody has now."""
        return [self.named(right) for right in self._access.rights_of(by, "", self._clock.now_us())]

    def named(self, right: Right) -> Right:
        """Return a right with its unit's code."""
        if right.unit is None:
            return right
        code = ""
        with contextlib.suppress(NotFoundError):  # withdrawn by a correction
            code = self._rooms.directory.unit(right.unit, self._clock.now_us()).code
        return msgspec.structs.replace(right, code=code)

    def _check_actor(self, actor: str) -> None:
        check_actor(actor)
        if not actor.strip():
            raise InputError("actor.invalid", path="actor", reason="an operator's act needs one")


def wanted_right(actions: Sequence[str] | str, selector: str) -> RightWanted:
    """Return a right as it is asked for, its actions checked (InputError `right.invalid`)."""
    words = actions.split(",") if isinstance(actions, str) else list(actions)
    return RightWanted(checked_actions(words), selector)


def _unlimited() -> InputError:
    reason = "an operator's token without rights of its own may do everything already"
    return InputError("right.invalid", path="holder", reason=reason)
