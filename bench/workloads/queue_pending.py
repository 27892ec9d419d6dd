"""What waits in a national queue: millions of deliveries, and what stayed open before them.

Half of the deliveries come from broadcasts to subtrees, half from lists of 38 in the mean.
Before them lies a past that was taken and acknowledged, but for one delivery in a thousand,
which never is.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from typing import Final
from zlib import crc32

from router._core import Audience
from vanban_bench.workloads.queue_country import Tree
from vanban_bench.workloads.queue_documents import Paper, Spread, document_key, whole_paper

PENDING: Final = 10_000_000
NEVER: Final = 1_000
"""One delivery in so many is never acknowledged."""


def never_acknowledged(address: int, key: bytes) -> bool:
    """Say whether a delivery of the past stays open (one in `NEVER`, by its name)."""
    return crc32(key, address) % NEVER == 0


class Pending:
    """A plan of documents that leave `target` deliveries waiting.

    `expected` says afterwards which documents wait for the units at the positions `probes`,
    so that an inbox can be held against it.
    """

    def __init__(self, tree: Tree, target: int, probes: list[int], seed: int) -> None:
        self.tree = tree
        self.target = target
        self.deliveries = 0
        self.documents = 0
        self.probes = probes
        self._probed = array("I", probes)
        self._waiting: dict[int, list[bytes]] = {position: [] for position in probes}
        self._broadcasts = tree.subtrees(seed)
        self._lists = tree.lists(seed + 1)

    def papers(self, first: int, envelope_bytes: int) -> Iterator[Paper]:
        """Yield the documents, numbered from `first`, until so many deliveries wait."""
        by_broadcast = by_list = 0
        while self.deliveries < self.target:
            if by_broadcast <= by_list:
                spread = next(self._broadcasts)
                by_broadcast += spread.size
            else:
                spread = next(self._lists)
                by_list += spread.size
            self._note(spread, first + self.documents)
            yield whole_paper(first + self.documents - 1, spread, envelope_bytes=envelope_bytes)

    def settle(self) -> None:
        """Note that all was acknowledged, but for one in `NEVER`: this becomes the past."""
        for position, keys in self._waiting.items():
            number = self.tree.hierarchy.number(position)
            keys[:] = [key for key in keys if never_acknowledged(number, key)]

    def expected(self, position: int, limit: int) -> list[bytes]:
        """Return the keys of the first `limit` documents that wait for a probed unit."""
        return self._waiting[position][:limit]

    def follow(self, past: Pending) -> None:
        """Take over what stayed open of a past that was settled (the same probes)."""
        for position, keys in past._waiting.items():
            self._waiting[position] = keys + self._waiting[position]

    def _note(self, spread: Spread, number: int) -> None:
        self.documents += 1
        self.deliveries += spread.size
        holds = Audience.from_bytes(spread.runs).contains_many(self._probed)
        if any(holds):
            key = document_key(number)
            for position, held in zip(self.probes, holds, strict=True):
                if held:
                    self._waiting[position].append(key)
