"""Operators' acts are records with an actor; those about tokens."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

from router.engine import tokens
from router.engine.deliveries import check_actor
from router.engine.state import Rooms, encode_record
from router.engine.tokens import TokenMade
from router.errors import AuthenticationError, InputError, NotFoundError
from router.model.answers import Principal
from router.ports import Chance, Clock
from router.queue import RoomRecord


def append_act(rooms: Rooms, clock: Clock, room: str, bodies: Sequence[bytes], actor: str) -> None:
    """Write an operator's act in one group of records: all of it is kept, or nothing.

    The operator is no unit (number 0) but has a name.  Raises InputError `actor.invalid`.
    """
    check_actor(actor)
    if not actor.strip():
        raise InputError("actor.invalid", path="actor", reason="an operator's act needs one")
    at = clock.now_us()
    rooms.append([RoomRecord(room, body, at, 0, actor) for body in bodies])


class Administrator:
    """Changes of the rooms' state and questions to it; thread-safe."""

    def __init__(self, rooms: Rooms, clock: Clock, chance: Chance) -> None:
        self._rooms = rooms
        self._clock = clock
        self._chance = chance

    def _append(self, room: str, bodies: Sequence[bytes], actor: str) -> None:
        append_act(self._rooms, self._clock, room, bodies, actor)

    def create_token(
        self, unit: str | None, name: str, *, operator: bool, expires_at: int | None, actor: str
    ) -> str:
        """Make a token and return it, the only time it can be seen."""
        now_us = self._clock.now_us()
        number = None
        if unit is not None:
            found = self._rooms.unit(unit, now_us)
            self._rooms.require_answering(found, now_us)
            number = found.number
        with self._rooms.lock:
            made, token = self._rooms.tokens.plan(
                self._chance,
                name,
                number,
                operator=operator,
                made_at=now_us,
                expires_at=expires_at,
            )
            self._append(tokens.ROOM, [encode_record(made)], actor)
        return token

    def revoke_token(self, token_id: str, actor: str) -> None:
        """End a token.  Raises NotFoundError."""
        with self._rooms.lock:
            self._rooms.tokens.find(token_id)
            revoked = tokens.TokenRevoked(token_id, self._clock.now_us())
            self._append(tokens.ROOM, [encode_record(revoked)], actor)

    def authenticate(self, token: str) -> Principal:
        """Return whom a token stands for.  Raises AuthenticationError."""
        now_us = self._clock.now_us()
        made = self._rooms.tokens.authenticate(token, now_us)
        principal = self._principal(made, now_us)
        if principal.unit is not None and not principal.code:
            raise AuthenticationError("token.invalid")  # there never was such a unit
        return principal

    def all_tokens(self) -> list[Principal]:
        """List the live tokens (never their secrets)."""
        now_us = self._clock.now_us()
        return [self._principal(made, now_us) for made in self._rooms.tokens.all(now_us)]

    def _principal(self, made: TokenMade, now_us: int) -> Principal:
        code = ""
        if made.unit is not None:
            with contextlib.suppress(NotFoundError):  # withdrawn by a correction
                code = self._rooms.unit(made.unit, now_us).code
        return Principal(made.id, made.name, made.unit, code, made.operator, made.limited)
