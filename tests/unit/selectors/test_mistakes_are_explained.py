"""A clerk's usual mistakes in a selector are answered with what to write instead."""

from __future__ import annotations

import unicodedata

import pytest

from router.errors import RecipientError
from router.selectors import parse
from router.selectors.nodes import GroupNode, KindNode, TagNode, TierNode


@pytest.mark.parametrize(
    ("text", "position", "said"),
    [
        ("H22.31, H22.32", 6, "write “|” between recipients"),
        ("(H22.31; H22.32)", 7, "write “|” between recipients"),
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
