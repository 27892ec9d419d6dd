"""Where the members of a document's entries stand: counted by ranks, listed in pages.

Members stand in order of tier, then kind, then place in the tree.  So those of one tier, and
those below one unit of one tier and kind, have ranks that follow each other: counting them is
counting cells between two ranks, which the store does without looking at one by one.  Of
several entries that hold an address the newest counts; it shadows the others.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import NamedTuple

from router import limits
from router._core import Audience, Hierarchy
from router.directory import Snapshot
from router.model.answers import DeliveryState
from router.model.units import TIER_NAMES
from router.queue import NAMES, RELEASED, EntryRow, Queue, State

QUEUED = DeliveryState.QUEUED.value
EXPIRED = DeliveryState.EXPIRED.value
_WAITS = frozenset((QUEUED, "held", "waiting"))
_OVER = frozenset((EXPIRED, "withdrawn", "excluded"))
_YIELDS = frozenset((QUEUED, "dead"))
"""States of single members that end when their entry is over."""


class Slice(NamedTuple):
    """Members of one tier whose ranks follow each other, from `first` up to `last`."""

    tier: str
    first: int
    last: int


class Member(NamedTuple):
    """One delivery of an entry: rank, position in the snapshot, state."""

    leg: Leg
    rank: int
    position: int
    state: str


class Leg:
    """An entry of a document as tracking reads it; `shadowed` are members of newer entries."""

    def __init__(
        self, entry: EntryRow, number: int, snapshot: Snapshot, audience: Audience, now_us: int
    ) -> None:
        self.entry = entry
        self.number = number
        self.snapshot = snapshot
        self.audience = audience
        self.now_us = now_us
        self.untouched = untouched(entry, now_us)
        self.shadowed: tuple[int, ...] = ()
        self._runs = audience.runs
        self._before = [0, *accumulate(stop - start for start, stop in self._runs)]

    def rank(self, position: int) -> int:
        """Return how many members stand before a position."""
        place = bisect_right(self._runs, (position, 1 << 32)) - 1
        if place < 0:
            return 0
        start, stop = self._runs[place]
        return self._before[place] + min(position, stop) - start

    def position(self, rank: int) -> int:
        """Return where the member of a rank stands in the snapshot."""
        place = bisect_right(self._before, rank) - 1
        return self._runs[place][0] + rank - self._before[place]

    def shadow(self, newer: Sequence[Leg]) -> None:
        """Note the ranks of members that newer entries hold as well."""
        found: set[int] = set()
        for leg in newer:
            if leg.number == self.number:
                both = leg.audience & self.audience
            else:
                position = self.snapshot.hierarchy.position
                numbers = leg.snapshot.hierarchy.numbers(leg.audience)
                places = (position(number) for number in numbers)
                both = Audience.from_positions(sorted({one for one in places if one >= 0}))
                both &= self.audience
            found.update(self.rank(place) for place in both.positions())
        self.shadowed = tuple(sorted(found))

    def slices(self, below: int | None) -> list[Slice]:
        """Return the members by tier, all or those below a unit (its stable number)."""
        hierarchy = self.snapshot.hierarchy
        whole = _tiers(hierarchy, self.audience)
        if below is None:
            return whole
        place = hierarchy.position(below)
        if place < 0:
            return []
        found = []
        for start, stop in hierarchy.descendants(place).runs:
            low, high = self.rank(start), self.rank(stop)
            for tier, first, last in whole:  # a run may go on from one tier into the next
                if max(low, first) < min(high, last):
                    found.append(Slice(tier, max(low, first), min(high, last)))
        return found

    def state(self, stored: str) -> str:
        """Return the state of a member whose cell says `stored`."""
        return self.untouched if stored in _YIELDS and self.untouched in _OVER else stored


def _tiers(hierarchy: Hierarchy, audience: Audience) -> list[Slice]:
    """Return an audience's members by tier: they stand in order of it."""
    sizes: Counter[str] = Counter()
    for (tier, _), count in hierarchy.count_by_class(audience).items():
        sizes[TIER_NAMES.get(tier, str(tier))] += count
    bounds = [0, *accumulate(sizes.values())]
    return [Slice(*one) for one in zip(sizes, bounds, bounds[1:], strict=False)]


