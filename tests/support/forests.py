"""Hypothesis strategies: small hierarchies and expressions over them, and their lookup."""

from __future__ import annotations

from hypothesis import strategies as st
from support.oracle import RELATIONS, TIERS, Expression, Oracle, Row, code_of, kind_name

from router import _core
from router.errors import RecipientError
from router.model.reorganisations import GroupDefined
from router.model.units import TIER_NUMBERS, Unit

KINDS = 3
TAGS = ("xã", "đặc khu")


@st.composite
def forests(draw: st.DrawFn, most: int = 40) -> list[Row]:
    """Rows in any order; numbers far apart; roots anywhere; tiers need not follow depth."""
    count = draw(st.integers(1, most))
    numbers = draw(
        st.lists(st.integers(1, 0xFFFFFFFE), min_size=count, max_size=count, unique=True)
        if draw(st.booleans())
        else st.permutations(range(1, count + 1))
    )
    depths = [0]
    rows = [(numbers[0], draw(st.integers(1, 4)), draw(st.integers(0, KINDS - 1)), 0)]
    for i in range(1, count):
        above = draw(st.integers(-1, i - 1))
        if above >= 0 and depths[above] >= 14:
            above = -1
        depths.append(depths[above] + 1 if above >= 0 else 0)
        parent = numbers[above] if above >= 0 else 0
        rows.append((numbers[i], draw(st.integers(1, 4)), draw(st.integers(0, KINDS - 1)), parent))
    return list(draw(st.permutations(rows)))


def expressions(rows: list[Row]) -> st.SearchStrategy[Expression]:
    numbers = [row[0] for row in rows]
    leaves = st.one_of(
        st.sampled_from(numbers).map(lambda number: ("code", number)),
        st.just(("all",)),
        st.sampled_from(sorted(TIERS)).map(lambda tier: ("tier", tier)),
        st.integers(0, KINDS - 1).map(lambda kind: ("kind", kind)),
        st.sampled_from(TAGS).map(lambda tag: ("tag", tag)),
        st.just(("sender",)),
    )
    return st.recursive(
        leaves,
        lambda inner: st.one_of(
            st.tuples(st.sampled_from(RELATIONS), inner),
            st.tuples(
                st.sampled_from("|&-"), st.lists(inner, min_size=2, max_size=5).map(tuple)
            ).map(lambda pair: (pair[0], *pair[1])),
        ),
        max_leaves=12,
    )


class RowLookup:
    """Names the units of rows by `oracle.code_of`; kinds by `oracle.kind_name`."""

    def __init__(self, rows: list[Row], hierarchy: _core.Hierarchy) -> None:
        self.hierarchy = hierarchy
        self.oracle = Oracle(rows)
        self.oracle.sender = rows[0][0]
        self.oracle.tags = {
            tag: frozenset(row[0] for row in rows if row[0] % 3 == place)
            for place, tag in enumerate(TAGS)
        }
        self.sender = hierarchy.position(rows[0][0])
        self.tags = TAGS
        self.groups: dict[str, str] = {}
        self.codes = {code_of(row[0]): row for row in rows}
        self.kinds = {kind_name(kind): kind for kind in range(KINDS)}

    def position_of(self, code: str) -> int:
        if code not in self.codes:
            raise RecipientError("recipient.unknown", unit=code)
        return self.hierarchy.position(self.codes[code][0])

    def tier_of(self, name: str) -> int:
        return TIER_NUMBERS.get(name, -1)

    def kind_of(self, name: str) -> int:
        return self.kinds[name]

    def tagged(self, tag: str) -> _core.Audience:
        return _core.Audience.from_positions(
            self.hierarchy.position(number) for number in self.oracle.tags[tag]
        )

    def group_of(self, name: str) -> GroupDefined | None:
        return GroupDefined(name, self.groups[name]) if name in self.groups else None

    def unit_at(self, position: int) -> Unit:
        number = self.hierarchy.number(position)
        code = code_of(number)
        return Unit(number, code, f"Unit {number}", self.codes[code][1], "kind")
