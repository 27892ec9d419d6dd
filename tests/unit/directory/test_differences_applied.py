"""Four dated lists of the country, taken in one after another: each date is as its list says."""

from __future__ import annotations

from support.lists import exported, listing_of
from support.sources import ROOT
from support.units import at

from router.directory import Directory
from router.directory.differences import Difference, derive
from router.directory.listing import Listing
from router.directory.sheets import read_sheet

DATES = [(2024, 9, 1), (2024, 11, 1), (2025, 6, 30), (2025, 7, 1)]


def lists() -> dict[int, Listing]:
    """The lists by the instant they hold at."""
    return {
        at(*day): listing_of(ROOT / "bench/data" / "vn-units-{}-{:02}-{:02}.csv".format(*day))
        for day in DATES
    }


def take(directory: Directory, difference: Difference, at_us: int) -> None:
    """Apply all of a difference, in the order it says."""
    bodies = list(directory.plan_import(difference.imported)) if difference.imported else []
    for body in bodies:
        directory.apply(body, directory.sequence + 1, at_us)
    for change in (difference.correction, difference.reorganisation):
        for body in directory.plan(change) if change else ():
            directory.apply(body, directory.sequence + 1, at_us)


def test_the_country_stands_at_each_date_as_its_list_says() -> None:
    directory = Directory()
    for instant, listing in lists().items():
        take(directory, derive(directory.units(instant), listing, instant, complete=True), instant)
    islands = 5
    for instant, listing in lists().items():
        found = derive(directory.units(instant), listing, instant, complete=True)
        if instant == at(2024, 9, 1):  # known later, valid before, and not in that list
            assert found.counts == {"closed_unknown": islands, "rows": 11_304, "unchanged": 11_304}
        else:
            assert found.empty
    every = list(directory.units())
    assert derive(every, read_sheet(exported(every)), at(2025, 7, 1), complete=True).empty


def test_an_export_of_the_country_makes_it_again_in_an_empty_directory() -> None:
    first = at(2024, 9, 1)
    directory, again = Directory(), Directory()
    take(directory, derive([], lists()[first], first, complete=True), first)
    units = list(directory.units(first))
    take(again, derive([], read_sheet(exported(units)), first, complete=True), first)
    assert list(again.units(first)) == units
