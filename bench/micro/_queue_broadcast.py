"""Rows of broadcasts: what a document to 10,600 or to 123,265 units costs beside a letter."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Final

from vanban_bench.micro._queue_slices import Course, Scale, in_turn, quantile_us, row_against
from vanban_bench.micro._queue_store import OurStore
from vanban_bench.peers.base import Side
from vanban_bench.rows import Row, digest_text
from vanban_bench.workloads.queue_country import Tree
from vanban_bench.workloads.queue_documents import SNAPSHOT_FIRST, Feed, grouped, whole_paper
from vanban_bench.workloads.reformed import country

SUITE: Final = "queue"
BATCH: Final = 64
DEPTHS: Final = (0, 100, 1_000)
SIZES: Final = (10_600, 123_265)
_SPREADS: Final = 16_384
_PENDING_FIRST: Final = 900_000_000_000
"""The number of the first document of those that wait beforehand."""


def rows(scale: Scale, home: Path) -> Iterator[Row]:
    """Measure both sizes, with so many pending each, before and after the reform."""
    for suffix, snapshot in country(scale.tiny).sides():
        tree = Tree(snapshot.hierarchy)
        count = 64 if scale.tiny else _SPREADS
        letters = Feed(tree.letters(count))
        for size in SIZES:
            wanted = min(size, len(tree) if size == SIZES[1] else len(tree) // 10 * 9) - 2
            members = wanted if size == SIZES[1] or scale.tiny else size
            feed = Feed(tree.broadcasts(members, count), distinct=True)
            for depth in DEPTHS[: 2 if scale.tiny else 3]:
                waiting = f"-pending-{depth}" if depth else ""
                name = f"broadcast-{size}{waiting}{suffix}"
                yield _row(name, tree, letters, feed, depth, scale, home)


def _row(
    name: str, tree: Tree, letters: Feed, feed: Feed, depth: int, scale: Scale, home: Path
) -> Row:
    single, wide = OurStore(), OurStore()
    few = min(depth, 4) if scale.tiny else depth
    courses = [
        Course(single, home / "single", letters),
        Course(wide, home / "wide", feed, prepare=_waiting(tree, few)),
    ]
    try:
        found = in_turn(
            {
                "single": partial(courses[0].slice, BATCH, scale),
                "wide": partial(courses[1].slice, BATCH, scale),
            },
            scale,
        )
    finally:
        for course in courses:
            course.close()
    members = feed.spreads[0].size
    note = (
        f"documents a second in groups of {BATCH}, {members} recipients each, no two sets equal "
        f"({len(feed.spreads[0].runs)} bytes stored), {few} pending each beforehand; peer: our "
        f"own store with one recipient each; p50 {quantile_us(found['wide'], 0.5):,.0f} us, single "
        f"{quantile_us(found['single'], 0.5):,.0f} us a group{scale.note}"
    )
    digest = digest_text(repr([spread.runs for spread in feed.spreads[:1_000]]))
    return row_against(SUITE, name, "single", found["wide"], found["single"], digest, note)


def _waiting(tree: Tree, depth: int) -> Callable[[Side], None]:
    """Return what lets `depth` documents wait for every unit of the tree."""
    spread = tree.spread(tree.everything)

    def prepare(side: Side) -> None:
        papers = (
            whole_paper(_PENDING_FIRST + place, spread, snapshot=SNAPSHOT_FIRST)
            for place in range(depth)
        )
        for group in grouped(papers, BATCH):
            side.accept(group)
        side.rest()

    return prepare
