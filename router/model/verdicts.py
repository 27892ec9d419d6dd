"""What is shown of the verdict over a document's signatures: to people, programs, archives.

A verdict shown is whole: certificates in DER, evidence and instants, so that it can be kept
beside the document and understood without the engine.  Instants are texts at +07:00.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from router.model.answers import Alert

VerdictStatus = Literal["valid", "invalid", "indeterminate", "unsigned", "unreadable"]


class CertificateShown(msgspec.Struct, frozen=True, omit_defaults=True):
    """A certificate of a chain; `der` is empty when only its SHA-256 (hex) is known."""

    sha256: str
    subject: str = ""
    issuer: str = ""
    serial: str = ""
    valid_from: str = ""
    valid_to: str = ""
    der: bytes = b""


class EvidenceShown(msgspec.Struct, frozen=True, omit_defaults=True):
    """What says that a certificate of a chain was not revoked at the signing time.

    `kind` is "crl", "ocsp", or "none": its authority is trusted without checking.  `sha256` is
    over the list or response in DER; it was made at `produced_at`, `age_s` seconds before the
    signing time (negative: after it); `grace`: it was used after `fresh_until`, within the
    grace that the operator stated.
    """

    certificate_sha256: str
    kind: str
    issuer: str = ""
    sha256: str = ""
    number: str = ""
    produced_at: str = ""
    fresh_until: str = ""
    age_s: int = 0
    grace: bool = False


class MissingShown(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a verdict lacks: `kind` is "crl" or "ocsp" of an issuer, "path": a check under way."""

    kind: str
    certificate_sha256: str
    issuer: str = ""


class TreeShown(msgspec.Struct, frozen=True):
    """The signed tree of documents (RFC 6962): its root in hex, its size, the place in it."""

    root: str
    size: int
    index: int


class SignerUnit(msgspec.Struct, frozen=True):
    """A unit that a certificate spoke for when the document was issued."""

    code: str
    name: str


class SignatureShown(msgspec.Struct, frozen=True, omit_defaults=True):
    """One signature: who, by which certificates, when, by what evidence.

    `units` are those the certificate was bound to at the issue time (none: a person's, or a
    stranger's).  `signed_at_source` is "receipt" (the time of acceptance) or "time_stamp".
    """

    certificate_sha256: str
    subject: str
    issuer: str
    serial: str
    algorithm: str
    valid_from: str
    valid_to: str
    status: str = "valid"
    code: str = ""
    signed_at: str = ""
    signed_at_source: str = "receipt"
    units: tuple[SignerUnit, ...] = ()
    chain: tuple[CertificateShown, ...] = ()
    evidence: tuple[EvidenceShown, ...] = ()
    tree: TreeShown | None = None


class VerdictShown(msgspec.Struct, frozen=True, omit_defaults=True):
    """The verdict over one document's signatures.

    `status` is valid, invalid, indeterminate (`missing` says what it lacks), unsigned, or
    unreadable (no envelope; only of what is verified without storing it).  `code`, `path` and
    the words of `reason` and `remedy` say why it is not good.  `judged_for` is the signing time,
    `decided_at` when the verdict was reached.

    Of a stored document that waited: `waited` is waiting, valid, invalid or expired, `waiting`
    the recipients that wait now, `waits_until` when that ends.  `alerts` has what became known
    since and turns no verdict.  `trust_version` and `revocation_version` name what was asked.
    """

    status: VerdictStatus
    words: str
    words_vi: str
    key: str = ""
    document_id: str = ""
    sender: str = ""
    accepted_at: str = ""
    judged_for: str = ""
    decided_at: str = ""
    code: str = ""
    path: str = ""
    reason: str = ""
    reason_vi: str = ""
    remedy: str = ""
    remedy_vi: str = ""
    facts: dict[str, str | int] = {}
    signatures: tuple[SignatureShown, ...] = ()
    missing: tuple[MissingShown, ...] = ()
    trust_version: int = 0
    revocation_version: int = 0
    waited: str = ""
    waiting: int = 0
    waits_until: str = ""
    alerts: tuple[Alert, ...] = ()


class AffectedDocument(msgspec.Struct, frozen=True, omit_defaults=True):
    """A stored document that was signed when its signer's certificate was revoked already.

    Nobody knew then.  `certificate_sha256` (subject, serial) is the one revoked: the signer's,
    or an authority's above it; revoked at `revoked_at`, not to be trusted since
    `invalid_since` (the earlier of that and the invalidity date, RFC 5280, 5.3.2).
    """

    key: str
    document_id: str
    sender: str
    accepted_at: str
    certificate_sha256: str
    subject: str
    serial: str
    signer_sha256: str
    revoked_at: str
    invalid_since: str
    reason: str = ""


class AffectedPage(msgspec.Struct, frozen=True):
    """Documents by signer, then in order of acceptance; `next_after` is "" after the last.

    A page may be short, or empty, and yet not the last: so much was looked at in vain.
    """

    documents: tuple[AffectedDocument, ...] = ()
    next_after: str = ""
