"""Whose certificate signed, who issued it, and when both were valid."""

from __future__ import annotations

from datetime import datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from support.pki import AT_US, PAYLOAD, leaf, pki, trust_of, verdict_of

from router.client.signing import Signer
from router.errors import SignatureRefusedError
from router.model.documents import SignatureEntry
from router.model.instants import SECOND_US, VIETNAM_TIME, instant_of
from router.signatures import IssuerDistrusted, IssuerTrusted
from router.signatures.certificates import issuer_flaw, plain, read_certificate
from vanban_bench.workloads.test_pki import (
    TestCa,
    key_usage,
    make_ca,
    signer_extensions,
    unit_subject,
)

DAY_US = 86_400 * SECOND_US


def entry_of(der: bytes) -> SignatureEntry:
    """Sign with pool key 0 under any certificate for it."""
    return Signer(pki().key("ec", 0), der).sign(PAYLOAD)


def odd_leaf(*extensions: tuple[x509.ExtensionType, bool]) -> bytes:
    return leaf(pki().key("ec", 0), extensions=extensions)


def der_of(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.DER)


def leaf_signed_by(
    key: rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey,
    issuer: x509.Name,
    digest: hashes.HashAlgorithm | None,
    rsa_padding: padding.PSS | None = None,
) -> bytes:
    builder = (
        x509.CertificateBuilder()
        .subject_name(unit_subject("H22", "UBND tỉnh"))
        .issuer_name(issuer)
        .public_key(pki().key("ec", 0).public_key())
        .serial_number(9)
        .not_valid_before(datetime(2020, 1, 1, tzinfo=VIETNAM_TIME))
        .not_valid_after(datetime(2050, 1, 1, tzinfo=VIETNAM_TIME))
    )
    for extension, critical in signer_extensions():
        builder = builder.add_extension(extension, critical)
    return der_of(builder.sign(key, digest, rsa_padding=rsa_padding))  # type: ignore[arg-type]


def ca_of(key: rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey, name: str) -> bytes:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(datetime(2015, 1, 1, tzinfo=VIETNAM_TIME))
        .not_valid_after(datetime(2055, 1, 1, tzinfo=VIETNAM_TIME))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    )
    digest = None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    return der_of(builder.sign(key, digest))


def test_a_certificate_without_key_usage_may_sign() -> None:
    assert verdict_of(entry_of(odd_leaf())).status == "valid"


@pytest.mark.parametrize("right", ["digital_signature", "content_commitment"])
def test_either_right_to_sign_is_enough(right: str) -> None:
    assert verdict_of(entry_of(odd_leaf((key_usage(right), True)))).status == "valid"


def test_a_certificate_without_the_right_to_sign_is_refused() -> None:
    verdict = verdict_of(entry_of(odd_leaf((key_usage("key_encipherment"), True))))
    assert (verdict.code, verdict.path) == (
        "certificate.usage",
        "signatures[0].protected.x5c[0]",
    )


def test_a_ca_does_not_sign_documents() -> None:
    ca = x509.BasicConstraints(ca=True, path_length=None)
    assert verdict_of(entry_of(odd_leaf((ca, True)))).code == "certificate.usage"
    itself = Signer(pki().ca.key, pki().ca_der).sign(PAYLOAD)
    assert verdict_of(itself).code == "certificate.usage"


def test_an_unknown_critical_extension_is_refused_and_a_harmless_one_is_not() -> None:
    unknown = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00")
    assert verdict_of(entry_of(odd_leaf((unknown, True)))).code == "certificate.malformed"
    assert verdict_of(entry_of(odd_leaf((unknown, False)))).status == "valid"
    email = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION])
    statements = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.5.5.7.1.3"), b"\x30\x00")
    assert verdict_of(entry_of(odd_leaf((email, True), (statements, True)))).status == "valid"


def test_an_untrusted_issuer_is_refused_and_named() -> None:
    stranger = pki().issue(1, "H22", "UBND", trusted=False).sign(PAYLOAD)
    verdict = verdict_of(stranger)
    assert verdict.code == "certificate.untrusted"
    assert "trusted by nobody" in str(verdict.facts["issuer"])


