"""What an import must be refused for, with the row and field, and that nothing changes then."""

from __future__ import annotations

import unicodedata

import msgspec
import pytest
from support.units import START, add, at, close, directory_of, small_tree, unit

from router import limits
from router.directory import Directory
from router.directory.changes import decode_change, encode_change
from router.errors import InputError, StorageError
from router.messages import say
from router.model.units import Unit


def refused(directory: Directory, rows: list[Unit]) -> InputError:
    before = list(directory.units()), directory.sequence
    with pytest.raises(InputError) as caught:
        directory.plan_import(rows)
    assert caught.value.code == "directory.invalid"
    assert (list(directory.units()), directory.sequence) == before
    assert caught.value.facts["reason"] in say(caught.value)[0]
    return caught.value


@pytest.mark.parametrize(
    ("row", "path"),
    [
        (unit(0, "H1", 2), "number"),
        (unit(1 << 32, "H1", 2), "number"),
        (unit(9, "", 2), "code"),
        (unit(9, "H22..31", 2), "code"),
        (unit(9, "H22_31", 2), "code"),
        (unit(9, "H" * 36, 2), "code"),
        (unit(9, "Đ1", 2), "code"),
        (unit(9, "H1", 2, aliases=("000-00",)), "aliases[0]"),
        (unit(9, "H1", 2, aliases=("H1",)), "aliases"),
        (unit(9, "H1", 2, aliases=tuple(f"A{n}" for n in range(9))), "aliases"),
        (unit(9, "H1", 2, name=""), "name"),
        (unit(9, "H1", 2, name="hai\ndòng"), "name"),
        (unit(9, "H1", 2, name="x" * 201), "name"),
        (unit(9, "H1", 0), "tier"),
        (unit(9, "H1", limits.TIERS_MAX + 1), "tier"),
        (unit(9, "H1", 2, kind="Sở"), "kind"),
        (unit(9, "H1", 2, kind=""), "kind"),
        (unit(9, "H1", 2, tags=("",)), "tags[0]"),
        (unit(9, "H1", 2, tags=("x",) * 17), "tags"),
        (unit(9, "H1", 2, valid_from=-1), "valid_from"),
        (unit(9, "H1", 2, valid_to=START), "valid_to"),
        (unit(9, "H1", 2, 77), "parent"),
        (unit(9, "H1", 2, 9), "parent"),
        (unit(9, "H1", 1, 2), "tier"),
        (unit(9, "H1", 2, 2, valid_from=START - 1), "valid_from"),
        (unit(9, "H22.31", 3, 2), "code"),
        (unit(9, "H1", 3, 2, aliases=("000.00.31.H22",)), "aliases[0]"),
        (unit(3, "H9", 3, 2), "number"),
        (unit(9, "H1", 2, successors=(2,)), "successors"),
        (unit(9, "H1", 2, valid_to=at(2020), successors=(77,)), "successors[0]"),
        (unit(9, "H1", 2, valid_to=at(2020), successors=(9,)), "successors[0]"),
        (unit(9, "H1", 2, valid_to=at(2020), successors=(2, 2)), "successors"),
    ],
)
def test_a_wrong_row_is_refused_with_its_row_and_field(row: Unit, path: str) -> None:
    directory = directory_of(small_tree())
    good = unit(50, "H50", 2, 1)
    assert refused(directory, [good, row]).path == f"row[1].{path}"


def test_a_number_or_code_twice_in_one_import_is_refused() -> None:
    assert refused(Directory(), [unit(1, "A1", 1), unit(1, "A2", 1)]).path == "row[1].number"
    assert refused(Directory(), [unit(1, "A1", 1), unit(2, "a1", 1)]).path == "row[1].code"


def test_one_code_may_name_two_units_one_after_the_other() -> None:
    rows = [
        unit(1, "H1", 2, valid_to=at(2010)),
        unit(2, "H1", 2, valid_from=at(2010), valid_to=at(2020)),
        unit(3, "H1", 2, valid_from=at(2020)),
    ]
    directory = directory_of(rows)
    for number, when in ((1, at(2009)), (2, at(2010)), (3, at(2020)), (3, at(2030))):
        found = directory.find("h1", when)
        assert found is not None
        assert found.number == number
    assert directory.find("H1", START - 1) is None
    last = directory.find_any("H1")
    assert last is not None
    assert last.number == 3


