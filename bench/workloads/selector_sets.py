"""A thousand different selectors of each shape, over one snapshot of the country."""

from __future__ import annotations

from itertools import combinations, islice
from random import Random
from typing import Final, NamedTuple

from router.directory import Snapshot
from router.model.units import TIER_NUMBERS

SELECTORS: Final = 1_000
LIST_CODES: Final = 38
"""Recipients of a document of the heavy assumption (a Hà Giang day)."""
COMMUNES: Final = "tier(commune) & kind(people-committee)"
PROVINCES: Final = "tier(province) & kind(people-committee)"


class Broadcast(NamedTuple):
    """All communes but those below some units, plus all provinces but perhaps one."""

    text: str
    but_below: tuple[int, ...]
    """Positions of the units whose communes are left out."""
    but: int
    """Position of the province left out, -1 for none."""


def committees(snapshot: Snapshot, tier: str) -> list[int]:
    """Return the positions of a tier's people's committees."""
    hierarchy, kind = snapshot.hierarchy, snapshot.kind_of("people-committee")
    number = TIER_NUMBERS[tier]
    return [
        position
        for position in hierarchy.everything().positions()
        if hierarchy.tier(position) == number and hierarchy.kind(position) == kind
    ]


def broadcasts(snapshot: Snapshot, count: int = SELECTORS) -> list[Broadcast]:
    """Return broadcasts, each to another set.

    With districts: all communes but one district's.  Without (after the reform): but two or
    three provinces'.  Where there are fewer districts than sets asked for, the rest also
    leave out one province.
    """
    districts = committees(snapshot, "district")
    provinces = committees(snapshot, "province")
    left_out: list[tuple[tuple[int, ...], int]]
    if districts:
        left_out = [((district,), -1) for district in districts]
        left_out += [((district,), province) for district in districts for province in provinces]
    else:
        left_out = [(pair, -1) for pair in combinations(provinces, 2)]
        left_out += [(three, -1) for three in combinations(provinces, 3)]
    return [_broadcast(snapshot, below, but) for below, but in islice(left_out, count)]


def _broadcast(snapshot: Snapshot, below: tuple[int, ...], but: int) -> Broadcast:
    taken = "".join(f" - descendants({snapshot.unit_at(one).code})" for one in below)
    provinces = PROVINCES if but < 0 else f"({PROVINCES}) - {snapshot.unit_at(but).code}"
    return Broadcast(f"(({COMMUNES}){taken}) | ({provinces})", below, but)


def code_lists(
    snapshot: Snapshot, seed: int, count: int = SELECTORS, size: int = LIST_CODES
) -> list[str]:
    """Return selectors that list codes of any open units, joined by “|”, each another list."""
    chance = Random(seed)
    positions = range(len(snapshot))
    size = min(size, len(positions))
    codes: dict[int, str] = {}
    lists = []
    for _ in range(count):
        chosen = chance.sample(positions, size)
        for position in chosen:
            if position not in codes:
                codes[position] = snapshot.unit_at(position).code
        lists.append(" | ".join(codes[position] for position in chosen))
    return lists
