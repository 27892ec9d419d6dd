"""The nodes of a parsed selector, and their canonical text.

Every node carries the 0-based character position where its part of the text begins.
Codes are kept in their stored form (upper case).
"""

from __future__ import annotations

import msgspec


class CodeNode(msgspec.Struct, frozen=True, tag="code"):
    """One unit by its code, in either national form."""

    code: str
    position: int = 0


class AllNode(msgspec.Struct, frozen=True, tag="all"):
    """Every unit."""

    position: int = 0


class TierNode(msgspec.Struct, frozen=True, tag="tier"):
    """Every unit of one tier (cấp)."""

    name: str
    position: int = 0


class KindNode(msgspec.Struct, frozen=True, tag="kind"):
    """Every unit of one kind (loại cơ quan)."""

    name: str
    position: int = 0


class ChildrenNode(msgspec.Struct, frozen=True, tag="children"):
    """The units directly below any unit of a set."""

    of: Node
    position: int = 0


class DescendantsNode(msgspec.Struct, frozen=True, tag="descendants"):
    """The units at any depth below any unit of a set."""

    of: Node
    position: int = 0


class UnionNode(msgspec.Struct, frozen=True, tag="union"):
    """What any of the parts selects (two parts or more)."""

    parts: tuple[Node, ...]
    position: int = 0


class DifferenceNode(msgspec.Struct, frozen=True, tag="difference"):
    """What the first part selects and none of the others does."""

    parts: tuple[Node, ...]
    position: int = 0


class IntersectionNode(msgspec.Struct, frozen=True, tag="intersection"):
    """What every part selects."""

    parts: tuple[Node, ...]
    position: int = 0


Node = (
    CodeNode
    | AllNode
    | TierNode
    | KindNode
    | ChildrenNode
    | DescendantsNode
    | UnionNode
    | DifferenceNode
    | IntersectionNode
)
JoinNode = UnionNode | DifferenceNode | IntersectionNode

_SIGNS = {UnionNode: " | ", DifferenceNode: " - ", IntersectionNode: " & "}


def render(node: Node) -> str:
    """Return the canonical text: one blank around operators, parentheses where needed.

    `parse(render(node))` is the same node but for the positions.
    """
    if isinstance(node, CodeNode):
        return node.code
    if isinstance(node, AllNode):
        return "all"
    if isinstance(node, TierNode):
        return f"tier({node.name})"
    if isinstance(node, KindNode):
        return f"kind({node.name})"
    if isinstance(node, ChildrenNode):
        return f"children({render(node.of)})"
    if isinstance(node, DescendantsNode):
        return f"descendants({render(node.of)})"
    return _SIGNS[type(node)].join(
        f"({render(part)})" if isinstance(part, JoinNode) else render(part) for part in node.parts
    )
