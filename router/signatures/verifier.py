"""Verification in batches: every signature of every document, on a pool of threads.

A document is good when it has at least one signature entry and all of its entries are good:
header and spelling (`jws`), signer's certificate (`certificates`), the signature itself
(`algorithms`), and the path to a trusted authority with what is known of revocation, judged for
the signing instant given (the time of receipt: no time of signing that a sender writes is
believed).  Nothing is fetched from anywhere.  Whether the certificate speaks for the sender is
asked afterwards (`TrustStore.bound_unit`), by who knows sender and issue time.

Signatures are hot (`hot`), paths are cold (`cold`): a batch verifies all of its signatures
first, then waits a bounded time for paths that were not known (`caches`).
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from time import monotonic
from typing import Final, TypeVar

from router.errors import ClosedError, SignatureRefusedError
from router.limits import (
    COLD_PATHS_MAX,
    COLD_WAIT_S,
    VERIFY_CHUNK_DOCUMENTS,
    VERIFY_INLINE_DOCUMENTS_MAX,
    VERIFY_THREADS_MAX,
)
from router.signatures.caches import Caches, RevocationSource, Sizes
from router.signatures.cold import ColdPaths
from router.signatures.hot import Batch, Signed, read_signer
from router.signatures.paths import judge_path, make_ready
from router.signatures.revocation_view import RevocationView
from router.signatures.trust import TrustStore
from router.signatures.verdicts import Verdict

_T = TypeVar("_T")
_NOTHING_KNOWN: Final = RevocationView({}, {}, 0, 0)


class Verifier:
    """Verifies batches on a pool of threads; thread-safe.

    `threads` is how many verify at once (default: one for each processor this process may
    use), the calling one among them; small batches are verified by the calling thread alone.
    `cold_wait_s` is how long a batch waits for paths that are not known; a document whose path
    is not judged by then is "indeterminate", the check goes on, and a later batch finds it.
    """

    def __init__(self, threads: int | None = None, cold_wait_s: float = COLD_WAIT_S) -> None:
        wanted = threads if threads is not None else len(os.sched_getaffinity(0))
        self._threads = max(1, min(wanted, VERIFY_THREADS_MAX))
        self._cold_wait_s = cold_wait_s
        self._lock = threading.Lock()  # guards _pool and _closed
        self._pool: ThreadPoolExecutor | None = None
        self._closed = False
        self._caches = Caches()
        self._cold = ColdPaths(self._caches, judge_path)

    def verify_batch(
        self,
        items: Sequence[Signed],
        trust: TrustStore,
        revocation: RevocationSource | None,
        at_us: int,
        cold_wait_s: float | None = None,
    ) -> list[Verdict]:
        """Return the verdicts in the order of the items, judged for the instant `at_us`.

        Trust and revocation are looked at once, so that all verdicts are of one version of
        each.  `cold_wait_s` stands for the verifier's own in this batch.  Never raises for
        what a document holds.  Raises ClosedError `engine.closed`.
        """
        return self._judge(items, Batch.verify, trust, revocation, at_us, cold_wait_s)

    def verify_envelopes(
        self,
        raws: Sequence[bytes],
        trust: TrustStore,
        revocation: RevocationSource | None,
        at_us: int,
    ) -> list[Verdict]:
        """Return the verdicts over envelopes as they travel (JSON), read by the pool.

        Reads what signatures need only: whether the document itself is one that is taken is
        not asked.  What is no envelope is "invalid".  Else as `verify_batch`.
        """
        return self._judge(raws, Batch.verify_raw, trust, revocation, at_us)

    def warm(
        self,
        headers: Iterator[str],
        trust: TrustStore,
        revocation: RevocationSource,
        now_us: Callable[[], int],
        *,
        ready: bool = False,
    ) -> None:
        """Have the paths of signers judged that will send again, while nobody waits for them.

        `headers` are the protected headers of their signatures, the most wanted first; it is
        asked on the cold thread, and an empty one gives way to others.  Returns at once; ends
        by itself when as many paths are remembered as may be, at the latest with `close`.  With
        `ready` what judges paths is loaded even if there are no headers: a first document of
        a daemon would else wait some 70 ms for it.
        """
        if ready:
            self._cold.beside(make_ready())
        self._cold.beside(self._warming(headers, trust, revocation, now_us))

    def _warming(
        self,
        headers: Iterator[str],
        trust: TrustStore,
        revocation: RevocationSource,
        now_us: Callable[[], int],
    ) -> Iterator[None]:
        asked, bound = 0, self._caches.paths.entries_max
        for protected in headers:
            if asked >= bound or len(self._caches.paths) >= bound:
                return
            if protected:
                asked += 1
                with suppress(SignatureRefusedError):  # taken by an earlier version only
                    signer = read_signer(protected)
                    self._cold.ask(signer, trust.view, revocation.view, now_us())
            yield

    @property
    def warming(self) -> bool:
        """Whether `warm` has not come to its end."""
        return self._cold.busy_beside

    def sizes(self) -> Sizes:
        """Return how much is remembered, and how many paths wait to be checked."""
        return self._caches.sizes(self._cold.waiting, COLD_PATHS_MAX)

    @property
    def landed_late(self) -> int:
        """How many paths were decided after a batch gave up waiting for them."""
        return self._cold.landed_late

    def close(self) -> None:
        """Stop the pools after the batches under way; idempotent."""
        with self._lock:
            self._closed = True
            pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown()
        self._cold.close()

    def _judge(
        self,
        items: Sequence[_T],
        judge: Callable[[Batch, Sequence[_T], int, list[Verdict | None]], None],
        trust: TrustStore,
        revocation: RevocationSource | None,
        at_us: int,
        cold_wait_s: float | None = None,
    ) -> list[Verdict]:
        if self._closed:
            raise ClosedError("engine.closed")
        known = _NOTHING_KNOWN if revocation is None else revocation.view
        batch = Batch(self._caches, self._cold, trust.view, known, at_us)
        results: list[Verdict | None] = [None] * len(items)

        def verify(first: int, end: int) -> None:
            judge(batch, items[first:end], first, results)

        self._spread(len(items), verify)
        if batch.pending:
            wait_s = self._cold_wait_s if cold_wait_s is None else cold_wait_s
            batch.settle(monotonic() + wait_s, results)
        return [verdict for verdict in results if verdict is not None]

    def _spread(self, count: int, verify: Callable[[int, int], None]) -> None:
        """Have `verify` called for every chunk of `count` documents, by all threads.

        They take the next chunk from one iterator, so that none waits for a slower one; the
        calling thread works along.
        """
        if count <= VERIFY_INLINE_DOCUMENTS_MAX or self._threads == 1:
            verify(0, count)
            return
        size = min(VERIFY_CHUNK_DOCUMENTS, -(-count // self._threads))
        chunks = iter(range(0, count, size))  # `next` is one step of the interpreter

        def work() -> None:
            for first in chunks:
                verify(first, min(first + size, count))

        helpers = self._started(min(self._threads, -(-count // size)) - 1, work)
        try:
            work()
        finally:
            for helper in helpers:
                if not helper.cancel():
                    helper.result()

    def _started(self, count: int, work: Callable[[], None]) -> list[Future[None]]:
        with self._lock:
            if self._closed:
                raise ClosedError("engine.closed")
            if self._pool is None:
                self._pool = ThreadPoolExecutor(self._threads - 1, thread_name_prefix="verify")
            return [self._pool.submit(work) for _ in range(count)]
