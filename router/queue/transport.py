"""The transport states of a delivery and their legal moves: the one table.

The compiled state machine reads `MOVES` at import and refuses every other move.  A state with
no move is final.  Each change is a record of the log, with instant, unit, actor and reason.

| state | meaning |
|---|---|
| queued | waits in the recipient's inbox |
| leased | handed out until an instant; then it is queued again, or dead |
| delivered | the recipient took it for good (đã nhận) |
| refused | the recipient returned it (trả lại; QĐ 28/2018, Art. 5.4) |
| expired | its time to live, or the hold's, ran out before anybody took it |
| dead | handed out too often without an answer; an operator may queue it again |
| withdrawn | the sender took it back before it was taken (thu hồi) |
| excluded | not to be delivered: by policy, a denied hold, a late verdict |
| held | waits for an approver |
| waiting | waits for what could not be decided at acceptance (revocation data) |
"""

from __future__ import annotations

from enum import IntEnum
from types import MappingProxyType
from typing import Final


class State(IntEnum):
    """Where a delivery stands; the numbers are those of the stored records."""

    QUEUED = 0
    LEASED = 1
    DELIVERED = 2
    REFUSED = 3
    EXPIRED = 4
    DEAD = 5
    WITHDRAWN = 6
    EXCLUDED = 7
    HELD = 8
    WAITING = 9


MOVES: Final = MappingProxyType({
    State.WAITING: frozenset((State.QUEUED, State.HELD, State.EXCLUDED, State.EXPIRED,
                              State.WITHDRAWN)),
    State.HELD: frozenset((State.QUEUED, State.EXCLUDED, State.EXPIRED, State.WITHDRAWN)),
    State.QUEUED: frozenset((State.LEASED, State.DELIVERED, State.REFUSED, State.EXPIRED,
                             State.DEAD, State.WITHDRAWN, State.EXCLUDED)),
    State.LEASED: frozenset((State.QUEUED, State.LEASED, State.DELIVERED, State.REFUSED,
                             State.EXPIRED, State.DEAD, State.WITHDRAWN, State.EXCLUDED)),
    State.DEAD: frozenset((State.QUEUED, State.DELIVERED, State.REFUSED, State.EXPIRED,
                           State.WITHDRAWN, State.EXCLUDED)),
    State.DELIVERED: frozenset(),
    State.REFUSED: frozenset(),
    State.EXPIRED: frozenset(),
    State.WITHDRAWN: frozenset(),
    State.EXCLUDED: frozenset(),
})  # fmt: skip
"""What may follow each state."""

FINAL: Final = frozenset(state for state, follows in MOVES.items() if not follows)
NAMES: Final = tuple(state.name.lower() for state in State)
"""The states' names by number."""
NUMBERS: Final = MappingProxyType({state.name.lower(): int(state) for state in State})
