"""The history of one delivery, read from the log record by record."""

from __future__ import annotations

from typing import TYPE_CHECKING

from router.limits import ENTRY_PARTS_MAX, HISTORY_EVENTS_MAX
from router.queue import reading, records
from router.queue.reading import ENTRY_SHIFT, TABLE, EntryRow
from router.queue.records import Event
from router.queue.restored import given_until
from router.queue.transport import FINAL, NAMES, State

if TYPE_CHECKING:
    from router.queue._store import Store

_PART: int = (1 << ENTRY_SHIFT) - 1
_VERDICTS = 8  # the verdict is written once more when a crash has cut its group


def history_of(
    store: Store, document: int, entry: int, rank: int, own: int, *, left: bool = False
) -> list[Event]:
    """Return the changes of one delivery, oldest first.

    `own` is the record that changed the delivery itself last (0: none ever did).  `left`: it was
    queued again in a newer entry since, and is no longer what this one moves.  Of very many
    changes of its own the newest are kept.
    """
    events: list[Event] = []
    first, last = 0, own
    while own and len(events) < HISTORY_EVENTS_MAX:
        data = store.record(own)
        if data is None:
            break
        made = reading.made_of(data, own, entry, rank)
        events.append(Event(NAMES[made.state], made.at, made.unit, made.actor, made.reason))
        first, own = own, made.before
    events.reverse()
    row = _entry(store, document, entry)
    if row is None:
        return events
    moved = _moved(store, row)
    if not events or row.changed < first:
        events = [*moved, *events]
    elif row.changed > last and not left and State[events[-1].state.upper()] not in FINAL:
        events += moved  # else it was over, or went its own way, when its entry moved
    return [*_joined(store, entry, row.changed), *events]


def _entry(store: Store, document: int, entry: int) -> EntryRow | None:
    value = store.row(TABLE["entries"], document.to_bytes(8, "big") + entry.to_bytes(8, "big"))
    return None if value is None else reading.read_entry(entry, value)


def _moved(store: Store, row: EntryRow) -> list[Event]:
    """Return the move of a whole entry since it joined, if there was one."""
    if row.changed == row.number >> ENTRY_SHIFT or row.standing >= len(NAMES):
        return []
    data = store.record(row.changed)
    if data is None:
        return []
    return [Event(NAMES[row.standing], *reading.who_moved(data, row.changed))]


def _joined(store: Store, entry: int, changed: int = 0) -> list[Event]:
    """Return how an entry came about; where it took another one over, that one's beginning too.

    `changed` is the record that moved it last, which tells of itself.
    """
    sequence = entry >> ENTRY_SHIFT
    data = store.record(sequence)
    if data is None:
        return []
    part, state, before = entry & _PART, State.QUEUED, list[Event]()
    after = list[Event]()
    if data[0] == records.KIND_ACCEPTANCE:
        if part:
            state = State(records.decode_acceptance(data, sequence).parts[part - 1].standing)
        if state == State.WAITING:
            after = _judged(store, sequence, entry, changed)
    elif taken := reading.taken_over(data):
        before = _joined(store, taken)
    return [*before, Event(NAMES[state], *reading.who_moved(data, sequence)), *after]


def _judged(store: Store, document: int, entry: int, changed: int) -> list[Event]:
    """Return how a part that had waited for a verdict was held by it, if it was.

    That move stands among the records right after the verdict's.  A restoration may follow the
    verdict at once: what it left out is not asked for, as no log has it.
    """
    prefix = records.room_prefix(records.verdict_room(document))
    for verdict, _ in store.page(TABLE["rooms"], prefix, 0, _VERDICTS):
        last = min(given_until(store, verdict), verdict + ENTRY_PARTS_MAX)
        for sequence in range(verdict + 1, last + 1):
            data = store.record(sequence)
            if data is None or not reading.moves_entry(data, document, entry):
                continue
            if sequence != changed:
                return [Event(NAMES[data[2]], *reading.who_moved(data, sequence))]
            return []
    return []
