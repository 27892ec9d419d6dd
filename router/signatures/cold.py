"""Cold checks: judging a path takes milliseconds, so it is done beside the hot batches.

A check is asked for after the signature over the document was found good, so that a stranger
can't fill the line with certificates whose key he does not hold.  Equal questions in flight are
joined; the line is bounded, and a full line is said (`ask` returns None): the document waits
and is asked about again.
"""

from __future__ import annotations

import hashlib
import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from time import monotonic, sleep
from typing import Final

from router.errors import SignatureRefusedError, VanbanError
from router.limits import COLD_PATHS_MAX, COLD_PAUSE_S
from router.signatures.authorities import TrustView
from router.signatures.caches import (
    Caches,
    KnownPath,
    RevocationSnapshot,
    Signer,
    stamps_of,
)
from router.signatures.certificates import Certificate, read_certificate
from router.signatures.names import authority_id
from router.signatures.paths import PathVerdict
from router.signatures.revocation_view import Links

_log = logging.getLogger("router.signatures")
_COLD_THREADS: Final = 1


Judge = Callable[
    [Certificate, Sequence[Certificate], TrustView, RevocationSnapshot, int], PathVerdict
]


class Flight:
    """One check under way; `path` is None until it is done, and when it failed.

    `left` is whether somebody gave up waiting for it.
    """

    __slots__ = ("_done", "authorities", "left", "path")

    def __init__(self, authorities: object) -> None:
        self.authorities = authorities
        self.left = False
        self.path: KnownPath | None = None
        self._done = threading.Event()

    def wait(self, until: float) -> KnownPath | None:
        """Return what was found, waiting at most until `until` (monotonic seconds)."""
        if not self._done.wait(max(0.0, until - monotonic())):
            self.left = True  # before `path` is read: then it is seen, or `left` is
        return self.path

    def land(self, path: KnownPath | None) -> None:
        """Say what was found, or None when the check failed."""
        self.path = path
        self._done.set()


class ColdPaths:
    """The line of checks and who does them; thread-safe.  What is found enters the caches.

    `landed_late` counts the decided paths that somebody had given up waiting for.
    """

    def __init__(self, caches: Caches, judge: Judge) -> None:
        self._caches = caches
        self._judge = judge
        self.landed_late = 0  # written by the one cold thread
        self._lock = threading.Lock()  # guards the four below
        self._flights: dict[bytes, Flight] = {}
        self._pool: ThreadPoolExecutor | None = None
        self._closed = False
        self._beside = 0  # works of `beside` that are not at their end

    @property
    def busy_beside(self) -> bool:
        """Whether anything given to `beside` is still to be done."""
        return self._beside > 0

    @property
    def waiting(self) -> int:
        """How many checks are in the line or being done."""
        return len(self._flights)

    def ask(
        self,
        signer: Signer,
        view: TrustView,
        revocation: RevocationSnapshot,
        at_us: int,
    ) -> Flight | None:
        """Put a check in the line, or join the one under way; None when the line is full.

        What landed since the caller looked is taken from the caches: a check enters them
        before its flight is forgotten.
        """
        key = signer.path_key
        with self._lock:
            flight = self._flights.get(key)
            if flight is not None and flight.authorities is view.authorities:
                return flight
            landed = self._caches.path(key)
            if landed is not None and landed.holds(view.authorities, revocation, at_us):
                flight = Flight(view.authorities)
                flight.land(landed)
                return flight
            if self._closed or flight is not None or len(self._flights) >= COLD_PATHS_MAX:
                return None
            certificate = signer.certificate
            assert certificate is not None
            flight = self._flights[key] = Flight(view.authorities)
            self._started().submit(
                self._check, key, flight, certificate, signer.others, view, revocation, at_us
            )
            return flight

    def beside(self, work: Iterator[object]) -> None:
        """Do work on the cold thread a step at a time, each behind all checks in the line.

        What it raises ends it, and is logged.
        """
        with self._lock:
            if not self._closed:
                self._beside += 1
                self._started().submit(self._step, work, monotonic())

    def _step(self, work: Iterator[object], before: float) -> None:
        """Take one step; pause first for as long as the last took, when nobody waits."""
        if not self._flights:
            sleep(min(monotonic() - before, COLD_PAUSE_S))
        begun = monotonic()
        try:
            next(work)
        except StopIteration:
            self._ended()
        except VanbanError as error:
            _log.debug("work beside the paths was left: %s", error)
            self._ended()
        except Exception:
            _log.exception("work beside the paths failed")
            self._ended()
        else:
            with self._lock:
                if not self._closed:
                    self._started().submit(self._step, work, begun)

    def _ended(self) -> None:
        with self._lock:
            self._beside -= 1

    def _started(self) -> ThreadPoolExecutor:
        if self._pool is None:
            self._pool = ThreadPoolExecutor(_COLD_THREADS, thread_name_prefix="paths")
        return self._pool

    def close(self) -> None:
        """Drop what is in the line and wait for what is being done; idempotent."""
        with self._lock:
            self._closed = True
            pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown(cancel_futures=True)
        with self._lock:
            dropped, self._flights = self._flights, {}
            self._beside = 0
        for flight in dropped.values():
            flight.land(None)

    def _check(
        self,
        key: bytes,
        flight: Flight,
        certificate: Certificate,
        others: tuple[bytes, ...],
        view: TrustView,
        revocation: RevocationSnapshot,
        at_us: int,
    ) -> None:
        path = None
        try:
            verdict = self._judge(certificate, _readable(others), view, revocation, at_us)
            path = known_path(verdict, certificate, view.authorities, revocation)
            self._caches.keep(key, path)
        except Exception:  # a flaw of ours: the document waits, the next check goes on
            _log.exception("a path could not be judged")
        finally:
            with self._lock:
                self._flights.pop(key, None)
            flight.land(path)
            if flight.left and path is not None and path.status != "indeterminate":
                self.landed_late += 1


