"""How units stand according to a list: parents found, what is unsaid kept."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Iterable, Iterator

import msgspec
from msgspec import UNSET

from router.directory.cells import NUMBER_MAX
from router.directory.listing import Listing, Row
from router.directory.matching import UNTIL_EVER, Known, Roster, codes_in, life_of
from router.errors import SheetProblem
from router.model.reorganisations import Fix
from router.model.units import Contact, DeliverySettings, Unit

PEOPLES_COMMITTEE = "people-committee"
"""The kind of the units in a list of the statistics office, which names none."""

TERRITORIES = frozenset({
    "tỉnh", "thành phố", "thành phố trực thuộc trung ương", "huyện", "quận", "thị xã",
    "thành phố thuộc tỉnh", "thành phố thuộc thành phố trực thuộc trung ương",
    "xã", "phường", "thị trấn", "đặc khu",
})  # fmt: skip
"""Classes of territory (Law on the organisation of local government): of these tags a unit
has one, and a list that names the class replaces it."""


class Stated:
    """The parents of rows: a stable number, minus the line of a fresh row, or None (a root).

    What can't be found is added to the problems of the roster, what is doubtful to its
    warnings.  `leaving` are open units that the list closes: no row hangs below them.
    """

    def __init__(self, known: Known, roster: Roster, leaving: Collection[int] = ()) -> None:
        self.problems = roster.problems
        self._warnings = roster.warnings
        self._leaving = leaving
        self.parents_listed: set[int] = set()
        self._known = known
        self._rows: dict[int, Row] = {row.line: row for row in roster.fresh}
        self._parents: dict[int, int | None] = {}
        self._by_number: dict[int, int] = {
            row.number: -row.line for row in roster.fresh if row.number is not None
        }
        self._by_code: dict[str, list[tuple[int, int, int]]] = {}
        self._lines: dict[int, int] = {number: row.line for number, row in roster.matched.items()}
        for number, row in roster.matched.items():
            self._name_codes(row, number)
        for row in roster.fresh:
            self._name_codes(row, -row.line)
        self.units_after: dict[int, Unit] = dict(known.open)
        for number, row in roster.matched.items():
            if row.name is not UNSET:
                unit = known.open[number]
                self.units_after[number] = msgspec.structs.replace(unit, name=row.name)
        for row in roster.fresh:
            name = row.label if row.name is UNSET else row.name
            self.units_after[-row.line] = Unit(
                -row.line, row.code or row.gso, name, 0 if row.tier is UNSET else row.tier, ""
            )
        for number, row in roster.matched.items():
            self._settle(row, number)
        for row in roster.fresh:
            self._settle(row, -row.line)

    def parent_of(self, row: Row, unit: Unit | None = None) -> int | None:
        """Return the parent of a row; where the row says nothing, that of its unit."""
        return self._parents.get(row.line, None if unit is None else unit.parent)

    def code_of(self, parent: int) -> str:
        """Return the code of a fresh row that is a parent."""
        row = self._rows[-parent]
        return row.code or row.gso

    def fresh_units(self) -> Iterator[tuple[Unit, int | None]]:
        """Yield the fresh rows as units (numbered by minus their line), each with its parent."""
        for line in self._rows:
            yield self.units_after[-line], self._parents.get(line)

    def heirs_of(
        self, row: Row, heirs: Iterable[str], problems: list[SheetProblem]
    ) -> tuple[int, ...]:
        """Return the successors a row names, as parents are returned."""
        found = []
        for heir in heirs:
            number = self._numbered(int(heir)) if _is_number(heir) else None
            meant = number or self._coded(heir, UNTIL_EVER - 1)
            if meant is None:
                problems.append(SheetProblem(row.line, "successors", "sheet.successor", heir))
            else:
                found.append(meant)
        return tuple(found)

    def in_order(self, rows: Iterable[Row]) -> list[Row]:
        """Return fresh rows, parents first, else by tier and code.

        Rows that hang below themselves are told as problems and left out.
        """
        waiting: dict[int, list[Row]] = {}
        ready: list[Row] = []
        left = 0
        for row in sorted(rows, key=_rank):
            parent = self._parents.get(row.line)
            if parent is not None and parent < 0:
                waiting.setdefault(parent, []).append(row)
                left += 1
            else:
                ready.append(row)
        for row in ready:  # grows while it is walked
            below = waiting.pop(-row.line, [])
            ready += below
        for rest in waiting.values():
            for row in rest:
                self.problems.append(
                    SheetProblem(row.line, "parent", "sheet.parent", f"{row.label}: cycle")
                )
        return ready

    def _name_codes(self, row: Row, meant: int) -> None:
        for code in codes_in(row):
            self._by_code.setdefault(code, []).append((*life_of(row), meant))

    def _coded(self, code: str, at_us: int) -> int | None:
        """Return the bearer of a code: in the list (alive then, else the last), else open."""
        bearers = self._by_code.get(code)
        if bearers:
            alive = [meant for since, until, meant in bearers if since <= at_us < until]
            return alive[0] if alive else max(bearers)[2]
        return self._known.by_code.get(code)

    def _numbered(self, number: int) -> int | None:
        if number in self._by_number:
            return self._by_number[number]
        return number if self._known.unit(number) is not None else None

    def _settle(self, row: Row, own: int) -> None:
        """Find the parent a row names, by number, by code, or by both in agreement."""
        said: int | None = None
        since, until = life_of(row)
        if row.parent_number is not UNSET:
            said = self._numbered(row.parent_number)
            if said is None:
                self._bad(row, "parent_number", str(row.parent_number))
                return
        if isinstance(row.parent, str):
            coded = self._parent_meant(row, since if row.valid_to is not UNSET else until - 1)
            if coded == 0:
                return
            if coded is None:
                self._bad(row, "parent", row.parent)
                return
            if said is not None and coded != said and not self._bore(said, row.parent):
                self._bad(row, "parent", f"{row.parent} ≠ {row.parent_number}")
                return
            said = said or coded
        elif row.parent is UNSET and said is None:
            return
        if said == own:
            self._bad(row, "parent", f"{row.label}: cycle")
            return
        self._parents[row.line] = said
        if said is not None:
            line = -said if said < 0 else self._lines.get(said)
            if line is not None:
                self.parents_listed.add(line)

    def _parent_meant(self, row: Row, at_us: int) -> int | None:
        """Return the bearer of a parent's code, None when there is none, 0 when several may be.

        Where zeros may be lost from it, only one of the codes it may mean can be borne.
        """
        assert isinstance(row.parent, str)
        if not row.parent_else:
            return self._coded(row.parent, at_us)
        found = {}
        for code in (row.parent, *row.parent_else):
            meant = self._coded(code, at_us)
            if meant is not None and meant not in self._leaving:
                found[meant] = code
        if not found:
            return self._coded(row.parent, at_us)
        if len(found) > 1:
            named = " / ".join(
                f"{code} {self.units_after[one].name}" for one, code in found.items()
            )
            self.problems.append(
                SheetProblem(row.line, "parent_gso_code", "sheet.parent_zeros", named)
            )
            return 0
        ((meant, code),) = found.items()
        if code != row.parent:
            self._warnings.append(
                SheetProblem(row.line, "parent_gso_code", "sheet.zeros_restored", code)
            )
        return meant

    def _bore(self, number: int, code: str) -> bool:
        """Say whether a unit that is not open any more, or one of the list, bears the code."""
        unit = self._known.rest.get(number)
        if unit is not None:
            return code in (unit.code, *unit.aliases)
        return any(meant == number for _, _, meant in self._by_code.get(code, ()))

    def _bad(self, row: Row, column: str, reason: str) -> None:
        self.problems.append(SheetProblem(row.line, column, "sheet.parent", reason))


def _rank(row: Row) -> tuple[int, str, int]:
    return (0 if row.tier is UNSET else row.tier, row.code or row.gso, row.number or 0)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 10 and 0 < int(text) <= NUMBER_MAX


def fresh_unit(row: Row, listing: Listing, at_us: int, problems: list[SheetProblem]) -> Unit | None:
    """Return the unit a fresh row makes, its parent aside; tell what it lacks."""
    kind = PEOPLES_COMMITTEE if listing.gso_layout and row.kind is UNSET else row.kind
    code = row.code or row.gso
    needed = {"code": code, "name": row.name, "tier": row.tier, "kind": kind}
    lacking = [column for column, value in needed.items() if value is UNSET or not value]
    if lacking:
        problems += [SheetProblem(row.line, name, "sheet.required", name) for name in lacking]
        return None
    assert isinstance(row.name, str)
    assert isinstance(row.tier, int)
    assert isinstance(kind, str)
    tags = () if row.tags is UNSET else row.tags
    return Unit(
        number=row.number or 0,
        code=code,
        name=row.name,
        tier=row.tier,
        kind=kind,
        aliases=_aliases(row, code),
        tags=tuple(dict.fromkeys((row.territory, *tags))) if row.territory else tags,
        valid_from=at_us if row.valid_from is UNSET else row.valid_from,
        code_synthesised=row.code_synthesised is True,
        contact=_contact(None, row),
        delivery=_delivery(None, row),
    )


def changed_unit(unit: Unit, row: Row, parent: int | None) -> Unit:
    """Return a unit as the list says it stands; what the list doesn't say stays."""
    fields: dict[str, object] = {"parent": parent}
    if row.name is not UNSET and as_listed(unit.name) != row.name:
        fields["name"] = row.name
    if row.tier is not UNSET:
        fields["tier"] = row.tier
    if row.kind is not UNSET:
        fields["kind"] = row.kind
    code, aliases = _codes(unit, row)
    fields["code"] = code
    if set(aliases) != set(unit.aliases):
        fields["aliases"] = aliases
    tags = _tags(unit, row)
    if set(tags) != set(map(as_listed, unit.tags)):
        fields["tags"] = tags
    contact, delivery = _contact(unit.contact, row), _delivery(unit.delivery, row)
    if (contact or Contact()) != _plain(unit.contact):
        fields["contact"] = contact
    if (delivery or DeliverySettings()) != (unit.delivery or DeliverySettings()):
        fields["delivery"] = delivery
    return msgspec.structs.replace(unit, **fields)


