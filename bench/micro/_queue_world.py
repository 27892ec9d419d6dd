"""A national queue with ten million deliveries waiting, built once for several rows."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Final

from vanban_bench.micro._queue_slices import Scale
from vanban_bench.micro._queue_store import OurStore
from vanban_bench.rows import DigestMismatchError
from vanban_bench.workloads.queue_country import Tree
from vanban_bench.workloads.queue_documents import (
    AT_US,
    DOCUMENT_BYTES,
    Reader,
    grouped,
)
from vanban_bench.workloads.queue_pending import Pending, never_acknowledged

SEED: Final = 20_260_302
PAGE: Final = 256
LATER_US: Final = AT_US + 30 * 86_400 * 1_000_000
"""Thirty days on: every lease has run out."""
_GROUP: Final = 512
_PROBES: Final = 64


class World:
    """The store, who waits in it, and what some units must find in their inboxes."""

    def __init__(self, tree: Tree, scale: Scale, home: Path) -> None:
        self.tree = tree
        self.path = home / "world"
        self.store = OurStore()
        self.store.open(self.path)
        chance = Random(SEED)
        self.probes = sorted(chance.sample(range(len(tree)), min(_PROBES, len(tree) // 2)))
        self.next = 0
        past = Pending(tree, scale.past, self.probes, SEED)
        self._accept(past)
        self._acknowledge()
        past.settle()
        self.pending = Pending(tree, scale.pending, self.probes, SEED + 10)
        self._accept(self.pending)
        self.pending.follow(past)
        self.store.rest()

    @property
    def note(self) -> str:
        """What the rows say of the world."""
        return f"{self.pending.deliveries} deliveries of {self.next} documents wait"

    def readers(self) -> list[tuple[Reader, list[bytes]]]:
        """Return the probed units with the keys their first page must hold."""
        return [(self.tree.reader(p), self.pending.expected(p, PAGE)) for p in self.probes]

    def check(self) -> str:
        """Compare the first pages with the plan; return them as text for a digest.

        Raises `DigestMismatchError`.
        """
        found = []
        for reader, wanted in self.readers():
            keys = self.store.inbox(reader, PAGE, LATER_US)
            if keys != wanted:
                raise DigestMismatchError(f"queue: the inbox of unit {reader.address} is not so")
            found.append((reader.address, keys))
        return repr(found)

    def remove(self) -> None:
        """Remove the files of the store, which is closed."""
        shutil.rmtree(self.path)

    def _accept(self, plan: Pending) -> None:
        for group in grouped(plan.papers(self.next, DOCUMENT_BYTES), _GROUP):
            self.store.accept(group)
            self.next += len(group.papers)

    def _acknowledge(self) -> None:
        """Let every unit take what waits, and acknowledge all but one in a thousand."""
        calls: list[tuple[Reader, Sequence[bytes]]] = []
        for position in range(len(self.tree)):
            reader = self.tree.reader(position)
            while keys := self.store.lease(reader, PAGE):
                done = [key for key in keys if not never_acknowledged(reader.address, key)]
                calls.append((reader, done))
            if len(calls) >= PAGE:
                self.store.settle_together(calls)
                calls.clear()
        self.store.settle_together(calls)
