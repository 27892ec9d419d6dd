"""Policies of any size over the country of 30 June 2025, and the documents they judge.

The country is the centre, all provinces, districts and communes, and the departments of
provinces; its snapshot is a real one.  A broadcast goes to all people's committees of
communes but those of one district, and is met by a fixed number of rules; every other rule
differs from a matching one by who sends, by the type of document, or by who receives.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from random import Random
from typing import Final, NamedTuple

from router._core import Audience
from router.directory import Directory, Snapshot, encode_change
from router.model.calendar import WorkingCalendar, YearOfDays
from router.model.decisions import DocumentFacts
from router.model.documents import Act, Urgency
from router.policy.compiled import CompiledPolicy, compile_policy
from router.policy.floor import floor_rules
from router.policy.model import (
    Default,
    DocumentConditions,
    Effect,
    Forbid,
    Hold,
    LaneName,
    PolicyFile,
    Rule,
)
from router.selectors import instant_of_text
from vanban_bench.workloads.national import national_directory
from vanban_bench.workloads.selector_sets import committees

SEED: Final = 20_250_630
UNITS: Final = 14_000
TINY_UNITS: Final = 2_500
NOW: Final = instant_of_text("2025-06-25") + 9 * 3_600_000_000
CALENDAR: Final = WorkingCalendar({2025: YearOfDays(frozenset()), 2024: YearOfDays(frozenset())})
TYPE: Final = "Công văn"
USUAL_TYPES: Final = (TYPE, TYPE, "Tờ trình", "Báo cáo", "Quyết định", "Thông báo")
TYPES: Final = tuple(f"Loại văn bản {number}" for number in range(1, 33))
LISTED: Final = 38
"""Recipients of a document of the heavy assumption (a Hà Giang day)."""
COMMUNES: Final = "tier(commune) & kind(people-committee)"


class Batch(NamedTuple):
    """Documents with their audiences, as one batch brings them."""

    facts: list[DocumentFacts]
    audiences: list[Audience]


@cache
def snapshot(tiny: bool = False) -> Snapshot:
    """Return the country of 30 June 2025 (a part of it when `tiny`), made once a process."""
    directory = Directory()
    units = national_directory(SEED, TINY_UNITS if tiny else UNITS)
    for sequence, change in enumerate(directory.plan_import(units), 1):
        encode_change(change)
        directory.apply(change, sequence)
    return directory.snapshot(NOW)


def compiled(policy: PolicyFile, where: Snapshot) -> CompiledPolicy:
    """Return a policy compiled for a snapshot, with the law's floor."""
    return compile_policy(policy, where, CALENDAR, version=1, floor=floor_rules())


def facts_of(where: Snapshot, sender: int, chance: Random | None = None) -> DocumentFacts:
    """Return a document that the unit at a position signed; of any type with a `chance`."""
    number = where.hierarchy.number(sender)
    urgency = Urgency.NORMAL
    if chance:
        urgency = chance.choice([Urgency.NORMAL] * 8 + [Urgency.URGENT, Urgency.FLASH])
    return DocumentFacts(
        sender=number,
        act=Act.NEW,
        type=chance.choice(USUAL_TYPES) if chance else TYPE,
        urgency=urgency,
        issued_at=NOW - 3_600_000_000,
        size_bytes=chance.choice((2_048, 300_000, 30_000_000)) if chance else 2_048,
        attachments=1,
        media_types=("application/pdf",),
        signers=((number,),),
    )


# The broadcast.


