"""The reform of 1 July 2025 as data: the directory of 30 June and the reorganisation.

What goes on and what is new follows the acts: eleven provinces were not touched and go on;
every other province, every district and every commune ends, and what bears the name or the
code afterwards is a new unit with predecessors.  Where no list says what became of a unit,
one rule is applied and named in the docstring of the function that applies it.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Final

from router.model.reorganisations import (
    Changing,
    Closing,
    Event,
    Merging,
    Opening,
    Reorganisation,
    Splitting,
)
from router.model.units import Unit
from vanban_bench.workloads.national import NATIONAL_SIZE, fill
from vanban_bench.workloads.reform_data import (
    REFORM_AT,
    below,
    e_ids_after,
    e_ids_before,
    province_successions,
    successions,
    territories_after,
    territories_before,
)
from vanban_bench.workloads.sample_directory import (
    COMMUNE,
    COMMUNE_GROUP_FIRST,
    DISTRICT,
    DISTRICT_GROUP_FIRST,
    OPEN_SINCE,
    PROVINCE,
    Territory,
    UnitMaker,
    form_2016,
    place_of,
)

TITLE: Final = (
    "Nghị quyết 202/2025/QH15 về việc sắp xếp đơn vị hành chính cấp tỉnh và các nghị quyết "
    "của Ủy ban Thường vụ Quốc hội về sắp xếp đơn vị hành chính cấp xã năm 2025"
)
COMMITTEE: Final = "people-committee"
COMMUNE_GROUP_FIRST_2025: Final = 101
"""Communes lie right below the province now, up to 168 of them: more than two digits hold
beside departments and former districts, so their group has three."""

COMMUNE_OFFICES: Final = (
    ("Văn phòng HĐND và UBND", "VP"),
    ("Phòng Kinh tế", "PKT"),
    ("Phòng Văn hóa - Xã hội", "PVHXH"),
)
"""The specialised offices of a commune (NĐ 150/2025/NĐ-CP); see `_office_name`."""


class TreeMaker(UnitMaker):
    """Makes units from a number on, open since an instant, with GSO codes as aliases."""

    def __init__(self, first: int = 1, since: int = OPEN_SINCE) -> None:
        super().__init__()
        self.first = first
        self.since = since

    def make(
        self,
        code: str,
        name: str,
        tier: int,
        *,
        kind: str,
        parent: Unit | None,
        tags: tuple[str, ...] = (),
        aliases: tuple[str, ...] | None = None,
    ) -> Unit:
        """Add one unit; without `aliases` it has the 13-character form of its code."""
        unit = Unit(
            number=self.first + len(self.units),
            code=code,
            name=name,
            tier=tier,
            kind=kind,
            parent=None if parent is None else parent.number,
            aliases=(form_2016(code),) if aliases is None else aliases,
            tags=tags,
            valid_from=self.since,
            code_synthesised="." in code,
        )
        self.units.append(unit)
        return unit

    def committee(
        self, territory: Territory, code: str, parent: Unit, *, old_form: str | None = None
    ) -> Unit:
        """Add the people's committee of a territory; its class is the tag."""
        name = territory.name
        return self.make(
            code,
            f"UBND {name[0].lower()}{name[1:]}",
            territory.tier,
            kind=COMMITTEE,
            parent=parent,
            tags=(territory.territory_class,),
            aliases=(old_form or form_2016(code), f"GSO:{territory.gso_code}"),
        )

    def tree_of_30_june(self) -> None:
        """Add the centre, the ministries, and the committees of all territories by province."""
        root = self.centre()
        inside = below(territories_before())
        codes = e_ids_before()
        provinces = {
            each.gso_code: self.committee(each, codes[each.gso_code], root) for each in inside[""]
        }
        for gso_code, province in provinces.items():
            for group, each in enumerate(inside[gso_code], DISTRICT_GROUP_FIRST):
                district = self.committee(each, f"{province.code}.{group:02}", province)
                communes = inside.get(each.gso_code, ())
                for small, commune in enumerate(communes, COMMUNE_GROUP_FIRST):
                    self.committee(commune, f"{district.code}.{small:02}", district)


def units_before() -> list[Unit]:
    """Return the centre, the ministries and every people's committee of 30 June 2025.

    Stable numbers ascend from 1 and parents stand before children.  Codes below level 1 are
    made by rule (no list is public): districts from group 31, communes from group 20.
    """
    maker = TreeMaker()
    maker.tree_of_30_june()
    return maker.units


