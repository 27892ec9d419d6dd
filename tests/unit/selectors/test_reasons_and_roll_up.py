"""Why a unit receives or not is told in one reason; an audience is summed up by province."""

from __future__ import annotations

import pytest
from support.sample_country import AFTER, BEFORE, SampleLookup, lookup_for

from router import selectors
from router._core import Audience, Hierarchy
from router.errors import RecipientError
from router.model.reorganisations import GroupDefined
from router.model.units import Unit
from router.selectors import roll_up_lines, words_of_line
from router.selectors.reasons import CODES, why_absent


def why(text: str, code: str, lookup: SampleLookup | None = None) -> selectors.Why:
    node = selectors.parse(text)
    lookup = lookup or lookup_for(node)
    return selectors.why(node, lookup, code, sender=lookup.sender)


@pytest.mark.parametrize(
    ("text", "unit", "code", "words"),
    [
        ("H22 | H23", "H23", "listed", "is listed"),
        ("descendants(H22) & tier(commune)", "H22.31.20", "below", "(through H22.31)"),
        ("tier(commune) & descendants(H22)", "H22.31.20", "below", "is below H22"),
        ("children(H22)", "H22.31", "directly-below", "directly below H22"),
        ("subtree(H22)", "H22", "itself", "itself in H22"),
        ("subtree(H22)", "H22.31", "below", "is below H22"),
        ("parent(tag(xã))", "H22.31", "above", "directly above H22.31.20"),
        ("siblings(H22.31)", "H22.32", "beside", "beside H22.31, below H22"),
        ("sender | H23", "H22", "sender", "is the sender"),
        ("tag(xã)", "H22.31.20", "tagged", "bears the tag “xã”"),
        ("tier(province)", "H22", "of-tier", "of tier province"),
        ("kind(ministry)", "G09", "of-kind", "of kind ministry"),
        ("all", "G09", "everybody", "every unit"),
        (
            'group("toàn tỉnh")',
            "H22.01",
            "within-group",
            "in the group “toàn tỉnh”: in the group “các sở, ban, ngành”: is directly below H22",
        ),
        ("all @ 2025-06-30", "G09", "at", "as the directory stood at 2025-06-30: every"),
    ],
)
def test_who_receives_is_told_by_which_part(text, unit, code, words):
    told = why(text, unit)
    assert told.selected
    assert told.reason.code == code
    assert words in told.reason.words


@pytest.mark.parametrize(
    ("text", "unit", "code", "part"),
    [
        ("H22 | H23", "G09", "no-part-matched", "H22 | H23"),
        ("all - children(H22)", "H22.31", "excluded", "children(H22)"),
        ("all - H23 - children(H22)", "H22.31", "excluded", "children(H22)"),
        ("(all - H22) & tier(province)", "H22", "excluded", "H22"),
        ("G09 | (all - H22)", "H22", "excluded", "H22"),
        ("children(H22) - H23", "G09", "no-part-matched", "children(H22) - H23"),
        ("siblings(H22.31)", "H22.31", "no-part-matched", "siblings(H22.31)"),
        ('all - group("toàn tỉnh")', "H22.01", "excluded", 'group("toàn tỉnh")'),
    ],
)
def test_who_does_not_receive_is_told_by_which_part(text, unit, code, part):
    told = why(text, unit)
    assert not told.selected
    assert (told.reason.code, told.reason.part) == (code, part)


def test_a_unit_that_is_not_in_the_directory_then_is_told_why():
    told = why("all @ 2025-07-01", "H22.31")
    assert not told.selected
    assert told.reason.code == "merged"
    assert told.reason.words == "was merged into H22.31.20 on 2025-07-01"
    assert told.reason.words_vi == "đã nhập vào H22.31.20 ngày 2025-07-01"
    assert told.steps == []
    assert why("all", "H99").reason.code == "unknown"


@pytest.mark.parametrize(
    ("code", "facts", "reason"),
    [
        ("recipient.closed", {"closed_at": "2025-07-01", "successor": "–"}, "closed"),
        ("recipient.closed", {"closed_at": "2025-07-01", "successor": "H1, H2"}, "split"),
        ("recipient.closed", {"closed_at": "2025-07-01", "successor": "H1"}, "merged"),
        ("recipient.not_yet_open", {"opens_at": "2025-07-01"}, "not-yet-open"),
        ("recipient.unknown", {}, "unknown"),
    ],
)
def test_the_error_about_a_code_is_the_reason_of_its_unit(code, facts, reason):
    told = why_absent(RecipientError(code, unit="H9", **facts))
    assert told.code == reason
    assert told.code in CODES
    assert all(str(value) in told.words + "–" for value in facts.values())


