"""Knowledge and plans in awkward orders; values out of range; records that are damaged."""

from __future__ import annotations

import msgspec
import pytest
from support.units import START, at, close, directory_of, small_tree, unit

import router.directory.directory as directory_module
from router.directory import Directory, encode_change
from router.directory.changes import (
    FactsLearnt,
    UnitClosed,
    UnitsAdded,
    decode_change,
    digest_of,
)
from router.errors import InputError, RecipientError, StorageError
from router.model.reorganisations import (
    Changing,
    Closing,
    Correction,
    DirectoryChange,
    Fix,
    Opening,
    Reorganisation,
)

REFORM = at(2025, 7, 1)
DAY = 86_400_000_000


def do(directory: Directory, *changes: DirectoryChange) -> None:
    for change in changes:
        for body in directory.plan(change):
            directory.apply(body, directory.sequence + 1)


def test_a_code_learnt_later_is_unknown_to_an_earlier_knowledge() -> None:
    directory = directory_of(small_tree())
    earlier = directory.snapshot(REFORM)
    do(directory, Correction("x", fixes=(Fix(5, aliases=("GSO:00688",)),)))
    for snapshot in (earlier, directory.snapshot(REFORM, 1)):
        assert snapshot.list_audiences(["GSO:00688"]) == [None]
        with pytest.raises(RecipientError, match=r"recipient\.unknown"):
            snapshot.position_of("GSO:00688")
    assert directory.snapshot(REFORM).position_of("GSO:00688") >= 0


def test_a_change_before_a_life_that_was_found_to_begin_earlier_goes_on() -> None:
    directory = directory_of(small_tree())
    do(
        directory,
        Correction("x", fixes=(Fix(1, opened_at=0), Fix(2, opened_at=0))),
        Reorganisation(START - DAY, "x", (Changing(2, name="Tỉnh Mới"),)),
    )
    assert directory.unit(2, REFORM).name == "Tỉnh Mới"


def test_a_plan_that_a_correction_took_back_ends_nothing() -> None:
    directory = directory_of(small_tree())
    do(
        directory,
        Reorganisation(REFORM, "x", (Changing(5, name="Xã Hai"),)),
        Correction("x", fixes=(Fix(5, name="Xã Một"),)),
        Reorganisation(REFORM - DAY, "x", (Changing(5, name="Xã Ba"),)),
    )
    assert directory.unit(5, REFORM).name == "Xã Ba"


def test_what_a_fix_says_of_a_time_before_the_known_beginning_holds() -> None:
    directory = directory_of(small_tree())
    do(directory, Correction("x", fixes=(Fix(1, since=0, opened_at=0, name="Chính phủ"),)))
    assert directory.unit(1, 0).name == directory.unit(1, REFORM).name == "Chính phủ"
    do(directory, Correction("x", fixes=(Fix(2, opened_at=0, name="Tỉnh"),)))
    assert directory.unit(2, 0).name == directory.unit(2, REFORM).name == "Tỉnh"


def test_a_withdrawn_number_is_never_given_again() -> None:
    directory = directory_of([*small_tree(), unit(9, "H22.32.22", 4, 4, tags=("xã",))])
    do(directory, Correction("x", fixes=(Fix(9, withdrawn=True),)))
    again = unit(9, "H22.40", 3, 2)
    opening = Opening(msgspec.structs.replace(again, valid_from=0))
    changes: list[DirectoryChange] = [
        Correction("x", known_later=(again,)),
        Reorganisation(REFORM, "x", (opening,)),
    ]
    for change in changes:
        with pytest.raises(InputError, match=r"number \("):
            directory.plan(change)
    with pytest.raises(InputError, match=r"row\[0\].number"):
        directory.plan_import([again])


def test_a_unit_that_is_to_close_can_change_until_then() -> None:
    directory = directory_of(small_tree())
    close(directory, 8, REFORM, 7)
    do(directory, Reorganisation(REFORM - DAY, "x", (Changing(8, name="Xã Tạm"),)))
    assert directory.unit(8, REFORM - 1).name == "Xã Tạm"
    for event in (Closing(8), Changing(8, name="Xã Sau")):
        with pytest.raises(InputError, match="closed on 2025-07-01 already"):
            directory.plan(Reorganisation(REFORM, "x", (event,)))


