"""A test PKI: two CAs and a pool of keys that are public, for demo, tests and benchmarks.

TEST ONLY.  The private keys lie in the package for everybody to read; an installation that
trusts this CA trusts everybody.  Issuing is deterministic (serial from the arguments, ECDSA
after RFC 6979), so a seeded run makes the same certificates and signatures again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime
from importlib import resources
from typing import Final, Literal

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import NameOID

from router.client.signing import Signer
from router.model.instants import VIETNAM_TIME, datetime_of
from router.signatures.algorithms import SigningKey, VerifyingKey

KeyKind = Literal["rsa", "ec"]
DEFAULT_FROM_US: Final = 1_577_836_800_000_000
"""2020-01-01T00:00Z: leaves are valid from here, unless said otherwise."""
DEFAULT_TO_US: Final = 2_524_608_000_000_000
"""2050-01-01T00:00Z: long, so that no test runs out; real leaves live five years."""
COMMON_NAME_BYTES_MAX: Final = 64
"""RFC 5280 says 64 characters; `cryptography` counts UTF-8 bytes."""

_END = b"-----END PRIVATE KEY-----\n"


class TestCa:
    """One certification authority of the test PKI: key, certificate, name."""

    __test__ = False  # not a test, whatever its name says

    def __init__(self, key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate) -> None:
        self.key = key
        self.certificate = certificate
        self.der = certificate.public_bytes(serialization.Encoding.DER)

    def certify(
        self,
        public: VerifyingKey,
        subject: x509.Name,
        *,
        serial: int,
        valid_from: int = DEFAULT_FROM_US,
        valid_to: int = DEFAULT_TO_US,
        extensions: Sequence[tuple[x509.ExtensionType, bool]] | None = None,
    ) -> bytes:
        """Return a certificate in DER, valid between two instants (whole seconds).

        `extensions` are (extension, critical) and default to what a signer's certificate has.
        """
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.certificate.subject)
            .public_key(public)
            .serial_number(serial)
            .not_valid_before(datetime_of(valid_from))
            .not_valid_after(datetime_of(valid_to))
        )
        for extension, critical in signer_extensions() if extensions is None else extensions:
            builder = builder.add_extension(extension, critical)
        signed = builder.sign(self.key, hashes.SHA256(), ecdsa_deterministic=True)
        return signed.public_bytes(serialization.Encoding.DER)


class TestPki:
    """The shipped CAs and key pool.

    `ca` is the one to trust, `other_ca` the one not to.  Keys are read when first used.
    """

    __test__ = False

    def __init__(
        self, ca: TestCa, other_ca: TestCa, rsa_keys: Sequence[bytes], ec_keys: Sequence[bytes]
    ) -> None:
        self.ca = ca
        self.other_ca = other_ca
        self._pem: dict[KeyKind, Sequence[bytes]] = {"rsa": rsa_keys, "ec": ec_keys}
        self._keys: dict[tuple[KeyKind, int], SigningKey] = {}

    @classmethod
    def load(cls) -> TestPki:
        """Read the CAs and the pool from the package's data."""
        return cls(
            _read_ca("ca"), _read_ca("other-ca"), _read_pool("rsa-2048"), _read_pool("p-256")
        )

    @property
    def ca_der(self) -> bytes:
        """The certificate of the CA to trust, in DER."""
        return self.ca.der

    @property
    def other_ca_der(self) -> bytes:
        """The certificate of the CA nobody trusts, in DER."""
        return self.other_ca.der

    def key(self, kind: KeyKind, index: int) -> SigningKey:
        """Return a key of the pool; the index wraps around."""
        place = (kind, index % len(self._pem[kind]))
        known = self._keys.get(place)
        if known is None:
            known = self._keys[place] = _private_key(self._pem[kind][place[1]])
        return known

    def issue(
        self,
        unit_number: int,
        code: str,
        name: str,
        *,
        kind: KeyKind | None = None,
        index: int | None = None,
        valid_from: int = DEFAULT_FROM_US,
        valid_to: int = DEFAULT_TO_US,
        algorithm: str | None = None,
        trusted: bool = True,
    ) -> Signer:
        """Return a signer for a unit, with a fresh certificate of the test CA.

        Without `kind` units alternate between ECDSA P-256 and RSA-2048 by their number;
        without `index` the number also chooses the key.  Keys repeat, certificates don't.
        `trusted=False` issues from the other CA.  Times are instants.
        """
        chosen: KeyKind = kind or ("ec" if unit_number % 2 else "rsa")
        key = self.key(chosen, unit_number // 2 if index is None else index)
        ca = self.ca if trusted else self.other_ca
        serial = _serial(unit_number, code, name, chosen, index, valid_from, valid_to)
        der = ca.certify(
            key.public_key(),
            unit_subject(code, name),
            serial=serial,
            valid_from=valid_from,
            valid_to=valid_to,
        )
        return Signer(key, der, algorithm)


def unit_subject(code: str, name: str) -> x509.Name:
    """Return the subject of an agency's certificate: country, name (cut), unit code."""
    short = name.encode()[:COMMON_NAME_BYTES_MAX].decode(errors="ignore").strip()
    return x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "VN"),
            x509.NameAttribute(NameOID.COMMON_NAME, short),
            x509.NameAttribute(NameOID.SERIAL_NUMBER, code),
        ]
    )


def signer_extensions() -> list[tuple[x509.ExtensionType, bool]]:
    """Return what a signer's certificate has: no CA, may sign documents."""
    return [
        (x509.BasicConstraints(ca=False, path_length=None), True),
        (key_usage("digital_signature", "content_commitment"), True),
    ]


def key_usage(*allowed: str) -> x509.KeyUsage:
    """Return a key usage that allows exactly what is named."""
    names = (
        "digital_signature",
        "content_commitment",
        "key_encipherment",
        "data_encipherment",
        "key_agreement",
        "key_cert_sign",
        "crl_sign",
        "encipher_only",
        "decipher_only",
    )
    return x509.KeyUsage(**{name: name in allowed for name in names})


def make_ca(key: ec.EllipticCurvePrivateKey, name: str, years: tuple[int, int]) -> TestCa:
    """Return a CA with a self-signed certificate, valid between two New Year's Days."""
    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "VN"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "vanban-router TEST ONLY"),
            x509.NameAttribute(NameOID.COMMON_NAME, name),
        ]
    )
    start, stop = (datetime(year, 1, 1, tzinfo=VIETNAM_TIME) for year in years)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") | 1)
        .not_valid_before(start)
        .not_valid_after(stop)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(key_usage("key_cert_sign", "crl_sign"), critical=True)
        .sign(key, hashes.SHA256(), ecdsa_deterministic=True)
    )
    return TestCa(key, certificate)


def _serial(*parts: object) -> int:
    text = "\x1f".join(str(part) for part in parts)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:15], "big") | 1


def _data(name: str) -> bytes:
    return (resources.files("vanban_bench") / "data" / "test-keys" / name).read_bytes()


def _read_ca(name: str) -> TestCa:
    key = _private_key(_data(f"{name}.key.pem"))
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    return TestCa(key, x509.load_pem_x509_certificate(_data(f"{name}.pem")))


def _read_pool(name: str) -> list[bytes]:
    return [part + _END for part in _data(f"{name}.keys.pem").split(_END) if part.strip()]


def _private_key(pem: bytes) -> SigningKey:
    # Our own file: the check of RSA primes would cost more than all else together.
    key = serialization.load_pem_private_key(pem, None, unsafe_skip_rsa_key_validation=True)
    assert isinstance(
        key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
    )
    return key
