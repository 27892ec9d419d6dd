"""Certificates: read once, checked for what a signer's and an issuer's certificate must be.

What is checked here does not depend on time or trust, except where an instant is an argument.
A signer's certificate (the leaf) must be signed with a strong hash, be no CA, be allowed to
sign documents and hold a key of a kind in `router.signatures.algorithms`.

How certificates make a path, and whether one of them was revoked, is asked in
`router.signatures.paths`.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID, SignatureAlgorithmOID

from router.errors import SignatureRefusedError
from router.limits import (
    CERTIFICATE_BYTES_MAX,
    FACT_CHARS_MAX,
    RSA_KEY_BITS_MAX,
    RSA_KEY_BITS_MIN,
)
from router.model.instants import SECOND_US, instant_of, show_instant
from router.signatures.algorithms import VerifyingKey, check_key

_UNREADABLE = (
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    x509.DuplicateExtension,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
)
_STRONG_HASHES: Final = {"sha256", "sha384", "sha512"}
_CURVES: Final = {"secp256r1": "P-256", "secp384r1": "P-384", "secp521r1": "P-521"}
_CRITICAL_UNDERSTOOD: Final = frozenset(
    {
        ExtensionOID.BASIC_CONSTRAINTS,
        ExtensionOID.KEY_USAGE,
        ExtensionOID.EXTENDED_KEY_USAGE,
        ExtensionOID.CERTIFICATE_POLICIES,
        ExtensionOID.SUBJECT_ALTERNATIVE_NAME,
        x509.ObjectIdentifier("1.3.6.1.5.5.7.1.3"),  # qcStatements (RFC 3739)
    }
)
# What a CA's certificate may hold besides; all of it is processed with the path (RFC 5280, 6.1).
_CRITICAL_UNDERSTOOD_OF_CA: Final = _CRITICAL_UNDERSTOOD | {
    ExtensionOID.NAME_CONSTRAINTS,
    ExtensionOID.POLICY_CONSTRAINTS,
    ExtensionOID.POLICY_MAPPINGS,
    ExtensionOID.INHIBIT_ANY_POLICY,
    ExtensionOID.CRL_DISTRIBUTION_POINTS,
}
# A certificate that is for nothing but these must not sign documents (RFC 5280, 4.2.1.12).
_OTHER_PURPOSES: Final = frozenset(
    {
        ExtendedKeyUsageOID.SERVER_AUTH,
        ExtendedKeyUsageOID.CODE_SIGNING,
        ExtendedKeyUsageOID.TIME_STAMPING,
        ExtendedKeyUsageOID.OCSP_SIGNING,
    }
)


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Certificate:
    """A certificate that was read in full; immutable, shared by threads, equal by its bytes.

    `sha256` is over the DER bytes.  `valid_from` and `valid_to` are the instants of notBefore
    and notAfter; the second of notAfter still belongs to the validity (RFC 5280, 4.1.2.5).
    """

    der: bytes
    sha256: bytes
    parsed: x509.Certificate
    subject: str
    issuer: str
    subject_name: bytes
    issuer_name: bytes
    serial: str
    valid_from: int
    valid_to: int
    extensions: x509.Extensions

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Certificate) and self.sha256 == other.sha256

    def __hash__(self) -> int:
        return hash(self.sha256)


def read_certificate(der: bytes) -> Certificate:
    """Read a DER certificate in full.

    Raises SignatureRefusedError `certificate.malformed`.
    """
    if len(der) > CERTIFICATE_BYTES_MAX:
        raise _malformed(f"more than {CERTIFICATE_BYTES_MAX} bytes")
    try:
        parsed = x509.load_der_x509_certificate(der)
        return Certificate(
            der=der,
            sha256=hashlib.sha256(der).digest(),
            parsed=parsed,
            subject=plain(parsed.subject.rfc4514_string()),
            issuer=plain(parsed.issuer.rfc4514_string()),
            subject_name=parsed.subject.public_bytes(),
            issuer_name=parsed.issuer.public_bytes(),
            serial=f"{parsed.serial_number:x}",
            valid_from=instant_of(parsed.not_valid_before_utc),
            valid_to=instant_of(parsed.not_valid_after_utc),
            extensions=parsed.extensions,
        )
    except _UNREADABLE:
        raise _malformed("not a certificate in DER") from None


def check_leaf(certificate: Certificate) -> VerifyingKey:
    """Return the key of a certificate that may sign documents.

    Raises SignatureRefusedError: `certificate.algorithm` (signed with a weak hash),
    `certificate.usage` (a CA, or no right to sign), `signature.key` (kind or size of key),
    `certificate.malformed` (a critical extension that is not understood).
    """
    _check_hash(certificate)
    if is_ca(certificate):
        raise SignatureRefusedError("certificate.usage", reason="it is a CA's certificate")
    usage = _key_usage(certificate)
    if usage is not None and not (usage.digital_signature or usage.content_commitment):
        raise SignatureRefusedError(
            "certificate.usage", reason="its key usage has no digital signature"
        )
    purposes = _purposes(certificate)
    if purposes and purposes <= _OTHER_PURPOSES:
        raise SignatureRefusedError(
            "certificate.usage", reason="its extended key usage is for other things only"
        )
    _check_critical(certificate, _CRITICAL_UNDERSTOOD)
    return check_key(_public_key(certificate))


def check_intermediate(certificate: Certificate) -> None:
    """See that a certificate may stand between a signer's and a trusted root.

    Raises SignatureRefusedError like `check_leaf`: it must be a CA's (RFC 5280, 6.1.4 k), may
    sign certificates (6.1.4 n), be signed with a strong hash and hold a key as `issuer_flaw`
    wants it.
    """
    _check_hash(certificate)
    if not is_ca(certificate):
        raise SignatureRefusedError("certificate.usage", reason="an issuer in its path is no CA")
    usage = _key_usage(certificate)
    if usage is not None and not usage.key_cert_sign:
        raise SignatureRefusedError(
            "certificate.usage", reason="an issuer in its path may not sign certificates"
        )
    _check_critical(certificate, _CRITICAL_UNDERSTOOD_OF_CA)
    flaw = _issuer_key_flaw(_public_key(certificate))
    if flaw:
        raise SignatureRefusedError("signature.key", reason=flaw)


def issuer_flaw(certificate: Certificate) -> str:
    """Say why this certificate can't be a trusted issuer, or "" when it can.

    It must be a CA's, may sign certificates, and hold RSA of at least 2048 bits, P-256, P-384,
    P-521 or Ed25519.
    """
    if not is_ca(certificate):
        return "it is not a CA's certificate"
    usage = _key_usage(certificate)
    if usage is not None and not usage.key_cert_sign:
        return "its key usage does not allow signing certificates"
    try:
        key = _public_key(certificate)
    except SignatureRefusedError:
        return "its key is of an unknown kind"
    return _issuer_key_flaw(key)


def issued_by(certificate: Certificate, issuer: Certificate) -> bool:
    """Say whether the issuer's key signed the certificate, and the names agree."""
    try:
        certificate.parsed.verify_directly_issued_by(issuer.parsed)
    except (*_UNREADABLE, InvalidSignature):
        return False
    return True


