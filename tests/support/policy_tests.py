"""Runs the tests of a policy file through the deciding core, against given directories."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from router._core import Audience
from router.directory import Snapshot
from router.model.calendar import WorkingCalendar
from router.model.decisions import DocumentFacts, Refused
from router.policy.compiled import CompiledPolicy, compile_policy
from router.policy.deciding import Decision, decide_batch
from router.policy.floor import floor_rules
from router.policy.model import Expected, PolicyFile, PolicyTest
from router.selectors import compile_program, instant_of_text, parse


class Trial(msgspec.Struct):
    """A policy over the directories of some instants, each compiled once."""

    policy: PolicyFile
    snapshot_at: Callable[[int], Snapshot]
    calendar: WorkingCalendar
    compiled: dict[tuple[int, int], CompiledPolicy] = {}

    def over(self, snapshot: Snapshot) -> CompiledPolicy:
        """Return the policy with the floor over one snapshot."""
        found = self.compiled.get(snapshot.identity)
        if found is None:
            found = compile_policy(self.policy, snapshot, self.calendar, floor=floor_rules())
            self.compiled[snapshot.identity] = found
        return found

    def decide(self, test: PolicyTest, now_us: int = 0) -> tuple[CompiledPolicy, Decision]:
        """Decide the document of a test."""
        at_us = instant_of_text(test.at) if test.at else now_us
        snapshot = self.snapshot_at(at_us)
        compiled = self.over(snapshot)
        facts = facts_of(test, snapshot, at_us)
        to = audience_of(test.recipients, snapshot, test.sender)
        return compiled, decide_batch(compiled, [facts], [to], at_us)[0]

    def failure(self, test: PolicyTest, now_us: int = 0) -> str:
        """Return what is wrong with a test, "" for nothing."""
        compiled, decision = self.decide(test, now_us)
        deciding = [compiled.name_of(number) for number in decision.rules]
        seen = f"{test.name}: {decision.refused.name}, {sets_of(decision)}, {deciding}"
        if test.rule and test.rule not in deciding:
            return f"{test.rule} did not decide: {seen}"
        if test.expect is Expected.REFUSE:
            return "" if decision.refused is not Refused.NO else f"not refused: {seen}"
        if decision.refused is not Refused.NO:
            return f"refused: {seen}"
        snapshot = self.snapshot_at(instant_of_text(test.at) if test.at else now_us)
        units = audience_of(test.units or test.recipients, snapshot, test.sender)
        there = units - sets_of(decision)[test.expect]
        return f"{len(there)} units are not there: {seen}" if there else ""


def sets_of(decision: Decision) -> dict[Expected, Audience]:
    """Return who meets what by a decision."""
    held = Audience()
    for part in decision.held:
        held = held | part.audience
    return {
        Expected.ALLOW: decision.effective,
        Expected.EXCLUDE: decision.excluded,
        Expected.HOLD: held,
        Expected.ADD: decision.added,
    }


def audience_of(text: str, snapshot: Snapshot, sender: str) -> Audience:
    """Return who a selector means when a unit sends."""
    place = snapshot.position_of(sender)
    return snapshot.hierarchy.evaluate(compile_program(parse(text), snapshot, sender=place))


def facts_of(test: PolicyTest, snapshot: Snapshot, at_us: int) -> DocumentFacts:
    """Return the facts of a test's document: signed once by its sender unless it says else."""
    asked = test.document
    signers = (test.sender,) if asked.signed_by is None else asked.signed_by
    number = {code: snapshot.hierarchy.number(snapshot.position_of(code)) for code in signers}
    return DocumentFacts(
        sender=snapshot.hierarchy.number(snapshot.position_of(test.sender)),
        act=asked.act,
        type=asked.type,
        urgency=asked.urgency,
        issued_at=at_us,
        marks=asked.marks,
        size_bytes=asked.size_bytes,
        attachments=asked.attachments,
        media_types=asked.media_types,
        signers=tuple((number[code],) for code in signers),
    )
