"""Pages of documents and of deliveries, for operators."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from router._core import Audience
from router.engine.facts import decode_facts, delivery_id
from router.engine.state import Rooms
from router.errors import InputError
from router.limits import DOCUMENTS_LOOKED_MAX, INBOX_LISTED_MAX
from router.model.answers import LANE_NAMES, DeliveryState
from router.model.instants import show_instant
from router.model.operations import Listed, ListedDelivery, ListedDocument
from router.queue import NAMES, RELEASED, EntryRow, Queue, State, StoredDocument
from router.queue.listing import document_row, documents_from

OPEN = "open"
_OPEN = frozenset((NAMES[State.QUEUED], NAMES[State.LEASED]))
_CELLS = 1_024


class QueueLists:
    """Lists as of one instant; see `OperationsFace.queue_list`."""

    def __init__(self, rooms: Rooms, queue: Queue, now_us: int) -> None:
        self._rooms = rooms
        self._queue = queue
        self._now_us = now_us

    # Documents.

    def documents(
        self, state: str, sender: int | None, before_us: int, limit: int, after: str
    ) -> Listed:
        """List documents of a sender (None: of all) with deliveries in a state ("": any)."""
        _check_state(state)
        found: list[ListedDocument] = []
        rows = documents_from(self._queue, _number_of(after) + 1)
        for looked, (sequence, row) in enumerate(rows, 1):
            if row.at > before_us:
                return Listed(documents=tuple(found))
            if sender is None or row.sender == sender:
                stored = self._queue.document(row.key)
                states = Counter[str]() if stored is None else self._states(stored)
                if stored is not None and (not state or _wanted(state, states)):
                    found.append(_listed(stored, states))
            if len(found) >= limit or looked >= DOCUMENTS_LOOKED_MAX:
                return Listed(documents=tuple(found), next_after=str(sequence))
        return Listed(documents=tuple(found))

    def _states(self, stored: StoredDocument) -> Counter[str]:
        """Count a document's deliveries by state."""
        states: Counter[str] = Counter()
        for entry in self._queue.entries(stored.sequence):
            if entry.standing == RELEASED:
                continue
            counts = self._queue.count_states(entry.number, [0, entry.size], self._now_us)[0]
            untouched = self._untouched(entry)
            states[untouched] += entry.size - sum(counts)
            for name, count in zip(NAMES, counts, strict=True):
                states[untouched if name == NAMES[State.QUEUED] else name] += count
        return +states

    def _untouched(self, entry: EntryRow) -> str:
        """Return where members of an entry stand that nothing changed, now."""
        standing: str = NAMES[entry.standing]
        if standing in {"queued", "held", "waiting"} and 0 < entry.expires <= self._now_us:
            return NAMES[State.EXPIRED]
        return standing

    # Deliveries.

    def deliveries(
        self, state: str, address: int | None, before_us: int, limit: int, after: str
    ) -> Listed:
        """List deliveries in a state, of one address (None: of all)."""
        _check_state(state)
        if address is not None and (state == OPEN or state in _OPEN):
            return self._of_inbox(state, address, before_us, limit, after)
        found: list[ListedDelivery] = []
        document, _, place = after.partition(".")
        skipped, looked = _number_of(place), 0
        for sequence, row in documents_from(self._queue, _number_of(document)):
            if row.at > before_us:
                return Listed(deliveries=tuple(found))
            stored = self._queue.document(row.key)
            looked += 1
            place_now = 0
            for place_now, one in enumerate(self._of(stored, address), 1):
                looked += address is None
                if place_now <= skipped or not _wanted(state, {one.state: 1}):
                    continue
                found.append(one)
                if len(found) >= limit or looked >= DOCUMENTS_LOOKED_MAX:
                    return Listed(deliveries=tuple(found), next_after=f"{sequence}.{place_now}")
            skipped = 0
            if looked >= DOCUMENTS_LOOKED_MAX:
                return Listed(deliveries=tuple(found), next_after=f"{sequence + 1}")
        return Listed(deliveries=tuple(found))

    def _of_inbox(self, state: str, address: int, before_us: int, limit: int, after: str) -> Listed:
        """List what waits for one address, in the order in which it is handed out."""
        places = self._rooms.places(address)
        topics = self._rooms.subscriptions(address)
        inbox = self._queue.inbox(address, topics, places, self._now_us, limit=INBOX_LISTED_MAX)
        start = _number_of(after)
        found: list[ListedDelivery] = []
        unit = self._rooms.directory.unit(address)
        lines = (*inbox.queued, *inbox.leased)
        for place, line in enumerate(lines[start:], start + 1):
            row = document_row(self._queue, line.document)
            if row is None or row.at > before_us or not _wanted(state, {line.state: 1}):
                continue
            found.append(ListedDelivery(
                delivery_id(row.key, address), unit.code, unit.name, row.key.hex(),
                LANE_NAMES[line.lane], line.state, show_instant(row.at), line.attempts,
            ))  # fmt: skip
            if len(found) >= limit and place < len(lines):
                return Listed(deliveries=tuple(found), next_after=str(place))
        return Listed(deliveries=tuple(found))

    def _of(self, stored: StoredDocument | None, address: int | None) -> Iterator[ListedDelivery]:
        """Yield the deliveries of one document, or that of one address."""
        if stored is None:
            return
        if address is not None:
            places = self._rooms.places(address)
            row = self._queue.delivery(stored.key, address, self._now_us, places)
            if row is not None:
                yield self._line(stored, address, row.state, row.attempts)
            return
        for entry in self._queue.entries(stored.sequence):
            if entry.standing != RELEASED:
                yield from self._members(stored, entry)

    def _members(self, stored: StoredDocument, entry: EntryRow) -> Iterator[ListedDelivery]:
        held = self._queue.audience(entry.audience)
        snapshot = self._rooms.snapshot(held.snapshot)
        positions = Audience.from_bytes(held.runs).positions()
        untouched = self._untouched(entry)
        for first in range(0, entry.size, _CELLS):
            there = positions[first : first + _CELLS]
            cells = self._queue.cells(entry.number, first, len(there))
            for position, cell in zip(there, cells, strict=True):
                state, attempts = untouched, 0
                if cell is not None and cell.state == RELEASED:
                    continue  # a newer entry has it
                if cell is not None:
                    state, attempts = NAMES[cell.state], cell.attempts
                    if cell.state == State.LEASED and cell.at <= self._now_us:
                        state = NAMES[State.QUEUED]
                    if state == NAMES[State.QUEUED]:
                        state = untouched
                number = snapshot.hierarchy.number(position)
                yield self._line(stored, number, state, attempts)

    def _line(
        self, stored: StoredDocument, address: int, state: str, attempts: int
    ) -> ListedDelivery:
        unit = self._rooms.directory.unit(address)
        return ListedDelivery(
            delivery_id(stored.key, address), unit.code, unit.name, stored.key.hex(),
            LANE_NAMES[stored.lane], state, show_instant(stored.at), attempts,
        )  # fmt: skip


def _listed(stored: StoredDocument, states: Counter[str]) -> ListedDocument:
    facts = decode_facts(stored.facts)
    return ListedDocument(
        stored.key.hex(), facts.document_id, facts.sender, show_instant(stored.at),
        LANE_NAMES[stored.lane], sum(states.values()), dict(states),
    )  # fmt: skip


def _wanted(state: str, states: dict[str, int]) -> bool:
    return bool(_OPEN & states.keys()) if state == OPEN else bool(states.get(state))


def _check_state(state: str) -> None:
    known = {OPEN, "", *(one.value for one in DeliveryState), *NAMES}
    if state not in known:
        said = f"a state is one of {', '.join(sorted(known - {''}))}"
        raise InputError("field.invalid", path="$.state", reason=said)


def _number_of(text: str) -> int:
    if text and not (text.isascii() and text.isdigit() and len(text) < 20):
        said = "give “next_after” of the page before"
        raise InputError("field.invalid", path="$.after", reason=said)
    return int(text or 0)
