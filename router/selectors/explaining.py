"""Says why one unit is selected or not, step by step, in words.

Membership is decided by walking the expression for this one unit and its ancestors, not by
running the program: a second way to the same answer, which the property tests compare.
"""

from __future__ import annotations

from typing import Final, Protocol

from router._core import Hierarchy
from router.errors import RecipientError
from router.limits import FACT_CHARS_MAX
from router.model.units import TIER_NAMES, Unit
from router.selectors.compiling import Lookup, kind_number, tier_number
from router.selectors.nodes import (
    AllNode,
    ChildrenNode,
    CodeNode,
    DescendantsNode,
    DifferenceNode,
    IntersectionNode,
    JoinNode,
    KindNode,
    Node,
    TierNode,
    UnionNode,
    render,
)

Step = dict[str, str | int | bool]

_PARTS_SHOWN_MAX: Final = 16
"""Of a longer list only what matched is told, or one step for all of it."""


class NamingLookup(Lookup, Protocol):
    """A lookup that also names the unit at a position (a directory snapshot)."""

    def unit_at(self, position: int) -> Unit:
        """Return the unit at a position."""
        ...


def explain(node: Node, hierarchy: Hierarchy, lookup: NamingLookup, position: int) -> list[Step]:
    """Return the steps that decide about the unit at `position`.

    Each step has `part` (canonical text), `position` (of the part in the selector, from
    0), `matched` and `because`.  The last step is the whole selector's.  A part that names
    an unknown or closed unit matches nobody.  Raises IndexError for a bad position and
    RecipientError for an unknown tier or kind.
    """
    hierarchy.number(position)
    teller = _Teller(hierarchy, lookup, position)
    teller.tell(node)
    return teller.steps


class _Teller:
    """The steps told so far, and what was decided for the unit and those above it."""

    def __init__(self, hierarchy: Hierarchy, lookup: NamingLookup, position: int) -> None:
        self.hierarchy = hierarchy
        self.lookup = lookup
        self.position = position
        self.above = hierarchy.ancestors(position)
        self.steps: list[Step] = []
        self.decided: dict[tuple[int, int], bool] = {}
        self.resolved: dict[str, int | str] = {}

    # Deciding.

    def holds(self, node: Node, position: int) -> bool:
        """Say whether a node selects the unit at a position (this one or one above it)."""
        key = (id(node), position)
        known = self.decided.get(key)
        if known is None:
            known = self.decided[key] = self.decide(node, position)
        return known

    def decide(self, node: Node, position: int) -> bool:
        if isinstance(node, CodeNode):
            return self.resolve(node.code) == position
        if isinstance(node, TierNode):
            return self.hierarchy.tier(position) == tier_number(node, self.lookup)
        if isinstance(node, KindNode):
            return self.hierarchy.kind(position) == kind_number(node, self.lookup)
        if isinstance(node, ChildrenNode):
            parent = self.hierarchy.parent(position)
            return parent >= 0 and self.holds(node.of, parent)
        if isinstance(node, DescendantsNode):
            return any(self.holds(node.of, above) for above in self.hierarchy.ancestors(position))
        if isinstance(node, UnionNode):
            return any(self.holds(part, position) for part in node.parts)
        if isinstance(node, IntersectionNode):
            return all(self.holds(part, position) for part in node.parts)
        if isinstance(node, DifferenceNode):
            return self.holds(node.parts[0], position) and not any(
                self.holds(part, position) for part in node.parts[1:]
            )
        return True

    def resolve(self, code: str) -> int | str:
        """Return the position of a code, or the code of the error that it has none."""
        found = self.resolved.get(code)
        if found is None:
            try:
                found = self.lookup.position_of(code)
            except RecipientError as error:
                found = error.code
            self.resolved[code] = found
        return found

    # Telling.

    def step(self, node: Node, because: str, *, matched: bool | None = None) -> None:
        part = render(node)
        if len(part) > FACT_CHARS_MAX:
            part = part[: FACT_CHARS_MAX - 1] + "…"
        if matched is None:
            matched = self.holds(node, self.position)
        self.steps.append(
            {"part": part, "position": node.position, "matched": matched, "because": because}
        )

    def tell(self, node: Node) -> None:
        """Append the steps of a node, its own last."""
        if isinstance(node, JoinNode):
            self.tell_join(node)
        elif isinstance(node, ChildrenNode | DescendantsNode):
            self.step(node, self.below(node))
        else:
            self.step(node, self.leaf(node))

    def leaf(self, node: CodeNode | AllNode | TierNode | KindNode) -> str:
        matched = self.holds(node, self.position)
        if isinstance(node, CodeNode):
            found = self.resolve(node.code)
            if isinstance(found, str):
                return f"no open unit has this code ({found})"
            return "is listed" if matched else "is another unit"
        if isinstance(node, AllNode):
            return "every unit is meant"
        if isinstance(node, TierNode):
            tier = self.hierarchy.tier(self.position)
            return f"is of tier {TIER_NAMES.get(tier, tier)}"
        return f"is {'' if matched else 'not '}of kind {node.name}"

    def below(self, node: ChildrenNode | DescendantsNode) -> str:
        """Name the unit of the set that this one is below, and the way to it."""
        direct = isinstance(node, ChildrenNode)
        way: list[str] = []
        for above in self.above[:1] if direct else self.above:
            code = self.lookup.unit_at(above).code
            if self.holds(node.of, above):
                through = f" (through {', '.join(reversed(way))})" if way else ""
                return f"is {'directly ' if direct else ''}below {code}{through}"
            way.append(code)
        return f"is not {'directly ' if direct else ''}below {_cut(render(node.of))}"

    def tell_join(self, node: JoinNode) -> None:
        matched = self.holds(node, self.position)
        if isinstance(node, UnionNode):
            hits = [part for part in node.parts if self.holds(part, self.position)]
            self.tell_some(hits or node.parts)
            count = len(node.parts)
            self.step(node, "is in a part" if matched else f"is in none of {count} parts")
        elif isinstance(node, IntersectionNode):
            missed = [part for part in node.parts if not self.holds(part, self.position)]
            self.tell_some(missed or node.parts)
            self.step(node, "is in every part" if matched else "is not in every part")
        else:
            self.tell_difference(node, matched)

    def tell_some(self, parts: list[Node] | tuple[Node, ...]) -> None:
        if len(parts) <= _PARTS_SHOWN_MAX or self.holds(parts[0], self.position):
            for part in parts[:_PARTS_SHOWN_MAX]:
                self.tell(part)

    def tell_difference(self, node: DifferenceNode, matched: bool) -> None:
        first = node.parts[0]
        self.tell(first)
        if not self.holds(first, self.position):
            self.step(node, "is not in the part that others are taken from")
            return
        for part in node.parts[1:]:
            if self.holds(part, self.position):
                self.tell(part)
                self.steps[-1]["because"] = f"excluded by this part: {self.steps[-1]['because']}"
                break
        self.step(node, "is in no excluded part" if matched else "is in an excluded part")


def _cut(text: str) -> str:
    return text if len(text) <= FACT_CHARS_MAX else text[: FACT_CHARS_MAX - 1] + "…"