def test_an_issuer_of_the_same_name_with_another_key_is_refused() -> None:
    twin = make_ca(ec.generate_private_key(ec.SECP256R1()), "vanban-router test CA", (2015, 2055))
    assert twin.certificate.subject == pki().ca.certificate.subject
    forged = twin.certify(
        pki().key("ec", 0).public_key(), unit_subject("H22", "UBND tỉnh"), serial=5
    )
    assert verdict_of(entry_of(forged)).code == "certificate.untrusted"
    both = trust_of(pki().ca_der, twin.der)
    assert verdict_of(entry_of(forged), trust=both).status == "valid"
    honest = pki().issue(1, "H22", "UBND").sign(PAYLOAD)
    assert verdict_of(honest, trust=both).status == "valid"


def test_a_self_signed_certificate_is_refused() -> None:
    name = unit_subject("H22", "UBND tỉnh")
    key = pki().key("ec", 0)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    assert verdict_of(entry_of(leaf_signed_by(key, name, hashes.SHA256()))).code == (
        "certificate.untrusted"
    )


def test_a_changed_certificate_is_refused() -> None:
    der = bytearray(leaf(pki().key("ec", 0)))
    place = der.index(b"H22")
    der[place : place + 3] = b"H23"
    assert verdict_of(entry_of(bytes(der))).code == "certificate.untrusted"


def test_an_issuer_that_signed_through_a_leaf_is_not_followed() -> None:
    below = odd_leaf((key_usage("digital_signature"), True))
    middle = TestCa(pki().ca.key, x509.load_der_x509_certificate(below))
    der = middle.certify(pki().key("ec", 0).public_key(), unit_subject("H1", "X"), serial=4)
    entry = Signer(pki().key("ec", 0), (der, middle.der, pki().ca_der)).sign(PAYLOAD)
    assert verdict_of(entry).code == "certificate.untrusted"


def test_validity_is_judged_at_the_instant_given() -> None:
    start = AT_US - AT_US % SECOND_US
    signer = pki().issue(1, "H22", "UBND", valid_from=start, valid_to=start + DAY_US)
    entry = signer.sign(PAYLOAD)
    cases = {
        start - 1: "certificate.not_yet_valid",
        start: "",
        start + DAY_US + SECOND_US - 1: "",
        start + DAY_US + SECOND_US: "certificate.expired",
    }
    for at_us, code in cases.items():
        verdict = verdict_of(entry, at_us=at_us)
        assert verdict.code == code
        if code:
            assert verdict.facts["certificate"] == "signer"


def test_an_expired_issuer_is_refused() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    old = make_ca(key, "CA cũ", (2010, 2024))
    signer = Signer(
        pki().key("ec", 0),
        old.certify(pki().key("ec", 0).public_key(), unit_subject("H22", "UBND"), serial=3),
    )
    verdict = verdict_of(signer.sign(PAYLOAD), trust=trust_of(old.der))
    assert (verdict.code, verdict.facts["certificate"]) == ("certificate.expired", "root")
    early = instant_of(datetime(2023, 6, 1, tzinfo=VIETNAM_TIME))
    assert verdict_of(signer.sign(PAYLOAD), trust=trust_of(old.der), at_us=early).code == ""
    renewed = make_ca(key, "CA cũ", (2023, 2040))
    both = trust_of(old.der, renewed.der)
    assert verdict_of(signer.sign(PAYLOAD), trust=both).status == "valid"


def test_a_distrusted_issuer_is_refused_from_then_on() -> None:
    trust = trust_of()
    entry = pki().issue(1, "H22", "UBND").sign(PAYLOAD)
    assert verdict_of(entry, trust=trust).status == "valid"
    trust.apply(IssuerDistrusted(sha256=read_certificate(pki().ca_der).sha256.hex()), 9)
    verdict = verdict_of(entry, trust=trust)
    assert (verdict.code, verdict.trust_version) == ("certificate.untrusted", 9)
    trust.apply(IssuerTrusted(certificate=pki().ca_der), 10)
    assert verdict_of(entry, trust=trust).trust_version == 10


