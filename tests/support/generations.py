"""Two generations of a PKI side by side: roots, intermediates below them, signers below those.

Like the official-duty PKI: G1 (2010 to 2030) and G2 (2018 to 2048), each with a CA for the
State agencies below its root.  Keys are of the shipped pool; nothing here is secret.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509.oid import NameOID
from support.pki import pki

from router.client.signing import Signer
from router.model.instants import VIETNAM_TIME, instant_of
from vanban_bench.workloads.test_pki import TestCa, key_usage, unit_subject


def day(text: str) -> int:
    """Return 00:00 of a date in +07:00 as an instant."""
    return instant_of(datetime.fromisoformat(text).replace(tzinfo=VIETNAM_TIME))


def ca_name(common: str) -> x509.Name:
    """Return the name of a CA."""
    return x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "VN"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "vanban-router TEST ONLY"),
            x509.NameAttribute(NameOID.COMMON_NAME, common),
        ]
    )


def ca(
    common: str,
    years: tuple[int, int],
    key: Any,
    issuer: TestCa | None = None,
    *,
    usages: Sequence[str] = ("key_cert_sign", "crl_sign"),
) -> TestCa:
    """Return a CA of that name, valid between two New Year's Days, signed by issuer or itself."""
    start, stop = (datetime(year, 1, 1, tzinfo=VIETNAM_TIME) for year in years)
    signing = key if issuer is None else issuer.key
    parent = ca_name(common) if issuer is None else issuer.certificate.subject
    certificate = (
        x509.CertificateBuilder()
        .subject_name(ca_name(common))
        .issuer_name(parent)
        .public_key(key.public_key())
        .serial_number(sum(common.encode()) * 10_000 + years[0])
        .not_valid_before(start)
        .not_valid_after(stop)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(key_usage(*usages), critical=True)
        .sign(signing, hashes.SHA256())
    )
    return TestCa(key, certificate)


def sha1_ca(common: str, years: tuple[int, int], issuer: TestCa | None = None) -> bytes:
    """Return an RSA CA's certificate as older generations have it: signed with SHA-1.

    Self-signed, or by an issuer whose signature is none (nobody verifies SHA-1).
    """
    key = pki().key("rsa", 0)
    assert isinstance(key, rsa.RSAPrivateKey)
    named = ca(common, years, key, issuer and TestCa(key, issuer.certificate))  # type: ignore[arg-type]
    strong, weak = bytes.fromhex("06092a864886f70d01010b"), bytes.fromhex("06092a864886f70d010105")
    signed = named.certificate.tbs_certificate_bytes.replace(strong, weak)
    signature = key.sign(signed, padding.PKCS1v15(), hashes.SHA1())
    return named.der.replace(strong, weak).replace(named.certificate.signature, signature)


class Generation(NamedTuple):
    """One root with a CA below it."""

    root: TestCa
    below: TestCa

    def signer(self, code: str, name: str, start: str, stop: str, index: int = 20) -> Signer:
        """Return a signer certified by the CA below the root, valid between two dates."""
        key = pki().key("ec", index)
        der = self.below.certify(
            key.public_key(),
            unit_subject(code, name),
            serial=1 + index,
            valid_from=day(start),
            valid_to=day(stop),
        )
        return Signer(key, der)

    def pem(self) -> bytes:
        """Return both certificates as CAs publish them."""
        return b"".join(b"# a comment\n" + pem_of(one) for one in self)


def pem_of(authority: TestCa) -> bytes:
    """Return a CA's certificate in PEM."""
    return authority.certificate.public_bytes(serialization.Encoding.PEM)


def _pool(index: int) -> ec.EllipticCurvePrivateKey:
    key = pki().key("ec", index)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    return key


@functools.cache
def g1() -> Generation:
    """Return the older generation, whose name says no number."""
    root = ca("RootCA chuyên dùng", (2010, 2030), _pool(10))
    return Generation(root, ca("CA cơ quan Nhà nước", (2012, 2029), _pool(11), root))


@functools.cache
def g2() -> Generation:
    """Return the newer generation."""
    root = ca("RootCA chuyên dùng G2", (2018, 2048), _pool(12))
    return Generation(root, ca("CA cơ quan Nhà nước G2", (2019, 2039), _pool(13), root))


def sha256_of(authority: TestCa) -> str:
    """Return the SHA-256 of a CA's certificate in hex."""
    return authority.certificate.fingerprint(hashes.SHA256()).hex()
