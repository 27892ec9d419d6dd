"""The selector language: expressions that name recipients (docs/selectors.md).

`parse` turns text into nodes, `from_json` the JSON form; `render` and `to_json` turn nodes
into the one canonical text and form.  `compile_program` turns nodes into a program for a
hierarchy, `explain` and `why` say for one unit why it is selected or not, `roll_up_lines`
sums an audience up.  Every mistake is a `RecipientError` whose facts hold the character
position (from 0); the caller sets the path of the field.
"""

from router.selectors.compiling import Compiled, Skipped, compile_program, compile_selector
from router.selectors.explaining import Step, Why, explain, why
from router.selectors.groups import check_groups, read_definition
from router.selectors.instants import instant_of_selector, instant_of_text
from router.selectors.jsonform import from_json, to_builtins, to_json
from router.selectors.lookups import Lookup, NamingLookup
from router.selectors.names import normal_name
from router.selectors.near import known_names, near_names
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
    SenderNode,
    SiblingsNode,
    SubtreeNode,
    TagNode,
    TierNode,
    UnionNode,
    groups_of,
    render,
    walk,
)
from router.selectors.parsing import parse
from router.selectors.reasons import Reason, why_absent
from router.selectors.rolling import RollUpLine, roll_up_lines, words_of_line

__all__ = [
    "AllNode",
    "AtNode",
    "ChildrenNode",
    "CodeNode",
    "Compiled",
    "DescendantsNode",
    "DifferenceNode",
    "GroupNode",
    "IntersectionNode",
    "KindNode",
    "Lookup",
    "NamingLookup",
    "Node",
    "ParentNode",
    "Reason",
    "RollUpLine",
    "SenderNode",
    "SiblingsNode",
    "Skipped",
    "Step",
    "SubtreeNode",
    "TagNode",
    "TierNode",
    "UnionNode",
    "Why",
    "check_groups",
    "compile_program",
    "compile_selector",
    "explain",
    "from_json",
    "groups_of",
    "instant_of_selector",
    "instant_of_text",
    "known_names",
    "near_names",
    "normal_name",
    "parse",
    "read_definition",
    "render",
    "roll_up_lines",
    "to_builtins",
    "to_json",
    "walk",
    "why",
    "why_absent",
    "words_of_line",
]
