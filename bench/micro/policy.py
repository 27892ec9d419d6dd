"""Deciding by policy: a broadcast under thousands of rules, a province, growth, compiling.

One call decides one batch of 64 documents, and the value is that of one document: facts are
packed, rules found, sets cut, decisions made.  Answers are compared whole before anything
is timed: every recipient's outcome, the lane, and the deciding rules.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from msgspec.structs import replace

from router.policy.compiled import CompiledPolicy
from router.policy.deciding import Decision, decide_batch
from vanban_bench.micro._policy_engines import Sample, engines
from vanban_bench.micro._policy_sets import Outcome, SetsPeer, outcome_of
from vanban_bench.rows import Case, Row, measure, ratio_of
from vanban_bench.workloads.policies import (
    NOW,
    Batch,
    Scene,
    compiled,
    realistic,
    snapshot,
)
from vanban_bench.workloads.sample_policy import province_policy

SUITE: Final = "policy"
BATCH: Final = 64
MATCHING: Final = 100
GROWTH_MATCHING: Final = 40


def cases(tiny: bool) -> list[Case]:
    """Return the cases that have the peer `sets`, growth and compiling."""
    scene = Scene(tiny)
    return [
        _broadcast(tiny, scene),
        _realistic(tiny),
        _growth(tiny, scene),
        _compile(tiny, scene),
    ]


def rows(tiny: bool, rounds: int) -> Iterator[Row]:
    """Measure the cases, and the engines that decide one recipient at a time."""
    found, missing = engines()
    for case in cases(tiny):
        row = measure(case, rounds)
        if missing and case.name == "broadcast-10000-rules":
            row = replace(row, note=f"{row.note}; not installed: {', '.join(missing)}")
        yield row
    scene = Scene(tiny)
    sample = Sample(scene, scene.policy(*_sizes(tiny)), 3 if tiny else 20)
    for name, make in found:
        row = measure(_engine(name, make(sample), sample), rounds)
        assert row.peer_value is not None
        scaled = row.peer_value * len(scene.audience) / len(sample.units)
        yield replace(row, peer_value=scaled, ratio=ratio_of(row.value, scaled, "lower"))


def _sizes(tiny: bool) -> tuple[int, int]:
    return (600, 60) if tiny else (10_000, MATCHING)


def _digest(outcomes: Sequence[Outcome]) -> str:
    hasher = hashlib.sha256()
    for *sets, lane, rules in outcomes:
        for members in sets:
            hasher.update(repr(sorted(members)).encode())
        hasher.update(repr((lane, rules)).encode())
    return hasher.hexdigest()


def _shown(answer: Sequence[Decision | Outcome]) -> str:
    return _digest([outcome_of(one) if isinstance(one, Decision) else one for one in answer[-5:]])


def _deciding(tables: CompiledPolicy, batch: Batch) -> Callable[[], Any]:
    return lambda: decide_batch(tables, batch.facts, batch.audiences, NOW)


def _against_sets(
    name: str, tables: CompiledPolicy, batches: Sequence[Batch], note: str, loops: int
) -> Case:
    peer = SetsPeer(tables, NOW)
    members = [
        [frozenset(audience.positions()) for audience in batch.audiences] for batch in batches
    ]

    def ours() -> list[Decision]:
        for batch in batches:
            found = decide_batch(tables, batch.facts, batch.audiences, NOW)
        return found

    def theirs() -> list[Outcome]:
        for batch, sets in zip(batches, members, strict=True):
            found = peer.decide(batch.facts, sets)
        return found

    return Case(
        suite=SUITE, name=name, unit="us", peer="sets", ours=ours, theirs=theirs, digest=_shown,
        loops_ours=loops, items=sum(len(batch.facts) for batch in batches), note=note,
    )  # fmt: skip


def _broadcast(tiny: bool, scene: Scene) -> Case:
    count, matching = _sizes(tiny)
    tables = compiled(scene.policy(count, matching), scene.where)
    return _against_sets(
        "broadcast-10000-rules", tables, [scene.batch(4 if tiny else BATCH)],
        f"{count} rules of which {matching} match, {len(scene.audience)} recipients,"
        f" batches of {BATCH}", 1 if tiny else 20,
    )  # fmt: skip


def _realistic(tiny: bool) -> Case:
    where = snapshot(tiny)
    tables = compiled(province_policy(), where)
    whole = realistic(where, BATCH * (1 if tiny else 16))
    batches = [
        Batch(whole.facts[start : start + BATCH], whole.audiences[start : start + BATCH])
        for start in range(0, len(whole.facts), BATCH)
    ]
    return _against_sets(
        "realistic", tables, batches,
        "the 40 rules of the sample province, lists of 38 and one broadcast in 20; what senders"
        " make of the rules is known on both sides", 1 if tiny else 20,
    )  # fmt: skip


def _growth(tiny: bool, scene: Scene) -> Case:
    """Show what rules that do not match cost: the same 40 match among few and among many."""
    many, few = (2_000 if tiny else 100_000), 100
    ours = compiled(scene.policy(many, GROWTH_MATCHING), scene.where)
    theirs = compiled(scene.policy(few, GROWTH_MATCHING), scene.where)
    batch = scene.batch(BATCH)

    def outcome(answer: Sequence[Decision]) -> str:  # numbers of rules differ, nothing else
        return _digest([(*outcome_of(answer[-1])[:-1], ())])

    loops = 1 if tiny else 20
    return Case(
        suite=SUITE, name="growth", unit="us", peer="ours, 100 rules",
        ours=_deciding(ours, batch), theirs=_deciding(theirs, batch), digest=outcome,
        loops_ours=loops, loops_theirs=loops, items=BATCH,
        note=f"{many} rules of which {GROWTH_MATCHING} match; the rest differ in thirds by sender,"
        " type, recipients",
    )  # fmt: skip


def _compile(tiny: bool, scene: Scene) -> Case:
    count, matching = _sizes(tiny)
    policy = scene.policy(count, matching)
    return Case(
        suite=SUITE, name="compile-10000", unit="ms", peer=None,
        ours=lambda: compiled(policy, scene.where), theirs=None,
        digest=lambda tables: str(len(tables.rules)),
        note=f"{count} rules for one snapshot, selectors parsed and evaluated",
    )  # fmt: skip


def _engine(name: str, decide: Callable[[], list[bool]], sample: Sample) -> Case:
    """Show an engine that decides one recipient at a time, scaled to all recipients."""
    tables = compiled(sample.policy, sample.scene.where)
    batch = sample.scene.batch(1)
    members = [int(unit) for unit in sample.units]
    scale = len(sample.scene.audience) / len(members)

    def ours() -> list[bool]:
        (found,) = decide_batch(tables, batch.facts, batch.audiences, NOW)
        return [unit not in found.excluded for unit in members]

    return Case(
        suite=SUITE, name=f"broadcast-10000-rules-{name}", unit="us", peer=name, ours=ours,
        theirs=decide, digest=repr, loops_ours=20,
        note=f"the peer was timed on {len(members)} seeded recipients and its time multiplied by"
        f" {scale:.0f}; it got the prohibitions only",
    )  # fmt: skip
