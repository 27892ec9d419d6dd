"""The secrecy mark: found at the door, before anything else is looked at.

A state secret (Mật, Tối mật, Tuyệt mật; Law 117/2025/QH15) never enters this engine, not
even its subject line.  No policy can switch this off.  Where a spelling leaves a doubt, the
document is refused: a clerk can write a mark anew, nobody can take a secret back.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Final

from router.model.documents import Document

_ANNOUNCED: Final = (
    r"(?:m[ứu]c|(?:con)?d[ấa]u(?:ch[ỉi])?|c[ấa]p|lo[ạa]i|[đd][ộo](?:m[ậa]t)?|t[àa]ili[ệe]u"
    r"|v[ăa]nb[ảa]n|c[ôo]ngv[ăa]n|th[ôo]ngtin|h[ồo]s[ơo]|c[ủu]a)"
)
_MARK: Final = re.compile(
    _ANNOUNCED + r"*(?:(?:t[ốo]i|tuy[ệe]t)?m[ậa]t|b[íi]m[ậa]tnh[àa]n[ưu][ớo]c"
    r"|(?:top|state)?secret|confidential)"
)
"""What announces a mark (độ mật, tài liệu, văn bản, …), then the mark; letters only, each
with or without its diacritics."""
_MARK_AT_END: Final = re.compile(
    _ANNOUNCED + r"*(?:mật|(?:t[ốo]i|tuy[ệe]t)m[ậa]t|(?:top|state)secret)"
    "|" + _ANNOUNCED + r"+m[ậa]t"
)
"""At the end of a subject “(bí mật nhà nước)” is the name of a law's matter, “(MAT)” a name."""
_ANNOUNCES_ONLY: Final = re.compile(r"(?:m[ứu]c)?[đd][ộo]m[ậa]t")
_SECRET_TYPE: Final = re.compile(r"(?<!bảo)(?<!bí)\s+mật\s*$")
"""“Báo cáo mật” is a secret one; “Cam kết bảo mật”, “Danh mục bí mật” are about something."""
_SUFFIX: Final = re.compile(r"(?:\.[A-Za-z0-9]{1,8})+\s*$")
_PARTS: Final = re.compile(r"[-–—,;:/|+()\[\]]")
_LEADS: Final = re.compile(r"\s*(?::|\s[-–—])")
_ETH: Final = {0xF0: "đ", 0x256: "đ"}
"""Conversion from old Vietnamese fonts leaves Ð (eth) where Đ was."""
_EDGE: Final = re.compile(
    "["
    + re.escape("[]{}()<>\"'*|/«»‹›“”„‟‘’‚‛〈〉《》「」『』【】〔〕〖〗〘〙〚〛〝〞⟦⟧⟨⟩⟪⟫❝❞`´″′=#~")
    + "]"
)
_NO_LETTER: Final = re.compile(r"[\W_]+")
_IGNORED: Final = re.compile("[\u034f\u115f\u1160\u3164\uffa0\ufe00-\ufe0f]")
"""Invisible, yet not of category Cf: grapheme joiner, Hangul fillers, variation selectors."""


def carries_secrecy_mark(document: Document) -> bool:
    """Say whether a document says anywhere that it is secret.

    That is: a mark or the document's type is a secrecy mark; or such a mark leads or encloses
    an end of the subject or of an attachment's name.  Compared in NFKC without invisible
    characters, case, white space and punctuation, with or without Vietnamese diacritics;
    words like “độ mật:” or “tài liệu” don't hide a mark.
    """
    return (
        any(map(_is_marked, document.marks))
        or _is_secret_type(document.document_type)
        or _begins_or_ends_so(document.subject)
        or any(_begins_or_ends_so(_SUFFIX.sub("", one.name)) for one in document.attachments)
    )


@lru_cache(1_024)
def _is_secret_type(kind: str) -> bool:
    """Judge a document's type; the same few come again and again."""
    return _is_marked(kind) or _SECRET_TYPE.search(_folded(kind)) is not None


def _begins_or_ends_so(text: str) -> bool:
    """Look at what leads a text, and at what is enclosed at its ends."""
    subject = _folded(text)
    parts = [_letters(part) for part in _EDGE.split(subject)]
    lead = _letters(_LEADS.split(subject, 1)[0])
    if any(map(_MARK.fullmatch, (lead, *_enclosed(parts)))):
        return True
    return any(map(_MARK_AT_END.fullmatch, _enclosed(parts[::-1])))


def _is_marked(mark: str) -> bool:
    """Look at a mark as a whole, then at its parts: “Hỏa tốc - Mật” holds two."""
    folded = _folded(mark)
    parts = [_letters(part) for part in _PARTS.split(folded)]
    return _MARK.fullmatch(_letters(folded)) is not None or any(
        _MARK.fullmatch(part) and not _ANNOUNCES_ONLY.fullmatch(part) for part in parts
    )


def _folded(text: str) -> str:
    """Return NFKC without invisible characters and case.

    They go first: between a letter and its accent they would keep the two apart.
    """
    shown = text
    if not text.isprintable():  # else it has nothing of category Cf
        shown = "".join(one for one in text if unicodedata.category(one) != "Cf")
    shown = _IGNORED.sub("", shown)
    folded = unicodedata.normalize("NFKC", shown).casefold()
    return unicodedata.normalize("NFKC", folded).translate(_ETH)


def _letters(text: str) -> str:
    return _NO_LETTER.sub("", text)


def _enclosed(parts: Sequence[str]) -> Iterator[str]:
    """Yield what stands between brackets from the beginning on, until something stands free."""
    for before, part in pairwise(parts):
        if before and part:
            return
        if part:
            yield part
