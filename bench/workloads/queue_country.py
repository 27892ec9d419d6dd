"""A country of 11,400 units for the queue's benchmarks, and who writes to whom in it.

32 units of the centre, 63 provinces, 705 districts, 10,600 communes: the size of the tree
before 1 July 2025.  Only the hierarchy is made; names and codes are of no account to a queue.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from random import Random
from typing import Final

from router._core import Audience, Hierarchy
from router._postings import EVERYBODY, postings
from router.directory.snapshot import pack_topic
from vanban_bench.workloads.queue_documents import Reader, Spread

CENTRAL: Final = 32
PROVINCES: Final = 63
DISTRICTS: Final = 705
COMMUNES: Final = 10_600
LIST_MEAN: Final = 38
"""Recipients of a document of the heavy assumption (a Hà Giang day)."""
_COMMITTEE, _OFFICE = 1, 2


class Tree:
    """A hierarchy of one snapshot, with what benchmarks ask of it."""

    def __init__(self, hierarchy: Hierarchy) -> None:
        self.hierarchy = hierarchy
        self.everything = hierarchy.everything()

    def __len__(self) -> int:
        return self.hierarchy.size

    def reader(self, position: int) -> Reader:
        """Return who asks for the documents of the unit at a position."""
        hierarchy = self.hierarchy
        topics = tuple(pack_topic(*topic) for topic in hierarchy.subscriptions(position))
        topics += (pack_topic(*EVERYBODY),)
        return Reader(hierarchy.number(position), topics, position)

    def spread(self, audience: Audience, sender: int = 1, *, listed: bool = False) -> Spread:
        """Return an audience as it is stored; `listed` names its members for the peers."""
        return Spread(
            sender,
            audience.to_bytes(),
            audience.size,
            postings(self.hierarchy, audience),
            tuple(self.hierarchy.numbers(audience)) if listed else (),
        )

    def letters(self, count: int = 0) -> list[Spread]:
        """Return letters, one recipient each: to every unit in seeded order (or `count`)."""
        positions = list(range(len(self)))
        Random(7).shuffle(positions)
        numbers = [self.hierarchy.number(position) for position in positions]
        chosen = positions[: count or None]
        return [
            self.spread(Audience.from_positions([position]), numbers[-1 - place], listed=True)
            for place, position in enumerate(chosen)
        ]

    def broadcasts(self, members: int, count: int) -> list[Spread]:
        """Return broadcasts of exactly `members` units, each to another set.

        The sets are the first units in the snapshot's order, committees of communes and
        provinces before all others, without two units that differ from set to set.  Raises
        ValueError when the tree is too small.
        """
        base = self._largest(members + 2)
        positions = base.positions()
        chance = Random(members)
        found: list[Spread] = []
        seen: set[tuple[int, ...]] = set()
        if len(positions) * (len(positions) - 1) // 2 < count:
            raise ValueError("there are not so many different sets")
        while len(found) < count:
            pair = sorted(chance.sample(range(len(positions)), 2))
            if tuple(pair) in seen:
                continue
            seen.add(tuple(pair))
            out = Audience.from_positions([positions[place] for place in pair])
            found.append(self.spread(base - out))
        return found

    def subtrees(self, seed: int) -> Iterator[Spread]:
        """Yield broadcasts to whole subtrees: 1 % the country, 30 % a province, else a district."""
        chance = Random(seed)
        units = range(len(self))
        by_tier = {tier: [p for p in units if self.hierarchy.tier(p) == tier] for tier in (2, 3)}
        while True:
            draw = chance.random()
            if draw < 0.01 or not by_tier[2]:
                yield self.spread(self.everything)
            else:
                choice = by_tier[2] if draw < 0.31 or not by_tier[3] else by_tier[3]
                position = chance.choice(choice)
                below = self.hierarchy.descendants(position) | Audience.from_positions([position])
                yield self.spread(below, self.hierarchy.number(position))

    def lists(self, seed: int) -> Iterator[Spread]:
        """Yield lists of units, 1 to 75 in each, 38 in the mean."""
        chance = Random(seed)
        units = range(len(self))
        most = min(2 * LIST_MEAN - 1, len(self))
        while True:
            chosen = sorted(chance.sample(units, chance.randint(1, most)))
            sender = self.hierarchy.number(chance.choice(units))
            yield self.spread(Audience.from_positions(chosen), sender)

    def _largest(self, members: int) -> Audience:
        """Return the first `members` units: committees of communes, of provinces, others."""
        if members > len(self):
            raise ValueError(f"the tree has {len(self)} units, not {members}")
        rest = self.everything
        taken = Audience()
        for tier in (4, 2, 3, 1):
            kinds = {kind for at, kind in self.hierarchy.count_by_class(rest) if at == tier}
            for kind in sorted(kinds):
                same = [
                    p
                    for p in rest.positions()
                    if self.hierarchy.tier(p) == tier and self.hierarchy.kind(p) == kind
                ]
                taken |= Audience.from_positions(same[: members - taken.size])
                if taken.size == members:
                    return taken
        raise AssertionError("every unit is of some tier")


@cache
def country_of(provinces: int = PROVINCES, districts: int = DISTRICTS, communes: int = COMMUNES,
               central: int = CENTRAL) -> Tree:  # fmt: skip
    """Return the country, or a smaller one; its districts and communes lie evenly."""
    rows = [(1, 1, _OFFICE, 0)]
    rows += [(number, 1, _OFFICE, 1) for number in range(2, central + 1)]
    above: Sequence[int] = [1]
    for tier, count in ((2, provinces), (3, districts), (4, communes)):
        first = len(rows) + 1
        rows += [
            (first + place, tier, _COMMITTEE, above[place * len(above) // count])
            for place in range(count)
        ]
        above = range(first, first + count)
    return Tree(Hierarchy(rows))
