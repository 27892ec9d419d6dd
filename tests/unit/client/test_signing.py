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

from router.client.signing import Signer, encode_document, make_envelope, make_envelopes
from router.errors import SignatureRefusedError
from router.model.documents import Document, Envelope, InlineContent
from router.signatures.algorithms import Algorithm, sign_raw
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
    with pytest.raises(SignatureRefusedError, match=r"signature\.key_pair"):
        Signer(pki().key("ec", 6), leaf(ec_key()))
    with pytest.raises(SignatureRefusedError, match=r"signature\.key_kind"):
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


def test_documents_signed_together_are_verified_each_alone() -> None:
    signers = [pki().issue(1, "H22", "Chủ tịch", kind="rsa"), pki().issue(2, "H22", "UBND tỉnh")]
    documents = [document(number=str(number)) for number in range(1, 12)]
    envelopes = list(make_envelopes(documents, signers))
    assert [one.payload for one in envelopes] == [encode_document(one) for one in documents]
    for index, envelope in enumerate(envelopes):
        back = msgspec.json.decode(msgspec.json.encode(envelope), type=Envelope, strict=True)
        verdict = verdict_of(*back.signatures, payload=back.payload)
        assert verdict.status == "valid"
        trees = [one.tree for one in verdict.signatures]
        assert [(tree.size, tree.index) for tree in trees if tree] == [(11, index)] * 2
        swapped = verdict_of(*back.signatures, payload=envelopes[index - 1].payload)
        assert swapped.code == "tree.proof"


def test_a_batch_is_signed_once_and_its_payloads_are_read_once() -> None:
    asked = []

    class Held:
        def sign_message(self, algorithm: Algorithm, message: bytes) -> bytes:
            asked.append(message)
            return sign_raw(algorithm, ec_key(), message)

    signed = Signer(Held(), leaf(ec_key())).sign_many(b"%d" % number for number in range(100))
    assert (len(signed), len(asked)) == (100, 1)
    assert len(asked[0]) < 2_000, "the root is signed, not the documents"
    assert verdict_of(signed[42], payload=b"42").status == "valid"
    assert signed[-1] == signed[99] == list(signed)[99]
    assert signed[98:] == [signed[98], signed[99]]
    with pytest.raises(IndexError):
        signed[100]


def test_a_key_held_elsewhere_must_be_the_certificates() -> None:
    class Held:
        def sign_message(self, algorithm: Algorithm, message: bytes) -> bytes:
            other = pki().key("ec", 6)
            return sign_raw(algorithm, other, message)

    signer = Signer(Held(), leaf(ec_key()))
    for sign in (lambda: signer.sign(b"x"), lambda: signer.sign_many([b"x"])):
        with pytest.raises(SignatureRefusedError) as caught:
            sign()
        assert caught.value.code == "signature.key_pair"


def test_an_empty_batch_is_refused() -> None:
    signer = pki().issue(1, "H22", "UBND tỉnh")
    for sign in (lambda: signer.sign_many([]), lambda: make_envelopes([], [signer])):
        with pytest.raises(SignatureRefusedError) as caught:
            sign()
        assert caught.value.code == "tree.size"


def test_a_document_that_changes_while_it_is_signed_is_noticed() -> None:
    documents: list[Document | bytes] = [b"a", b"b", b"c"]
    envelopes = make_envelopes(documents, [pki().issue(1, "H22", "UBND tỉnh")])
    next(envelopes)
    documents[1] = b"x"
    with pytest.raises(SignatureRefusedError) as caught:
        next(envelopes)
    assert (caught.value.code, caught.value.path) == ("tree.proof", "documents[1]")


def test_attachments_travel_with_their_documents_of_a_batch() -> None:
    signer = pki().issue(1, "H22", "UBND tỉnh")
    envelopes = list(make_envelopes([b"a", b"b"], [signer], [[], [b"file"]]))
    assert [len(one.contents) for one in envelopes] == [0, 1]
    with pytest.raises(ValueError, match="all documents or for none"):
        make_envelopes([b"a", b"b"], [signer], [[]])
