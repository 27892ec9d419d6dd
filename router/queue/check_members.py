"""What must be true of a document's entries together: each unit is in one of them at most.

Parts, what they were released into and what was queued again are entries of their own.  A unit
that two of them held would get the document twice.

A document may have very many entries: dead deliveries are queued again one by one.  So entries
are not compared each with all before it: they wait until they have more runs together than what
was compared already, and then one walk over all of it tells who shares members.  The work is
about that of sorting the runs that are stored; in memory are those that were compared, merged,
and before the next comparison no more than as many again and one entry's.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from heapq import heappop, heappush
from typing import TYPE_CHECKING, Final

from router._core import Audience
from router.queue.reading import RELEASED, EntryRow

if TYPE_CHECKING:
    from router.queue.check_tally import Tally

_RUNS_LEAST: Final = 4_096
"""So many runs wait before they are looked at, however few were compared before."""
_RUN: Final = struct.Struct("<II")


class Members:
    """The members of a document's entries in one snapshot."""

    def __init__(self) -> None:
        self._before = Audience()
        self._waiting: list[tuple[str, Audience]] = []
        self._runs = 0
        self._enough = _RUNS_LEAST

    def add(self, place: str, members: Audience) -> list[tuple[str, int]]:
        """Add an entry; return what `compare` does when so much waits that it is time."""
        self._waiting.append((place, members))
        self._runs += len(members.runs)
        return self.compare() if self._runs > self._enough else []

    def compare(self) -> list[tuple[str, int]]:
        """Compare what waits; return (place, members that an earlier entry holds, too)."""
        found = []
        if len(self._waiting) > 1 or self._before:
            audiences = [self._before, *(members for _, members in self._waiting)]
            places = ["", *(place for place, _ in self._waiting)]
            twice, self._before = shared(audiences)
            found = [one for one in zip(places, twice, strict=True) if one[1]]
        elif self._waiting:
            self._before = self._waiting[0][1]
        self._waiting.clear()
        self._runs = 0
        self._enough = max(_RUNS_LEAST, len(self._before.runs))
        return found


def shared(audiences: Sequence[Audience]) -> tuple[list[int], Audience]:
    """Return of each audience how many members an earlier one has as well, and all together.

    Every member is counted for the first audience that has it; the rest of an audience is what
    others had before.
    """
    runs = sorted(
        (start, stop, number)
        for number, audience in enumerate(audiences)
        for start, stop in audience.runs
    )
    twice = [audience.size for audience in audiences]
    here: list[tuple[int, int]] = []  # (audience, end of its run) that may hold a position
    at = 0
    for start, stop, number in [*runs, (1 << 32, 0, 0)]:
        while here and at < start:
            first, end = here[0]
            if end <= at:
                heappop(here)
            else:
                twice[first] -= min(end, start) - at
                at = min(end, start)
        at = start
        heappush(here, (number, stop))
    return twice, _united((start, stop) for start, stop, _ in runs)


def _united(runs: Iterable[tuple[int, int]]) -> Audience:
    """Return the audience of sorted runs that may overlap."""
    data = bytearray()
    low = high = 0
    for start, stop in runs:
        if start > high and low < high:
            data += _RUN.pack(low, high)
        low, high = (low, max(high, stop)) if low < high and start <= high else (start, stop)
    if low < high:
        data += _RUN.pack(low, high)
    return Audience.from_bytes(data)


def judge_members(
    tally: Tally, place: str, document: int, row: EntryRow, handed_on: list[int]
) -> None:
    """Add an entry to those of its document, which come one after the other.

    `handed_on` are the ranks whose deliveries another entry has since.  Positions are compared
    within one snapshot only: another may number the units otherwise.
    """
    audience = tally.audience(row.audience)
    if row.standing == RELEASED or audience is None:
        return
    members = Audience.from_bytes(audience.runs)
    if handed_on:
        positions = members.positions()
        members = members - Audience.from_positions(positions[rank] for rank in handed_on)
    if tally.members_of != document:
        finish_members(tally)
        tally.members_of = document
    if members:
        held = tally.members.setdefault(audience.snapshot, Members())
        _tell(tally, held.add(place, members))


def finish_members(tally: Tally) -> None:
    """Tell of the overlaps that were not looked for yet: no entry of the document follows."""
    for held in tally.members.values():
        _tell(tally, held.compare())
    tally.members.clear()


def _tell(tally: Tally, found: Iterable[tuple[str, int]]) -> None:
    for place, twice in found:
        tally.tell(f"{place}: {twice} of its members are another entry's of the document, too")
