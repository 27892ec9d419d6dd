"""The policy in force, compiled for the snapshots that documents are resolved in."""

from __future__ import annotations

import threading

import msgspec

from router import limits
from router.directory import Snapshot
from router.model.calendar import WorkingCalendar
from router.model.holidays import shipped_calendar
from router.policy.compiled import CompiledPolicy, compile_policy
from router.policy.floor import SHIPPED, floor_rules
from router.policy.model import PolicyFile


class InForce(msgspec.Struct, frozen=True):
    """A version of the policy: 0 is the shipped one, else the sequence of its record."""

    version: int
    policy: PolicyFile
    calendar: WorkingCalendar


class Policies:
    """The policy in force and those before it; any thread may ask.

    A policy is replaced in one step: a batch that took it (`in_force`) keeps it to its end.
    """

    def __init__(self) -> None:
        self.in_force = InForce(0, SHIPPED, shipped_calendar())
        self._lock = threading.Lock()  # guards the dict below
        self._compiled: dict[tuple[int, tuple[int, int]], CompiledPolicy] = {}

    def of_version(self, version: int) -> InForce:
        """Return any version that was ever in force.  Raises NotFoundError `policy.not_found`."""
        assert version == self.in_force.version
        return self.in_force

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
