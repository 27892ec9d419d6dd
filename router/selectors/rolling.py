"""Sums up an audience: how many of each tier, in the whole country and by province."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from router._core import OP_TIER, Audience, Program
from router.model.units import TIER_NAMES, TIER_NUMBERS
from router.selectors.lookups import NamingLookup

_ALIKE_SHOWN_MAX: Final = 8
"""More complete subtrees than these are one line: nobody reads 63 lines that say "all"."""
_TIER_WORDS: Final = {
    1: ("central units", "cơ quan trung ương"),
    2: ("province units", "đơn vị cấp tỉnh"),
    3: ("districts", "đơn vị cấp huyện"),
    4: ("communes", "đơn vị cấp xã"),
}


class RollUpLine(msgspec.Struct, frozen=True, omit_defaults=True):
    """Members and all units by tier, of the whole directory or of some subtrees.

    `tiers` maps the name of each tier that has members to (members, all units of it
    there).  `complete`: of those tiers every unit is a member.  `code` and `name` are those
    of the unit at the top, empty for the whole directory and for a line that stands for
    several `subtrees`, each of them complete.
    """

    code: str
    name: str
    tier: str
    tiers: dict[str, tuple[int, int]]
    complete: bool
    subtrees: int = 1


def roll_up_lines(
    snapshot: NamingLookup,
    audience: Audience,
    *,
    tier: int = TIER_NUMBERS["province"],
    alike_shown_max: int = _ALIKE_SHOWN_MAX,
) -> list[RollUpLine]:
    """Return the line of the whole directory, then one for each subtree that has members.

    A subtree is what stands at or below a unit of `tier` that has no unit of that tier
    above it: a province with its departments, districts and communes.  Incomplete ones
    come first, each with its line; complete ones follow, and when more than
    `alike_shown_max` are complete in the same tiers, one line stands for them all.
    Members outside every such subtree stand in the first line only.
    """
    hierarchy = snapshot.hierarchy
    lines = [_line("", "", "", hierarchy.count_by_tier(audience))]
    tops = list(_tops(snapshot, tier))
    partial: list[RollUpLine] = []
    complete: dict[tuple[str, ...], list[RollUpLine]] = {}
    for top, counts in zip(tops, hierarchy.roll_up(audience, tops), strict=True):
        if not any(members for members, _ in counts.values()):
            continue
        unit = snapshot.unit_at(top)
        line = _line(unit.code, unit.name, _tier_name(unit.tier), counts)
        if line.complete:
            complete.setdefault(tuple(line.tiers), []).append(line)
        else:
            partial.append(line)
    lines += partial
    for alike in complete.values():
        lines += alike if len(alike) <= alike_shown_max else [_together(alike)]
    return lines


def words_of_line(line: RollUpLine, language: str = "en") -> str:
    """Return a line in words, e.g. "Hà Giang: 11/11 districts, 193/193 communes".

    `language` is "en" or "vi".
    """
    vietnamese = language == "vi"
    counts = ", ".join(
        f"{members:,}/{units:,} {_tier_words(tier, vietnamese=vietnamese)}"
        for tier, (members, units) in line.tiers.items()
    )
    title = line.name
    if line.subtrees > 1:
        title = f"{line.subtrees} đơn vị đủ" if vietnamese else f"{line.subtrees} complete"
    elif not line.code:
        title = "Cả nước" if vietnamese else "Whole country"
    return f"{title}: {counts or '0'}"


def _tops(snapshot: NamingLookup, tier: int) -> Iterable[int]:
    hierarchy = snapshot.hierarchy
    of_tier = hierarchy.evaluate(Program([(OP_TIER, tier, 0)]))
    for position in of_tier.positions():
        if not any(hierarchy.tier(above) == tier for above in hierarchy.ancestors(position)):
            yield position


def _line(code: str, name: str, tier: str, counts: dict[int, tuple[int, int]]) -> RollUpLine:
    tiers = {_tier_name(number): count for number, count in counts.items() if count[0]}
    complete = bool(tiers) and all(members == units for members, units in tiers.values())
    return RollUpLine(code, name, tier, tiers, complete)


def _together(alike: Sequence[RollUpLine]) -> RollUpLine:
    """Return one line for subtrees that are complete in the same tiers."""
    tiers = {
        tier: (
            sum(line.tiers[tier][0] for line in alike),
            sum(line.tiers[tier][1] for line in alike),
        )
        for tier in alike[0].tiers
    }
    return RollUpLine("", "", alike[0].tier, tiers, True, len(alike))


def _tier_name(number: int) -> str:
    return TIER_NAMES.get(number, str(number))


def _tier_words(tier: str, *, vietnamese: bool) -> str:
    words = _TIER_WORDS.get(TIER_NUMBERS.get(tier, 0))
    return words[vietnamese] if words else tier
