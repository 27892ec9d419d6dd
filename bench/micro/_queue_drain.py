"""Rows of handing out: documents leased in batches of 256, read, and acknowledged."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from time import perf_counter
from typing import Final

from vanban_bench.micro._queue_machine import touch_memory
from vanban_bench.micro._queue_slices import Scale, Slice, in_turn, row_against, said
from vanban_bench.peers.base import Side
from vanban_bench.rows import DigestMismatchError, Row
from vanban_bench.workloads.queue_country import Tree
from vanban_bench.workloads.queue_documents import Feed

SUITE: Final = "queue"
BATCH: Final = 256
_READERS: Final = 32
_LOAD_GROUP: Final = 1_024
_LOAD_GROUPS: Final = 64


class Drainer:
    """One side that is filled, and emptied within the time."""

    def __init__(self, side: Side, path: Path, tree: Tree, scale: Scale) -> None:
        self.side = side
        self._path = path
        self._scale = scale
        spreads = tree.letters(2 if scale.tiny else _READERS)
        self._feed = Feed(spreads)
        self._readers = [tree.reader(tree.hierarchy.position(one.addresses[0])) for one in spreads]
        self._groups = 1 if scale.tiny else _LOAD_GROUPS
        self._next = 0
        side.open(path)

    def slice(self) -> Slice:
        """Empty the store for one slice, filling it as often as that takes."""
        side, scale = self.side, self._scale
        if side.bytes_used() > scale.side_bytes:
            self.close()
            side.open(self._path)
        spent, things, steps = 0.0, 0, list[float]()
        while spent < scale.slice_s and things * 2_600 < scale.side_bytes:
            loaded = self._load()
            side.rest()
            taken = 0
            for reader in self._readers:
                for _ in range(loaded // len(self._readers) // BATCH):
                    begun = perf_counter()
                    taken += len(side.drain(reader, BATCH))
                    steps.append(perf_counter() - begun)
                    spent += steps[-1]
            if taken != loaded:
                raise DigestMismatchError(f"{SUITE}: {side.name}: {taken} of {loaded} came out")
            things += taken
            begun = perf_counter()
            side.rest()
            spent += perf_counter() - begun
        return Slice(things, spent, steps)

    def close(self) -> None:
        """Close the store and remove its files."""
        self.side.close()
        shutil.rmtree(self._path, ignore_errors=True)

    def _load(self) -> int:
        size = _LOAD_GROUP
        for _ in range(self._groups):
            self.side.accept(self._feed.group(self._next, size))
            self._next += size
        return self._groups * size


def rows(sides: Sequence[Side], tree: Tree, scale: Scale, home: Path, digest: str) -> Iterator[Row]:
    """Measure draining; `sides` begin with our store, `digest` is of what all handed out."""
    if not scale.tiny:
        touch_memory()
    drainers = [Drainer(side, home / f"{side.name}-drain", tree, scale) for side in sides]
    try:
        found = in_turn({one.side.name: one.slice for one in drainers}, scale)
    finally:
        for one in drainers:
            one.close()
    ours = sides[0]
    for place, side in enumerate(sides[1:]):
        name = f"drain-{BATCH}" if not place else f"drain-{BATCH}-{side.name}"
        yield row_against(
            SUITE, name, side.name, found[ours.name], found[side.name], digest,
            f"deliveries a second, bodies read; {said(ours, found[ours.name])}; "
            f"{said(side, found[side.name])}{scale.note}",
        )  # fmt: skip
