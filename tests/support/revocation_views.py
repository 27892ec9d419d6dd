"""Revocation views for tests: nothing known, whatever is handed out, or what a test says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from router.model.instants import INSTANT_MAX
from router.signatures import TrustView
from router.signatures.certificates import Certificate
from router.signatures.revocation_view import Above, Links
from router.signatures.verdicts import Evidence


@dataclass(frozen=True)
class Status:
    """One answer of a view."""

    kind: Literal["good", "revoked", "unknown"] = "unknown"
    evidence: Evidence | None = None
    revoked_at: int | None = None
    invalidity_at: int | None = None
    reason: str = ""
    signers: Links = ()
    until: int = INSTANT_MAX
    doubted: Links = ()


UNKNOWN = Status()


@dataclass(frozen=True)
class View:
    """A view that hands out the same lists and responses for every issuer.

    `answers` are those of the index, by serial number.
    """

    lists: tuple[bytes, ...] = ()
    responses: tuple[bytes, ...] = ()
    answers: Mapping[int, Status] = field(default_factory=dict)
    grace_us: int = 0
    noticed: list[tuple[Certificate, Certificate, int]] = field(default_factory=list)

    def status(
        self, issuer: Certificate, serial: int, at_us: int, certificate: Certificate, above: Above
    ) -> Status:
        return self.answers.get(serial, UNKNOWN)

    def notice(self, certificate: Certificate, issuer: Certificate, at_us: int) -> None:
        self.noticed.append((certificate, issuer, at_us))

    def lists_for(self, issuer: Certificate, at_us: int, trust: TrustView) -> tuple[bytes, ...]:
        return self.lists

    def responses_for(self, issuer: Certificate, serial: int, at_us: int) -> tuple[bytes, ...]:
        return self.responses
