"""A list becomes dated events and corrections; what it doesn't say stays."""

from __future__ import annotations

import msgspec
import pytest
from support.lists import NOVEMBER, SEPTEMBER, Applied, listing_of, read
from support.units import at, small_tree, unit

from router.directory.alterations import compare
from router.directory.differences import Difference, derive
from router.directory.wording import describe
from router.errors import InputError, SheetError
from router.model.reorganisations import Changing, Closing, Opening
from router.model.units import Contact, DeliverySettings, Unit

SEPT, NOV = at(2024, 9, 1), at(2024, 11, 1)
ISLANDS = ["GSO:318", "GSO:471", "GSO:498", "GSO:536", "GSO:755"]


def changes(units: list[Unit], text: str, *, complete: bool = False, **more: object) -> Difference:
    return derive(units, read(text), NOV, complete=complete, **more)  # type: ignore[arg-type]


def events(units: list[Unit], text: str, **more: object) -> tuple[object, ...]:
    found = changes(units, text, **more).reorganisation  # type: ignore[arg-type]
    return () if found is None else found.events


def problems(units: list[Unit], text: str, **more: object) -> list[tuple[int, str, str, str]]:
    with pytest.raises(SheetError) as refused:
        changes(units, text, **more)  # type: ignore[arg-type]
    return [tuple(problem) for problem in refused.value.problems]


# The two real lists


@pytest.fixture(scope="module")
def september() -> Applied:
    first = derive([], listing_of(SEPTEMBER), SEPT, complete=True)
    assert first.counts == {"opened": 11_304, "rows": 11_304, "unchanged": 0}
    return Applied().apply(first)


@pytest.fixture(scope="module")
def november(september: Applied) -> Difference:
    return derive(september.open_at(SEPT), listing_of(NOVEMBER), NOV, complete=True)


def test_the_second_list_gives_the_changes_that_are_known_of_it(november: Difference) -> None:
    assert november.counts == {
        "known_later": 5, "renamed": 29, "retagged": 6, "closed_unknown": 70,
        "rows": 11_239, "unchanged": 11_205,
    }  # fmt: skip
    assert len(november.unknown_successors) == 70
    assert {unit.tier for unit in november.unknown_successors} == {4}


def test_the_island_districts_are_known_later_and_valid_before(
    september: Applied, november: Difference
) -> None:
    assert november.correction is not None
    later = november.correction.known_later
    assert sorted(unit.code for unit in later) == ISLANDS
    for island in later:
        assert island.valid_from == september.units[island.parent or 0].valid_from == SEPT
        assert island.tags == ("huyện",)


def test_an_island_district_can_be_told_to_open_instead(september: Applied) -> None:
    told = derive(
        september.open_at(SEPT), listing_of(NOVEMBER), NOV, complete=True, opened=["gso:498"]
    )
    assert told.counts["known_later"] == 4
    assert told.counts["opened"] == 1


def test_applied_it_gives_the_second_list_and_the_first_at_the_earlier_date(
    september: Applied, november: Difference
) -> None:
    later = Applied(september.units.values()).apply(november)
    assert derive(later.open_at(NOV), listing_of(NOVEMBER), NOV, complete=True).empty
    assert len(later.open_at(NOV)) == 11_239
    assert len(later.open_at(SEPT)) == 11_304 + 5


def test_the_same_list_again_changes_nothing(september: Applied) -> None:
    again = derive(september.open_at(SEPT), listing_of(SEPTEMBER), NOV, complete=True)
    assert again.empty
    assert again.counts == {"rows": 11_304, "unchanged": 11_304}


def test_a_renamed_neighbour_is_proposed_as_successor(november: Difference) -> None:
    proposed = {found.code: found.candidates for found in november.suggestions}
    assert proposed["GSO:12568"] == (("GSO:12577", "Xã Trang Bảo Xá"),)


def test_words_are_grouped_counted_and_bounded(november: Difference) -> None:
    english = describe(november, "en", lines_max=2)
    assert english[0] == "11239 rows read, 11205 units unchanged."
    assert "Renamed: 29" in english
    assert "  Xã Cộng Hòa (GSO:06799) is renamed Xã Hải Hòa" in english
    assert "  … and 27 more" in english
    assert len(english) < 30
    vietnamese = describe(november, "vi", lines_max=None)
    assert "  Xã Cộng Hòa (GSO:06799) đổi tên thành Xã Hải Hòa" in vietnamese
    assert sum("chưa rõ đơn vị kế thừa: cần chỉ định" in line for line in vietnamese) == 70


