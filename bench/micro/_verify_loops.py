"""Both sides of the suite `verify`: our verifier over envelopes, and loops that only verify."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Final, TypeVar

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, utils

from router.model.documents import SignatureEntry
from router.signatures import TrustStore, Verdict, Verifier
from router.signatures.algorithms import VerifyingKey
from router.signatures.encoding import decode_url
from router.signatures.jws import signing_input
from router.signatures.revocation import RevocationStore
from router.signatures.trust import AuthorityTrusted
from vanban_bench.workloads.signed_batches import AT_US, Authorities, Sent

_SHA256: Final = hashes.SHA256()
_T = TypeVar("_T")


def answers(found: Sequence[bool]) -> bytes:
    """Return which documents were good, one byte each."""
    return bytes(found)


class Judged:
    """A verifier with the authorities trusted and their lists of revoked certificates known."""

    def __init__(self, authorities: Authorities, verifier: Verifier) -> None:
        self.authorities = authorities
        self.verifier = verifier
        self.trust = TrustStore()
        self.trust.apply(AuthorityTrusted(authorities.root.der, "root"), 1)
        for sequence, issuer in enumerate(authorities.issuers, start=2):
            self.trust.apply(AuthorityTrusted(issuer.der, "intermediate"), sequence)
        self.revocation = RevocationStore()
        for der in authorities.lists:
            self.revocation.add(der, self.trust.view, AT_US)

    def __enter__(self) -> Judged:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.verifier.close()

    def verify(self, raws: Sequence[bytes]) -> list[Verdict]:
        """Return the verdicts over one batch of envelopes."""
        return self.verifier.verify_envelopes(raws, self.trust, self.revocation, AT_US)

    def verifying(self, batches: Sequence[Sequence[bytes]]) -> Callable[[], list[bool]]:
        """Return what verifies all batches, one after the other, and says which are valid."""

        def verify() -> list[bool]:
            found: list[bool] = []
            for raws in batches:
                found += [verdict.status == "valid" for verdict in self.verify(raws)]
            return found

        return verify


class BareLoop:
    """Verifies prepared signatures on so many threads, an equal part on each."""

    def __init__(self, sent: Sequence[Sent], threads: int) -> None:
        self._parts = parted([_prepared(one) for one in sent], threads)
        self._pool = ThreadPoolExecutor(threads)

    def __call__(self) -> list[bool]:
        """Return which signatures are good."""
        return [good for part in self._pool.map(_verify_all, self._parts) for good in part]


class HashLoop:
    """Hashes each payload, and one node, on so many threads: what no tree can do without."""

    def __init__(self, payloads: Sequence[bytes], threads: int) -> None:
        self._parts = parted(payloads, threads)
        self._pool = ThreadPoolExecutor(threads)

    def __call__(self) -> int:
        """Return how many documents were hashed."""
        return sum(self._pool.map(_hash_all, self._parts))


def parted(items: Sequence[_T], parts: int) -> list[Sequence[_T]]:
    """Return the items in so many runs of about equal length."""
    size = -(-len(items) // parts)
    return [items[first : first + size] for first in range(0, len(items), size)]


def _verify_all(calls: Sequence[Callable[[], None]]) -> list[bool]:
    found = []
    for call in calls:
        try:
            call()
        except InvalidSignature:
            found.append(False)
        else:
            found.append(True)
    return found


def _hash_all(payloads: Sequence[bytes]) -> int:
    sha256 = hashlib.sha256
    node = b"\x01" + bytes(64)
    for payload in payloads:
        sha256(b"\x00" + payload).digest()
        sha256(node).digest()
    return len(payloads)


def _prepared(sent: Sent) -> Callable[[], None]:
    entry: SignatureEntry = sent.entry
    key: VerifyingKey = sent.key
    message = signing_input(entry.protected, sent.payload)
    raw = decode_url(entry.signature)
    if isinstance(key, ed25519.Ed25519PublicKey):
        verify_ed25519 = key.verify
        return lambda: verify_ed25519(raw, message)
    if isinstance(key, ec.EllipticCurvePublicKey):
        half = len(raw) // 2
        numbers = (int.from_bytes(raw[:half], "big"), int.from_bytes(raw[half:], "big"))
        der, scheme, verify_ec = utils.encode_dss_signature(*numbers), ec.ECDSA(_SHA256), key.verify
        return lambda: verify_ec(der, message, scheme)
    verify_rsa, filling = key.verify, padding.PKCS1v15()
    return lambda: verify_rsa(raw, message, filling, _SHA256)
