"""Faults by plan: calls of the disk that fail, rooms that end, answers that are lost.

A plan strikes one call to come.  Whatever it strikes, the process dies of it: nothing of that
opening works afterwards.  What the next opening finds is decided by how it died (`Death`).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from random import Random
from typing import Final, Literal

from router.errors import StorageError
from router.queue import MemoryDisk

Outcome = Literal["fail", "full", "short", "skip"]
CrashMode = Literal["any", "none", "all", "prefix", "subset"]


class Death(Enum):
    """How a process ends: alone, or with the power."""

    KILLED = "what was written stays, flushed or not"
    POWER_CUT = "of what was not flushed, chance keeps what it likes"


class Kind(Enum):
    """What a plan strikes."""

    DISK = "a call of the disk"
    ROOM = "the room on the disk"
    BASE = "the writing of a checkpoint"
    ANSWER = "the way of an answer back to the caller"


CALLS: Final[tuple[tuple[str, Outcome], ...]] = (
    ("flush", "fail"),
    ("flush", "fail"),
    ("flush", "full"),
    ("write", "fail"),
    ("write", "full"),
    ("write", "short"),
    ("extend", "full"),
    ("rename", "fail"),
    ("flush_names", "fail"),
    ("open", "fail"),
    ("read", "fail"),
)
"""What may go wrong at the disk; the first ones hit every group, the last ones rare moments."""
MODES: Final[tuple[CrashMode, ...]] = ("any", "any", "any", "prefix", "subset", "none", "all")


@dataclass
class FaultPlan:
    """The next fault, if any, and how the process dies of it."""

    kind: Kind | None = None
    death: Death = Death.POWER_CUT
    mode: CrashMode = "any"
    call: str = ""
    strikes_at: int = 0
    struck: int = 0

    def arm(self, random: Random, disk: MemoryDisk) -> None:
        """Plan one fault for a moment to come, unless one is planned already."""
        if self.kind is not None:
            return
        self.choose_death(random)
        self.kind = random.choices(list(Kind), [10, 1, 2, 4])[0]
        if self.kind is Kind.DISK:
            self.call, outcome = random.choice(CALLS)
            after = random.choice([1, 1, 1, 2, 2, 3, 5])
            self.strikes_at = disk.files.counters[self.call] + after
            disk.files.plan(self.call, after, outcome)
        elif self.kind is Kind.ROOM:
            disk.files.room_bytes = random.choice([0, 1_000, 10_000, 40_000])
        elif self.kind is Kind.BASE:
            disk.base.fail_after(0, full=random.random() < 0.5)

    def choose_death(self, random: Random) -> None:
        """Choose how the next death comes."""
        self.death = random.choice([Death.KILLED, Death.POWER_CUT, Death.POWER_CUT])
        self.mode = random.choice(MODES)

    def loses_answer(self) -> bool:
        """Say whether the answer that just came is lost with the process."""
        if self.kind is not Kind.ANSWER:
            return False
        self.struck += 1
        self.kind = None
        return True

    def explains(self, error: StorageError, disk: MemoryDisk) -> bool:
        """Say whether this plan is why the store failed.  Nothing explains damage."""
        if error.code == "store.corrupt":
            return False
        found = (
            self._passed(disk)
            or (self.kind is Kind.ROOM and error.code == "store.full")
            or (self.kind is Kind.BASE and disk.base.fault() is not None)
        )
        self.struck += found
        return found

    def _passed(self, disk: MemoryDisk) -> bool:
        return self.kind is Kind.DISK and disk.files.counters[self.call] >= self.strikes_at

    def forget_tolerated(self, disk: MemoryDisk) -> None:
        """Forget a call that failed and cost nobody anything (a segment made ahead)."""
        if self._passed(disk):
            self.kind = None

    def die(self, disk: MemoryDisk, random: Random) -> None:
        """Leave on the disk what the dying process leaves, and what is still planned with it.

        What the process still does with its own handles, nobody sees: they stay with the disk
        as it was.
        """
        power_cut = self.death is Death.POWER_CUT
        if self.kind in {Kind.BASE, Kind.ANSWER} or power_cut or self._passed(disk):
            self.end(disk)
        disk.files = disk.files.clone()
        if power_cut:
            disk.files.crash(random, self.mode)

    def end(self, disk: MemoryDisk) -> None:
        """Forget the plan.  A call of the disk that is planned is forgotten by a power cut."""
        if self.kind is Kind.ROOM:
            disk.files.room_bytes = None
        self.kind = None
