"""Which parts of documents are held now: an index in memory, made when first asked for.

It may name parts that are over and never misses one that waits: whoever uses it looks at the
part's entry, which alone says how it stands.
"""

from __future__ import annotations

import threading
from typing import NamedTuple

from router.engine.facts import Facts, decode_facts
from router.queue import Queue, State, after

_ENTRY_SHIFT = 3


class HeldNow(NamedTuple):
    """A held part: its document's sequence and sender, policy version and hold rules."""

    document: int
    sender: int
    version: int
    rules: tuple[int, ...]


class HeldParts:
    """The index, and the lock under which held parts are released, denied or let expire.

    `moving` is held over the flush of what ends a part, so that two ends never cross.
    """

    def __init__(self, queue: Queue) -> None:
        self.moving = threading.Lock()
        self._queue = queue
        self._lock = threading.Lock()  # guards the two below
        self._parts: dict[int, HeldNow] | None = None
        self._epoch = -1

    def note(self, sequence: int, sender: int, facts: Facts) -> None:
        """Take in the held parts of a document that was accepted (flushed already).

        Of one that waits for its verdict, once that has made them held.
        """
        if facts.decision is None or not facts.decision.held:
            return
        with self._lock:
            if self._parts is not None:
                self._parts.update(_parts_of(sequence, sender, facts))

    def forget(self, entry: int) -> None:
        """Drop a part that is over."""
        with self._lock:
            if self._parts is not None:
                self._parts.pop(entry, None)

    def all(self, now_us: int) -> list[tuple[int, HeldNow]]:
        """Return the parts by the numbers of their entries, the oldest first."""
        with self._lock:
            store = self._queue.store
            if self._parts is None or self._epoch != store.epoch:
                self._epoch = store.epoch
                self._parts = self._read(now_us)
            return sorted(self._parts.items())

    def _read(self, now_us: int) -> dict[int, HeldNow]:
        """Find what is held through the time index: every held part runs out some day."""
        found: dict[int, HeldNow] = {}
        for one in after.will_be_due(self._queue.store, now_us):
            row = after.entry_of(self._queue, one.document, one.entry)
            if row is not None and row.standing == State.HELD and one.entry not in found:
                accepted = after.acceptance_of(self._queue.store, one.document)
                facts = decode_facts(accepted.facts)
                found.update(_parts_of(one.document, accepted.sender, facts))
        return found


def entry_number(document: int, part: int) -> int:
    """Return the number of a document's held part, counted from 1, among all entries."""
    return (document << _ENTRY_SHIFT) + part


def _parts_of(sequence: int, sender: int, facts: Facts) -> dict[int, HeldNow]:
    held = facts.decision.held if facts.decision is not None else ()
    return {
        entry_number(sequence, place): HeldNow(sequence, sender, facts.policy_version, part.rules)
        for place, part in enumerate(held, 1)
    }
