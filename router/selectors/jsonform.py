"""The JSON form of a selector: one object a node, told apart by `type`.

`{"type":"code","code":"H22"}`, `{"type":"union","of":[…]}`, `{"type":"children","of":{…}}`,
`{"type":"at","of":{…},"at":"2025-06-30"}`: the structs of `router.selectors.nodes` without
their positions.  What is read is written as text and parsed again, so both forms have the
same words, the same bounds and the same errors; positions are those in the canonical text.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from router._json import find_duplicate_member
from router.errors import RecipientError
from router.limits import SELECTOR_DEPTH_MAX, SELECTOR_JSON_BYTES_MAX, SELECTOR_NODES_MAX
from router.selectors.instants import instant_of_text
from router.selectors.names import normal_name
from router.selectors.nodes import (
    BARE_NAME,
    AllNode,
    AtNode,
    CodeNode,
    GroupNode,
    JoinNode,
    KindNode,
    Node,
    RelationNode,
    SenderNode,
    TagNode,
    TierNode,
    render,
    walk,
)
from router.selectors.parsing import parse

_BRACKETS_MAX: Final = 3 * SELECTOR_DEPTH_MAX + 4
"""One level of the text, as in `children(A | …)`, is an object, its list and an object."""
_DECODER: Final = msgspec.json.Decoder(Node)


def to_json(node: Node) -> bytes:
    """Return the JSON form of a selector."""
    return msgspec.json.encode(to_builtins(node))


def to_builtins(node: Node) -> dict[str, Any]:
    """Return the JSON form as plain dicts and lists, to stand within other JSON."""
    made: dict[str, Any] = {"type": node.__struct_config__.tag}
    if isinstance(node, JoinNode):
        made["of"] = [to_builtins(part) for part in node.parts]
    elif isinstance(node, RelationNode | AtNode):
        made["of"] = to_builtins(node.of)
    elif isinstance(node, CodeNode):
        made["code"] = node.code
    elif not isinstance(node, AllNode | SenderNode):
        made["name"] = node.name
    if isinstance(node, AtNode):
        made["at"] = node.at
    return made


def from_json(data: bytes | str) -> Node:
    """Return the selector that a JSON form means.

    Raises RecipientError: `selector.malformed` (no JSON, an unknown type or field, a list
    of less than two parts, with the JSON path in the reason), and what `parse` raises.
    """
    raw = data.encode("utf-8", "surrogatepass") if isinstance(data, str) else bytes(data)
    if len(raw) > SELECTOR_JSON_BYTES_MAX:
        raise RecipientError(
            "selector.too_large", reason=f"more than {SELECTOR_JSON_BYTES_MAX} bytes"
        )
    try:
        repeated = find_duplicate_member(raw, _BRACKETS_MAX)
    except ValueError:
        raise _too_deep() from None
    if repeated is not None:
        raise _malformed(f"the member “{repeated[1]}” stands twice")
    try:
        node = _DECODER.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _malformed(str(error)) from None
    except RecursionError:
        raise _too_deep() from None
    for count, (one, depth) in enumerate(walk(node), 1):
        if count > SELECTOR_NODES_MAX:
            raise RecipientError(
                "selector.too_large", reason=f"more than {SELECTOR_NODES_MAX} parts"
            )
        _check(one, top=depth == 1)
    text = render(node)
    node = parse(text)
    canonical = render(node)  # another text where names or codes were spelled otherwise
    return node if canonical == text else parse(canonical)


def _check(node: Node, *, top: bool) -> None:
    """Refuse what would not be one token of the text."""
    try:
        if isinstance(node, CodeNode) and '"' in node.code:
            raise ValueError("a code holds no quotation mark")
        if isinstance(node, TagNode | GroupNode):
            normal_name(node.name)
        if isinstance(node, TierNode | KindNode) and not BARE_NAME.fullmatch(node.name):
            raise ValueError("the name of a tier or kind is one word")
        if isinstance(node, AtNode):
            if not top:
                raise ValueError("“at” stands once, around the whole selector")
            instant_of_text(node.at)
    except ValueError as error:
        raise _malformed(str(error)) from None


def _malformed(reason: str) -> RecipientError:
    return RecipientError("selector.malformed", reason=reason)


def _too_deep() -> RecipientError:
    return RecipientError(
        "selector.too_large", reason=f"nested deeper than {SELECTOR_DEPTH_MAX} levels"
    )