def fixes_of(unit: Unit, row: Row, heirs: tuple[int, ...]) -> Fix | None:
    """Return the correction of a unit's life, None when the list tells no other."""
    fields: dict[str, object] = {}
    if row.valid_from not in (UNSET, unit.valid_from):
        fields["opened_at"] = row.valid_from
    if row.valid_to not in (UNSET, unit.valid_to):
        fields["closed_at"] = row.valid_to
    if heirs != unit.successors:
        fields["successors"] = heirs
    return Fix(unit.number, **fields) if fields else None  # type: ignore[arg-type]


def as_listed(text: str) -> str:
    """Return text as a list can carry it: NFC, one blank between words."""
    return " ".join(unicodedata.normalize("NFC", text).split())


def _aliases(row: Row, code: str) -> tuple[str, ...]:
    return tuple(other for other in dict.fromkeys(codes_in(row)) if other != code)


def _codes(unit: Unit, row: Row) -> tuple[str, tuple[str, ...]]:
    """Return the code and the aliases of a unit after a row.

    A row may name its unit by an alias: that makes the alias no code.
    """
    borne = (unit.code, *unit.aliases)
    code = row.code if row.code and row.code not in borne else unit.code
    if row.number is not None and row.code:
        code = row.code
    if row.aliases is not UNSET:
        return code, tuple(other for other in dict.fromkeys(codes_in(row)) if other != code)
    aliases = [other for other in unit.aliases if other != code]
    if row.gso and row.gso not in (code, *aliases):
        aliases = [other for other in aliases if not other.startswith("GSO:")] + [row.gso]
    return code, tuple(aliases)


def _tags(unit: Unit, row: Row) -> tuple[str, ...]:
    """Return the tags after a row; the class of the territory takes the place of the old one."""
    tags = tuple(map(as_listed, unit.tags)) if row.tags is UNSET else row.tags
    if not row.territory or row.territory in tags:
        return tags
    kept = [tag for tag in tags if tag not in TERRITORIES]
    place = next((at for at, tag in enumerate(tags) if tag in TERRITORIES), 0)
    return (*kept[:place], row.territory, *kept[place:])


def _plain(contact: Contact | None) -> Contact:
    """Return a contact with the blanks a list can carry."""
    if contact is None:
        return Contact()
    return Contact(
        **{name: as_listed(getattr(contact, name)) for name in contact.__struct_fields__}
    )


def _contact(before: Contact | None, row: Row) -> Contact | None:
    if row.contact is UNSET:
        return before
    after = msgspec.structs.replace(_plain(before), **row.contact)
    return after if after != Contact() else None


def _delivery(before: DeliverySettings | None, row: Row) -> DeliverySettings | None:
    if row.delivery is UNSET:
        return before
    after = msgspec.structs.replace(before or DeliverySettings(), **row.delivery)
    return after if after != DeliverySettings() else None
