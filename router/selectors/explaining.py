"""Says why one unit is selected or not, step by step, in words.

Membership is decided by walking the expression for this one unit and its ancestors, not by
running the program: a second way to the same answer, which the property tests compare.
Only what is above or beside a set of units asks the core for that set, because deciding it
unit by unit would cost a walk over the directory.
"""

from __future__ import annotations

from typing import Final

import msgspec

from router._core import Audience
from router.errors import RecipientError
from router.model.units import TIER_NAMES
from router.selectors.compiling import compile_selector
from router.selectors.groups import definition_of, parse_definition
from router.selectors.instants import show_at
from router.selectors.lookups import NamingLookup, kind_number, tagged_units, tier_number
from router.selectors.nodes import (
    AllNode,
    AtNode,
    ChildrenNode,
    CodeNode,
    DescendantsNode,
    DifferenceNode,
    GroupNode,
    IntersectionNode,
    JoinNode,
    KindNode,
    LeafNode,
    Node,
    ParentNode,
    RelationNode,
    SenderNode,
    SiblingsNode,
    SubtreeNode,
    TagNode,
    TierNode,
    UnionNode,
    render,
)
from router.selectors.reasons import Reason, around, cut, reason, why_absent

Step = dict[str, str | int | bool]

_PARTS_SHOWN_MAX: Final = 16
"""Of a longer list only what matched is told, or one step for all of it."""


class Why(msgspec.Struct, frozen=True):
    """Whether a unit is selected, the one reason that decided it, and all the steps."""

    selected: bool
    reason: Reason
    steps: list[Step] = []


def explain(
    node: Node, lookup: NamingLookup, position: int, *, sender: int | None = None
) -> list[Step]:
    """Return the steps that decide about the unit at `position`.

    Each step has `part` (canonical text), `position` (of the part in the selector, from
    0; parts within a group have the group's), `matched`, and why in English and Vietnamese
    (`because`, `because_vi`).  The last step is the whole selector's.  A part that names an
    unknown or closed unit matches nobody.
    `sender` is the sender's position.  Raises IndexError for a bad position, and what
    `compile_program` raises but for missing units and empty groups.
    """
    teller = _Teller(lookup, position, sender)
    teller.check(node)
    teller.tell(node)
    return teller.steps


def why(node: Node, lookup: NamingLookup, code: str, *, sender: int | None = None) -> Why:
    """Say why the unit with a code is selected, or why not, also when it is not there.

    The reason's codes are those of `router.selectors.reasons`: for one that is selected
    `listed`, `below`, `in-group` and so on; else `excluded`, `no-part-matched`, or why the
    unit is not in this snapshot: `merged`, `closed`, `not-yet-open`, `unknown`.  Raises as
    `explain` does.
    """
    try:
        position = lookup.position_of(code)
    except RecipientError as error:
        return Why(False, why_absent(error))
    teller = _Teller(lookup, position, sender)
    teller.check(node)
    teller.tell(node)
    return Why(teller.holds(node, position), teller.decisive(node), teller.steps)


