"""What a list changes in the directory, as dated events and corrections, nothing applied.

Rules, each of which docs/directory.md ("Lists") states for the clerk:

- what the list has no column for never changes;
- a unit that a complete list could hold and does not closes, successor unknown;
- a unit that appears opens, but for two cases: it was **known too late** when it bears a GSO
  code, is of a tier whose units mostly have others below them in the list, and has none
  itself (the island districts without communes); and it is **imported** with the dates
  that the list gives;
- a unit whose code stays but whose parent's whole tier is gone from a complete list of the
  statistics office is another unit (the communes of 1 July 2025): the old one closes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping

import msgspec
from msgspec import UNSET

from router.directory.alterations import Alteration, alterations_of, in_order, label
from router.directory.listing import Listing, Row
from router.directory.matching import Known, Matcher, bears_gso, codes_in
from router.directory.states import Stated, changed_unit, fixes_of, fresh_unit
from router.directory.suggesting import Suggestion, suggestions_for
from router.errors import InputError, SheetError, SheetProblem
from router.limits import SHEET_PROBLEMS_MAX
from router.model.instants import datetime_of
from router.model.reorganisations import (
    Changing,
    Closing,
    Correction,
    Event,
    Fix,
    Opening,
    Reorganisation,
)
from router.model.units import Unit, normal_code


class Difference(msgspec.Struct, frozen=True):
    """What a list would change.  To be applied in this order, all or nothing.

    `imported`: new units with life dates of their own, for `Directory.plan_import`, parents
    first.  `correction`: units known too late, and lives known wrongly.  `reorganisation`:
    what happens at the instant.  `unknown_successors` are the units it closes, for a person
    to name successors; `suggestions` propose some.  `counts` say how many of each kind of
    `Alteration`, and "rows" and "unchanged"; "missing" counts the open units that a list
    not said to be complete could hold and does not.
    """

    imported: tuple[Unit, ...]
    correction: Correction | None
    reorganisation: Reorganisation | None
    alterations: tuple[Alteration, ...]
    counts: Mapping[str, int]
    unknown_successors: tuple[Unit, ...]
    suggestions: tuple[Suggestion, ...]
    warnings: tuple[SheetProblem, ...]

    @property
    def empty(self) -> bool:
        """Say whether nothing changes."""
        return not (self.imported or self.correction or self.reorganisation)


def derive(
    units: Iterable[Unit],
    listing: Listing,
    at_us: int,
    *,
    complete: bool,
    within: Collection[int] | None = None,
    known_later: Collection[str] = (),
    opened: Collection[str] = (),
    renewed: Collection[str] | None = None,
    since_us: int | None = None,
    title: str = "",
) -> Difference:
    """Return what changes when the directory stands at `at_us` as the list says.

    `units` are the directory at that instant; units not open then may be among them, and
    are then recognised when the list names them.  `complete`: what the list could hold and
    does not is closed; it could hold the units numbered in `within` (None: all), a list of
    the statistics office only those with a GSO code.  `known_later` and `opened` are codes
    of appearing units for which the rule above is overruled; `renewed` (None: by the rule)
    are codes whose bearer is another unit now.  `since_us`: a first import is valid from
    then; later, units that appear were there since then.  The order of the rows makes no
    difference.  Raises SheetError `sheet.invalid`, InputError `import.too_early`.
    """
    known = Known(units, at_us)
    settled = _Settings(
        at_us=at_us if known.open or since_us is None else since_us,
        since_us=since_us if known.open else None,
        complete=complete,
        within=within,
        known_later=frozenset(map(normal_code, known_later)),
        opened=frozenset(map(normal_code, opened)),
        renewed=None if renewed is None else frozenset(map(normal_code, renewed)),
        title=title,
    )
    return _Derivation(known, listing, settled).difference()


class _Settings(msgspec.Struct, frozen=True):
    at_us: int
    since_us: int | None
    complete: bool
    within: Collection[int] | None
    known_later: frozenset[str]
    opened: frozenset[str]
    renewed: frozenset[str] | None
    title: str


class _Derivation:
    """The steps from a list to a `Difference`."""

    def __init__(self, known: Known, listing: Listing, settings: _Settings) -> None:
        self._known = known
        self._listing = listing
        self._set = settings
        roster = Matcher(known, settings.at_us).match(listing.rows)
        self._roster = roster
        self._problems = roster.problems
        self._told: list[Alteration] = []
        self._closing: list[Unit] = []
        self._refuse_too_early()
        self._renew()
        self._stated = Stated(known, roster, self._leaving())
        self._warnings = [*listing.warnings, *roster.warnings]

    def difference(self) -> Difference:
        """Return everything, or raise all that is wrong."""
        imported, later, openings = self._appearing()
        changings, fixes = self._changing()
        self._close_absent()
        self._refuse()
        events: list[Event] = [*openings, *changings]
        events += [Closing(unit.number) for unit in self._closing]
        for unit in self._closing:
            self._tell("closed_unknown", unit, self._set.at_us)
        self._doubt_reuse()
        told = in_order(self._told)
        counts = Counter(alteration.what for alteration in told)
        counts["rows"] = len(self._listing.rows)
        missing = 0 if self._set.complete else len(self._unlisted())
        if missing:
            counts["missing"] = missing
        altered = {alteration.number for alteration in told}
        counts["unchanged"] = sum(number not in altered for number in self._roster.matched)
        return Difference(
            imported=tuple(imported),
            correction=Correction(self._set.title, tuple(later), tuple(fixes))
            if later or fixes
            else None,
            reorganisation=Reorganisation(self._set.at_us, self._set.title, tuple(events))
            if events
            else None,
            alterations=told,
            counts=dict(counts),
            unknown_successors=tuple(self._closing),
            suggestions=suggestions_for(self._closing, told, self._stated, self._known),
            warnings=tuple(self._warnings),
        )

    def _refuse(self) -> None:
        if self._problems:
            found = sorted(self._problems)[:SHEET_PROBLEMS_MAX]
            raise SheetError("sheet.invalid", problems=tuple(found))

    def _refuse_too_early(self) -> None:
        """Refuse a list of a time before its units are known: they would stand twice later."""
        later = [
            unit
            for row in self._roster.fresh
            if row.valid_from is UNSET and row.valid_to is UNSET
            for code in codes_in(row)
            for unit in self._known.rest_by_code.get(code, ())
            if unit.valid_from > self._set.at_us
        ]
        if later and not self._problems:
            first = min(later, key=lambda unit: unit.valid_from)
            raise InputError(
                "import.too_early",
                path="at",
                count=len(later),
                unit=first.code,
                since=datetime_of(first.valid_from).date().isoformat(),
            )

    def _tell(self, what: str, unit: Unit, at_us: int | None = None, after: str = "") -> None:
        self._told.append(
            Alteration(
                what=what,
                code=unit.code,
                name=unit.name,
                number=max(unit.number, 0),
                after=after,
                at_us=at_us,
            )
        )

    def _in_scope(self, unit: Unit) -> bool:
        """Say whether the list could hold a unit."""
        if self._set.within is not None and unit.number not in self._set.within:
            return False
        return not self._listing.gso_layout or bears_gso(unit)

    def _renew(self) -> None:
        """Take apart the units whose code now stands for another unit."""
        matched = self._roster.matched
        gone: set[int] = set()
        if self._set.complete and self._listing.gso_layout and self._set.renewed is None:
            listed = {row.tier for row in self._listing.rows}
            gone = {unit.tier for unit in self._known.open.values() if self._in_scope(unit)}
            gone = {tier for tier in gone if tier not in listed}
        for number, row in list(matched.items()):
            unit = self._known.open[number]
            above = self._known.open.get(unit.parent or 0)
            by_rule = above is not None and above.tier in gone and self._in_scope(above)
            if by_rule or not (self._set.renewed or frozenset()).isdisjoint(codes_in(row)):
                del matched[number]
                self._roster.fresh.append(row)
                self._closing.append(unit)

    def _leaving(self) -> set[int]:
        """Return the open units that do not stay after the list."""
        leaving = {unit.number for unit in self._closing}
        return leaving | self._unlisted() if self._set.complete else leaving

    def _unlisted(self) -> set[int]:
        """Return the open units that the list could hold and does not."""
        return {
            number
            for number, unit in self._known.open.items()
            if number not in self._roster.matched and self._in_scope(unit)
        }

    # What appears

    def _appearing(self) -> tuple[list[Unit], list[Unit], list[Opening]]:
        """Return units imported with their dates, units known too late, and openings."""
        rows = self._stated.in_order(self._roster.fresh)
        if any(row.valid_from is not UNSET or row.valid_to is not UNSET for row in rows):
            return self._imported(rows), [], []
        later: list[Unit] = []
        openings: list[Opening] = []
        births: dict[int, int] = {}
        leaves = self._leaf_rule(rows)
        for row in rows:
            unit = fresh_unit(row, self._listing, self._set.at_us, self._problems)
            if unit is None:
                continue
            parent = self._stated.parent_of(row)
            since = self._since(row, parent, births, leaves)
            if since is None:
                openings.append(self._opening(unit, parent))
            else:
                births[-row.line] = since
                later.append(msgspec.structs.replace(unit, parent=_known(parent), valid_from=since))
                self._tell("known_later", unit, since)
        return [], self._numbered(rows, later, births), openings

    def _opening(self, unit: Unit, parent: int | None) -> Opening:
        above = None if parent is None else self._stated.units_after.get(parent)
        self._tell("opened", unit, self._set.at_us, after="" if above is None else label(above))
        if parent is not None and parent < 0:
            return Opening(unit, self._stated.code_of(parent))
        return Opening(msgspec.structs.replace(unit, parent=parent))

    def _since(
        self, row: Row, parent: int | None, births: Mapping[int, int], leaves: Collection[int]
    ) -> int | None:
        """Return since when an appearing unit was there, None when it opens at the instant."""
        codes = frozenset(codes_in(row))
        if codes & self._set.opened or not self._known.open:
            return None
        told = bool(codes & self._set.known_later) or self._set.since_us is not None
        if not told and row.line not in leaves:
            return None
        if parent is None:
            since = self._known.first_us
        elif parent < 0:
            if parent not in births:
                return None  # its parent only opens at the instant
            since = births[parent]
        else:
            since = self._known.open[parent].valid_from
        if self._set.since_us is not None:
            since = max(since, self._set.since_us)
        return since if since < self._set.at_us else None

    def _leaf_rule(self, rows: Iterable[Row]) -> set[int]:
        """Return the lines of units that have none below them where their like have some."""
        above = self._stated.parents_listed
        having: Counter[object] = Counter()
        total: Counter[object] = Counter()
        for row in self._listing.rows:
            total[row.tier] += 1
            having[row.tier] += row.line in above
        return {
            row.line
            for row in rows
            if row.gso and row.line not in above and having[row.tier] * 2 > total[row.tier]
            and (self._stated.parent_of(row) or 0) > 0
        }  # fmt: skip

    def _numbered(
        self, rows: Iterable[Row], later: list[Unit], births: Mapping[int, int]
    ) -> list[Unit]:
        """Give stable numbers to units known too late that hang below one another."""
        fresh = [row for row in rows if -row.line in births]
        if not any((self._stated.parent_of(row) or 0) < 0 for row in fresh):
            return later
        numbers = self._numbers(fresh)
        return [
            msgspec.structs.replace(
                unit, number=numbers[row.line], parent=self._number_of(row, numbers)
            )
            for row, unit in zip(fresh, later, strict=True)
        ]

    def _imported(self, rows: list[Row]) -> list[Unit]:
        """Return units with the dates of the list; those without begin at the instant."""
        numbers = self._numbers(rows)
        found = []
        for row in rows:
            unit = fresh_unit(row, self._listing, self._set.at_us, self._problems)
            if unit is not None:
                unit = msgspec.structs.replace(
                    unit,
                    number=numbers[row.line],
                    parent=self._number_of(row, numbers),
                    valid_to=None if row.valid_to is UNSET else row.valid_to,
                    successors=self._heirs(row, numbers),
                )
                found.append(unit)
                self._tell("imported", unit, unit.valid_from)
        self._check_lives(rows, found)
        return found

    def _check_lives(self, rows: Iterable[Row], imported: Iterable[Unit]) -> None:
        """Tell which units would be open while their parents are not.

        A list has one parent for a unit, its last: of one that has moved below a younger
        parent it can't tell the earlier life.
        """
        units = {unit.number: unit for unit in imported}
        lines = {row.number: row.line for row in rows if row.number is not None}
        for unit in units.values():
            parent = units.get(unit.parent or 0) or self._known.unit(unit.parent or 0)
            if parent is None or parent.valid_from <= unit.valid_from:
                continue
            line = lines.get(unit.number, 0)
            reason = f"{unit.code}, {parent.code}"
            self._problems.append(SheetProblem(line, "valid_from", "sheet.before_parent", reason))

    def _numbers(self, rows: Iterable[Row]) -> dict[int, int]:
        """Return a stable number for each line: the row's own, or the next free one."""
        given = max((row.number or 0 for row in rows), default=0)
        following = max(self._known.next_number, given + 1)
        numbers = {}
        for row in rows:
            numbers[row.line] = row.number or following
            following += row.number is None
        return numbers

    def _number_of(self, row: Row, numbers: Mapping[int, int]) -> int | None:
        parent = self._stated.parent_of(row)
        return numbers.get(-parent) if parent is not None and parent < 0 else parent

    def _heirs(self, row: Row, numbers: Mapping[int, int]) -> tuple[int, ...]:
        if row.successors is UNSET:
            return ()
        found = self._stated.heirs_of(row, row.successors, self._problems)
        return tuple(numbers.get(-heir, 0) if heir < 0 else heir for heir in found)

    # What changes

    def _changing(self) -> tuple[list[Changing], list[Fix]]:
        changings, fixes = [], []
        after = self._stated.units_after
        for number, row in sorted(self._roster.matched.items()):
            unit = self._known.open[number]
            changed = changed_unit(unit, row, self._stated.parent_of(row, unit))
            told = alterations_of(unit, changed, self._known.open, after)
            self._told += told
            if told:
                changings.append(_event(unit, changed, self._stated))
            if row.code_synthesised not in (UNSET, unit.code_synthesised):
                self._warnings.append(
                    SheetProblem(row.line, "code_synthesised", "sheet.fixed", "code_synthesised")
                )
            heirs = self._heirs(row, {}) if row.successors is not UNSET else unit.successors
            fix = fixes_of(unit, row, heirs)
            if fix is not None:
                fixes.append(fix)
                self._tell("corrected", unit)
        return changings, fixes

    # What is gone

    def _close_absent(self) -> None:
        """Close what a complete list could hold and does not; the deepest first."""
        renewed = {unit.number for unit in self._closing}
        closing = self._leaving()
        self._closing += [self._known.open[number] for number in closing - renewed]
        scope = sum(map(self._in_scope, self._known.open.values())) if self._set.complete else 0
        self._closing.sort(key=lambda unit: (-unit.tier, unit.number))
        if len(closing) * 2 > scope > 1:
            reason = f"{len(closing)} / {scope}"
            self._warnings.append(SheetProblem(0, "", "sheet.incomplete", reason))
        for unit in self._closing:
            left = [
                child
                for child in self._known.below.get(unit.number, ())
                if child not in closing and self._stays(child, unit.number)
            ]
            if left:
                reason = f"{len(left)}: {unit.name} ({unit.code})"
                self._warnings.append(SheetProblem(0, "", "sheet.below", reason))

    def _stays(self, child: int, parent: int) -> bool:
        """Say whether a unit still hangs below its parent after the list."""
        row = self._roster.matched.get(child)
        return row is None or self._stated.parent_of(row, self._known.open[child]) == parent

    def _doubt_reuse(self) -> None:
        """Warn of a code whose unit takes the very name of another that closes."""
        closed = {(unit.tier, unit.parent, unit.name) for unit in self._closing}
        for number, row in sorted(self._roster.matched.items()):
            unit = self._known.open[number]
            if row.name != unit.name and (unit.tier, unit.parent, row.name) in closed:
                reason = f"{unit.code}: {unit.name} → {row.name}"
                self._warnings.append(SheetProblem(row.line, "name", "sheet.reused", reason))


def _known(parent: int | None) -> int | None:
    return parent if parent is not None and parent > 0 else None


def _event(unit: Unit, changed: Unit, stated: Stated) -> Changing:
    """Return the event that makes of a unit what it is changed to."""
    fields: dict[str, object] = {
        name: getattr(changed, name)
        for name in ("name", "tier", "kind", "code", "aliases", "tags", "contact", "delivery")
        if getattr(changed, name) != getattr(unit, name)
    }
    if changed.parent != unit.parent:
        parent = changed.parent
        fields["parent"] = stated.code_of(parent) if parent is not None and parent < 0 else parent
    return Changing(unit.number, **fields)  # type: ignore[arg-type]