def test_a_very_long_chain_of_successors_is_followed() -> None:
    count = 1_500
    units = [unit(1, "G22", 1)]
    units += [
        unit(n, f"H{n}", 2, 1, valid_to=START + n, successors=(n + 1,)) for n in range(2, count)
    ]
    units.append(unit(count, f"H{count}", 2, 1))
    assert directory_of(units).successors(2, REFORM) == (count,)


@pytest.mark.parametrize(
    ("fix", "path"),
    [
        (Fix(5, until=10**30, name="a"), "until"),
        (Fix(5, since=(1 << 63) - 2, name="a"), "since"),
        (Fix(5, since=-5, opened_at=START - DAY, name="a"), "since"),
        (Fix(5, parent=1 << 40), "parent"),
        (Fix(5, parent=-1), "parent"),
        (Fix(5, closed_at=1 << 70), "closed_at"),
        (Fix(5, closed_at=1 << 62), "closed_at"),
        (Fix(5, closed_at=REFORM, successors=(7, 7)), "successors"),
    ],
)
def test_a_fix_out_of_range_is_refused_by_its_field(fix: Fix, path: str) -> None:
    with pytest.raises(InputError) as caught:
        directory_of(small_tree()).plan(Correction("x", fixes=(fix,)))
    assert caught.value.path == f"fixes[0].{path}"


@pytest.mark.parametrize("parent", [-2, 1 << 40])
def test_a_parent_out_of_range_is_refused(parent: int) -> None:
    directory = directory_of(small_tree())
    new = unit(100, "H99", 4, parent)
    with pytest.raises(InputError, match=r"known_later\[0\].parent"):
        directory.plan(Correction("x", known_later=(new,)))
    opening = Opening(msgspec.structs.replace(new, valid_from=0))
    with pytest.raises(InputError, match=r"events\[0\].unit.parent"):
        directory.plan(Reorganisation(REFORM, "x", (opening,)))


def test_a_record_with_numbers_out_of_range_is_corrupt() -> None:
    big = unit(1 << 40, "H1", 300, 1 << 50)
    added = UnitsAdded((big,), count=1)
    added = msgspec.structs.replace(added, digest=digest_of([added]))
    for body in (UnitClosed(1 << 40, 5), UnitClosed(5, (1 << 64) - 1), added):
        with pytest.raises(StorageError, match=r"store\.corrupt"):
            directory_of(small_tree()).apply(encode_change(body), 9)


def test_a_record_whose_text_is_no_utf_8_is_corrupt() -> None:
    (body,) = Directory().plan_import(small_tree())
    damaged = encode_change(body).replace(b"people-committee", b"people-\xa4ommittee")
    with pytest.raises(StorageError, match=r"store\.corrupt"):
        decode_change(damaged)


def test_units_that_are_no_tree_are_a_corrupt_store() -> None:
    (body,) = Directory().plan_import(small_tree())
    lost = msgspec.structs.replace(body, parent=b"\x63\0\0\0" + body.parent[4:])
    lost = msgspec.structs.replace(lost, digest=digest_of([lost]))
    directory = Directory()
    directory.apply(encode_change(lost), 1)
    with pytest.raises(StorageError, match="parent of unit 1"):
        directory.snapshot(REFORM)


def test_nothing_follows_a_change_that_was_learnt_by_half(monkeypatch: pytest.MonkeyPatch) -> None:
    directory = directory_of(small_tree())
    bodies = directory.plan(Reorganisation(REFORM, "x", (Changing(5, name="Xã Hai"),)))

    def no_memory(*_: object) -> set[int]:
        raise MemoryError

    with monkeypatch.context() as patched:
        patched.setattr(directory_module, "add_part", no_memory)
        with pytest.raises(MemoryError):
            directory.apply(bodies[0], 2)
    with pytest.raises(StorageError, match="half"):
        directory.apply(bodies[0], 3)
    assert isinstance(bodies[0], FactsLearnt)
    assert directory.unit(5, REFORM).name == "Đơn vị H22.31.20"


def test_an_import_of_many_dates_is_tried_when_its_parents_change() -> None:
    directory = directory_of([unit(1, "G22", 1), unit(2, "H02", 2, 1)])
    do(
        directory,
        Reorganisation(START + 1_000, "x", (Changing(2, tier=3),)),
        Reorganisation(START + 1_001, "x", (Changing(2, tier=2),)),
    )
    rows = [
        unit(10 + n, f"H{n + 100}", 2, 2, valid_from=START + 1, valid_to=START + 2_000 + n)
        for n in range(300)
    ]
    with pytest.raises(InputError, match=r"row\[0\].tier"):
        directory.plan_import(rows)