# Matching and what changes


def test_nothing_is_said_of_what_has_no_column() -> None:
    units = [
        unit(1, "H22", 2, aliases=("000.00.00.H22", "GSO:02"), tags=("tỉnh", "biên giới"),
             contact=Contact(email="a@b.vn"), delivery=DeliverySettings(paper=True)),
        unit(2, "H22.1", 3, 1),
    ]  # fmt: skip
    assert changes(units, "code\nH22\nH22.1", complete=True).empty
    assert changes(units, "code,name\nH22,Đơn vị H22", complete=False).empty
    (event,) = events(units, "code,contact_fax\nH22,123")
    assert event == Changing(1, contact=Contact(email="a@b.vn", fax="123"))


def test_units_are_found_by_number_code_alias_and_gso_code() -> None:
    units = [unit(1, "H22", 2, aliases=("000.00.00.H22", "GSO:02"))]
    for row in (
        "number,name\n1,X",
        "code,name\nh22,X",
        "code,name\n000.00.00.H22,X",
        "gso_code,name\n02,X",
        "code,aliases,name\nH99,H22 000.00.00.H22 GSO:02,X",
    ):
        found = events(units, row)
        assert [event.name for event in found] == ["X"]  # type: ignore[attr-defined]
    assert changes(units, "code,aliases\n000.00.00.H22,GSO:02 H22").empty


def test_each_way_to_change_is_one_changing() -> None:
    units = [*small_tree(), unit(50, "H30", 2, 1)]
    text = """
        number,code,name,tier,kind,parent,tags
        3,H30.31,Sở mới,2,department,H30,mới; khác
    """
    (event,) = events(units, text)
    assert event == Changing(
        3, name="Sở mới", parent=50, tier=2, kind="department", code="H30.31", tags=("mới", "khác"),
    )  # fmt: skip
    told = {alteration.what for alteration in changes(units, text).alterations}
    assert told == {"renamed", "moved", "retiered", "rekinded", "recoded", "retagged"}


def test_the_class_of_a_territory_replaces_only_the_class() -> None:
    units = [unit(1, "GSO:01", 2, tags=("biên giới", "tỉnh", "đảo"))]
    (event,) = events(units, "gso_code,tier,kind,name\n01,2,thành phố,Đơn vị GSO:01")
    assert event == Changing(1, tags=("biên giới", "thành phố", "đảo"))


def test_a_unit_may_move_below_one_that_opens() -> None:
    text = """
        code,name,tier,kind,parent
        H22.31,Đơn vị H22.31,3,people-committee,H30
        H30,Tỉnh mới,2,people-committee,G22
    """
    opening, changing = events(small_tree(), text)
    assert isinstance(opening, Opening)
    assert (opening.unit.code, opening.unit.parent, opening.unit.number) == ("H30", 1, 0)
    assert changing == Changing(3, parent="H30")


def test_parents_open_before_their_children_whatever_the_rows() -> None:
    text = "code,name,tier,kind,parent\nA.1.1,c,4,office,A.1\nA.1,b,3,office,A\nA,a,2,office,"
    opened = events([], text)
    assert [(event.unit.code, event.parent) for event in opened] == [  # type: ignore[attr-defined]
        ("A", None), ("A.1", "A"), ("A.1.1", "A.1"),
    ]  # fmt: skip


def test_a_first_import_may_be_valid_from_an_earlier_date() -> None:
    found = changes([], "gso_code,tier,kind,name\n01,2,tỉnh,A", since_us=SEPT)
    assert found.reorganisation is not None
    assert found.reorganisation.at == SEPT
    (opening,) = found.reorganisation.events
    assert isinstance(opening, Opening)
    assert (opening.unit.kind, opening.unit.tags, opening.unit.code) == (
        "people-committee", ("tỉnh",), "GSO:01",
    )  # fmt: skip


# Closing


