"""What the law says of a sender before any rule is asked; no policy file can change it.

`floor/sender`  the sender is known and was open at the issue time (QĐ 28/2018, Art. 2); the
                submitting unit is the sender, or answers for it since it closed;
`floor/signed`  what is signed is signed by the sender too (QĐ 28/2018, Art. 4); what is not
                signed at all, the rules decide (`admit_unsigned`);
`floor/lane`    the lane is never below the urgency as signed (NĐ 30/2020, Art. 4.2.c).
"""

from __future__ import annotations

from typing import Final

import msgspec

from router.errors import InputError, PolicyRefusedError

ALWAYS: Final = ("floor/sender", "floor/signed", "floor/lane")
"""Names under which what stands in code is told beside the rules that decided."""


class Standing(msgspec.Struct, frozen=True):
    """What the directory says of a sender at the issue time.

    `state` is open, unknown, closed or not_yet_open; `facts` go with the last two
    (closed_at, successor, opens_at).
    """

    code: str
    state: str
    facts: dict[str, str] = {}


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


def refuse_signers(
    sender: str, *, signed: bool, by_sender: bool, sha256: str = "", subject: str = ""
) -> InputError | None:
    """Return why these good signatures don't carry the document, or None.

    `sha256` and `subject` are of the certificate that would have to be bound to the sender.
    """
    if by_sender or not signed:
        return None
    return _mismatch("certificate", sender, sha256=sha256, subject=subject)


def _mismatch(what: str, sender: str, **facts: str) -> PolicyRefusedError:
    return PolicyRefusedError(
        "sender.mismatch", path="$.payload.sender", what=what, unit=sender, **facts
    )
