"""Two lists of one country, two months apart, become dated events; both dates stay right.

The list of 1 November 2024 closes 70 communes that resolutions had merged (the list does not
say into which), renames 29 units, and names five island districts that the list of
1 September had left out although they existed.  A directory that took them for new would
deny them documents of the months before.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from functools import cache
from importlib.resources import files

import pytest
from support.units import START, at

from router.directory import Directory, differences, sheets
from router.model.units import Unit

FIRST, SECOND = at(2024, 9, 1), at(2024, 11, 1)
FIRST_KNOWN, SECOND_KNOWN = at(2024, 9, 2), at(2024, 11, 5)
ISLANDS = {"318", "471", "498", "536", "755"}
"""Bạch Long Vĩ, Cồn Cỏ, Hoàng Sa, Lý Sơn, Côn Đảo."""

Rows = dict[str, tuple[int, str, str, str]]
"""(tier, class, name, parent) by GSO code."""


@cache
def data(day: str) -> bytes:
    return (files("vanban_bench") / "data" / f"vn-units-{day}.csv").read_bytes()


def rows_in(day: str) -> Rows:
    found = csv.DictReader(data(day).decode("utf-8").splitlines())
    rows = {
        row["gso_code"]: (int(row["tier"]), row["kind"], row["name"], row["parent_gso_code"])
        for row in found
    }
    assert len(rows) > 11_000
    return rows


def gso_code_of(unit: Unit) -> str:
    (code,) = (code for code in (unit.code, *unit.aliases) if code.startswith("GSO:"))
    return code.removeprefix("GSO:")


def rows_of(units: Iterable[Unit]) -> Rows:
    by_number = {unit.number: unit for unit in units}
    rows = {}
    for unit in by_number.values():
        (territory,) = unit.tags
        parent = "" if unit.parent is None else gso_code_of(by_number[unit.parent])
        assert gso_code_of(unit) not in rows, "no code twice"
        rows[gso_code_of(unit)] = (unit.tier, territory, unit.name, parent)
    return rows


def rows_at(directory: Directory, at_us: int, sequence: int | None = None) -> Rows:
    """The rows of a snapshot; what is listed without compiling must be the same."""
    snapshot = directory.snapshot(at_us, sequence)
    rows = rows_of(snapshot.unit_at(position) for position in range(len(snapshot)))
    assert rows == rows_of(directory.units(at_us, sequence))
    return rows


def entered(directory: Directory, listing: object, at_us: int, known_at: int) -> object:
    """Derive what a whole list changes and apply it; return what was derived."""
    found = differences.derive(
        directory.units(at_us), listing, at_us, complete=True, since_us=None, title="Danh mục"
    )
    if found.imported:
        apply(directory, directory.plan_import(found.imported), known_at)
    for change in (found.correction, found.reorganisation):
        if change is not None:
            apply(directory, directory.plan(change), known_at)
    return found


def apply(directory: Directory, bodies: Iterable[bytes], known_at: int) -> None:
    start = directory.sequence
    for number, body in enumerate(bodies, 1):
        directory.apply(body, start + number, known_at)


@cache
def directory_of_both() -> tuple[Directory, int, object]:
    """The directory with both lists entered, the sequence of the first, the difference."""
    directory = Directory()
    first = sheets.read_sheet(data("2024-09-01"))
    born = differences.derive((), first, FIRST, complete=True, since_us=START, title="Danh mục")
    if born.imported:
        apply(directory, directory.plan_import(born.imported), FIRST_KNOWN)
    if born.reorganisation is not None:
        apply(directory, directory.plan(born.reorganisation), FIRST_KNOWN)
    known = directory.sequence
    second = sheets.read_sheet(data("2024-11-01"))
    return directory, known, entered(directory, second, SECOND, SECOND_KNOWN)


def test_the_snapshot_at_the_later_date_is_the_second_list_row_for_row() -> None:
    directory, _, _ = directory_of_both()
    assert rows_at(directory, SECOND) == rows_in("2024-11-01")


def test_the_earlier_date_is_still_the_first_list_and_the_five_that_it_had_left_out() -> None:
    directory, _, _ = directory_of_both()
    rows = rows_at(directory, FIRST)
    later = {code: rows.pop(code) for code in ISLANDS}
    assert rows == rows_in("2024-09-01")
    assert later == {code: rows_in("2024-11-01")[code] for code in ISLANDS}
    # The day before the reform nothing of it had happened.
    assert rows_at(directory, SECOND - 1) == rows_at(directory, FIRST)


def test_as_known_before_the_second_list_everything_is_the_first() -> None:
    directory, known, _ = directory_of_both()
    assert directory.sequence_at(SECOND_KNOWN - 1) == known
    for instant in (FIRST, SECOND):
        assert rows_at(directory, instant, known) == rows_in("2024-09-01")


def test_closed_units_come_out_with_their_successors_unknown() -> None:
    directory, _, found = directory_of_both()
    gone = rows_in("2024-09-01").keys() - rows_in("2024-11-01").keys()
    assert len(gone) == 70
    assert {gso_code_of(unit) for unit in found.unknown_successors} == gone  # type: ignore[attr-defined]
    closed = [unit for unit in directory.units() if unit.valid_to is not None]
    assert {gso_code_of(unit) for unit in closed} == gone
    for unit in closed:
        assert unit.valid_to == SECOND
        assert unit.successors == ()
        assert directory.successors(unit.number, SECOND) == ()
        assert directory.successors(unit.number, FIRST) == (unit.number,)


def test_who_was_renamed_is_the_same_unit() -> None:
    directory, _, _ = directory_of_both()
    dong_trieu = directory.find("GSO:205", FIRST)
    assert dong_trieu is not None
    assert (dong_trieu.name, dong_trieu.tags) == ("Thị xã Đông Triều", ("thị xã",))
    now = directory.find("GSO:205", SECOND)
    assert now is not None
    assert (now.number, now.name) == (dong_trieu.number, "Thành phố Đông Triều")
    assert now.tags == ("thành phố thuộc tỉnh",)


@pytest.mark.parametrize("order", [1, -1])
def test_entering_a_list_again_changes_nothing_whatever_the_order_of_its_rows(order: int) -> None:
    directory, _, _ = directory_of_both()
    heading, *lines = data("2024-11-01").splitlines(keepends=True)
    listing = sheets.read_sheet(b"".join([heading, *lines[::order]]))
    before = directory.sequence
    found = entered(directory, listing, SECOND, SECOND_KNOWN)
    assert found.empty  # type: ignore[attr-defined]
    assert directory.sequence == before
