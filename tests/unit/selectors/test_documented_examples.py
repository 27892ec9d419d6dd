"""docs/selectors.md is a promise: every example in it must select what it says.

A clerk copies from that page; an example that does not parse, or selects others than its
words say, sends documents astray.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from router import selectors
from router._core import Hierarchy
from router.errors import RecipientError
from router.model.units import TIER_NUMBERS, Unit

PAGE = Path(__file__).parents[3] / "docs" / "selectors.md"
KINDS = {"government": 0, "people-committee": 1, "department": 2}
UNITS = [
    ("G22", 1, "government", ""),
    ("H22", 2, "people-committee", ""),
    ("H23", 2, "people-committee", ""),
    ("H22.01", 2, "department", "H22"),
    ("H22.02", 2, "department", "H22"),
    ("H22.31", 3, "people-committee", "H22"),
    ("H22.32", 3, "people-committee", "H22"),
    *((f"H22.31.{n}", 4, "people-committee", "H22.31") for n in (20, 21, 22)),
    *((f"H22.32.{n}", 4, "people-committee", "H22.32") for n in (20, 21, 22)),
]
NUMBERS = {code: number for number, (code, *_) in enumerate(UNITS, 1)}
HIERARCHY = Hierarchy(
    [
        (NUMBERS[code], tier, KINDS[kind], NUMBERS.get(parent, 0))
        for code, tier, kind, parent in UNITS
    ]
)


class SampleLookup:
    kinds = KINDS

    def position_of(self, code: str) -> int:
        code = {"000.00.31.H22": "H22.31"}.get(code, code)
        if code not in NUMBERS:
            raise RecipientError("recipient.unknown", unit=code)
        return HIERARCHY.position(NUMBERS[code])

    def tier_of(self, name: str) -> int:
        return TIER_NUMBERS[name]

    def kind_of(self, name: str) -> int:
        return KINDS.get(name, -1)

    def unit_at(self, position: int) -> Unit:
        number = HIERARCHY.number(position)
        code, tier, kind, _ = UNITS[number - 1]
        return Unit(number, code, f"UBND {code}", tier, kind)


LOOKUP = SampleLookup()


def table(heading: str) -> list[list[str]]:
    section = PAGE.read_text("utf-8").split(f"## {heading}")[1].split("\n## ")[0]
    rows = [
        [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        for line in section.splitlines()
        if line.startswith("| `")
    ]
    return [[row[0].strip("`").replace("\\|", "|"), *row[1:]] for row in rows]


def codes(selector: str) -> set[str]:
    program = selectors.compile_program(selectors.parse(selector), LOOKUP)
    numbers = HIERARCHY.numbers(HIERARCHY.evaluate(program))
    return {UNITS[number - 1][0] for number in numbers}


def steps(selector: str, code: str) -> list[dict[str, str | int | bool]]:
    position = HIERARCHY.position(NUMBERS[code])
    return selectors.explain(selectors.parse(selector), LOOKUP, position, sender=SENDER)


def test_the_page_has_at_least_fifteen_examples():
    assert len(table("Examples")) >= 15


@pytest.mark.parametrize(("selector", "words", "size"), table("Examples"))
def test_each_example_selects_as_many_as_it_says(selector, words, size):
    assert len(codes(selector)) == int(size), words


@pytest.mark.parametrize(("selector", "code", "position", "remedy"), table("Mistakes"))
def test_each_mistake_is_answered_as_documented(selector, code, position, remedy):
    with pytest.raises(RecipientError) as caught:
        codes(selector)
    assert caught.value.code == code.strip("`"), remedy
    assert caught.value.facts["position"] == int(position)


def test_the_broadcast_selects_exactly_these():
    assert codes("(descendants(H22) & tier(commune)) - children(H22.31)") == {
        "H22.32.20",
        "H22.32.21",
        "H22.32.22",
    }


def test_an_unknown_recipient_is_skipped_only_where_it_leaves_people_out():
    skip: list[selectors.Skipped] = []
    node = selectors.parse("H22 | H99 | H23")
    program = selectors.compile_program(node, LOOKUP, skip)
    assert HIERARCHY.evaluate(program).size == 2
    assert skip == [("H99", "recipient.unknown")]
    for text in ("all - H99", "all - children(H99)", "all - (tier(province) & H99)"):
        with pytest.raises(RecipientError, match=r"recipient\.unknown"):
            selectors.compile_program(selectors.parse(text), LOOKUP, [])
    twice = selectors.parse("all - (H22 - H99)")
    assert HIERARCHY.evaluate(selectors.compile_program(twice, LOOKUP, [])).size == 12


def test_skipping_never_hides_a_wrong_name():
    for text in ("H22 | tier(ward)", "H22 | kind(bank)"):
        with pytest.raises(RecipientError, match=r"selector\.unknown"):
            selectors.compile_program(selectors.parse(text), LOOKUP, [])


def test_the_way_down_is_told():
    told = steps("descendants(H22)", "H22.31.20")
    assert told == [
        {
            "part": "descendants(H22)",
            "position": 0,
            "matched": True,
            "because": "is below H22 (through H22.31)",
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
