"""Why a document went to whom, by the policy of the day: computed again from what is stored.

The stored decision says which rules decided and what they set; the groups of recipients are
computed from the envelope, the selector under its stored snapshot, and the policy of that
version.  So an old decision is explained alike after any later activation or reform.
"""

from __future__ import annotations

from typing import Final

import msgspec

from router._core import Audience
from router.directory import ResolveItem, Snapshot
from router.engine.access import Reader
from router.engine.emptied import resolved_one
from router.engine.facts import Facts, decode_facts
from router.engine.state import Rooms
from router.engine.tracking import Tracker
from router.errors import NotFoundError, VanbanError
from router.limits import POLICY_GROUPS_MAX, POLICY_RULES_TOLD_MAX, POLICY_UNITS_TOLD_MAX
from router.model.answers import LANE_NAMES
from router.model.decisions import DecisionKept, DocumentFacts
from router.model.documents import Document, Envelope
from router.model.instants import show_instant
from router.model.policies import GroupExplained, PolicyExplained, RuleNamed, UnitUnderPolicy
from router.model.units import Unit
from router.policy import explaining
from router.policy.compiled import CompiledPolicy
from router.policy.deciding import Decision, decide_batch
from router.policy.wording import (
    LANGUAGES,
    named,
    words_of_difference,
    words_of_more_groups,
    words_of_outcome,
)
from router.queue import StoredDocument

_envelopes: Final = msgspec.msgpack.Decoder(Envelope)
_documents: Final = msgspec.json.Decoder(Document)


class Case(msgspec.Struct, frozen=True):
    """A stored document as the policy saw it: what it was asked, and in which directory."""

    stored: StoredDocument
    facts: Facts
    asked: DocumentFacts
    snapshot: Snapshot
    audience: Audience
    left_out: Audience

    @property
    def kept(self) -> DecisionKept | None:
        """What was stored of the decision; None before decisions were stored."""
        return self.facts.decision


class _Again(msgspec.Struct, frozen=True):
    """A decision computed again, with the groups of its recipients."""

    case: Case
    compiled: CompiledPolicy
    decision: Decision
    groups: list[explaining.Group]
    stored_rules: tuple[str, ...]
    """Names of the deciding rules as stored, where they are others; else ()."""


