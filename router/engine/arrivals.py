"""Newly accepted documents as listeners see them: whom they reach, nothing else."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from router._core import Audience, runs_contain
from router.engine.state import Rooms
from router.queue import StoredAudience

_Positions = dict[int, list[tuple[int, int]]]
"""For a snapshot's number the positions there of the units asked about."""


class Arrival:
    """A newly accepted document, as listeners see it: whom it reaches, nothing else."""

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


def reached_by(arrivals: Sequence[Arrival], units: Collection[int]) -> set[int]:
    """Return which of the units (by stable number) are reached by any of the arrivals.

    Equal audiences are looked at once.  Much cheaper than asking each arrival about each unit.
    """
    positions: _Positions = {}
    found: set[int] = set()
    for arrival in {one.audience: one for one in arrivals}.values():
        if len(found) == len(units):
            break
        found |= arrival.reached(units, positions)
    return found


Listener = Callable[[Sequence[Arrival]], None]
