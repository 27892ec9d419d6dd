"""What is signed is what is sent, and a signer refuses what could never be accepted."""

from __future__ import annotations

import hashlib
from pathlib import Path

import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448
from support.pki import PAYLOAD, document, leaf, pki, verdict_of

from router.client.signing import Signer, encode_document, make_envelope
from router.errors import SignatureRefusedError
from router.model.documents import Document, Envelope, InlineContent
from vanban_bench.workloads.test_pki import TestPki


def pem_of(key: ec.EllipticCurvePrivateKey, password: bytes | None = None) -> bytes:
    protection = (
        serialization.BestAvailableEncryption(password)
        if password
        else serialization.NoEncryption()
    )
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, protection
    )


def ec_key() -> ec.EllipticCurvePrivateKey:
    key = pki().key("ec", 5)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    return key


def certificate_pem() -> bytes:
    own = x509.load_der_x509_certificate(leaf(ec_key()))
    return own.public_bytes(serialization.Encoding.PEM)


def test_a_document_is_read_again_from_what_was_signed() -> None:
    written = encode_document(document())
    assert msgspec.json.decode(written, type=Document) == document()
    assert b"\n" not in written
    assert '"subject":"Về việc'.encode() in written


def test_an_envelope_survives_its_json() -> None:
    signers = [pki().issue(1, "H22", "Chủ tịch"), pki().issue(2, "H22", "UBND tỉnh")]
    inline = InlineContent(sha256=hashlib.sha256(b"b").hexdigest(), content=b"b")
    envelope = make_envelope(document(), signers, [b"a", inline], "key-1")
    back = msgspec.json.decode(msgspec.json.encode(envelope), type=Envelope, strict=True)
    assert back == envelope
    assert back.payload == encode_document(document())
    assert [content.content for content in back.contents] == [b"a", b"b"]
    assert back.contents[0].sha256 == hashlib.sha256(b"a").hexdigest()
    assert verdict_of(*back.signatures, payload=back.payload).status == "valid"


def test_bytes_that_were_encoded_before_are_signed_as_they_are() -> None:
    assert make_envelope(PAYLOAD, [pki().issue(1, "H22", "X")]).payload == PAYLOAD


@pytest.mark.parametrize("password", [None, b"m\xe1\xba\xadt kh\xe1\xba\xa9u"])
def test_a_signer_is_read_from_files(tmp_path: Path, password: bytes | None) -> None:
    key_file, pem_file, der_file = (tmp_path / name for name in ("key", "cert", "cert.der"))
    key_file.write_bytes(pem_of(ec_key(), password))
    pem_file.write_bytes(certificate_pem())
    der_file.write_bytes(leaf(ec_key()))
    for certificate in (pem_file, str(der_file)):
        signer = Signer.from_files(key_file, certificate, password)
        assert signer.algorithm == "ES256"
        assert verdict_of(signer.sign(PAYLOAD)).status == "valid"


def test_a_chain_in_the_file_travels_along(tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(pem_of(ec_key()))
    ca = pki().ca.certificate.public_bytes(serialization.Encoding.PEM)
    (tmp_path / "cert").write_bytes(certificate_pem() + ca)
    signer = Signer.from_files(tmp_path / "key", tmp_path / "cert")
    assert signer.certificate_der == leaf(ec_key())
    assert verdict_of(signer.sign(PAYLOAD)).status == "valid"


def test_a_key_of_an_unknown_kind_is_refused(tmp_path: Path) -> None:
    key = ed448.Ed448PrivateKey.generate()
    (tmp_path / "key").write_bytes(pem_of(key))  # type: ignore[arg-type]
    (tmp_path / "cert").write_bytes(certificate_pem())
    with pytest.raises(SignatureRefusedError, match=r"signature\.key"):
        Signer.from_files(tmp_path / "key", tmp_path / "cert")


def test_key_certificate_and_algorithm_must_go_together() -> None:
    with pytest.raises(SignatureRefusedError, match="not the certificate"):
        Signer(pki().key("ec", 6), leaf(ec_key()))
    with pytest.raises(SignatureRefusedError, match=r"signature\.key"):
        Signer(ec_key(), leaf(ec_key()), "RS256")
    with pytest.raises(SignatureRefusedError, match=r"signature\.algorithm"):
        Signer(ec_key(), leaf(ec_key()), "none")
    with pytest.raises(SignatureRefusedError, match=r"certificate\.malformed"):
        Signer(ec_key(), b"junk")


def test_the_test_pki_issues_the_same_again() -> None:
    first, second = TestPki.load(), TestPki.load()
    for kind in ("ec", "rsa"):
        one, two = (pool.issue(9, "H22.9", "UBND", kind=kind) for pool in (first, second))
        assert one.certificate_der == two.certificate_der
        assert one.sign(PAYLOAD) == two.sign(PAYLOAD)


def test_certificates_of_the_test_pki_differ_by_unit_and_name_it() -> None:
    signers = [pki().issue(number, f"H22.{number}", "Ủy ban " * 30) for number in range(1, 200)]
    assert len({signer.certificate_sha256 for signer in signers}) == len(signers)
    assert {signer.algorithm for signer in signers} == {"RS256", "ES256"}
    assert "H22.7" in signers[6].subject