def test_the_steps_of_a_group_are_told_once_and_marked():
    node = selectors.parse('H23 | group("toàn tỉnh")')
    steps = selectors.explain(node, BEFORE, BEFORE.position_of("H22.31"), sender=BEFORE.sender)
    assert [step["matched"] for step in steps][-1] is True
    assert {step["position"] for step in steps[:-1]} == {6}
    assert any(
        step["because"].startswith("in the group “toàn tỉnh”: in the group “UBND các huyện")
        for step in steps
    )


def test_the_date_of_a_groups_definition_is_told():
    class Dated(SampleLookup):
        def group_of(self, name: str) -> GroupDefined | None:
            return GroupDefined(name, "H22", selectors.instant_of_text("2025-03-01"))

    steps = selectors.explain(selectors.parse('group("a")'), Dated(), BEFORE.position_of("H22"))
    assert steps[-1]["because"] == "is in the group “a” (as defined since 2025-03-01)"


# Roll-up.


def lines_of(text: str, lookup: SampleLookup) -> list[selectors.RollUpLine]:
    program = selectors.compile_program(selectors.parse(text), lookup, sender=lookup.sender)
    return roll_up_lines(lookup, lookup.hierarchy.evaluate(program))


def test_the_country_comes_first_and_then_each_province_that_has_members():
    country, province = lines_of("tier(commune) - H22.31.20", BEFORE)
    assert country.tiers == {"commune": (5, 6)}
    assert (country.code, country.complete) == ("", False)
    assert (province.code, province.tier, province.tiers) == (
        "H22",
        "province",
        {"commune": (5, 6)},
    )
    assert words_of_line(province) == "UBND H22: 5/6 communes"
    assert words_of_line(country, "vi") == "Cả nước: 5/6 đơn vị cấp xã"


def test_what_is_complete_says_so_and_what_lies_outside_the_provinces_is_in_the_country_only():
    country, first, second = lines_of("subtree(H22) | H23 | G09", BEFORE)
    assert country.tiers == {
        "central": (1, 3), "province": (4, 4), "district": (2, 2), "commune": (6, 6),
    }  # fmt: skip
    assert first.complete
    assert words_of_line(first) == "UBND H22: 3/3 province units, 2/2 districts, 6/6 communes"
    assert (second.code, second.complete) == ("H23", True)
    assert "district" not in lines_of("all", AFTER)[0].tiers


def test_nobody_is_one_line():
    (line,) = roll_up_lines(BEFORE, Audience())
    assert (line.tiers, line.complete) == ({}, False)
    assert words_of_line(line) == "Whole country: 0"


class Provinces:
    """Twenty provinces of two communes each; a province's units are named by their number."""

    def __init__(self) -> None:
        rows = [(n, 2, 0, 0) for n in range(1, 21)]
        rows += [(100 + n, 4, 0, 1 + n % 20) for n in range(40)]
        self.hierarchy = Hierarchy(rows)

    def unit_at(self, position: int) -> Unit:
        number = self.hierarchy.number(position)
        return Unit(number, f"H{number}", f"Tỉnh {number}", self.hierarchy.tier(position), "x")


def test_provinces_that_are_complete_alike_are_one_line_when_there_are_many():
    country = Provinces()
    everybody = country.hierarchy.everything()
    left_out = Audience.from_positions([country.hierarchy.position(100)])
    whole, partial, others = roll_up_lines(country, everybody - left_out)
    assert whole.tiers == {"province": (20, 20), "commune": (39, 40)}
    assert (partial.code, partial.tiers["commune"]) == ("H1", (1, 2))
    assert (others.subtrees, others.complete) == (19, True)
    assert others.tiers == {"province": (19, 19), "commune": (38, 38)}
    assert words_of_line(others) == "19 complete: 19/19 province units, 38/38 communes"
    assert len(roll_up_lines(country, everybody - left_out, alike_shown_max=19)) == 21
