"""Any bytes are a list or refused; the order of rows means nothing."""

from __future__ import annotations

import csv
import io
import random

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from support.lists import NOVEMBER, SEPTEMBER, Applied, exported, listing_of
from support.units import at

from router.directory.columns import SYNONYMS
from router.directory.differences import derive
from router.directory.listing import Listing
from router.directory.sheets import read_sheet
from router.directory.wording import describe
from router.errors import InputError
from router.messages import say, say_problem
from router.model.units import Contact, DeliverySettings, Unit

NOW = at(2024, 9, 4)
TEXT = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=12)
CODES = st.from_regex(r"[A-Z0-9]{1,4}(\.[A-Z0-9]{1,3}){0,3}", fullmatch=True)


@st.composite
def directories(draw: st.DrawFn) -> list[Unit]:
    """Units open at one instant, each below an earlier one, with every field in use."""
    codes = draw(st.lists(CODES, unique=True, max_size=12))
    units: list[Unit] = []
    for number, code in enumerate(codes, 1):
        parent = draw(st.none() | st.sampled_from(units)) if units else None
        units.append(
            Unit(
                number=number * 3,
                code=code,
                name=draw(TEXT),
                tier=draw(st.integers(parent.tier if parent else 1, 8)),
                kind=draw(st.sampled_from(["office", "people-committee"])),
                parent=None if parent is None else parent.number,
                aliases=draw(
                    st.sampled_from([(), (f"GSO:{number:05}",), (f"X:{number};\\", f"Y:{number}")])
                ),
                tags=draw(st.lists(TEXT, unique=True, max_size=3).map(tuple)),
                valid_from=draw(st.integers(parent.valid_from if parent else 0, NOW)),
                valid_to=draw(st.none() | st.integers(NOW + 1, NOW * 2)),
                code_synthesised=draw(st.booleans()),
                contact=draw(st.none() | st.builds(Contact, TEXT, TEXT, TEXT)),
                delivery=draw(st.none() | st.builds(DeliverySettings, paper=st.booleans())),
            )
        )
    return units


@given(directories(), st.randoms(use_true_random=False))
def test_an_export_in_any_order_changes_nothing(units: list[Unit], chance: random.Random) -> None:
    listing = read_sheet(exported(units))
    rows = list(listing.rows)
    chance.shuffle(rows)
    shuffled = msgspec.structs.replace(listing, rows=tuple(rows))
    assert derive(units, shuffled, NOW, complete=True).empty


@given(directories())
def test_an_export_makes_the_same_directory_from_nothing(units: list[Unit]) -> None:
    made = Applied().apply(derive([], read_sheet(exported(units)), NOW, complete=True))
    assert derive(made.units.values(), read_sheet(exported(units)), NOW, complete=True).empty
    assert derive(units, read_sheet(exported(made.units.values())), NOW, complete=True).empty


@given(directories(), directories(), st.randoms(use_true_random=False))
def test_the_order_of_rows_means_nothing(
    units: list[Unit], others: list[Unit], chance: random.Random
) -> None:
    listing = read_sheet(exported(others))
    rows = [
        msgspec.structs.replace(row, number=None, parent_number=msgspec.UNSET) for row in listing
    ]
    outcomes = []
    for _ in range(2):
        try:
            found = derive(
                units, msgspec.structs.replace(listing, rows=tuple(rows)), NOW, complete=True
            )
        except InputError as refused:
            outcomes.append(refused.code)
        else:
            outcomes.append(msgspec.structs.replace(found, warnings=()))
        chance.shuffle(rows)
    assert outcomes[0] == outcomes[1]


def test_the_real_lists_mean_the_same_in_any_order() -> None:
    chance = random.Random(7)
    before = Applied().apply(derive([], listing_of(SEPTEMBER), at(2024, 9, 1), complete=True))
    units = before.open_at(at(2024, 9, 1))
    november = listing_of(NOVEMBER)
    expected = derive(units, november, at(2024, 11, 1), complete=True)
    rows = list(november.rows)
    chance.shuffle(rows)
    chance.shuffle(units)
    found = derive(
        units, msgspec.structs.replace(november, rows=tuple(rows)), at(2024, 11, 1), complete=True
    )
    assert msgspec.structs.replace(found, warnings=()) == msgspec.structs.replace(
        expected, warnings=()
    )


def is_told(error: InputError) -> bool:
    """Every refusal, and every place in it, has words in both languages."""
    places = getattr(error, "problems", ())
    return all(
        all(say(error, language)) and all(all(say_problem(found, language)) for found in places)
        for language in ("en", "vi")
    )


def judged(data: bytes) -> Listing | None:
    """A list or None; every refusal can be told."""
    try:
        listing = read_sheet(data)
    except InputError as error:
        told = error
    else:
        told = None
    if told is not None:
        assert is_told(told)
        return None
    try:
        describe(derive([], listing, NOW, complete=True), "vi")
    except InputError:
        return None
    return listing


# Not what begins a workbook: its reader is a process for each example.
@given(st.binary(max_size=300).filter(lambda data: data[:2] not in (b"PK", b"\xd0\xcf")))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    judged(data)
    judged(b"code,name,tier,kind\n" + data)


CELLS = st.one_of(
    st.text(max_size=20),
    CODES,
    st.sampled_from(["", "H22", "2", "xã", "true", "01/07/2025", "GSO:01"]),
)


@given(
    st.lists(st.sampled_from(sorted(SYNONYMS)), min_size=1, max_size=8, unique=True),
    st.lists(st.lists(CELLS, max_size=9), max_size=8),
    st.sampled_from([",", ";", "\t"]),
)
def test_any_cells_are_read_or_refused(
    heading: list[str], rows: list[list[str]], delimiter: str
) -> None:
    written = io.StringIO()
    csv.writer(written, delimiter=delimiter).writerows([heading, *rows])
    judged(written.getvalue().encode("utf-8", "surrogatepass"))
