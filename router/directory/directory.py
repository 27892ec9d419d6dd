"""Directory: the state of this room, built by applying its records in order.

Thread-safe: one lock guards the table and the cache of snapshots; a snapshot once handed
out is immutable and needs none.  Applying is pure: it depends on records and their
sequences alone, so that a replay gives the same numbers of kinds and the same positions.
"""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterator, Sequence

from router import limits
from router.directory.changes import (
    Change,
    UnitClosed,
    UnitsAdded,
    decode_change,
    digest_of,
    parts_of,
)
from router.directory.imports import checked_closing, checked_import
from router.directory.resolve import Resolution, ResolveItem, resolve_batch
from router.directory.snapshot import Snapshot, absent, pack_topic
from router.directory.table import Table
from router.errors import NotFoundError, StorageError, VanbanError
from router.model.units import Unit, normal_code


class Directory:
    """All units with their dates, as known; `sequence` is that of the last visible change."""

    def __init__(self) -> None:
        self.sequence = 0
        self._lock = threading.RLock()
        self._table = Table()
        self._visible: list[tuple[int, tuple[Unit, ...] | UnitClosed]] = []
        self._pending: list[UnitsAdded] = []
        self._snapshots: OrderedDict[tuple[int, int], Snapshot] = OrderedDict()

    def __len__(self) -> int:
        return len(self._table.units)

    @property
    def kinds(self) -> dict[str, int]:
        """Kind name -> number, by order of first appearance in the records (from 1)."""
        with self._lock:
            return dict(self._table.kinds)

    # Changing

    def plan_import(self, units: Sequence[Unit]) -> list[UnitsAdded]:
        """Check an import; return the bodies to append, none when all of it is known.

        Names and tags are brought to NFC, codes to their stored form.  Raises InputError
        `directory.invalid` with the path `row[i].field`; nothing has changed then.
        """
        with self._lock:
            added = checked_import(self._table, units)
        return parts_of(added) if added else []

    def plan_close(self, number: int, at_us: int, successors: Sequence[int] = ()) -> UnitClosed:
        """Check the closing of a unit at an instant; return the body to append.

        `successors` are numbers, the default first.  Raises InputError `directory.invalid`.
        """
        with self._lock:
            return checked_closing(self._table, number, at_us, successors)

    def apply(self, change: Change | bytes, sequence: int) -> None:
        """Take in one record of this room; sequences only grow.

        Raises StorageError `store.corrupt` when the record can't be what was written.
        """
        if isinstance(change, bytes):
            change = decode_change(change)
        with self._lock:
            if isinstance(change, UnitClosed):
                self._pending = []
                self._table.close(change)
                self._visible.append((sequence, change))
            else:
                units = self._join(change)
                if units is None:
                    return
                self._table.add(units)
                self._visible.append((sequence, units))
            self.sequence = sequence

    def _join(self, change: UnitsAdded) -> tuple[Unit, ...] | None:
        """Collect the parts of an import; return all units with the last part.

        A first part drops what an interrupted import left behind.
        """
        if change.part == 1:
            self._pending = []
        if change.part != len(self._pending) + 1 or change.part > change.total:
            raise StorageError("store.corrupt", reason="a part of a directory import is missing")
        self._pending.append(change)
        if change.part < change.total:
            return None
        units = tuple(unit for part in self._pending for unit in part.units)
        self._pending = []
        if change.count != len(units) or change.digest != digest_of(units):
            raise StorageError("store.corrupt", reason="a directory import fails its digest")
        return units

    # Asking

    def unit(self, number: int) -> Unit:
        """Return the unit as known now.  Raises NotFoundError `unit.not_found`."""
        try:
            return self._table.units[number]
        except KeyError:
            raise NotFoundError("unit.not_found", unit=number) from None

    def units(self) -> Iterator[Unit]:
        """Yield every unit, closed ones too, in order of first appearance."""
        with self._lock:
            known = list(self._table.units.values())
        yield from known

    def find(self, code: str, at_us: int) -> Unit | None:
        """Return the unit that bears this code (either form) and is open at that instant."""
        with self._lock:
            return self._table.find(normal_code(code), at_us)

    def bearers(self, code: str) -> list[Unit]:
        """Return every unit that ever bore this code, open or not, the earliest first."""
        with self._lock:
            return self._table.bearers_of(normal_code(code))

    def find_any(self, code: str) -> Unit | None:
        """Return the last bearer of this code, open or not."""
        known = self.bearers(code)
        return known[-1] if known else None

    def require(self, code: str, at_us: int, *, role: str = "sender") -> Unit:
        """Return the unit open under this code at that instant.

        Raises RecipientError `<role>.unknown`, `<role>.closed` (naming the successor) or
        `<role>.not_yet_open`; `role` is `sender` or `recipient`.
        """
        code = normal_code(code)
        with self._lock:
            unit = self._table.find(code, at_us)
            if unit is None:
                raise absent(self._table, code, at_us, role=role)
            return unit

    def holder(self, number: int, at_us: int) -> int:
        """Return the unit that answers for an address at that instant.

        An open unit holds itself; of a closed one the default successors are followed.
        A closed unit without successor is its own holder.
        """
        with self._lock:
            self.unit(number)
            return self._table.holder(number, at_us)

    def addresses(self, number: int, at_us: int) -> tuple[int, ...]:
        """Return the addresses a unit answers for at that instant, itself first."""
        with self._lock:
            self.unit(number)
            return self._table.addresses(number, at_us)

    def subscriptions(self, number: int) -> tuple[bytes, ...]:
        """Return the topics (packed) of a unit's inbox, for an open or a closed unit.

        A unit's tier, kind and parents never change, so they hold for all snapshots.
        """
        unit = self.unit(number)
        kind = self._table.kinds[unit.kind]
        found = []
        above: Unit | None = unit
        while above is not None:
            found.append(pack_topic(above.number, unit.tier, kind))
            above = None if above.parent is None else self._table.units[above.parent]
        found.append(pack_topic(0, unit.tier, kind))
        return tuple(found)

    def snapshot(self, at_us: int, sequence: int | None = None) -> Snapshot:
        """Return the compiled snapshot valid at an instant.

        `sequence` asks for it as known then (None: as known now).  Snapshots are cached,
        the least recently used dropped first; a dropped one is built again the same.
        """
        at_us = max(at_us, 0)
        with self._lock:
            known = self._known_at(sequence)
            # Who knows the start of validity names the snapshot exactly: no search.
            found = self._snapshots.get((known, at_us)) or self._cached_at(known, at_us)
            if found is None:
                found = self._compile(known, at_us)
                self._snapshots[found.identity] = found
                self._forget_snapshots()
            self._snapshots.move_to_end(found.identity)
            return found

    def _cached_at(self, known: int, at_us: int) -> Snapshot | None:
        for found in reversed(self._snapshots.values()):
            if found.sequence == known and found.holds(at_us):
                return found
        return None

    def _forget_snapshots(self) -> None:
        """Drop the least recently used snapshots over the bounds, never the newest."""
        held = sum(map(len, self._snapshots.values()))
        while len(self._snapshots) > 1 and (
            len(self._snapshots) > limits.SNAPSHOTS_CACHED_MAX
            or held > limits.SNAPSHOT_UNITS_CACHED_MAX
        ):
            _, dropped = self._snapshots.popitem(last=False)
            held -= len(dropped)

    def resolve_batch(self, items: Sequence[ResolveItem]) -> list[Resolution | VanbanError]:
        """Resolve a batch of selectors as known now; see `router.directory.resolve`."""
        return resolve_batch(items, self.snapshot)

    def _known_at(self, sequence: int | None) -> int:
        """Return the sequence of the last visible change at or before `sequence`."""
        if sequence is None or sequence >= self.sequence:
            return self.sequence
        place = bisect_right(self._visible, sequence, key=lambda change: change[0])
        return self._visible[place - 1][0] if place else 0

    def _table_at(self, sequence: int) -> Table:
        """Build the table as it was known at an earlier sequence."""
        table = Table()
        for made, change in self._visible:
            if made > sequence:
                break
            if isinstance(change, UnitClosed):
                table.close(change)
            else:
                table.add(change)
        return table

    def _compile(self, sequence: int, at_us: int) -> Snapshot:
        """Compile what is open in the interval, free of openings and closings, around an instant.

        Its start is the last opening or closing at or before the instant (0 when none).
        """
        table = self._table if sequence == self.sequence else self._table_at(sequence)
        starts, stop = 0, None
        for unit in table.units.values():
            for boundary in (unit.valid_from, unit.valid_to):
                if boundary is None:
                    continue
                if boundary > at_us:
                    stop = boundary if stop is None else min(stop, boundary)
                elif boundary > starts:
                    starts = boundary
        units = {number: unit for number, unit in table.units.items() if unit.open_at(starts)}
        return Snapshot(sequence, starts, stop, units, table)
