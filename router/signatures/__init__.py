"""Signatures: verified in batches against a trust store that is built from the log.

`Verifier` judges documents, `TrustStore` knows authorities and bindings.  The modules below are
one step each: `encoding` (strict base64), `algorithms` (keys and raw signatures),
`certificates`, `jws` (the signature entry), `authorities`, `trust` (what the log says),
`trust_checks` (what may be said), `trees`, `verdicts`, `verifier` with `hot` (signatures), `cold`
(paths) and `caches`.

`RevocationStore` knows which certificates were revoked: `lists` (CRLs), `responses` (OCSP),
`revocation_sources` (where to ask), `revocation_view` (what judges ask), `revocation`.
"""

from router.signatures.authorities import Authority, Revocation, Role, TrustView
from router.signatures.caches import RevocationSnapshot, RevocationSource, Sizes
from router.signatures.hot import VerifyItem
from router.signatures.revocation import RevocationStore
from router.signatures.revocation_view import RevocationStatus, RevocationView
from router.signatures.trust import (
    AuthorityDistrusted,
    AuthorityTrusted,
    CertificateBound,
    IssuerDistrusted,
    IssuerTrusted,
    TrustChange,
    TrustStore,
    decode_change,
    encode_change,
)
from router.signatures.trust_checks import (
    check_authorities,
    check_binding,
    check_distrust,
    check_issuer,
    check_removal,
)
from router.signatures.verdicts import Evidence, Missing, SignatureVerdict, TreeProof, Verdict
from router.signatures.verifier import Verifier

__all__ = [
    "Authority",
    "AuthorityDistrusted",
    "AuthorityTrusted",
    "CertificateBound",
    "Evidence",
    "IssuerDistrusted",
    "IssuerTrusted",
    "Missing",
    "Revocation",
    "RevocationSnapshot",
    "RevocationSource",
    "RevocationStatus",
    "RevocationStore",
    "RevocationView",
    "Role",
    "SignatureVerdict",
    "Sizes",
    "TreeProof",
    "TrustChange",
    "TrustStore",
    "TrustView",
    "Verdict",
    "Verifier",
    "VerifyItem",
    "check_authorities",
    "check_binding",
    "check_distrust",
    "check_issuer",
    "check_removal",
    "decode_change",
    "encode_change",
]