def path_key(certificates: Sequence[bytes]) -> bytes:
    """Return the digest of the certificates of one header (DER), in their order."""
    hasher = hashlib.sha256()
    for der in certificates:
        hasher.update(hashlib.sha256(der).digest())
    return hasher.digest()


def known_path(
    verdict: PathVerdict,
    leaf: Certificate,
    authorities: object,
    revocation: RevocationSnapshot,
) -> KnownPath:
    """Return a verdict in the form that is remembered."""
    chain = verdict.chain
    links = _links_of(chain)
    # What is known of a certificate by one key is the same beside: the path itself asks for it.
    own = {(authority_id(issuer), serial) for issuer, serial in links}
    beside = tuple(
        dict.fromkeys(
            (issuer, serial)
            for one in verdict.beside
            for issuer, serial in _links_of(one)
            if (authority_id(issuer), serial) not in own
        )
    )
    return KnownPath(
        status=verdict.status,
        code=verdict.code,
        facts=verdict.facts,
        where=verdict.path,
        chain=tuple(one.sha256.hex() for one in chain) or (leaf.sha256.hex(),),
        links=links,
        evidence=verdict.evidence,
        missing=verdict.missing,
        good_from=verdict.good_from,
        good_until=verdict.good_until,
        authorities=authorities,
        stamps=stamps_of(links + verdict.signers, revocation),
        revocation_version=revocation.version,
        signers=verdict.signers,
        beside=beside,
        beside_stamps=stamps_of(beside, revocation),
        span_from=verdict.span_from,
        span_until=verdict.span_until,
    )


def _links_of(chain: Sequence[Certificate]) -> Links:
    return tuple(
        (issuer, certificate.parsed.serial_number) for certificate, issuer in pairwise(chain)
    )


def _readable(others: Sequence[bytes]) -> list[Certificate]:
    """Return what can be read of the certificates a sender sent along; they prove nothing."""
    found = []
    for der in others:
        try:
            found.append(read_certificate(der))
        except SignatureRefusedError:
            continue
    return found