def untouched(entry: EntryRow, now_us: int) -> str:
    """Return where the members of an entry stand that nothing ever changed.

    What waits past the document's time to live counts as expired from that instant, whether or
    not a record says so yet.
    """
    state: str = NAMES[entry.standing]
    if state in _WAITS and entry.expires and entry.expires <= now_us:
        return EXPIRED
    return state


def count(queue: Queue, leg: Leg, slices: Sequence[Slice]) -> list[Counter[str]]:
    """Return the states in each slice, without members that newer entries hold."""
    bounds: list[int] = []
    for one in slices:
        bounds += [one.first, one.last]
    if not bounds:
        return []
    counted = queue.count_states(leg.entry.number, bounds, leg.now_us)[::2]
    found = []
    for one, counts in zip(slices, counted, strict=True):
        states: Counter[str] = Counter()
        states[leg.untouched] += one.last - one.first - sum(counts)
        for stored, number in zip(NAMES, counts, strict=True):
            states[leg.state(stored)] += number
        for rank in leg.shadowed:
            if one.first <= rank < one.last:
                states[state_at(queue, leg, rank)] -= 1
        found.append(+states)
    return found


def state_at(queue: Queue, leg: Leg, rank: int) -> str:
    """Return where one member stands."""
    return next(_states(queue, leg, rank, rank + 1))


def _states(queue: Queue, leg: Leg, first: int, last: int) -> Iterator[str]:
    for cell in queue.cells(leg.entry.number, first, last - first):
        if cell is None or cell.state == RELEASED:  # of these a newer entry has the standing
            yield leg.untouched
        elif cell.state == State.LEASED and cell.at <= leg.now_us:
            yield leg.state(QUEUED)
        else:
            yield leg.state(NAMES[cell.state])


def page(
    queue: Queue, legs: Sequence[tuple[Leg, list[Slice]]], state: str | None, first: int, limit: int
) -> list[Member]:
    """Return at most `limit` members (in one state, or all) from the first-th on, in order.

    What lies before is counted, not read.
    """
    found: list[Member] = []
    for leg, slices in legs:
        for part in _chunks(leg, slices, whole=state is None):
            if len(found) >= limit:
                return found
            (counts,) = count(queue, leg, [part]) if state or leg.shadowed else (None,)
            if counts is None:
                size = part.last - part.first
            else:
                size = counts.total() if state is None else counts[state]
            if first >= size:
                first -= size
                continue
            members = _members(queue, leg, part, state, first, limit - len(found))
            first = 0
            found += members
    return found


def _chunks(leg: Leg, slices: Sequence[Slice], *, whole: bool) -> Iterator[Slice]:
    """Yield the slices in order of rank, cut into pieces that may be passed over."""
    step = limits.TRACKING_CHUNK
    for one in sorted(slices, key=lambda found: found.first):
        if whole and not leg.shadowed:
            yield one
        else:
            for first in range(one.first, one.last, step):
                yield Slice(one.tier, first, min(first + step, one.last))


def _members(
    queue: Queue, leg: Leg, part: Slice, state: str | None, skip: int, limit: int
) -> list[Member]:
    """Return members of a slice, after the first `skip` that are wanted."""
    found: list[Member] = []
    shadowed = set(leg.shadowed)
    first = part.first
    if state is None and not shadowed:
        first, skip = first + skip, 0
    while first < part.last and len(found) < limit:
        last = min(part.last, first + limits.TRACKING_CHUNK)
        for rank, stands in enumerate(_states(queue, leg, first, last), first):
            if rank in shadowed or (state is not None and stands != state):
                continue
            if skip:
                skip -= 1
                continue
            found.append(Member(leg, rank, leg.position(rank), stands))
            if len(found) >= limit:
                break
        first = last
    return found