def test_only_a_complete_list_closes_and_only_what_it_could_hold() -> None:
    units = [unit(1, "GSO:01", 2), unit(2, "GSO:02", 2), unit(3, "H1.2", 2)]
    text = "gso_code,name\n01,Đơn vị GSO:01"
    assert changes(units, text).empty
    assert events(units, text, complete=True) == (Closing(2),)
    ours = "code,name\nGSO:01,Đơn vị GSO:01"
    assert events(units, ours, complete=True) == (Closing(2), Closing(3))
    assert events(units, ours, complete=True, within={1, 3}) == (Closing(3),)


def test_a_list_not_said_to_be_complete_tells_how_many_units_it_lacks() -> None:
    units = [unit(1, "GSO:01", 2), unit(2, "GSO:02", 2), unit(3, "H1.2", 2)]
    text = "gso_code,name\n01,Đơn vị GSO:01"
    said = "Open units the list could hold and does not: 1. --complete would close them."
    partial = changes(units, text)
    assert any(line.startswith(said) for line in describe(partial))
    assert any("--complete" in line for line in describe(partial, "vi"))
    whole = changes(units, text, complete=True)
    assert not any("--complete" in line for line in describe(whole))
    assert len(whole.unknown_successors) == partial.counts["missing"] == 1


def test_units_left_below_a_closed_one_are_a_doubt() -> None:
    units = [unit(1, "GSO:01", 2), unit(2, "GSO:001", 3, 1), unit(3, "H1.2", 4, 2)]
    found = changes(units, "gso_code,name\n01,Đơn vị GSO:01", complete=True)
    assert [place.code for place in found.warnings] == ["sheet.incomplete", "sheet.below"][1:]


def test_a_list_that_would_close_most_is_a_doubt() -> None:
    units = [unit(number, f"H{number}", 2) for number in range(1, 6)]
    found = changes(units, "code\nH1", complete=True)
    assert [place.code for place in found.warnings] == ["sheet.incomplete"]


def test_when_a_tier_goes_its_units_codes_pass_to_new_units() -> None:
    units = [
        unit(1, "GSO:01", 2, tags=("tỉnh",)), unit(2, "GSO:001", 3, 1), unit(3, "GSO:00001", 4, 2),
        unit(4, "GSO:00002", 4, 2),
    ]  # fmt: skip
    text = """
        gso_code,tier,kind,name,parent_gso_code
        01,2,tỉnh,Đơn vị GSO:01,
        00001,4,phường,Phường Mới,01
    """
    found = changes(units, text, complete=True)
    assert found.reorganisation is not None
    opening, *closings = found.reorganisation.events
    assert isinstance(opening, Opening)
    assert (opening.unit.code, opening.unit.parent) == ("GSO:00001", 1)
    assert closings == [Closing(3), Closing(4), Closing(2)]
    assert found.suggestions[0].candidates == (("GSO:00001", "Phường Mới"),)
    kept = changes(units, text, complete=True, renewed=())
    assert [type(event) for event in kept.reorganisation.events] == [Changing, Closing, Closing]  # type: ignore[union-attr]


def test_a_code_whose_unit_takes_the_name_of_one_that_closes_is_a_doubt() -> None:
    units = [unit(1, "GSO:10", 2, name="Tỉnh Lào Cai"), unit(2, "GSO:15", 2, name="Tỉnh Yên Bái")]
    found = changes(units, "gso_code,name\n15,Tỉnh Lào Cai", complete=True)
    assert [place.code for place in found.warnings] == ["sheet.reused"]


# Mistakes


def test_the_same_unit_twice_is_told_with_the_other_row() -> None:
    units = [unit(1, "H22", 2, aliases=("000.00.00.H22",))]
    assert problems(units, "code\nH22\nh22") == [(3, "code", "sheet.twice", "2")]
    assert problems(units, "code\nH22\n000.00.00.H22") == [(3, "code", "sheet.twice", "2")]
    assert problems(units, "number,code\n1,\n1,") == [(3, "number", "sheet.twice", "2")]
    new = "code,aliases,name,tier,kind\nA,B,x,2,office\nB,,y,2,office"
    assert problems(units, new) == [(3, "code", "sheet.twice", "2")]


def test_codes_of_two_units_in_one_row_are_refused() -> None:
    units = [unit(1, "H22", 2), unit(2, "GSO:02", 2)]
    assert problems(units, "code,gso_code\nH22,02") == [
        (2, "code", "sheet.ambiguous", "H22, GSO:02")
    ]
    assert problems(units, "number,code\n9,H22") == [
        (2, "number", "sheet.number", "9; H22 is unit 1")
    ]


