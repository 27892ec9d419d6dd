"""Odd and good certificates, documents and batches for the tests of signatures."""

from __future__ import annotations

import base64
import functools
import json
from collections.abc import Callable, Sequence
from datetime import datetime

from cryptography import x509

from router.client.signing import Signer
from router.model.documents import Document, SignatureEntry
from router.model.instants import VIETNAM_TIME, instant_of
from router.signatures import IssuerTrusted, TrustStore, Verdict, Verifier, VerifyItem
from router.signatures.algorithms import ALGORITHMS, SigningKey, sign_raw
from router.signatures.encoding import encode_url
from router.signatures.jws import signing_input
from vanban_bench.workloads.test_pki import TestPki, unit_subject

AT_US = instant_of(datetime(2024, 9, 4, 8, 0, tzinfo=VIETNAM_TIME))
PAYLOAD = '{"subject":"Về việc kiểm tra chữ ký số"}'.encode()


@functools.cache
def pki() -> TestPki:
    """Return the shipped test PKI."""
    return TestPki.load()


def trust_of(*issuers: bytes) -> TrustStore:
    """Return a store that trusts these issuers (the test CA when none is given)."""
    store = TrustStore()
    for sequence, der in enumerate(issuers or (pki().ca_der,), start=1):
        store.apply(IssuerTrusted(certificate=der), sequence)
    return store


def leaf(
    key: SigningKey,
    *,
    extensions: Sequence[tuple[x509.ExtensionType, bool]] | None = None,
    serial: int = 77,
) -> bytes:
    """Return a certificate of the test CA for any key, with any extensions."""
    return pki().ca.certify(
        key.public_key(), unit_subject("H22", "UBND tỉnh"), serial=serial, extensions=extensions
    )


def signer_of(key: SigningKey, algorithm: str | None = None) -> Signer:
    """Return a signer for any key, certified by the test CA."""
    return Signer(key, leaf(key), algorithm)


def verdict_of(
    *entries: SignatureEntry,
    payload: bytes = PAYLOAD,
    trust: TrustStore | None = None,
    at_us: int = AT_US,
) -> Verdict:
    """Return the verdict over one document, by a fresh verifier."""
    verifier = Verifier(1)
    try:
        item = VerifyItem(payload=payload, signatures=tuple(entries))
        return verifier.verify_batch([item], trust or trust_of(), None, at_us)[0]
    finally:
        verifier.close()


def header_of(entry: SignatureEntry) -> dict[str, object]:
    """Return the protected header as an object."""
    raw = base64.urlsafe_b64decode(entry.protected + "==")
    return dict(json.loads(raw))


def forge(
    key: SigningKey,
    algorithm: str,
    header: dict[str, object] | bytes,
    payload: bytes = PAYLOAD,
) -> SignatureEntry:
    """Return an entry rightly signed over whatever header is given."""
    raw = header if isinstance(header, bytes) else json.dumps(header).encode()
    protected = encode_url(raw)
    signature = sign_raw(ALGORITHMS[algorithm], key, signing_input(protected, payload))
    return SignatureEntry(form="jws", protected=protected, signature=encode_url(signature))


def altered(change: Callable[[dict[str, object]], object]) -> SignatureEntry:
    """Return an entry whose header was changed before it was signed (ES256, pool key 0)."""
    signer = pki().issue(1, "H22", "UBND tỉnh", kind="ec", index=0)
    header = header_of(signer.sign(b""))
    change(header)
    return forge(pki().key("ec", 0), "ES256", header)


def document(**changes: object) -> Document:
    """Return a plain document of Hà Giang."""
    fields: dict[str, object] = {
        "format": 1,
        "sender": "H22",
        "document_id": "H22,2024/09/04,05/QĐ-UBND",
        "number": "05",
        "notation": "QĐ-UBND",
        "document_type": "Quyết định",
        "subject": "Về việc giao chỉ tiêu kế hoạch năm 2024",
        "issued_at": datetime(2024, 9, 4, 7, 45, tzinfo=VIETNAM_TIME),
        "recipients": "children(H22)",
    }
    return Document(**(fields | changes))  # type: ignore[arg-type]
