"""The secrecy mark: found at the door, before anything else is looked at.

A state secret (Mật, Tối mật, Tuyệt mật; Law 117/2025/QH15) never enters this engine, not
even its subject line.  No policy can switch this off.  Where a spelling leaves a doubt, the
document is refused: a clerk can write a mark anew, nobody can take a secret back.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Final

from router.model.documents import Document

_MARK: Final = re.compile(
    r"(?:m[ứu]c|d[ấa]u(?:ch[ỉi])?|c[ấa]p|lo[ạa]i|[đd][ộo](?:m[ậa]t)?|t[àa]ili[ệe]u|v[ăa]nb[ảa]n"
    r"|c[ôo]ngv[ăa]n|th[ôo]ngtin|h[ồo]s[ơo]|c[ủu]a)*"
    r"(?:(?:t[ốo]i|tuy[ệe]t)?m[ậa]t|b[íi]m[ậa]tnh[àa]n[ưu][ớo]c"
    r"|(?:top|state)?secret|confidential)"
)
"""What announces a mark (độ mật, tài liệu, văn bản, …), then the mark; letters only, each
with or without its diacritics."""
_EDGE: Final = re.compile(
    "["
    + re.escape("[]{}()<>\"'*|/«»‹›“”„‟‘’‚‛〈〉《》「」『』【】〔〕〖〗〘〙〚〛〝〞⟦⟧⟨⟩⟪⟫❝❞")
    + "]"
)
_NO_LETTER: Final = re.compile(r"[\W_]+")
_IGNORED: Final = frozenset({0x034F, *range(0xFE00, 0xFE10)})
"""Invisible, yet not of category Cf: the grapheme joiner and the variation selectors."""


def carries_secrecy_mark(document: Document) -> bool:
    """Say whether a mark, or what stands in brackets or quotes at an end of the subject, is one.

    Compared in NFKC without invisible characters, case, white space and punctuation, with
    or without Vietnamese diacritics; words like “độ mật:” or “tài liệu” don't hide a mark.
    """
    if any(_is_mark(_letters(_folded(mark))) for mark in document.marks):
        return True
    parts = [_letters(part) for part in _EDGE.split(_folded(document.subject))]
    return any(map(_is_mark, (*_enclosed(parts), *_enclosed(parts[::-1]))))


def _folded(text: str) -> str:
    """Return NFKC without invisible characters and case.

    They go first: between a letter and its accent they would keep the two apart.
    """
    shown = "".join(
        one for one in text if unicodedata.category(one) != "Cf" and ord(one) not in _IGNORED
    )
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", shown).casefold())


def _letters(text: str) -> str:
    return _NO_LETTER.sub("", text)


def _enclosed(parts: Sequence[str]) -> Iterator[str]:
    """Yield what stands between brackets from the beginning on, until something stands free."""
    for before, part in pairwise(parts):
        if before and part:
            return
        if part:
            yield part


def _is_mark(letters: str) -> bool:
    return _MARK.fullmatch(letters) is not None
