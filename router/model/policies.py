"""What people see of policies: findings, explanations, reach, impact, versions, holds.

Texts that speak to people come in both languages (`words`, `words_vi`); units by code and
name; instants as text in +07:00.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from router import limits
from router.model.documents import Act, Urgency

Count = Annotated[int, Meta(ge=0, le=1 << 53)]


class TestDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The document a test sends; by default a plain one, signed once by its sender."""

    __test__ = False

    act: Act = Act.NEW
    type: str = "Công văn"
    urgency: Urgency = Urgency.NORMAL
    marks: tuple[str, ...] = ()
    size_bytes: Count = 1_000
    attachments: Annotated[int, Meta(ge=0, le=limits.ATTACHMENTS_MAX)] = 0
    media_types: tuple[str, ...] = ()
    signed_by: tuple[str, ...] | None = None
    """Codes of the signing units, () for an unsigned one; None: the sender."""


class Finding(msgspec.Struct, frozen=True, omit_defaults=True):
    """One mistake or doubt about a policy file.

    `severity` is "error" (the file is not taken) or "warning".  `line` counts from 1 (0: the
    file as a whole), `path` is the key path (``rules[3].documents.types``), `rule` the rule's
    name, `code` has its words in `router.messages`, `suggestion` what might be meant.
    Codes: docs of `router.policy.checking`.
    """

    severity: str
    code: str
    line: int
    path: str
    words: str
    words_vi: str
    rule: str = ""
    suggestion: str = ""


class TestOutcome(msgspec.Struct, frozen=True, omit_defaults=True):
    """What became of one policy test; `words` say what was expected and what was."""

    __test__ = False

    name: str
    passed: bool
    words: str = ""
    words_vi: str = ""
    rules: tuple[str, ...] = ()


class PolicyChecked(msgspec.Struct, frozen=True, omit_defaults=True):
    """The answer of `check` and `test`: `valid` says whether it could be activated."""

    valid: bool
    sha256: str
    rules: int
    findings: tuple[Finding, ...] = ()
    tests: tuple[TestOutcome, ...] = ()


class PolicyVersion(msgspec.Struct, frozen=True, omit_defaults=True):
    """One activation: `version` is the sequence of its record, `sha256` that of the text.

    `rolled_back_to` names the version whose text is in force again, `reason` why.
    """

    version: int
    name: str
    sha256: str
    rules: int
    activated_at: str
    actor: str
    reason: str
    active: bool = False
    rolled_back_to: int = 0
    without_floor: str = ""


class RuleNamed(msgspec.Struct, frozen=True, omit_defaults=True):
    """A rule as explanations name it: number, name, title, its effects in words."""

    number: int
    name: str
    title: str
    words: str
    words_vi: str


class GroupExplained(msgspec.Struct, frozen=True, omit_defaults=True):
    """Recipients that met the same: `outcome` is allowed, excluded, held or added.

    `size` counts them, `units` are codes of the first ones, `rules` those that decided.
    """

    outcome: str
    size: int
    units: tuple[str, ...]
    rules: tuple[RuleNamed, ...]
    words: str
    words_vi: str


class PolicyExplained(msgspec.Struct, frozen=True, omit_defaults=True):
    """Why a document went to whom: its settings, and every group of recipients.

    `settings` maps lane, deadline, retention and so on to (value, name of the rule).
    `refusal` is the code of the refusal, "" for none.  `rules_total` counts the deciding
    rules; `differs` names those that are stored, where computing again finds others.
    """

    key: str
    policy_version: int
    decided_at: str
    groups: tuple[GroupExplained, ...]
    settings: dict[str, tuple[str, str]] = {}
    refusal: str = ""
    refusal_rule: RuleNamed | None = None
    rules_total: int = 0
    differs: tuple[str, ...] = ()


class UnitUnderPolicy(msgspec.Struct, frozen=True, omit_defaults=True):
    """What became of one unit: allowed, excluded, held, added, or not addressed, and why."""

    unit: str
    name: str
    outcome: str
    rules: tuple[RuleNamed, ...]
    words: str
    words_vi: str


class RuleReach(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a rule would catch today: how many senders, and pairs of sender and recipient.

    `lines` are (tier and kind of the sender, tier and kind of the recipients, senders, pairs).
    """

    rule: RuleNamed
    senders: int
    pairs: int
    lines: tuple[tuple[str, str, int, int], ...] = ()


class Reach(msgspec.Struct, frozen=True, omit_defaults=True):
    """Who may receive from a unit, or who may send to it.

    `allowed`, `held` and `excluded` are counts over all other open units; `units` is a page
    of those of the outcome asked for.  `depends` names the rules whose answer depends on
    what was not said (document, audience): they were taken as not applying.
    """

    unit: str
    direction: str
    allowed: int
    held: int
    excluded: int
    units: tuple[tuple[str, str], ...] = ()
    next_page: int = 0
    depends: tuple[str, ...] = ()


class PolicyImpact(msgspec.Struct, frozen=True, omit_defaults=True):
    """What another policy would change, by replay of stored documents or of all pairs.

    `lines` are (what changes, how many, an example), e.g. ("excluded, was allowed", 12,
    "H22|05/QĐ → H22.15"); `documents` or `pairs` say how many were looked at.
    """

    against: int
    documents: int = 0
    pairs: int = 0
    unchanged: int = 0
    lines: tuple[tuple[str, int, str], ...] = ()


class Approval(msgspec.Struct, frozen=True, omit_defaults=True):
    """One approval that a held part needs: the hold rule, who may give it, who has."""

    rule: str
    approvers: str
    units: tuple[str, ...]
    approved_by: str = ""
    actor: str = ""
    at: str = ""


class HoldShown(msgspec.Struct, frozen=True, omit_defaults=True):
    """A held part: its id (``<key>/<part>``), the document, who waits, what is needed.

    `state` is held, released, denied, expired or withdrawn, or waiting as long as the document
    waits for the verdict over its signatures; `repeated`: what was asked for had been done
    before.  `units` are codes of the first of `recipients`.
    """

    hold: str
    key: str
    document_id: str
    sender: str
    subject: str
    held_at: str
    expires_at: str
    recipients: int
    units: tuple[str, ...]
    approvals: tuple[Approval, ...]
    state: str = "held"
    reason: str = ""
    repeated: bool = False


class Holds(msgspec.Struct, frozen=True):
    """A page of holds, oldest first; `next_page` is 0 after the last."""

    holds: tuple[HoldShown, ...] = ()
    next_page: int = 0


class Quarantined(msgspec.Struct, frozen=True, omit_defaults=True):
    """Evidence of a refusal by policy: what came, whole, and why it was refused.

    `id` is the number of its record, `rule` the rule that refused ("": none), `envelope` the
    bytes as they came (left out of pages).
    """

    id: int
    refused_at: str
    sender: str
    document_id: str
    code: str
    rule: str
    policy_version: int
    envelope: bytes = b""


class QuarantinePage(msgspec.Struct, frozen=True):
    """Refusals kept as evidence, the oldest first; ask on `after` `next_after` (0: no more)."""

    refusals: tuple[Quarantined, ...] = ()
    next_after: int = 0
