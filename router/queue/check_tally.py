"""What a check carries along: the store, where findings go, what the rows come to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, NamedTuple

from router.errors import StorageError
from router.queue import reading, records
from router.queue.check_members import Members
from router.queue.check_runs import Runs
from router.queue.reading import ENTRY_SHIFT, TABLE, EntryRow

if TYPE_CHECKING:
    from router.queue._store import Store

_REMEMBERED_MAX: Final = 256
_RUNS_REMEMBERED_MAX: Final = 8


class Changes(NamedTuple):
    """What a record of changes says: whose deliveries, and the state of each (entry, rank)."""

    address: int
    states: dict[tuple[int, int], int]


class Tally:
    """The store, its findings, and what the rows come to."""

    def __init__(self, store: Store, tell: Callable[[str], None]) -> None:
        self.store = store
        self.tell = tell
        self.counters: Counter[str] = Counter()
        self.stored_counters: list[int] = []
        self.in_flight: Counter[int] = Counter()
        self.senders: dict[int, int] = {}
        self.by_name: Counter[int] = Counter()
        self.pending: dict[int, int] = {}
        self.members_of = -1
        self.members: dict[int, Members] = {}
        self.years: set[tuple[str, int]] = set()
        self.years_kept: set[tuple[str, int]] = set()
        self._runs: dict[int, Runs] = {}
        self._read: dict[int, Changes | None] = {}

    def row(self, table: str, key: bytes) -> bytes | None:
        """Return the value of a key, or None."""
        return self.store.row(TABLE[table], key)

    def number(self, table: str, key: bytes) -> int | None:
        """Return the number that a value begins with, or None."""
        found = self.row(table, key)
        return None if found is None else int.from_bytes(found[:8], "big")

    def entry(self, document: int, entry: int) -> EntryRow | None:
        """Return the row of an entry, or None."""
        found = self.row("entries", document.to_bytes(8, "big") + entry.to_bytes(8, "big"))
        return None if found is None else reading.read_entry(entry, found)

    def audience(self, audience: int) -> records.StoredAudience | None:
        """Return an audience, or None."""
        found = self.row("audiences", audience.to_bytes(8, "big"))
        return None if found is None else reading.read_audience(found)

    def runs(self, number: int, audience: records.StoredAudience) -> Runs:
        """Return the runs of the audience of a number; a few are remembered."""
        found = self._runs.pop(number, None) or Runs(audience.runs)
        if len(self._runs) >= _RUNS_REMEMBERED_MAX:
            del self._runs[next(iter(self._runs))]
        self._runs[number] = found  # last: the first one was not asked for the longest
        return found

    def record(self, sequence: int) -> bytes | None:
        """Return a record, or None when it was cut or is damaged: that is told with the log."""
        try:
            return self.store.record(sequence)
        except StorageError:
            return None

    def changes(self, sequence: int) -> Changes | None:
        """Return what a record of changes says, or None when it was cut; some are remembered."""
        if sequence not in self._read:
            data = self.record(sequence)
            if len(self._read) >= _REMEMBERED_MAX:
                self._read.clear()
            self._read[sequence] = None if data is None else Changes(
                reading.address_of(data),
                {(entry, rank): made.state for entry, rank, made in reading.made_in(data)},
            )  # fmt: skip
        return self._read[sequence]

    def document_of(self, entry: int) -> int | None:
        """Return the document that the record of an entry names, or None."""
        sequence = entry >> ENTRY_SHIFT
        data = self.record(sequence)
        if data is None:
            return None
        if data[0] == records.KIND_ACCEPTANCE:
            return sequence
        if data[0] == records.KIND_JOIN:
            return int.from_bytes(data[16:24], "big")
        return None
