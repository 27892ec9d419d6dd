"""Turns a parsed selector into a program for one snapshot.

Long unions become balanced trees and a chain of exclusions one union to take away, so a
list of thousands of codes costs n log n and not n² when it runs.  A group is run at once
and its members stand in the program as a constant set: only so can a group that has become
empty be noticed wherever it stands.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

from router._core import (
    OP_ALL,
    OP_CHILDREN,
    OP_CLASS,
    OP_DESCENDANTS,
    OP_DIFFERENCE,
    OP_INTERSECTION,
    OP_KIND,
    OP_NONE,
    OP_PARENT,
    OP_SET,
    OP_SIBLINGS,
    OP_SUBTREE,
    OP_TIER,
    OP_UNION,
    OP_UNIT,
    Audience,
    Program,
)
from router.errors import RecipientError
from router.limits import SELECTOR_DEPTH_MAX, SELECTOR_NODES_MAX, SELECTOR_SET_FUNCTIONS_MAX
from router.selectors.groups import definition_of, enter, parse_definition
from router.selectors.lookups import Lookup, kind_number, tagged_units, tier_number
from router.selectors.nodes import (
    AllNode,
    AtNode,
    ChildrenNode,
    CodeNode,
    DescendantsNode,
    DifferenceNode,
    GroupNode,
    IntersectionNode,
    KindNode,
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

_SKIPPABLE: Final = frozenset({"recipient.unknown", "recipient.closed", "recipient.not_yet_open"})
_NODES_WITH_GROUPS_MAX: Final = 4 * SELECTOR_NODES_MAX
"""Parts of a selector and of all groups it names together."""
_DEPTH_WITH_GROUPS_MAX: Final = 4 * SELECTOR_DEPTH_MAX
"""Depth of nodes: two for each level of the text, those of groups within each other added."""
_OPERATIONS: Final[dict[type[RelationNode], int]] = {
    ChildrenNode: OP_CHILDREN,
    DescendantsNode: OP_DESCENDANTS,
    ParentNode: OP_PARENT,
    SiblingsNode: OP_SIBLINGS,
    SubtreeNode: OP_SUBTREE,
}


class Skipped(NamedTuple):
    """What was left out: a unit's code or a group as written, and the code of the error."""

    unit: str
    code: str

_TAKEN_AWAY_SINGLY_MAX: Final = 6
"""Parts of a difference up to which each is taken away by itself."""


class Compiled(NamedTuple):
    """A program, and whether it depends on who sends."""

    program: Program
    uses_sender: bool


def compile_program(
    node: Node, lookup: Lookup, skip: list[Skipped] | None = None, *, sender: int | None = None
) -> Program:
    """Return the program of a selector for the snapshot behind `lookup`.

    `sender` is the sender's position there.  The instant of an `AtNode` is not looked at:
    the caller chose the snapshot by it (`instant_of_selector`).

    Raises RecipientError with the character position among its facts: recipient.* from the
    lookup, `selector.unknown_tier`, `.unknown_kind`, `.unknown_tag`, `.no_sender`,
    `.too_large`, `group.unknown`, `.undefined_then`, `.cycle` and `.empty`; what is wrong
    within a group has the position of the group and its name (`group`).

    With a `skip` list, an unknown or closed unit and an empty group count as nobody and are
    noted there, but only where that leaves people out: in an excluded part they still
    raise, because dropping an exclusion would send the document to somebody the sender did
    not want.
    """
    return compile_selector(node, lookup, skip, sender=sender).program


def compile_selector(
    node: Node,
    lookup: Lookup,
    skip: list[Skipped] | None = None,
    *,
    sender: int | None = None,
    forgiving: bool = False,
) -> Compiled:
    """Compile as `compile_program` does, and say whether the sender was asked for.

    `forgiving`: what `skip` leaves out is left out in excluded parts, too.  That is for
    explaining, never for sending.
    """
    context = _Context(lookup, skip, sender, forgiving)
    program = _Compiler(context, (), 0).program(node, False)
    return Compiled(program, context.uses_sender)


