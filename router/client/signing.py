"""Signing: from a document to the envelope that travels (docs/envelope.md).

A `Signer` holds one key and its certificate and signs payload bytes.  The bytes that are
signed are the bytes that are sent: encode a document once, sign that, send that.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from router.errors import SignatureRefusedError
from router.model.documents import (
    ENVELOPE_VERSION,
    Document,
    Envelope,
    InlineContent,
    SignatureEntry,
)
from router.signatures.algorithms import (
    ALGORITHMS,
    SigningKey,
    check_fit,
    check_key,
    default_algorithm,
    sign_raw,
)
from router.signatures.certificates import read_certificate
from router.signatures.encoding import encode_url
from router.signatures.jws import signing_input, write_header

_document_encoder = msgspec.json.Encoder()


class Signer:
    """One private key with its certificate; immutable, safe to share between threads.

    `certificates` is the signer's certificate in DER, or a sequence that begins with it (up
    to five; the engine needs the signer's only).  `algorithm` is a name such as "PS256";
    without it RS256, ES256, ES384 or EdDSA is taken, as the key is.  ECDSA is deterministic
    (RFC 6979).

    Raises SignatureRefusedError: `signature.key` when key, certificate and algorithm don't go
    together or the key is too short, `signature.algorithm` for an unknown name,
    `certificate.malformed` when the certificate can't be read.
    """

    def __init__(
        self,
        key: SigningKey,
        certificates: bytes | Sequence[bytes],
        algorithm: str | None = None,
    ) -> None:
        chain = (certificates,) if isinstance(certificates, bytes) else tuple(certificates)
        own = read_certificate(chain[0])
        public = check_key(own.parsed.public_key())
        if _spki(public) != _spki(key.public_key()):
            raise SignatureRefusedError("signature.key", reason="it is not the certificate's")
        if algorithm is not None and algorithm not in ALGORITHMS:
            raise SignatureRefusedError("signature.algorithm", algorithm=algorithm)
        chosen = ALGORITHMS[algorithm] if algorithm else default_algorithm(public)
        check_fit(chosen, public)
        self._key = key
        self._algorithm = chosen
        self._certificate = own
        self._protected = write_header(chosen, chain)

    @classmethod
    def from_files(
        cls,
        key_file: str | Path,
        certificate_file: str | Path,
        password: bytes | None = None,
        algorithm: str | None = None,
    ) -> Signer:
        """Read a PEM key (PKCS #8 or traditional) and PEM or DER certificates.

        Raises OSError, ValueError for what is no key or certificate, TypeError for a missing
        or needless password, and what the class raises.
        """
        key = serialization.load_pem_private_key(Path(key_file).read_bytes(), password)
        if not isinstance(
            key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
        ):
            raise SignatureRefusedError("signature.key", reason="unknown kind of key")
        raw = Path(certificate_file).read_bytes()
        if not raw.lstrip().startswith(b"-----BEGIN"):
            return cls(key, raw, algorithm)
        chain = x509.load_pem_x509_certificates(raw)
        der = [one.public_bytes(serialization.Encoding.DER) for one in chain]
        return cls(key, der, algorithm)

    @property
    def algorithm(self) -> str:
        """The name of the algorithm, as in `alg`."""
        return self._algorithm.name

    @property
    def certificate_der(self) -> bytes:
        """The signer's certificate in DER."""
        return self._certificate.der

    @property
    def certificate_sha256(self) -> str:
        """SHA-256 of the signer's certificate, in hex."""
        return self._certificate.sha256.hex()

    @property
    def subject(self) -> str:
        """The subject of the signer's certificate (RFC 4514)."""
        return self._certificate.subject

    def sign(self, payload: bytes) -> SignatureEntry:
        """Return a signature entry of form "jws" over exactly these bytes."""
        signature = sign_raw(self._algorithm, self._key, signing_input(self._protected, payload))
        return SignatureEntry(
            form="jws", protected=self._protected, signature=encode_url(signature)
        )


def encode_document(document: Document) -> bytes:
    """Return the payload bytes of a document: compact JSON, fields in the order of the model.

    Fields that hold their default are left out.
    """
    return _document_encoder.encode(document)


def make_envelope(
    document: Document | bytes,
    signers: Iterable[Signer],
    contents: Iterable[bytes | InlineContent] = (),
    idempotency_key: str | None = None,
) -> Envelope:
    """Return a signed envelope of a document (or of payload bytes encoded before).

    `contents` are the bytes of attachments that travel inline; each is joined by its SHA-256
    to an attachment the document names.
    """
    payload = document if isinstance(document, bytes) else encode_document(document)
    return Envelope(
        version=ENVELOPE_VERSION,
        payload=payload,
        signatures=tuple(signer.sign(payload) for signer in signers),
        contents=tuple(_content(content) for content in contents),
        idempotency_key=idempotency_key,
    )


def _content(content: bytes | InlineContent) -> InlineContent:
    if isinstance(content, InlineContent):
        return content
    return InlineContent(sha256=hashlib.sha256(content).hexdigest(), content=content)


def _spki(key: rsa.RSAPublicKey | ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey) -> bytes:
    return key.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
