"""The selector language: expressions that name recipients (docs/selectors.md).

`parse` turns text into nodes, `render` turns nodes into the one canonical text,
`compile_program` turns nodes into a program for a hierarchy, `explain` says for one unit,
step by step, why it is selected or not.  Every mistake is a `RecipientError` whose facts
hold the character position (from 0); the caller sets the path of the field.
"""

from router.selectors.compiling import Lookup, Skipped, compile_program
from router.selectors.explaining import NamingLookup, explain
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
    render,
)
from router.selectors.parsing import parse

__all__ = [
    "AllNode",
    "ChildrenNode",
    "CodeNode",
    "DescendantsNode",
    "DifferenceNode",
    "IntersectionNode",
    "KindNode",
    "Lookup",
    "NamingLookup",
    "Node",
    "Skipped",
    "TierNode",
    "UnionNode",
    "compile_program",
    "explain",
    "parse",
    "render",
]
