"""Closings, successors, holders, snapshots and resolving, each in their own time."""

from __future__ import annotations

import pytest
from support.units import NOW, START, add, at, close, directory_of, small_tree, unit

from router import limits
from router.directory import Directory, Resolution, ResolveItem
from router.errors import InputError, NotFoundError, RecipientError, VanbanError
from router.messages import say
from router.model.units import Unit

REFORM = at(2025, 7)


def resolve(directory: Directory, selector: str, at_us: int = NOW) -> set[str]:
    (answer,) = directory.resolve_batch([ResolveItem(selector, at_us)])
    assert isinstance(answer, Resolution), answer
    return {found.code for found in answer.snapshot.units_of(answer.audience)}


def fails(directory: Directory, selector: str, at_us: int = NOW, skip: bool = False) -> VanbanError:
    (answer,) = directory.resolve_batch([ResolveItem(selector, at_us, skip)])
    assert isinstance(answer, VanbanError), answer
    assert answer.path == "recipients"
    for language in ("en", "vi"):
        assert "?" not in say(answer, language)[0]
    return answer


@pytest.fixture
def directory() -> Directory:
    return directory_of(small_tree())


def test_both_national_forms_and_any_case_mean_the_same_unit(directory: Directory) -> None:
    for code in ("H22.31.20", "000.20.31.H22", "h22.31.20", "000.20.31.h22"):
        assert resolve(directory, code) == {"H22.31.20"}
        found = directory.find(code, NOW)
        assert found is not None
        assert found.number == 5


def test_groups_resolve_over_the_tree(directory: Directory) -> None:
    assert resolve(directory, "children(H22)") == {"H22.31", "H22.32"}
    assert resolve(directory, "(descendants(H22) & tier(commune)) - descendants(H22.31)") == {
        "H22.32.20",
        "H22.32.21",
    }
    assert resolve(directory, "kind(government-office)") == {"G22"}
    assert len(resolve(directory, "all")) == 8


def test_an_unknown_unit_is_named_with_its_place(directory: Directory) -> None:
    error = fails(directory, "H22 | H22.99")
    assert (error.code, error.facts["unit"], error.facts["position"]) == (
        "recipient.unknown",
        "H22.99",
        6,
    )


def test_a_closed_unit_names_its_day_and_successor(directory: Directory) -> None:
    close(directory, 5, REFORM, 6)
    assert resolve(directory, "H22.31.20", REFORM - 1) == {"H22.31.20"}
    error = fails(directory, "H22.31.20", REFORM)
    assert error.code == "recipient.closed"
    assert error.facts["closed_at"] == "2025-07-01"
    assert error.facts["successor"] == "H22.31.21"
    assert error.facts["unit"] == "H22.31.20"


def test_a_chain_of_closures_leads_to_the_open_successor(directory: Directory) -> None:
    close(directory, 5, at(2020), 6)
    close(directory, 6, at(2022), 7)
    close(directory, 7, at(2024), 8)
    assert fails(directory, "H22.31.20").facts["successor"] == "H22.32.21"
    assert directory.holder(5, at(2019)) == 5
    assert directory.holder(5, at(2020)) == 6
    assert directory.holder(5, at(2023)) == 7
    assert directory.holder(5, NOW) == 8
    assert set(directory.addresses(8, NOW)) == {8, 7, 6, 5}
    assert directory.addresses(8, NOW)[0] == 8
    assert directory.addresses(8, at(2023)) == (8,)
    assert set(directory.addresses(7, at(2023))) == {5, 6, 7}


def test_a_split_unit_names_all_successors_and_the_first_holds_it(directory: Directory) -> None:
    close(directory, 5, at(2020), 8, 6)
    assert fails(directory, "H22.31.20").facts["successor"] == "H22.32.21, H22.31.21"
    assert directory.holder(5, NOW) == 8
    assert directory.addresses(6, NOW) == (6,)
    assert directory.addresses(8, NOW) == (8, 5)


def test_a_unit_closed_without_successor_holds_itself(directory: Directory) -> None:
    close(directory, 5, at(2020))
    assert fails(directory, "H22.31.20").facts["successor"] == "–"
    assert directory.holder(5, NOW) == 5


def test_a_unit_that_opens_later_is_not_open_yet(directory: Directory) -> None:
    add(directory, [unit(9, "H22.31.22", 4, 3, valid_from=at(2025))])
    error = fails(directory, "H22.31.22")
    assert error.code == "recipient.not_yet_open"
    assert error.facts["opens_at"] == "2025-01-01"
    assert resolve(directory, "H22.31.22", at(2025)) == {"H22.31.22"}
    assert "H22.31.22" not in resolve(directory, "all")


