"""Renewing a path: newer revocation data about a chain that was validated before.

An authority publishes a list every day or hour; each time, what is known of every certificate
it issued changes, while the paths stay what they were.  Validating thousands of them again
would hold their documents up, so a chain that was found valid is asked about in the index of
revocation data only, which holds nothing that was not judged when it came.  Whatever is not
plainly good there, fresh, and made while the certificate was valid goes to the cold line.
"""

from __future__ import annotations

from dataclasses import replace

from msgspec.structs import replace as replaced

from router.model.instants import SECOND_US
from router.signatures.authorities import TrustView
from router.signatures.caches import KnownPath, RevocationSnapshot, stamps_of
from router.signatures.certificates import Certificate
from router.signatures.paths import RevocationStatus
from router.signatures.revocation_view import Above
from router.signatures.verdicts import Evidence


def renewed(
    path: KnownPath,
    leaf: Certificate,
    view: TrustView,
    revocation: RevocationSnapshot,
    at_us: int,
) -> KnownPath | None:
    """Return the path with the evidence of now; None when it must be judged anew.

    `leaf` is the signer's certificate.  The caller has seen to it that the path was valid with
    the same authorities.
    """
    if not path.stands_beside(revocation):
        return None
    certificates = (leaf, *(issuer for issuer, _ in path.links))
    start, end = _window(certificates, view)
    start, end = max(start, path.span_from), min(end, path.span_until)
    evidence: list[Evidence] = []
    signers: list[tuple[Certificate, int]] = []
    for place, (certificate, (issuer, serial), old) in enumerate(
        zip(certificates, path.links, path.evidence, strict=False)
    ):
        if old.kind == "none":
            evidence.append(old)
            continue
        above = Above(view, certificates[place + 2 :])
        status = revocation.status(issuer, serial, at_us, certificate, above)
        found = _good(certificate, status, at_us)
        if found is None:
            return None
        evidence.append(found)
        signers += (*status.signers, *status.doubted)
        if status.doubted:  # they may have been shown as good before: see `PathJudge`
            start = max(start, at_us)
        end = min(end, found.fresh_until - 1, status.until - 1)
    if len(evidence) != len(path.links) or not start <= at_us <= end:
        return None
    return replace(
        path,
        evidence=tuple(evidence),
        good_from=start,
        good_until=end,
        signers=tuple(signers),
        stamps=stamps_of((*path.links, *signers), revocation),
        revocation_version=revocation.version,
    )


def _good(certificate: Certificate, status: RevocationStatus, at_us: int) -> Evidence | None:
    """Return fresh evidence that a certificate was never revoked, as far as is known."""
    found = status.evidence
    if status.kind != "good" or found is None:
        return None
    if status.revoked_at is not None or status.invalidity_at is not None:
        return None
    if at_us >= found.fresh_until or found.produced_at >= certificate.valid_to + SECOND_US:
        return None
    return replaced(found, certificate_sha256=certificate.sha256.hex())


def _window(certificates: tuple[Certificate, ...], view: TrustView) -> tuple[int, int]:
    """Return when all of a chain are valid, and its authorities trusted: first and last instant."""
    start = max(one.valid_from for one in certificates)
    end = min(one.valid_to for one in certificates) + SECOND_US - 1
    for one in certificates:
        authority = view.authority(one.sha256)
        if authority is not None:
            start = max(start, authority.trusted_from)
            if authority.trusted_to is not None:
                end = min(end, authority.trusted_to - 1)
    return start, end
