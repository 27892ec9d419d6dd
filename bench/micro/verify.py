"""Verifying signatures: batches from envelope bytes to verdict, against bare loops.

The peer `bare-loop` calls `verify` of the same wheel on prepared key, signature and bytes, on
the same number of threads: what is left of its rate is what reading envelopes and headers,
paths, caches and verdicts leave.  Signers and paths are known (a verifier at work knows them)
but for `mix`, where one document in a thousand is from a signer never seen before.  Each batch
of 256 holds a document with a changed byte, so that both sides must find it.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from msgspec.structs import replace

from router.signatures import Verifier
from vanban_bench.micro._verify_loops import BareLoop, HashLoop, Judged, answers
from vanban_bench.micro._verify_mix import Mix
from vanban_bench.rows import Case, Row, measure
from vanban_bench.workloads.signed_batches import Authorities, Sent, documents, tree_of

SUITE: Final = "verify"
BATCH: Final = 256
BATCHES: Final = 16
SIGNERS: Final = 16
TREE: Final = 1_024
TREE_LOOPS: Final = 4

_ROWS: Final = (("p256", "ES256"), ("ed25519", "EdDSA"), ("rsa2048", "RS256"))
_SPEEDS: Final = {"p256": "ecdsap256", "ed25519": "ed25519", "rsa2048": "rsa2048"}


def threads() -> int:
    """Return how many threads verify on both sides."""
    return len(os.sched_getaffinity(0))


def rows(tiny: bool, rounds: int) -> Iterator[Row]:
    """Measure every row, one after the other; each makes its documents first."""
    for name, algorithm in _ROWS:
        with Judged(Authorities(1, 0), Verifier(threads())) as judged:
            row = measure(_plain(tiny, name, algorithm, judged), rounds)
        yield replace(row, note=f"{row.note}; {_openssl_speed(name, tiny)}")
    with Judged(Authorities(1, 0), Verifier(threads())) as judged:
        yield _tree_row(tiny, rounds, judged)
    yield Mix(tiny, rounds, threads()).row()


def _plain(tiny: bool, name: str, algorithm: str, judged: Judged) -> Case:
    batch, batches = (32, 2) if tiny else (BATCH, BATCHES)
    signers = [judged.authorities.signer(number, algorithm) for number in range(SIGNERS)]
    sent = documents(signers, batch * batches, faulty_each=batch)
    bare = BareLoop(sent, threads())
    return Case(
        suite=SUITE, name=name, unit="1/s", better="higher", peer="bare-loop",
        ours=judged.verifying(_batches(sent, batch)), theirs=bare, digest=answers,
        loops_ours=1 if tiny else 4, loops_theirs=1 if tiny else 4, items=len(sent),
        note=f"batches of {batch}, {SIGNERS} signers, {threads()} threads",
    )  # fmt: skip


def _tree_row(tiny: bool, rounds: int, judged: Judged) -> Row:
    """Measure documents of one signed tree each call; no tree is verified twice."""
    size, loops = (64, 1) if tiny else (TREE, TREE_LOOPS)
    signer = judged.authorities.signer(0, "ES256")
    trees = iter([tree_of(signer, size, first * size) for first in range(1 + rounds * loops)])
    single = documents([signer], size, faulty_each=size + 1)
    plainly = judged.verifying(_batches(single, BATCH))
    hashing = HashLoop([one.payload for one in single], threads())

    def ours() -> list[bool]:
        return judged.verifying(_batches(next(trees), BATCH))()

    case = Case(
        suite=SUITE, name=f"merkle-{TREE}", unit="1/s", better="higher", peer="verify/p256",
        ours=ours, theirs=plainly, digest=answers, loops_ours=loops, loops_theirs=loops,
        items=size,
    )  # fmt: skip
    row = measure(case, rounds)
    limit = measure(
        replace_case(case, ours=hashing, theirs=None, loops=20 if not tiny else 1), rounds
    )
    said = f"{row.value / limit.value:.2f} of two hashes a document on as many threads"
    return replace(row, note=f"one tree of {size} a call, none seen before; {said}")


def replace_case(case: Case, *, ours: Callable[[], object], theirs: None, loops: int) -> Case:
    """Return a case without a peer that does something else with the same items."""
    return Case(
        suite=case.suite, name="hash-limit", unit=case.unit, better=case.better, peer=None,
        ours=ours, theirs=theirs, digest=str, loops_ours=loops, items=case.items,
    )  # fmt: skip


def _batches(sent: Sequence[Sent], size: int) -> list[list[bytes]]:
    raws = [one.raw for one in sent]
    return [raws[first : first + size] for first in range(0, len(raws), size)]


def _openssl_speed(name: str, tiny: bool) -> str:
    """Return what the machine's own openssl verifies on one core, in words."""
    if tiny:
        return "openssl speed is not asked in a tiny run"
    try:
        done = subprocess.run(  # noqa: S603 - a command of ours
            ["openssl", "speed", "-seconds", "1", _SPEEDS[name]],  # noqa: S607 - the user's own
            capture_output=True, text=True, timeout=60, check=True,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return "openssl speed: not there"
    found = re.search(r"([\d.]+)\s*$", done.stdout.strip())
    return f"openssl speed, one core: {float(found[1]):,.0f}/s" if found else "openssl speed: ?"
