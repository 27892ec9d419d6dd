"""A clerk's usual mistakes in a selector are answered with what to write instead."""

from __future__ import annotations

import unicodedata

import pytest
from support.sample_country import BEFORE

from router.errors import RecipientError
from router.selectors import compile_program, instant_of_selector, parse, render
from router.selectors.nodes import GroupNode, KindNode, TagNode, TierNode


@pytest.mark.parametrize(
    ("text", "position", "said"),
    [
        ("H22.31, H22.32", 6, "write “|” between recipients"),
        ("(H22.31; H22.32)", 7, "write “|” between recipients"),
        ("H22.31 + H22.32", 7, "write “|” between recipients"),
        ("all – H22.32", 4, "write a plain hyphen to take away"),
        ("group(“các sở”)", 6, 'write straight quotation marks (")'),
        ('group("các sở)', 6, "the quotation mark is not closed"),
        ("group(các sở) | H22", 6, 'group("các sở")'),
        ('tag("")', 4, "a name is empty"),
        ("tag(thị trấn)", 4, "in quotation marks"),
        ('tier("hai chữ")', 5, "is one word"),
        ("siblngs(H22)", 0, "did you mean “siblings”?"),
        ("sender(H22)", 0, "write “sender” without parentheses"),
        ("siblings", 8, "needs parentheses"),
        ("H22 \u200b| H23", 4, "U+200B found"),
        ("(H22 @ 2025-06-30) | H23", 5, "at the end of the whole selector"),
        ("H22 @ 2025-06-30 @ 2025-06-30", 17, "at the end of the whole selector"),
        ("H22 @ yesterday", 6, "a date such as 2025-06-30"),
        ("H22 @", 5, "a date such as 2025-06-30"),
        ("H22 @ 2025-02-29", 6, "no such day"),
        ("H22 @ 2025-06-30T08:00", 6, "needs its zone"),
        ("H22 @ 1969-12-31", 6, "between 1970 and 9999"),
        ("H22 @ 9999-12-31T23:59-12:00", 6, "between 1970 and 9999"),
        ("decendants(H22)", 0, "did you mean “descendants”?"),
        ("child(H22)", 0, "did you mean “children”?"),
        ("zzz(H22)", 0, "there are children, descendants, parent, siblings, subtree, tier, kind"),
        ("UBND xã Quang Trung", 5, "named by code, e.g. H22.32.21"),
        ("Ủy ban", 0, "“Ủy” is no unit's code"),
        ("H22 | Sở Nội vụ", 6, "“Sở” is no unit's code"),
        (unicodedata.normalize("NFD", "Sở"), 0, "is no unit's code"),
    ],
)
def test_a_mistake_is_answered_with_what_to_write(text, position, said):
    with pytest.raises(RecipientError) as caught:
        parse(text)
    assert caught.value.code == "selector.syntax"
    assert caught.value.facts["position"] == position
    assert said in str(caught.value.facts["reason"])


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_a_vietnamese_name_of_a_tier_or_kind_stays_one_word(form):
    name = unicodedata.normalize(form, "huyện")
    assert parse(f"tier({name})") == TierNode("huyện", 0)
    assert parse(f"kind( {name} )") == KindNode("huyện", 0)
    assert parse(f"tag({name})") == TagNode("huyện", 0)
    assert parse(f'group("{name}")') == GroupNode("huyện", 0)


def test_no_break_spaces_from_a_word_processor_are_blanks():
    assert render(parse("H22\u00a0|\u00a0H23")) == "H22 | H23"


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("H22@2025-06-30T00:00+07:00", "H22 @ 2025-06-30"),
        ("H22 @ 2025-06-29T17:00:00Z", "H22 @ 2025-06-30"),
        ("H22 @ 2025-06-30T01:00:00.5Z", "H22 @ 2025-06-30T08:00:00.500000+07:00"),
        ("A | B @ 2025-06-30", "A | B @ 2025-06-30"),
    ],
)
def test_an_instant_has_one_canonical_text(text, canonical):
    node = parse(text)
    assert render(node) == canonical
    assert instant_of_selector(node) == instant_of_selector(parse(canonical))


@pytest.mark.parametrize(
    ("text", "known"),
    [
        ("tier(comune)", "commune, central"),
        ("kind(goverment)", "government, "),
        ("tag(thi)", "thị trấn, xã"),
        ("tag(XA)", "xã, thị trấn"),
    ],
)
def test_an_unknown_name_is_answered_with_the_nearest_first(text, known):
    with pytest.raises(RecipientError) as caught:
        compile_program(parse(text), BEFORE)
    assert str(caught.value.facts["known"]).startswith(known)