class Scene:
    """Who broadcasts to whom, and rules that match it or do not."""

    def __init__(self, tiny: bool) -> None:
        self.where = snapshot(tiny)
        hierarchy = self.where.hierarchy
        self.districts = committees(self.where, "district")
        self.left_out = self.districts[-1]
        self.sender = self.where.position_of("G22")
        below = hierarchy.descendants(self.left_out)
        everybody = Audience.from_positions(committees(self.where, "commune"))
        self.audience = everybody - below
        self.provinces = committees(self.where, "province")
        taken = {self.sender, *self.provinces}
        everywhere = range(len(self.where))
        self.strangers = [
            unit for unit in everywhere if unit not in self.audience and unit not in taken
        ]
        """Neither addressed nor ever added."""

    def code(self, position: int) -> str:
        """Return the code of the unit at a position."""
        return self.where.unit_at(position).code

    def rules(self, count: int, matching: int) -> tuple[Rule, ...]:
        """Return so many rules, seeded; so many match, spread evenly: the same in any count."""
        chance = Random(count)
        every = max(1, count // matching)
        made: list[Rule] = []
        for number in range(count):
            if number % every == 0 and number // every < matching:
                made.append(self._matching(Random(number // every), number, number // every))
            else:
                made.append(self._silent(chance, number))
        return tuple(made)

    def policy(self, count: int, matching: int) -> PolicyFile:
        """Return a policy of so many rules."""
        rules = self.rules(count, matching)
        return PolicyFile(format=1, name="t", default=Default.ALLOW, rules=rules)

    def batch(self, documents: int) -> Batch:
        """Return so many documents of the one broadcast."""
        facts = facts_of(self.where, self.sender)
        return Batch([facts] * documents, [self.audience] * documents)

    def _matching(self, chance: Random, number: int, place: int) -> Rule:
        district = self.code(chance.choice(self.districts[:-1]))
        effect = self._effect(chance, place)
        senders = (None, "tier(central)", "G22")[place % 3]
        documents = None if place % 2 else DocumentConditions(types=(TYPE,))
        return Rule(
            name=f"r{number}", effect=effect, senders=senders, documents=documents,
            recipients=f"descendants({district})",
        )  # fmt: skip

    def _effect(self, chance: Random, place: int) -> Effect:
        kind = place % 10
        if kind < 6:
            return Effect(forbid=Forbid.RECIPIENTS)
        if kind < 8:
            return Effect(hold=Hold("parent(sender)" if kind == 6 else "G22", 2))
        if kind == 8:
            return Effect(lane=LaneName.URGENT, retention_years=chance.randint(1, 70))
        return Effect(add=self.code(chance.choice(self.provinces)))

    def _silent(self, chance: Random, number: int) -> Rule:
        """Return a rule that differs in one thing from one that matches."""
        senders: str | None = None
        recipients = f"descendants({self.code(chance.choice(self.districts[:-1]))})"
        documents: DocumentConditions | None = None
        if number % 3 == 0:
            senders = f"subtree({self.code(chance.choice(self.districts))})"
        elif number % 3 == 1:
            documents = DocumentConditions(types=(chance.choice(TYPES),))
        else:
            stranger = self.code(chance.choice(self.strangers))
            recipients = f"{stranger} | subtree({self.code(self.left_out)})"
        return Rule(
            name=f"r{number}", effect=self._effect(chance, chance.randrange(9)), senders=senders,
            recipients=recipients, documents=documents,
        )  # fmt: skip


# The realistic batch.


def realistic(where: Snapshot, documents: int) -> Batch:
    """Return lists of 38 units of the sender's province, one in 20 a broadcast to all of it."""
    chance = Random(SEED)
    hierarchy = where.hierarchy
    provinces = committees(where, "province")
    facts: list[DocumentFacts] = []
    audiences: list[Audience] = []
    while len(facts) < documents:
        province = chance.choice(provinces)
        below = hierarchy.descendants(province)
        members: Sequence[int] = below.positions()
        if len(members) < LISTED:
            continue
        sender = chance.choice((province, *members))
        audience = below
        if len(facts) % 20:
            chosen = chance.sample(list(members), LISTED - 2)
            audience = Audience.from_positions(
                [*chosen, province, max(0, hierarchy.parent(sender))]
            )
        facts.append(facts_of(where, sender, chance))
        audiences.append(audience)
    return Batch(facts, audiences)