class _Teller:
    """The steps told so far, and what was decided for the unit and those above it."""

    def __init__(self, lookup: NamingLookup, position: int, sender: int | None) -> None:
        self.hierarchy = lookup.hierarchy
        self.lookup = lookup
        self.position = position
        self.sender = sender
        self.above = self.hierarchy.ancestors(position)
        self.steps: list[Step] = []
        self.decided: dict[tuple[int, int], bool] = {}
        self.resolved: dict[str, int | str] = {}
        self.sets: dict[int, Audience] = {}
        self.groups: dict[str, tuple[Node, str]] = {}
        self.told: set[str] = set()
        self.decisions: dict[int, Reason] = {}

    def check(self, node: Node) -> None:
        """Hold the bounds (depth, groups in a ring) that the walks below rely on."""
        compile_selector(node, self.lookup, [], sender=self.sender, forgiving=True)

    # Deciding.

    def holds(self, node: Node, position: int) -> bool:
        """Say whether a node selects the unit at a position (this one or one above it)."""
        key = (id(node), position)
        known = self.decided.get(key)
        if known is None:
            known = self.decided[key] = self.decide(node, position)
        return known

    def decide(self, node: Node, position: int) -> bool:
        if isinstance(node, LeafNode):
            return self.decide_leaf(node, position)
        if isinstance(node, RelationNode):
            return self.decide_relation(node, position)
        if isinstance(node, UnionNode):
            return any(self.holds(part, position) for part in node.parts)
        if isinstance(node, IntersectionNode):
            return all(self.holds(part, position) for part in node.parts)
        if isinstance(node, DifferenceNode):
            return self.holds(node.parts[0], position) and not any(
                self.holds(part, position) for part in node.parts[1:]
            )
        return self.holds(node.of, position)

    def decide_leaf(self, node: LeafNode, position: int) -> bool:
        if isinstance(node, CodeNode):
            return self.resolve(node.code) == position
        if isinstance(node, TierNode):
            return self.hierarchy.tier(position) == tier_number(node, self.lookup)
        if isinstance(node, KindNode):
            return self.hierarchy.kind(position) == kind_number(node, self.lookup)
        if isinstance(node, TagNode):
            return position in tagged_units(node, self.lookup)
        if isinstance(node, SenderNode):
            return self.sender == position
        if isinstance(node, GroupNode):
            return self.holds(self.group(node)[0], position)
        return True

    def decide_relation(self, node: RelationNode, position: int) -> bool:
        if isinstance(node, ChildrenNode):
            parent = self.hierarchy.parent(position)
            return parent >= 0 and self.holds(node.of, parent)
        if isinstance(node, DescendantsNode):
            return any(self.holds(node.of, above) for above in self.hierarchy.ancestors(position))
        if isinstance(node, SubtreeNode):
            around_it = (position, *self.hierarchy.ancestors(position))
            return any(self.holds(node.of, above) for above in around_it)
        if isinstance(node, ParentNode):
            return bool(self.members(node.of) & self.hierarchy.children(position))
        return bool(self.beside(node, position))

    def beside(self, node: SiblingsNode, position: int) -> Audience:
        """Return the units of a set that this one is a sibling of."""
        parent = self.hierarchy.parent(position)
        members = self.members(node.of)
        if parent < 0 or position in members:
            return Audience()
        return members & self.hierarchy.children(parent)

    def members(self, node: Node) -> Audience:
        """Return the set a node means, from the core."""
        found = self.sets.get(id(node))
        if found is None:
            compiled = compile_selector(node, self.lookup, [], sender=self.sender, forgiving=True)
            found = self.sets[id(node)] = self.hierarchy.evaluate(compiled.program)
        return found

    def group(self, node: GroupNode) -> tuple[Node, str]:
        """Return the nodes of a group (kept alive: they are known by their id) and its date."""
        found = self.groups.get(node.name)
        if found is None:
            defined = definition_of(node, self.lookup)
            words = show_at(defined.since) if defined.since else ""
            found = self.groups[node.name] = (parse_definition(defined.selector), words)
        return found

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

    # Wording.

    def code_at(self, position: int) -> str:
        return self.lookup.unit_at(position).code

    def because(self, node: Node) -> Reason:
        """Say why a node selects this unit or not, in one reason of its own."""
        part, place = render(node), node.position
        matched = self.holds(node, self.position)
        if isinstance(node, RelationNode):
            return self.related(node, part)
        if isinstance(node, CodeNode):
            found = self.resolve(node.code)
            if isinstance(found, str):
                return reason("no-such-unit", part, place, error=found)
            return reason("listed" if matched else "another-unit", part, place, unit=node.code)
        if isinstance(node, TierNode):
            tier = self.hierarchy.tier(self.position)
            return reason("of-tier", part, place, tier=TIER_NAMES.get(tier, str(tier)))
        negated = "" if matched else "not-"
        if isinstance(node, KindNode):
            return reason(f"{negated}of-kind", part, place, kind=node.name)
        if isinstance(node, TagNode):
            return reason(f"{negated}tagged", part, place, tag=node.name)
        if isinstance(node, SenderNode):
            return reason(f"{negated}sender", part, place)
        if isinstance(node, GroupNode):
            defined = self.group(node)[1]
            return reason(f"{negated}in-group", part, place, group=node.name, defined=defined)
        if isinstance(node, AllNode):
            return reason("everybody", part, place)
        if isinstance(node, AtNode):
            return around("at", self.because(node.of), part, place, at=node.at)
        return self.joined(node, part)

    def related(self, node: RelationNode, part: str) -> Reason:
        """Name the unit of the set that this one is related to."""
        place, what = node.position, cut(render(node.of))
        if isinstance(node, ParentNode):
            found = self.members(node.of) & self.hierarchy.children(self.position)
            if found:
                return reason("above", part, place, unit=self.code_at(found.runs[0][0]))
            return reason("not-above", part, place, what=what)
        if isinstance(node, SiblingsNode):
            found = self.beside(node, self.position)
            if found:
                unit, parent = self.code_at(found.runs[0][0]), self.code_at(self.above[0])
                return reason("beside", part, place, unit=unit, parent=parent)
            return reason("not-beside", part, place, what=what)
        if isinstance(node, SubtreeNode) and self.holds(node.of, self.position):
            return reason("itself", part, place, what=what)
        direct = "directly-" if isinstance(node, ChildrenNode) else ""
        way: list[str] = []
        for above in self.above[:1] if direct else self.above:
            code = self.code_at(above)
            if self.holds(node.of, above):
                through = ", ".join(reversed(way))
                return reason(f"{direct}below", part, place, unit=code, through=through)
            way.append(code)
        return reason(f"not-{direct}below", part, place, what=what)

    def joined(self, node: JoinNode, part: str) -> Reason:
        matched = self.holds(node, self.position)
        if isinstance(node, UnionNode):
            code = "in-a-part" if matched else "no-part-matched"
            return reason(code, part, node.position, count=len(node.parts))
        if isinstance(node, IntersectionNode):
            code = "in-every-part" if matched else "not-in-every-part"
        elif not self.holds(node.parts[0], self.position):
            code = "not-in-the-first"
        else:
            code = "not-excluded" if matched else "in-an-excluded-part"
        return reason(code, part, node.position)

    def decisive(self, node: Node) -> Reason:
        """Return the one reason that decided: of the part that matched, or that excluded."""
        found = self.decisions.get(id(node))
        if found is None:
            found = self.decisions[id(node)] = self.decided_by(node)
        return found

    def decided_by(self, node: Node) -> Reason:
        held = self.holds(node, self.position)
        if isinstance(node, AtNode):
            return around("at", self.decisive(node.of), render(node), node.position, at=node.at)
        if isinstance(node, GroupNode):
            inner = self.decisive(self.group(node)[0])
            if not held and inner.code != "excluded":
                return self.unmatched(node)
            part = render(node)
            return around("within-group", inner, part, node.position, group=node.name)
        if isinstance(node, JoinNode):
            return self.decisive_part(node, held)
        return self.because(node) if held else self.unmatched(node)

    def decisive_part(self, node: JoinNode, held: bool) -> Reason:
        if isinstance(node, DifferenceNode) and self.holds(node.parts[0], self.position):
            if held:
                return self.decisive(node.parts[0])
            by = next(part for part in node.parts[1:] if self.holds(part, self.position))
            return around("excluded", self.decisive(by), render(by), by.position)
        if isinstance(node, UnionNode) and held:
            return self.decisive(
                next(part for part in node.parts if self.holds(part, self.position))
            )
        if isinstance(node, IntersectionNode) and held:
            reasons = [self.decisive(part) for part in node.parts[:_PARTS_SHOWN_MAX]]
            plain = ("of-tier", "of-kind", "everybody")
            return next((one for one in reasons if one.code not in plain), reasons[0])
        parts = node.parts[:1] if isinstance(node, DifferenceNode) else node.parts
        if len(parts) <= _PARTS_SHOWN_MAX:
            for part in parts:
                if not self.holds(part, self.position):
                    inner = self.decisive(part)
                    if inner.code == "excluded":
                        return inner
        return self.unmatched(node)

    def unmatched(self, node: Node) -> Reason:
        count = len(node.parts) if isinstance(node, UnionNode) else 1
        return reason("no-part-matched", render(node), node.position, count=count)

    # Telling.

    def step(self, node: Node, why_so: Reason) -> None:
        matched = self.holds(node, self.position)
        self.steps.append({
            "part": why_so.part,
            "position": why_so.position,
            "matched": matched,
            "because": why_so.words,
            "because_vi": why_so.words_vi,
        })  # fmt: skip

    def tell(self, node: Node) -> None:
        """Append the steps of a node, its own last."""
        if isinstance(node, GroupNode):
            self.tell_group(node)
        elif isinstance(node, AtNode):
            self.tell(node.of)
        elif isinstance(node, DifferenceNode):
            self.tell_difference(node)
        elif isinstance(node, UnionNode):
            self.tell_some(node, matched=True)
        elif isinstance(node, IntersectionNode):
            self.tell_some(node, matched=False)
        self.step(node, self.because(node))

    def tell_some(self, node: UnionNode | IntersectionNode, *, matched: bool) -> None:
        """Tell the parts that decided, or all of them when none did alone."""
        telling = [part for part in node.parts if self.holds(part, self.position) is matched]
        parts = telling or list(node.parts)
        if len(parts) <= _PARTS_SHOWN_MAX or self.holds(parts[0], self.position):
            for part in parts[:_PARTS_SHOWN_MAX]:
                self.tell(part)

    def tell_difference(self, node: DifferenceNode) -> None:
        first = node.parts[0]
        self.tell(first)
        if not self.holds(first, self.position):
            return
        for part in node.parts[1:]:
            if self.holds(part, self.position):
                self.tell(part)
                _quote(self.steps[-1], "excluded")
                break

    def tell_group(self, node: GroupNode) -> None:
        """Tell the parts of a group once, marked as its own; positions are the group's."""
        if node.name in self.told:
            return
        self.told.add(node.name)
        held = len(self.steps)
        self.tell(self.group(node)[0])
        for step in self.steps[held:]:
            step["position"] = node.position
            _quote(step, "within-group", group=node.name)


def _quote(step: Step, code: str, **facts: str) -> None:
    """Put the words of a reason around those of a step, in both languages."""
    words, words_vi = str(step["because"]), str(step["because_vi"])
    outer = around(code, Reason(code, words, words_vi), **facts)
    step["because"], step["because_vi"] = outer.words, outer.words_vi
