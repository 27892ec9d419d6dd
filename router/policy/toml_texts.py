"""Where texts, blanks and keys of a TOML file end, in time and memory that grow with its length.

A pattern that repeats a group keeps a state for every repetition, and possessive groups give
wrong answers in Python before 3.11.4; so each step here looks for one sign and goes on from it.
Source: TOML 1.0.0, "String", "Keys", "Comment".
"""

from __future__ import annotations

import re
from typing import Final

KEY_PARTS_MAX: Final = 32
"""What no policy needs; `tomllib` takes time with the square of the parts of a key."""
_END: Final = {  # what a text's next sign of note is, by how it begins
    '"""': re.compile(r'\\.|"""', re.DOTALL),
    "'''": re.compile(r"'''"),
    '"': re.compile(r'\\[^\n]|["\n]'),
    "'": re.compile(r"['\n]"),
}
_BLANK: Final = re.compile(r"[ \t\r\n]*")
_BARE: Final = re.compile(r"[A-Za-z0-9_-]*")
_DOT: Final = re.compile(r"[ \t]*\.[ \t]*")
_SIGN: Final = re.compile(r"[\"'#A-Za-z0-9_-]")
_MANY_DOTS: Final = re.compile(rf"^(?:[^.\n]*\.){{{KEY_PARTS_MAX}}}", re.MULTILINE)


def text_end(text: str, at: int) -> tuple[int, bool]:
    """Return where the quoted text that begins at `at` ends, and whether it is closed.

    One that is never closed goes on to its line's end, or the file's; (at, False) where none
    begins.
    """
    sign = text[at : at + 1]
    if sign not in {'"', "'"}:
        return at, False
    quotes = sign * 3 if text.startswith(sign * 3, at) else sign
    place = at + len(quotes)
    while found := _END[quotes].search(text, place):
        place = found.end()
        if found.group() == quotes:
            if len(quotes) > 1:  # up to two more are the text's own last signs
                place += text.startswith(sign, place)
                place += text.startswith(sign, place) and text[place - 4 : place] == sign * 4
            return place, True
        if found.group() == "\n":
            return found.start(), False
    return len(text), False


def blank_end(text: str, at: int) -> int:
    """Return where blanks, line ends and comments that begin at `at` end."""
    while True:
        found = _BLANK.match(text, at)
        at = at if found is None else found.end()
        if not text.startswith("#", at):
            return at
        line_end = text.find("\n", at)
        at = len(text) if line_end < 0 else line_end


def too_deep_at(text: str) -> int:
    """Return the line (from 1) of the first key that has more parts than any policy's, or 0.

    Asked before a parser reads the text.
    """
    if _MANY_DOTS.search(text) is None:
        return 0
    at = 0
    while found := _SIGN.search(text, at):
        at = found.start()
        if text[at] == "#":
            at = blank_end(text, at)
            continue
        begun = at
        at, parts = _key_end(text, at)
        if parts > KEY_PARTS_MAX:
            return text.count("\n", 0, begun) + 1
    return 0


def _key_end(text: str, at: int) -> tuple[int, int]:
    """Return where a key, or what looks like one, ends, and how many parts it has (bounded)."""
    parts = 0
    while True:
        bare = _BARE.match(text, at)
        end = at if bare is None else bare.end()
        if end == at:
            end, _ = text_end(text, at)
        if end == at:
            return at, parts
        at, parts = end, parts + 1
        dot = _DOT.match(text, at)
        if dot is None or parts > KEY_PARTS_MAX:
            return at, parts
        at = dot.end()
