"""One row of a benchmark, and the one way it is measured.

A row compares our call with the best the other side can do.  Before anything is timed, the
digests of both answers must be equal; then both are timed in turn (A B A B …) in the same
process, so that a noisy neighbour hurts both, and the medians are compared.  A ratio above
1 means that we are faster or smaller.
"""

from __future__ import annotations

import gc
import hashlib
import statistics
import time
from collections.abc import Callable
from typing import Any, Final, Literal

import msgspec

Better = Literal["lower", "higher"]

ROUNDS_MIN: Final = 5
"""Fewer rounds than this give no median worth printing; tiny runs may use one."""

_PER_SECOND: Final[dict[str, float]] = {"s": 1.0, "ms": 1e3, "us": 1e6, "ns": 1e9}
_RATE: Final = "1/s"


class DigestMismatchError(AssertionError):
    """Our answer and the peer's differ: a time would compare different work."""


class Row(msgspec.Struct, frozen=True, omit_defaults=True):
    """One line of the results.

    `value` and `peer_value` are medians in `unit` (`s`, `ms`, `us`, `ns` for one call,
    `1/s`, or `bytes`); `ratio` above 1 means that we are faster or smaller; `digest` is the
    SHA-256 (hex) of the answer both sides gave.  Rows without a peer have no ratio.
    """

    suite: str
    name: str
    value: float
    unit: str
    peer: str | None = None
    peer_value: float | None = None
    ratio: float | None = None
    digest: str = ""
    rounds: int = 0
    note: str = ""


class Case(msgspec.Struct, frozen=True):
    """Two calls without arguments that do the same work, and how to compare them.

    `digest` turns an answer into bytes or text in a canonical form; it is applied to both.
    `loops_ours` and `loops_theirs` calls are timed together in one round (short calls need
    many).  One call does `items` equal things, and the value is that of one thing (or things a
    second).  A case without a peer has `theirs=None` and `peer=None`.  `better` is "higher"
    for the unit `1/s`, else "lower".
    """

    suite: str
    name: str
    unit: str
    peer: str | None
    ours: Callable[[], Any]
    theirs: Callable[[], Any] | None
    digest: Callable[[Any], bytes | str]
    loops_ours: int = 1
    loops_theirs: int = 1
    better: Better = "lower"
    items: int = 1
    note: str = ""

    def __post_init__(self) -> None:
        """Raise ValueError when the fields do not go together."""
        if self.unit != _RATE and self.unit not in _PER_SECOND:
            raise ValueError(f"{self.name}: a timed case has the unit s, ms, us, ns or 1/s")
        if (self.unit == _RATE) != (self.better == "higher"):
            raise ValueError(f"{self.name}: better is 'higher' for 1/s and 'lower' for times")
        if (self.peer is None) != (self.theirs is None):
            raise ValueError(f"{self.name}: a peer has a name and a call, or neither")
        if min(self.loops_ours, self.loops_theirs, self.items) < 1:
            raise ValueError(f"{self.name}: loops and items are at least 1")


def digest_text(answer: bytes | str) -> str:
    """Return the SHA-256 (hex) of an answer in its canonical form."""
    return hashlib.sha256(answer.encode() if isinstance(answer, str) else answer).hexdigest()


def ratio_of(ours: float, theirs: float, better: Better) -> float:
    """Return how many times better we are (above 1) or worse (below 1).

    Infinite when the worse side's zero is divided by; two zeros are equal.
    """
    above, below = (theirs, ours) if better == "lower" else (ours, theirs)
    if below == 0:
        return 1.0 if above == 0 else float("inf")
    return above / below


def check(case: Case) -> str:
    """Run both calls once; return the digest of the common answer (hex SHA-256).

    Raises `DigestMismatchError` when the two answers differ.
    """
    ours = digest_text(case.digest(case.ours()))
    if case.theirs is not None:
        theirs = digest_text(case.digest(case.theirs()))
        if ours != theirs:
            raise DigestMismatchError(
                f"{case.suite}/{case.name}: our answer {ours[:16]}…, {case.peer} {theirs[:16]}…"
            )
    return ours


def measure(case: Case, rounds: int = ROUNDS_MIN) -> Row:
    """Check the answers, then time both calls in turn for `rounds` rounds.

    Raises `DigestMismatchError` before anything is timed when the answers differ, and
    ValueError for less than one round.
    """
    if rounds < 1:
        raise ValueError("at least one round is needed")
    digest = check(case)
    ours: list[float] = []
    theirs: list[float] = []
    for _ in range(rounds):
        ours.append(_seconds(case.ours, case.loops_ours) / case.items)
        if case.theirs is not None:
            theirs.append(_seconds(case.theirs, case.loops_theirs) / case.items)
    value = _in_unit(statistics.median(ours), case.unit)
    peer_value = _in_unit(statistics.median(theirs), case.unit) if theirs else None
    return Row(
        suite=case.suite,
        name=case.name,
        value=value,
        unit=case.unit,
        peer=case.peer,
        peer_value=peer_value,
        ratio=None if peer_value is None else ratio_of(value, peer_value, case.better),
        digest=digest,
        rounds=rounds,
        note=case.note,
    )


def _seconds(call: Callable[[], Any], loops: int) -> float:
    """Return the seconds of one call, the mean over `loops`, with the collector off."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        turns = range(loops)
        start = time.perf_counter_ns()
        for _ in turns:
            call()
        return (time.perf_counter_ns() - start) / loops / 1e9
    finally:
        if collecting:
            gc.enable()


def _in_unit(seconds: float, unit: str) -> float:
    if unit == _RATE:
        return 1 / seconds if seconds else float("inf")
    return seconds * _PER_SECOND[unit]
