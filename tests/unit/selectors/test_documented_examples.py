"""docs/selectors.md is a promise: every example in it must select what it says.

A clerk copies from that page; an example that does not parse, or selects others than its
words say, sends documents astray.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from support.sample_country import GROUPS, lookup_for, selected

from router import selectors
from router.errors import RecipientError

PAGE = Path(__file__).parents[3] / "docs" / "selectors.md"


def table(heading: str) -> list[list[str]]:
    section = PAGE.read_text("utf-8").split(f"## {heading}")[1].split("\n## ")[0]
    rows = [
        [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        for line in section.splitlines()
        if line.startswith("| `")
    ]
    return [[row[0].strip("`").replace("\\|", "|"), *row[1:]] for row in rows]


def steps(selector: str, code: str) -> list[selectors.Step]:
    node = selectors.parse(selector)
    lookup = lookup_for(node)
    return selectors.explain(node, lookup, lookup.position_of(code), sender=lookup.sender)


def test_the_page_has_at_least_twenty_examples():
    assert len(table("Examples")) >= 20


@pytest.mark.parametrize(("selector", "words", "size"), table("Examples"))
def test_each_example_has_a_json_form_that_means_the_same(selector, words, size):
    node = selectors.parse(selector)
    assert selectors.render(selectors.from_json(selectors.to_json(node))) == selectors.render(node)


def test_the_groups_of_the_page_are_those_of_the_sample():
    assert {row[0]: row[1].strip("`").replace("\\|", "|") for row in table("Groups")} == GROUPS
    selectors.check_groups(GROUPS)


@pytest.mark.parametrize(("text", "form"), table("JSON form"))
def test_each_json_form_of_the_page_is_that_of_its_text(text, form):
    form = form.strip("`").replace("\\|", "|")
    assert selectors.to_json(selectors.parse(text)).decode() == form
    assert selectors.render(selectors.from_json(form)) == text


@pytest.mark.parametrize(("selector", "words", "size"), table("Examples"))
def test_each_example_selects_as_many_as_it_says(selector, words, size):
    assert len(selected(selector)) == int(size), words


@pytest.mark.parametrize(("selector", "code", "position", "remedy"), table("Mistakes"))
def test_each_mistake_is_answered_as_documented(selector, code, position, remedy):
    with pytest.raises(RecipientError) as caught:
        selected(selector)
    assert caught.value.code == code.strip("`"), remedy
    assert caught.value.facts["position"] == int(position)


def test_the_broadcast_selects_exactly_these():
    assert selected("(descendants(H22) & tier(commune)) - children(H22.31)") == {
        "H22.32.20",
        "H22.32.21",
        "H22.32.22",
    }


def test_an_unknown_recipient_is_skipped_only_where_it_leaves_people_out():
    skip: list[selectors.Skipped] = []
    assert selected("H22 | H99 | H23", skip) == {"H22", "H23"}
    assert skip == [("H99", "recipient.unknown")]
    for text in ("all - H99", "all - children(H99)", "all - (tier(province) & H99)"):
        with pytest.raises(RecipientError, match=r"recipient\.unknown"):
            selected(text, [])
    assert len(selected("all - (H22 - H99)", [])) == 14


def test_skipping_never_hides_a_wrong_name():
    for text in ("H22 | tier(ward)", "H22 | kind(bank)"):
        with pytest.raises(RecipientError, match=r"selector\.unknown"):
            selected(text, [])


def test_the_way_down_is_told():
    told = steps("descendants(H22)", "H22.31.20")
    assert told == [
        {
            "part": "descendants(H22)",
            "position": 0,
            "matched": True,
            "because": "is below H22 (through H22.31)",
            "because_vi": "thuộc H22 (qua H22.31)",
        }
    ]


def test_an_exclusion_is_told_with_its_reason():
    told = steps("tier(commune) - children(H22.31)", "H22.31.20")
    assert [step["because"] for step in told] == [
        "is of tier commune",
        "excluded by this part: is directly below H22.31",
        "is in an excluded part",
    ]
    assert [step["matched"] for step in told] == [True, True, False]
    assert told[1]["position"] == 16


def test_a_listed_unit_is_told_without_the_rest_of_the_list():
    told = steps("H22 | H23 | H22.31", "H23")
    assert [(step["part"], step["because"]) for step in told] == [
        ("H23", "is listed"),
        ("H22 | H23 | H22.31", "is in a part"),
    ]
