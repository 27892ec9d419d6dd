"""Directory: the state of this room, built by applying its records in order.

Thread-safe.  A change is added to the register unseen; the snapshots in use are compiled
anew beside the old ones, and only then the change becomes visible, so nobody waits and
nobody sees a half: who changes holds `_changing` all the while, who reads takes `_lock`
alone, which is held for a look or a swap and never over a compile.  Applying is pure: it
depends on records and their sequences alone, so that a replay gives the same numbers of
kinds and the same positions.
"""

from __future__ import annotations

import threading
from bisect import bisect_right, insort
from collections import OrderedDict
from collections.abc import Iterator, Sequence

from router import limits
from router._postings import EVERYBODY
from router._register import FOR_GOOD, Register
from router.directory.changes import (
    Change,
    FactsLearnt,
    UnitClosed,
    UnitsAdded,
    decode_change,
    digest_of,
)
from router.directory.correcting import plan_correction
from router.directory.facts import closing, facts_of_unit, parts_of
from router.directory.groups import Groups, checked_group
from router.directory.history import ChangeMade, Version, versions_of
from router.directory.imports import checked_import
from router.directory.known import Known, Vocabulary
from router.directory.learning import add_part
from router.directory.planning import plan_reorganisation
from router.directory.resolve import Resolution, ResolveItem, resolve_batch
from router.directory.snapshot import Snapshot, pack_topic
from router.directory.verifying import Trial
from router.errors import InputError, NotFoundError, StorageError, VanbanError
from router.model.reorganisations import (
    Closing,
    DirectoryChange,
    GroupDefined,
    Reorganisation,
)
from router.model.units import Unit, normal_code

_ACTIVATED_MAX = 4
"""Snapshots in use that are compiled again before a change becomes visible."""


