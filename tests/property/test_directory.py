"""Whatever is imported and closed, the directory answers as a slow reading of the rows would."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st
from support.units import directory_of

from router.directory import Directory, encode_change
from router.errors import InputError
from router.model.units import Unit

DAYS = 40
KINDS = ("people-committee", "department", "office")


@st.composite
def trees(draw: st.DrawFn) -> list[Unit]:
    """A few units with dates; each lies below an earlier one and opens no earlier than it."""
    units: list[Unit] = []
    for number in range(1, draw(st.integers(1, 12)) + 1):
        parent = draw(st.sampled_from([None, *units]))
        opens = draw(st.integers(parent.valid_from if parent else 0, DAYS // 2))
        units.append(
            Unit(
                number=number,
                code=f"H{number}",
                name=f"Đơn vị {number}",
                tier=draw(st.integers(parent.tier if parent else 1, 4)),
                kind=draw(st.sampled_from(KINDS)),
                parent=parent.number if parent else None,
                aliases=(f"000.00.00.H{number:02}",),
                valid_from=opens,
            )
        )
    return units


closings = st.lists(
    st.tuples(
        st.integers(1, 12),
        st.integers(1, DAYS),
        st.lists(st.integers(1, 12), max_size=3, unique=True),
    ),
    max_size=20,
)


def close_what_may(
    directory: Directory, wanted: Sequence[tuple[int, int, list[int]]]
) -> list[bytes]:
    done = []
    for number, day, successors in wanted:
        try:
            change = directory.plan_close(number, day, successors)
        except InputError:
            continue
        done.append(encode_change(change))
        directory.apply(change, directory.sequence + 1)
    return done


@settings(max_examples=150, deadline=None)
@given(trees(), closings)
def test_every_instant_is_answered_as_the_rows_say(
    units: list[Unit], wanted: list[tuple[int, int, list[int]]]
) -> None:
    directory = directory_of(units)
    close_what_may(directory, wanted)
    rows = {unit.number: unit for unit in directory.units()}
    for day in range(0, DAYS + 2, 3):
        open_now = {number for number, row in rows.items() if row.open_at(day)}
        snapshot = directory.snapshot(day)
        hierarchy = snapshot.hierarchy
        assert {snapshot.unit_at(place).number for place in range(len(snapshot))} == open_now
        for number, row in rows.items():
            found = directory.find(row.aliases[0], day)
            assert (found == row) == (number in open_now)
            assert snapshot.holds(day)
            if number in open_now:
                place = snapshot.position_of(row.code)
                assert hierarchy.number(place) == number
                assert set(snapshot.subscriptions_bytes(place)) == set(
                    directory.subscriptions(number)
                )
                above = hierarchy.parent(place)
                assert (above < 0) == (row.parent is None)
                assert above < 0 or hierarchy.number(above) == row.parent


@settings(max_examples=150, deadline=None)
@given(trees(), closings)
def test_each_address_has_one_holder_and_each_holder_knows_its_addresses(
    units: list[Unit], wanted: list[tuple[int, int, list[int]]]
) -> None:
    directory = directory_of(units)
    close_what_may(directory, wanted)
    rows = {unit.number: unit for unit in directory.units()}
    for day in range(0, DAYS + 2, 3):
        for number, row in rows.items():
            held = row
            while held.valid_to is not None and held.valid_to <= day and held.successors:
                held = rows[held.successors[0]]
            assert directory.holder(number, day) == held.number
            if held.valid_to is None or held.valid_to > day:
                assert number in directory.addresses(held.number, day)
            for other in rows:
                answers = number in directory.addresses(other, day)
                assert not answers or directory.holder(number, day) == directory.holder(other, day)


@settings(max_examples=100, deadline=None)
@given(trees(), closings)
def test_a_replay_of_the_records_gives_the_same_directory(
    units: list[Unit], wanted: list[tuple[int, int, list[int]]]
) -> None:
    bodies = [encode_change(body) for body in Directory().plan_import(units)]
    first = directory_of(units)
    bodies += close_what_may(first, wanted)
    second = Directory()
    for sequence, body in enumerate(bodies, 1):
        second.apply(body, sequence)
    assert list(first.units()) == list(second.units())
    assert (first.kinds, first.sequence) == (second.kinds, second.sequence)
    for sequence in range(len(bodies) + 1):
        for day in (0, DAYS // 2, DAYS):
            one, other = first.snapshot(day, sequence), second.snapshot(day, sequence)
            assert one.identity == other.identity
            assert [one.unit_at(p) for p in range(len(one))] == [
                other.unit_at(p) for p in range(len(other))
            ]
