"""Redirections: a unit closed before it took what was sent to it; its senders are told.

Nothing is moved: the holder's inbox finds what is addressed to the closed unit.  Each open
delivery is told once: what was accepted before the end was in force, or known, is counted for
all of a sender together (`tell`); what was accepted after that is told document by document, in
the group that stores it (`records_for`).
"""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from router import limits
from router._core import Audience
from router.directory import Snapshot
from router.engine.state import Rooms
from router.errors import NotFoundError
from router.queue import Acceptance, Queue, after, records


class Row(msgspec.Struct, frozen=True, array_like=True):
    """Of one address: who holds it now, and how many deliveries are open there.

    `more`: the count ended at its bound.
    """

    address: int
    holder: int
    open: int
    more: bool = False


class Redirected(msgspec.Struct, frozen=True, array_like=True, tag="redirected"):
    """What one record tells one sender: `key` is the document's, empty for all open ones."""

    at: int
    title: str
    rows: tuple[Row, ...]
    key: bytes = b""


class Told(msgspec.Struct, frozen=True, array_like=True, tag="told"):
    """The engine's own note: the senders of a unit that ended at an instant were told."""

    number: int
    at: int


class Passed(msgspec.Struct, frozen=True, array_like=True, tag="passed"):
    """The engine's own note: these ends, (instant, unit) each, were looked at, nobody was told."""

    ends: tuple[tuple[int, int], ...]


class HoldEnded(msgspec.Struct, frozen=True, array_like=True, tag="hold-ended"):
    """A held part (its entry) of a document came to an end.

    `kind` is released, denied or hold_expired; `unit` who answered (0: nobody), `recipients`
    how many waited.
    """

    at: int
    kind: str
    document: int
    entry: int
    recipients: int
    unit: int = 0
    reason: str = ""


class VerdictTold(msgspec.Struct, frozen=True, array_like=True, tag="verdict"):
    """The verdict that a document waited for was reached: valid, invalid or expired.

    `code` says why it is invalid; `recipients` is how many waited.
    """

    at: int
    kind: str
    document: int
    recipients: int
    code: str = ""


Stored = Redirected | Told | Passed | HoldEnded | VerdictTold
encode_stored = msgspec.msgpack.Encoder().encode
decode_stored = msgspec.msgpack.Decoder(Stored).decode


class Ending(NamedTuple):
    """The end of a unit: when it is in force, by which record it is known, by what act."""

    at: int
    number: int
    sequence: int
    title: str


