"""Questions about trust: who is trusted, who speaks for whom, what a person should look at."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress

from router.engine.state import Rooms
from router.errors import InputError, NotFoundError, SignatureRefusedError, VanbanError
from router.limits import BINDINGS_PAGE_MAX, TRUST_BUNDLE_CERTIFICATES_MAX
from router.messages import say
from router.model.instants import show_instant
from router.model.trust import (
    AuthorityShown,
    Bindings,
    BindingShown,
    CertificateChecked,
    TrustFinding,
)
from router.ports import Clock
from router.signatures import Authority, CertificateBound, check_authorities, check_binding
from router.signatures.certificates import (
    Certificate,
    is_ca,
    named_hash,
    named_key,
    read_certificate,
)
from router.signatures.trust import issuer_digest
from router.signatures.trust_checks import role_of
from router.signatures.trust_findings import (
    Found,
    Lineage,
    bound_by_issuer,
    in_date,
    look_at,
    look_over,
)

Sees = Callable[[int], bool]
"""Whether the bindings of a unit (stable number) may be told."""


class TrustReader:
    """Answers about authorities and bindings; thread-safe, changes nothing."""

    def __init__(self, rooms: Rooms, clock: Clock) -> None:
        self._rooms = rooms
        self._clock = clock

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
        shown = tuple(self._binding_shown(one, names, now_us) for one in chosen)
        return Bindings(shown, len(found), page + 1 if start + limit < len(found) else 0)

    def _binding_shown(
        self, one: CertificateBound, names: dict[bytes, str], now_us: int
    ) -> BindingShown:
        state = "in-force" if one.holds(now_us) else "ended"
        return BindingShown(
            unit=one.unit,
            code=self._code(one.unit, now_us),
            certificate_sha256=one.certificate_sha256,
            state="not-yet" if now_us < one.valid_from else state,
            valid_from=show_instant(one.valid_from) if one.valid_from else "",
            valid_to="" if one.valid_to is None else show_instant(one.valid_to),
            expires=show_instant(one.expires) if one.expires else "",
            issuer=names.get(one.issuer, ""),
        )

    def _code(self, number: int, at_us: int) -> str:
        with suppress(NotFoundError):  # withdrawn by a correction
            return self._rooms.directory.unit(number, at_us).code
        return ""

    def findings(self, at_us: int | None) -> list[TrustFinding]:
        """Return what a person should look at in the whole store."""
        at = self._clock.now_us() if at_us is None else at_us
        return [_finding(one) for one in look_over(self._rooms.trust, at)]

    def check(self, certificates: Sequence[bytes], at_us: int | None) -> list[CertificateChecked]:
        """Say what would happen with certificates of one file; see `check_certificates`."""
        if not 0 < len(certificates) <= TRUST_BUNDLE_CERTIFICATES_MAX:
            reason = f"a bundle holds 1 to {TRUST_BUNDLE_CERTIFICATES_MAX} certificates"
            raise InputError("trust.invalid", path="certificates", reason=reason)
        at = self._clock.now_us() if at_us is None else at_us
        read = []
        for place, der in enumerate(certificates):
            try:
                read.append(read_certificate(der))
            except SignatureRefusedError as error:
                reason = str(error.facts.get("reason", error.code))
                path = f"certificates[{place}]"
                raise InputError("trust.invalid", path=path, reason=reason) from None
        view = self._rooms.trust.view
        as_if = (
            view.authority(one.sha256) or Authority(one, role_of(one)) for one in read if is_ca(one)
        )
        lineage = Lineage(view, as_if)
        return [
            (self._authority_checked if is_ca(one) else self._signer_checked)(one, lineage, at)
            for one in read
        ]

    def _authority_checked(
        self, certificate: Certificate, lineage: Lineage, at_us: int
    ) -> CertificateChecked:
        trust = self._rooms.trust
        known = trust.view.authority(certificate.sha256)
        authority = known or Authority(certificate, role_of(certificate))
        found = [_refused(check_authorities, trust, [certificate.der], role=authority.role)]
        found += [_finding(one) for one in look_at(authority, lineage, at_us)]
        return _checked(
            certificate, "authority", [one for one in found if one is not None],
            known=known is not None,
            role=authority.role,
            generation=lineage.generation(authority),
            path=_hex(lineage.path(certificate, at_us)),
        )  # fmt: skip

    def _signer_checked(
        self, certificate: Certificate, lineage: Lineage, at_us: int
    ) -> CertificateChecked:
        trust = self._rooms.trust
        sha256 = certificate.sha256.hex()
        path = lineage.path(certificate, at_us)
        found = [_refused(check_binding, trust, 1, certificate.der, 0)]
        found += _dates(certificate, at_us)
        if not path:
            facts: dict[str, str | int] = {"issuer": certificate.issuer}
            found.append(_finding(Found("certificate.untrusted", "error", facts=facts)))
        bound = trust.bound_unit(sha256, at_us)
        return _checked(
            certificate, "signer", [one for one in found if one is not None],
            known=bool(trust.bindings(sha256)),
            generation=lineage.generation(path[-1]) if path else "",
            path=_hex(path),
            units=tuple(self._code(number, at_us) for number in sorted(bound)),
        )  # fmt: skip


def _dates(certificate: Certificate, at_us: int) -> Iterator[TrustFinding]:
    """Yield what is to be said when a signer's certificate is not valid at an instant."""
    if at_us < certificate.valid_from:
        facts: dict[str, str | int] = {"since": show_instant(certificate.valid_from)}
        yield _finding(Found("certificate.not_yet_valid", "warning", facts=facts))
    elif not in_date(certificate, at_us):
        facts = {"until": show_instant(certificate.valid_to)}
        yield _finding(Found("certificate.expired", "warning", facts=facts))


def _checked(
    certificate: Certificate, kind: str, findings: Sequence[TrustFinding], **more: object
) -> CertificateChecked:
    return CertificateChecked(
        sha256=certificate.sha256.hex(),
        kind=kind,
        subject=certificate.subject,
        issuer=certificate.issuer,
        serial=certificate.serial,
        key=named_key(certificate),
        hash=named_hash(certificate),
        valid_from=show_instant(certificate.valid_from),
        valid_to=show_instant(certificate.valid_to),
        findings=tuple(findings),
        **more,  # type: ignore[arg-type]
    )


def _refused(check: Callable[..., object], *given: object, **more: object) -> TrustFinding | None:
    """Return why a change would be refused, as a finding, or None."""
    try:
        check(*given, **more)
    except VanbanError as error:
        return _said(error, "error")
    return None


def _finding(found: Found) -> TrustFinding:
    certificate = found.certificate
    sha256 = found.sha256 if certificate is None else certificate.sha256.hex()
    subject = "" if certificate is None else certificate.subject
    error = InputError(found.code)
    error.facts.update(found.facts)
    return _said(error, found.severity, sha256, subject)


def _said(error: VanbanError, severity: str, sha256: str = "", subject: str = "") -> TrustFinding:
    (words, remedy), (words_vi, remedy_vi) = say(error), say(error, "vi")
    return TrustFinding(
        error.code, severity, words, words_vi, remedy, remedy_vi, sha256=sha256, subject=subject
    )


def _hex(path: Sequence[Authority]) -> tuple[str, ...]:
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
        issued_by=_hex(lineage.issuers(certificate)),
        bound=bound,
        recorded_at=show_instant(authority.recorded_at) if authority.recorded_at else "",
        actor=authority.actor,
    )
