"""The data of the reform of 1 July 2025 are whole, and the workload makes a sound change of them.

Two national code systems followed two rules of merging: the electronic identifier stayed
with the name, the GSO code with the seat.  Who joins on a bare code without a date takes
Lào Cai for Yên Bái; so both are checked for all 34 provinces.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cache
from typing import NamedTuple

import pytest

from router.limits import UNIT_NAME_CHARS_MAX
from router.model.reorganisations import (
    Changing,
    Closing,
    Merging,
    Opening,
    Reorganisation,
    Splitting,
)
from router.model.units import Unit, code_form, propose_2020
from vanban_bench.workloads.extract_reform import row, tidy
from vanban_bench.workloads.reform_2025 import (
    national_before,
    national_reorganisation,
    reorganisation,
    units_before,
)
from vanban_bench.workloads.reform_data import (
    REFORM_AT,
    e_ids_after,
    e_ids_before,
    province_successions,
    successions,
    territories_after,
    territories_before,
)


class Province(NamedTuple):
    """One row of the list of provinces of 1 July 2025."""

    gso_code: str
    name: str
    communes: int
    e_id: str
    closed: str


# QĐ 19/2025/QĐ-TTg (GSO codes) and QĐ 09/2025/QĐ-TTg (the rule for the others), written down
# apart from the data files; the last column is the level-1 codes that were closed.
PROVINCES = [
    Province(*row)
    for row in (
        ("01", "Hà Nội", 126, "H26", ""),
        ("04", "Cao Bằng", 56, "H14", ""),
        ("08", "Tuyên Quang", 124, "H60", "H22"),
        ("11", "Điện Biên", 45, "H18", ""),
        ("12", "Lai Châu", 38, "H35", ""),
        ("14", "Sơn La", 75, "H52", ""),
        ("15", "Lào Cai", 99, "H38", "H63"),
        ("19", "Thái Nguyên", 92, "H55", "H03"),
        ("20", "Lạng Sơn", 65, "H37", ""),
        ("22", "Quảng Ninh", 54, "H49", ""),
        ("24", "Bắc Ninh", 99, "H05", "H02"),
        ("25", "Phú Thọ", 148, "H44", "H28 H62"),
        ("31", "Hải Phòng", 114, "H24", "H23"),
        ("33", "Hưng Yên", 104, "H31", "H54"),
        ("37", "Ninh Bình", 129, "H42", "H25 H40"),
        ("38", "Thanh Hóa", 166, "H56", ""),
        ("40", "Nghệ An", 130, "H41", ""),
        ("42", "Hà Tĩnh", 69, "H27", ""),
        ("44", "Quảng Trị", 78, "H50", "H46"),
        ("46", "Huế", 40, "H57", ""),
        ("48", "Đà Nẵng", 94, "H17", "H47"),
        ("51", "Quảng Ngãi", 96, "H48", "H34"),
        ("52", "Gia Lai", 135, "H21", "H08"),
        ("56", "Khánh Hòa", 65, "H32", "H43"),
        ("66", "Đắk Lắk", 102, "H15", "H45"),
        ("68", "Lâm Đồng", 124, "H36", "H11 H16"),
        ("75", "Đồng Nai", 95, "H19", "H10"),
        ("79", "Hồ Chí Minh", 168, "H29", "H06 H09"),
        ("80", "Tây Ninh", 96, "H53", "H39"),
        ("82", "Đồng Tháp", 102, "H20", "H58"),
        ("86", "Vĩnh Long", 124, "H61", "H07 H59"),
        ("91", "An Giang", 102, "H01", "H33"),
        ("92", "Cần Thơ", 103, "H13", "H30 H51"),
        ("96", "Cà Mau", 64, "H12", "H04"),
    )
]


def bare(name: str) -> str:
    return name.removeprefix("Tỉnh ").removeprefix("Thành phố ")


def test_the_trees_count_as_the_country_did_on_both_days() -> None:
    assert Counter(each.tier for each in territories_before()) == {2: 63, 3: 696, 4: 10_035}
    assert Counter(each.tier for each in territories_after()) == {2: 34, 4: 3_321}
    classes = Counter(each.territory_class for each in territories_after() if each.tier == 4)
    assert classes == {"xã": 2_621, "phường": 687, "đặc khu": 13}
    for tree in (territories_before(), territories_after()):
        known = {each.gso_code: each.tier for each in tree}
        assert len(known) == len(tree), "no code twice on one day"
        for each in tree:
            assert each.tier == 2 or known[each.parent_gso_code] < each.tier
            assert unicodedata.is_normalized("NFC", each.name)
            word = each.territory_class.removesuffix(" trực thuộc trung ương").split(" thuộc ")[0]
            assert each.name.lower().startswith(f"{word} "), each


def test_every_old_unit_has_a_successor_and_every_new_one_a_predecessor() -> None:
    into = successions()
    communes = {each.gso_code for each in territories_before() if each.tier == 4}
    islands = {each for each in into if len(each) == 3}
    inside = {each.parent_gso_code for each in territories_before()}
    assert islands == {
        each.gso_code
        for each in territories_before()
        if each.tier == 3 and each.gso_code not in inside
    }
    assert len(islands) == 5
    assert set(into) == communes | islands
    assert Counter(len(codes) for codes in into.values()) == {
        1: 9_569, 2: 397, 3: 58, 4: 15, 5: 1,
    }  # fmt: skip
    new = {each.gso_code for each in territories_after() if each.tier == 4}
    predecessors = Counter(code for codes in into.values() for code in set(codes))
    assert set(predecessors) == new
    assert max(predecessors.values()) == 15
    whole = Counter(codes[0] for codes in into.values() if len(codes) == 1)
    assert max(whole.values()) == 12
    assert len(new & communes) == 3_316


def test_every_commune_stays_in_the_province_that_its_province_became() -> None:
    old = {each.gso_code: each for each in territories_before()}
    new = {each.gso_code: each for each in territories_after()}
    now = province_successions()
    for code, codes in successions().items():
        place = old[code]
        while place.parent_gso_code:
            place = old[place.parent_gso_code]
        assert {new[each].parent_gso_code for each in codes} == {now[place.gso_code]}


def test_the_ground_of_ha_giang_is_in_73_communes_of_tuyen_quang() -> None:
    old = {each.gso_code: each for each in territories_before()}
    new = {each.gso_code: each for each in territories_after()}
    communes = [
        code
        for code, each in old.items()
        if each.tier == 4 and old[each.parent_gso_code].parent_gso_code == "02"
    ]
    assert len({old[code].parent_gso_code for code in communes}) == 11
    into = [successions()[code] for code in communes]
    assert Counter(len(codes) > 1 for codes in into) == {False: 190, True: 3}
    places = {code for codes in into for code in codes}
    assert len(places) == 73
    assert {new[code].parent_gso_code for code in places} == {"08"}


def test_the_provinces_bear_the_codes_of_the_two_rules() -> None:
    names = {each.gso_code: each.name for each in territories_after() if each.tier == 2}
    communes = Counter(each.parent_gso_code for each in territories_after())
    before = e_ids_before()
    old_names = {each.gso_code: each.name for each in territories_before() if each.tier == 2}
    into = province_successions()
    assert e_ids_after() == {each.gso_code: each.e_id for each in PROVINCES}
    for each in PROVINCES:
        assert bare(names[each.gso_code]) == each.name
        assert communes[each.gso_code] == each.communes
        merged = {old for old, new in into.items() if new == each.gso_code}
        # The seat: the GSO code was a predecessor's.  The name: so was the level-1 code.
        assert each.gso_code in merged
        (kept,) = (old for old in merged if bare(old_names[old]) == each.name)
        assert before[kept] == each.e_id
        assert {before[old] for old in merged} - {each.e_id} == set(each.closed.split())
    assert sum(len(each.closed.split()) for each in PROVINCES) == 29


def bearer(units: Sequence[Unit], code: str) -> str:
    (name,) = (unit.name for unit in units if code in (unit.code, *unit.aliases))
    return name


@cache
def before() -> list[Unit]:
    return units_before()


@cache
def opened() -> list[Unit]:
    events = reorganisation(before()).events
    return [event.unit for event in events if isinstance(event, Opening)]


@pytest.mark.parametrize(
    ("gso_code", "e_id", "name", "bore_gso_code"),
    [
        ("15", "H38", "Lào Cai", "Yên Bái"),
        ("52", "H21", "Gia Lai", "Bình Định"),
        ("24", "H05", "Bắc Ninh", "Bắc Giang"),
        ("44", "H50", "Quảng Trị", "Quảng Bình"),
        ("80", "H53", "Tây Ninh", "Long An"),
        ("82", "H20", "Đồng Tháp", "Tiền Giang"),
        ("91", "H01", "An Giang", "Kiên Giang"),
    ],
)
def test_a_gso_code_means_another_province_after_the_reform_where_the_other_code_does_not(
    gso_code: str, e_id: str, name: str, bore_gso_code: str
) -> None:
    assert bearer(before(), f"GSO:{gso_code}") == f"UBND tỉnh {bore_gso_code}"
    assert bearer(opened(), f"GSO:{gso_code}") == f"UBND tỉnh {name}"
    assert bearer(before(), e_id) == bearer(opened(), e_id) == f"UBND tỉnh {name}"


def test_the_eve_holds_a_committee_for_every_territory() -> None:
    units = before()
    assert [unit.number for unit in units] == list(range(1, len(units) + 1))
    committees = Counter(unit.tier for unit in units if unit.kind == "people-committee")
    assert committees == {2: 63, 3: 696, 4: 10_035}
    classes = Counter(unit.tags for unit in units if unit.tier == 4)
    assert classes == {("xã",): 7_692, ("phường",): 1_726, ("thị trấn",): 617}
    for unit in units:
        assert [code_form(code) for code in unit.aliases] == ["2016", "gso"][: len(unit.aliases)]
        assert propose_2020(unit.aliases[0]) == unit.code
        assert code_form(unit.code) == "2020"


class State(NamedTuple):
    """Units by number after a reorganisation, and the successors of those that ended."""

    units: dict[int, Unit]
    parents: dict[int, int | None]
    ended: dict[int, tuple[int, ...]]

    def open(self) -> Iterator[Unit]:
        return (unit for number, unit in self.units.items() if number not in self.ended)


def carried_out(units: Sequence[Unit], reform: Reorganisation) -> State:
    """Carry a reorganisation out, event by event, refusing what cannot be."""
    state = State(
        {unit.number: unit for unit in units}, {unit.number: unit.parent for unit in units}, {}
    )
    below = Counter(unit.parent for unit in units)
    last = len(units)

    def end(number: int | str, into: tuple[int | str, ...]) -> None:
        assert isinstance(number, int)
        assert number not in state.ended, "a unit ends once"
        assert below[number] == 0, "what is below moved or ended before"
        below[state.parents[number]] -= 1
        assert into
        successors = tuple(each for each in into if isinstance(each, int))
        assert len(set(successors)) == len(into)
        assert all(each in state.units and each not in state.ended for each in successors)
        state.ended[number] = successors

    for event in reform.events:
        match event:
            case Opening(unit, parent):
                assert parent is None
                last += 1
                assert unit.number == last
                assert unit.parent in state.units
                assert unit.valid_from == reform.at
                state.units[unit.number] = unit
                state.parents[unit.number] = unit.parent
                below[unit.parent] += 1
            case Changing(int(number), parent=int(parent)):
                assert number not in state.ended
                below[state.parents[number]] -= 1
                below[parent] += 1
                state.parents[number] = parent
            case Merging(numbers, into):
                assert len(numbers) > 1
                for number in numbers:
                    end(number, (into,))
            case Splitting(number, into):
                assert len(into) > 1
                end(number, into)
            case Closing(number, successors):
                end(number, successors)
            case _:
                raise AssertionError(event)
    return state


def assert_sound(state: State) -> None:
    """No open unit hangs below an ended one, and no code is borne twice at one instant."""
    bearers = Counter(code for unit in state.open() for code in (unit.code, *unit.aliases))
    assert [code for code, count in bearers.items() if count > 1] == []
    for unit in state.open():
        parent = state.parents[unit.number]
        assert parent not in state.ended
        assert parent is None or state.units[parent].tier <= unit.tier
        assert len(unit.name) <= UNIT_NAME_CHARS_MAX
        assert unicodedata.is_normalized("NFC", unit.name)
        assert code_form(unit.code) == "2020"


def test_the_reform_ends_and_opens_what_the_acts_say() -> None:
    reform = reorganisation(before())
    assert reform.at == REFORM_AT
    state = carried_out(before(), reform)
    assert_sound(state)
    committees = Counter(unit.tier for unit in state.open() if unit.kind == "people-committee")
    assert committees == {2: 34, 4: 3_321}
    going_on = {unit.code for unit in state.open() if unit.number <= len(before())}
    unchanged = {each.e_id for each in PROVINCES if not each.closed}
    assert len(unchanged) == 11
    assert {code for code in going_on if code[0] == "H"} == unchanged


def gso_code_of(unit: Unit) -> str:
    return unit.aliases[1].removeprefix("GSO:")


def test_the_successors_in_the_reform_are_those_of_the_data() -> None:
    state = carried_out(before(), reorganisation(before()))
    into = successions()
    now = province_successions()
    provinces = {each.gso_code: each.parent_gso_code for each in territories_before()}
    for number, successors in state.ended.items():
        old = state.units[number]
        codes = tuple(gso_code_of(state.units[each]) for each in successors)
        gso_code = gso_code_of(old)
        if gso_code in into:
            assert codes == into[gso_code]
            assert state.units[successors[0]].tier == 4
        elif old.tier == 3:
            assert codes == (now[provinces[gso_code]],), "the province, for no data says"
        else:
            assert codes == (now[gso_code],)


@pytest.mark.parametrize("size", [1, 28, 91, 400, 3_000, 12_000, 30_000])
def test_the_reform_of_a_part_of_the_country_is_sound(size: int) -> None:
    units = national_before(3, size)
    assert len(units) == size
    assert_sound(carried_out(units, national_reorganisation(units)))


def test_a_directory_has_at_least_one_unit() -> None:
    with pytest.raises(ValueError, match="unit"):
        national_before(1, 0)


def test_the_national_directory_goes_through_the_reform_with_its_institutions() -> None:
    units = national_before(7)
    assert len(units) == 123_265
    assert units == national_before(7)
    assert units != national_before(8)
    reform = national_reorganisation(units)
    assert reform == national_reorganisation(units)
    state = carried_out(units, reform)
    assert_sound(state)
    kinds = Counter(unit.kind for unit in state.open())
    assert kinds["people-committee"] == 34 + 3_321
    assert kinds["department"] == 34 * 20
    assert kinds["office"] == 3 * 3_321
    for kind in ("school", "clinic", "service-centre", "commune-office", "sub-department"):
        # They go on with their numbers, below the default successor of what they were below.
        same = [unit for unit in units if unit.kind == kind]
        assert kinds[kind] == len(same)
        for unit in same:
            assert unit.parent is not None
            into = state.ended.get(unit.parent, (unit.parent,))
            assert state.parents[unit.number] == into[0]


def test_departments_of_merged_provinces_merge_by_name() -> None:
    units = national_before(7, 30_000)
    state = carried_out(units, national_reorganisation(units))
    by_name = {unit.name: unit for unit in units}
    (new,) = (unit for unit in state.open() if unit.name == "Sở Nội vụ tỉnh Tuyên Quang")
    for name in ("Sở Nội vụ tỉnh Hà Giang", "Sở Nội vụ tỉnh Tuyên Quang"):
        assert state.ended[by_name[name].number] == (new.number,)
    assert new.code == by_name["Sở Nội vụ tỉnh Tuyên Quang"].code == "H60.02"
    goes_on = by_name["Sở Nội vụ tỉnh Cao Bằng"]
    assert goes_on in list(state.open())


def test_the_extraction_writes_names_as_the_law_does() -> None:
    assert tidy("Thị Xã  Việt Yên") == "Thị xã Việt Yên"
    assert tidy(unicodedata.normalize("NFD", "Xã Lũng Cú")) == "Xã Lũng Cú"
    with pytest.raises(ValueError, match="class"):
        tidy("Đồng Văn")
    assert row("46", 2, "Thành phố Huế", "")[2] == "thành phố trực thuộc trung ương"
    city = row("769", 3, "Thành phố Thủ Đức", "79", "Thành phố Hồ Chí Minh")
    assert city[2] == "thành phố thuộc thành phố trực thuộc trung ương"
    assert row("024", 3, "Thành Phố Hà Giang", "02", "Tỉnh Hà Giang")[2] == "thành phố thuộc tỉnh"
