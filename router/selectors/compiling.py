"""Turns a parsed selector into a program for one snapshot.

Long unions become balanced trees and a chain of exclusions one union to take away, so a
list of thousands of codes costs n log n and not n² when it runs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple, Protocol

from router._core import (
    OP_ALL,
    OP_CHILDREN,
    OP_DESCENDANTS,
    OP_DIFFERENCE,
    OP_INTERSECTION,
    OP_KIND,
    OP_NONE,
    OP_TIER,
    OP_UNION,
    OP_UNIT,
    Program,
)
from router.errors import RecipientError
from router.limits import SELECTOR_DEPTH_MAX, SELECTOR_NODES_MAX, SELECTOR_SET_FUNCTIONS_MAX
from router.model.units import TIER_NUMBERS
from router.selectors.nodes import (
    AllNode,
    ChildrenNode,
    CodeNode,
    DescendantsNode,
    DifferenceNode,
    IntersectionNode,
    KindNode,
    Node,
    TierNode,
    UnionNode,
)

_SKIPPABLE: Final = frozenset({"recipient.unknown", "recipient.closed", "recipient.not_yet_open"})


class Lookup(Protocol):
    """What a snapshot answers about names.

    A `kinds` attribute (a mapping or collection of kind names), where there is one, is
    quoted in the error about an unknown kind.
    """

    def position_of(self, code: str) -> int:
        """Return a unit's position; raise RecipientError when unknown or not open."""
        ...

    def tier_of(self, name: str) -> int:
        """Return the number of a tier; -1 or KeyError when there is none of that name."""
        ...

    def kind_of(self, name: str) -> int:
        """Return the number of a kind; -1 or KeyError when there is none of that name."""
        ...


class Skipped(NamedTuple):
    """A unit that was left out: its code as written, and the code of the error."""

    unit: str
    code: str


def compile_program(node: Node, lookup: Lookup, skip: list[Skipped] | None = None) -> Program:
    """Return the program of a selector for the snapshot behind `lookup`.

    Raises RecipientError with the character position among its facts: recipient.* from the
    lookup, `selector.unknown_tier`, `selector.unknown_kind`, `selector.too_large`.  With a
    `skip` list, an unknown or closed unit counts as nobody and is noted there, but only
    where that leaves people out: in an excluded part it still raises, because dropping an
    exclusion would send the document to somebody the sender did not want.
    """
    compiler = _Compiler(lookup, skip)
    compiler.emit(node, 1, False)
    return Program(compiler.ops)


def tier_number(node: TierNode, lookup: Lookup) -> int:
    """Return the number of a tier; raise RecipientError `selector.unknown_tier`."""
    number = _number(lookup.tier_of, node.name)
    if number < 0:
        raise RecipientError(
            "selector.unknown_tier",
            name=node.name,
            position=node.position,
            known=", ".join(TIER_NUMBERS),
        )
    return number


def kind_number(node: KindNode, lookup: Lookup) -> int:
    """Return the number of a kind; raise RecipientError `selector.unknown_kind`."""
    number = _number(lookup.kind_of, node.name)
    if number < 0:
        raise RecipientError(
            "selector.unknown_kind",
            name=node.name,
            position=node.position,
            known=", ".join(sorted(getattr(lookup, "kinds", ()))),
        )
    return number


def _number(find: Callable[[str], int], name: str) -> int:
    try:
        return find(name)
    except KeyError:
        return -1


class _Compiler:
    """The operations emitted so far and the counts that are bounded."""

    def __init__(self, lookup: Lookup, skip: list[Skipped] | None) -> None:
        self.lookup = lookup
        self.skip = skip
        self.ops: list[tuple[int, int, int]] = []
        self.nodes = 0
        self.set_functions = 0

    def too_large(self, reason: str) -> RecipientError:
        return RecipientError("selector.too_large", reason=reason)

    def emit(self, node: Node, depth: int, excluded: bool) -> None:
        """Append the operations of a node; `excluded`: more in it means fewer recipients."""
        self.nodes += 1
        if self.nodes > 2 * SELECTOR_NODES_MAX:
            raise self.too_large(f"more than {SELECTOR_NODES_MAX} parts")
        if depth > 2 * SELECTOR_DEPTH_MAX:
            raise self.too_large(f"nested deeper than {SELECTOR_DEPTH_MAX} levels")
        if isinstance(node, CodeNode):
            self.unit(node, excluded)
        elif isinstance(node, AllNode):
            self.ops.append((OP_ALL, 0, 0))
        elif isinstance(node, TierNode):
            self.ops.append((OP_TIER, tier_number(node, self.lookup), 0))
        elif isinstance(node, KindNode):
            self.ops.append((OP_KIND, kind_number(node, self.lookup), 0))
        elif isinstance(node, ChildrenNode | DescendantsNode):
            self.below(node, depth, excluded)
        elif isinstance(node, UnionNode):
            self.union(node.parts, depth, excluded)
        elif isinstance(node, IntersectionNode):
            self.emit(node.parts[0], depth + 1, excluded)
            for part in node.parts[1:]:
                self.emit(part, depth + 1, excluded)
                self.ops.append((OP_INTERSECTION, 0, 0))
        elif isinstance(node, DifferenceNode):
            self.emit(node.parts[0], depth + 1, excluded)
            self.union(node.parts[1:], depth, not excluded)
            self.ops.append((OP_DIFFERENCE, 0, 0))

    def unit(self, node: CodeNode, excluded: bool) -> None:
        try:
            position = self.lookup.position_of(node.code)
        except RecipientError as error:
            if self.skip is not None and not excluded and error.code in _SKIPPABLE:
                self.skip.append(Skipped(node.code, error.code))
                self.ops.append((OP_NONE, 0, 0))
                return
            facts = {**error.facts, "position": node.position}
            raise type(error)(error.code, path=error.path, **facts) from None
        self.ops.append((OP_UNIT, position, 0))

    def below(self, node: ChildrenNode | DescendantsNode, depth: int, excluded: bool) -> None:
        if not isinstance(node.of, CodeNode):
            self.set_functions += 1
            if self.set_functions > SELECTOR_SET_FUNCTIONS_MAX:
                raise self.too_large(
                    f"more than {SELECTOR_SET_FUNCTIONS_MAX} functions of several units"
                )
        self.emit(node.of, depth + 1, excluded)
        operation = OP_CHILDREN if isinstance(node, ChildrenNode) else OP_DESCENDANTS
        self.ops.append((operation, 0, 0))

    def union(self, parts: Sequence[Node], depth: int, excluded: bool) -> None:
        """Emit a balanced tree: the parts two by two, then the pairs, and so on."""
        for index, part in enumerate(parts, 1):
            self.emit(part, depth + 1, excluded)
            while index % 2 == 0:
                self.ops.append((OP_UNION, 0, 0))
                index //= 2  # noqa: PLW2901 - a carry, as in counting in binary
        self.ops += [(OP_UNION, 0, 0)] * (len(parts).bit_count() - 1)
