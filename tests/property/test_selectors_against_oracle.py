"""A selector's text must select whom the oracle's sets select, and be explained the same."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st
from support.forests import RowLookup, expressions, forests
from support.oracle import text_of

from router import selectors
from router._core import Hierarchy
from router.errors import RecipientError


@given(forests(25), st.data())
def test_text_to_audience_is_what_the_oracle_says(rows, data):
    hierarchy = Hierarchy(rows)
    lookup = RowLookup(rows, hierarchy)
    oracle = lookup.oracle
    wanted = data.draw(st.lists(expressions(rows), min_size=1, max_size=4))
    nodes = [selectors.parse(text_of(expression)) for expression in wanted]
    programs = [selectors.compile_program(node, lookup, sender=lookup.sender) for node in nodes]
    answers = hierarchy.evaluate_batch(programs)
    for expression, program, audience in zip(wanted, programs, answers, strict=True):
        assert set(hierarchy.numbers(audience)) == oracle.evaluate(expression)
        assert hierarchy.evaluate(program) == audience


@given(forests(15), st.data())
def test_explanation_agrees_with_the_audience(rows, data):
    hierarchy = Hierarchy(rows)
    lookup = RowLookup(rows, hierarchy)
    node = selectors.parse(text_of(data.draw(expressions(rows))))
    program = selectors.compile_program(node, lookup, sender=lookup.sender)
    audience = hierarchy.evaluate(program)
    for position in range(hierarchy.size):
        steps = selectors.explain(node, lookup, position, sender=lookup.sender)
        assert steps[-1]["matched"] == (position in audience)
        assert all(step["because"] for step in steps)
        code = lookup.unit_at(position).code
        told = selectors.why(node, lookup, code, sender=lookup.sender)
        assert told.selected == (position in audience)
        assert (told.reason.code in ("excluded", "no-part-matched")) != told.selected
        assert told.reason.words
        assert told.reason.words_vi


@given(forests(15), st.data())
def test_canonical_text_reads_back_as_itself(rows, data):
    text = selectors.render(selectors.parse(text_of(data.draw(expressions(rows)))))
    assert selectors.render(selectors.parse(text)) == text
    noisy = text.replace(" ", "\n  ").replace("(", " ( ").lower()
    assert selectors.render(selectors.parse(noisy)) == text


@given(st.text("all()|&- tierkndscH22.\t31é\x00", max_size=60) | st.text(max_size=40))
def test_any_text_is_read_or_refused_with_a_position(text):
    refusal = None
    try:
        node = selectors.parse(text)
    except RecipientError as error:
        refusal = error
    if refusal is None:
        assert selectors.parse(selectors.render(node))
    else:
        assert refusal.code == "selector.syntax"
        assert 0 <= refusal.facts["position"] <= len(text)
        assert refusal.facts["reason"]


@given(st.integers(2, 200), st.integers(0, 2**32))
def test_long_lists_select_every_unit_listed(count, seed):
    rows = [(number, 4, 0, 0) for number in range(1, 301)]
    hierarchy = Hierarchy(rows)
    lookup = RowLookup(rows, hierarchy)
    listed = random.Random(seed).sample(range(1, 301), count)
    text = " | ".join(f"H{number}" for number in listed)
    for wanted, selector in ((set(listed), text), (set(range(1, 301)) - set(listed), None)):
        node = selectors.parse(selector or "all - " + text.replace("|", "-"))
        audience = hierarchy.evaluate(selectors.compile_program(node, lookup))
        assert set(hierarchy.numbers(audience)) == wanted
