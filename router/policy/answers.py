"""What a policy answers: who receives, who waits, who is left out, and by which rules."""

from __future__ import annotations

import msgspec

from router._core import Audience
from router.model.decisions import Refused


class HeldPart(msgspec.Struct, frozen=True, gc=False):
    """Recipients that wait for the same approvals.

    `rules` are the hold rules, one for each approval that is needed (the first of several
    with equal approvers and expiry), ascending.  `expires_at` is the earliest expiry.
    """

    audience: Audience
    rules: tuple[int, ...]
    expires_at: int


class Decision(msgspec.Struct, frozen=True, gc=False):
    """What becomes of one document, under the positions of the snapshot it was decided in.

    `effective` receives now (added ones among them), `excluded` is what was addressed and
    is left out, `held` are disjoint parts.  `rules` are all rules that decided anything,
    ascending, with 0 for the default.  `lane` is 0 to 3 (flash first).  `deadline`,
    `send_by` are instants, 0: none.  When `refused` is not NO, the sets say what would have
    been, `refusal_rule` which rule it was (0: no rule).  `quarantine` says that a refusal is
    to leave evidence.  `information_only`: admitted unsigned.  `calendar_year`: the year
    whose data is missing, 0 for none.
    """

    effective: Audience
    excluded: Audience
    added: Audience
    held: tuple[HeldPart, ...]
    lane: int
    rules: tuple[int, ...]
    policy_version: int = 0
    deadline: int = 0
    send_by: int = 0
    retention_years: int = 0
    refused: Refused = Refused.NO
    refusal_rule: int = 0
    quarantine: bool = False
    information_only: bool = False
    calendar_year: int = 0
