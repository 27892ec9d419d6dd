"""Verification in batches: every signature of every document, on a pool of threads.

A document is good when it has at least one signature entry and all of its entries are good:
header and spelling (`jws`), signer's certificate (`certificates`), its issuer in the trust
store, both valid at the instant given (the time of receipt: no time of signing that a sender
writes is believed), and the signature itself.  Nothing is fetched from anywhere.

Revocation is not judged in this version.  Whether the certificate speaks for the sender is
asked afterwards (`TrustStore.bound_unit`), by who knows sender and issue time.

Headers of one signer repeat letter for letter, so what was read is remembered, bounded by
`CERTIFICATE_CACHE_ENTRIES_MAX`; only entries that were found trusted enter, so that junk
can't push out what is used.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import msgspec

from router.errors import ClosedError, SignatureRefusedError
from router.limits import (
    CERTIFICATE_CACHE_ENTRIES_MAX,
    SIGNATURES_MAX,
    VERIFY_CHUNK_DOCUMENTS,
    VERIFY_INLINE_DOCUMENTS_MAX,
    VERIFY_THREADS_MAX,
)
from router.model.documents import SignatureEntry
from router.signatures.algorithms import Algorithm, VerifyingKey, check_fit, verify_raw
from router.signatures.authorities import TrustView
from router.signatures.certificates import (
    Certificate,
    check_leaf,
    check_validity,
    read_certificate,
)
from router.signatures.jws import check_form, read_header, read_signature, signing_input
from router.signatures.trust import TrustStore
from router.signatures.verdicts import SignatureVerdict, Verdict


class VerifyItem(msgspec.Struct, frozen=True):
    """One document to verify: the signed bytes as received, and its signature entries."""

    payload: bytes
    signatures: tuple[SignatureEntry, ...]


class _Signer(NamedTuple):
    """A protected header that was read and found trusted."""

    algorithm: Algorithm
    key: VerifyingKey
    certificate: Certificate


class Verifier:
    """Verifies batches on a pool of threads; thread-safe.

    `threads` is the size of the pool (default: one for each processor this process may use).
    Small batches are verified by the calling thread.
    """

    def __init__(self, threads: int | None = None) -> None:
        wanted = threads if threads is not None else len(os.sched_getaffinity(0))
        self._threads = max(1, min(wanted, VERIFY_THREADS_MAX))
        self._lock = threading.Lock()  # guards _pool and _closed
        self._pool: ThreadPoolExecutor | None = None
        self._closed = False
        self._signers = _Cache(CERTIFICATE_CACHE_ENTRIES_MAX)

    def verify_batch(
        self, items: Sequence[VerifyItem], trust: TrustStore, at_us: int
    ) -> list[Verdict]:
        """Return the verdicts in the order of the items, judged at the instant `at_us`.

        Never raises for what a document holds.  Raises ClosedError `engine.closed`.
        """
        if self._closed:
            raise ClosedError("engine.closed")
        view = trust.view
        if len(items) <= VERIFY_INLINE_DOCUMENTS_MAX or self._threads == 1:
            return self._verify_chunk(items, view, at_us)
        size = min(VERIFY_CHUNK_DOCUMENTS, -(-len(items) // self._threads))
        chunks = [items[start : start + size] for start in range(0, len(items), size)]
        pool = self._started_pool()
        # The calling thread takes the last chunk itself instead of only waiting.
        futures = [pool.submit(self._verify_chunk, chunk, view, at_us) for chunk in chunks[:-1]]
        last = self._verify_chunk(chunks[-1], view, at_us)
        verdicts = [verdict for future in futures for verdict in future.result()]
        return verdicts + last

    def close(self) -> None:
        """Stop the pool after the batches under way; idempotent."""
        with self._lock:
            self._closed = True
            pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown()

    def _started_pool(self) -> ThreadPoolExecutor:
        with self._lock:
            if self._closed:
                raise ClosedError("engine.closed")
            if self._pool is None:
                self._pool = ThreadPoolExecutor(self._threads, thread_name_prefix="verify")
            return self._pool

    def _verify_chunk(
        self, items: Sequence[VerifyItem], view: TrustView, at_us: int
    ) -> list[Verdict]:
        return [self._verify(item, view, at_us) for item in items]

    def _verify(self, item: VerifyItem, view: TrustView, at_us: int) -> Verdict:
        place = -1
        verdicts: list[SignatureVerdict] = []
        try:
            _check_count(item)
            for place, entry in enumerate(item.signatures):  # noqa: B007 (the except needs it)
                verdicts.append(self._verify_entry(entry, item.payload, view, at_us))
        except SignatureRefusedError as error:
            path = "signatures" if place < 0 else f"signatures[{place}]"
            return Verdict(
                status="invalid",
                trust_version=view.version,
                code=error.code,
                path=f"{path}.{error.path}" if error.path else path,
                facts=error.facts,
            )
        return Verdict(status="valid", trust_version=view.version, signatures=tuple(verdicts))

    def _verify_entry(
        self, entry: SignatureEntry, payload: bytes, view: TrustView, at_us: int
    ) -> SignatureVerdict:
        check_form(entry)
        digest = hashlib.sha256(entry.protected.encode("utf-8", "surrogatepass")).digest()
        known = self._signers.get(digest)
        signer = known or _read_signer(entry.protected)
        certificate = signer.certificate
        try:
            issuer = view.issuer_of(certificate, at_us)
            check_validity(certificate, at_us, "signer")
            check_validity(issuer, at_us, "issuer")
        except SignatureRefusedError as error:
            raise _in_certificate(error) from None
        if known is None:
            self._signers.put(digest, signer)
        signature = read_signature(entry.signature)
        try:
            verify_raw(
                signer.algorithm, signer.key, signature, signing_input(entry.protected, payload)
            )
        except SignatureRefusedError as error:
            error.path = "signature"
            raise
        return SignatureVerdict(
            certificate_sha256=certificate.sha256.hex(),
            subject=certificate.subject,
            issuer=certificate.issuer,
            serial=certificate.serial,
            algorithm=signer.algorithm.name,
            valid_from=certificate.valid_from,
            valid_to=certificate.valid_to,
        )


class _Cache:
    """Signers by the SHA-256 of their protected header; the least recently added goes first."""

    def __init__(self, entries_max: int) -> None:
        self._entries_max = entries_max
        self._lock = threading.Lock()  # guards _entries against two writers
        self._entries: dict[bytes, _Signer] = {}

    def get(self, digest: bytes) -> _Signer | None:
        """Return what is remembered, or None."""
        return self._entries.get(digest)

    def put(self, digest: bytes, signer: _Signer) -> None:
        """Remember, and forget the oldest when full."""
        with self._lock:
            if digest not in self._entries and len(self._entries) >= self._entries_max:
                del self._entries[next(iter(self._entries))]
            self._entries[digest] = signer


def _check_count(item: VerifyItem) -> None:
    if not item.signatures:
        raise SignatureRefusedError("signature.missing")
    if len(item.signatures) > SIGNATURES_MAX:
        raise SignatureRefusedError(
            "signature.malformed", reason=f"more than {SIGNATURES_MAX} signatures"
        )


def _read_signer(protected: str) -> _Signer:
    header = read_header(protected)
    try:
        certificate = read_certificate(header.certificates[0])
        key = check_leaf(certificate)
        check_fit(header.algorithm, key)
    except SignatureRefusedError as error:
        raise _in_certificate(error) from None
    return _Signer(header.algorithm, key, certificate)


def _in_certificate(error: SignatureRefusedError) -> SignatureRefusedError:
    error.path = "protected.x5c[0]"
    return error