def test_a_code_taken_over_by_a_new_unit_means_each_in_its_time(directory: Directory) -> None:
    close(directory, 5, at(2020), 6)
    add(directory, [unit(9, "H22.31.20", 4, 3, valid_from=at(2022))])
    (before, between, after) = directory.resolve_batch(
        [ResolveItem("H22.31.20", when) for when in (at(2019), at(2021), at(2023))]
    )
    assert isinstance(before, Resolution)
    assert isinstance(after, Resolution)
    assert [found.number for found in before.snapshot.units_of(before.audience)] == [5]
    assert [found.number for found in after.snapshot.units_of(after.audience)] == [9]
    assert isinstance(between, RecipientError)
    assert between.code == "recipient.closed"


def test_before_its_beginning_the_directory_is_empty(directory: Directory) -> None:
    assert fails(directory, "all", START - 1).code == "audience.empty"
    assert fails(directory, "H22", START - 1).code == "recipient.not_yet_open"
    assert fails(Directory(), "all").code == "audience.empty"


def test_an_empty_audience_is_an_error(directory: Directory) -> None:
    assert fails(directory, "children(H22.31.20)").code == "audience.empty"
    assert fails(directory, "H22 - H22").code == "audience.empty"


def test_unknown_words_are_answered_with_the_known(directory: Directory) -> None:
    tier = fails(directory, "tier(village)")
    assert tier.code == "selector.unknown_tier"
    assert "commune" in str(tier.facts["known"])
    kind = fails(directory, "kind(bank)")
    assert kind.code == "selector.unknown_kind"
    assert kind.facts["known"] == "government-office, people-committee"
    assert fails(directory, "H22 |").code == "selector.syntax"


def test_one_bad_item_costs_the_others_nothing(directory: Directory) -> None:
    answers = directory.resolve_batch(
        [ResolveItem(text, NOW) for text in ("H22", "H99", "(", "H22", "H22.31", "H22 - H22")]
    )
    assert [isinstance(answer, Resolution) for answer in answers] == [
        True,
        False,
        False,
        True,
        True,
        False,
    ]


def test_with_skip_bad_units_are_left_out_and_told(directory: Directory) -> None:
    close(directory, 5, at(2020), 6)
    item = ResolveItem("H22 | H99 | H22.31.20", NOW, skip=True)
    (answer,) = directory.resolve_batch([item])
    assert isinstance(answer, Resolution)
    assert [found.code for found in answer.snapshot.units_of(answer.audience)] == ["H22"]
    assert answer.skipped == ("H99", "H22.31.20")
    assert fails(directory, "H99", skip=True).code == "audience.empty"


@pytest.mark.parametrize(
    ("number", "when", "successors", "path"),
    [
        (77, REFORM, (), "unit"),
        (5, START, (), "at"),
        (5, REFORM, (5,), "successors[0]"),
        (5, REFORM, (77,), "successors[0]"),
        (5, REFORM, (6, 6), "successors"),
        (5, REFORM, (8,), "successors[0]"),
        (8, REFORM, (), "unit"),
        (3, REFORM, (4,), "unit"),
    ],
)
def test_a_wrong_closing_is_refused(
    directory: Directory, number: int, when: int, successors: tuple[int, ...], path: str
) -> None:
    close(directory, 8, at(2025))
    with pytest.raises(InputError) as caught:
        directory.plan_close(number, when, successors)
    assert (caught.value.code, caught.value.path) == ("directory.invalid", path)


def test_a_unit_may_close_when_those_below_have_closed(directory: Directory) -> None:
    close(directory, 5, REFORM, 7)
    close(directory, 6, REFORM, 7)
    close(directory, 3, REFORM, 4)
    assert resolve(directory, "all", REFORM) == {"G22", "H22", "H22.32", "H22.32.20", "H22.32.21"}


def test_a_unit_may_not_close_before_one_that_closes_into_it(directory: Directory) -> None:
    close(directory, 5, REFORM, 7)
    for when in (at(2025), REFORM):
        with pytest.raises(InputError) as caught:
            directory.plan_close(7, when)
        assert caught.value.path == "at"
    close(directory, 7, REFORM + 1, 8)


