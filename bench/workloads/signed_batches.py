"""Envelopes signed by many, with authorities of two levels and lists of what they revoked.

Made for the suite `verify`: documents of 2,048 bytes; a root, issuers under it, signers with
P-256, Ed25519 and RSA-2048 keys; a list of revoked certificates for each authority.  All of it
follows from the seed but PSS, which is not used.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import cached_property
from random import Random
from typing import Final, NamedTuple

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509.oid import NameOID

from router.client.signing import Signer, encode_document
from router.model.documents import (
    ENVELOPE_VERSION,
    Attachment,
    Document,
    Envelope,
    SignatureEntry,
)
from router.model.instants import VIETNAM_TIME, instant_of
from router.signatures.algorithms import SigningKey, VerifyingKey
from router.signatures.certificates import check_leaf, read_certificate
from vanban_bench.workloads.test_pki import TestCa, TestPki, key_usage, unit_subject

AT: Final = datetime(2024, 9, 4, 8, 0, tzinfo=VIETNAM_TIME)
AT_US: Final = instant_of(AT)
DOCUMENT_BYTES: Final = 2_048
ALGORITHMS: Final = ("ES256", "EdDSA", "RS256")

_NOT_BEFORE: Final = datetime(2022, 1, 1, tzinfo=VIETNAM_TIME)
_NOT_AFTER: Final = datetime(2037, 1, 1, tzinfo=VIETNAM_TIME)
_CURVE_ORDER_BITS: Final = 255  # below the order of P-256
_encode = msgspec.json.Encoder().encode


class Sent(NamedTuple):
    """One envelope as JSON, and what it is made of; `key` belongs to its one signature."""

    raw: bytes
    payload: bytes
    entry: SignatureEntry
    key: VerifyingKey


class Authorities:
    """A root, issuers under it, and their lists of revoked certificates.

    The first issuer's list has `revoked` entries, none of them of a signer made here; the
    others have none.
    """

    def __init__(self, issuers: int, revoked: int, seed: int = 6) -> None:
        self.seed = seed
        self.root = _authority("Root", None, _curve_key(seed, "root"))
        self.issuers = [
            _authority(f"Issuer {number}", self.root, _curve_key(seed, f"issuer {number}"))
            for number in range(issuers)
        ]
        self._revoked = revoked

    @cached_property
    def lists(self) -> tuple[bytes, ...]:
        """The lists (DER): the root's, then the issuers' in their order."""
        counts = [0, self._revoked] + [0] * (len(self.issuers) - 1)
        return tuple(
            _revocation_list(authority, count)
            for authority, count in zip((self.root, *self.issuers), counts, strict=True)
        )

    def signer(self, number: int, algorithm: str) -> Signer:
        """Return signer `number`, of the issuer that its number falls to."""
        issuer = self.issuers[number % len(self.issuers)]
        key = _key(algorithm, self.seed, number)
        subject = unit_subject(f"S{number:06}", f"Cơ quan {number}")
        serial = 1_000_000_007 * (number + 1)
        der = issuer.certify(
            key.public_key(),
            subject,
            serial=serial,
            valid_from=instant_of(_NOT_BEFORE),
            valid_to=instant_of(_NOT_AFTER),
        )
        return Signer(key, der, algorithm)


def documents(
    signers: Sequence[Signer], count: int, seed: int = 6, *, faulty_each: int
) -> list[Sent]:
    """Return envelopes of documents of `DOCUMENT_BYTES`, signed by chance's choice.

    The last of each `faulty_each` documents was changed after it was signed.
    """
    chance = Random(f"{seed}")
    found = []
    for number in range(count):
        one = signed(chance.choice(signers), number)
        if number % faulty_each == faulty_each - 1:
            changed = one.payload.replace(b"H22,2024", b"H22,2023", 1)
            one = _sent(changed, one.entry, one.key)
        found.append(one)
    return found


def signed(signer: Signer, number: int) -> Sent:
    """Return the envelope of document `number`."""
    payload = _payload(number)
    return _sent(payload, signer.sign(payload), _key_of(signer))


def tree_of(signer: Signer, count: int, first: int) -> list[Sent]:
    """Return the envelopes of the documents from `first` on, signed as one tree."""
    payloads = [_payload(first + number) for number in range(count)]
    entries = signer.sign_many(payloads)
    key = _key_of(signer)
    return [_sent(payload, entry, key) for payload, entry in zip(payloads, entries, strict=True)]


def _sent(payload: bytes, entry: SignatureEntry, key: VerifyingKey) -> Sent:
    envelope = Envelope(version=ENVELOPE_VERSION, payload=payload, signatures=(entry,))
    return Sent(_encode(envelope), payload, entry, key)


def _key_of(signer: Signer) -> VerifyingKey:
    return check_leaf(read_certificate(signer.certificate_der))


def _payload(number: int) -> bytes:
    """Return a document of exactly `DOCUMENT_BYTES`: attachments, then a subject that fills."""
    attachments = tuple(
        Attachment(
            name=f"phu-luc-{number}-{place}.pdf",
            media_type="application/pdf",
            size_bytes=1_000 + place,
            sha256=hashlib.sha256(f"{number}/{place}".encode()).hexdigest(),
        )
        for place in range(8)
    )
    document = Document(
        format=1, sender="H22", document_id=f"H22,2024/09/04,{number}/QĐ-UBND",
        number=str(number % 100_000), notation="QĐ-UBND", document_type="Quyết định",
        subject="-", issued_at=AT, recipients="children(H22)", attachments=attachments,
    )  # fmt: skip
    short = DOCUMENT_BYTES - len(encode_document(document))
    return encode_document(msgspec.structs.replace(document, subject="-" * (1 + short)))


def _key(algorithm: str, seed: int, number: int) -> SigningKey:
    if algorithm == "RS256":
        return _pki().key("rsa", number)
    if algorithm == "EdDSA":
        secret = hashlib.sha256(f"{seed}/ed25519/{number}".encode()).digest()
        return ed25519.Ed25519PrivateKey.from_private_bytes(secret)
    return _curve_key(seed, f"signer {number}")


def _curve_key(seed: int, name: str) -> ec.EllipticCurvePrivateKey:
    digest = hashlib.sha256(f"{seed}/p-256/{name}".encode()).digest()
    secret = int.from_bytes(digest, "big") >> (256 - _CURVE_ORDER_BITS)
    return ec.derive_private_key(secret + 1, ec.SECP256R1())


_loaded: list[TestPki] = []


def _pki() -> TestPki:
    if not _loaded:
        _loaded.append(TestPki.load())
    return _loaded[0]


def _authority(name: str, above: TestCa | None, key: ec.EllipticCurvePrivateKey) -> TestCa:
    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "VN"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "vanban-router TEST ONLY"),
            x509.NameAttribute(NameOID.COMMON_NAME, name),
        ]
    )
    issuer, signing = (above.certificate.subject, above.key) if above else (subject, key)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") | 1)
        .not_valid_before(_NOT_BEFORE)
        .not_valid_after(_NOT_AFTER)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(key_usage("key_cert_sign", "crl_sign"), critical=True)
        .sign(signing, hashes.SHA256(), ecdsa_deterministic=True)
    )
    return TestCa(key, certificate)


def _revocation_list(authority: TestCa, count: int) -> bytes:
    revoked = AT - timedelta(days=30)
    serials = (2_000_000_011 * (number + 1) + 1 for number in range(count))
    entries = [x509.RevokedCertificateBuilder(serial, revoked).build() for serial in serials]
    builder = x509.CertificateRevocationListBuilder(  # adding one by one copies all of them
        issuer_name=authority.certificate.subject,
        last_update=AT - timedelta(hours=1),
        next_update=AT + timedelta(days=7),
        revoked_certificates=entries,
    ).add_extension(x509.CRLNumber(1), critical=False)
    signed_list = builder.sign(authority.key, hashes.SHA256(), ecdsa_deterministic=True)
    return signed_list.public_bytes(serialization.Encoding.DER)