class _Context:
    """What a selector and the groups in it share: names, the groups run so far, bounds."""

    def __init__(
        self, lookup: Lookup, skip: list[Skipped] | None, sender: int | None, forgiving: bool
    ) -> None:
        self.lookup = lookup
        self.skip = skip
        self.sender = sender
        self.forgiving = forgiving
        self.uses_sender = False
        self.members: dict[tuple[str, bool], Audience] = {}
        self.nodes = 0
        self.set_functions = 0

    def skips(self, excluded: bool) -> bool:
        """Say whether a missing recipient is left out in such a part, or refused."""
        return self.skip is not None and (self.forgiving or not excluded)

    def leave_out(self, written: str, code: str) -> None:
        if self.skip is not None:
            self.skip.append(Skipped(written, code))


class _Compiler:
    """The operations of one text: the selector itself, or one group in it."""

    def __init__(self, context: _Context, chain: tuple[str, ...], depth: int) -> None:
        self.context = context
        self.depth = depth
        self.lookup = context.lookup
        self.chain = chain
        self.ops: list[tuple[int, int, int]] = []
        self.sets: list[Audience] = []

    def program(self, node: Node, excluded: bool) -> Program:
        self.emit(node.of if isinstance(node, AtNode) else node, self.depth + 1, excluded)
        return Program(self.ops, self.sets)

    def emit(self, node: Node, depth: int, excluded: bool) -> None:
        """Append the operations of a node; `excluded`: more in it means fewer recipients."""
        self.context.nodes += 1
        if self.context.nodes > _NODES_WITH_GROUPS_MAX:
            raise _too_large(f"more than {_NODES_WITH_GROUPS_MAX} parts, those of groups counted")
        if depth > _DEPTH_WITH_GROUPS_MAX:
            raise _too_large(f"nested deeper than {_DEPTH_WITH_GROUPS_MAX} levels with its groups")
        _EMITTERS[type(node)](self, node, depth, excluded)

    def everybody(self, _node: AllNode, _depth: int, _excluded: bool) -> None:
        self.ops.append((OP_ALL, 0, 0))

    def tier(self, node: TierNode, _depth: int, _excluded: bool) -> None:
        self.ops.append((OP_TIER, tier_number(node, self.lookup), 0))

    def kind(self, node: KindNode, _depth: int, _excluded: bool) -> None:
        self.ops.append((OP_KIND, kind_number(node, self.lookup), 0))

    def tag(self, node: TagNode, _depth: int, _excluded: bool) -> None:
        self.constant(tagged_units(node, self.lookup))

    def group(self, node: GroupNode, depth: int, excluded: bool) -> None:
        self.constant(self.members(node, depth, excluded))

    def sender(self, node: SenderNode, _depth: int, _excluded: bool) -> None:
        self.context.uses_sender = True
        if self.context.sender is None:
            raise RecipientError("selector.no_sender", position=node.position)
        self.ops.append((OP_UNIT, self.context.sender, 0))

    def union(self, node: UnionNode, depth: int, excluded: bool) -> None:
        self.unite(node.parts, depth, excluded)

    def intersection(self, node: IntersectionNode, depth: int, excluded: bool) -> None:
        parts = list(node.parts)
        tier = next((part for part in parts if isinstance(part, TierNode)), None)
        kind = next((part for part in parts if isinstance(part, KindNode)), None)
        if tier is not None and kind is not None:  # one run of the snapshot, found at once
            both = tier_number(tier, self.lookup) << 16 | kind_number(kind, self.lookup)
            self.ops.append((OP_CLASS, both, 0))
            parts.remove(tier)
            parts.remove(kind)
        else:
            self.emit(parts.pop(0), depth + 1, excluded)
        for part in parts:
            self.emit(part, depth + 1, excluded)
            self.ops.append((OP_INTERSECTION, 0, 0))

    def difference(self, node: DifferenceNode, depth: int, excluded: bool) -> None:
        self.emit(node.parts[0], depth + 1, excluded)
        if len(node.parts) <= _TAKEN_AWAY_SINGLY_MAX:  # cheaper than uniting them first
            for part in node.parts[1:]:
                self.emit(part, depth + 1, not excluded)
                self.ops.append((OP_DIFFERENCE, 0, 0))
            return
        self.unite(node.parts[1:], depth, not excluded)
        self.ops.append((OP_DIFFERENCE, 0, 0))

    def instant(self, node: AtNode, _depth: int, _excluded: bool) -> None:
        raise RecipientError(
            "selector.syntax", position=node.position, reason="“@” stands only at the end"
        )

    def constant(self, members: Audience) -> None:
        self.ops.append((OP_SET, len(self.sets), 0))
        self.sets.append(members)

    def unit(self, node: CodeNode, _depth: int, excluded: bool) -> None:
        try:
            position = self.lookup.position_of(node.code)
        except RecipientError as error:
            if error.code in _SKIPPABLE and self.context.skips(excluded):
                self.context.leave_out(node.code, error.code)
                self.ops.append((OP_NONE, 0, 0))
                return
            facts = {**error.facts, "position": node.position}
            raise type(error)(error.code, path=error.path, **facts) from None
        self.ops.append((OP_UNIT, position, 0))

    def members(self, node: GroupNode, depth: int, excluded: bool) -> Audience:
        """Return the members of a group; what is wrong in it is told of the group."""
        context = self.context
        strict = not context.skips(excluded)
        chain = enter(node, self.chain, len(context.members))
        members = context.members.get((node.name, strict))
        if members is None:
            try:
                inner = parse_definition(definition_of(node, self.lookup).selector)
                program = _Compiler(context, chain, depth).program(inner, excluded)
            except RecipientError as error:
                facts = {"group": node.name, **error.facts, "position": node.position}
                raise type(error)(error.code, path=error.path, **facts) from None
            members = self.lookup.hierarchy.evaluate(program)
            context.members[node.name, strict] = members
        if not members:
            if strict:
                raise RecipientError("group.empty", name=node.name, position=node.position)
            context.leave_out(render(node), "group.empty")
        return members

    def relation(self, node: RelationNode, depth: int, excluded: bool) -> None:
        if not _single(node.of):
            self.context.set_functions += 1
            if self.context.set_functions > SELECTOR_SET_FUNCTIONS_MAX:
                raise _too_large(
                    f"more than {SELECTOR_SET_FUNCTIONS_MAX} functions of several units"
                )
        self.emit(node.of, depth + 1, excluded)
        self.ops.append((_OPERATIONS[type(node)], 0, 0))

    def unite(self, parts: Sequence[Node], depth: int, excluded: bool) -> None:
        """Emit a balanced tree: the parts two by two, then the pairs, and so on."""
        for index, part in enumerate(parts, 1):
            self.emit(part, depth + 1, excluded)
            while index % 2 == 0:
                self.ops.append((OP_UNION, 0, 0))
                index //= 2  # noqa: PLW2901 - a carry, as in counting in binary
        self.ops += [(OP_UNION, 0, 0)] * (len(parts).bit_count() - 1)


_EMITTERS: Final[dict[type, Callable[[_Compiler, Any, int, bool], None]]] = {
    CodeNode: _Compiler.unit,
    AllNode: _Compiler.everybody,
    SenderNode: _Compiler.sender,
    TierNode: _Compiler.tier,
    KindNode: _Compiler.kind,
    TagNode: _Compiler.tag,
    GroupNode: _Compiler.group,
    **dict.fromkeys(_OPERATIONS, _Compiler.relation),
    UnionNode: _Compiler.union,
    IntersectionNode: _Compiler.intersection,
    DifferenceNode: _Compiler.difference,
    AtNode: _Compiler.instant,
}
"""What emits a node, by its type: a look-up instead of a dozen questions a node."""


def _single(node: Node) -> bool:
    """Say whether a node names at most one unit, so that its relatives cost no pass."""
    while isinstance(node, ParentNode):
        node = node.of
    return isinstance(node, (CodeNode, SenderNode))


def _too_large(reason: str) -> RecipientError:
    return RecipientError("selector.too_large", reason=reason)
