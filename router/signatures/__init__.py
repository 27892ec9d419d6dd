"""Signatures: verified in batches against a trust store that is built from the log.

`Verifier` judges documents, `TrustStore` knows issuers and bindings.  The modules below are
one step each: `encoding` (strict base64), `algorithms` (keys and raw signatures),
`certificates`, `jws` (the signature entry), `trust`, `verifier`.
"""

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
from router.signatures.verifier import SignatureVerdict, Verdict, Verifier, VerifyItem

__all__ = [
    "CertificateBound",
    "IssuerDistrusted",
    "IssuerTrusted",
    "SignatureVerdict",
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
