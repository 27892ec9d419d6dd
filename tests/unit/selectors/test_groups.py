"""A named group means who it means at the document's instant, or is refused aloud.

A group that silently became empty, or silently stopped excluding, sends a document to the
wrong offices; that is how every system we know broke on 1 July 2025.
"""

from __future__ import annotations

import pytest
from support.sample_country import AFTER, BEFORE, SampleLookup, selected

from router import selectors
from router.errors import RecipientError
from router.limits import GROUP_DEPTH_MAX, GROUPS_PER_SELECTOR_MAX, SELECTOR_SET_FUNCTIONS_MAX
from router.model.reorganisations import GroupDefined
from router.selectors import check_groups, read_definition

DISTRICTS = 'group("UBND các huyện, thành phố")'


class Defining(SampleLookup):
    """The sample country with other groups."""

    def __init__(self, groups: dict[str, str]) -> None:
        super().__init__()
        self.groups = groups

    def group_of(self, name: str) -> GroupDefined | None:
        return GroupDefined(name, self.groups[name]) if name in self.groups else None


def refused(text: str, lookup: SampleLookup = BEFORE, skip=None) -> RecipientError:
    with pytest.raises(RecipientError) as caught:
        selectors.compile_program(selectors.parse(text), lookup, skip, sender=lookup.sender)
    return caught.value


def refused_definitions(groups: dict[str, str]) -> RecipientError:
    with pytest.raises(RecipientError) as caught:
        check_groups(groups)
    return caught.value


@pytest.mark.parametrize(
    ("text", "position"),
    [
        (DISTRICTS, 0),
        (f"H23 | {DISTRICTS}", 6),
        (f"all - {DISTRICTS}", 6),
        (f"all & {DISTRICTS}", 6),
        (f"H23 | subtree({DISTRICTS})", 14),
    ],
)
def test_a_group_that_became_empty_is_refused_wherever_it_stands(text, position):
    assert selected(text)
    error = refused(text, AFTER)
    assert error.code == "group.empty"
    assert error.facts == {"name": "UBND các huyện, thành phố", "position": position}


def test_a_group_that_became_empty_within_another_is_named_with_it():
    error = refused('H23 | group("toàn tỉnh")', AFTER)
    assert error.code == "group.empty"
    assert error.facts["name"] == "UBND các huyện, thành phố"
    assert error.facts["group"] == "toàn tỉnh"
    assert error.facts["position"] == 6


def test_an_empty_group_is_skipped_only_where_it_leaves_people_out():
    skip: list[selectors.Skipped] = []
    node = selectors.parse(f"H23 | {DISTRICTS}")
    program = selectors.compile_program(node, AFTER, skip, sender=AFTER.sender)
    assert AFTER.hierarchy.evaluate(program).size == 1
    assert skip == [(DISTRICTS, "group.empty")]
    assert refused(f"all - {DISTRICTS}", AFTER, []).code == "group.empty"
    assert refused(f"{DISTRICTS} | (all - {DISTRICTS})", AFTER, []).code == "group.empty"


def test_a_group_of_the_sender_is_about_who_sends():
    node = selectors.parse('group("các sở, ban, ngành")')
    hierarchy = BEFORE.hierarchy
    theirs = selectors.compile_selector(node, BEFORE, sender=BEFORE.sender)
    assert theirs.uses_sender
    assert hierarchy.evaluate(theirs.program).size == 2
    with pytest.raises(RecipientError, match=r"selector\.no_sender") as caught:
        selectors.compile_program(node, BEFORE)
    assert caught.value.facts == {"group": "các sở, ban, ngành", "position": 0}
    with pytest.raises(RecipientError, match=r"group\.empty"):
        selectors.compile_program(node, BEFORE, sender=BEFORE.position_of("H23"))
    assert not selectors.compile_selector(
        selectors.parse('group("các Bộ, cơ quan ngang Bộ")'), BEFORE
    ).uses_sender


def test_what_is_wrong_within_a_group_is_told_of_the_group():
    error = refused('H22 | group("a")', Defining({"a": "H23 | H99"}))
    assert error.code == "recipient.unknown"
    assert error.facts == {"unit": "H99", "group": "a", "position": 6}


