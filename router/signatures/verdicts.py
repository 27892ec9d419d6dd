"""Verdicts: what was found about a document's signatures, as facts that are stored with it.

A verdict is reached once, at intake, as of the signing time; nobody computes it again.  What
ends or is revoked later is told by alerts and turns no verdict.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from router.errors import SignatureRefusedError

Status = Literal["valid", "invalid", "indeterminate"]


class Evidence(msgspec.Struct, frozen=True, omit_defaults=True):
    """What says whether one certificate of a chain was revoked.

    `kind` is "crl" (RFC 5280) or "ocsp" (RFC 6960); "none" when the authority that issued the
    certificate is trusted without checking revocation.  `sha256` (hex) is over the list or
    response in DER, `number` the CRL's number, `produced_at` and `fresh_until` the instants of
    thisUpdate and nextUpdate; `grace` says that it was used after `fresh_until`, within the
    grace the operator stated.
    """

    certificate_sha256: str
    kind: Literal["crl", "ocsp", "none"]
    issuer: str = ""
    sha256: str = ""
    number: str = ""
    produced_at: int = 0
    fresh_until: int = 0
    grace: bool = False


class Missing(msgspec.Struct, frozen=True, omit_defaults=True):
    """What keeps a verdict indeterminate.

    `kind` is "crl" or "ocsp" for revocation data of `issuer` that has not come, "path" for a
    path that is still being checked.
    """

    kind: Literal["crl", "ocsp", "path"]
    certificate_sha256: str
    issuer: str = ""


class TreeProof(msgspec.Struct, frozen=True, gc=False):
    """A signature over the root of a tree of documents: which tree, and the place in it.

    `root` is the Merkle tree hash (RFC 6962, section 2.1) in hex, `size` the number of
    documents signed with it, `index` this one's place from 0.
    """

    root: str
    size: int
    index: int


class SignatureVerdict(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """What was found about one signature.

    `valid_from` and `valid_to` are the instants of the signer's notBefore and notAfter.
    `chain` holds the SHA-256 (hex) of the certificates from the signer's to the trusted root;
    `signed_at` is the instant it was judged for and `signed_at_source` where that comes from.
    """

    certificate_sha256: str
    subject: str
    issuer: str
    serial: str
    algorithm: str
    valid_from: int
    valid_to: int
    status: Status = "valid"
    code: str = ""
    facts: dict[str, str | int] = {}
    chain: tuple[str, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    signed_at: int = 0
    signed_at_source: Literal["receipt", "time_stamp"] = "receipt"
    tree: TreeProof | None = None


class Verdict(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """The judgement over one document; a fact that is stored with it.

    When `status` is "invalid", `code`, `path` (within the envelope) and `facts` say why, for
    the first entry that was not good.  When it is "indeterminate", `missing` says what the
    document waits for; every signature itself was good.  `signatures` are in the order of the
    entries; `trust_version` and `revocation_version` name what was asked.
    """

    status: Status
    trust_version: int
    code: str = ""
    path: str = ""
    facts: dict[str, str | int] = {}
    signatures: tuple[SignatureVerdict, ...] = ()
    missing: tuple[Missing, ...] = ()
    revocation_version: int = 0

    def as_error(self) -> SignatureRefusedError:
        """Return the refusal this verdict stands for (only when it is "invalid")."""
        assert self.status == "invalid"
        return SignatureRefusedError(self.code, path=self.path, **self.facts)