def test_a_new_unit_needs_a_name_a_tier_and_a_kind() -> None:
    assert problems([], "code\nH22") == [
        (2, "kind", "sheet.required", "kind"),
        (2, "name", "sheet.required", "name"),
        (2, "tier", "sheet.required", "tier"),
    ]


def test_parents_that_are_nowhere_or_contradict_or_make_a_circle_are_refused() -> None:
    units = small_tree()
    assert problems(units, "code,parent\nH22,X99") == [(2, "parent", "sheet.parent", "X99")]
    assert problems(units, "code,parent,parent_number\nH22.31,H22.32,2") == [
        (2, "parent", "sheet.parent", "H22.32 ≠ 2")
    ]
    circle = "code,name,tier,kind,parent\nA,a,2,office,B\nB,b,2,office,A"
    assert [found[2:] for found in problems([], circle)] == [
        ("sheet.parent", "A: cycle"), ("sheet.parent", "B: cycle"),
    ]  # fmt: skip
    assert problems(units, "code,parent\nH22,H22")[0][2] == "sheet.parent"


def test_a_closed_unit_is_passed_over_and_told() -> None:
    units = [unit(1, "H22", 2), unit(2, "H23", 2, valid_to=SEPT)]
    found = changes(units, "number,name\n2,X")
    assert found.empty
    assert [place.code for place in found.warnings] == ["sheet.closed_unit"]


def test_numbers_of_another_directory_are_a_doubt() -> None:
    found = changes([unit(1, "H22", 2)], "number,code,name\n1,H99,Khác")
    assert [place.code for place in found.warnings] == ["sheet.renumbered"]


# Zeros that a spreadsheet took from a parent's code

PARENTS = "gso_code;tier;name;parent_gso_code\n"
WITH_BOTH = [
    unit(1, "GSO:02", 2), unit(2, "GSO:24", 2), unit(3, "GSO:024", 3, 1), unit(4, "GSO:026", 3, 1),
]  # fmt: skip


def parents(units: list[Unit], rows: str, **more: object) -> list[object]:
    return [event.unit.parent for event in events(units, PARENTS + rows, **more)
            if isinstance(event, Opening)]  # fmt: skip


@pytest.mark.parametrize("code", ["689", "00689"])
def test_a_parent_that_may_be_a_province_or_a_district_is_not_guessed(code: str) -> None:
    assert problems(WITH_BOTH, PARENTS + f"{code};4;Xã Mới Toanh;24") == [
        (
            2,
            "parent_gso_code",
            "sheet.parent_zeros",
            "GSO:24 Đơn vị GSO:24 / GSO:024 Đơn vị GSO:024",
        )
    ]


def test_a_parent_written_in_full_is_taken_as_it_stands() -> None:
    assert parents(WITH_BOTH, "689;4;Xã Mới;GSO:24") == [2]
    assert parents(WITH_BOTH, "689;4;Xã Mới;GSO:024") == [3]
    assert parents(WITH_BOTH, "00689;4;Xã Mới;24\n00690;4;Xã Khác;024") == [2, 3]


def test_a_lost_zero_is_given_back_where_only_one_open_unit_fits() -> None:
    found = changes(WITH_BOTH, PARENTS + "689;4;Xã Mới;26")
    assert "sheet.zeros_restored" in [place.code for place in found.warnings if place.row == 2]
    assert parents(WITH_BOTH, "689;4;Xã Mới;26") == [4]
    assert parents(WITH_BOTH, "27;3;Huyện Mới;2") == [1]
    assert parents(WITH_BOTH[:2], "689;4;Xã Mới;24") == [2]
    assert problems(WITH_BOTH, PARENTS + "689;4;Xã Mới;77")[0][2] == "sheet.parent"


def test_a_district_that_the_list_closes_is_no_parent() -> None:
    rows = "2;2;Đơn vị GSO:02;\n24;2;Đơn vị GSO:24;\n7204;4;Phường Mới;24"
    assert parents(WITH_BOTH, rows, complete=True) == [2]
    assert problems(WITH_BOTH, PARENTS + rows)[0][2] == "sheet.parent_zeros"


