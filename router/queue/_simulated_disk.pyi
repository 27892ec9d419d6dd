"""A disk in memory that can lose what was not flushed, tear, refuse, fill up and lie."""

from random import Random
from typing import Literal

from router.queue._disk import Disk

__all__ = ["SimulatedDisk"]

class SimulatedDisk(Disk):
    """A directory in memory.

    `counters` says how often each call was made; `room_bytes` how many more bytes fit
    (None: no end).  `plan` makes a call to come go wrong, `crash` cuts the power.
    """

    counters: dict[str, int]
    room_bytes: int | None

    def __init__(self) -> None: ...
    def plan(self, call: str, at: int, outcome: Literal["fail", "full", "short", "skip"]) -> None:
        """Let the `at`-th call from now on (1: the next) go wrong.

        `fail`: it reports EIO and does nothing; `full`: ENOSPC and nothing; `short`: the
        first half is done, then ENOSPC; `skip`: it reports success and does nothing.
        """

    def crash(
        self, chance: Random, mode: Literal["any", "none", "all", "prefix", "subset"] = "any"
    ) -> None:
        """Cut the power: of what was not flushed, only some sectors are left.

        `chance` is a random.Random.  `mode` says what may be left: `none` of it, `all`,
        a `prefix` of the changes of each file (the last one torn), a `subset` of their
        sectors, or `any` of these, as chance has it.  Open files are closed.
        """

    def clone(self) -> SimulatedDisk:
        """Return a disk in the same state (open files, plans and unflushed changes too)."""

    def contents(self, name: str) -> bytes:
        """Return the bytes of a file as they read now.  Raises KeyError."""

    def place(self, name: str, data: bytes) -> None:
        """Put a file there, durably, as if it had always been."""

    def discard(self, name: str) -> None:
        """Take a file away, durably.  Raises KeyError."""
