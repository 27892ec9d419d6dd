"""Answers about held parts as records of a room of their own.

Only an approval that is not the last is a record here.  What ends a part is said by the very
record that ends it (who released, denied, when, why), so there is no instant at which the
answers are complete and the part still waits.
"""

from __future__ import annotations

from typing import Final

import msgspec

from router.queue import RoomRecord

ROOM: Final = "hold"


class HoldAnswered(msgspec.Struct, frozen=True, array_like=True):
    """One approval of a held part was given: the part's entry, the rule by its number."""

    document: int
    entry: int
    rule: int
    approved: bool
    reason: str = ""


class Answer(msgspec.Struct, frozen=True):
    """Who gave an approval, when and why."""

    unit: int
    actor: str
    at: int
    reason: str


_answers: Final = msgspec.msgpack.Decoder(HoldAnswered)
_encode: Final = msgspec.msgpack.Encoder().encode


def record_of(answered: HoldAnswered, unit: int, actor: str, at_us: int) -> RoomRecord:
    """Return the record of an answer."""
    return RoomRecord(ROOM, _encode(answered), at_us, unit, actor)


class HoldAnswers:
    """The approvals given to parts that need several, by entry and rule; any thread may ask.

    Each change is one step of a dict that is replaced, never changed.
    """

    def __init__(self) -> None:
        self._by_entry: dict[int, dict[int, Answer]] = {}

    def apply(self, record: RoomRecord) -> None:
        """Take in a record; the first answer to an approval stands."""
        said = _answers.decode(record.body)
        known = self._by_entry.get(said.entry, {})
        if said.approved and said.rule not in known:
            answer = Answer(record.unit, record.actor, record.at, said.reason)
            self._by_entry[said.entry] = {**known, said.rule: answer}

    def of(self, entry: int) -> dict[int, Answer]:
        """Return the approvals given to a part, by the numbers of their rules."""
        return self._by_entry.get(entry, {})