def test_a_snapshot_is_kept_for_its_interval_and_as_known_then(directory: Directory) -> None:
    first = directory.snapshot(NOW)
    assert directory.snapshot(NOW + 1) is first
    assert first.identity == (1, START)
    close(directory, 5, at(2020), 6)
    second = directory.snapshot(NOW)
    assert second.identity == (2, at(2020))
    assert (len(first), len(second)) == (8, 7)
    again = directory.snapshot(NOW, sequence=1)
    assert again.identity == first.identity
    assert len(again) == 8
    assert len(directory.snapshot(NOW, sequence=0)) == 0
    assert directory.snapshot(at(2019)).valid_to == at(2020)


def test_a_snapshot_built_again_numbers_the_same(
    directory: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "SNAPSHOTS_CACHED_MAX", 8)
    before = directory.snapshot(NOW)
    for year in range(2030, 2050):
        add(
            directory,
            [unit(year, f"A{year}", 1, 1, valid_from=at(year), kind=f"k-{chr(year - 1933)}")],
        )
        directory.snapshot(at(year))
    again = directory.snapshot(NOW, sequence=1)
    assert again is not before
    assert [again.unit_at(n) for n in range(8)] == [before.unit_at(n) for n in range(8)]
    everything = before.hierarchy.everything()
    assert again.topics_bytes(everything) == before.topics_bytes(everything)


def test_subscriptions_of_an_inbox_are_the_same_in_every_snapshot(directory: Directory) -> None:
    before = directory.snapshot(NOW)
    close(directory, 8, at(2025), 7)
    add(directory, [unit(9, "H23", 2, 1, kind="department", valid_from=at(2025))])
    after = directory.snapshot(at(2025))
    for number in range(1, 8):
        expected = set(directory.subscriptions(number))
        for snapshot in (before, after):
            position = snapshot.hierarchy.position(number)
            assert set(snapshot.subscriptions_bytes(position)) == expected
            assert {len(topic) for topic in expected} == {7}


def test_who_is_addressed_finds_the_entry_by_its_subscriptions(directory: Directory) -> None:
    for selector in ("all", "children(H22)", "H22.31 | H22.32.20", "tier(commune)"):
        (answer,) = directory.resolve_batch([ResolveItem(selector, NOW)])
        assert isinstance(answer, Resolution)
        topics = set(answer.snapshot.topics_bytes(answer.audience))
        for found in answer.snapshot.units_of(answer.audience):
            assert topics & set(directory.subscriptions(found.number))


def test_a_sender_is_judged_at_the_issue_time(directory: Directory) -> None:
    close(directory, 5, REFORM, 6)
    assert directory.require("000.20.31.h22", NOW).number == 5
    for code, when, expected in (
        ("H99", NOW, "sender.unknown"),
        ("H22.31.20", REFORM, "sender.closed"),
        ("H22", START - 1, "sender.not_yet_open"),
    ):
        with pytest.raises(RecipientError) as caught:
            directory.require(code, when)
        assert caught.value.code == expected
        assert "?" not in say(caught.value)[0]


def test_an_unknown_number_is_not_found(directory: Directory) -> None:
    for ask in (directory.unit, directory.subscriptions):
        with pytest.raises(NotFoundError, match=r"unit\.not_found"):
            ask(77)
    with pytest.raises(NotFoundError):
        directory.holder(77, NOW)
    assert directory.find("H99", NOW) is None
    assert directory.find_any("H99") is None


def test_kinds_are_numbered_by_first_appearance(directory: Directory) -> None:
    assert directory.kinds == {"government-office": 1, "people-committee": 2}
    add(directory, [unit(9, "H22.01", 2, 2, kind="department")])
    assert directory.kinds["department"] == 3


def test_snapshots_are_cached_by_the_units_they_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "SNAPSHOT_UNITS_CACHED_MAX", 10)
    directory = Directory()
    units = [
        Unit(n, f"H{n}", f"Tỉnh {n}", 2, "people-committee", valid_from=n * 10) for n in range(1, 7)
    ]
    for sequence, change in enumerate(directory.plan_import(units), 1):
        directory.apply(change, sequence)
    small = [directory.snapshot(n * 10) for n in range(1, 5)]
    assert [directory.snapshot(n * 10) for n in range(1, 5)] == small, "1 + 2 + 3 + 4 units fit"
    directory.snapshot(60)
    assert directory.snapshot(40) is small[3]
    assert directory.snapshot(10) is not small[0]
