"""Backups of the disk, and directories restored from them after all else is lost.

A restoration takes the model back to the instant of its backup, for all that the engine holds.
What people remember stays: ids that were handed out since may not be given to anything else, and
what waited at the backup comes again under the ids it had.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from random import Random
from typing import Final

from router.engine import Engine
from router.model.answers import OutboxEvent
from router.model.instants import SECOND_US
from router.queue import MemoryDisk, MemoryStore, Queue
from router.queue._base import MemoryBase
from router.queue._log import SegmentLog
from router.queue._simulated_disk import SimulatedDisk
from router.queue._store import place_of
from router.queue.restored import Restored, leap, note
from vanban_bench.simulator.documents import require
from vanban_bench.simulator.model import Model
from vanban_bench.simulator.paper import Standing
from vanban_bench.simulator.session import Session

OPERATOR: Final = "quản trị"


@dataclass(frozen=True)
class Backup:
    """A copy of a disk as of one flushed record, and what the model knew then."""

    files: SimulatedDisk
    base: MemoryBase
    sequence: int
    at: int
    epoch: int
    model: Model
    told: dict[int, dict[str, OutboxEvent]]


def back_up(session: Session) -> None:
    """Copy the disk as it is at one instant; the run goes on."""

    def taken(_: Engine) -> bool:
        session.store.checkpoint()
        return True

    if session.freezing or not session.call(taken):
        return
    session.history.keep()
    session.model.flushed()
    session.backup = Backup(
        session.disk.files.clone(), session.disk.base.copy(), session.store.durable,
        session.now_us(), session.store.epoch, copy.deepcopy(session.model),
        {sender: dict(events) for sender, events in session.told.items()},
    )  # fmt: skip


def restore(session: Session) -> None:
    """Lose the disk for good, and go on with one that is restored from the last backup."""
    backup = session.backup
    if backup is None:
        return
    lost, epoch = session.model, session.store.epoch
    # It takes a while, and operators look at the clock before they restore.
    session.clock.instant_us = session.latest_us = session.latest_us + 60 * SECOND_US
    session.move_to(restored_disk(backup, session.disk.segment_bytes, session.now_us()))
    session.model = copy.deepcopy(backup.model)
    session.world = session.model.world
    forgotten = session.model.remember(lost)
    session.received = {  # a unit founded since the backup is gone, and asks for nothing
        unit: [one for one in ids if one not in forgotten]
        for unit, ids in session.received.items()
        if unit in session.world.places
    }
    session.told = {sender: dict(events) for sender, events in backup.told.items()}
    session.restorations += 1
    session.reopen()
    require(session.store.epoch > epoch, "a restored engine passes for an older one")
    _require_gap(session, lost)
    session.note("restore", backup.sequence)


def restored_disk(backup: Backup, segment_bytes: int, at_us: int) -> MemoryDisk:
    """Return a disk as a restoration makes it: a copy, a gap, and the operator's act."""
    disk = MemoryDisk(segment_bytes)
    disk.files = backup.files.clone()
    disk.files.crash(Random(0), "all")  # faults that were planned then are not the copy's
    disk.files.room_bytes = None
    disk.base = backup.base.copy()
    sequence, _, epoch = place_of(disk.base)
    act = Restored(sequence, backup.at, max(epoch, backup.epoch))
    first, epoch, changes = leap(act, at_us)
    bridge = SimulatedDisk()
    last = max((int(name[:8]) for name in disk.files.names() if name.endswith(".seg")), default=0)
    SegmentLog.open(bridge, checkpoint_sequence=first, epoch_min=epoch, number_min=last).close()
    for name in bridge.names():
        disk.files.place(name, bridge.contents(name))
    disk.base.apply(changes)
    queue = Queue(MemoryStore(disk))
    note(queue, act, at_us, OPERATOR)
    queue.close()
    return disk


def _require_gap(session: Session, lost: Model) -> None:
    """Require that sequences go on above all that were ever answered."""
    given = [paper.sequence for paper in lost.papers if paper.standing is Standing.STORED]
    last = session.store.last
    require(max(given, default=0) < last, "a restored engine gives sequences out again")
