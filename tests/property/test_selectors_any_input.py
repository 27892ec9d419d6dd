"""Any text and any JSON is read or refused with a RecipientError, quickly; never a crash.

What is read has one canonical text and one JSON form, and both read back as the same.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import TypeVar

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from support.forests import RowLookup, expressions, forests
from support.oracle import text_of

from router import selectors
from router._core import Hierarchy
from router.errors import RecipientError
from router.limits import SELECTOR_DEPTH_MAX, SELECTOR_JSON_BYTES_MAX, SELECTOR_NODES_MAX
from router.selectors import parsing

T = TypeVar("T")
CODES = {"selector.syntax", "selector.too_large", "selector.malformed"}
WORDS = [
    "H22", "h22.31", "gso:00688", "EDOC:A", '"a:b-c"', '"all"', "all", "sender", "children(",
    "descendants(", "parent(", "siblings(", "subtree(", "tier(", "kind(", "tag(", "group(",
    "xã", '"đặc khu"', '" a  b "', "(", ")", "|", "&", "-", "@", "2025-06-30", ",", "“", '"',
    "2025-06-30T08:00:00+07:00", "2025-06-30T08:00Z", "2025-13-01", "1969-12-31", " ", "\n",
    "İ", "ΐ", "ß", "\u0958", "\ud800", "\u200b", "\x00",
]  # fmt: skip
texts = st.lists(st.sampled_from(WORDS), max_size=14).map(" ".join) | st.lists(
    st.sampled_from(WORDS), max_size=8
).map("".join)


def attempt(work: Callable[[], T]) -> tuple[T | None, RecipientError | None]:
    """Return what came of it, or the one kind of error that is allowed."""
    try:
        return work(), None
    except RecipientError as error:
        return None, error


def read(text: str) -> selectors.Node | None:
    node, error = attempt(lambda: selectors.parse(text))
    if error is not None:
        assert error.code in CODES
        if error.code == "selector.syntax":
            assert 0 <= error.facts["position"] <= len(text)
            assert error.facts["reason"]
    return node


def bare(node: selectors.Node) -> object:
    """A node without its positions."""
    return selectors.to_builtins(node)


@given(texts | st.text(max_size=60))
@example('tag("") | H22')
@example("tier(\u0958)")
@example('"\ud800:a"')
@example("a:\u00df")
@example("A:ΐ")
def test_any_text_is_read_or_refused_and_what_is_read_reads_back(text):
    node = read(text)
    if node is not None:
        canonical = selectors.render(node)
        again = selectors.parse(canonical)
        assert selectors.render(again) == canonical
        assert bare(again) == bare(node)
        assert selectors.from_json(selectors.to_json(node)) == again
        selectors.instant_of_selector(node)


QUICK = [
    "H22", "H22.31.20", "ALL", "SENDER", "TIER", "A" * 36, "H22 (", "tier(x)", "tier(x) (",
    "kind(a-b)", "tier(Tier)", "kind( a )", "children(", "children (", "subtree(H22)", "(", ")",
    " | ", "|", " & ", " - ", "-", " @ 2025-06-30", ".", " ", "  ",
]  # fmt: skip


@given(st.lists(st.sampled_from(QUICK), max_size=9).map("".join) | texts)
@example("ALL")
@example("ALL (")
@example("H22 | TIER")
@example("A" * 36)
def test_the_quick_reading_of_an_operand_is_the_careful_one(text):
    quick = attempt(lambda: selectors.parse(text))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parsing, "_QUICK", re.compile("(?!)"))
        careful = attempt(lambda: selectors.parse(text))
    assert quick[0] == careful[0]
    assert repr(quick[1]) == repr(careful[1])


names = st.text(max_size=12) | st.sampled_from(
    ["xã", "H22", "a b", 'x") | all | tag("y', "H1 | H2"]
)
json_nodes = st.recursive(
    st.one_of(
        st.fixed_dictionaries({"type": st.just("code"), "code": names}),
        st.fixed_dictionaries({"type": st.sampled_from(["all", "sender"])}),
        st.fixed_dictionaries(
            {"type": st.sampled_from(["tier", "kind", "tag", "group"]), "name": names}
        ),
    ),
    lambda inner: st.one_of(
        st.fixed_dictionaries({
            "type": st.sampled_from(["children", "parent", "siblings", "subtree"]), "of": inner,
        }),
        st.fixed_dictionaries({
            "type": st.sampled_from(["union", "difference", "intersection"]),
            "of": st.lists(inner, max_size=4),
        }),
        st.fixed_dictionaries({
            "type": st.just("at"), "of": inner,
            "at": st.sampled_from(["2025-06-30", "2025-06-30T01:00Z", "x) | all"]) | names,
        }),
    ),
    max_leaves=8,
)  # fmt: skip
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["type", "of", "code", "name", "position"]), inner)
    ),
    max_leaves=6,
)


@given(json_nodes | anything)
@example({"type": "union", "of": [{"type": "tag", "name": "0\x85"}, {"type": "all"}]})
@example({"type": "union", "of": [{"type": "code", "code": " h22 "}, {"type": "all"}]})
def test_any_json_is_read_or_refused_and_says_what_its_text_says(value):
    node, error = attempt(lambda: selectors.from_json(json.dumps(value)))
    if error is not None or node is None:
        assert error is not None
        assert error.code in CODES
        return
    assert selectors.parse(selectors.render(node)) == node
    assert selectors.from_json(selectors.to_json(node)) == node
    assert shape(selectors.to_builtins(node)) == shape(value)


def shape(value: object) -> object:
    """What a JSON form means, but for the spelling of names: its types, one within the other."""
    if isinstance(value, dict):
        return (value["type"], shape(value.get("of")))
    return [shape(part) for part in value] if isinstance(value, list) else None


@given(st.binary(max_size=60))
def test_any_bytes_are_no_crash(data):
    _, error = attempt(lambda: selectors.from_json(data))
    assert error is None or error.code in CODES


@given(forests(15), st.data())
def test_both_forms_select_the_same(rows, data):
    hierarchy = Hierarchy(rows)
    lookup = RowLookup(rows, hierarchy)
    expression = data.draw(expressions(rows))
    node = selectors.parse(text_of(expression))
    program = selectors.compile_program(
        selectors.from_json(selectors.to_json(node)), lookup, sender=lookup.sender
    )
    answer = hierarchy.evaluate(program)
    assert set(hierarchy.numbers(answer)) == lookup.oracle.evaluate(expression)


@given(forests(15), st.data())
def test_a_group_means_what_its_selector_means(rows, data):
    hierarchy = Hierarchy(rows)
    lookup = RowLookup(rows, hierarchy)
    inner, outer = data.draw(expressions(rows)), data.draw(expressions(rows))
    lookup.groups = {"trong": text_of(inner), "ngoài": f'group("trong") | ({text_of(outer)})'}
    selectors.check_groups(lookup.groups)
    node = selectors.parse('group("ngoài")')
    wanted = lookup.oracle.evaluate(inner) | lookup.oracle.evaluate(outer)
    program, error = attempt(lambda: selectors.compile_program(node, lookup, sender=lookup.sender))
    if program is None:
        assert error is not None
        assert error.code == "group.empty"
        assert not lookup.oracle.evaluate(inner)
        return
    answer = hierarchy.evaluate(program)
    assert set(hierarchy.numbers(answer)) == wanted
    for position in range(hierarchy.size):
        steps = selectors.explain(node, lookup, position, sender=lookup.sender)
        assert steps[-1]["matched"] == (position in answer)


def nested(opening: str, inner: str, closing: str, depth: int) -> str:
    return opening * depth + inner + closing * depth


@pytest.mark.parametrize(
    ("opening", "inner", "closing"),
    [
        ("(", "H22", ")"),
        ("subtree(", "H22", ")"),
        ("all - (", "H22", ")"),
        ("(H22 | children(", "H22", "))"),
        ("(", "", ""),
    ],
)
def test_ten_thousand_levels_of_text_are_refused(opening, inner, closing):
    text = nested(opening, inner, closing, 10_000)
    with pytest.raises(RecipientError, match=r"selector\.too_large"):
        selectors.parse(text[:65_536])


@pytest.mark.parametrize(
    ("opening", "closing"),
    [
        ('{"type":"subtree","of":', "}"),
        ('{"type":"union","of":[{"type":"all"},', "]}"),
        ("[", "]"),
        ('{"a":', "}"),
        ("[", ""),
    ],
)
def test_ten_thousand_levels_of_json_are_refused(opening, closing):
    for depth in (SELECTOR_DEPTH_MAX * 3, 1_000, 10_000):
        text = nested(opening, '{"type":"all"}', closing, depth)
        with pytest.raises(RecipientError, match=r"selector\.(too_large|malformed)"):
            selectors.from_json(text)


def test_the_deepest_text_has_a_json_form():
    depth = SELECTOR_DEPTH_MAX - 1
    for opening, closing in (("(H22 | children(", "))"), ("(H22 | ", ")"), ("parent(", ")")):
        levels = depth // opening.count("(")
        node = selectors.parse(nested(opening, "H22", closing, levels))
        assert selectors.render(selectors.from_json(selectors.to_json(node))) == (
            selectors.render(node)
        )
    levels = nested("children(H22 | ", "H22", ")", depth)
    assert selectors.from_json(selectors.to_json(selectors.parse(levels)))


def test_the_longest_list_has_a_json_form_and_one_more_is_refused():
    text = " | ".join(["H22"] * (SELECTOR_NODES_MAX - 1))
    data = selectors.to_json(selectors.parse(text))
    assert len(data) < SELECTOR_JSON_BYTES_MAX
    assert selectors.render(selectors.from_json(data)) == text
    longer = data.replace(b"[", b'[{"type":"all"},', 1)
    with pytest.raises(RecipientError, match=r"selector\.too_large"):
        selectors.from_json(longer)
    with pytest.raises(RecipientError, match=r"selector\.too_large"):
        selectors.from_json(b" " * (SELECTOR_JSON_BYTES_MAX + 1))


def test_a_member_written_twice_is_refused():
    with pytest.raises(RecipientError, match="stands twice"):
        selectors.from_json('{"type":"code","code":"H22","code":"H23"}')