def national_before(seed: int, size: int = NATIONAL_SIZE) -> list[Unit]:
    """Return `size` units of 30 June 2025: the tree, departments, offices and institutions.

    Made as `national_directory` is, on the later tree; the same for the same seed and size.
    A size below the tree cuts it off.  Raises ValueError for a size below 1 or above what
    the codes have room for.
    """
    if size < 1:
        raise ValueError("a directory has at least one unit")
    maker = TreeMaker()
    maker.tree_of_30_june()
    committees: dict[int, list[Unit]] = {PROVINCE: [], DISTRICT: [], COMMUNE: []}
    for unit in maker.units:
        if unit.kind == COMMITTEE:
            committees[unit.tier].append(unit)
    for province in committees[PROVINCE]:
        maker.departments(province)
    for district in committees[DISTRICT]:
        maker.offices(district)
    if len(maker.units) < size:
        fill(maker, committees[COMMUNE], Random(seed), size)
    if len(maker.units) < size:
        raise ValueError(f"there is room for {len(maker.units)} units, not for {size}")
    return maker.units[:size]


def reorganisation(before: Sequence[Unit], *, offices: bool = False) -> Reorganisation:
    """Return the reform of 1 July 2025 for a directory made by this module.

    New units have the numbers after the highest of `before`, so that events refer by
    number.  Of a part of the country only what it has predecessors for is opened.

    - The 23 provinces of several are new and succeed them all; 11 go on.
    - Communes: new, with the predecessors of the data; of a split the default comes first.
    - Districts: no data says where their functions went (partly to communes, partly to the
      province), so the province's committee succeeds them and their offices; an island
      district without communes is succeeded by its commune (đặc khu), as the data says.
    - Departments of merged provinces merge into the department of the same name.
    - What else hung below a unit that ends (schools, clinics, sub-departments) goes on
      below its default successor, with its number and its codes.

    With `offices` each new commune gets its three offices.
    """
    return _Reform(before).reorganisation(offices=offices)


def national_reorganisation(before: Sequence[Unit]) -> Reorganisation:
    """Return the reform for a directory of `national_before`, with the offices of communes."""
    return reorganisation(before, offices=True)


def _office_name(name: str, commune: Unit) -> str:
    """Wards and special zones have an office for infrastructure too (NĐ 150/2025/NĐ-CP)."""
    urban = name == "Phòng Kinh tế" and "xã" not in commune.tags
    return f"{name}{', Hạ tầng và Đô thị' if urban else ''} {place_of(commune)}"


