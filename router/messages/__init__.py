"""The words of every error code, for a văn thư (clerk) or an operator, in two languages.

A row is (English, Vietnamese, remedy in English, remedy in Vietnamese); `{name}` is filled
from the facts of the error.  A test holds that every code raised has its row.
"""

from __future__ import annotations

from typing import Final

from router.errors import SheetProblem, VanbanError
from router.messages import (
    documents,
    lists,
    operation,
    policies,
    recipients,
    revocation,
    signing,
    trust,
)
from router.messages.reasons import say_reason
from router.messages.words import Words
from router.model.answers import Problem

PROBLEM_TYPE_PREFIX: Final = "urn:vanban-router:problem:"


TABLE: Final[dict[str, Words]] = {
    **documents.INPUT,
    **documents.SIGNATURES,
    **revocation.REVOCATION,
    **signing.SIGNING,
    **recipients.RECIPIENTS,
    **lists.LISTS,
    **policies.POLICIES,
    **trust.TRUST,
    **operation.ACCESS,
    **operation.OPERATION,
}


class _Facts(dict[str, str | int]):
    def __missing__(self, name: str) -> str:
        return "?"


def _what_vi(what: str) -> str:
    return {"token": "Mã truy cập"}.get(what, what)


_HOLD_STATES_VI: Final = {
    "released": "đã duyệt",
    "denied": "bị từ chối duyệt",
    "expired": "hết hạn duyệt",
    "withdrawn": "đã thu hồi",
}
"""How a held part ended, in the words of `vanban outbox`."""


def say(error: VanbanError, language: str = "en") -> tuple[str, str]:
    """Return (what was wrong, what to do) in "en" or "vi"."""
    row = TABLE[error.code]
    facts = _Facts(error.facts)
    if error.code == "sender.mismatch" and facts["what"] == "certificate":
        row = recipients.UNBOUND
    if "reason" in facts:
        facts["reason"] = say_reason(str(facts["reason"]), language)
    if language == "vi":
        if error.code == "sender.mismatch":
            facts["what"] = _what_vi(str(facts["what"]))
        elif error.code == "hold.over":
            facts["state"] = _HOLD_STATES_VI.get(str(facts["state"]), facts["state"])
        return row.vi.format_map(facts), row.remedy_vi.format_map(facts)
    return row.en.format_map(facts), row.remedy_en.format_map(facts)


def say_problem(problem: SheetProblem, language: str = "en") -> tuple[str, str]:
    """Return (what is wrong, what to do) of one place in a list of units."""
    row = TABLE[problem.code]
    facts = _Facts(reason=problem.reason, row=problem.row, column=problem.column)
    if language == "vi":
        return row.vi.format_map(facts), row.remedy_vi.format_map(facts)
    return row.en.format_map(facts), row.remedy_en.format_map(facts)


def problem_of(error: VanbanError, language: str = "en") -> Problem:
    """Return the error as RFC 9457 problem details."""
    detail, remedy = say(error, language)
    return Problem(
        type=PROBLEM_TYPE_PREFIX + error.code,
        title=error.code,
        status=error.status,
        code=error.code,
        detail=detail,
        remedy=remedy,
        path=error.path,
        facts=error.facts,
    )
