"""Signatures: verified in batches against a trust store that is built from the log.

`Verifier` judges documents, `TrustStore` knows issuers and bindings.  The modules below are
one step each: `encoding` (strict base64), `algorithms` (keys and raw signatures),
`certificates`, `jws` (the signature entry), `trust`, `verdicts`, `verifier` with `hot`
(signatures), `cold` (paths) and `caches`.
"""

from router.signatures.caches import RevocationSnapshot, RevocationSource, Sizes
from router.signatures.hot import VerifyItem
from router.signatures.trust import (
    CertificateBound,
    IssuerDistrusted,
    IssuerTrusted,
    TrustChange,
    TrustStore,
    TrustView,
    check_binding,
    check_distrust,
    check_issuer,
    decode_change,
    encode_change,
)
from router.signatures.verdicts import Evidence, Missing, SignatureVerdict, TreeProof, Verdict
from router.signatures.verifier import Verifier

__all__ = [
    "CertificateBound",
    "Evidence",
    "IssuerDistrusted",
    "IssuerTrusted",
    "Missing",
    "RevocationSnapshot",
    "RevocationSource",
    "SignatureVerdict",
    "Sizes",
    "TreeProof",
    "TrustChange",
    "TrustStore",
    "TrustView",
    "Verdict",
    "Verifier",
    "VerifyItem",
    "check_binding",
    "check_distrust",
    "check_issuer",
    "decode_change",
    "encode_change",
]
