"""The policy in force and those before it, compiled for the snapshots documents resolve in."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import msgspec

from router import limits
from router.directory import Snapshot
from router.engine.policy_reading import calendar_of, read_stored
from router.engine.policy_records import (
    ROOM,
    PolicyActivated,
    PolicyPart,
    decode_record,
    text_of,
)
from router.errors import NotFoundError, StorageError
from router.model.calendar import WorkingCalendar
from router.model.holidays import shipped_calendar
from router.model.instants import show_instant
from router.model.policies import PolicyVersion
from router.policy.compiled import CompiledPolicy, compile_policy
from router.policy.floor import SHIPPED, floor_rules
from router.policy.model import PolicyFile
from router.queue import Queue, RoomRecord

_SHIPPED_DIGEST = b""


class InForce(msgspec.Struct, frozen=True):
    """A version of the policy: 0 is the shipped one, else the sequence of its record."""

    version: int
    policy: PolicyFile
    calendar: WorkingCalendar


class Activation(msgspec.Struct, frozen=True):
    """An activation as the log has it."""

    version: int
    made: PolicyActivated
    at: int
    actor: str


class _Ready(msgspec.Struct, frozen=True):
    """A policy about to be activated, read already, and the snapshot of now."""

    sha256: bytes
    policy: PolicyFile
    snapshot: Snapshot


_FIRST = InForce(0, SHIPPED, shipped_calendar())


class Policies:
    """The policy in force and those before it; any thread may ask, one applies.

    A policy is replaced in one step: a batch that took it (`in_force`) keeps it to its end.
    Texts stay in the log; a version's is read when it is first asked for.
    """

    def __init__(self) -> None:
        self._current: InForce | None = _FIRST
        self._lock = threading.Lock()  # guards the two dicts below, and changes of _current
        self._compiled: dict[tuple[int, tuple[int, int]], CompiledPolicy] = {}
        self._loaded: dict[int, InForce] = {}
        self._queue: Queue | None = None
        self._parts: dict[bytes, list[int]] = {}
        self._activations: dict[int, Activation] = {}
        self._ready: _Ready | None = None

    def read_from(self, queue: Queue) -> None:
        """Name the log that holds the texts of versions."""
        self._queue = queue

    # What the log says.

    def apply(self, record: RoomRecord, sequence: int) -> None:
        """Take one record in; an activation is complete when this returns."""
        change = decode_record(record.body)
        if isinstance(change, PolicyPart):
            places = self._parts.setdefault(change.sha256, [])
            if change.index == 0:
                places.clear()  # of an attempt that never was activated
            places.append(sequence)
            return
        made, ready = None, self._ready
        if ready is not None and ready.sha256 == change.sha256:
            made = InForce(sequence, ready.policy, calendar_of(ready.policy))
            self.compiled(ready.snapshot, made)  # so that no sender waits for it
        with self._lock:
            self._activations[sequence] = Activation(sequence, change, record.at, record.actor)
            self._current = made  # None: read when first asked for, a replay reads none

    def prepare(self, sha256: bytes, policy: PolicyFile, snapshot: Snapshot) -> None:
        """Announce the policy that the next record activates; compiled before it takes over."""
        self._ready = _Ready(sha256, policy, snapshot)

    def forget_prepared(self) -> None:
        """Take an announcement back: it was activated, or never will be."""
        self._ready = None

    # Versions.

    @property
    def in_force(self) -> InForce:
        """The policy in force.  Raises StorageError when its text can't be read."""
        while (current := self._current) is None:
            last = next(reversed(self._activations))
            found = self.of_version(last)
            with self._lock:
                if self._current is None and last == next(reversed(self._activations)):
                    self._current = found
        return current

    def of_version(self, version: int) -> InForce:
        """Return any version that was ever in force.  Raises NotFoundError `policy.not_found`."""
        if version == 0:
            return _FIRST
        current = self._current
        if current is not None and current.version == version:
            return current
        with self._lock:
            found = self._loaded.get(version)
        if found is not None:
            return found
        made = self.activation(version).made
        policy = SHIPPED
        if made.sha256 != _SHIPPED_DIGEST:
            policy = read_stored(self.text(version))
        found = InForce(version, policy, calendar_of(policy))
        with self._lock:
            while len(self._loaded) >= limits.POLICY_COMPILED_MAX:
                del self._loaded[next(iter(self._loaded))]
            self._loaded[version] = found
        return found

    def activation(self, version: int) -> Activation:
        """Return an activation by its version.  Raises NotFoundError `policy.not_found`."""
        found = self._activations.get(version)
        if found is None:
            raise NotFoundError("policy.not_found", version=version)
        return found

    def activations(self) -> Sequence[Activation]:
        """Return all activations, oldest first."""
        return tuple(self._activations.values())

    def stored(self, sha256: bytes) -> int:
        """Return in how many records a text is kept already, 0 for none."""
        known = any(one.made.sha256 == sha256 for one in self._activations.values())
        return len(self._parts[sha256]) if known else 0

    def text(self, version: int) -> bytes:
        """Return the text of a version, "" for the shipped one.

        Raises NotFoundError `policy.not_found`, StorageError `store.corrupt`.
        """
        if version == 0:
            return b""
        made = self.activation(version).made
        if made.sha256 == _SHIPPED_DIGEST:
            return b""
        places = self._parts.get(made.sha256, [])
        if self._queue is None or len(places) != made.parts:
            raise StorageError("store.corrupt", path="policy", reason=f"text of {version} missing")
        return text_of(made.sha256, [self._part(self._queue, place) for place in places])

    def _part(self, queue: Queue, sequence: int) -> PolicyPart:
        for found, record in queue.room_records(ROOM, sequence - 1):
            change = decode_record(record.body)
            if found == sequence and isinstance(change, PolicyPart):
                return change
            break
        raise StorageError("store.corrupt", path=f"log[{sequence}]", reason="a policy's part")

    def shown(self) -> list[PolicyVersion]:
        """Return every activation as people see it, oldest first."""
        last = next(reversed(self._activations), 0)
        return [
            PolicyVersion(
                version=one.version,
                name=one.made.name,
                sha256=one.made.sha256.hex(),
                rules=one.made.rules,
                activated_at=show_instant(one.at),
                actor=one.actor,
                reason=one.made.reason,
                active=one.version == last,
                rolled_back_to=one.made.rolled_back_to,
                without_floor=one.made.without_floor,
            )
            for one in self.activations()
        ]

    # Compiled.

    def compiled(self, snapshot: Snapshot, policy: InForce | None = None) -> CompiledPolicy:
        """Return a version (None: the one in force) compiled for a snapshot, remembered."""
        chosen = policy or self.in_force
        key = (chosen.version, snapshot.identity)
        with self._lock:
            found = self._compiled.pop(key, None)
            if found is not None:
                self._compiled[key] = found  # asked last, forgotten last
                return found
        made = compile_policy(
            chosen.policy, snapshot, chosen.calendar, version=chosen.version, floor=floor_rules()
        )
        with self._lock:
            while len(self._compiled) >= limits.POLICY_COMPILED_MAX:
                del self._compiled[next(iter(self._compiled))]
            self._compiled[key] = made
        return made
