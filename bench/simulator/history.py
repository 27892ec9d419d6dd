"""Replays: whatever checkpoint one begins from, the log leads to the same state.

A `History` keeps the bases of some checkpoints of a run, the empty one first.  Each is opened
again with the log as it is on the disk now, and must give the live store's dump.
"""

from __future__ import annotations

from random import Random
from typing import Final

from router.queue import MemoryDisk, MemoryStore
from vanban_bench.simulator.documents import WrongError

KEPT_MAX: Final = 5
Dump = list[tuple[str, bytes, bytes]]


class History:
    """The checkpoints of one run's disk."""

    def __init__(self, disk: MemoryDisk) -> None:
        self._disk = disk
        self._bases = [disk.base.copy()]
        self._taken = 0
        self.replays = 0

    def keep(self) -> None:
        """Keep the base as it is: a checkpoint was just taken."""
        self._taken += 1
        if len(self._bases) < KEPT_MAX:
            self._bases.append(self._disk.base.copy())
        else:
            self._bases[1 + self._taken % (KEPT_MAX - 1)] = self._disk.base.copy()

    def check(self, store: MemoryStore) -> None:
        """Raise WrongError unless every replay gives the state that the store has."""
        store.end_checkpoint()
        live = dump_of(store)
        self.keep()
        for place, base in enumerate(self._bases):
            disk = MemoryDisk(self._disk.segment_bytes)
            disk.files = self._disk.files.clone()
            disk.files.crash(Random(0), "all")  # what is planned is planned for the live store
            disk.files.room_bytes = None
            disk.base = base.copy()
            again = MemoryStore(disk)
            found = dump_of(again)
            again.close()
            self.replays += 1
            if found != live:
                said = f"a replay from checkpoint {place} of {len(self._bases)} differs: "
                raise WrongError(said + _difference(live, found))


def dump_of(store: MemoryStore) -> Dump:
    """Return the state, without what says where in the log its checkpoint lies."""
    return [row for row in store.dump() if row[:2] != ("meta", b"place")]


def _difference(live: Dump, found: Dump) -> str:
    """Say where two dumps differ first."""
    ours, theirs = set(live), set(found)
    only = min(ours ^ theirs)
    side = "only the live store" if only in ours else "only the replay"
    return f"{side} has {only[0]}[{only[1].hex()}] = {only[2].hex()[:200]}"