class PolicyExplainer:
    """Answers about decisions that were made; thread-safe, reads only."""

    def __init__(self, rooms: Rooms, tracker: Tracker) -> None:
        self._rooms = rooms
        self._tracker = tracker

    # What is asked.

    def explain(self, document: str, reads: Reader) -> PolicyExplained:
        """See `Engine.explain_policy`."""
        again = self._again(self._mine(document, reads))
        case, compiled = again.case, again.compiled
        groups = [self._group(again, one) for one in again.groups[:POLICY_GROUPS_MAX]]
        rest = again.groups[POLICY_GROUPS_MAX:]
        if rest:
            en, vi = (words_of_more_groups(len(rest), language) for language in LANGUAGES)
            size = sum(one.audience.size for one in rest)
            groups.append(GroupExplained("more", size, (), (), en, vi))
        number = again.decision.refusal_rule
        return PolicyExplained(
            key=case.stored.key.hex(),
            policy_version=compiled.version,
            decided_at=show_instant(case.facts.accepted_at),
            groups=tuple(groups),
            settings=self._settings(again),
            refusal="",
            refusal_rule=named(compiled, number) if number else None,
            rules_total=len(again.decision.rules),
            differs=again.stored_rules,
        )

    def explain_unit(self, document: str, unit: str, reads: Reader) -> UnitUnderPolicy:
        """See `Engine.explain_policy_unit`."""
        again = self._again(self._mine(document, reads))
        case, compiled = again.case, again.compiled
        asked = self._rooms.unit(unit, case.facts.issued_at)
        position = case.snapshot.hierarchy.position(asked.number)
        for one in again.groups:
            if position >= 0 and position in one.audience:
                rules = _named_all(compiled, one.rules)
                return self._under(asked, one.outcome, one.outcome, rules, again)
        outcome = explaining.NOT_ADDRESSED
        return self._under(asked, outcome, outcome if position >= 0 else "absent", (), again)

    def _mine(self, document: str, reads: Reader) -> Case:
        """Return a document whose sender the viewer may read.  Raises NotFoundError."""
        for stored in self._tracker.found(document):
            if reads(stored.sender):
                return self.case(stored)
        raise NotFoundError("document.not_found")

    # What was stored.

    def case(self, stored: StoredDocument) -> Case:
        """Return what the policy was asked when the document was accepted."""
        facts = decode_facts(stored.facts)
        envelope = _envelopes.decode(stored.envelope)
        document = _documents.decode(envelope.payload)
        snapshot = self._rooms.snapshot(facts.snapshot)
        audience = self._addressed(stored, facts)
        skipped = (snapshot.hierarchy.position(number) for number in self._skipped(facts))
        return Case(
            stored=stored,
            facts=facts,
            asked=self._asked(stored, facts, envelope, document),
            snapshot=snapshot,
            audience=audience,
            left_out=Audience.from_positions(sorted(one for one in skipped if one >= 0)),
        )

    def _addressed(self, stored: StoredDocument, facts: Facts) -> Audience:
        """Return whom the selector meant, in the directory known then."""
        item = ResolveItem(facts.selector, facts.issued_at, True, "recipients", stored.sender)
        answer = resolved_one(self._rooms.directory, item, facts.directory_sequence)
        if isinstance(answer, VanbanError):  # no selector of its own: what was stored is all
            return Audience.from_bytes(stored.audience.runs)
        return answer.audience

    def _skipped(self, facts: Facts) -> list[int]:
        """Return the units left out because the sender let bad recipients be skipped."""
        found = (self._rooms.directory.find(code, facts.issued_at) for code in facts.skipped)
        return [unit.number for unit in found if unit is not None]

    def _asked(
        self, stored: StoredDocument, facts: Facts, envelope: Envelope, document: Document
    ) -> DocumentFacts:
        if facts.decision is not None:
            signers = facts.decision.signers
        else:  # of a time when they were not stored: as the bindings are known today
            bound = self._rooms.trust.bound_unit
            signers = tuple(
                tuple(sorted(bound(one.certificate_sha256, facts.issued_at)))
                for one in facts.signatures
            )
        types = dict.fromkeys(one.media_type for one in document.attachments)
        return DocumentFacts(
            sender=stored.sender,
            act=document.act,
            type=document.document_type,
            urgency=document.urgency,
            issued_at=facts.issued_at,
            marks=document.marks,
            size_bytes=len(envelope.payload) + sum(one.size_bytes for one in document.attachments),
            attachments=len(document.attachments),
            media_types=tuple(types),
            signers=signers,
        )

    def _again(self, case: Case) -> _Again:
        """Decide a stored document once more, by the policy of its version."""
        policies, kept = self._rooms.policies, case.kept
        version = case.facts.policy_version if kept is not None else 0
        compiled = policies.compiled(case.snapshot, policies.of_version(version))
        at_us = case.facts.accepted_at
        decision = decide_batch(compiled, [case.asked], [case.audience], at_us)[0]
        groups = explaining.groups(compiled, case.asked, decision, case.left_out)
        differs: tuple[str, ...] = ()
        if kept is not None:
            same = decision.rules[: len(kept.rules)] == kept.rules
            if not same or len(decision.rules) != kept.rules_total:
                differs = tuple(_stored_names(compiled, kept.rules)) or ("–",)
        return _Again(case, compiled, decision, groups, differs)

    # How it is told.

    def _settings(self, again: _Again) -> dict[str, tuple[str, str]]:
        """Return what was set, each with the rule that set it; as stored where it is stored."""
        case, decision, kept = again.case, again.decision, again.case.kept
        values = {"lane": LANE_NAMES[case.facts.lane]}
        told = kept if kept is not None else decision
        if told.deadline:
            values["deadline"] = show_instant(told.deadline)
        if told.send_by:
            values["send_by"] = show_instant(told.send_by)
        if told.retention_years:
            values["retention_years"] = str(told.retention_years)
        if told.information_only:
            values["information_only"] = "true"
        rules = explaining.deciders(again.compiled, case.asked, case.audience, decision)
        return {
            name: (value, again.compiled.name_of(rules[name]) if rules.get(name) else "")
            for name, value in values.items()
        }

    def _group(self, again: _Again, one: explaining.Group) -> GroupExplained:
        rules = _named_all(again.compiled, one.rules)
        first = one.audience.positions()[:POLICY_UNITS_TOLD_MAX]
        codes = tuple(again.case.snapshot.unit_at(position).code for position in first)
        en, vi = self._words(one.outcome, rules, again)
        return GroupExplained(one.outcome, one.audience.size, codes, rules, en, vi)

    def _under(
        self, unit: Unit, outcome: str, words: str, rules: tuple[RuleNamed, ...], again: _Again
    ) -> UnitUnderPolicy:
        en, vi = self._words(words, rules, again)
        return UnitUnderPolicy(unit.code, unit.name, outcome, rules, en, vi)

    def _words(self, outcome: str, rules: tuple[RuleNamed, ...], again: _Again) -> tuple[str, str]:
        said = [words_of_outcome(outcome, rules, language) for language in LANGUAGES]
        if again.stored_rules:
            said = [
                words + words_of_difference(again.stored_rules, language)
                for words, language in zip(said, LANGUAGES, strict=True)
            ]
        return said[0], said[1]


def _named_all(compiled: CompiledPolicy, numbers: tuple[int, ...]) -> tuple[RuleNamed, ...]:
    return tuple(named(compiled, number) for number in numbers[:POLICY_RULES_TOLD_MAX])


def _stored_names(compiled: CompiledPolicy, numbers: tuple[int, ...]) -> list[str]:
    """Return the names of stored rules; their numbers are those of the same version."""
    known = len(compiled.rules)
    return [compiled.name_of(one) for one in numbers if one <= known]
