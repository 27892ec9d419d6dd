"""Rows of acceptance: groups of 1, 64, 1,024 beside the peers; single ones under a checkpoint."""

from __future__ import annotations

import shutil
import statistics
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from time import perf_counter
from typing import Final

from vanban_bench.micro._queue_machine import touch_memory
from vanban_bench.micro._queue_slices import (
    Scale,
    Slice,
    accept_in_turn,
    quantile_us,
    row_against,
    said,
)
from vanban_bench.micro._queue_store import OurStore
from vanban_bench.peers.base import DuplicateError, Side
from vanban_bench.peers.log_floor import LogFloor
from vanban_bench.rows import DigestMismatchError, Row, digest_text
from vanban_bench.workloads.queue_country import Tree
from vanban_bench.workloads.queue_documents import DOCUMENT_BYTES, Feed, Reader

SUITE: Final = "queue"
GROUPS: Final = (1, 64, 1_024)
_FILL_GROUPS: Final = 400
_LATENCIES_MIN: Final = 10_000


def rows(sides: Sequence[Side], tree: Tree, scale: Scale, home: Path) -> Iterator[Row]:
    """Measure acceptance; `sides` begin with our store."""
    letters = tree.letters(64 if scale.tiny else 0)
    digest = check_equal(sides, tree, Feed(letters[:8]), home)
    feed = Feed(letters)
    ours = sides[0]
    for size in GROUPS:
        if not scale.tiny:
            touch_memory()
        found = accept_in_turn(sides, dict.fromkeys([s.name for s in sides], feed), size, scale,
                               home)  # fmt: skip
        for place, side in enumerate(sides[1:]):
            name = f"accept-{size}" if not place else f"accept-{size}-{side.name}"
            yield row_against(
                SUITE, name, side.name, found[ours.name], found[side.name], digest,
                f"{said(ours, found[ours.name])}; {said(side, found[side.name])}{scale.note}",
            )  # fmt: skip
    yield under_checkpoint(feed, scale, home)


def check_equal(sides: Sequence[Side], tree: Tree, feed: Feed, home: Path) -> str:
    """Give every side the same documents; return the digest of what comes out.

    A side that can hand out must hand out each recipient's keys in order, and refuse a
    document it has.  Raises `DigestMismatchError`.
    """
    count = 4 * len(feed.spreads)
    readers = [tree.reader(tree.hierarchy.position(one.addresses[0])) for one in feed.spreads]
    wanted = {
        reader.address: [feed.group(number, 1).papers[0].key
                         for number in range(place, count, len(feed.spreads))]
        for place, reader in enumerate(readers)
    }  # fmt: skip
    digest = digest_text(repr(sorted(wanted.items())))
    for side in sides:
        side.open(home / f"check-{side.name}")
        try:
            found = _handed_out(side, feed, readers, count)
        finally:
            side.close()
        if found is not None and digest_text(repr(sorted(found.items()))) != digest:
            raise DigestMismatchError(f"{SUITE}: {side.name} handed out something else")
    return digest


def _handed_out(
    side: Side, feed: Feed, readers: Sequence[Reader], count: int
) -> dict[int, list[bytes]] | None:
    side.accept(feed.group(0, 1))
    side.accept(feed.group(1, count - 1))
    if isinstance(side, LogFloor):
        wanted = b"".join(feed.group(0, count).records)
        if side.read(len(wanted)) != wanted:
            raise DigestMismatchError(f"{SUITE}: {side.name} kept something else")
        return None
    try:
        side.accept(feed.group(count - 1, 1))
    except DuplicateError:
        pass
    else:
        raise DigestMismatchError(f"{SUITE}: {side.name} takes a document twice")
    taken = {}
    for reader in readers:
        keys = side.drain(reader, 3)
        taken[reader.address] = keys + side.drain(reader, count)
        side.drain(reader, 1)
    return taken


def under_checkpoint(feed: Feed, scale: Scale, home: Path) -> Row:
    """Measure single acceptances while checkpoints run, against their own median.

    Before each checkpoint groups are accepted, so that it has something to write; only calls
    that begin while it runs are counted.
    """
    ours = OurStore()
    ours.open(home / "p999")
    seconds: list[float] = []
    number = checkpoints = 0
    wanted = 1 if scale.tiny else _LATENCIES_MIN
    try:
        while (
            checkpoints < 3 or len(seconds) < wanted or _too_short(seconds, scale)
        ) and number * DOCUMENT_BYTES < 2 * scale.side_bytes:
            for _ in range(1 if scale.tiny else _FILL_GROUPS):
                ours.accept(feed.group(number, 64))
                number += 64
            ahead = [feed.group(number + place, 1) for place in range(4 if scale.tiny else 8_192)]
            running = threading.Thread(target=ours.checkpoint)
            running.start()
            for group in ahead:
                begun = perf_counter()
                ours.accept(group)
                seconds.append(perf_counter() - begun)
                number += 1
                if not running.is_alive():
                    break
            running.join()
            number += len(ahead)
            checkpoints += 1
    finally:
        ours.close()
        shutil.rmtree(home / "p999", ignore_errors=True)
    one = [Slice(len(seconds), sum(seconds), seconds)]
    median, worst = 1e6 * statistics.median(seconds), quantile_us(one, 0.999)
    note = (
        f"the 999th of 1,000 single acceptances while {checkpoints} checkpoints ran, peer: their "
        f"median; {len(seconds)} calls, longest {1e6 * max(seconds):,.0f} us; at most 20 times "
        "(a ratio of 0.05) is allowed"
    )
    return Row(SUITE, "accept-1-p999-under-checkpoint", worst, "us", "own-median", median,
               median / worst, digest_text(str(number)), checkpoints, note)  # fmt: skip


def _too_short(seconds: Sequence[float], scale: Scale) -> bool:
    return sum(seconds) < scale.slice_s * scale.slices
