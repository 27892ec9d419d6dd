"""A sender's outbox: what it is told about documents it has sent, in order.

Kept in feeds by sender.  A row is either what the engine wrote (`redirecting.Redirected`), or
one byte: the state into which the record of that sequence brought deliveries of this sender,
so that it is told in the very record that makes it so.  A later kind is a further struct or a
further state.
"""

from __future__ import annotations

from collections.abc import Iterator
from heapq import merge
from itertools import islice

from router import limits
from router.engine.facts import decode_facts, delivery_id, hold_id
from router.engine.held_parts import entry_number
from router.engine.redirecting import (
    HoldEnded,
    Redirected,
    VerdictTold,
    code_at,
    decode_stored,
)
from router.engine.state import Rooms
from router.engine.verdicts import reached_late
from router.errors import InputError
from router.model.answers import Outbox, OutboxEvent
from router.model.instants import show_instant
from router.model.units import Unit
from router.ports import Clock
from router.queue import RELEASED, Queue, State, after

_PAGE = 256
_PARTS = 3
HOLD_ENDS = {
    "released": RELEASED,
    "denied": int(State.EXCLUDED),
    "hold_expired": int(State.EXPIRED),
}
"""How the entry of a held part stands after each end."""
Cursor = tuple[int, int, int]
"""Record's sequence, sender, place of the event in the record."""


class OutboxReader:
    """Reads feeds; thread-safe."""

    def __init__(self, rooms: Rooms, queue: Queue, clock: Clock) -> None:
        self._rooms = rooms
        self._queue = queue
        self._clock = clock

    def page(self, unit: Unit, cursor: str, limit: int) -> Outbox:
        """Return what a unit, and those it answers for today, were told after a cursor.

        Raises InputError `field.invalid` for a limit out of range and a cursor that is none.
        """
        if not 1 <= limit <= limits.OUTBOX_PAGE_MAX:
            said = f"1 to {limits.OUTBOX_PAGE_MAX} is taken"
            raise InputError("field.invalid", path="$.limit", reason=said)
        start = read_cursor(cursor)
        self._queue.flush()  # a death stands in a lease's record: told, it must outlive a power cut
        senders = self._rooms.addresses_of(unit.number, self._clock.now_us())
        feeds = [self._events(sender, start) for sender in senders]
        found = list(islice(merge(*feeds, key=lambda pair: pair[0]), limit + 1))
        events = tuple(event for _, event in found[:limit])
        last = events[-1].cursor if events else cursor
        return Outbox(events, last, len(found) > limit)

    def _events(self, sender: int, after_cursor: Cursor) -> Iterator[tuple[Cursor, OutboxEvent]]:
        """Yield the events of one sender after a cursor, in order."""
        start = after_cursor[0]
        while page := after.feed(self._queue.store, sender, start, _PAGE):
            for sequence, value in page:
                for place, event in self._told(sequence, sender, value):
                    cursor = (sequence, sender, place)
                    if cursor > after_cursor:
                        yield cursor, event
            start = page[-1][0] + 1

    def _told(self, sequence: int, sender: int, value: bytes) -> Iterator[tuple[int, OutboxEvent]]:
        """Yield (place, event) of one row."""
        if len(value) == 1:
            if value[0] == State.DEAD:
                yield from self._dead(sequence, sender)
            return
        stored = decode_stored(value)
        if isinstance(stored, HoldEnded):
            yield from self._hold_ended(sequence, sender, stored)
        if isinstance(stored, VerdictTold):
            yield from self._verdict_reached(sequence, sender, stored)
        if not isinstance(stored, Redirected):
            return
        key, document_id = "", ""
        if stored.key:
            document = self._queue.document(stored.key)
            if document is None:  # an equal one was there before: this one was never stored
                return
            key, document_id = stored.key.hex(), decode_facts(document.facts).document_id
        code, at = code_at(self._rooms, sender, stored.at), show_instant(stored.at)
        for place, row in enumerate(stored.rows):
            yield place, OutboxEvent(
                show_cursor((sequence, sender, place)), "redirected", at, code,
                address=code_at(self._rooms, row.address, stored.at),
                holder=code_at(self._rooms, row.holder, stored.at),
                title=stored.title, open=row.open, more=row.more, key=key,
                document_id=document_id,
            )  # fmt: skip

    def _hold_ended(
        self, sequence: int, sender: int, said: HoldEnded
    ) -> Iterator[tuple[int, OutboxEvent]]:
        """Tell of a held part, if the record after this one ended it so.

        The two are appended together; cut in two by a crash the end never came, and is told
        by whoever brings it about again.
        """
        row = after.entry_of(self._queue, said.document, said.entry)
        sent = after.document_row(self._queue.store, said.document)
        if row is None or sent is None or row.changed != sequence + 1:
            return
        if row.standing != HOLD_ENDS.get(said.kind):
            return
        document = self._queue.document(sent.key)
        yield 0, OutboxEvent(
            show_cursor((sequence, sender, 0)), said.kind, show_instant(said.at),
            code_at(self._rooms, sender, said.at), key=sent.key.hex(),
            document_id="" if document is None else decode_facts(document.facts).document_id,
            hold=hold_id(sent.key, said.entry - entry_number(said.document, 0)),
            recipients=said.recipients, reason=said.reason,
            answered_by=code_at(self._rooms, said.unit, said.at),
        )  # fmt: skip

    def _verdict_reached(
        self, sequence: int, sender: int, said: VerdictTold
    ) -> Iterator[tuple[int, OutboxEvent]]:
        """Tell of a verdict, if the record after this one has it (as with `_hold_ended`)."""
        late = reached_late(self._queue, said.document)
        sent = after.document_row(self._queue.store, said.document)
        if late is None or sent is None or late.sequence != sequence + 1:
            return
        document = self._queue.document(sent.key)
        yield 0, OutboxEvent(
            show_cursor((sequence, sender, 0)), f"verdict_{said.kind}", show_instant(said.at),
            code_at(self._rooms, sender, said.at), key=sent.key.hex(),
            document_id="" if document is None else decode_facts(document.facts).document_id,
            recipients=said.recipients, code=said.code,
        )  # fmt: skip

    def _dead(self, sequence: int, sender: int) -> Iterator[tuple[int, OutboxEvent]]:
        for place, one in enumerate(after.dead_of(self._queue.store, sequence, sender)):
            document = self._queue.document(one.document.key)
            known = "" if document is None else decode_facts(document.facts).document_id
            yield place, OutboxEvent(
                show_cursor((sequence, sender, place)), "dead", show_instant(one.at),
                code_at(self._rooms, sender, one.at),
                address=code_at(self._rooms, one.address, one.at),
                key=one.document.key.hex(), document_id=known,
                delivery=delivery_id(one.document.key, one.address),
            )  # fmt: skip


def show_cursor(cursor: Cursor) -> str:
    """Return a cursor as text."""
    return "-".join(map(str, cursor))


def read_cursor(text: str) -> Cursor:
    """Read a cursor; "" is the beginning.  Raises InputError `field.invalid`."""
    if not text:
        return (0, 0, -1)
    parts = text.split("-")
    if len(parts) != _PARTS or not all(
        part.isascii() and part.isdecimal() and len(part) < 20 for part in parts
    ):
        said = "take it from an event, or leave it out"
        raise InputError("field.invalid", path="$.after", reason=said)
    sequence, sender, place = map(int, parts)
    return (min(sequence, (1 << 63) - 1), sender, place)
