"""A selector built to be slow or deep must be refused, with a clear error and no crash."""

from __future__ import annotations

import pytest
from support.forests import RowLookup

from router import selectors
from router._core import Hierarchy
from router.errors import RecipientError
from router.limits import (
    SELECTOR_CHARS_MAX,
    SELECTOR_DEPTH_MAX,
    SELECTOR_NODES_MAX,
    SELECTOR_SET_FUNCTIONS_MAX,
)

ROWS = [(number, 4, 0, 0) for number in range(1, 10)]
HIERARCHY = Hierarchy(ROWS)
LOOKUP = RowLookup(ROWS, HIERARCHY)


def refused(text: str) -> RecipientError:
    with pytest.raises(RecipientError) as caught:
        selectors.compile_program(selectors.parse(text), LOOKUP)
    return caught.value


@pytest.mark.parametrize("opening", ["(", "children(", "all-(", "all&all|("])
def test_nesting_without_end_is_refused(opening):
    error = refused((opening * SELECTOR_CHARS_MAX)[:SELECTOR_CHARS_MAX])
    assert error.code in ("selector.too_large", "selector.syntax")


def test_nesting_is_allowed_to_its_bound_exactly():
    depth = SELECTOR_DEPTH_MAX - 1
    selectors.parse("(" * depth + "H1" + ")" * depth)
    assert refused("(" * (depth + 1) + "H1" + ")" * (depth + 1)).code == "selector.too_large"


def test_parts_are_allowed_to_their_bound_exactly():
    fits = "|".join(["H1"] * (SELECTOR_NODES_MAX - 1))
    program = selectors.compile_program(selectors.parse(fits), LOOKUP)
    assert HIERARCHY.evaluate(program).size == 1
    assert refused(fits + "|H2").code == "selector.too_large"


def test_too_many_characters_are_refused_before_reading():
    assert refused(" " * (SELECTOR_CHARS_MAX + 1)).code == "selector.too_large"


def test_functions_of_many_units_are_counted():
    fits = "|".join(["children(all)"] * SELECTOR_SET_FUNCTIONS_MAX)
    selectors.compile_program(selectors.parse(fits), LOOKUP)
    assert refused(fits + "|children(all)").code == "selector.too_large"
    selectors.compile_program(selectors.parse("|".join(["children(H1)"] * 200)), LOOKUP)


@pytest.mark.parametrize(
    ("text", "position", "words"),
    [
        ("", 0, "the end found"),
        ("   ", 3, "the end found"),
        ("H1 |", 4, "expected"),
        ("| H1", 0, "expected"),
        ("(H1", 3, "“)” expected"),
        ("H1)", 2, "“)” found"),
        ("tier()", 5, "name of a tier"),
        ("tier(4)", 5, "name of a tier"),
        ("tier", 4, "needs parentheses"),
        ("H1 & H2 | H3", 8, "write parentheses"),
        ("H1 - H2 & H3", 8, "write parentheses"),
        ("all(H1)", 0, "no function"),
        ("é", 0, "“é” is no unit"),
        ("H1.", 0, "no unit's code"),
        ("A" * 36, 0, "no unit's code"),
    ],
)
def test_a_syntax_error_says_where_and_what(text, position, words):
    error = refused(text)
    assert error.code == "selector.syntax"
    assert error.facts["position"] == position
    assert words in str(error.facts["reason"])
