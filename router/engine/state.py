"""The rooms' state as the log's records made it, and the lock that orders its changes.

`Rooms` replays directory, trust, token, right, policy and snapshot records at opening and
applies each new record after it has been flushed: what is in memory is never ahead of the disk.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

import msgspec

from router._core import Audience, runs_contain
from router.directory import Digests, Directory, Snapshot
from router.directory import decode_change as decode_directory
from router.engine import hold_records, policy_records, rights, signers, tokens
from router.engine.policies import Policies
from router.errors import ForbiddenError, NotFoundError, StorageError
from router.model.units import Unit
from router.queue import Queue, RoomRecord
from router.signatures import RevocationStore, TrustStore
from router.signatures import decode_change as decode_trust

DIRECTORY = "directory"
TRUST = "trust"
SNAPSHOT = "snapshot"


class SnapshotMade(msgspec.Struct, frozen=True, array_like=True):
    """A snapshot has a number: the directory known at a sequence, valid from an instant."""

    number: int
    directory_sequence: int
    valid_from: int


_ROOMS = (
    DIRECTORY, TRUST, tokens.ROOM, rights.ROOM, SNAPSHOT, hold_records.ROOM, policy_records.ROOM,
    signers.ROOM,
)  # fmt: skip
_snapshots: msgspec.msgpack.Decoder[SnapshotMade] = msgspec.msgpack.Decoder(SnapshotMade)
encode_record = msgspec.msgpack.Encoder().encode


class Rooms:
    """Directory, trust, tokens, rights and numbered snapshots of one engine.

    `lock` (reentrant) orders changes: who holds it plans a change, flushes it and takes it
    in.  It is held over a flush, so nothing that reads may take it: a read inside the
    queue's group or view would wait for the very flush that waits for it.  Reads need no
    lock: the directory guards itself, trust, tokens and rights take each change in one step, and
    the list of snapshots only grows.

    `revocation` is no state of the log: what it knows can be fetched again (engine/revocation.py).
    """

    def __init__(self, queue: Queue) -> None:
        self.lock = threading.RLock()
        self.directory = Directory()
        self.trust = TrustStore()
        self.revocation = RevocationStore()
        self.tokens = tokens.Tokens()
        self.rights = rights.Rights()
        self.policies = Policies()
        self.hold_answers = hold_records.HoldAnswers()
        self.signers = signers.Signers()
        self.policies.read_from(queue)
        self._queue = queue
        self._made: list[SnapshotMade] = []
        self._number_of: dict[tuple[int, int], int] = {}
        self._digests = Digests()
        self._taken_in = 0
        self.catch_up(queue)

    def catch_up(self, queue: Queue) -> None:
        """Take in what the log has beyond what was taken in: all of it at an opening.

        After a failed flush a record may have been kept although nobody was answered.
        Raises StorageError `store.corrupt` when what was answered is not there.
        """
        with self.lock:
            after = self._taken_in
            if queue.store.last < after:
                raise StorageError(
                    "store.corrupt", path=f"log[{queue.store.last + 1}]",
                    reason=f"the log ends at {queue.store.last}, and held {after} before",
                )  # fmt: skip
            for room in _ROOMS:
                for sequence, record in queue.room_records(room, after):
                    self._apply(record, sequence)

    def append(self, records: Sequence[RoomRecord]) -> list[int]:
        """Flush records of the rooms, then take them in; return their sequences."""
        with self.lock:
            sequences = self._queue.append_rooms(records)
            for sequence, record in zip(sequences, records, strict=True):
                self._apply(record, sequence)
        return sequences

    def _apply(self, record: RoomRecord, sequence: int) -> None:
        room, body = record.room, record.body
        self._taken_in = max(self._taken_in, sequence)
        if room == DIRECTORY:
            self.directory.apply(decode_directory(body), sequence, record.at)
        elif room == TRUST:
            self.trust.apply(decode_trust(body), sequence, record.at, record.actor)
        elif room == tokens.ROOM:
            self.tokens.apply(tokens.decode_change(body))
        elif room == rights.ROOM:
            self.rights.apply(rights.decode_change(body), sequence, record.actor)
        elif room == hold_records.ROOM:
            self.hold_answers.apply(record)
        elif room == policy_records.ROOM:
            self.policies.apply(record, sequence)
        elif room == signers.ROOM:
            self.signers.apply(record, sequence)
        else:
            self._apply_snapshot(_snapshots.decode(body))

    def _apply_snapshot(self, made: SnapshotMade) -> None:
        if made.number != len(self._made) + 1:
            raise StorageError("store.corrupt", reason=f"snapshot {made.number} out of order")
        self._made.append(made)
        self._number_of[made.directory_sequence, made.valid_from] = made.number

    def number_of(self, snapshot: Snapshot, at_us: int) -> int:
        """Return the snapshot's number; a new one is recorded and flushed first.

        A document's record may then refer to it, whatever group it joins.
        """
        identity = (snapshot.sequence, snapshot.valid_from)
        number = self._number_of.get(identity)
        if number is not None:
            return number
        with self.lock:
            number = self._number_of.get(identity)
            if number is None:
                number = len(self._made) + 1
                body = encode_record(SnapshotMade(number, *identity))
                self.append([RoomRecord(SNAPSHOT, body, at_us, 0, "engine")])
            return number

    def digest(self, number: int, snapshot: Snapshot, audience: Audience) -> bytes:
        """Return an audience's hash over its members' stable numbers, remembered."""
        return self._digests.of(number, snapshot, audience)

    def snapshot(self, number: int) -> Snapshot:
        """Return a numbered snapshot, compiled again when it is no longer cached."""
        made = self._made[number - 1]
        return self.directory.snapshot(made.valid_from, made.directory_sequence)

    def places(self, address: int) -> Callable[[Sequence[int]], dict[int, int]]:
        """Return what says where the unit stands in numbered snapshots (-1: nowhere)."""

        def positions(snapshots: Sequence[int]) -> dict[int, int]:
            return {
                number: self.snapshot(number).hierarchy.position(address) for number in snapshots
            }

        return positions

    def member(self, address: int, snapshot: int, runs: bytes) -> bool:
        """Say whether the unit is in an audience stored under that snapshot."""
        position = self.snapshot(snapshot).hierarchy.position(address)
        return position >= 0 and runs_contain(runs, position)

    def subscriptions(self, address: int) -> tuple[bytes, ...]:
        """Return the topics whose entries may include the unit."""
        return self.directory.subscriptions(address)

    def unit(self, unit: str | int, now_us: int) -> Unit:
        """Return a unit by stable number or code (today's bearer, else the last one).

        Raises NotFoundError.
        """
        if isinstance(unit, int):
            return self.directory.unit(unit, now_us)
        found = self.directory.find(unit, now_us) or self.directory.find_any(unit)
        if found is None:
            raise NotFoundError("unit.not_found", unit=unit)
        return found

    def require_answering(self, unit: Unit, now_us: int) -> None:
        """Raise ForbiddenError `unit.closed` for a unit whose documents its successor gets.

        A closed unit without a successor still empties its own inbox.
        """
        holder = self.directory.holder(unit.number, now_us)
        if holder != unit.number:
            successor = self.directory.unit(holder).code
            raise ForbiddenError("unit.closed", unit=unit.code, successor=successor)

    def addresses_of(self, holder: int, now_us: int) -> tuple[int, ...]:
        """Return the units `holder` answers for today: itself while open, and closed ones.

        A closed unit with a successor answers for nobody any more.
        """
        if self.directory.holder(holder, now_us) != holder:
            return ()
        return self.directory.addresses(holder, now_us)
