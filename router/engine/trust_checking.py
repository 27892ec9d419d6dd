"""What a person should look at about trust: the whole store, or a file before it is imported.

A signer's certificate is judged as a document signed with it now would be, with the revocation
data that is known.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from router.engine.revoked import Affected, Revoked, RevokedNow
from router.engine.state import Rooms
from router.engine.trust_reading import TrustReader, hex_of
from router.errors import InputError, SignatureRefusedError, VanbanError
from router.limits import AFFECTED_PAGE_MAX, TRUST_BUNDLE_CERTIFICATES_MAX
from router.messages import say
from router.model.instants import show_instant
from router.model.revocation import AuthorityRevocation
from router.model.trust import CertificateChecked, TrustFinding
from router.ports import Clock
from router.signatures import Authority, TrustView, check_authorities
from router.signatures.certificates import (
    Certificate,
    check_leaf,
    is_ca,
    named_hash,
    named_key,
    read_certificate,
)
from router.signatures.paths import PathVerdict, judge_path
from router.signatures.trust_checks import role_of
from router.signatures.trust_findings import Found, Lineage, Severity, look_at, look_over


class TrustChecker:
    """Looks trust over; thread-safe, changes nothing."""

    def __init__(
        self, rooms: Rooms, reader: TrustReader, clock: Clock, revoked: Revoked, affected: Affected
    ) -> None:
        self._revoked = revoked
        self._affected = affected
        self._rooms = rooms
        self._reader = reader
        self._clock = clock

    def findings(self, at_us: int | None) -> list[TrustFinding]:
        """Return what a person should look at in the whole store."""
        at = self._clock.now_us() if at_us is None else at_us
        found = look_over(self._rooms.trust, at)
        found += self._revocation(at)
        found += self._revocations(at)
        return [_finding(one) for one in found]

    def _revocation(self, at_us: int) -> Iterator[Found]:
        """Yield the authorities whose revocation data is missing, or no longer fresh."""
        view = self._rooms.trust.view
        for one in self._rooms.revocation.states(view, at_us):
            known = view.authority(bytes.fromhex(one.sha256))
            if known is None or known.holds(at_us):
                yield from _freshness(one)

    def _revocations(self, at_us: int) -> Iterator[Found]:
        """Yield who was revoked and is still used, and how many documents that concerns."""
        trust, authorities = self._rooms.trust, self._revoked.authorities()
        for one in trust.view.authorities:
            gone = None
            if one.role == "intermediate" and one.holds(at_us):
                sha256 = one.certificate.sha256.hex()
                gone = self._revoked.own(sha256, authorities, at_us)
            if gone is not None:
                yield _gone("authority.revoked", "error", gone)
        for binding in trust.bound_certificates(at_us):
            gone = self._revoked.own(binding.certificate_sha256, authorities, at_us)
            if gone is not None:
                code = self._reader.code(binding.unit, at_us) or f"#{binding.unit}"
                yield _gone("binding.revoked", "warning", gone, unit=code)
        counted, more = self._affected.count(AFFECTED_PAGE_MAX)
        if counted or more:
            facts: dict[str, str | int] = {"count": f"≥ {counted}" if more else counted}
            yield Found("documents.affected", "note", facts=facts)

    def check(self, certificates: Sequence[bytes], at_us: int | None) -> list[CertificateChecked]:
        """Say what would happen with certificates of one file; see `check_certificates`."""
        at = self._clock.now_us() if at_us is None else at_us
        read = _read(certificates)
        view = self._rooms.trust.view
        more = [
            Authority(one, role_of(one))
            for one in read
            if is_ca(one) and view.authority(one.sha256) is None
        ]
        as_if = TrustView((*view.authorities, *more), view.version)
        lineage = Lineage(as_if)
        return [
            self._authority(one, lineage, at)
            if is_ca(one)
            else self._signer(one, as_if, lineage, at)
            for one in read
        ]

    def _authority(
        self, certificate: Certificate, lineage: Lineage, at_us: int
    ) -> CertificateChecked:
        trust = self._rooms.trust
        known = trust.view.authority(certificate.sha256)
        authority = known or Authority(certificate, role_of(certificate))
        found = [_finding(one) for one in look_at(authority, lineage, at_us)]
        try:
            check_authorities(trust, [certificate.der], role=authority.role)
        except VanbanError as error:
            found.insert(0, _said(error, "error"))
        return _checked(
            certificate, "authority", found,
            known=known is not None,
            role=authority.role,
            generation=lineage.generation(authority),
            path=hex_of(lineage.path(certificate, at_us)),
        )  # fmt: skip

    def _signer(
        self, certificate: Certificate, view: TrustView, lineage: Lineage, at_us: int
    ) -> CertificateChecked:
        trust = self._rooms.trust
        verdict: PathVerdict | None = None
        found: list[TrustFinding] = []
        try:
            check_leaf(certificate)
            verdict = judge_path(certificate, (), view, self._rooms.revocation.view, at_us)
            if verdict.status == "invalid":
                found.append(_said(verdict.as_error(), "error"))
            found += [
                _finding(Found("trust.waits", "warning", facts={"issuer": issuer}))
                for issuer in dict.fromkeys(one.issuer for one in verdict.missing)
            ]
        except SignatureRefusedError as error:
            found.append(_said(error, "error"))
        chain = () if verdict is None else verdict.chain[1:]
        if not chain:  # where it would lead, if it were good
            chain = tuple(one.certificate for one in lineage.path(certificate, at_us))
        root = view.authority(chain[-1].sha256) if chain else None
        sha256 = certificate.sha256.hex()
        bound = trust.bound_unit(sha256, at_us)
        return _checked(
            certificate, "signer", found,
            known=bool(trust.bindings(sha256)),
            generation="" if root is None else lineage.generation(root),
            path=tuple(one.sha256.hex() for one in chain),
            units=tuple(self._reader.code(number, at_us) for number in sorted(bound)),
        )  # fmt: skip


def _read(certificates: Sequence[bytes]) -> list[Certificate]:
    if not 0 < len(certificates) <= TRUST_BUNDLE_CERTIFICATES_MAX:
        reason = f"a bundle holds 1 to {TRUST_BUNDLE_CERTIFICATES_MAX} certificates"
        raise InputError("trust.invalid", path="certificates", reason=reason)
    read = []
    for place, der in enumerate(certificates):
        try:
            read.append(read_certificate(der))
        except SignatureRefusedError as error:
            reason = str(error.facts.get("reason", error.code))
            path = f"certificates[{place}]"
            raise InputError("trust.invalid", path=path, reason=reason) from None
    return read


def _freshness(one: AuthorityRevocation) -> Iterator[Found]:
    """Yield what is to be said of an authority's revocation data."""
    until = show_instant(one.serves_until)
    facts: dict[str, str | int] = {}
    if one.state == "missing":
        yield Found("authority.revocation_missing", "error", one.sha256, one.subject)
    elif one.state == "expired":
        facts = {"until": until}
        yield Found("authority.revocation_expired", "error", one.sha256, one.subject, facts)
    elif one.state == "grace":
        facts = {"since": show_instant(one.fresh_until), "until": until}
        yield Found("authority.revocation_stale", "warning", one.sha256, one.subject, facts)


def _gone(code: str, severity: Severity, gone: RevokedNow, **facts: str | int) -> Found:
    certificate = gone.certificate
    facts["since"] = show_instant(gone.since)
    return Found(code, severity, certificate.sha256.hex(), certificate.subject, facts)


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


def _finding(found: Found) -> TrustFinding:
    error = InputError(found.code)
    error.facts.update(found.facts)
    return _said(error, found.severity, found.sha256, found.subject)


def _said(error: VanbanError, severity: str, sha256: str = "", subject: str = "") -> TrustFinding:
    (words, remedy), (words_vi, remedy_vi) = say(error), say(error, "vi")
    return TrustFinding(
        error.code, severity, words, words_vi, remedy, remedy_vi, sha256=sha256, subject=subject
    )
