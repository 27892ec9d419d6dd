"""What the selectors of a policy can select in one snapshot, whoever sends.

A selector without `sender` has one set.  One with it is bounded from above: `sender` stands
for all senders where more of it selects more, for nobody where it is taken away.  What is
empty then is empty for every sender; the opposite is not claimed.
"""

from __future__ import annotations

from itertools import islice
from typing import Final, NamedTuple

from router._core import (
    OP_CHILDREN,
    OP_DESCENDANTS,
    OP_PARENT,
    OP_SET,
    OP_SIBLINGS,
    OP_SUBTREE,
    Audience,
    Program,
)
from router.errors import RecipientError
from router.limits import GROUP_DEPTH_MAX
from router.selectors import (
    ChildrenNode,
    CodeNode,
    DescendantsNode,
    DifferenceNode,
    GroupNode,
    IntersectionNode,
    KindNode,
    Lookup,
    Node,
    ParentNode,
    SenderNode,
    SiblingsNode,
    Skipped,
    SubtreeNode,
    TagNode,
    TierNode,
    UnionNode,
    compile_selector,
    near_names,
    parse,
    render,
    walk,
)
from router.selectors.nodes import LeafNode

_EMPTY: Final = Audience()
_OPERATIONS: Final[dict[type, int]] = {
    ChildrenNode: OP_CHILDREN,
    DescendantsNode: OP_DESCENDANTS,
    ParentNode: OP_PARENT,
    SubtreeNode: OP_SUBTREE,
}
_NAMED: Final = (CodeNode, KindNode, TagNode, TierNode, GroupNode)
_NEAR_CODES_MAX: Final = 2_048


class Wrong(NamedTuple):
    """A name in a selector that the directory does not know, or knows as closed or empty."""

    code: str
    facts: dict[str, str | int]
    suggestion: str


class Bounds(NamedTuple):
    """At least and at most what a selector selects for any one of the senders."""

    least: Audience
    most: Audience