class Redirections:
    """Knows which units end when, and tells senders; thread-safe.

    `told_until` is the latest end that senders were told of, 0 for none.
    """

    def __init__(self, rooms: Rooms, queue: Queue) -> None:
        self._rooms = rooms
        self._queue = queue
        self._lock = threading.Lock()  # guards the four below
        self._sequence = -1
        self._endings: list[tuple[int, int]] = []
        self._closed: dict[tuple[int, tuple[int, int]], Audience] = {}
        self._done: set[tuple[int, int]] | None = None
        self.told_until = 0

    def _known(self) -> list[tuple[int, int]]:
        """Return (instant, number) of every unit that ends with a successor, in order."""
        directory = self._rooms.directory
        with self._lock:
            if self._sequence != directory.sequence:
                sequence = directory.sequence
                self._endings = directory.endings()
                self._closed.clear()
                self._sequence = sequence
            return self._endings

    # At an end.

    def tell(self, now_us: int) -> int:
        """Tell the senders of units that have ended; return how many units were looked at.

        Call from one thread at a time.
        """
        endings = self._known()
        if self._done is None:
            self._done = self._told()
            # A clock that went back must not let what comes next pass for told with them.
            self.told_until = max((at for at, _ in self._done), default=self.told_until)
        passed = bisect_right(endings, (now_us, 1 << 32))
        waiting = [one for one in endings[:passed] if one not in self._done]
        waiting = waiting[: limits.REDIRECTIONS_PER_TICK]
        found, nobody = [], []
        for at, number in waiting:
            ending = self._ending(at, number)
            self.told_until = max(self.told_until, ending.at)
            record = self._record_of(ending, now_us)
            if record is not None:
                found.append(record)
            else:  # noted as well: what comes for it later is told document by document
                nobody.append((at, number))
        if nobody:
            event = encode_stored(Passed(tuple(nobody)))
            found.append(records.encode_feed([(0, event)], now_us, 0))
        done, self._done = self._done, None  # to be read anew when this fails
        if found:
            self._queue.store.append_raw(found)
        done.update(waiting)
        self._done = done
        return len(waiting)

    def _told(self) -> set[tuple[int, int]]:
        """Return the ends, (instant, unit) each, that the engine noted it was through with."""
        done: set[tuple[int, int]] = set()
        for value in after.told(self._queue.store):
            stored = decode_stored(value)
            if isinstance(stored, Told):
                done.add((stored.at, stored.number))
            elif isinstance(stored, Passed):
                done.update(stored.ends)
        return done

    def _ending(self, at: int, number: int) -> Ending:
        sequence, title = 0, ""
        for version in self._rooms.directory.history(number):
            if version.since == at and "closes" in version.said:
                sequence, title = version.sequence, version.title
        return Ending(at, number, sequence, title)

    def _record_of(self, ending: Ending, now_us: int) -> bytes | None:
        """Return the record that tells everybody who has something open; None: nobody has."""
        directory = self._rooms.directory
        holder = directory.holder(ending.number, ending.at)
        if holder == ending.number:
            return None
        rows: dict[int, list[Row]] = {}
        for address in directory.addresses(ending.number, ending.at - 1):
            counts, more = self._open(address, ending, now_us)
            for sender, count in counts.items():
                rows.setdefault(sender, []).append(Row(address, holder, count, more))
        if not rows:
            return None
        events = [
            (sender, encode_stored(Redirected(ending.at, ending.title, tuple(of_sender))))
            for sender, of_sender in sorted(rows.items())
        ]
        events.append((0, encode_stored(Told(ending.number, ending.at))))
        return records.encode_feed(events, now_us, 0)

    def _open(self, address: int, ending: Ending, now_us: int) -> tuple[dict[int, int], bool]:
        """Count what was accepted for an address before its end and is open, by sender."""
        found = self._queue.inbox(
            address, self._rooms.subscriptions(address), self._rooms.places(address), now_us,
            limit=limits.REDIRECTED_LINES_MAX,
        )  # fmt: skip
        counts: dict[int, int] = {}
        for line in (*found.queued, *found.leased):
            row = after.document_row(self._queue.store, line.document)
            if row is not None and (row.at < ending.at or line.document < ending.sequence):
                counts[row.sender] = counts.get(row.sender, 0) + 1
        return counts, found.more

    # At acceptance.

    def records_for(
        self, acceptance: Acceptance, snapshot: Snapshot, told_until: int
    ) -> list[bytes]:
        """Return the records that tell of recipients that had closed before acceptance.

        Or whose end was told by then (`told_until`), when the clock went back since.  They are
        stored before the document, in one group: when it is refused then, as repeated, nobody
        knows its key, and its redirections are not shown.
        """
        until = max(acceptance.at, told_until)
        return self._records_of(acceptance, snapshot, snapshot.valid_from, until)

    def late_records(self, acceptances: Sequence[Acceptance], told_until: int) -> list[bytes]:
        """Return what is to be told after all of documents that were overtaken by an end.

        They were stored after its senders had been told, which nobody had been (`told_until`)
        when their records were made.
        """
        since = self.told_until
        found = []
        for one in acceptances:
            from_us = max(one.at, told_until)
            if from_us < since:
                snapshot = self._rooms.snapshot(one.audience.snapshot)
                found += self._records_of(one, snapshot, from_us, since)
        return found

    def _records_of(
        self, acceptance: Acceptance, snapshot: Snapshot, from_us: int, at_us: int
    ) -> list[bytes]:
        audience = acceptance.audience
        closed = self._closed_in(audience.snapshot, snapshot, from_us, at_us)
        if not closed:
            return []
        gone = Audience.from_bytes(audience.runs) & closed
        directory = self._rooms.directory
        rows = [
            Row(number, holder, 1)
            for number in snapshot.hierarchy.numbers(gone)
            if (holder := directory.holder(number, at_us)) != number
        ]
        step = limits.REDIRECTED_ROWS_MAX
        return [
            records.encode_feed(
                [(acceptance.sender, self._told_of(acceptance, rows[first : first + step]))],
                at_us, acceptance.unit,
            )
            for first in range(0, len(rows), step)
        ]  # fmt: skip

    def _told_of(self, acceptance: Acceptance, rows: Sequence[Row]) -> bytes:
        title = ""
        for at, number in reversed(self._known()):
            if number == rows[0].address:
                title = self._ending(at, number).title
                break
        return encode_stored(Redirected(acceptance.at, title, tuple(rows), acceptance.key))

    def _closed_in(
        self, number: int, snapshot: Snapshot, from_us: int, at_us: int
    ) -> Audience | None:
        """Return which members of a snapshot end between two instants; None: nobody does."""
        endings = self._known()
        first = bisect_right(endings, (from_us, 1 << 32))
        last = bisect_right(endings, (at_us, 1 << 32))
        if first >= last:
            return None
        name = (number, (first, last))
        with self._lock:
            found = self._closed.get(name)
        if found is None:
            position = snapshot.hierarchy.position
            places = (position(unit) for _, unit in endings[first:last])
            found = Audience.from_positions(sorted(place for place in places if place >= 0))
            with self._lock:
                self._closed[name] = found
        return found


def code_at(rooms: Rooms, number: int, at_us: int) -> str:
    """Return a unit's code at an instant; "" when a correction says that it never was."""
    try:
        return rooms.directory.unit(number, at_us).code if number else ""
    except NotFoundError:
        return ""
