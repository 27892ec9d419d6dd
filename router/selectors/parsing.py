"""Reads the text of a selector (grammar in docs/selectors.md).

Recursive descent, its depth bounded by SELECTOR_DEPTH_MAX and its work by one pass over at
most SELECTOR_CHARS_MAX characters, so hostile text costs bounded time.
"""

from __future__ import annotations

import difflib
import re
from typing import Final, NoReturn

from router.errors import RecipientError
from router.limits import (
    CODE_CHARS_MAX,
    SELECTOR_CHARS_MAX,
    SELECTOR_DEPTH_MAX,
    SELECTOR_NODES_MAX,
)
from router.model.units import code_form, normal_code
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

_BLANKS: Final = re.compile(r"[ \t\r\n]*")
_WORD: Final = re.compile(r"[A-Za-z0-9.]+")
_LETTERS: Final = re.compile(r"[\w.\u0300-\u036f]+")
"""A word as a person sees it, for messages: letters of any script with their marks."""
_NAME: Final = re.compile(r"[^\W\d_][\w\u0300-\u036f-]*")
_BY_CODE: Final = "recipients are named by code, e.g. H22.32.21"
_FUNCTIONS: Final = ("children", "descendants", "tier", "kind")


def parse(text: str) -> Node:
    """Return the nodes of a selector.

    Raises RecipientError: `selector.syntax` with the character position and a reason, or
    `selector.too_large` when it exceeds a bound of router.limits.
    """
    if len(text) > SELECTOR_CHARS_MAX:
        raise RecipientError(
            "selector.too_large", reason=f"more than {SELECTOR_CHARS_MAX} characters"
        )
    reader = _Reader(text)
    node = reader.selector(1)
    reader.end()
    return node


class _Reader:
    """The text, the place reached and the nodes made so far."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.place = 0
        self.nodes = 0

    def wrong(self, reason: str, position: int | None = None) -> NoReturn:
        raise RecipientError(
            "selector.syntax",
            position=self.place if position is None else position,
            reason=reason,
        )

    def peek(self) -> str:
        """Pass blanks; return the next character, or "" at the end."""
        blanks = _BLANKS.match(self.text, self.place)
        assert blanks is not None, "the pattern matches nothing, too"
        self.place = blanks.end()
        return self.text[self.place : self.place + 1]

    def expect(self, sign: str) -> None:
        found = self.peek()
        if found != sign:
            self.no_list(found)
            self.wrong(f"“{sign}” expected, {_quoted(found)} found")
        self.place += 1

    def end(self) -> None:
        found = self.peek()
        if found:
            self.no_list(found)
            hint = f"; {_BY_CODE}" if found.isalnum() else ""
            self.wrong(f"an operator (| & -) or the end expected, {_quoted(found)} found{hint}")

    def no_list(self, found: str) -> None:
        """Help those who list recipients as in a letter."""
        if found and found in ",;":
            self.wrong(f"{_quoted(found)} found: write “|” between recipients")

    def count(self) -> None:
        self.nodes += 1
        if self.nodes > SELECTOR_NODES_MAX:
            raise RecipientError(
                "selector.too_large", reason=f"more than {SELECTOR_NODES_MAX} parts"
            )

    def selector(self, depth: int) -> Node:
        if depth > SELECTOR_DEPTH_MAX:
            raise RecipientError(
                "selector.too_large", reason=f"nested deeper than {SELECTOR_DEPTH_MAX} levels"
            )
        self.peek()
        start = self.place
        parts = [self.operand(depth)]
        operator = ""
        while (sign := self.peek()) and sign in "|&-":
            if operator and sign != operator:
                self.wrong(
                    f"“{operator}” and “{sign}” are mixed: write parentheses to set the order"
                )
            operator = sign
            self.place += 1
            parts.append(self.operand(depth))
        if not operator:
            return parts[0]
        self.count()
        if operator == "|":
            return UnionNode(tuple(parts), start)
        if operator == "&":
            return IntersectionNode(tuple(parts), start)
        return DifferenceNode(tuple(parts), start)

    def operand(self, depth: int) -> Node:
        sign = self.peek()
        start = self.place
        if sign == "(":
            self.place += 1
            inner = self.selector(depth + 1)
            self.expect(")")
            return inner
        found = _WORD.match(self.text, start)
        letters = _LETTERS.match(self.text, start)
        if letters is not None and (found is None or letters.end() > found.end()):
            self.no_code(letters.group(), start)
        if found is None:
            self.wrong(f"a code, “all”, a function or “(” expected, {_quoted(sign)} found")
        self.count()
        self.place = found.end()
        word = found.group().lower()
        if self.peek() == "(":
            return self.function(word, start, depth)
        if word == "all":
            return AllNode(start)
        if word in _FUNCTIONS:
            self.wrong(f"“{word}” needs parentheses")
        return self.code(found.group(), start)

    def function(self, word: str, start: int, depth: int) -> Node:
        if word not in _FUNCTIONS:
            near = difflib.get_close_matches(word[:CODE_CHARS_MAX], _FUNCTIONS, 1)
            meant = f"; did you mean “{near[0]}”?" if near else ""
            known = ", ".join(_FUNCTIONS)
            called = _quoted(word[:CODE_CHARS_MAX])
            self.wrong(f"no function {called}; there are {known}{meant}", start)
        self.expect("(")
        if word in ("tier", "kind"):
            self.peek()
            found = _NAME.match(self.text, self.place)
            if found is None:
                self.wrong(f"the name of a {word} expected")
            self.place = found.end()
            self.expect(")")
            name = found.group().lower()
            return TierNode(name, start) if word == "tier" else KindNode(name, start)
        inner = self.selector(depth + 1)
        self.expect(")")
        return ChildrenNode(inner, start) if word == "children" else DescendantsNode(inner, start)

    def code(self, word: str, start: int) -> Node:
        code = normal_code(word)
        if len(code) > CODE_CHARS_MAX or code_form(code) is None:
            self.no_code(code, start)
        return CodeNode(code, start)

    def no_code(self, word: str, start: int) -> NoReturn:
        shown = _quoted(word[:CODE_CHARS_MAX])
        self.wrong(f"{shown} is no unit's code; {_BY_CODE}", start)


def _quoted(found: str) -> str:
    return f"“{found}”" if found else "the end"
