"""OCSP (RFC 6960): requests, and responses whose responder is judged here.

Who may answer for an issuer: the issuer's own key, or a certificate that the issuer itself
signed for that one purpose (id-kp-OCSPSigning), that was valid when the response was made, and
that need not be asked about (id-pkix-ocsp-nocheck) or stands on no list.  Nobody else, and no
responder named by settings (RFC 6960, 4.2.2.2, without its first way).

Requests carry no nonce: responses may be made ahead, as most are, and an old one can't take
the place of a newer one (`router.signatures.revocation`), nor serve after its nextUpdate.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID, SignatureAlgorithmOID

from router.errors import InputError, SignatureRefusedError, TooLargeError
from router.limits import (
    CERTIFICATE_CACHE_ENTRIES_MAX,
    OCSP_BYTES_MAX,
    OCSP_CERTIFICATES_MAX,
    OCSP_FRESH_S,
)
from router.model.instants import SECOND_US, instant_of
from router.signatures.algorithms import check_key
from router.signatures.certificates import Certificate, issued_by, read_certificate
from router.signatures.lists import (
    STRONG_HASHES,
    UNREADABLE,
    check_critical,
    malformed,
    reason_word,
)

_RESPONSE_UNDERSTOOD: Final = frozenset({x509.ObjectIdentifier("1.3.6.1.5.5.7.48.1.2")})  # nonce
_SINGLE_UNDERSTOOD: Final[frozenset[x509.ObjectIdentifier]] = frozenset()
_RESPONDER_UNDERSTOOD: Final = frozenset(
    {
        ExtensionOID.BASIC_CONSTRAINTS,
        ExtensionOID.KEY_USAGE,
        ExtensionOID.EXTENDED_KEY_USAGE,
        ExtensionOID.CERTIFICATE_POLICIES,
        ExtensionOID.OCSP_NO_CHECK,
    }
)
NotListed = Callable[[int], bool]
"""Asked with a responder certificate's serial: whether a list shows it as not revoked."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a response says of one certificate; `status` is "good", "revoked" or "unknown".

    `produced_at` and `fresh_until` are the instants of thisUpdate and nextUpdate (OCSP_FRESH_S
    after thisUpdate where the responder states none).
    """

    serial: int
    status: str
    produced_at: int
    fresh_until: int
    revoked_at: int | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class ReadResponse:
    """A successful response that was read in full, and believed by nobody yet."""

    parsed: ocsp.OCSPResponse
    sha256: str
    made_at: int


def request_for(issuer: Certificate, serial: int) -> bytes:
    """Return the DER of a request about the certificate of that issuer and serial.

    The CertID is hashed with SHA-1, which every responder knows (RFC 5019, 2.1.1): it only
    names the issuer, and nothing rests on its strength.
    """
    name_hash, key_hash = _hashes_of(issuer, "sha1")
    algorithm = hashes.SHA1()  # noqa: S303 - a name, not a signature
    builder = ocsp.OCSPRequestBuilder()
    builder = builder.add_certificate_by_hash(name_hash, key_hash, serial, algorithm)
    return builder.build().public_bytes(serialization.Encoding.DER)


def read_response(der: bytes) -> ReadResponse:
    """Read an OCSP response in DER.

    Raises InputError `revocation.malformed`, `revocation.unanswered` (the responder answers
    with an error, which proves nothing: it is not signed), `revocation.critical`,
    TooLargeError `revocation.too_large`.
    """
    if len(der) > OCSP_BYTES_MAX:
        raise TooLargeError("revocation.too_large", size=len(der), limit=OCSP_BYTES_MAX)
    try:
        parsed = ocsp.load_der_ocsp_response(der)
        if parsed.response_status != ocsp.OCSPResponseStatus.SUCCESSFUL:
            raise InputError("revocation.unanswered", status=parsed.response_status.name.lower())
        if sum(1 for _ in parsed.responses) != 1:
            raise malformed("it does not answer for one certificate")
        check_critical(parsed.extensions, _RESPONSE_UNDERSTOOD)
        check_critical(parsed.single_extensions, _SINGLE_UNDERSTOOD)
        made_at = instant_of(parsed.produced_at_utc)
    except UNREADABLE:
        raise malformed("not an OCSP response in DER") from None
    return ReadResponse(parsed, hashlib.sha256(der).hexdigest(), made_at)


def answer_of(read: ReadResponse, issuer: Certificate) -> Answer | None:
    """Return what the response says of a certificate of that issuer; None: it is of another.

    Raises InputError `revocation.malformed`.
    """
    one = read.parsed
    try:
        if (one.issuer_name_hash, one.issuer_key_hash) != _hashes_of(
            issuer, one.hash_algorithm.name
        ):
            return None
        return _answer(one)
    except UNREADABLE:
        raise malformed("its answer can't be read") from None


def _answer(one: ocsp.OCSPResponse) -> Answer:
    produced_at = instant_of(one.this_update_utc)
    until = one.next_update_utc
    fresh_until = produced_at + OCSP_FRESH_S * SECOND_US if until is None else instant_of(until)
    if fresh_until < produced_at:
        raise malformed("its nextUpdate is before its thisUpdate")
    if one.certificate_status == ocsp.OCSPCertStatus.GOOD:
        return Answer(one.serial_number, "good", produced_at, fresh_until)
    if one.certificate_status == ocsp.OCSPCertStatus.UNKNOWN:
        return Answer(one.serial_number, "unknown", produced_at, fresh_until)
    since = one.revocation_time_utc
    assert since is not None, "the ASN.1 of a revoked certificate's answer has the time"
    reason = reason_word(one.revocation_reason)
    return Answer(one.serial_number, "revoked", produced_at, fresh_until, instant_of(since), reason)


def check_responder(read: ReadResponse, issuer: Certificate, not_listed: NotListed) -> None:
    """See that who signed the response may answer for the issuer.

    Raises InputError `revocation.responder`, which says what is wrong with it,
    `revocation.algorithm` for a signature by a weak hash, or `revocation.malformed`.
    """
    try:
        _check_responder(read, issuer, not_listed)
    except UNREADABLE:  # names and certificates are parsed when they are looked at
        raise malformed("its responder can't be read") from None


def _check_responder(read: ReadResponse, issuer: Certificate, not_listed: NotListed) -> None:
    _check_hash(read.parsed)
    if _is_named(read.parsed, issuer) and _signed_by(read.parsed, issuer):
        return
    embedded = read.parsed.certificates[:OCSP_CERTIFICATES_MAX]
    for one in embedded:
        try:
            responder = read_certificate(one.public_bytes(serialization.Encoding.DER))
        except SignatureRefusedError:
            continue
        if _is_named(read.parsed, responder) and _signed_by(read.parsed, responder):
            flaw = _responder_flaw(responder, issuer, read.made_at, not_listed)
            if flaw:
                raise InputError("revocation.responder", reason=flaw)
            return
    reason = "neither the authority nor a certificate in the response signed it"
    raise InputError("revocation.responder", reason=reason)


def _responder_flaw(
    responder: Certificate, issuer: Certificate, made_at: int, not_listed: NotListed
) -> str:
    """Say why this certificate may not answer for the issuer, or ""."""
    extensions = responder.extensions
    if not issued_by(responder, issuer):
        return "the authority did not issue the responder's certificate"
    try:
        check_key(responder.parsed.public_key())
    except (SignatureRefusedError, *UNREADABLE):
        return "the responder's key is of a kind or size that is not taken"
    digest = responder.parsed.signature_hash_algorithm
    if digest is not None and digest.name not in STRONG_HASHES:
        return f"the responder's certificate is signed with {digest.name}"
    if not responder.valid_from <= made_at < responder.valid_to + SECOND_US:
        return "the responder's certificate was not valid when the response was made"
    flaw = _extensions_flaw(extensions)
    if flaw or _no_check(extensions) or not_listed(responder.parsed.serial_number):
        return flaw
    return "whether the responder's certificate was revoked is not known"


def _extensions_flaw(extensions: x509.Extensions) -> str:
    try:
        purposes = extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        purposes = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE])
    if ExtendedKeyUsageOID.OCSP_SIGNING not in purposes:
        return "the responder's certificate is not for signing OCSP responses"
    try:
        if not extensions.get_extension_for_class(x509.KeyUsage).value.digital_signature:
            return "the responder's certificate may not sign"
    except x509.ExtensionNotFound:
        pass
    for extension in extensions:
        if extension.critical and extension.oid not in _RESPONDER_UNDERSTOOD:
            return "the responder's certificate has an unknown critical extension"
    return ""


def _no_check(extensions: x509.Extensions) -> bool:
    return any(extension.oid == ExtensionOID.OCSP_NO_CHECK for extension in extensions)


def _check_hash(parsed: ocsp.OCSPResponse) -> None:
    if parsed.signature_algorithm_oid == SignatureAlgorithmOID.ED25519:
        return
    try:
        digest = parsed.signature_hash_algorithm
    except UNREADABLE:
        digest = None
    if digest is None or digest.name not in STRONG_HASHES:
        name = digest.name if digest else "an unknown algorithm"
        raise InputError("revocation.algorithm", algorithm=name)


def _is_named(parsed: ocsp.OCSPResponse, signer: Certificate) -> bool:
    """Say whether the response names that certificate as its responder (by name or by key)."""
    if parsed.responder_name is not None:
        return parsed.responder_name == signer.parsed.subject
    try:
        return parsed.responder_key_hash == _hashes_of(signer, "sha1")[1]
    except UNREADABLE:
        return False


def _signed_by(parsed: ocsp.OCSPResponse, signer: Certificate) -> bool:
    try:
        key = signer.parsed.public_key()
        digest = parsed.signature_hash_algorithm
        data, signature = parsed.tbs_response_bytes, parsed.signature
        if isinstance(key, ed25519.Ed25519PublicKey):
            key.verify(signature, data)
        elif isinstance(key, ec.EllipticCurvePublicKey) and digest is not None:
            key.verify(signature, data, ec.ECDSA(digest))
        elif isinstance(key, rsa.RSAPublicKey) and digest is not None:
            key.verify(signature, data, padding.PKCS1v15(), digest)
        else:
            return False
    except (InvalidSignature, *UNREADABLE):
        return False
    return True


@lru_cache(maxsize=CERTIFICATE_CACHE_ENTRIES_MAX)
def _hashes_of(certificate: Certificate, algorithm: str) -> tuple[bytes, bytes]:
    """Return the hashes of a subject's name and key as a CertID has them (RFC 6960, 4.1.1)."""
    return (
        hashlib.new(algorithm, certificate.subject_name, usedforsecurity=False).digest(),
        hashlib.new(algorithm, _key_bits(certificate), usedforsecurity=False).digest(),
    )


def _key_bits(certificate: Certificate) -> bytes:
    """Return the subjectPublicKey of a certificate, without the tag around it."""
    key = certificate.parsed.public_key()
    if isinstance(key, rsa.RSAPublicKey):
        return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.PKCS1)
    if isinstance(key, ec.EllipticCurvePublicKey):
        return key.public_bytes(
            serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
        )
    return key.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