class _Reform:
    """Builds the events: what opens, what moves, what ends, from the top down and up again."""

    def __init__(self, before: Sequence[Unit]) -> None:
        self.open = [unit for unit in before if unit.open_at(REFORM_AT - 1)]
        self.unit_of = {unit.number: unit for unit in self.open}
        self.children: dict[int, list[Unit]] = {}
        self.committee_of: dict[str, Unit] = {}
        for unit in self.open:
            if unit.parent is not None:
                self.children.setdefault(unit.parent, []).append(unit)
            if unit.kind == COMMITTEE:
                gso_code = next(code for code in unit.aliases if code.startswith("GSO:"))
                self.committee_of[gso_code.removeprefix("GSO:")] = unit
        self.maker = TreeMaker(max((unit.number for unit in before), default=0) + 1, REFORM_AT)
        self.successors: dict[int, tuple[int, ...]] = {}
        """Of every unit that ends, by number, the default first."""
        self.merged: list[tuple[Unit, list[Unit]]] = []
        """New provinces with their predecessors."""
        self.ending: list[Merging | Splitting | Closing] = []

    def reorganisation(self, *, offices: bool) -> Reorganisation:
        provinces = self.provinces()
        self.departments()
        communes = self.communes(provinces)
        self.districts(provinces)
        if offices:
            self.offices(communes)
        moving: list[Event] = [
            Changing(unit.number, parent=self.successors[unit.parent][0])
            for unit in self.open
            if unit.parent in self.successors and unit.number not in self.successors
        ]
        opening: list[Event] = [Opening(unit) for unit in self.maker.units]
        ending = sorted(self.ending, key=self.depth, reverse=True)  # what is below ends first
        return Reorganisation(REFORM_AT, TITLE, (*opening, *moving, *ending))

    def depth(self, event: Merging | Splitting | Closing) -> int:
        """Return how deep the (first) unit that ends lay."""
        number = event.units[0] if isinstance(event, Merging) else event.unit
        assert isinstance(number, int), "this module refers by number"
        parent = self.unit_of[number].parent
        depth = 0
        while parent is not None:
            depth += 1
            parent = self.unit_of[parent].parent
        return depth

    def end(self, units: Sequence[Unit], into: tuple[Unit, ...]) -> None:
        """End units that have the same successors, the default first."""
        numbers = tuple(unit.number for unit in into)
        self.successors.update((unit.number, numbers) for unit in units)
        if len(into) > 1:
            self.ending += [Splitting(unit.number, numbers) for unit in units]
        elif len(units) > 1:
            self.ending.append(Merging(tuple(unit.number for unit in units), numbers[0]))
        else:
            self.ending += [Closing(unit.number, numbers) for unit in units]

    def provinces(self) -> dict[str, Unit]:
        """Open the merged provinces; return those of 1 July by GSO code."""
        merged: dict[str, list[Unit]] = {}
        for old, into in province_successions().items():
            if old in self.committee_of:
                merged.setdefault(into, []).append(self.committee_of[old])
        codes = e_ids_after()
        found: dict[str, Unit] = {}
        alone = set(_alone())
        for territory in below(territories_after())[""]:
            units = merged.get(territory.gso_code, [])
            if not units:
                continue
            if territory.gso_code in alone:
                found[territory.gso_code] = units[0]
                continue
            assert units[0].parent is not None, "a province lies below the centre"
            root = self.unit_of[units[0].parent]
            new = self.maker.committee(territory, codes[territory.gso_code], root)
            found[territory.gso_code] = new
            self.merged.append((new, units))
            self.end(units, (new,))
        return found

    def departments(self) -> None:
        """Merge the departments of merged provinces by their names.

        The new one bears the group that the name had in the province whose code survives.
        """
        for province, merged in self.merged:
            same: dict[str, list[Unit]] = {}
            for old in merged:
                for unit in self.children.get(old.number, ()):
                    if unit.kind == "department":
                        bare = unit.name.removesuffix(f" {place_of(old)}")
                        same.setdefault(bare, []).append(unit)
            for bare, units in same.items():
                kept = [unit for unit in units if unit.code.startswith(f"{province.code}.")]
                group = (kept or units)[0].code.rpartition(".")[2]
                new = self.maker.make(
                    f"{province.code}.{group}",
                    f"{bare} {place_of(province)}",
                    PROVINCE,
                    kind="department",
                    parent=province,
                    tags=units[0].tags,
                )
                self.end(units, (new,))

    def communes(self, provinces: dict[str, Unit]) -> list[Unit]:
        """Open the new communes and end the old ones; return the new."""
        into = [
            (self.committee_of[old], codes)
            for old, codes in successions().items()
            if old in self.committee_of
        ]
        wanted = {code for _, codes in into for code in codes}
        found: dict[str, Unit] = {}
        inside = below(territories_after())
        for gso_code, province in provinces.items():
            for group, territory in enumerate(inside[gso_code], COMMUNE_GROUP_FIRST_2025):
                if territory.gso_code in wanted:
                    # The old form has two digits at level 2 and three at level 4, and
                    # levels may be skipped: there the group has room.
                    found[territory.gso_code] = self.maker.committee(
                        territory,
                        f"{province.code}.{group}",
                        province,
                        old_form=f"{group}.00.00.{province.code}",
                    )
        whole: dict[str, list[Unit]] = {}
        for unit, codes in into:
            if len(codes) == 1:
                whole.setdefault(codes[0], []).append(unit)
            else:
                self.end([unit], tuple(found[code] for code in codes))
        for code, units in whole.items():
            self.end(units, (found[code],))
        return list(found.values())

    def districts(self, provinces: dict[str, Unit]) -> None:
        """End the districts and their offices."""
        now = province_successions()
        for territory in territories_before():
            district = self.committee_of.get(territory.gso_code)
            if territory.tier != DISTRICT or district is None:
                continue
            province = provinces[now[territory.parent_gso_code]]
            if district.number not in self.successors:
                self.end([district], (province,))
            numbers = self.successors[district.number]
            for unit in self.children.get(district.number, ()):
                if unit.kind == "office":
                    self.successors[unit.number] = numbers
                    self.ending.append(Closing(unit.number, numbers))

    def offices(self, communes: list[Unit]) -> None:
        """Open the offices of the new communes; the old form of codes has no room for them."""
        for commune in communes:
            for group, (name, short) in enumerate(COMMUNE_OFFICES, 1):
                self.maker.make(
                    f"{commune.code}.{group:02}",
                    _office_name(name, commune),
                    COMMUNE,
                    kind="office",
                    parent=commune,
                    tags=(f"abbreviation:{short}",),
                    aliases=(),
                )


def _alone() -> list[str]:
    """Return the GSO codes of the provinces that were not merged with another."""
    into = list(province_successions().values())
    return [code for code in into if into.count(code) == 1]
