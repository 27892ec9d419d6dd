"""What an engine says about its queue, its files and its backups."""

from __future__ import annotations

from typing import Final

import msgspec

from router.model.answers import TrackedDelivery, Tracking

AGE_MINUTES: Final = (5, 10, 20, 40, 80, 160, 320, 640, 1280)
"""Upper bounds of the columns of a shape (Postfix's qshape has the same); one more is open."""


class Waited(msgspec.Struct, frozen=True, omit_defaults=True):
    """A document that somebody has not taken yet: its key, and when it was accepted."""

    key: str
    accepted_at: str
    age_s: int


class Restoration(msgspec.Struct, frozen=True, omit_defaults=True):
    """A restoration from a backup, as the log tells it.

    What was queued by records up to `sequence` may have been handed out between `made_at`
    (of the backup) and the restoration: recalling it withdraws it and asks.
    """

    sequence: int
    made_at: str
    restored_at: str
    actor: str


class QueueStats(msgspec.Struct, frozen=True, omit_defaults=True):
    """Counters and sizes of a store; bytes, seconds, pieces.

    `behind_s` is the age of the oldest record that LMDB does not hold yet, `behind` how many
    there are; `log_bytes` what the segments take, `overlay_bytes` what is in memory only.
    `oldest` is the oldest document with open deliveries, where `searched` says that it was
    looked for to the end.  While `refusing`, documents are not taken: of the disk's
    `disk_free_bytes` (as of the last look; 0: nobody looks), `disk_reserve_bytes` stay free.
    """

    at: str
    counters: dict[str, int]
    epoch: int
    sequence: int
    behind: int
    behind_s: int
    log_bytes: int
    overlay_bytes: int
    map_bytes: int
    file_bytes: int
    used_bytes: int
    checkpoints: int
    flushes: int
    oldest: Waited | None = None
    searched: bool = True
    refusing: bool = False
    disk_free_bytes: int = 0
    disk_reserve_bytes: int = 0
    restorations: tuple[Restoration, ...] = ()


class ListedDocument(msgspec.Struct, frozen=True, omit_defaults=True):
    """A document in a list: how many of its deliveries are in each state."""

    key: str
    document_id: str
    sender: str
    accepted_at: str
    lane: str
    recipients: int
    states: dict[str, int]


class ListedDelivery(msgspec.Struct, frozen=True, omit_defaults=True):
    """A delivery in a list."""

    delivery: str
    address: str
    name: str
    key: str
    lane: str
    state: str
    accepted_at: str
    attempts: int = 0


class Listed(msgspec.Struct, frozen=True, omit_defaults=True):
    """A page of documents or of deliveries; `next_after` asks for the next, "" at the end.

    A page may be short, or empty, and yet not the last: so much was looked at in vain.
    """

    documents: tuple[ListedDocument, ...] = ()
    deliveries: tuple[ListedDelivery, ...] = ()
    next_after: str = ""


class Shown(msgspec.Struct, frozen=True, omit_defaults=True):
    """One document with its deliveries, or one delivery with its history."""

    document: Tracking | None = None
    delivery: TrackedDelivery | None = None
    key: str = ""


class ShapeRow(msgspec.Struct, frozen=True, omit_defaults=True):
    """Open deliveries of one destination by age: as many counts as columns."""

    code: str
    name: str
    open: int
    ages: tuple[int, ...]


class Shape(msgspec.Struct, frozen=True, omit_defaults=True):
    """Open deliveries by destination and age, the destinations with most first.

    Columns are ages in minutes up to each of `minutes`, then all above.  Not `complete`: more
    was open than is counted for one command.
    """

    at: str
    by: str
    minutes: tuple[int, ...]
    total: ShapeRow
    rows: tuple[ShapeRow, ...]
    destinations: int
    complete: bool = True


class Backup(msgspec.Struct, frozen=True, omit_defaults=True):
    """A backup that was made and verified: everything up to `sequence`, as of `at`."""

    path: str
    sequence: int
    epoch: int
    at: str
    bytes: int
    documents: int


class Checked(msgspec.Struct, frozen=True):
    """What a check found wrong (nothing: all well), and what is stored up to `sequence`."""

    wrong: tuple[str, ...]
    stored: dict[str, int]
    sequence: int = 0
