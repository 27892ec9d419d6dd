"""The words of a letter mean other offices before and after a reform; each is told, none lost.

The whole way runs here: the directory learns units, groups and a reorganisation, compiles its
snapshots, and resolves and explains selectors against them.
"""

from __future__ import annotations

import pytest
from support.units import START, at, directory_of, small_tree, unit

from router.directory import Directory, Resolution, ResolveItem
from router.errors import InputError, VanbanError
from router.model.reorganisations import (
    Changing,
    DirectoryChange,
    GroupDefined,
    Merging,
    Reorganisation,
)
from router.selectors import parse, roll_up_lines, why, words_of_line

REFORM = at(2025, 7)
JUNE = REFORM - 1
PROVINCE = 2
DISTRICTS, DEPARTMENTS = "UBND các huyện, thành phố", "các sở, ban, ngành"


def learn(directory: Directory, change: DirectoryChange) -> None:
    for body in directory.plan(change):
        directory.apply(body, directory.sequence + 1)


@pytest.fixture
def directory() -> Directory:
    """Districts until June 2025; from July on their communes stand below the province."""
    departments = [
        unit(n, f"H22.0{n}", 2, PROVINCE, kind="department", tags=("sở",)) for n in (9, 10)
    ]
    made = directory_of([*small_tree(), *departments])
    learn(made, GroupDefined(DISTRICTS, "children(sender) & tier(district)", START))
    learn(made, GroupDefined(DEPARTMENTS, "children(sender) & tag(sở)", at(2025, 3)))
    learn(made, GroupDefined("toàn tỉnh", f'group("{DISTRICTS}") | group("{DEPARTMENTS}")'))
    moved = tuple(Changing(number, parent=PROVINCE) for number in (5, 6, 7, 8))
    ended = (Merging((3,), 5), Merging((4,), 7))
    learn(made, Reorganisation(REFORM, "Nghị quyết", (*moved, *ended)))
    return made


def answer(directory: Directory, selector: str, at_us: int, sender: int | None = PROVINCE):
    (found,) = directory.resolve_batch([ResolveItem(selector, at_us, sender=sender)])
    return found


def codes(found: Resolution | VanbanError) -> set[str]:
    assert isinstance(found, Resolution), found
    return {one.code for one in found.snapshot.units_of(found.audience)}


def test_a_group_of_groups_reaches_the_senders_own(directory):
    found = codes(answer(directory, 'group("toàn tỉnh")', JUNE))
    assert found == {"H22.31", "H22.32", "H22.09", "H22.010"}


@pytest.mark.parametrize("text", [f'group("{DISTRICTS}")', 'H22 | group("toàn tỉnh")'])
def test_a_group_emptied_by_the_reform_is_refused_and_yesterdays_still_resolves(directory, text):
    error = answer(directory, text, REFORM)
    assert (error.code, error.facts["name"]) == ("group.empty", DISTRICTS)
    assert len(codes(answer(directory, text + " @ 2025-06-30", REFORM))) >= 2


def test_a_group_before_its_definition_is_not_defined_then(directory):
    error = answer(directory, f'H22 | group("{DEPARTMENTS}")', at(2025, 2))
    assert error.code in ("group.undefined_then", "group.unknown")
    assert error.facts["position"] == 6


def test_relatives_follow_the_tree_of_their_time(directory):
    assert codes(answer(directory, "siblings(H22.31.20)", JUNE)) == {"H22.31.21"}
    assert len(codes(answer(directory, "siblings(H22.31.20)", REFORM))) == 5
    assert codes(answer(directory, "parent(H22.31.20)", REFORM)) == {"H22"}
    assert codes(answer(directory, "parent(H22.31.20) @ 2025-06-30", REFORM)) == {"H22.31"}


def test_why_is_told_on_both_sides_of_the_reform(directory):
    node = parse('group("toàn tỉnh")')
    before, after = directory.snapshot(JUNE), directory.snapshot(REFORM)
    told = why(node, before, "H22.31", sender=before.hierarchy.position(PROVINCE))
    assert told.selected
    assert told.reason.words == (
        f"in the group “toàn tỉnh”: in the group “{DISTRICTS}”: is directly below H22"
    )
    gone = why(parse("all"), after, "H22.31")
    assert (gone.selected, gone.reason.code) == (False, "merged")
    assert gone.reason.facts == {"date": "2025-07-01", "successor": "H22.31.20"}


def test_an_audience_is_summed_up_by_the_tree_of_its_time(directory):
    for at_us, words in (
        (JUNE, "Đơn vị H22: 2/2 districts, 3/4 communes"),
        (REFORM, "Đơn vị H22: 3/4 communes"),
    ):
        text = "(tier(district) | tier(commune)) - H22.31.21"
        found = answer(directory, text, at_us)
        _, province = roll_up_lines(found.snapshot, found.audience)
        assert words_of_line(province) == words


def test_groups_that_would_name_each_other_are_refused_when_defined(directory):
    with pytest.raises(InputError) as caught:
        directory.plan(GroupDefined(DISTRICTS, 'group("toàn tỉnh")', START))
    assert caught.value.code == "group.cycle"
    assert f"{DISTRICTS} → toàn tỉnh → {DISTRICTS}" in str(caught.value.facts["chain"]) or (
        f"toàn tỉnh → {DISTRICTS} → toàn tỉnh" in str(caught.value.facts["chain"])
    )
