"""Stores under test and documents to fill them with.

A `StoreBox` opens the same data again and again, whatever the kind of store.  Audiences
are written as the core writes them: little-endian pairs of start and stop; here the position
of a unit is its address in every snapshot, unless a test says otherwise.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Protocol

from router.queue.group_store import GroupStore
from router.queue.log_store import LogStore
from router.queue.memory_store import MemoryDisk, MemoryStore
from router.queue.queue import Queue
from router.queue.records import Acceptance, StoredAudience

AT = 1_725_411_600_000_000
"""2024-09-04 08:00 +07:00."""
SECOND = 1_000_000
KINDS = ("log", "group", "memory")
"""The durability ports by name; see `box_of`."""
_PAIR = struct.Struct("<II")
_RUN = struct.Struct(">III")
_POSTED_RUNS_MAX = 4


class StoreBox(Protocol):
    """One set of data that can be opened repeatedly."""

    def open(self) -> LogStore | GroupStore | MemoryStore: ...


class LogBox:
    """A data directory with a segment log."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def open(self) -> LogStore:
        return LogStore.open(self.path, clock_us=AT)


class GroupBox:
    """A data directory that is synced per group."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def open(self) -> GroupStore:
        return GroupStore.open(self.path, clock_us=AT)


class MemoryBox:
    """A disk in memory."""

    def __init__(self) -> None:
        self.disk = MemoryDisk()

    def open(self) -> MemoryStore:
        return MemoryStore(self.disk)


LmdbBox = LogBox


def box_of(kind: str, path: Path) -> LogBox | GroupBox | MemoryBox:
    """Return an empty box of a kind; `path` is where a directory may be made."""
    if kind == "log":
        return LogBox(path)
    return GroupBox(path) if kind == "group" else MemoryBox()


def state_of(queue: Queue) -> list[tuple[str, bytes, bytes]]:
    """Return the whole state but for where the log stands, which differs from port to port."""
    return [row for row in queue.store.dump() if row[:2] != ("meta", b"place")]


def pairs_of(members: Iterable[int]) -> list[tuple[int, int]]:
    """Return a set of positions as runs of start and stop."""
    runs: list[tuple[int, int]] = []
    for member in sorted(set(members)):
        if runs and runs[-1][1] == member:
            runs[-1] = (runs[-1][0], member + 1)
        else:
            runs.append((member, member + 1))
    return runs


def runs_of(members: Iterable[int]) -> bytes:
    """Return the stored form of a set of positions."""
    return b"".join(_PAIR.pack(start, stop) for start, stop in pairs_of(members))


def audience_of(
    members: Iterable[int], snapshot: int = 1, place: Callable[[int], int] = int
) -> StoredAudience:
    """Return the audience of some addresses; `place` gives their positions."""
    wanted = sorted(set(members))
    numbers = b"".join(struct.pack(">I", member) for member in wanted)
    runs = runs_of(place(member) for member in wanted)
    return StoredAudience(snapshot, runs, sha256(numbers).digest(), len(wanted))


def posted(topics: Mapping[bytes, Iterable[int]], audience: StoredAudience) -> bytes:
    """Return the postings of topics, each with the positions of the audience it stands for.

    A topic with more runs than a posting holds says none: the audience is asked.
    """
    rank, before = {}, 0
    for start, stop in _PAIR.iter_unpack(audience.runs):
        for position in range(start, stop):
            rank[position] = before
            before += 1
    parts = []
    for topic in sorted(topics):
        runs = pairs_of(position for position in topics[topic] if position in rank)
        if len(runs) > _POSTED_RUNS_MAX:
            runs = []
        parts.append(bytes((len(topic),)) + topic + bytes((len(runs),)))
        parts += [_RUN.pack(start, stop, rank[start]) for start, stop in runs]
    return b"".join(parts)


def member_of(address: int) -> Callable[[Sequence[int]], Mapping[int, int]]:
    """Return where an address stands: at its own number in every snapshot."""

    def positions(snapshots: Sequence[int]) -> Mapping[int, int]:
        return dict.fromkeys(snapshots, address)

    return positions


def topics_for(address: int) -> list[bytes]:
    """Return what an address subscribes to: itself and everything."""
    return [own_topic(address), b"ALL"]


def own_topic(address: int) -> bytes:
    """Return the topic of a unit alone: its number, a tier, a kind."""
    return struct.pack(">IBH", address, 4, 1)


def acceptance(number: int, members: Iterable[int], **changes: object) -> Acceptance:
    """Return a plausible document.

    `broadcast=True` posts it under one topic for all; `topics` under those, without runs.
    """
    wanted = sorted(set(members))
    broadcast = bool(changes.pop("broadcast", False))
    audience = audience_of(wanted)
    topics: dict[bytes, Iterable[int]]
    if "topics" in changes:
        named: Iterable[bytes] = changes.pop("topics")  # type: ignore[assignment]
        topics = dict.fromkeys(named, ())
    elif broadcast:
        topics = {b"ALL": wanted}
    else:
        topics = {own_topic(member): (member,) for member in wanted}
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
        "audience": audience,
        "postings": posted(topics, audience),
        "at": AT,
        "unit": 7,
        "actor": "văn thư",
    }
    fields.update(changes)
    return Acceptance(**fields)  # type: ignore[arg-type]
