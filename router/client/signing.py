"""Signing: from a document to the envelope that travels (docs/envelope.md).

A `Signer` holds one key and its certificate and signs payload bytes.  The bytes that are
signed are the bytes that are sent: encode a document once, sign that, send that.

Many documents are signed together (`Signer.sign_many`, `make_envelopes`): one signature over
the root of their tree, for up to 2^20 of them, so that a token is asked once and the receiver
verifies one signature.  Each envelope carries its own proof and travels alone.

Keys come from files here, from a PKCS #11 token by `router.client.signing_tokens`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Protocol, overload

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
    Algorithm,
    SigningKey,
    VerifyingKey,
    check_key,
    checker,
    default_algorithm,
    sign_raw,
)
from router.signatures.certificates import Certificate, read_certificate
from router.signatures.encoding import encode_url
from router.signatures.jws import signing_input, write_header
from router.signatures.trees import Tree, leaf_hash, root_statement

_document_encoder = msgspec.json.Encoder()


class HeldKey(Protocol):
    """A private key that is held elsewhere (a token, a signing service)."""

    def sign_message(self, algorithm: Algorithm, message: bytes) -> bytes:
        """Return a signature over the message, in the form of JWS (ECDSA: r then s)."""


class SignedTree(Sequence[SignatureEntry]):
    """The entries of documents that were signed together, in their order.

    Holds 64 bytes a document; an entry is made when it is asked for.
    """

    def __init__(self, tree: Tree, protected: str, signature: str) -> None:
        self._tree = tree
        self._protected = protected
        self._signature = signature

    def __len__(self) -> int:
        return self._tree.size

    @overload
    def __getitem__(self, place: int) -> SignatureEntry: ...

    @overload
    def __getitem__(self, place: slice) -> list[SignatureEntry]: ...

    def __getitem__(self, place: int | slice) -> SignatureEntry | list[SignatureEntry]:
        """Return the entry of one document, or of several.  Raises IndexError."""
        places = range(self._tree.size)[place]
        if isinstance(places, range):
            return [self._entry(one) for one in places]
        return self._entry(places)

    def of(self, index: int, payload: bytes) -> SignatureEntry:
        """Return the entry of one document, seeing that it is the one that was signed.

        Raises SignatureRefusedError `tree.index`, `tree.proof`.
        """
        if leaf_hash(payload) != self._tree.leaf(index):
            raise SignatureRefusedError("tree.proof", path=f"documents[{index}]")
        return self._entry(index)

    def _entry(self, index: int) -> SignatureEntry:
        return SignatureEntry(
            form="merkle",
            protected=self._protected,
            signature=self._signature,
            tree=self._tree.place(index),
        )


class Signer:
    """One private key with its certificate; immutable, safe to share between threads.

    `key` is a private key of `cryptography`, or one that is held elsewhere (`HeldKey`).
    `certificates` is the signer's certificate in DER, or a sequence that begins with it (up
    to five; the engine needs the signer's only).  `algorithm` is a name such as "PS256";
    without it RS256, ES256, ES384 or EdDSA is taken, as the key is.  ECDSA is deterministic
    (RFC 6979).

    Raises SignatureRefusedError: `signature.key_pair` when the key is not the certificate's (one
    that is held elsewhere is found out when it signs), `signature.key_kind` when the algorithm is
    for other keys, `signature.key` for a key that is too short, `signature.algorithm` for
    an unknown name, `certificate.malformed` when the certificate can't be read.
    """

    def __init__(
        self,
        key: SigningKey | HeldKey,
        certificates: bytes | Sequence[bytes],
        algorithm: str | None = None,
    ) -> None:
        chain = (certificates,) if isinstance(certificates, bytes) else tuple(certificates)
        own = read_certificate(chain[0])
        public = check_key(own.parsed.public_key())
        if algorithm is not None and algorithm not in ALGORITHMS:
            raise SignatureRefusedError("signature.algorithm", algorithm=algorithm)
        chosen = ALGORITHMS[algorithm] if algorithm else default_algorithm(public)
        verify = checker(chosen, public)
        self._algorithm = chosen
        self._certificate = own
        self._chain = chain
        self._protected = write_header(chosen, chain)
        self._sign = _signing(key, chosen, own, verify)

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
        return cls(key, cls.read_certificates(certificate_file), algorithm)

    @staticmethod
    def read_certificates(file: str | Path) -> list[bytes]:
        """Return the certificates of a PEM or DER file in DER, in their order.

        Raises OSError, ValueError for PEM that holds none.
        """
        raw = Path(file).read_bytes()
        if not raw.lstrip().startswith(b"-----BEGIN"):
            return [raw]
        chain = x509.load_pem_x509_certificates(raw)
        return [one.public_bytes(serialization.Encoding.DER) for one in chain]

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
        signature = self._sign(signing_input(self._protected, payload))
        return SignatureEntry(
            form="jws", protected=self._protected, signature=encode_url(signature)
        )

    def sign_many(self, payloads: Iterable[bytes]) -> SignedTree:
        """Return the entries of form "merkle" of many documents, with one signature in all.

        The payloads are read once, in their order, and not kept.  Raises SignatureRefusedError
        `tree.size` for none of them, or more than 2^20.
        """
        return self.sign_tree(Tree(map(leaf_hash, payloads)))

    def sign_tree(self, tree: Tree) -> SignedTree:
        """Return the entries of the documents of a tree that was built before."""
        protected = write_header(self._algorithm, self._chain, "merkle")
        statement = root_statement(tree.size, tree.root)
        signature = self._sign(signing_input(protected, statement))
        return SignedTree(tree, protected, encode_url(signature))


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
    payload = _payload(document)
    return Envelope(
        version=ENVELOPE_VERSION,
        payload=payload,
        signatures=tuple(signer.sign(payload) for signer in signers),
        contents=tuple(_content(content) for content in contents),
        idempotency_key=idempotency_key,
    )


def make_envelopes(
    documents: Sequence[Document | bytes],
    signers: Iterable[Signer],
    contents: Sequence[Iterable[bytes | InlineContent]] = (),
) -> Iterator[Envelope]:
    """Return an iterator of the signed envelopes of many documents, in their order.

    Every signer signs once, for all of them together.  `contents` are the inline attachments
    of each document, or nothing at all.  The signatures are made at once, the envelopes one by
    one: `documents` is gone through twice and may make its items anew (a sequence over files,
    say), so that memory stays at 64 bytes a document.

    Raises SignatureRefusedError `tree.size` for none, or more than 2^20, and `tree.proof`, when
    its turn comes, for a document that is another one the second time.
    """
    if contents and len(contents) != len(documents):
        raise ValueError("contents are given for all documents or for none")
    tree = Tree(leaf_hash(_payload(document)) for document in documents)
    signed = [signer.sign_tree(tree) for signer in signers]
    return _envelopes(documents, signed, contents)


def _envelopes(
    documents: Sequence[Document | bytes],
    signed: Sequence[SignedTree],
    contents: Sequence[Iterable[bytes | InlineContent]],
) -> Iterator[Envelope]:
    for index, document in enumerate(documents):
        payload = _payload(document)
        yield Envelope(
            version=ENVELOPE_VERSION,
            payload=payload,
            signatures=tuple(entries.of(index, payload) for entries in signed),
            contents=tuple(_content(one) for one in (contents[index] if contents else ())),
        )


def _payload(document: Document | bytes) -> bytes:
    return document if isinstance(document, bytes) else encode_document(document)


def _content(content: bytes | InlineContent) -> InlineContent:
    if isinstance(content, InlineContent):
        return content
    return InlineContent(sha256=hashlib.sha256(content).hexdigest(), content=content)


def _signing(
    key: SigningKey | HeldKey,
    algorithm: Algorithm,
    own: Certificate,
    verify: Callable[[bytes, bytes], None],
) -> Callable[[bytes], bytes]:
    """Return what signs a message.

    A key at hand is compared with the certificate's now.  What a key held elsewhere signs is
    verified before it leaves: its public half may not be told, and tokens fail in silence.
    """
    if isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey):
        if _spki(check_key(own.parsed.public_key())) != _spki(key.public_key()):
            raise SignatureRefusedError("signature.key_pair", subject=own.subject)
        return partial(sign_raw, algorithm, key)

    def sign(message: bytes) -> bytes:
        signature = key.sign_message(algorithm, message)
        try:
            verify(signature, message)
        except SignatureRefusedError:
            raise SignatureRefusedError("signature.key_pair", subject=own.subject) from None
        return signature

    return sign


def _spki(key: VerifyingKey) -> bytes:
    return key.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
