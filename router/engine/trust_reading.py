"""Questions about trust: who is trusted, and who speaks for whom."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress

from router.engine.revoked import Revoked
from router.engine.state import Rooms
from router.errors import InputError, NotFoundError
from router.limits import BINDINGS_PAGE_MAX
from router.model.instants import show_instant
from router.model.trust import AuthorityShown, Bindings, BindingShown
from router.ports import Clock
from router.signatures import Authority, CertificateBound
from router.signatures.certificates import Certificate, named_hash, named_key
from router.signatures.trust import issuer_digest
from router.signatures.trust_findings import Lineage, bound_by_issuer, in_date

Sees = Callable[[int], bool]
"""Whether the bindings of a unit (stable number) may be told."""


class TrustReader:
    """Answers about authorities and bindings; thread-safe, changes nothing."""

    def __init__(self, rooms: Rooms, clock: Clock, revoked: Revoked) -> None:
        self._rooms = rooms
        self._clock = clock
        self._revoked = revoked

    def named(self, prefix: str) -> str:
        """Return the SHA-256 (hex) of the one authority it begins with.

        Raises NotFoundError `authority.not_found`, InputError `trust.ambiguous`.
        """
        wanted = prefix.strip().lower()
        trust = self._rooms.trust
        known = {one.certificate.sha256.hex() for one in trust.authorities} | trust.unreadable
        found = sorted(sha256 for sha256 in known if wanted and sha256.startswith(wanted))
        if not found:
            raise NotFoundError("authority.not_found", path="authority", sha256=prefix)
        if len(found) > 1:
            raise InputError("trust.ambiguous", path="authority", count=len(found), sha256=prefix)
        return found[0]

    def authorities(self, at_us: int | None) -> list[AuthorityShown]:
        """Return all authorities in the order they were imported, as they stand at an instant."""
        return self._shown(self._rooms.trust.authorities, at_us)

    def authority(self, prefix: str, at_us: int | None) -> AuthorityShown:
        """Return one authority.  Raises what `named` raises."""
        found = self._rooms.trust.view.authority(bytes.fromhex(self.named(prefix)))
        if found is None:  # recorded, and unreadable
            raise NotFoundError("authority.not_found", path="authority", sha256=prefix)
        return self._shown([found], at_us)[0]

    def _shown(self, authorities: Sequence[Authority], at_us: int | None) -> list[AuthorityShown]:
        at = self._clock.now_us() if at_us is None else at_us
        trust = self._rooms.trust
        lineage = Lineage(trust.view)
        bound = bound_by_issuer(trust, at)
        return [
            _authority_shown(one, lineage, at, bound[issuer_digest(one.certificate.subject_name)])
            for one in authorities
        ]

    def bindings(
        self,
        *,
        unit: str | int | None,
        certificate: str,
        expires_before: int | None,
        limit: int,
        page: int,
        sees: Sees | None = None,
    ) -> Bindings:
        """Return a page of bindings; see `Engine.bindings`."""
        if not 1 <= limit <= BINDINGS_PAGE_MAX:
            raise InputError("field.invalid", path="limit", reason=f"1 to {BINDINGS_PAGE_MAX}")
        if page < 0:
            raise InputError("field.invalid", path="page", reason="pages begin at 0")
        now_us = self._clock.now_us()
        number = None if unit is None else self._rooms.unit(unit, now_us).number
        wanted = certificate.strip().lower()

        def fits(one: CertificateBound) -> bool:
            if number is not None and one.unit != number:
                return False
            if not one.certificate_sha256.startswith(wanted):
                return False
            if sees is not None and not sees(one.unit):
                return False
            if expires_before is None:
                return True
            return bool(one.expires) and one.expires < expires_before and one.holds(now_us)

        found = [one for one in self._rooms.trust.all_bindings() if fits(one)]
        names = {
            issuer_digest(one.certificate.subject_name): one.certificate.subject
            for one in self._rooms.trust.authorities
        }
        start = page * limit
        chosen = found[start : start + limit]
        authorities = self._revoked.authorities()
        shown = tuple(self._binding_shown(one, names, now_us, authorities) for one in chosen)
        return Bindings(shown, len(found), page + 1 if start + limit < len(found) else 0)

    def _binding_shown(
        self, one: CertificateBound, names: dict[bytes, str], now_us: int,
        authorities: Sequence[Certificate],
    ) -> BindingShown:  # fmt: skip
        state = "ended"
        if one.holds(now_us):
            revoked = self._revoked.own(one.certificate_sha256, authorities, now_us)
            state = "in-force" if revoked is None else "revoked"
        return BindingShown(
            unit=one.unit,
            code=self.code(one.unit, now_us),
            certificate_sha256=one.certificate_sha256,
            state="not-yet" if now_us < one.valid_from else state,
            valid_from=show_instant(one.valid_from) if one.valid_from else "",
            valid_to="" if one.valid_to is None else show_instant(one.valid_to),
            expires=show_instant(one.expires) if one.expires else "",
            issuer=names.get(one.issuer, ""),
        )

    def code(self, number: int, at_us: int) -> str:
        """Return the code of a unit at an instant; "" for one that was withdrawn."""
        with suppress(NotFoundError):
            return self._rooms.directory.unit(number, at_us).code
        return ""


def hex_of(path: Sequence[Authority]) -> tuple[str, ...]:
    """Return the SHA-256 of the authorities' certificates in hex."""
    return tuple(one.certificate.sha256.hex() for one in path)


def _state(authority: Authority, at_us: int) -> str:
    certificate = authority.certificate
    if authority.trusted_to is not None and at_us >= authority.trusted_to:
        return "ended"
    if at_us < max(authority.trusted_from, certificate.valid_from):
        return "not-yet"
    return "trusted" if in_date(certificate, at_us) else "expired"


def _authority_shown(
    authority: Authority, lineage: Lineage, at_us: int, bound: int
) -> AuthorityShown:
    certificate = authority.certificate
    ends = authority.trusted_to
    return AuthorityShown(
        sha256=certificate.sha256.hex(),
        role=authority.role,
        state=_state(authority, at_us),
        subject=certificate.subject,
        issuer=certificate.issuer,
        serial=certificate.serial,
        key=named_key(certificate),
        hash=named_hash(certificate),
        valid_from=show_instant(certificate.valid_from),
        valid_to=show_instant(certificate.valid_to),
        revocation=authority.revocation,
        generation=lineage.generation(authority),
        trusted_from=show_instant(authority.trusted_from) if authority.trusted_from else "",
        trusted_to="" if ends is None else show_instant(ends),
        purposes=tuple(sorted(authority.purposes)),
        issued_by=hex_of(lineage.issuers(certificate)),
        bound=bound,
        recorded_at=show_instant(authority.recorded_at) if authority.recorded_at else "",
        actor=authority.actor,
    )
