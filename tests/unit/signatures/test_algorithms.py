"""Each algorithm takes its own kind of key, its own form of signature, and no other."""

from __future__ import annotations

import functools

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from support.pki import PAYLOAD, altered, forge, header_of, leaf, pki, signer_of, verdict_of

from router.client.signing import Signer
from router.errors import SignatureRefusedError
from router.model.documents import SignatureEntry
from router.signatures.algorithms import ALGORITHMS, SigningKey, verify_raw
from router.signatures.encoding import decode_url, encode_url
from router.signatures.jws import signing_input, write_header

RSA_NAMES = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"]


@functools.cache
def key_for(name: str) -> SigningKey:
    if name in RSA_NAMES:
        return pki().key("rsa", 3)
    if name == "ES256":
        return pki().key("ec", 3)
    if name == "ES384":
        return ec.derive_private_key(0x1234_5678, ec.SECP384R1())
    return ed25519.Ed25519PrivateKey.from_private_bytes(b"\x07" * 32)


@pytest.mark.parametrize("name", ALGORITHMS)
def test_what_each_algorithm_signs_is_good(name: str) -> None:
    signer = signer_of(key_for(name), name)
    verdict = verdict_of(signer.sign(PAYLOAD))
    assert verdict.status == "valid"
    assert verdict.signatures[0].algorithm == name
    assert verdict.signatures[0].certificate_sha256 == signer.certificate_sha256


@pytest.mark.parametrize("name", ALGORITHMS)
def test_any_changed_byte_of_payload_or_signature_is_seen(name: str) -> None:
    entry = signer_of(key_for(name), name).sign(PAYLOAD)
    for payload in (PAYLOAD + b" ", PAYLOAD[:-1], b"", b"." + PAYLOAD, PAYLOAD[::-1]):
        assert verdict_of(entry, payload=payload).code == "signature.invalid"
    raw = decode_url(entry.signature)
    for place in (0, len(raw) // 2, len(raw) - 1):
        changed = raw[:place] + bytes([raw[place] ^ 1]) + raw[place + 1 :]
        bad = SignatureEntry("jws", entry.protected, encode_url(changed))
        assert verdict_of(bad).code == "signature.invalid"
    zeros = SignatureEntry("jws", entry.protected, encode_url(b"\0" * len(raw)))
    assert verdict_of(zeros).code == "signature.invalid"
    for other in (b"", raw[:-1], raw + b"\0", b"\0" + raw):
        bad = SignatureEntry("jws", entry.protected, encode_url(other))
        verdict = verdict_of(bad)
        assert (verdict.code, verdict.facts) == ("signature.length", {"wanted": len(raw)})


@pytest.mark.parametrize("name", ALGORITHMS)
@pytest.mark.parametrize("other", ALGORITHMS)
def test_a_key_is_used_with_its_own_algorithm_only(name: str, other: str) -> None:
    if name == other:
        return
    key = key_for(name)
    signer = signer_of(key, name)
    header = header_of(signer.sign(b"")) | {"alg": other}
    verdict = verdict_of(forge(key, name, header))
    same_kind = name in RSA_NAMES and other in RSA_NAMES
    assert verdict.code == ("signature.invalid" if same_kind else "signature.key_kind")


def test_the_mac_of_a_public_key_is_no_signature() -> None:
    verdict = verdict_of(altered(lambda header: header.update(alg="HS256")))
    assert verdict.code == "signature.mac"


def test_an_ecdsa_signature_in_der_is_refused() -> None:
    signer = signer_of(key_for("ES256"))
    entry = signer.sign(PAYLOAD)
    key = key_for("ES256")
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    der = key.sign(signing_input(entry.protected, PAYLOAD), ec.ECDSA(hashes.SHA256()))
    bad = SignatureEntry("jws", entry.protected, encode_url(der))
    assert verdict_of(bad).code == "signature.length"


def test_a_pss_salt_of_another_length_is_refused() -> None:
    key = pki().key("rsa", 3)
    assert isinstance(key, rsa.RSAPrivateKey)
    protected = write_header(ALGORITHMS["PS256"], (leaf(key),))
    for salt in (0, 20, 33):
        pss = padding.PSS(padding.MGF1(hashes.SHA256()), salt)
        signature = key.sign(signing_input(protected, PAYLOAD), pss, hashes.SHA256())
        entry = SignatureEntry("jws", protected, encode_url(signature))
        assert verdict_of(entry).code == "signature.invalid"


@pytest.mark.parametrize("bits", [1024, 1536])
def test_short_rsa_keys_are_refused(bits: int) -> None:
    key = rsa.generate_private_key(65_537, bits)
    with pytest.raises(SignatureRefusedError) as refusal:
        Signer(key, leaf(key))
    assert refusal.value.code == "signature.key"
    protected = write_header(ALGORITHMS["RS256"], (leaf(key),))
    signature = key.sign(signing_input(protected, PAYLOAD), padding.PKCS1v15(), hashes.SHA256())
    verdict = verdict_of(SignatureEntry("jws", protected, encode_url(signature)))
    assert verdict.code == "signature.key"
    assert verdict.facts["reason"] == f"RSA of {bits} bits"


@pytest.mark.parametrize("curve", [ec.SECP521R1(), ec.SECP256K1(), ec.SECP224R1()])
def test_other_curves_are_refused(curve: ec.EllipticCurve) -> None:
    key = ec.generate_private_key(curve)
    protected = write_header(ALGORITHMS["ES256"], (leaf(key),))
    verdict = verdict_of(SignatureEntry("jws", protected, encode_url(b"\1" * 64)))
    assert verdict.code == "signature.key"


def test_ed448_is_refused() -> None:
    key = ed448.Ed448PrivateKey.generate()
    protected = write_header(ALGORITHMS["EdDSA"], (leaf(key),))  # type: ignore[arg-type]
    signature = key.sign(signing_input(protected, PAYLOAD))
    verdict = verdict_of(SignatureEntry("jws", protected, encode_url(signature)))
    assert verdict.code == "signature.key"


def test_ecdsa_signs_the_same_bytes_again() -> None:
    for name in ("ES256", "ES384"):
        signer = signer_of(key_for(name))
        assert signer.sign(PAYLOAD) == signer.sign(PAYLOAD)


def test_r_and_s_outside_their_range_are_refused() -> None:
    key = key_for("ES256")
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    first, second = decode_dss_signature(key.sign(PAYLOAD, ec.ECDSA(hashes.SHA256())))
    for r, s in ((0, second), (first, 0), (order, second), (first, order), (0, 0)):
        raw = r.to_bytes(32, "big") + s.to_bytes(32, "big")
        with pytest.raises(SignatureRefusedError, match=r"signature\.invalid"):
            verify_raw(ALGORITHMS["ES256"], key.public_key(), raw, PAYLOAD)