@pytest.mark.parametrize("digest", [hashes.SHA256(), hashes.SHA384(), hashes.SHA512()])
def test_certificates_signed_by_rsa_with_a_strong_hash_are_taken(
    digest: hashes.HashAlgorithm,
) -> None:
    key = pki().key("rsa", 1)
    assert isinstance(key, rsa.RSAPrivateKey)
    ca = ca_of(key, "CA RSA")
    name = x509.load_der_x509_certificate(ca).subject
    plain_rsa = leaf_signed_by(key, name, digest)
    pss = leaf_signed_by(
        key, name, digest, padding.PSS(padding.MGF1(digest), padding.PSS.DIGEST_LENGTH)
    )
    for der in (plain_rsa, pss):
        assert verdict_of(entry_of(der), trust=trust_of(ca)).status == "valid"


def test_certificates_signed_by_ed25519_are_taken() -> None:
    key = ed25519.Ed25519PrivateKey.from_private_bytes(b"\x05" * 32)
    ca = ca_of(key, "CA Ed25519")
    name = x509.load_der_x509_certificate(ca).subject
    der = leaf_signed_by(key, name, None)
    assert verdict_of(entry_of(der), trust=trust_of(ca)).status == "valid"


def sha1_leaf(key: rsa.RSAPrivateKey, issuer: x509.Name) -> bytes:
    """Sign a certificate with SHA-1, as old tokens have them, by putting its parts together.

    The library no longer makes such certificates, so the algorithm's name is exchanged in a
    good one and its contents are signed anew.
    """
    good = leaf_signed_by(key, issuer, hashes.SHA256())
    sha256_oid = bytes.fromhex("06092a864886f70d01010b")
    sha1_oid = bytes.fromhex("06092a864886f70d010105")
    contents = x509.load_der_x509_certificate(good).tbs_certificate_bytes
    changed = contents.replace(sha256_oid, sha1_oid)
    signature = key.sign(changed, padding.PKCS1v15(), hashes.SHA1())
    der = good.replace(sha256_oid, sha1_oid)
    return der[: -len(signature)] + signature


def test_certificates_signed_with_sha1_are_refused() -> None:
    key = pki().key("rsa", 1)
    assert isinstance(key, rsa.RSAPrivateKey)
    ca = ca_of(key, "CA RSA")
    der = sha1_leaf(key, x509.load_der_x509_certificate(ca).subject)
    parsed = x509.load_der_x509_certificate(der)
    key.public_key().verify(
        parsed.signature, parsed.tbs_certificate_bytes, padding.PKCS1v15(), hashes.SHA1()
    )
    verdict = verdict_of(entry_of(der), trust=trust_of(ca))
    assert (verdict.code, verdict.facts) == ("certificate.algorithm", {"algorithm": "sha1"})


def test_what_is_no_certificate_is_refused() -> None:
    good = leaf(pki().key("ec", 0))
    for der in (b"", b"\x30", good[:-1], good + b"\0", b"\x30\x82" * 9, b"A" * 9_000):
        with pytest.raises(SignatureRefusedError, match=r"certificate\.malformed"):
            read_certificate(der)


def test_what_may_be_an_issuer_is_a_ca() -> None:
    assert issuer_flaw(read_certificate(pki().ca_der)) == ""
    assert issuer_flaw(read_certificate(leaf(pki().key("ec", 0))))
    no_right = odd_leaf(
        (x509.BasicConstraints(ca=True, path_length=None), True), (key_usage("crl_sign"), True)
    )
    assert "key usage" in issuer_flaw(read_certificate(no_right))
    short = ca_of(rsa.generate_private_key(65_537, 1024), "short")
    assert issuer_flaw(read_certificate(short)) == "RSA of 1024 bits"


def test_text_from_outside_becomes_one_printable_line() -> None:
    assert plain("a\nb\x00c\ud800d\u202ee") == "a?b?c?d?e"
    assert len(plain("x" * 5_000)) == 200
    assert plain("UBND tỉnh Hà Giang") == "UBND tỉnh Hà Giang"
