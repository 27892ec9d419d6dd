"""Operators' acts: the directory, trust and tokens, each a record with unit and actor."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from router import limits
from router._core import Audience
from router.directory import ResolveItem
from router.directory import encode_change as encode_directory
from router.engine import tokens
from router.engine.deliveries import check_actor
from router.engine.state import DIRECTORY, TRUST, Rooms, encode_record
from router.engine.tokens import TokenMade
from router.errors import InputError, VanbanError
from router.model.answers import Principal, Resolved, ResolvedUnit
from router.model.instants import INSTANT_MAX, show_instant
from router.model.units import TIER_NAMES, Unit
from router.ports import Chance, Clock
from router.queue import RoomRecord
from router.signatures import (
    check_binding,
    check_issuer,
)
from router.signatures import encode_change as encode_trust

RESOLVED_UNITS_DEFAULT = 100


class Administrator:
    """Changes of the rooms' state and questions to it; thread-safe."""

    def __init__(self, rooms: Rooms, clock: Clock, chance: Chance) -> None:
        self._rooms = rooms
        self._clock = clock
        self._chance = chance

    def _append(self, room: str, bodies: Sequence[bytes], actor: str) -> None:
        """Write an operator's act; the operator is no unit (number 0) but has a name."""
        check_actor(actor)
        if not actor.strip():
            raise InputError("actor.invalid", path="actor", reason="an operator's act needs one")
        at = self._clock.now_us()
        self._rooms.append([RoomRecord(room, body, at, 0, actor) for body in bodies])

    def import_units(self, units: Sequence[Unit], actor: str) -> int:
        """Add units, all or none.  Raises InputError naming row and field."""
        with self._rooms.lock:
            plan = self._rooms.directory.plan_import(units)
            self._append(DIRECTORY, [encode_directory(change) for change in plan], actor)
        return len(units)

    def close_unit(self, code: str, at_us: int, successors: Sequence[str], actor: str) -> None:
        """Close a unit at an instant; its first successor answers for it from then on."""
        with self._rooms.lock:
            unit = self._rooms.unit(code, at_us - 1)
            heirs = tuple(self._rooms.unit(one, at_us).number for one in successors)
            change = self._rooms.directory.plan_close(unit.number, at_us, heirs)
            self._append(DIRECTORY, [encode_directory(change)], actor)

    def trust_issuer(self, certificate: bytes, actor: str) -> str:
        """Trust a CA certificate (DER) as issuer; return its SHA-256 in hex."""
        with self._rooms.lock:
            change = check_issuer(self._rooms.trust, certificate)
            self._append(TRUST, [encode_trust(change)], actor)
        return hashlib.sha256(certificate).hexdigest()

    def bind(
        self,
        bindings: Sequence[tuple[str | int, bytes, int, int | None]],
        actor: str,
    ) -> int:
        """Bind certificates (DER) to units for a time: (unit, DER, valid_from, valid_to)."""
        with self._rooms.lock:
            bodies = []
            for unit, certificate, valid_from, valid_to in bindings:
                number = self._rooms.unit(unit, valid_from).number
                change = check_binding(self._rooms.trust, number, certificate, valid_from, valid_to)
                bodies.append(encode_trust(change))
            self._append(TRUST, bodies, actor)
        return len(bodies)

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
        return self._principal(self._rooms.tokens.authenticate(token, now_us), now_us)

    def all_tokens(self) -> list[Principal]:
        """List the live tokens (never their secrets)."""
        now_us = self._clock.now_us()
        return [self._principal(made, now_us) for made in self._rooms.tokens.all(now_us)]

    def _principal(self, made: TokenMade, now_us: int) -> Principal:
        code = self._rooms.unit(made.unit, now_us).code if made.unit is not None else ""
        return Principal(made.id, made.name, made.unit, code, made.operator)

    def resolve(self, selector: str, at_us: int | None, limit: int) -> Resolved:
        """Say whom a selector means at an instant (default: now).

        Raises RecipientError, and InputError for an instant or limit out of range.
        """
        at = self._clock.now_us() if at_us is None else at_us
        if not 0 <= at <= INSTANT_MAX:
            said = "an instant is from 1970 to 9999, in microseconds"
            raise InputError("field.invalid", path="$.at_us", reason=said)
        if not 0 <= limit <= limits.UNITS_MAX:
            said = f"0 to {limits.UNITS_MAX} is taken"
            raise InputError("field.invalid", path="$.limit", reason=said)
        answer = self._rooms.directory.resolve_batch([ResolveItem(selector, at, False)])[0]
        if isinstance(answer, VanbanError):
            raise answer
        snapshot, audience = answer.snapshot, answer.audience
        by_tier = _count_tiers(snapshot.hierarchy.count_by_class(audience))
        return Resolved(
            selector=selector,
            at=show_instant(at),
            size=audience.size,
            by_tier=by_tier,
            audience_sha256=snapshot.hierarchy.digest(audience).hex(),
            units=tuple(
                _resolved(snapshot.unit_at(position)) for position in _first(audience, limit)
            ),
        )


def _first(audience: Audience, limit: int) -> list[int]:
    return list(audience.positions())[:limit]


def _count_tiers(classes: dict[tuple[int, int], int]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for (tier, _), count in classes.items():
        name = TIER_NAMES.get(tier, str(tier))
        counts[name] = counts.get(name, 0) + count
    return counts


def _resolved(unit: Unit) -> ResolvedUnit:
    return ResolvedUnit(unit.code, unit.name, TIER_NAMES.get(unit.tier, str(unit.tier)), unit.kind)
