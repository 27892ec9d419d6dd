"""The signature algorithms: which key each takes, and how one signature is checked.

One table (RFC 7518 section 3, RFC 8037): the name in `alg` chooses the hash and the padding,
the certificate's key must be of the kind the name asks for.  A key is never used with
another algorithm than named, and a name never with another kind of key.
All work is done by `cryptography`, which releases the GIL in `verify`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
)

from router._spelling import ecdsa_der
from router.errors import SignatureRefusedError
from router.limits import RSA_KEY_BITS_MAX, RSA_KEY_BITS_MIN

VerifyingKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey
SigningKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey


ED25519_SIGNATURE_BYTES: Final = 64


class Algorithm(NamedTuple):
    """One row: the name in `alg`, the family, the hash; for ECDSA curve and size of r and s."""

    name: str
    family: str
    digest: hashes.HashAlgorithm | None
    curve: str = ""
    integer_bytes: int = 0


ALGORITHMS: Final[dict[str, Algorithm]] = {
    row.name: row
    for row in (
        Algorithm("RS256", "rsa-pkcs1", hashes.SHA256()),
        Algorithm("RS384", "rsa-pkcs1", hashes.SHA384()),
        Algorithm("RS512", "rsa-pkcs1", hashes.SHA512()),
        Algorithm("PS256", "rsa-pss", hashes.SHA256()),
        Algorithm("PS384", "rsa-pss", hashes.SHA384()),
        Algorithm("PS512", "rsa-pss", hashes.SHA512()),
        Algorithm("ES256", "ecdsa", hashes.SHA256(), "secp256r1", 32),
        Algorithm("ES384", "ecdsa", hashes.SHA384(), "secp384r1", 48),
        Algorithm("EdDSA", "ed25519", None),
    )
}


def check_key(key: PublicKeyTypes) -> VerifyingKey:
    """Return the key if documents may be signed with it at all.

    Taken are RSA of 2048 to 8192 bits, P-256, P-384 and Ed25519.  Raises
    SignatureRefusedError `signature.key`.
    """
    if isinstance(key, rsa.RSAPublicKey):
        if not RSA_KEY_BITS_MIN <= key.key_size <= RSA_KEY_BITS_MAX:
            raise SignatureRefusedError("signature.key", reason=f"RSA of {key.key_size} bits")
        return key
    if isinstance(key, ec.EllipticCurvePublicKey):
        if key.curve.name not in {"secp256r1", "secp384r1"}:
            raise SignatureRefusedError("signature.key", reason=f"curve {key.curve.name}")
        return key
    if isinstance(key, ed25519.Ed25519PublicKey):
        return key
    raise SignatureRefusedError("signature.key", reason="unknown kind of key")


def check_fit(algorithm: Algorithm, key: VerifyingKey) -> None:
    """See that the key is of the kind the algorithm asks for (no key confusion).

    Raises SignatureRefusedError `signature.key_kind`.
    """
    if isinstance(key, rsa.RSAPublicKey):
        fits = algorithm.family in {"rsa-pkcs1", "rsa-pss"}
    elif isinstance(key, ec.EllipticCurvePublicKey):
        fits = algorithm.family == "ecdsa" and algorithm.curve == key.curve.name
    else:
        fits = algorithm.family == "ed25519"
    if not fits:
        raise SignatureRefusedError("signature.key_kind", algorithm=algorithm.name)


def checker(algorithm: Algorithm, key: VerifyingKey) -> Callable[[bytes, bytes], None]:
    """Return what checks one signature over one message; it returns when it is good.

    `signature` is as in JWS: for ECDSA the integers r and s one after the other, each of full
    length (RFC 7518, section 3.4).  PSS salts are as long as the digest (section 3.5).  The
    check raises SignatureRefusedError `signature.invalid` or `signature.length` and never
    returns a truth value that could go unread.  Raises `signature.key_kind` when the key is of
    another kind than the algorithm.
    """
    check_fit(algorithm, key)
    digest = algorithm.digest
    if isinstance(key, ed25519.Ed25519PublicKey):
        return _ed25519_checker(key)
    assert digest is not None
    if isinstance(key, ec.EllipticCurvePublicKey):
        return _ecdsa_checker(key, ec.ECDSA(digest), algorithm.integer_bytes)
    return _rsa_checker(key, _rsa_padding(algorithm), digest)


def _ed25519_checker(key: ed25519.Ed25519PublicKey) -> Callable[[bytes, bytes], None]:
    verify = key.verify

    def check(signature: bytes, message: bytes) -> None:
        if len(signature) != ED25519_SIGNATURE_BYTES:
            raise _not_in_full_length(ED25519_SIGNATURE_BYTES)
        try:
            verify(signature, message)
        except InvalidSignature:
            raise _invalid() from None

    return check


def _ecdsa_checker(
    key: ec.EllipticCurvePublicKey, scheme: ec.ECDSA, size: int
) -> Callable[[bytes, bytes], None]:
    verify = key.verify

    def check(signature: bytes, message: bytes) -> None:
        try:
            verify(ecdsa_der(signature, size), message, scheme)
        except InvalidSignature:
            raise _invalid() from None
        except ValueError:
            raise _not_in_full_length(2 * size) from None

    return check


def _rsa_checker(
    key: rsa.RSAPublicKey, scheme: padding.AsymmetricPadding, digest: hashes.HashAlgorithm
) -> Callable[[bytes, bytes], None]:
    verify = key.verify
    size = (key.key_size + 7) // 8

    def check(signature: bytes, message: bytes) -> None:
        if len(signature) != size:
            raise _not_in_full_length(size)
        try:
            verify(signature, message, scheme, digest)
        except InvalidSignature:
            raise _invalid() from None

    return check


def verify_raw(algorithm: Algorithm, key: VerifyingKey, signature: bytes, message: bytes) -> None:
    """Check one signature over `message`, once; see `checker`."""
    checker(algorithm, key)(signature, message)


def sign_raw(algorithm: Algorithm, key: SigningKey, message: bytes) -> bytes:
    """Return a signature over `message` in the form `verify_raw` takes.

    ECDSA is deterministic (RFC 6979), so a seeded run signs the same bytes again; PSS draws a
    random salt.  The caller has seen to it that key and algorithm fit.
    """
    digest = algorithm.digest
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key.sign(message)
    assert digest is not None
    if isinstance(key, ec.EllipticCurvePrivateKey):
        der = key.sign(message, ec.ECDSA(digest, deterministic_signing=True))
        first, second = decode_dss_signature(der)
        size = algorithm.integer_bytes
        return first.to_bytes(size, "big") + second.to_bytes(size, "big")
    return key.sign(message, _rsa_padding(algorithm), digest)


def default_algorithm(key: VerifyingKey) -> Algorithm:
    """Return what a key signs with when nothing else is asked for.

    RS256 for RSA: every token and smart card in the field does it, and it needs no chance.
    """
    if isinstance(key, rsa.RSAPublicKey):
        return ALGORITHMS["RS256"]
    if isinstance(key, ec.EllipticCurvePublicKey):
        return ALGORITHMS["ES256" if key.curve.name == "secp256r1" else "ES384"]
    return ALGORITHMS["EdDSA"]


def _rsa_padding(algorithm: Algorithm) -> padding.AsymmetricPadding:
    if algorithm.family == "rsa-pkcs1":
        return padding.PKCS1v15()
    assert algorithm.digest is not None
    return padding.PSS(padding.MGF1(algorithm.digest), padding.PSS.DIGEST_LENGTH)


def _invalid() -> SignatureRefusedError:
    return SignatureRefusedError("signature.invalid", path="signature")


def _not_in_full_length(size: int) -> SignatureRefusedError:
    return SignatureRefusedError("signature.length", path="signature", wanted=size)
