"""What must be true of a document's entries together: each unit is in one of them at most.

Parts, what they were released into and what was queued again are entries of their own.  A unit
that two of them held would get the document twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from router._core import Audience
from router.queue.reading import RELEASED, EntryRow

if TYPE_CHECKING:
    from router.queue.check_tally import Tally


def judge_members(
    tally: Tally, place: str, document: int, row: EntryRow, handed_on: list[int]
) -> None:
    """Add an entry to those of its document, which come one after the other; tell of an overlap.

    `handed_on` are the ranks whose deliveries another entry has since.  Positions are compared
    within one snapshot only: another may number the units otherwise.
    """
    audience = tally.audience(row.audience)
    if row.standing == RELEASED or audience is None:
        return
    members = Audience.from_bytes(audience.runs)
    if handed_on:
        positions = members.positions()
        members = members - Audience.from_positions(positions[rank] for rank in handed_on)
    if tally.members_of != document:
        tally.members_of = document
        tally.members.clear()
    before = tally.members.get(audience.snapshot, Audience())
    twice = len(before & members)
    if twice:
        tally.tell(f"{place}: {twice} of its members are another entry's of the document, too")
    tally.members[audience.snapshot] = before | members