def test_units_that_hang_below_each_other_are_refused() -> None:
    error = refused(Directory(), [unit(1, "A1", 1, 2), unit(2, "A2", 1, 3), unit(3, "A3", 1, 1)])
    assert error.path == "row[0].parent"


def test_a_tree_deeper_than_the_bound_is_refused() -> None:
    depth = limits.HIERARCHY_DEPTH_MAX
    chain = [unit(n, f"A{n}", 1, n - 1 or None) for n in range(1, depth + 1)]
    directory = directory_of(chain)
    error = refused(directory, [unit(99, "A99", 1, depth)])
    assert error.path == "row[0].parent"
    assert refused(Directory(), [*reversed(chain), unit(99, "A99", 1, depth)]).path.endswith(
        "].parent"
    )


def test_a_unit_may_not_outlast_its_parent() -> None:
    rows = [unit(1, "A1", 1, valid_to=at(2020)), unit(2, "A2", 2, 1)]
    assert refused(Directory(), rows).path == "row[1].valid_to"


def test_names_in_nfd_and_codes_in_lower_case_are_brought_to_one_form() -> None:
    name = "UBND xã Lũng Cú"
    row = unit(1, " h22.31 ", 3, name=unicodedata.normalize("NFD", name), tags=("thị trấn",))
    directory = directory_of([row])
    assert directory.unit(1).name == name
    assert directory.unit(1).code == "H22.31"
    assert directory.find("h22.31", START) == directory.unit(1)


def test_an_import_repeated_adds_nothing() -> None:
    directory = directory_of(small_tree())
    assert directory.plan_import(small_tree()) == []
    close(directory, 5, at(2025, 7), 6)
    assert directory.plan_import(small_tree()) == []


def test_a_large_import_is_several_records_seen_only_with_the_last() -> None:
    rows = [unit(1, "A1", 1), *(unit(n, f"A1.{n}", 2, 1) for n in range(2, 2_502))]
    directory = Directory()
    bodies = directory.plan_import(rows)
    assert [len(body.tier) for body in bodies] == [1_000, 1_000, 501]
    for place, body in enumerate(bodies, 1):
        assert len(encode_change(body)) < limits.RECORD_BYTES_MAX
        assert len(directory) == 0
        directory.apply(encode_change(body), 10 + place)
    assert len(directory) == 2_501
    assert directory.sequence == 13


def test_records_stay_below_their_bound_in_bytes() -> None:
    rows = [unit(n, f"A{n}", 1, name="ầ" * 200, tags=("ầ" * 60,) * 16) for n in range(1, 1_001)]
    bodies = Directory().plan_import(rows)
    assert len(bodies) > 1
    assert max(len(encode_change(body)) for body in bodies) < limits.RECORD_BYTES_MAX
    assert directory_of(rows).unit(1_000).name == rows[-1].name


def test_an_interrupted_import_leaves_nothing_behind() -> None:
    rows = [unit(n, f"A{n}", 1) for n in range(1, 1_502)]
    directory = Directory()
    directory.apply(directory.plan_import(rows)[0], 1)
    add(directory, small_tree())
    assert len(directory) == 8


def test_a_damaged_import_is_reported_as_corrupt() -> None:
    directory = Directory()
    bodies = directory.plan_import([unit(n, f"A{n}", 1) for n in range(1, 1_502)])
    with pytest.raises(StorageError, match=r"store\.corrupt"):
        directory.apply(bodies[1], 1)
    directory.apply(bodies[0], 1)
    forged = msgspec.structs.replace(bodies[1], tier=b"\x07" * len(bodies[1].tier))
    with pytest.raises(StorageError, match=r"store\.corrupt"):
        directory.apply(forged, 2)
    with pytest.raises(StorageError, match=r"store\.corrupt"):
        directory.apply(b"\xc1", 3)
    assert len(directory) == 0


def test_bodies_read_back_as_they_were_written() -> None:
    directory = directory_of(small_tree())
    for change in (*Directory().plan_import(small_tree()), directory.plan_close(5, at(2025), [6])):
        assert decode_change(encode_change(change)) == change
