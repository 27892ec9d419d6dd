"""Rows of acceptance beside a thread that never lets go of the interpreter willingly."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from time import perf_counter
from typing import Final

from vanban_bench.micro._queue_slices import Scale, Slice, in_turn, row_against
from vanban_bench.micro._queue_store import OurStore
from vanban_bench.rows import Row, digest_text
from vanban_bench.workloads.queue_country import Tree
from vanban_bench.workloads.queue_documents import Feed, Group

SUITE: Final = "queue"
BATCH: Final = 64
_GROUPS: Final = 2_048


def rows(tree: Tree, scale: Scale, home: Path) -> Iterator[Row]:
    """Measure groups queued ahead, and a synchronous caller, each alone and beside the loop."""
    feed = Feed(tree.letters(64 if scale.tiny else 0))
    digest = digest_text(repr(feed.group(0, BATCH).records))
    for name, ahead, words in (
        ("beside-busy-loop", 256, "256 groups queued ahead"),
        ("beside-busy-loop-256-documents", 4, "4 groups (256 documents) queued ahead"),
        ("beside-busy-loop-synchronous", 0, "a synchronous caller, group by group"),
    ):
        runner = _Runner(feed, ahead, scale, home / "busy")
        try:
            found = in_turn({"beside": runner.beside, "alone": runner.alone}, scale)
        finally:
            runner.close()
        note = (
            f"documents a second in groups of {BATCH}, {words}, beside a thread in a pure Python "
            f"loop at the default switch interval; peer: the same without that thread{scale.note}"
        )
        yield row_against(SUITE, name, "alone", found["beside"], found["alone"], digest, note)


class _Runner:
    """A store fed from one thread, `ahead` groups in flight (0: each call waits)."""

    def __init__(self, feed: Feed, ahead: int, scale: Scale, path: Path) -> None:
        self._feed = feed
        self._ahead = ahead
        self._scale = scale
        self._path = path
        self._next = 0
        self._store = OurStore()
        self._store.open(path)

    def alone(self) -> Slice:
        """Run one slice undisturbed."""
        return self._slice(nullcontext)

    def beside(self) -> Slice:
        """Run one slice beside the busy thread."""
        return self._slice(busy_loop)

    def close(self) -> None:
        """Close the store."""
        self._store.close()

    def _slice(self, neighbour: Callable[[], object]) -> Slice:
        if self._store.bytes_used() > self._scale.side_bytes:
            self._store.close()
            self._store.open(self._path)
        groups = 4 if self._scale.tiny else _GROUPS
        done, spent, steps = 0, 0.0, list[float]()
        while spent < self._scale.slice_s and done * 2_600 < self._scale.side_bytes:
            made = [self._feed.group(self._next + n * BATCH, BATCH) for n in range(groups)]
            self._next += groups * BATCH
            with neighbour():  # type: ignore[attr-defined]
                begun = perf_counter()
                self._run(made)
                steps.append(perf_counter() - begun)
            spent += steps[-1]
            done += groups * BATCH
        begun = perf_counter()
        self._store.rest()
        return Slice(done, spent + perf_counter() - begun, steps)

    def _run(self, made: list[Group]) -> None:
        store = self._store
        if not self._ahead:
            for group in made:
                store.accept(group)
            return
        flying = 0
        for group in made:
            while flying >= self._ahead:
                flying -= store.completed()
            store.enqueue(group.records)
            flying += 1
        while flying:
            flying -= store.completed()


@contextmanager
def busy_loop() -> Iterator[None]:
    """Keep a thread counting in pure Python meanwhile."""
    running, begun = True, threading.Event()

    def count() -> None:
        turns = 0
        begun.set()
        while running:
            turns += 1

    thread = threading.Thread(target=count, daemon=True)
    thread.start()
    begun.wait()
    try:
        yield
    finally:
        running = False
        thread.join()
