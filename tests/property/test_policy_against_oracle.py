"""What the tables decide is what an oracle says that looks at one recipient at a time.

A wrong set sends a document to an office that must not have it, or keeps it from one that
must; so every field of every decision is compared, and what the page promises (no order of
rules, forbid wins, a batch is its documents) is held by itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import compress
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.policy_oracle import Case
from support.random_policies import CALENDAR, DAYS, World, shuffled

from router._core import Audience
from router.model.decisions import DocumentFacts, Refused
from router.policy.compiled import CompiledPolicy, compile_policy
from router.policy.deciding import Decision, decide_batch
from router.policy.model import DocumentConditions, Effect, Forbid, PolicyFile, Rule

SEEDS = st.integers(0, 2**48)
EXAMPLES = 250
DOCUMENTS = 8
BESIDE = 256
"""Rules that no document meets: with so many others, rules are found by the index."""
TOLD = {"rules", "refusal_rule"}


@dataclass
class Asked:
    """One batch: the facts and audiences of its documents, and its instant."""

    facts: list[DocumentFacts]
    members: list[set[int]]
    audiences: list[Audience]
    at_us: int


def asked(world: World, count: int = DOCUMENTS) -> Asked:
    members = [world.audience() for _ in range(count)]
    place = world.hierarchy.position
    audiences = [Audience.from_positions(map(place, one)) for one in members]
    return Asked([world.document() for _ in range(count)], members, audiences, world.instant())


def known_senders(world: World, batch: Asked) -> Asked:
    there = [world.hierarchy.position(facts.sender) >= 0 for facts in batch.facts]
    return Asked(
        *(list(compress(many, there)) for many in (batch.facts, batch.members, batch.audiences)),
        batch.at_us,
    )


def compiled(world: World, policy: PolicyFile | None = None) -> CompiledPolicy:
    return compile_policy(
        policy or world.policy, world.lookup, CALENDAR, version=7, floor=world.floor
    )


def decided(world: World, batch: Asked, policy: PolicyFile | None = None) -> list[Decision]:
    return decide_batch(compiled(world, policy), batch.facts, batch.audiences, batch.at_us)


def shown(world: World, decision: Decision) -> dict[str, Any]:
    """Return the fields of a decision, audiences as numbers of units."""

    def numbers(audience: Audience) -> set[int]:
        return set(world.hierarchy.numbers(audience))

    fields = msgspec.structs.asdict(decision)
    for name in ("effective", "excluded", "added"):
        fields[name] = numbers(fields[name])
    fields["held"] = [(numbers(p.audience), p.rules, p.expires_at) for p in decision.held]
    return fields


def among_many(policy: PolicyFile) -> PolicyFile:
    """Return the policy with rules more, at the end, that no document meets."""
    silent = (
        Rule(name=f"x{place}", documents=_conditions(), effect=Effect(forbid=Forbid.DOCUMENT))
        for place in range(BESIDE)
    )
    return msgspec.structs.replace(policy, rules=(*policy.rules, *silent))


def as_alone(decision: Decision, rules: int) -> Decision:
    """Return a decision among many rules with the numbers of the rules, floor's last, alone."""

    def back(numbers: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(one - BESIDE if one > rules else one for one in numbers)

    held = tuple(msgspec.structs.replace(p, rules=back(p.rules)) for p in decision.held)
    (refusal,) = back((decision.refusal_rule,))
    return msgspec.structs.replace(
        decision, rules=back(decision.rules), held=held, refusal_rule=refusal
    )


@settings(max_examples=EXAMPLES, deadline=None)
@given(SEEDS)
def test_every_field_of_every_decision_is_the_oracles(seed: int) -> None:
    world = World(seed)
    batch = asked(world)
    oracle = Case(world.lookup.oracle, world.policy, world.floor, world.texts, DAYS)
    answers = decided(world, batch)
    for facts, members, answer in zip(batch.facts, batch.members, answers, strict=True):
        wanted = oracle.decide(facts, members, batch.at_us)
        assert shown(world, answer) == wanted | {"policy_version": 7}


@settings(max_examples=EXAMPLES, deadline=None)
@given(SEEDS)
def test_rules_among_many_decide_as_they_do_alone(seed: int) -> None:
    world = World(seed, most=(24, 90, 300)[seed % 3])  # some audiences are more than 64 units
    batch = asked(world)
    alone, many = decided(world, batch), decided(world, batch, among_many(world.policy))
    assert [as_alone(one, len(world.policy.rules)) for one in many] == alone


@settings(max_examples=60, deadline=None)
@given(SEEDS)
def test_the_order_of_rules_decides_nothing_but_what_is_told(seed: int) -> None:
    world = World(seed)
    batch = asked(world)
    other, old = shuffled(world.policy, world.chance)
    straight = decided(world, batch)
    for first, second in zip(straight, decided(world, batch, other), strict=True):
        one, two = shown(world, first), shown(world, second)
        assert set(first.rules) == {old.get(number, number) for number in second.rules}
        held = [[(units, expiry) for units, _, expiry in found["held"]] for found in (one, two)]
        assert held[0] == held[1]
        for name in TOLD | {"held"}:
            del one[name], two[name]
        assert one == two


@settings(max_examples=60, deadline=None)
@given(SEEDS)
def test_one_more_prohibition_gives_nobody_anything(seed: int) -> None:
    world = World(seed)
    batch = asked(world)
    more = Rule(
        name="more",
        effect=Effect(forbid=world.chance.choice(list(Forbid))),
        recipients=world.chance.choice(world.pool),
    )
    policy = msgspec.structs.replace(world.policy, rules=(*world.policy.rules, more))
    for before, after in zip(decided(world, batch), decided(world, batch, policy), strict=True):
        assert not after.effective - before.effective
        assert not after.added - before.added
        assert not before.excluded - after.excluded
        # Whoever is forbidden needs no approval, so no calendar to say until when.
        assert after.refused or before.refused in (Refused.NO, Refused.CALENDAR)


@settings(max_examples=60, deadline=None)
@given(SEEDS)
def test_a_batch_is_decided_as_each_document_alone(seed: int) -> None:
    world = World(seed)
    batch = asked(world)
    tables = compiled(world)
    together = decide_batch(tables, batch.facts, batch.audiences, batch.at_us)
    for _ in range(2):  # what is remembered of senders changes nothing
        alone = [
            decide_batch(tables, [facts], [audience], batch.at_us)[0]
            for facts, audience in zip(batch.facts, batch.audiences, strict=True)
        ]
        assert alone == together


@settings(max_examples=60, deadline=None)
@given(SEEDS)
def test_rules_that_do_not_match_change_nothing(seed: int) -> None:
    world = World(seed)
    batch = asked(world)
    strangers = tuple(
        msgspec.structs.replace(
            rule, name=f"s{place}", documents=_conditions()
        )
        for place, rule in enumerate(World(seed + 1).policy.rules)
        if rule.senders is None and not world.texts.keys().isdisjoint({rule.recipients})
    )  # fmt: skip
    silent = Rule(name="x", documents=_conditions(), effect=Effect(forbid=Forbid.DOCUMENT))
    policy = msgspec.structs.replace(world.policy, rules=(*world.policy.rules, *strangers, silent))
    moved = len(strangers) + 1
    # A sender who was not there then is refused as soon as any rule asks for the sender.
    batch = known_senders(world, batch)
    for before, after in zip(decided(world, batch), decided(world, batch, policy), strict=True):
        numbers = tuple(
            number - moved if number > len(world.policy.rules) else number for number in after.rules
        )
        assert numbers == before.rules
        same = msgspec.structs.replace(after, rules=numbers, refusal_rule=before.refusal_rule)
        assert same == before


def _conditions() -> DocumentConditions:
    return DocumentConditions(types=("Thông cáo báo chí",))


def test_two_lists_of_one_length_are_asked() -> None:
    world = World(1)
    batch = asked(world, 2)
    with pytest.raises(ValueError, match=r"length|shorter|longer"):
        decide_batch(compiled(world), batch.facts, batch.audiences[:1], batch.at_us)