def signed_by(certificate: Certificate, issuer: Certificate) -> bool:
    """Say whether the issuer's key signed the certificate; names are not compared.

    The key must be of the kind the certificate's algorithm asks for.
    """
    parsed = certificate.parsed
    try:
        key = issuer.parsed.public_key()
        scheme = parsed.signature_algorithm_parameters
        digest = parsed.signature_hash_algorithm
        signature, message = parsed.signature, parsed.tbs_certificate_bytes
        if isinstance(key, rsa.RSAPublicKey):
            if not isinstance(scheme, padding.PKCS1v15 | padding.PSS) or digest is None:
                return False
            key.verify(signature, message, scheme, digest)
        elif isinstance(key, ec.EllipticCurvePublicKey):
            if not isinstance(scheme, ec.ECDSA):
                return False
            key.verify(signature, message, scheme)
        elif isinstance(key, ed25519.Ed25519PublicKey):
            if parsed.signature_algorithm_oid != SignatureAlgorithmOID.ED25519:
                return False
            key.verify(signature, message)
        else:
            return False
    except (*_UNREADABLE, InvalidSignature):
        return False
    return True


def signed_itself(certificate: Certificate) -> bool:
    """Say whether a certificate is self-signed (RFC 5280, 3.2), by whatever hash.

    Roots of older generations are signed with SHA-1; a root is believed because it was
    imported, not because of its own signature.
    """
    if certificate.subject_name != certificate.issuer_name:
        return False
    return signed_by(certificate, certificate)


