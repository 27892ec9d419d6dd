"""Conditions of one rule that no document, or no unit of today's directory, can meet."""

from __future__ import annotations

from collections.abc import Iterator, Set
from typing import NamedTuple

from router import limits
from router._core import Audience
from router.model.units import TIER_NUMBERS
from router.policy.checking_sets import Sets
from router.policy.compiled import folded
from router.policy.model import Direction, DocumentConditions, Range, Rule


class Doubt(NamedTuple):
    """Why a rule's condition can't hold: the keys, the reason in the signs of the file.

    `always`: whatever the directory says (a mistake); else only in today's.
    """

    keys: tuple[str, ...]
    reason: str
    always: bool = True


def doubts_of(rule: Rule, sets: Sets, ranks: dict[int, int]) -> Iterator[Doubt]:
    """Yield why a rule can never match; `ranks` numbers the tiers that have a unit, from 0."""
    if rule.documents is not None:
        yield from _of_documents(rule.documents)
    yield from _of_audience(rule, sets)
    crossing = list(_of_crossing(rule, len(ranks)))
    yield from crossing
    if not crossing:
        yield from _of_tiers(rule, sets, ranks)


def _of_documents(asked: DocumentConditions) -> Iterator[Doubt]:
    without = set(map(folded, asked.without_marks))
    if asked.marks and without >= set(map(folded, asked.marks)):
        yield Doubt(("documents", "marks"), "marks ⊆ without_marks")
    if asked.media_types and _most(asked.attachments) == 0:
        yield Doubt(("documents", "media_types"), "attachments = { max = 0 }, media_types")
    if asked.signed_by is not None and _most(asked.signatures) == 0:
        yield Doubt(("documents", "signed_by"), "signatures = { max = 0 }, signed_by")
    for key, most in (
        ("attachments", limits.ATTACHMENTS_MAX),
        ("signatures", limits.SIGNATURES_MAX),
    ):
        least = _least(getattr(asked, key))
        if least > most:
            yield Doubt(("documents", key), f"min = {least} > {most}")


def _of_audience(rule: Rule, sets: Sets) -> Iterator[Doubt]:
    asked = rule.audience
    if asked is None:
        return
    units = len(sets.everybody)
    if _most(asked.size) == 0:
        yield Doubt(("audience", "size"), "max = 0")
    elif _least(asked.size) > units:
        least = _least(asked.size)
        yield Doubt(("audience", "size"), f"min = {least} > {units}", always=False)
    if asked.includes is not None and asked.lacks is not None:
        includes, lacks = sets.constant(asked.includes), sets.constant(asked.lacks)
        within = includes is not None and lacks is not None and not includes - lacks
        if within or sets.same(asked.includes) == sets.same(asked.lacks):
            yield Doubt(("audience", "includes"), "includes ⊆ lacks")


def _of_crossing(rule: Rule, tiers: int) -> Iterator[Doubt]:
    asked = rule.tiers_crossed
    least, most = _least(asked), _most(asked)
    directions = set(rule.directions)
    if directions and most == 0 and Direction.ACROSS not in directions:
        yield Doubt(("directions",), "tiers_crossed = { max = 0 }: across")
    elif directions == {Direction.ACROSS} and least > 0:
        yield Doubt(("directions",), f"across: tiers_crossed = 0 < {least}")
    elif least >= len(TIER_NUMBERS):
        yield Doubt(("tiers_crossed",), f"min = {least} > {len(TIER_NUMBERS) - 1}")
    elif least >= max(tiers, 1):
        yield Doubt(("tiers_crossed",), f"min = {least} > {tiers - 1}", always=False)


def _of_tiers(rule: Rule, sets: Sets, ranks: dict[int, int]) -> Iterator[Doubt]:
    """Ask whether any sender's tier stands to any recipient's as the rule demands."""
    if not rule.directions and rule.tiers_crossed is None:
        return
    senders = sets.most(rule.senders, None)
    recipients = sets.most(rule.recipients, rule.senders)
    above, below = _ranks(senders, sets, ranks), _ranks(recipients, sets, ranks)
    if above and below and not any(_crosses(rule, mine, one) for mine in above for one in below):
        yield Doubt(("directions",) if rule.directions else ("tiers_crossed",), "∅", always=False)


def _ranks(units: Audience, sets: Sets, ranks: dict[int, int]) -> Set[int]:
    counts = sets.lookup.hierarchy.count_by_tier(units)
    return {ranks[tier] for tier, (members, _) in counts.items() if members}


def _crosses(rule: Rule, mine: int, other: int) -> bool:
    way = Direction.ACROSS
    if mine != other:
        way = Direction.UP if other < mine else Direction.DOWN
    apart, most = abs(mine - other), _most(rule.tiers_crossed)
    fits = apart >= _least(rule.tiers_crossed) and (most is None or apart <= most)
    return fits and (not rule.directions or way in rule.directions)


def _least(asked: Range | None) -> int:
    return 0 if asked is None or asked.min is None else asked.min


def _most(asked: Range | None) -> int | None:
    return None if asked is None else asked.max
