"""What may be handed out anew, as listeners see it: whom it reaches, nothing else."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Final

from router._core import Audience, runs_contain
from router.engine.state import Rooms
from router.queue import StoredAudience

NO_SNAPSHOT: Final = -1
"""Stands for the snapshot's number where an arrival names its unit itself."""
_Positions = dict[int, list[tuple[int, int]]]
"""For a snapshot's number the positions there of the units asked about."""


class Arrival:
    """A document newly accepted or queued again: whom it reaches, nothing else."""

    def __init__(self, rooms: Rooms, audience: StoredAudience, now_us: int) -> None:
        self._rooms = rooms
        self._audience = audience
        self._now_us = now_us

    def reaches(self, unit: int) -> bool:
        """Say whether the unit (by stable number) is to receive it, for itself or a closed one."""
        return any(
            self._rooms.member(address, self._audience.snapshot, self._audience.runs)
            for address in self._rooms.addresses_of(unit, self._now_us)
        )

    @property
    def audience(self) -> tuple[int, bytes]:
        """Equal for arrivals that reach the same units: the snapshot's number and the runs."""
        return self._audience.snapshot, self._audience.runs

    def reached(self, asked: Collection[int], positions: _Positions) -> set[int]:
        """Return which of the units asked about are reached.

        Costs as much as the smaller of both: a letter to few asks for each member's holder,
        a broadcast asks for each unit, whose positions are looked up once (`positions`).
        """
        snapshot, runs = self.audience
        rooms = self._rooms
        if self._audience.size <= len(asked):
            numbers = rooms.snapshot(snapshot).hierarchy.numbers(Audience.from_bytes(runs))
            holders = {rooms.directory.holder(number, self._now_us) for number in numbers}
            return holders.intersection(asked)
        of_units = positions.get(snapshot)
        if of_units is None:
            position_of = rooms.snapshot(snapshot).hierarchy.position
            of_units = positions[snapshot] = [
                (unit, position)
                for unit in asked
                for address in rooms.addresses_of(unit, self._now_us)
                if (position := position_of(address)) >= 0
            ]
        return {unit for unit, position in of_units if runs_contain(runs, position)}

    @classmethod
    def reached_by_any(cls, arrivals: Sequence[Arrival], asked: Collection[int]) -> set[int]:
        """Return which of the units asked about any of the arrivals reaches."""
        positions: _Positions = {}
        found: set[int] = set()
        for arrival in arrivals:
            if len(found) == len(asked):
                break
            found |= arrival.reached(asked, positions)
        return found


class Returned(Arrival):
    """Something waits in a unit's inbox again: it was given back, or its lease has ended."""

    def __init__(self, unit: int) -> None:
        self._unit = unit

    def reaches(self, unit: int) -> bool:
        """Say whether it waits for this unit (by stable number)."""
        return unit == self._unit

    @property
    def audience(self) -> tuple[int, bytes]:
        """See `Arrival.audience`; no snapshot has this number."""
        return NO_SNAPSHOT, self._unit.to_bytes(8, "big")

    def reached(self, asked: Collection[int], positions: _Positions) -> set[int]:  # noqa: ARG002
        """See `Arrival.reached`."""
        return {self._unit}.intersection(asked)


def reached_by(arrivals: Sequence[Arrival], units: Collection[int]) -> set[int]:
    """Return which of the units (by stable number) are reached by any of the arrivals.

    Equal audiences are looked at once.  Much cheaper than asking each arrival about each unit.
    """
    different = list({one.audience: one for one in arrivals}.values())
    return different[0].reached_by_any(different, units) if different and units else set()


Listener = Callable[[Sequence[Arrival]], None]
