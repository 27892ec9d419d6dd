"""What the policy is asked of a document, and what is kept of its answer.

`DocumentFacts` goes in beside an audience of one snapshot, a `router.policy.Decision` comes
out; what is needed to compute it again for ever is stored (`DecisionKept`).  Rules are meant
by their number: the place in their policy from 1, the floor's rules after the file's; 0
stands for the stated default.
"""

from __future__ import annotations

from enum import IntEnum

import msgspec

from router.model.documents import Act, Urgency

DEFAULT_RULE = 0


class Refused(IntEnum):
    """Why a policy refuses a whole document; the first that holds, in this order."""

    NO = 0
    SENDER_NOT_THEN = 1
    CALENDAR = 2
    UNSIGNED = 3
    FORBIDDEN = 4
    REQUIREMENT = 5
    NOBODY_LEFT = 6


class DocumentFacts(msgspec.Struct, frozen=True, gc=False):
    """What is known of one document when the policy decides.

    `sender` is a stable unit number; `type` and `marks` as written; `size_bytes` counts the
    payload and all attachments as signed; `media_types` are those of the attachments, each
    once.  `signers` has one tuple for each good signature: the units (stable numbers) its
    certificate was bound to at the issue time; empty: unsigned.
    """

    sender: int
    act: Act
    type: str
    urgency: Urgency
    issued_at: int
    marks: tuple[str, ...] = ()
    size_bytes: int = 0
    attachments: int = 0
    media_types: tuple[str, ...] = ()
    signers: tuple[tuple[int, ...], ...] = ()


class HeldKept(msgspec.Struct, frozen=True, array_like=True):
    """A held part as it is stored: the entry is the document's 1st, 2nd, … after the main one."""

    rules: tuple[int, ...]
    expires_at: int
    size: int


class DecisionKept(msgspec.Struct, frozen=True, array_like=True):
    """What of a decision is stored with its document (a field of the engine's `Facts`).

    With the envelope, the addressed audience (the selector under its snapshot) and the
    policy of that version the decision can be computed again: `signers`, `working_hours`
    (None: no rule asked) and the instant (`accepted_at` of the facts) are all that those
    do not say.  `rules` are at most POLICY_RULES_STORED_MAX, `rules_total` counts all.
    """

    rules: tuple[int, ...]
    rules_total: int
    signers: tuple[tuple[int, ...], ...]
    working_hours: bool | None
    excluded: int
    added: int
    held: tuple[HeldKept, ...]
    deadline: int
    send_by: int
    retention_years: int
    information_only: bool
