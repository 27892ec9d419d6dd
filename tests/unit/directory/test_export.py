"""What is exported is read back the same, and is no formula to a spreadsheet."""

from __future__ import annotations

import csv
import io

from support.lists import exported
from support.units import NOW, at, small_tree, unit

from router.directory.columns import SYNONYMS
from router.directory.differences import derive
from router.directory.export import EXPORT_COLUMNS
from router.directory.sheets import read_sheet
from router.model.units import Contact, DeliverySettings


def test_every_column_of_an_export_is_known() -> None:
    assert set(SYNONYMS) - set(EXPORT_COLUMNS) == {"gso_code", "parent_gso_code"}


def test_an_export_imported_again_changes_nothing() -> None:
    units = [
        *small_tree(),
        unit(70, "H22.70", 3, 2, name="+Sở; \"A\", B", aliases=("TAX:1;2", "GSO:001"),
             tags=("a;b", "c\\", "thị xã"), valid_to=at(2030), successors=(2, 3),
             code_synthesised=True, delivery=DeliverySettings(paper=True),
             contact=Contact("1 Phố X\n", "+84 24 1", "=1", "@a", "-")),
    ]  # fmt: skip
    listing = read_sheet(exported(units))
    assert derive(units, listing, NOW, complete=True).empty
    assert not listing.warnings


def test_an_export_of_all_times_fills_an_empty_directory_with_the_same() -> None:
    units = [
        unit(4, "H22", 2, valid_to=at(2020), successors=(9,), tags=("tỉnh",)),
        unit(9, "H22", 2, valid_from=at(2020), aliases=("GSO:02",)),
        unit(11, "H22.1", 3, 4, valid_to=at(2019)),
        unit(12, "H22.1", 3, 9, valid_from=at(2020)),
    ]
    found = derive([], read_sheet(exported(units)), NOW, complete=True)
    assert sorted(found.imported, key=lambda unit: unit.number) == units
    assert derive(units, read_sheet(exported(units)), NOW, complete=True).empty


def test_cells_that_spreadsheets_take_for_formulas_are_guarded_and_read_back() -> None:
    names = ["=1+1", "+84", "-5", "@sum", "'=x", "''+y", "'plain"]
    units = [unit(n, f"H{n}", 2, name=name) for n, name in enumerate(names, 1)]
    written = exported(units)
    cells = [row["name"] for row in csv.DictReader(io.StringIO(written.decode("utf-8-sig")))]
    assert cells == ["'=1+1", "'+84", "'-5", "'@sum", "''=x", "'''+y", "'plain"]
    assert [row.name for row in read_sheet(written)] == names


def test_an_export_begins_with_the_mark_that_spreadsheets_need() -> None:
    assert exported([]).startswith(b"\xef\xbb\xbfnumber,code,")
