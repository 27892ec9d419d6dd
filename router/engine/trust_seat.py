"""What a seat may ask and do about trust: see `router.engine.seat`.

Authorities concern every unit: who may do everything changes them, who may bind certificates
of any unit (action `trust`) looks at them.  Bindings are told of the units that are covered.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from router.engine.access import Access
from router.errors import NotFoundError
from router.model.answers import Principal
from router.model.rights import TRUST
from router.model.trust import AuthorityShown, Bindings, CertificateChecked, TrustFinding

if TYPE_CHECKING:  # the engine makes seats
    from router.engine.engine import Engine


class TrustSeat:
    """One principal's view of an engine's trust."""

    _engine: Engine
    _access: Access
    _by: Principal | None

    def bind(
        self,
        unit: str,
        certificate: bytes,
        valid_from: int,
        valid_to: int | None = None,
        *,
        actor: str,
    ) -> None:
        """Bind a certificate to a unit that is covered (action `trust`); see `Engine.bind`."""
        number = self._engine.unit(unit).number
        self._access.require(self._by, TRUST, [number], self._engine.now_us())
        self._engine.bind(unit, certificate, valid_from, valid_to, actor=actor)

    def bindings(
        self,
        *,
        unit: str | int | None = None,
        certificate: str = "",
        expires_before: int | None = None,
        limit: int = 100,
        page: int = 0,
    ) -> Bindings:
        """Return bindings of the units that are covered; see `Engine.bindings`."""
        now_us = self._engine.now_us()
        covered: dict[int, bool] = {}

        def sees(number: int) -> bool:
            if number not in covered:
                covered[number] = self._access.may(self._by, TRUST, number, now_us)
            return covered[number]

        if unit is not None and not sees(self._engine.unit(unit).number):
            raise NotFoundError("unit.not_found", unit=unit)
        return self._engine._trust_reader.bindings(
            unit=unit,
            certificate=certificate,
            expires_before=expires_before,
            limit=limit,
            page=page,
            sees=sees,
        )

    def trust_issuer(self, certificate: bytes, *, actor: str) -> str:
        """Trust a CA, which concerns every unit: for who may do everything."""
        self._access.require_everything(self._by, TRUST)
        return self._engine.trust_issuer(certificate, actor=actor)

    def trust_authority(self, certificate: bytes, *, actor: str, **options: Any) -> str:
        """Trust a CA: for who may do everything; see `Engine.trust_authority`."""
        self._access.require_everything(self._by, TRUST)
        return self._engine.trust_authority(certificate, actor=actor, **options)

    def trust_authorities(
        self, certificates: Sequence[bytes], *, actor: str, **options: Any
    ) -> list[AuthorityShown]:
        """Trust CAs: for who may do everything; see `Engine.trust_authorities`."""
        self._access.require_everything(self._by, TRUST)
        return self._engine.trust_authorities(certificates, actor=actor, **options)

    def distrust(self, authority: str, *, since: int | None = None, actor: str) -> str:
        """End the trust in an authority: for who may do everything; see `Engine.distrust`."""
        self._access.require_everything(self._by, TRUST)
        return self._engine.distrust(authority, since=since, actor=actor)

    def authorities(self, *, at_us: int | None = None) -> list[AuthorityShown]:
        """Return all authorities; see `Engine.authorities`."""
        self._require_trust()
        return self._engine.authorities(at_us=at_us)

    def authority(self, authority: str, *, at_us: int | None = None) -> AuthorityShown:
        """Return one authority; see `Engine.authority`."""
        self._require_trust()
        return self._engine.authority(authority, at_us=at_us)

    def check_trust(self, *, at_us: int | None = None) -> list[TrustFinding]:
        """Return what a person should look at: for who may do everything."""
        self._access.require_everything(self._by, TRUST)
        return self._engine.check_trust(at_us=at_us)

    def check_certificates(
        self, certificates: Sequence[bytes], *, at_us: int | None = None
    ) -> list[CertificateChecked]:
        """Say what would happen with certificates: for who may do everything."""
        self._access.require_everything(self._by, TRUST)
        return self._engine.check_certificates(certificates, at_us=at_us)

    def _require_trust(self) -> None:
        """Raise ForbiddenError `right.missing` for who may bind no unit's certificates."""
        by = self._by
        if by is None or self._access.rights_of(by, TRUST, self._engine.now_us()):
            return
        self._access.require_everything(by, TRUST)
