"""Whatever arrives, a verdict is given; and what was changed is never found good."""

from __future__ import annotations

import base64
import hashlib

from cryptography import x509
from hypothesis import given, settings
from hypothesis import strategies as st
from support.pki import AT_US, PAYLOAD, forge, header_of, pki, trust_of

from router.model.documents import SignatureEntry
from router.signatures import Verifier, VerifyItem
from router.signatures.encoding import encode_url

VERIFIER = Verifier(1)
TRUST = trust_of()
GOOD = pki().issue(1, "H22", "UBND tỉnh", kind="ec", index=0).sign(PAYLOAD)
HEADER = header_of(GOOD)

scalars = st.none() | st.booleans() | st.integers() | st.text(max_size=8)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)


def is_good(entry: SignatureEntry, payload: bytes = PAYLOAD) -> bool:
    item = VerifyItem(payload=payload, signatures=(entry,))
    verdict = VERIFIER.verify_batch([item], TRUST, None, AT_US)[0]
    assert (verdict.status == "valid") is (verdict.code == "")
    if verdict.code:
        str(verdict.as_error()).encode("utf-8")
    return verdict.status == "valid"


def changed(data: bytes, place: int, mask: int) -> bytes:
    place %= len(data)
    return data[:place] + bytes([data[place] ^ mask]) + data[place + 1 :]


@settings(max_examples=300, deadline=None)
@given(part=st.sampled_from(["payload", "protected", "signature"]), place=st.integers(0, 5_000),
       mask=st.integers(1, 127))  # fmt: skip
def test_one_changed_byte_anywhere_is_seen(part: str, place: int, mask: int) -> None:
    if part == "payload":
        assert not is_good(GOOD, changed(PAYLOAD, place, mask))
        return
    text = changed(getattr(GOOD, part).encode(), place, mask).decode("latin-1")
    fields = {"protected": GOOD.protected, "signature": GOOD.signature} | {part: text}
    assert not is_good(SignatureEntry(form="jws", **fields))


@settings(max_examples=200, deadline=None)
@given(protected=st.text() | st.binary().map(encode_url), signature=st.text(), payload=st.binary())
def test_junk_gets_a_verdict(protected: str, signature: str, payload: bytes) -> None:
    assert not is_good(SignatureEntry("jws", protected, signature), payload)


@settings(max_examples=200, deadline=None)
@given(name=st.sampled_from(sorted(HEADER)) | st.text(max_size=8), value=values)
def test_any_other_value_of_a_member_is_refused(name: str, value: object) -> None:
    header = HEADER | {name: value}
    if header != HEADER:
        assert not is_good(forge(pki().key("ec", 0), "ES256", header))


def statements(der: bytes) -> bytes | None:
    """Return what the CA signed of a certificate, None when it can't be read."""
    try:
        return x509.load_der_x509_certificate(der).tbs_certificate_bytes
    except (ValueError, x509.InvalidVersion):
        return None


@settings(max_examples=200, deadline=None)
@given(der=st.binary(max_size=400), place=st.integers(0, 400), mask=st.integers(1, 255))
def test_a_damaged_certificate_is_refused(der: bytes, place: int, mask: int) -> None:
    real = base64.b64decode(HEADER["x5c"][0])  # type: ignore[index]
    for bad in (der, changed(real, place, mask)):
        if statements(bad) == statements(real):
            continue  # only the wrapping of the CA's signature differs; bound to nobody
        members = {
            "x5c": [base64.b64encode(bad).decode()],
            "x5t#S256": encode_url(hashlib.sha256(bad).digest()),
        }
        assert not is_good(forge(pki().key("ec", 0), "ES256", HEADER | members))
