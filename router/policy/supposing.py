"""Documents that nobody sent yet: a policy as it can be asked about a sender alone.

Who may receive from whom is asked for single units, without an audience and often without a
document.  What needs either is taken out and named; what would refuse the whole document
counts against the units that its rule speaks of.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from router.model.decisions import DocumentFacts
from router.model.policies import TestDocument
from router.policy.model import (
    DocumentConditions,
    Effect,
    Forbid,
    PolicyFile,
    Require,
    Rule,
)


class Supposed(msgspec.Struct, frozen=True):
    """A policy that decides each recipient by itself, and the rules that can't be told.

    `depends` names rules that were left out, or whose demand for signatures was, because
    the audience or the document would decide whether they apply.  `numbers` are the rules'
    numbers in the policy they were taken from.
    """

    policy: PolicyFile
    floor: tuple[Rule, ...]
    depends: tuple[str, ...]
    numbers: tuple[int, ...]


def suppose(policy: PolicyFile, floor: Sequence[Rule], *, plain: bool) -> Supposed:
    """Take out of a policy what single units do not decide.

    `plain`: no document is named, so conditions on its size, marks, attachments and
    signatures can't be told, either; it is a plain one, signed by its sender.  Demands for
    other signatures are never judged here.
    """
    shipped = () if policy.without_floor else tuple(floor)
    kept: list[Rule] = []
    numbers: list[int] = []
    depends: list[str] = []
    of_file = 0
    for number, rule in enumerate((*policy.rules, *shipped), 1):
        found = _alone(rule, plain=plain)
        if found is not rule and _told_differently(rule, found, plain=plain):
            depends.append(rule.name)
        if found is not None:
            kept.append(found)
            numbers.append(number)
            of_file += number <= len(policy.rules)
    reduced = msgspec.structs.replace(policy, rules=tuple(kept[:of_file]), tests=())
    return Supposed(reduced, tuple(kept[of_file:]), tuple(depends), tuple(numbers))


def _alone(rule: Rule, *, plain: bool) -> Rule | None:
    """Return a rule as it meets single units; None when the rest decides whether it does."""
    if rule.audience is not None or (plain and _asks_more(rule.documents)):
        return None
    effect = rule.effect
    changes: dict[str, object] = {}
    if effect.forbid is Forbid.DOCUMENT:
        changes["forbid"] = Forbid.RECIPIENTS
    if effect.require is not None:
        changes["require"] = None
    if effect.add is not None:
        changes["add"] = None
    if not changes:
        return rule
    left = msgspec.structs.replace(effect, **changes)
    if left == Effect(reason=effect.reason):
        return None
    return msgspec.structs.replace(rule, effect=left)


def _told_differently(rule: Rule, found: Rule | None, *, plain: bool) -> bool:
    """Say whether what was taken out of a rule could change an answer about single units."""
    wanted = rule.effect.require
    if wanted is not None and not (plain and wanted == Require()):
        return True
    says_nothing_else = rule.effect in (
        Effect(add=rule.effect.add, reason=rule.effect.reason),
        Effect(require=wanted, reason=rule.effect.reason),
    )
    return found is None and not says_nothing_else


def _asks_more(asked: DocumentConditions | None) -> bool:
    """Say whether a plain document does not settle these conditions."""
    if asked is None:
        return False
    settled = DocumentConditions(acts=asked.acts, types=asked.types, urgencies=asked.urgencies)
    return asked != settled


def facts_of(
    document: TestDocument, sender: int, signers: Sequence[int], issued_at: int
) -> DocumentFacts:
    """Return what is known of a supposed document; each signer (a unit) signs once."""
    return DocumentFacts(
        sender=sender,
        act=document.act,
        type=document.type,
        urgency=document.urgency,
        issued_at=issued_at,
        marks=document.marks,
        size_bytes=document.size_bytes,
        attachments=document.attachments,
        media_types=tuple(dict.fromkeys(document.media_types)),
        signers=tuple((unit,) for unit in signers),
    )
