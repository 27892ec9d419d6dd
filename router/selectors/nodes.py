"""The nodes of a parsed selector, and their canonical text.

Every node carries the 0-based character position where its part of the text begins.
Codes are kept in their stored form (upper case), names in NFC with single blanks.  The
structs are also the JSON form (`router.selectors.jsonform`): their tags and fields are
what stands there, so a change here is a change of that format.  A tree of nodes has no
rings, so the collector of rings need not look at them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Final

import msgspec

RESERVED: Final = frozenset({
    "all", "sender", "children", "descendants", "parent", "siblings", "subtree",
    "tier", "kind", "tag", "group",
})  # fmt: skip
"""Words of the language: a code of that spelling stands in quotes."""
BARE_CODE: Final = re.compile(r"[A-Za-z0-9.]+(?::[^\s|&()@\"',;“”\x00-\x1f-]+)?")
"""A code that needs no quotes: nothing in it reads as an operator or a list."""
BARE_NAME: Final = re.compile(r"[^\W\d_][\w\u0300-\u036f-]*")
"""A name that needs no quotes: one word of any script, which may hold hyphens."""


class CodeNode(msgspec.Struct, frozen=True, tag="code", forbid_unknown_fields=True, gc=False):
    """One unit by one of its codes, of whatever scheme."""

    code: str
    position: int = 0


class AllNode(msgspec.Struct, frozen=True, tag="all", forbid_unknown_fields=True, gc=False):
    """Every unit."""

    position: int = 0


class SenderNode(msgspec.Struct, frozen=True, tag="sender", forbid_unknown_fields=True, gc=False):
    """The unit that sends."""

    position: int = 0


class TierNode(msgspec.Struct, frozen=True, tag="tier", forbid_unknown_fields=True, gc=False):
    """Every unit of one tier (cấp)."""

    name: str
    position: int = 0


class KindNode(msgspec.Struct, frozen=True, tag="kind", forbid_unknown_fields=True, gc=False):
    """Every unit of one kind (loại cơ quan)."""

    name: str
    position: int = 0


class TagNode(msgspec.Struct, frozen=True, tag="tag", forbid_unknown_fields=True, gc=False):
    """Every unit that bears a tag (nhãn), e.g. the class of its territory."""

    name: str
    position: int = 0


class GroupNode(msgspec.Struct, frozen=True, tag="group", forbid_unknown_fields=True, gc=False):
    """The members of a named group (nhóm) as it is defined at the instant."""

    name: str
    position: int = 0


class ChildrenNode(
    msgspec.Struct, frozen=True, tag="children", forbid_unknown_fields=True, gc=False
):
    """The units directly below any unit of a set."""

    of: Node
    position: int = 0


class DescendantsNode(
    msgspec.Struct, frozen=True, tag="descendants", forbid_unknown_fields=True, gc=False
):
    """The units at any depth below any unit of a set."""

    of: Node
    position: int = 0


class ParentNode(msgspec.Struct, frozen=True, tag="parent", forbid_unknown_fields=True, gc=False):
    """The units directly above any unit of a set."""

    of: Node
    position: int = 0


class SiblingsNode(
    msgspec.Struct, frozen=True, tag="siblings", forbid_unknown_fields=True, gc=False
):
    """The units with the same parent as a unit of a set, without the set itself."""

    of: Node
    position: int = 0


class SubtreeNode(msgspec.Struct, frozen=True, tag="subtree", forbid_unknown_fields=True, gc=False):
    """A set and the units at any depth below it."""

    of: Node
    position: int = 0


_Parts = Annotated[tuple["Node", ...], msgspec.Meta(min_length=2)]


class UnionNode(msgspec.Struct, frozen=True, tag="union", forbid_unknown_fields=True, gc=False):
    """What any of the parts selects (two parts or more)."""

    parts: _Parts = msgspec.field(name="of")
    position: int = 0


class DifferenceNode(
    msgspec.Struct, frozen=True, tag="difference", forbid_unknown_fields=True, gc=False
):
    """What the first part selects and none of the others does."""

    parts: _Parts = msgspec.field(name="of")
    position: int = 0


class IntersectionNode(
    msgspec.Struct, frozen=True, tag="intersection", forbid_unknown_fields=True, gc=False
):
    """What every part selects."""

    parts: _Parts = msgspec.field(name="of")
    position: int = 0


class AtNode(msgspec.Struct, frozen=True, tag="at", forbid_unknown_fields=True, gc=False):
    """A whole selector in the directory that was valid at an instant; only at the top.

    `at` is the instant's canonical text: a date (00:00 +07:00 of it) or a time in +07:00.
    """

    of: Node
    at: str
    position: int = 0


LeafNode = CodeNode | AllNode | SenderNode | TierNode | KindNode | TagNode | GroupNode
RelationNode = ChildrenNode | DescendantsNode | ParentNode | SiblingsNode | SubtreeNode
JoinNode = UnionNode | DifferenceNode | IntersectionNode
Node = (
    CodeNode
    | AllNode
    | SenderNode
    | TierNode
    | KindNode
    | TagNode
    | GroupNode
    | ChildrenNode
    | DescendantsNode
    | ParentNode
    | SiblingsNode
    | SubtreeNode
    | UnionNode
    | DifferenceNode
    | IntersectionNode
    | AtNode
)

RELATIONS: Final[dict[str, type[RelationNode]]] = {
    "children": ChildrenNode,
    "descendants": DescendantsNode,
    "parent": ParentNode,
    "siblings": SiblingsNode,
    "subtree": SubtreeNode,
}
"""The functions that take a selector, by their words."""
WORDS: Final[dict[type[RelationNode], str]] = {node: word for word, node in RELATIONS.items()}
_SIGNS: Final = {UnionNode: " | ", DifferenceNode: " - ", IntersectionNode: " & "}


def render(node: Node) -> str:
    """Return the canonical text: one blank around operators, parentheses where needed.

    `parse(render(node))` is the same node but for the positions.
    """
    if isinstance(node, CodeNode):
        bare = BARE_CODE.fullmatch(node.code) and node.code.lower() not in RESERVED
        return node.code if bare else f'"{node.code}"'
    if isinstance(node, AllNode):
        return "all"
    if isinstance(node, SenderNode):
        return "sender"
    if isinstance(node, TierNode):
        return f"tier({node.name})"
    if isinstance(node, KindNode):
        return f"kind({node.name})"
    if isinstance(node, TagNode):
        return f"tag({node.name if BARE_NAME.fullmatch(node.name) else _quoted(node.name)})"
    if isinstance(node, GroupNode):
        return f"group({_quoted(node.name)})"
    if isinstance(node, RelationNode):
        return f"{WORDS[type(node)]}({render(node.of)})"
    if isinstance(node, AtNode):
        return f"{render(node.of)} @ {node.at}"
    return _SIGNS[type(node)].join(
        f"({render(part)})" if isinstance(part, JoinNode) else render(part) for part in node.parts
    )


def _quoted(name: str) -> str:
    return f'"{name}"'


def walk(node: Node) -> Iterator[tuple[Node, int]]:
    """Yield every node with its depth (the top is 1), without recursion."""
    waiting = [(node, 1)]
    while waiting:
        one, depth = waiting.pop()
        yield one, depth
        if isinstance(one, JoinNode):
            waiting += [(part, depth + 1) for part in one.parts]
        elif isinstance(one, RelationNode | AtNode):
            waiting.append((one.of, depth + 1))


def groups_of(node: Node) -> list[str]:
    """Return the names of the groups that a selector itself names, each once, in order."""
    found = [one for one, _ in walk(node) if isinstance(one, GroupNode)]
    return list(dict.fromkeys(one.name for one in sorted(found, key=lambda one: one.position)))
