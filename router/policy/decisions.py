"""The law's floor, decided for a batch of documents.

Rules (each named in the decision that it made):
`floor/sender-open`  the sender was open at the issue time (QĐ 28/2018, Art. 2); if it
                     closed since, its holder submits;
`floor/signed`       at least one signature, all good, one by the sender (Art. 4);
`floor/lane`         the lane follows the urgency as signed (NĐ 30/2020, Art. 4.2.c).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from router._core import Audience
from router.errors import InputError, PolicyRefusedError, SignatureRefusedError
from router.model.answers import Lane
from router.model.documents import Urgency

_LANE_OF: Final = {
    Urgency.FLASH: Lane.FLASH,
    Urgency.VERY_URGENT: Lane.VERY_URGENT,
    Urgency.URGENT: Lane.URGENT,
    Urgency.NORMAL: Lane.NORMAL,
}


class Policy(msgspec.Struct, frozen=True):
    """The policy in force; `version` is the sequence of the record that made it (0: shipped)."""

    version: int = 0


class Question(msgspec.Struct, frozen=True):
    """What is known of one document when the policy is asked.

    `signed_by_sender`: all signatures are good and one certificate was bound to the sender
    at the issue time.  `submitted_by_holder`: the submitting unit answers for the sender.
    """

    sender: str
    urgency: Urgency
    signatures: int
    signed_by_sender: bool
    sender_open: bool
    submitted_by_holder: bool
    addressed: Audience


class Decision(msgspec.Struct, frozen=True):
    """The answer: who of the audience may receive, in which lane, by which rules.

    `refusal` is set instead when the whole document is refused.
    """

    effective: Audience
    lane: Lane
    policy_version: int
    rules: tuple[str, ...]
    refusal: InputError | None = None


def decide_batch(questions: Sequence[Question], policy: Policy) -> list[Decision]:
    """Decide each question; pure, in order."""
    return [_decide(question, policy) for question in questions]


def _decide(question: Question, policy: Policy) -> Decision:
    refusal, rule = _floor(question)
    rules = (rule,) if refusal else ("floor/sender-open", "floor/signed", "floor/lane")
    return Decision(
        question.addressed, _LANE_OF[question.urgency], policy.version, rules, refusal
    )


def _floor(question: Question) -> tuple[InputError | None, str]:
    if not question.sender_open:
        closed = PolicyRefusedError("sender.unknown", path="$.sender", unit=question.sender)
        return closed, "floor/sender-open"
    if not question.submitted_by_holder:
        return _mismatch("token", question.sender), "floor/sender-open"
    if question.signatures == 0:
        return SignatureRefusedError("signature.missing", path="$.signatures"), "floor/signed"
    if not question.signed_by_sender:
        return _mismatch("certificate", question.sender), "floor/signed"
    return None, ""


def _mismatch(what: str, sender: str) -> PolicyRefusedError:
    return PolicyRefusedError("sender.mismatch", path="$.sender", what=what, unit=sender)
