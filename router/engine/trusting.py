"""Changes of trust: operators' acts, each a group of records with actor, each audited."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Collection, Sequence
from typing import cast

from router.engine.administration import append_act
from router.engine.state import TRUST, Rooms
from router.engine.trust_reading import TrustReader
from router.model.instants import show_instant
from router.ports import Clock
from router.signatures import (
    CertificateBound,
    Revocation,
    Role,
    TrustChange,
    check_authorities,
    check_binding,
    check_issuer,
    check_removal,
    encode_change,
)

_audit = logging.getLogger("router.audit")
Binding = tuple[str | int, bytes, int, int | None]
"""Unit, certificate in DER, from when, until when (exclusive; None: until further notice)."""


class TrustAdministrator:
    """Changes of the authorities and bindings; thread-safe."""

    def __init__(self, rooms: Rooms, reader: TrustReader, clock: Clock) -> None:
        self._rooms = rooms
        self._reader = reader
        self._clock = clock

    def _append(self, changes: Sequence[TrustChange], actor: str) -> None:
        bodies = [encode_change(change) for change in changes]
        append_act(self._rooms, self._clock, TRUST, bodies, actor)

    def trust_issuer(self, certificate: bytes, actor: str) -> str:
        """Trust a CA (DER) as a root without checking revocation; return its SHA-256 in hex."""
        with self._rooms.lock:
            change = check_issuer(self._rooms.trust, certificate)
            self._append([change], actor)
        sha256 = hashlib.sha256(certificate).hexdigest()
        _audit.info("trusted authority=%s role=root revocation=not_checked actor=%s", sha256, actor)
        return sha256

    def trust(
        self,
        certificates: Sequence[bytes],
        *,
        role: str | None,
        purposes: Collection[str],
        trusted_from: int | None,
        trusted_to: int | None,
        revocation: str,
        actor: str,
    ) -> list[str]:
        """Trust CAs (DER) in one group, all or none; return their SHA-256 in hex."""
        with self._rooms.lock:
            changes = check_authorities(
                self._rooms.trust,
                certificates,
                role=cast("Role | None", role),
                purposes=purposes,
                trusted_from=trusted_from,
                trusted_to=trusted_to,
                revocation=cast("Revocation", revocation),
            )
            self._append(changes, actor)
        found = []
        for change in changes:
            found.append(hashlib.sha256(change.certificate).hexdigest())
            _audit.info(
                "trusted authority=%s role=%s revocation=%s actor=%s",
                found[-1], change.role, change.revocation, actor,
            )  # fmt: skip
        return found

    def distrust(self, authority: str, since: int | None, actor: str) -> str:
        """End the trust in an authority at an instant (now); return its SHA-256 in hex."""
        with self._rooms.lock:
            sha256 = self._reader.named(authority)
            from_us = self._clock.now_us() if since is None else since
            self._append([check_removal(self._rooms.trust, sha256, from_us)], actor)
        _audit.info(
            "distrusted authority=%s since=%s actor=%s", sha256, show_instant(from_us), actor
        )
        return sha256

    def bind(self, bindings: Sequence[Binding], actor: str) -> int:
        """Bind certificates (DER) to units for a time, in one group, all or none."""
        changes: list[CertificateBound] = []
        with self._rooms.lock:
            for unit, certificate, valid_from, valid_to in bindings:
                number = self._rooms.unit(unit, valid_from).number
                changes.append(
                    check_binding(self._rooms.trust, number, certificate, valid_from, valid_to)
                )
            self._append(changes, actor)
        for change in changes:
            _audit.info(
                "bound certificate=%s unit=%s actor=%s",
                change.certificate_sha256, change.unit, actor,
            )  # fmt: skip
        return len(changes)
