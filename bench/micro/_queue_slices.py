"""Steady rates of several sides, measured in turn on one disk.

A side accepts for a slice of some seconds, then another does, and so on, round by round, so
that a noisy neighbour hurts all.  A slice ends with the side at rest: what it put off (a
checkpoint) is finished within its time, and nothing of it runs on in another's.  Documents are
made outside the time, some hundred groups ahead.
"""

from __future__ import annotations

import os
import shutil
import statistics
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Final

import msgspec

from vanban_bench.peers.base import Side
from vanban_bench.rows import Row, ratio_of
from vanban_bench.workloads.queue_documents import Feed, Group

_AHEAD_DOCUMENTS: Final = 16_384
_AHEAD_GROUPS_MIN: Final = 16
_AHEAD_BYTES: Final = 2_600
"""About what one document takes in a log."""


class Scale(msgspec.Struct, frozen=True):
    """How much is measured: the same code runs at both scales.

    `slice_s` seconds are one slice of one side, `slices` are how many; a side's files are made
    anew when they pass `side_bytes`, and a slice ends before it has written so much.
    """

    tiny: bool
    slices: int
    slice_s: float
    side_bytes: int
    floor_bytes: int
    servers: bool
    pending: int
    past: int
    days: int
    day_documents: int
    units: tuple[int, int, int, int]
    note: str = ""

    @classmethod
    def of(cls, tiny: bool, rounds: int, home: Path) -> Scale:
        """Return the scale; a short disk makes files smaller and is noted."""
        if tiny:
            return cls(
                tiny=True, slices=rounds, slice_s=0.02, side_bytes=64 << 20, floor_bytes=4 << 20,
                servers=False, pending=4_000, past=1_000, days=2, day_documents=100,
                units=(4, 8, 60, 2),
            )  # fmt: skip
        free = shutil.disk_usage(home).free
        wanted = 6 << 30
        given = min(wanted, free // 5)
        short = "" if given == wanted else (
            f"; the disk is short ({free >> 30} GiB free), so files are made anew at "
            f"{given >> 20} MiB"
        )  # fmt: skip
        return cls(
            tiny=False, slices=rounds, slice_s=20 / min(rounds, 5), side_bytes=given,
            floor_bytes=min(1 << 30, given), servers=True, pending=10_000_000, past=1_000_000,
            days=30, day_documents=100_000, units=(63, 705, 10_600, 32), note=short,
        )  # fmt: skip


class Slice(msgspec.Struct, frozen=True):
    """What a side did in one slice; `steps` are the seconds of each call."""

    things: int
    seconds: float
    steps: list[float]

    @property
    def rate(self) -> float:
        """Things a second, rest included."""
        return self.things / self.seconds


Slices = dict[str, list[Slice]]


class Course:
    """One side on its way: how many documents it has had, and its store.

    `prepare` fills a store that was made, or made anew.
    """

    def __init__(
        self,
        side: Side,
        path: Path,
        feed: Feed,
        *,
        prepare: Callable[[Side], None] = lambda _: None,
    ) -> None:
        self.side = side
        self._next = 0
        self._path = path
        self._feed = feed
        self._prepare = prepare
        self._open()

    def slice(self, size: int, scale: Scale) -> Slice:
        """Accept groups of `size` for one slice."""
        side = self.side
        if side.bytes_used() > scale.side_bytes:
            self.close()
            self._open()
        groups_max = max(1, scale.side_bytes // (_AHEAD_BYTES * size))
        steps: list[float] = []
        spent = 0.0
        while spent < scale.slice_s and len(steps) < groups_max:
            ahead = self._ahead(size, scale)
            for group in ahead:
                begun = perf_counter()
                side.accept(group)
                took = perf_counter() - begun
                steps.append(took)
                spent += took
                if spent >= scale.slice_s:
                    break
            self._next += size * len(ahead)
        begun = perf_counter()
        side.rest()
        return Slice(len(steps) * size, spent + perf_counter() - begun, steps)

    def _open(self) -> None:
        self.side.open(self._path)
        self._prepare(self.side)

    def _ahead(self, size: int, scale: Scale) -> list[Group]:
        count = max(_AHEAD_GROUPS_MIN, _AHEAD_DOCUMENTS // size)
        count = 2 if scale.tiny else min(count, 2_048)
        return [self._feed.group(self._next + place * size, size) for place in range(count)]

    def close(self) -> None:
        """Close the store and remove its files."""
        self.side.close()
        shutil.rmtree(self._path, ignore_errors=True)


def in_turn(
    works: Mapping[str, Callable[[], Slice]],
    scale: Scale,
    quiet: Callable[[], None] = os.sync,
) -> Slices:
    """Run the works in turn, as many slices each as `scale` says.

    `quiet` comes before each slice, but not at the small scale: what one side left for the
    kernel to write (deleted files too) must not fall into another's time.
    """
    found: Slices = {name: [] for name in works}
    for _ in range(scale.slices):
        for name, work in works.items():
            if not scale.tiny:
                quiet()
            found[name].append(work())
    return found


def accept_in_turn(
    sides: Sequence[Side], feeds: dict[str, Feed], size: int, scale: Scale, home: Path
) -> Slices:
    """Let each side accept groups of `size` from its feed, in turn."""
    courses = [Course(side, home / f"{side.name}-data", feeds[side.name]) for side in sides]
    try:
        works = {course.side.name: partial(course.slice, size, scale) for course in courses}
        return in_turn(works, scale)
    finally:
        for course in courses:
            course.close()


def row_against(
    suite: str, name: str, peer: str, ours: Sequence[Slice], theirs: Sequence[Slice],
    digest: str, note: str,
) -> Row:  # fmt: skip
    """Return a row of rates; its ratio is the median over the slices' ratios."""
    ratios = [ratio_of(a.rate, b.rate, "higher") for a, b in zip(ours, theirs, strict=True)]
    return Row(
        suite, name, statistics.median(one.rate for one in ours), "1/s", peer,
        statistics.median(one.rate for one in theirs), statistics.median(ratios), digest,
        len(ours), note,
    )  # fmt: skip


def said(side: Side, slices: Sequence[Slice]) -> str:
    """Return what a note says of a side: its durability and its times a call."""
    return (
        f"{side.name}: {side.durability}; p50 {quantile_us(slices, 0.5):,.0f} us, "
        f"p99 {quantile_us(slices, 0.99):,.0f} us a call"
    )


def quantile_us(slices: Sequence[Slice], share: float) -> float:
    """Return a quantile of all calls, in microseconds."""
    steps = sorted(step for one in slices for step in one.steps)
    return 1e6 * steps[min(len(steps) - 1, int(len(steps) * share))]
