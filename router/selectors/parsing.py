"""Reads the text of a selector (grammar in docs/selectors.md).

Recursive descent, its depth bounded by SELECTOR_DEPTH_MAX and its work by one pass over at
most SELECTOR_CHARS_MAX characters, so hostile text costs bounded time.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final, NoReturn

from router.errors import RecipientError
from router.limits import (
    CODE_CHARS_MAX,
    SELECTOR_CHARS_MAX,
    SELECTOR_DEPTH_MAX,
    SELECTOR_NAME_CHARS_MAX,
    SELECTOR_NODES_MAX,
)
from router.model.units import code_form, normal_code
from router.selectors.instants import TOKEN, instant_of_text, show_at
from router.selectors.names import normal_name
from router.selectors.near import near_names
from router.selectors.nodes import (
    BARE_CODE,
    BARE_NAME,
    RELATIONS,
    RESERVED,
    AllNode,
    AtNode,
    CodeNode,
    DifferenceNode,
    GroupNode,
    IntersectionNode,
    KindNode,
    Node,
    SenderNode,
    TagNode,
    TierNode,
    UnionNode,
)

_BLANKS: Final = re.compile(r"[ \t\r\n\u00a0]*")
"""What may stand between tokens; word processors put no-break spaces there."""
_LETTERS: Final = re.compile(r"[\w.\u0300-\u036f]+")
"""A word as a person sees it, for messages: letters of any script with their marks."""
_AFTER_WORD: Final = frozenset(" \t\r\n()|&-@,;") | {""}
_QUOTED: Final = re.compile(r'"([^"]*)"')
_QUICK: Final = re.compile(
    r"(tier|kind)\(([a-z][a-z-]{0,99})\)"
    r"|(" + "|".join(RELATIONS) + r")\("
    r"|([A-Z0-9]+(?:\.[A-Z0-9]+)*)(?= ?(?:[)|&-]|\Z))"
)
"""An operand in its canonical spelling, which needs no second look: nearly all there are."""
_BY_CODE: Final = "recipients are named by code, e.g. H22.32.21"
_NAMED: Final = ("tier", "kind", "tag", "group")
_FUNCTIONS: Final = (*RELATIONS, *_NAMED)
_WORDS: Final = ("all", "sender")
_SHOUTED: Final = frozenset(word.upper() for word in RESERVED)


def parse(text: str) -> Node:
    """Return the nodes of a selector.

    Raises RecipientError: `selector.syntax` with the character position and a reason, or
    `selector.too_large` when it exceeds a bound of router.limits.
    """
    if len(text) > SELECTOR_CHARS_MAX:
        raise RecipientError(
            "selector.too_large", reason=f"more than {SELECTOR_CHARS_MAX} characters"
        )
    return _Reader(text).whole()


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
        found = self.text[self.place : self.place + 1]
        if found == " ":  # the one blank of the canonical text
            self.place += 1
            found = self.text[self.place : self.place + 1]
        if not found or (found > " " and found != "\u00a0"):
            return found
        blanks = _BLANKS.match(self.text, self.place)
        assert blanks is not None, "the pattern matches nothing, too"
        self.place = blanks.end()
        return self.text[self.place : self.place + 1]

    def expect(self, sign: str) -> None:
        found = self.peek()
        if found != sign:
            self.misplaced(found)
            self.wrong(f"“{sign}” expected, {_quoted(found)} found")
        self.place += 1

    def misplaced(self, found: str) -> None:
        """Help those who list recipients as in a letter, or date a part."""
        if found and found in ",;+":
            self.wrong(f"{_quoted(found)} found: write “|” between recipients")
        if found and found in "–—−":
            self.wrong(f"{_quoted(found)} found: write a plain hyphen to take away")
        if found == "@":
            self.wrong("“@” stands once, at the end of the whole selector")
        if found and found in "“”":
            self.wrong('write straight quotation marks (")')

    def count(self) -> None:
        self.nodes += 1
        if self.nodes > SELECTOR_NODES_MAX:
            raise RecipientError(
                "selector.too_large", reason=f"more than {SELECTOR_NODES_MAX} parts"
            )

    def whole(self) -> Node:
        """Read a selector and the instant it may have, to the end of the text."""
        node = self.selector(1)
        if self.peek() == "@":
            node = self.dated(node)
        found = self.peek()
        if found:
            self.misplaced(found)
            hint = f"; {_BY_CODE}" if found.isalnum() else ""
            self.wrong(f"an operator (| & -) or the end expected, {_quoted(found)} found{hint}")
        return node

    def dated(self, node: Node) -> AtNode:
        self.count()
        self.place += 1
        self.peek()
        found = TOKEN.match(self.text, self.place)
        try:
            instant = instant_of_text(found.group() if found else "")
        except ValueError as error:
            self.wrong(str(error))
        assert found is not None, "an empty text is no instant"
        self.place = found.end()
        return AtNode(node, show_at(instant))

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
        quick = _QUICK.match(self.text, start)
        if quick is not None:
            name, relation, code = quick.group(2, 3, 4)
            if code is None or (len(code) <= CODE_CHARS_MAX and code not in _SHOUTED):
                self.count()
                self.place = quick.end()
                if code is not None:
                    return CodeNode(code, start)
                if name is not None:
                    return (TierNode if quick.group(1) == "tier" else KindNode)(name, start)
                return self.related(relation, start, depth)
        return self.careful(sign, start, depth)

    def careful(self, sign: str, start: int, depth: int) -> Node:
        """Read an operand of whatever spelling, or refuse it."""
        if sign == "(":
            self.place += 1
            inner = self.selector(depth + 1)
            self.expect(")")
            return inner
        if sign == '"':
            self.count()
            return self.code(self.quotation("code"), start)
        found = BARE_CODE.match(self.text, start)
        if found is None or self.text[found.end() : found.end() + 1] not in _AFTER_WORD:
            letters = _LETTERS.match(self.text, start)
            if letters is not None and (found is None or letters.end() > found.end()):
                self.no_code(letters.group(), start)
        if found is None:
            self.misplaced(sign)
            self.wrong(f"a code, “all”, a function or “(” expected, {_quoted(sign)} found")
        self.count()
        self.place = found.end()
        word = found.group().lower()
        if self.peek() == "(":
            return self.function(word, start, depth)
        if word == "all":
            return AllNode(start)
        if word == "sender":
            return SenderNode(start)
        if word in _FUNCTIONS:
            self.wrong(f"“{word}” needs parentheses")
        return self.code(found.group(), start)

    def function(self, word: str, start: int, depth: int) -> Node:
        if word not in _FUNCTIONS:
            called = _quoted(word[:CODE_CHARS_MAX])
            if word in _WORDS:
                self.wrong(f"no function {called}: write “{word}” without parentheses", start)
            near = near_names(word, _FUNCTIONS, 1)
            meant = f"; did you mean “{near[0]}”?" if near else ""
            self.wrong(f"no function {called}; there are {', '.join(_FUNCTIONS)}{meant}", start)
        self.expect("(")
        if word in RELATIONS:
            return self.related(word, start, depth)
        node = self.named(word, start)
        self.expect(")")
        return node

    def related(self, word: str, start: int, depth: int) -> Node:
        inner = self.selector(depth + 1)
        self.expect(")")
        return RELATIONS[word](inner, start)

    def named(self, word: str, start: int) -> Node:
        """Read the name in `tier(…)`, `kind(…)`, `tag(…)` or `group(…)`."""
        quoted = self.peek() == '"'
        place = self.place
        if quoted:
            name = self.name(self.quotation("name"), place)
        else:
            found = BARE_NAME.match(self.text, self.place)
            if found is None:
                self.misplaced(self.peek())
                self.wrong(f"the name of a {word} expected")
            if word == "group":
                self.wrong(f'write the name of a group in quotation marks: group("{_rest(self)}")')
            self.place = found.end()
            name = self.name(found.group(), place)
            after = self.peek()
            if word == "tag" and after.isalnum():
                self.wrong("write a name of several words in quotation marks", place)
        if word == "group":
            return GroupNode(name, start)
        if word == "tag":
            return TagNode(name, start)
        name = unicodedata.normalize("NFC", name.lower())
        if BARE_NAME.fullmatch(name) is None:
            self.wrong(f"the name of a {word} is one word", place)
        return TierNode(name, start) if word == "tier" else KindNode(name, start)

    def name(self, text: str, start: int) -> str:
        try:
            return normal_name(text)
        except ValueError as error:
            self.wrong(str(error), start)

    def quotation(self, what: str) -> str:
        found = _QUOTED.match(self.text, self.place)
        if found is None:
            self.wrong("the quotation mark is not closed")
        if len(found.group(1)) > 2 * SELECTOR_NAME_CHARS_MAX:
            self.wrong(f"a {what} has at most {SELECTOR_NAME_CHARS_MAX} characters")
        self.place = found.end()
        return found.group(1)

    def code(self, word: str, start: int) -> Node:
        code = normal_code(word)
        # What can't be seen can't be checked by its writer, and must read back the same.
        if code_form(code) is None or not code.isprintable() or normal_code(code) != code:
            self.no_code(word, start)
        return CodeNode(code, start)

    def no_code(self, word: str, start: int) -> NoReturn:
        shown = _quoted(word[:CODE_CHARS_MAX])
        self.wrong(f"{shown} is no unit's code; {_BY_CODE}", start)


def _rest(reader: _Reader) -> str:
    """Return what was written up to the closing parenthesis, for a message."""
    text = reader.text[reader.place : reader.place + 60]
    return text.partition(")")[0].strip()


def _quoted(found: str) -> str:
    """Return what was found as a person can see it."""
    if len(found) == 1 and not found.isprintable():
        return f"U+{ord(found):04X}"
    return f"“{found}”" if found else "the end"
