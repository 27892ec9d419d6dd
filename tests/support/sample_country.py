"""The small country of docs/selectors.md, on the two sides of 1 July 2025.

Until then a province has districts with communes; from that day on the districts are closed
and the communes stand directly below the province.
"""

from __future__ import annotations

from router import selectors
from router._core import Audience, Hierarchy
from router.errors import RecipientError
from router.model.reorganisations import GroupDefined
from router.model.units import TIER_NUMBERS, Unit

KINDS = {"government": 0, "people-committee": 1, "department": 2, "ministry": 3}
UNITS = [
    ("G22", 1, "government", ""),
    ("G09", 1, "ministry", ""),
    ("G15", 1, "ministry", ""),
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
ALIASES = {
    "000.00.31.H22": "H22.31",
    "GSO:02": "H22",
    "GSO:00688": "H22.31.20",
    "EDOC:A-1": "G22",
}
TAGS = {
    "xã": {"H22.31.20", "H22.31.21", "H22.32.20", "H22.32.21", "H22.32.22"},
    "thị trấn": {"H22.31.22"},
}
GROUPS = {
    "các Bộ, cơ quan ngang Bộ": "kind(ministry)",
    "các sở, ban, ngành": "children(sender) & kind(department)",
    "UBND các huyện, thành phố": "children(sender) & tier(district)",
    "UBND các xã, phường": "descendants(sender) & tier(commune)",
    "toàn tỉnh": 'group("các sở, ban, ngành") | group("UBND các huyện, thành phố")',
}
FIRST_OF_JULY_2025 = selectors.instant_of_text("2025-07-01")


class SampleLookup:
    """The country at one instant, with the sender H22."""

    kinds = KINDS
    tags = TAGS

    def __init__(self, at_us: int = FIRST_OF_JULY_2025 - 1) -> None:
        self.groups = {**GROUPS, "các huyện cũ": ""}
        self.reformed = at_us >= FIRST_OF_JULY_2025
        rows = []
        for code, tier, kind, parent in UNITS:
            if not (self.reformed and tier == 3):
                above = "H22" if self.reformed and tier == 4 else parent
                rows.append((NUMBERS[code], tier, KINDS[kind], NUMBERS.get(above, 0)))
        self.hierarchy = Hierarchy(rows)
        self.sender = self.position_of("H22")

    def position_of(self, code: str) -> int:
        code = ALIASES.get(code, code)
        if code not in NUMBERS:
            raise RecipientError("recipient.unknown", unit=code)
        position = self.hierarchy.position(NUMBERS[code])
        if position < 0:
            raise RecipientError(
                "recipient.closed", unit=code, closed_at="2025-07-01", successor="H22.31.20"
            )
        return position

    def tier_of(self, name: str) -> int:
        return TIER_NUMBERS[name]

    def kind_of(self, name: str) -> int:
        return KINDS.get(name, -1)

    def tagged(self, tag: str) -> Audience:
        return Audience.from_positions(self.position_of(code) for code in TAGS[tag])

    def group_of(self, name: str) -> GroupDefined | None:
        return GroupDefined(name, GROUPS[name]) if name in GROUPS else None

    def unit_at(self, position: int) -> Unit:
        code, tier, kind, _ = UNITS[self.hierarchy.number(position) - 1]
        return Unit(NUMBERS[code], code, f"UBND {code}", tier, kind)


BEFORE = SampleLookup()
AFTER = SampleLookup(FIRST_OF_JULY_2025)


def lookup_for(node: selectors.Node) -> SampleLookup:
    """Return the country at the instant of a selector, else as it was on 30 June 2025."""
    at = selectors.instant_of_selector(node)
    return AFTER if at is not None and at >= FIRST_OF_JULY_2025 else BEFORE


def selected(text: str, skip: list[selectors.Skipped] | None = None) -> set[str]:
    """Return the codes of the units that a selector means when H22 sends."""
    node = selectors.parse(text)
    lookup = lookup_for(node)
    program = selectors.compile_program(node, lookup, skip, sender=lookup.sender)
    hierarchy = lookup.hierarchy
    return {UNITS[number - 1][0] for number in hierarchy.numbers(hierarchy.evaluate(program))}