def check_validity(certificate: Certificate, at_us: int, role: str) -> None:
    """See that the certificate is valid at that instant; `role` goes into the facts.

    Raises SignatureRefusedError `certificate.not_yet_valid` or `certificate.expired`.
    """
    if at_us < certificate.valid_from:
        raise SignatureRefusedError(
            "certificate.not_yet_valid",
            since=show_instant(certificate.valid_from),
            certificate=role,
        )
    if at_us >= certificate.valid_to + SECOND_US:
        raise SignatureRefusedError(
            "certificate.expired", until=show_instant(certificate.valid_to), certificate=role
        )


def may_sign_lists(certificate: Certificate) -> bool:
    """Say whether its key usage lets a CA sign revocation lists (RFC 5280, 4.2.1.3)."""
    usage = _key_usage(certificate)
    return usage is None or usage.crl_sign


def named_key(certificate: Certificate) -> str:
    """Return the kind and size of a certificate's key, as people call it."""
    try:
        key = _public_key(certificate)
    except SignatureRefusedError:
        return "unknown"
    if isinstance(key, rsa.RSAPublicKey):
        return f"RSA {key.key_size}"
    if isinstance(key, ec.EllipticCurvePublicKey):
        return _CURVES.get(key.curve.name, key.curve.name)
    return "Ed25519" if isinstance(key, ed25519.Ed25519PublicKey) else type(key).__name__


def named_hash(certificate: Certificate) -> str:
    """Return the hash a certificate is signed with ("" when the algorithm has none of its own)."""
    try:
        digest = certificate.parsed.signature_hash_algorithm
    except _UNREADABLE:
        return "unknown"
    return "" if digest is None else digest.name


def plain(text: str) -> str:
    """Return text from outside as one printable line that any encoder takes, cut short."""
    return "".join(letter if letter.isprintable() else "?" for letter in text[:FACT_CHARS_MAX])


def weak_hash(certificate: Certificate) -> str:
    """Return the name of the hash a certificate is signed with when it is not taken, else ""."""
    parsed = certificate.parsed
    if parsed.signature_algorithm_oid == SignatureAlgorithmOID.ED25519:
        return ""
    try:
        digest = parsed.signature_hash_algorithm
    except _UNREADABLE:
        digest = None
    if digest is None:
        return "an unknown algorithm"
    return "" if digest.name in _STRONG_HASHES else digest.name


def _check_critical(certificate: Certificate, understood: frozenset[x509.ObjectIdentifier]) -> None:
    for extension in certificate.extensions:
        if extension.critical and extension.oid not in understood:
            raise _malformed(f"unknown critical extension {extension.oid.dotted_string}")


def _issuer_key_flaw(key: PublicKeyTypes) -> str:
    if isinstance(key, rsa.RSAPublicKey):
        fits = RSA_KEY_BITS_MIN <= key.key_size <= RSA_KEY_BITS_MAX
        return "" if fits else f"RSA of {key.key_size} bits"
    if isinstance(key, ec.EllipticCurvePublicKey):
        known = key.curve.name in {"secp256r1", "secp384r1", "secp521r1"}
        return "" if known else f"curve {key.curve.name}"
    return "" if isinstance(key, ed25519.Ed25519PublicKey) else "its key is of an unknown kind"


def _purposes(certificate: Certificate) -> frozenset[x509.ObjectIdentifier]:
    try:
        usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return frozenset()
    return frozenset(usage)


def _check_hash(certificate: Certificate) -> None:
    weak = weak_hash(certificate)
    if weak:
        raise SignatureRefusedError("certificate.algorithm", algorithm=weak)


def is_ca(certificate: Certificate) -> bool:
    """Say whether it is a CA's certificate by its basic constraints (RFC 5280, 4.2.1.9)."""
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False


def _key_usage(certificate: Certificate) -> x509.KeyUsage | None:
    try:
        return certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        return None


def _public_key(certificate: Certificate) -> PublicKeyTypes:
    try:
        return certificate.parsed.public_key()
    except _UNREADABLE:
        raise SignatureRefusedError("signature.key", reason="unknown kind of key") from None


def _malformed(reason: str) -> SignatureRefusedError:
    return SignatureRefusedError("certificate.malformed", reason=reason)