def test_groups_in_a_ring_are_refused_with_the_chain():
    ring = {"a": 'group("b")', "b": 'H22 | group("c")', "c": 'all - group("b")', "d": "all"}
    for error in (refused('group("a")', Defining(ring)), refused_definitions(ring)):
        assert error.code == "group.cycle"
        assert error.facts["chain"] == "b → c → b"
    assert refused_definitions({"a": 'group("a")'}).facts["chain"] == "a → a"
    with pytest.raises(RecipientError, match=r"group\.cycle"):
        selectors.explain(selectors.parse('group("a")'), Defining(ring), 0)


def chain(length: int) -> dict[str, str]:
    groups = {f"g{n}": f'group("g{n + 1}")' for n in range(1, length)}
    return {**groups, f"g{length}": "H22"}


def test_groups_are_nested_to_their_bound_exactly():
    check_groups(chain(GROUP_DEPTH_MAX))
    lookup = Defining(chain(GROUP_DEPTH_MAX))
    program = selectors.compile_program(selectors.parse('group("g1")'), lookup)
    assert lookup.hierarchy.evaluate(program).size == 1
    deeper = chain(GROUP_DEPTH_MAX + 1)
    assert refused_definitions(deeper).code == "selector.too_large"
    assert refused('group("g1")', Defining(deeper)).code == "selector.too_large"
    check_groups(dict(reversed(chain(GROUP_DEPTH_MAX).items())))


def test_deep_groups_of_deep_selectors_are_refused_without_exhausting_the_stack():
    deep = 31
    groups = {
        f"g{n}": "children(all|" * deep + f'group("g{n + 1}")' + ")" * deep for n in range(1, 16)
    }
    groups["g16"] = "all"
    assert refused('group("g1")', Defining(groups)).code == "selector.too_large"


def test_many_groups_are_bounded():
    groups = {f"g{n}": "H22" for n in range(GROUPS_PER_SELECTOR_MAX + 1)}
    text = "|".join(f'group("{name}")' for name in groups)
    assert refused(text, Defining(groups)).code == "selector.too_large"
    few = "|".join(['group("g1")'] * 1000)
    lookup = Defining(groups)
    program = selectors.compile_program(selectors.parse(few), lookup)
    assert lookup.hierarchy.evaluate(program).size == 1


def test_functions_of_many_units_are_counted_through_groups():
    half = SELECTOR_SET_FUNCTIONS_MAX // 2 + 1
    groups = {name: "|".join(["subtree(all)"] * half) for name in ("a", "b")}
    assert refused('group("a") | group("b")', Defining(groups)).code == "selector.too_large"
    selectors.compile_program(selectors.parse('group("a") | group("a")'), Defining(groups))


@pytest.mark.parametrize(
    ("name", "text", "code"),
    [
        ("a", "H22 @ 2025-06-30", "group.invalid"),
        ("a  b", "H22", "group.invalid"),
        (" a", "H22", "group.invalid"),
        ("", "H22", "group.invalid"),
        ("x" * 201, "H22", "group.invalid"),
        ('a"b', "H22", "group.invalid"),
        ("a\nb", "H22", "group.invalid"),
        ("So\u031b\u0309", "H22", "group.invalid"),
        ("a", "H22 H23", "selector.syntax"),
        ("a", "", "selector.syntax"),
        ("a", "(" * 10_000, "selector.too_large"),
    ],
)
def test_a_definition_that_could_not_be_read_is_refused(name, text, code):
    with pytest.raises(RecipientError) as caught:
        read_definition(name, text)
    assert caught.value.code == code
    named = caught.value.facts["name" if code == "group.invalid" else "group"]
    assert str(named)[:20] == name[:20]


def test_a_definition_that_names_an_unknown_group_is_refused_with_near_names():
    error = refused_definitions({"các sở": "all", "b": 'group("cac so")'})
    assert error.code == "group.unknown"
    assert error.facts["known"] == "“các sở”"
    assert error.facts["group"] == "b"


def test_a_group_is_written_in_any_unicode_form_and_spacing():
    assert selected('group("  ca\u0301c Bô\u0323,  cơ quan ngang Bộ ")') == {"G09", "G15"}