def test_what_opens_is_told_with_its_parent() -> None:
    found = changes(WITH_BOTH, PARENTS + "00689;4;Xã Mới;026")
    assert "  Xã Mới (GSO:00689) opens below Đơn vị GSO:026 (GSO:026) on 2024-11-01" in describe(
        found
    )
    told = describe(found, "vi")
    assert any("hoạt động ngày 01/11/2024, trực thuộc Đơn vị GSO:026" in line for line in told)


# Lives


def test_dates_of_the_list_make_units_with_lives() -> None:
    text = """
        number,code,name,tier,kind,parent_number,valid_from,valid_to,successors
        7,H1,a,2,office,,2004-01-01,,
        ,H1.1,b,3,office,7,2010-01-01,2020-01-01,H1.2
        ,H1.2,c,3,office,7,2010-01-01,,
    """
    found = changes([], text)
    assert found.reorganisation is None
    first, second, third = found.imported
    assert (first.number, first.valid_from) == (7, at(2004))
    assert (second.number, second.parent, second.valid_to) == (8, 7, at(2020))
    assert second.successors == (third.number,) == (9,)


def test_a_unit_older_than_its_parent_is_told_by_its_row() -> None:
    text = """
        number,code,name,tier,kind,parent,valid_from
        2,H1.1,b,3,office,H1,2004-01-01
        1,H1,a,2,office,,2010-01-01
    """
    assert problems([], text) == [(2, "valid_from", "sheet.before_parent", "H1.1, H1")]


def test_another_life_than_the_known_one_is_a_correction() -> None:
    units = [unit(1, "H22", 2)]
    found = changes(units, "code,valid_from\nH22,2003-01-01")
    assert found.correction is not None
    (fix,) = found.correction.fixes
    assert (fix.number, fix.opened_at) == (1, at(2003))
    assert changes(units, "code,valid_from,valid_to\nH22,2004-01-01,").empty


def test_units_known_later_may_hang_below_one_another() -> None:
    text = "code,name,tier,kind,parent\nH9,a,2,office,G22\nH9.1,b,3,office,H9"
    found = changes(small_tree(), text, known_later=["h9", "H9.1"])
    assert found.correction is not None
    parent, child = found.correction.known_later
    assert child.parent == parent.number > 0
    assert parent.parent == 1
    assert parent.valid_from == child.valid_from == at(2004)


def test_a_list_of_a_time_before_its_units_are_known_is_refused_as_such() -> None:
    units = [unit(1, "GSO:01", 2, valid_from=NOV), unit(2, "GSO:02", 2, valid_from=NOV + 1)]
    text = read("gso_code,tier,kind,name\n01,2,tỉnh,Một\n02,2,tỉnh,Hai\n03,2,tỉnh,Ba")
    with pytest.raises(InputError) as refused:
        derive(units, text, SEPT, complete=False)
    assert (refused.value.code, refused.value.path) == ("import.too_early", "at")
    assert refused.value.facts == {"count": 2, "unit": "GSO:01", "since": "2024-11-01"}
    corrected = derive(
        units, read("gso_code,valid_from\n01,2024-09-01"), NOV, complete=False
    ).correction
    assert corrected is not None
    assert corrected.fixes[0].opened_at == SEPT


# Two dates of one directory


def test_two_dates_are_compared_in_the_same_words() -> None:
    before = small_tree()
    gone = before[-1]
    after = [
        msgspec.structs.replace(found, name="Tên mới") if found.number == 3 else found
        for found in before[:-1]
    ] + [unit(90, "H22.90", 4, 3, valid_from=NOV)]
    before[-1] = msgspec.structs.replace(gone, valid_to=NOV, successors=(90,))
    told = compare(before, after)
    assert [alteration.what for alteration in told] == ["opened", "renamed", "closed"]
    lines = describe(told, "en")
    assert (
        f"  {gone.name} ({gone.code}) closes on 2024-11-01; successor: Đơn vị H22.90 (H22.90)"
        in lines
    )
    assert (
        "  Đơn vị H22.90 (H22.90) opens below Tên mới (H22.31) on 2024-11-01"
        f" (succeeds {gone.name} ({gone.code}))" in lines
    )
    assert describe(compare(before, before)) == ["Nothing changes."]
