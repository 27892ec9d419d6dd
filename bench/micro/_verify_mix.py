"""The row `verify/mix`: a hundred signers, and new ones throughout the run.

There are several issuers, a long list of revoked certificates, and three algorithms; the paths
of new signers are judged beside the signatures of the known ones.
"""

from __future__ import annotations

import statistics
from time import perf_counter
from typing import Final

from router.signatures import Verifier
from vanban_bench.micro._verify_loops import BareLoop, Judged, answers
from vanban_bench.rows import DigestMismatchError, Row, digest_text
from vanban_bench.workloads.signed_batches import (
    ALGORITHMS,
    Authorities,
    Sent,
    documents,
    signed,
)

BATCH: Final = 256
COLD_WAIT_S: Final = 0.04
"""As the daemon has it: a new signer's document waits no longer in its batch."""


class Mix:
    """The documents of every round, and both sides."""

    def __init__(self, tiny: bool, rounds: int, threads: int) -> None:
        issuers, signers, revoked = (2, 6, 500) if tiny else (10, 100, 100_000)
        self._count, self._new_each = (256, 64) if tiny else (16_384, 1_000)
        self._rounds, self._threads = rounds, threads
        self._judged = Judged(Authorities(issuers, revoked), Verifier(threads, COLD_WAIT_S))
        make = self._judged.authorities.signer
        known = [make(number, ALGORITHMS[number % 3]) for number in range(signers)]
        self._known = documents(known, self._count, faulty_each=BATCH)
        self._next_new = signers
        self._revoked = revoked
        self.batch_s_max = 0.0
        self.again = 0

    def row(self) -> Row:
        """Measure in turn, each round with signers never seen before."""
        with self._judged:
            digest = self._check()
            self.batch_s_max, self.again = 0.0, 0
            ours, theirs = [], []
            for _ in range(self._rounds):
                sent = self._with_new_signers()
                raws, bare = _batches(sent), BareLoop(sent, self._threads)
                begun = perf_counter()
                self._verify(raws)
                between = perf_counter()
                bare()
                ours.append(len(sent) / (between - begun))
                theirs.append(len(sent) / (perf_counter() - between))
            value, peer = statistics.median(ours), statistics.median(theirs)
            return Row(
                suite="verify", name="mix", value=value, unit="1/s", peer="bare-loop",
                peer_value=peer, ratio=value / peer, digest=digest, rounds=self._rounds,
                note=self._note(),
            )  # fmt: skip

    def _check(self) -> str:
        sent = self._with_new_signers()
        ours = digest_text(answers(self._verify(_batches(sent))))
        if ours != digest_text(answers(BareLoop(sent, self._threads)())):
            raise DigestMismatchError("verify/mix: the answers differ")
        return ours

    def _with_new_signers(self) -> list[Sent]:
        """Return the known signers' documents, every thousandth replaced by a new signer's."""
        sent = list(self._known)
        for place in range(self._new_each // 2, self._count, self._new_each):
            number, self._next_new = self._next_new, self._next_new + 1
            signer = self._judged.authorities.signer(number, ALGORITHMS[number % 3])
            sent[place] = signed(signer, place)
        return sent

    def _verify(self, batches: list[list[bytes]]) -> list[bool]:
        """Verify every batch; documents that waited too long for a path are asked about again."""
        found: list[bool] = []
        waiting: list[tuple[int, bytes]] = []
        for raws in batches:
            begun = perf_counter()
            verdicts = self._judged.verify(raws)
            self.batch_s_max = max(self.batch_s_max, perf_counter() - begun)
            for raw, verdict in zip(raws, verdicts, strict=True):
                if verdict.status == "indeterminate":
                    waiting.append((len(found), raw))
                found.append(verdict.status == "valid")
        while waiting:
            self.again += len(waiting)
            verdicts = self._judged.verify([raw for _, raw in waiting])
            for (place, _), verdict in zip(waiting, verdicts, strict=True):
                found[place] = verdict.status == "valid"
            waiting = [
                one
                for one, verdict in zip(waiting, verdicts, strict=True)
                if verdict.status == "indeterminate"
            ]
        return found

    def _note(self) -> str:
        sizes = self._judged.verifier.sizes()
        return (
            f"one document in {self._new_each} of a signer never seen, a list of {self._revoked};"
            f" longest batch of {BATCH}: {self.batch_s_max * 1e3:.1f} ms, {self.again} asked again;"
            f" remembered: {sizes.signers} signers, {sizes.paths} paths,"
            f" about {sizes.bytes / 1e6:.1f} MB (at most {sizes.bytes_max / 1e6:.0f} MB)"
        )


def _batches(sent: list[Sent]) -> list[list[bytes]]:
    raws = [one.raw for one in sent]
    return [raws[first : first + BATCH] for first in range(0, len(raws), BATCH)]