class Directory:
    """All units with their dates, as known; `sequence` is that of the last visible change."""

    def __init__(self) -> None:
        self.sequence = 0
        self._changing = threading.RLock()
        """Orders changes and those who plan them; never taken by readers."""
        self._lock = threading.RLock()
        """Guards the snapshots held and what is visible; taken after `_changing`, if at all."""
        self._register = Register()
        self._words = Vocabulary()
        self._groups = Groups()
        self._known = Known(self._register, self._words, 0)
        self._changes: list[ChangeMade] = []
        self._sequences: list[int] = []
        self._edges: dict[int, int] = {}
        """Instant at which something begins or ends -> the first change that says so."""
        self._sorted_edges: list[int] = []
        self._halved = False
        """A change was taken in only in part (memory ran out): nothing may follow it."""
        self._pending: list[FactsLearnt | UnitsAdded] = []
        self._snapshots: OrderedDict[tuple[int, int], Snapshot] = OrderedDict()
        self._subscriptions: dict[int, tuple[bytes, ...]] = {}

    def __len__(self) -> int:
        return len(self._register)

    @property
    def kinds(self) -> dict[str, int]:
        """Kind name -> number, by order of first appearance in the records (from 1)."""
        return dict(self._words.kinds)

    @property
    def memory_bytes(self) -> int:
        """Bytes of the register and of the snapshots held."""
        with self._lock:
            held = sum(snapshot.memory_bytes for snapshot in self._snapshots.values())
        return self._register.memory_bytes + held

    # Changing

    def plan_import(self, units: Sequence[Unit], title: str = "") -> list[FactsLearnt]:
        """Check an import; return the bodies to append, none when all of it is known.

        Names and tags are brought to NFC, codes to their stored form.  Raises InputError
        `directory.invalid` with the path `row[i].field`; nothing has changed then.
        """
        with self._changing:
            added = checked_import(self._known, units)
            bodies = parts_of(
                (fact for unit, _ in added for fact in facts_of_unit(unit)), "import", title, 0
            )
            places = {unit.number: f"row[{index}]" for unit, index in added}
            self._trial(bodies).check(places)
        return bodies

    def plan_close(self, number: int, at_us: int, successors: Sequence[int] = ()) -> Change:
        """Check the closing of a unit at an instant; return the body to append.

        `successors` are numbers, the default first.  Raises InputError `directory.invalid`.
        """
        event = Closing(number, tuple(successors))
        try:
            return self.plan(Reorganisation(at_us, "", (event,)))[0]
        except InputError as error:
            error.path = error.path.removeprefix("events[0].")
            raise

    def plan(self, change: DirectoryChange) -> list[Change]:
        """Check a change; return the bodies to append, none when it changes nothing.

        Raises InputError `directory.invalid` with the path of the mistake
        (`events[3].unit`, `known_later[0].code`, `fixes[2].since`), and for groups
        `group.invalid` and the errors of their selectors; nothing has changed then.
        """
        with self._changing:
            if isinstance(change, GroupDefined):
                return list(checked_group(self._groups, change, self._sorted_edges))
            if isinstance(change, Reorganisation):
                facts, places = plan_reorganisation(self._known, change)
                bodies = parts_of(facts, "reorganisation", change.title, change.at)
            else:
                facts, places = plan_correction(self._known, change)
                bodies = parts_of(facts, "correction", change.title, 0)
            self._trial(bodies).check(places)
        return list(bodies)

    def _trial(self, bodies: Sequence[FactsLearnt]) -> Trial:
        return Trial(self._register, len(self._changes), self._sorted_edges, bodies, self._words)

    def rehearsed(self, bodies: Sequence[Change]) -> Directory:
        """Return a directory that has taken in planned changes, to see what they would do.

        It shares nothing that changes with this one.
        """
        made = Directory()
        with self._changing:
            made._register = self._register.copy()
            made._words = self._words.copy()
            made._groups = self._groups.copy()
            made._changes = list(self._changes)
            made._sequences = list(self._sequences)
            made._edges = dict(self._edges)
            made._sorted_edges = list(self._sorted_edges)
            made.sequence = self.sequence
            made._known = Known(made._register, made._words, len(made._changes))
        for place, body in enumerate(bodies, made.sequence + 1):
            made.apply(body, place)
        return made

    def apply(self, change: Change | bytes, sequence: int, at_us: int = 0) -> None:
        """Take in one record of this room, written at `at_us`; sequences only grow.

        Raises StorageError `store.corrupt` when the record can't be what was written, and
        from then on when half of it was learnt: only reading the log again mends that.
        """
        if isinstance(change, bytes):
            change = decode_change(change)
        with self._changing:
            if self._halved:
                raise StorageError("store.corrupt", reason="half of a directory record was learnt")
            try:
                made = self._learn(change, sequence, at_us)
                if made is not None:
                    self._activate(made)
            except (ValueError, OverflowError) as error:
                raise StorageError("store.corrupt", reason=f"directory record: {error}") from error

    def _learn(self, change: Change, sequence: int, at_us: int) -> ChangeMade | None:
        """Add a change, unseen; return what is to become visible (None: parts are missing)."""
        place = len(self._changes)
        if isinstance(change, GroupDefined):
            self._pending = []
            self._groups.add(place, change)
            self._note_edges(place, {change.since, change.until or FOR_GOOD} - {0, FOR_GOOD})
            return ChangeMade(sequence, at_us, "group", change.title, change.since, 1, change.name)
        if isinstance(change, UnitClosed):
            self._pending = []
            fact = closing(change.number, change.at, change.successors)
            whole: list[FactsLearnt] = parts_of([fact], "reorganisation", "", change.at)
        else:
            whole = self._join(change)
        if not whole:
            return None
        self._halved = bool(whole)
        for part in whole:
            self._note_edges(place, add_part(self._register, self._words, place, part))
        last = whole[-1]
        return ChangeMade(sequence, at_us, last.form, last.title, last.at, last.count)

    def _note_edges(self, place: int, instants: set[int]) -> None:
        for instant in instants:
            if instant not in self._edges:
                self._edges[instant] = place
                insort(self._sorted_edges, instant)

    def _join(self, change: FactsLearnt | UnitsAdded) -> list[FactsLearnt]:
        """Collect the parts of a change; return them all with the last part.

        A first part drops what an interrupted change left behind.
        """
        if change.part == 1:
            self._pending = []
        if change.part != len(self._pending) + 1 or change.part > change.total:
            raise ValueError("a part of a change is missing")
        self._pending.append(change)
        if change.part < change.total:
            return []
        parts, self._pending = self._pending, []
        old = [part for part in parts if isinstance(part, UnitsAdded)]
        new = [part for part in parts if isinstance(part, FactsLearnt)]
        units = [unit for part in old for unit in part.units]
        count = len(units) + sum(len(part.mask) // 2 for part in new)
        if change.count != count or change.digest != digest_of(parts) or (old and new):
            raise ValueError("a change fails its digest")
        return new or parts_of(
            (fact for unit in units for fact in facts_of_unit(unit)), "import", "", 0
        )

    def _activate(self, made: ChangeMade) -> None:
        """Compile the snapshots in use as they will be, then make the change visible."""
        known = Known(self._register, self._words, len(self._changes) + 1)
        with self._lock:
            newest = list(self._snapshots.values())[-_ACTIVATED_MAX:]
        fresh: dict[tuple[int, int], Snapshot] = {}
        for snapshot in newest:
            if snapshot.sequence == self.sequence:
                again = self._compile(made.sequence, known, snapshot.valid_from)
                again.prepare()
                fresh[again.identity] = again
        with self._lock:
            self._changes.append(made)
            self._sequences.append(made.sequence)
            self._subscriptions = {}
            self._snapshots.update(fresh)
            self._forget_snapshots()
            self._known = known
            self.sequence = made.sequence
            self._halved = False

    # Asking

    def unit(self, number: int, at_us: int | None = None) -> Unit:
        """Return a unit as it stood at an instant (None: its last state), as known now.

        Outside its life the nearest state.  Raises NotFoundError `unit.not_found`.
        """
        unit = self._known.unit(number, at_us)
        if unit is None:
            raise NotFoundError("unit.not_found", unit=number)
        return unit

    def units(self, at_us: int | None = None, sequence: int | None = None) -> Iterator[Unit]:
        """Yield the units open at an instant (None: every unit, in its last state).

        In order of first appearance; `sequence` asks as known then.
        """
        yield from self._known_at(sequence)[1].units(at_us)

    def find(self, code: str, at_us: int) -> Unit | None:
        """Return the unit that bears this code and is open at that instant, as it was then."""
        known = self._known
        number = known.find(normal_code(code), at_us)
        return known.unit(number, at_us) if number else None

    def bearers(self, code: str) -> list[Unit]:
        """Return every unit that ever bore this code, open or not, the earliest first."""
        return self._known.bearers(normal_code(code))

    def find_any(self, code: str) -> Unit | None:
        """Return the last bearer of this code, open or not."""
        known = self.bearers(code)
        return known[-1] if known else None

    def require(self, code: str, at_us: int, *, role: str = "sender") -> Unit:
        """Return the unit open under this code at that instant, as it was then.

        Raises RecipientError `<role>.unknown`, `<role>.closed` (naming the successor) or
        `<role>.not_yet_open`; `role` is `sender` or `recipient`.
        """
        known = self._known
        code = normal_code(code)
        number = known.find(code, at_us)
        unit = known.unit(number, at_us) if number else None
        if unit is None:
            raise known.absent(code, at_us, role=role)
        return unit

    def holder(self, number: int, at_us: int) -> int:
        """Return the unit that answers for an address at that instant.

        An open unit holds itself; of a closed one the default successors are followed.
        A closed unit without successor is its own holder.
        """
        known = self._known
        if known.life(number) is None:
            raise NotFoundError("unit.not_found", unit=number)
        return known.holder(number, at_us)

    def successors(self, number: int, at_us: int) -> tuple[int, ...]:
        """Return the units open at an instant that succeed a unit, the default first."""
        self.unit(number)
        return self._known.successors(number, at_us)

    def predecessors(self, number: int) -> tuple[int, ...]:
        """Return the units that ended with this one among their successors."""
        self.unit(number)
        return self._known.predecessors(number)

    def addresses(self, number: int, at_us: int) -> tuple[int, ...]:
        """Return the addresses a unit answers for at that instant, itself first."""
        self.unit(number)
        return self._known.addresses(number, at_us)

    def endings(self) -> list[tuple[int, int]]:
        """Return (instant, number) of every unit that ends with a successor, in order."""
        known = self._known
        formers = {former for all_of in tuple(known.words.led_here.values()) for former in all_of}
        found = [(life[1], former) for former in formers if (life := known.life(former))]
        return sorted((ends, former) for ends, former in found if ends is not None)

    def subscriptions(self, number: int) -> tuple[bytes, ...]:
        """Return the topics (packed) of a unit's inbox, for an open or a closed unit.

        They hold for all snapshots at once: every tier, kind and ancestor that the unit
        ever had, by any knowledge.  Topics only find candidates, so too many do no harm.
        """
        # Kept where it was looked for: what was computed before a change must not be
        # remembered after it, or entries under its new topics would never be found.
        remembered = self._subscriptions
        found = remembered.get(number)
        if found is None:
            self.unit(number)
            classes, above = self._register.lineage(number)
            topics = [
                (ancestor, tier, kind)
                for tier, kind in sorted(classes)
                for ancestor in (number, *sorted(above), 0)
            ]
            found = tuple(pack_topic(*topic) for topic in (*topics, EVERYBODY))
            remembered[number] = found
        return found

    def history(self, number: int) -> list[Version]:
        """Return every fact about a unit in order of learning.

        Raises NotFoundError `unit.not_found`.
        """
        self.unit(number)
        return versions_of(self._known, number, self._changes)

    def changes(self) -> list[ChangeMade]:
        """Return every visible change in order."""
        return list(self._changes)

    def sequence_at(self, known_at_us: int) -> int:
        """Return the sequence of the last change written at or before an instant, or 0."""
        found = [made.sequence for made in self._changes if made.known_at <= known_at_us]
        return max(found, default=0)

    def groups_at(self, at_us: int, sequence: int | None = None) -> dict[str, GroupDefined]:
        """Return the named groups defined at an instant."""
        return self._groups.at(at_us, self._known_at(sequence)[1].count)

    # Snapshots

    def snapshot(self, at_us: int, sequence: int | None = None) -> Snapshot:
        """Return the compiled snapshot valid at an instant.

        `sequence` asks for it as known then (None: as known now).  Snapshots are cached,
        the least recently used dropped first; a dropped one is built again the same.
        """
        at_us = max(at_us, 0)
        with self._lock:
            made_by, known = self._known_at(sequence)
            # Who knows the start of validity names the snapshot exactly: no search.
            found = self._snapshots.get((made_by, at_us)) or self._cached_at(made_by, at_us)
            if found is not None:
                self._snapshots.move_to_end(found.identity)
                return found
        made = self._compile(made_by, known, at_us)
        with self._lock:
            found = self._snapshots.setdefault(made.identity, made)
            self._snapshots.move_to_end(found.identity)
            self._forget_snapshots()
        return found

    def _cached_at(self, made_by: int, at_us: int) -> Snapshot | None:
        for found in reversed(self._snapshots.values()):
            if found.sequence == made_by and found.holds(at_us):
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

    def _known_at(self, sequence: int | None) -> tuple[int, Known]:
        """Return the last visible change at or before `sequence`, and what was known then."""
        with self._lock:
            known, newest = self._known, self.sequence
        if sequence is None or sequence >= newest:
            return newest, known
        count = bisect_right(self._sequences, sequence)
        return (self._sequences[count - 1] if count else 0), Known(
            self._register, self._words, count
        )

    def _compile(self, made_by: int, known: Known, at_us: int) -> Snapshot:
        """Compile the interval, free of beginnings and endings, around an instant.

        Its start is the last of them at or before the instant (0 when none).
        """
        edges = [edge for edge in self._sorted_edges if self._edges[edge] < known.count]
        place = bisect_right(edges, at_us)
        starts = edges[place - 1] if place else 0
        stop = edges[place] if place < len(edges) else None
        groups = self._groups
        try:
            return Snapshot(
                made_by,
                starts,
                stop,
                known,
                groups.at(starts, known.count),
                groups.names(known.count),
            )
        except ValueError as error:  # no sound tree: no change that was planned makes one
            raise StorageError("store.corrupt", reason=f"the directory: {error}") from error