class Sets:
    """The sets of selectors in one snapshot, each evaluated once."""

    def __init__(self, lookup: Lookup) -> None:
        self.lookup = lookup
        self.everybody = lookup.hierarchy.everything()
        self._nodes: dict[str, Node] = {}
        self._constants: dict[str, Audience | None] = {}
        self._most: dict[tuple[str, str | None], Audience] = {}
        self._leaves: dict[str, Wrong | None] = {}
        self._texts: dict[str, str] = {}

    def node(self, text: str) -> Node:
        """Return a selector's nodes (it was read before: it does parse)."""
        found = self._nodes.get(text)
        if found is None:
            found = self._nodes[text] = parse(text)
        return found

    def same(self, text: str) -> str:
        """Return the one spelling of a selector."""
        found = self._texts.get(text)
        if found is None:
            found = self._texts[text] = render(self.node(text))
        return found

    def wrong_names(self, text: str) -> list[Wrong]:
        """Return what is wrong about the names in a selector, in order."""
        leaves = [one for one, _ in walk(self.node(text)) if isinstance(one, _NAMED)]
        found = []
        for leaf in sorted(leaves, key=lambda one: one.position):
            wrong = self._judged(leaf)
            if wrong is not None:
                found.append(wrong._replace(facts={**wrong.facts, "position": leaf.position}))
        return found

    def wrong_code(self, code: str) -> Wrong | None:
        """Return what is wrong about a unit's code."""
        found = self._judged(CodeNode(code))
        return found and found._replace(facts={**found.facts, "position": 0})

    def constant(self, text: str | None) -> Audience | None:
        """Return the set of a selector that does not speak of the sender, else None.

        Everybody for no selector; unknown names select nobody, as when it is decided.
        """
        if text is None:
            return self.everybody
        if text not in self._constants:
            self._constants[text] = self._constant(self.node(text))
        return self._constants[text]

    def most(self, text: str | None, senders: str | None) -> Audience:
        """Return all that a selector can select for any of the senders of another selector."""
        found = self.constant(text)
        if found is None and text is not None:
            found = self._most.get((text, senders))
            if found is None:
                among = self.constant(senders)  # None: told as a mistake of its own
                everybody = self.everybody if among is None else among
                found = self._bounds(self.node(text), everybody, 0).most
                self._most[text, senders] = found
        assert found is not None, "everybody is a constant"
        return found

    def of(self, text: str, sender: int) -> Audience:
        """Return the set of a selector for the sender at a position."""
        found = self.constant(text)
        if found is not None:
            return found
        try:
            program = compile_selector(
                self.node(text), self.lookup, [], sender=sender, forgiving=True
            ).program
        except RecipientError:
            return _EMPTY
        return self.lookup.hierarchy.evaluate(program)

    def waits_for_a_tier(self, text: str) -> bool:
        """Say whether a selector names a tier or kind that has no unit in this snapshot."""
        return any(
            isinstance(one, TierNode | KindNode) and not self._constant(one)
            for one, _ in walk(self.node(text))
        )

    def _judged(self, leaf: Node) -> Wrong | None:
        key = render(leaf)
        if key not in self._leaves:
            self._leaves[key] = self._judge(leaf)
        return self._leaves[key]

    def _judge(self, leaf: Node) -> Wrong | None:
        try:
            try:
                compile_selector(leaf, self.lookup)
            except RecipientError as error:
                if error.code != "selector.no_sender":
                    raise
                left_out: list[Skipped] = []  # a group that speaks of the sender
                compile_selector(leaf, self.lookup, left_out, sender=0, forgiving=True)
        except RecipientError as error:
            return Wrong(error.code, error.facts, self._meant(leaf, error))
        return None

    def _meant(self, leaf: Node, error: RecipientError) -> str:
        """Return what may have been meant by a wrong name."""
        if error.code == "recipient.closed":
            successor = str(error.facts.get("successor", ""))
            return successor if successor.strip("–- ") else ""
        if isinstance(leaf, CodeNode):
            near = near_names(leaf.code, self._codes_near(leaf.code), 1)
        else:
            names = {KindNode: "kinds", TagNode: "tags", GroupNode: "groups"}.get(type(leaf), "")
            known = getattr(self.lookup, names, ()) if names else _tiers(error)
            near = near_names(getattr(leaf, "name", ""), known, 1)
        return "".join(near)

    def _codes_near(self, code: str) -> list[str]:
        """Return the codes below the nearest unit that a code seems to lie below."""
        unit_at = getattr(self.lookup, "unit_at", None)
        if unit_at is None:
            return []
        units = self.everybody
        while "." in code:
            code = code.rpartition(".")[0]
            try:
                position = self.lookup.position_of(code)
            except RecipientError:
                continue
            units = self.lookup.hierarchy.children(position)
            break
        places = units.positions()
        return [unit_at(place).code for place in islice(places, _NEAR_CODES_MAX)]

    def _constant(self, node: Node) -> Audience | None:
        try:
            compiled = compile_selector(node, self.lookup, [], forgiving=True)
        except RecipientError as error:
            return None if error.code == "selector.no_sender" else _EMPTY
        return self.lookup.hierarchy.evaluate(compiled.program)

    def _bounds(self, node: Node, senders: Audience, depth: int) -> Bounds:
        if isinstance(node, SenderNode):
            return Bounds(senders if len(senders) == 1 else _EMPTY, senders)
        found = self._constant(node)
        if found is not None:
            return Bounds(found, found)
        if isinstance(node, GroupNode):
            defined = self.lookup.group_of(node.name)
            if defined is None or depth > GROUP_DEPTH_MAX:
                return Bounds(_EMPTY, self.everybody)
            return self._bounds(parse(defined.selector), senders, depth + 1)
        if isinstance(node, UnionNode | IntersectionNode | DifferenceNode):
            return _joined(node, [self._bounds(part, senders, depth) for part in node.parts])
        assert not isinstance(node, LeafNode), "what names no sender is a constant"
        inner = self._bounds(node.of, senders, depth)
        if isinstance(node, SiblingsNode):
            family = self._apply(OP_CHILDREN, self._apply(OP_PARENT, inner.most))
            return Bounds(_EMPTY, family | self._apply(OP_SIBLINGS, inner.most))
        operation = _OPERATIONS[type(node)]
        return Bounds(self._apply(operation, inner.least), self._apply(operation, inner.most))

    def _apply(self, operation: int, units: Audience) -> Audience:
        return self.lookup.hierarchy.evaluate(Program([(OP_SET, 0, 0), (operation, 0, 0)], [units]))


def _joined(node: UnionNode | IntersectionNode | DifferenceNode, parts: list[Bounds]) -> Bounds:
    least, most = parts[0]
    for part in parts[1:]:
        if isinstance(node, UnionNode):
            least, most = least | part.least, most | part.most
        elif isinstance(node, IntersectionNode):
            least, most = least & part.least, most & part.most
        else:
            least, most = least - part.most, most - part.least
    return Bounds(least, most)


def _tiers(error: RecipientError) -> list[str]:
    return str(error.facts.get("known", "")).split(", ")
