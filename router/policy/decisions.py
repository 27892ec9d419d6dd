"""The law's floor, decided for a batch of documents.

Rules (each named in the decision that it made):
`floor/sender`  the sender is known and was open at the issue time (QĐ 28/2018, Art. 2); the
                submitting unit is the sender, or answers for it since it closed;
`floor/signed`  at least one signature, all good, one by the sender (QĐ 28/2018, Art. 4);
`floor/lane`    the lane follows the urgency as signed (NĐ 30/2020, Art. 4.2.c).
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
_RULES: Final = ("floor/sender", "floor/signed", "floor/lane")


class Policy(msgspec.Struct, frozen=True):
    """The policy in force; `version` is the sequence of the record that made it (0: shipped)."""

    version: int = 0


class Standing(msgspec.Struct, frozen=True):
    """What the directory says of a sender at the issue time.

    `state` is open, unknown, closed or not_yet_open; `facts` go with the last two
    (closed_at, successor, opens_at).
    """

    code: str
    state: str
    facts: dict[str, str] = {}


class Question(msgspec.Struct, frozen=True):
    """What is known of one document when the policy is asked.

    `signed_by_sender`: one certificate of the good signatures was bound to the sender at
    the issue time.
    """

    sender: str
    urgency: Urgency
    signatures: int
    signed_by_sender: bool
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


def refuse_sender(standing: Standing, *, holder_submits: bool) -> InputError | None:
    """Return why this sender may not submit, or None.  Asked before anything is verified."""
    if standing.state == "unknown":
        return PolicyRefusedError("sender.unknown", path="$.payload.sender", unit=standing.code)
    if standing.state == "closed":
        return PolicyRefusedError(
            "sender.closed", path="$.payload.sender", unit=standing.code, **standing.facts
        )
    if standing.state == "not_yet_open":
        return PolicyRefusedError(
            "sender.not_yet_open", path="$.payload.sender", unit=standing.code, **standing.facts
        )
    return None if holder_submits else _mismatch("token", standing.code)


def decide_batch(questions: Sequence[Question], policy: Policy) -> list[Decision]:
    """Decide each question; pure, in order."""
    return [_decide(question, policy) for question in questions]


def _decide(question: Question, policy: Policy) -> Decision:
    refusal = _unsigned(question)
    rules = ("floor/signed",) if refusal else _RULES
    return Decision(question.addressed, _LANE_OF[question.urgency], policy.version, rules, refusal)


def _unsigned(question: Question) -> InputError | None:
    if question.signatures == 0:
        return SignatureRefusedError("signature.missing", path="$.signatures")
    return None if question.signed_by_sender else _mismatch("certificate", question.sender)


def _mismatch(what: str, sender: str) -> PolicyRefusedError:
    return PolicyRefusedError("sender.mismatch", path="$.payload.sender", what=what, unit=sender)
