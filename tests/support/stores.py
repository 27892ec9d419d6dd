"""Stores under test and documents to fill them with.

A `StoreBox` opens the same data again and again, whatever the kind of store.  Audiences
are written as the core writes them: little-endian pairs of start and stop.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from hashlib import sha256
from pathlib import Path
from typing import Protocol

from router.ports import Store
from router.queue.log_store import LogStore
from router.queue.memory_store import MemoryDisk, MemoryStore
from router.queue.records import Acceptance, StoredAudience

AT = 1_725_411_600_000_000
"""2024-09-04 08:00 +07:00."""
SECOND = 1_000_000
_PAIR = struct.Struct("<II")


class StoreBox(Protocol):
    """One set of data that can be opened repeatedly."""

    def open(self) -> Store: ...


class LmdbBox:
    """A data directory."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def open(self) -> Store:
        return LogStore.open(self.path, clock_us=AT)


class MemoryBox:
    """A disk in memory."""

    def __init__(self) -> None:
        self.disk = MemoryDisk()

    def open(self) -> Store:
        return MemoryStore(self.disk)


def runs_of(members: Iterable[int]) -> bytes:
    """Return the stored form of a set of positions."""
    runs: list[list[int]] = []
    for member in sorted(set(members)):
        if runs and runs[-1][1] == member:
            runs[-1][1] = member + 1
        else:
            runs.append([member, member + 1])
    return b"".join(_PAIR.pack(start, stop) for start, stop in runs)


def member_of(address: int) -> Callable[[int, bytes], bool]:
    """Return the membership test of one address (position and number are the same here)."""

    def test(_snapshot: int, runs: bytes) -> bool:
        return any(start <= address < stop for start, stop in _PAIR.iter_unpack(runs))

    return test


def topics_for(address: int) -> list[bytes]:
    """Return what an address subscribes to: itself and everything."""
    return [b"U%06d" % address, b"ALL"]


def acceptance(number: int, members: Iterable[int], **changes: object) -> Acceptance:
    """Return a plausible document; `broadcast=True` posts it under one topic for all."""
    wanted = sorted(set(members))
    broadcast = bool(changes.pop("broadcast", False))
    runs = runs_of(wanted)
    numbers = b"".join(struct.pack(">I", member) for member in wanted)
    topics = (b"ALL",) if broadcast else tuple(b"U%06d" % member for member in wanted)
    fields: dict[str, object] = {
        "key": sha256(b"key %d" % number).digest()[:16],
        "sender": 7,
        "document_id": f"H22,2024/09/04,{number:02}/QĐ-UBND",
        "act": "new",
        "year": 2024,
        "idempotency_key": None,
        "content": sha256(b"content %d" % number).digest(),
        "number_notation": f"{number:02}/QĐ-UBND",
        "lane": 3,
        "envelope": b"envelope %d" % number,
        "facts": b"facts %d" % number,
        "audience": StoredAudience(1, runs, sha256(numbers).digest(), len(wanted)),
        "topics": topics,
        "at": AT,
        "unit": 7,
        "actor": "văn thư",
    }
    fields.update(changes)
    return Acceptance(**fields)  # type: ignore[arg-type]
