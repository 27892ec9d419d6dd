"""The secrecy mark: found at the door, before anything else is looked at.

A state secret (Mật, Tối mật, Tuyệt mật; Law 117/2025/QH15) never enters this engine, not
even its subject line.  No policy can switch this off.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from router.model.documents import Document

_MARKS: Final = frozenset(
    {
        "mật", "tối mật", "tuyệt mật", "mat", "toi mat", "tuyet mat",
        "độ mật", "độ tối mật", "độ tuyệt mật", "bí mật nhà nước",
        "secret", "top secret", "confidential", "state secret",
    }
)  # fmt: skip
_BRACKETED = re.compile(r"^\s*[\[({<]\s*([^\])}>]{2,20})\s*[\])}>]")
_SEPARATORS = re.compile(r"[\s_\-.]+")


def carries_secrecy_mark(document: Document) -> bool:
    """Say whether a mark, or a bracketed mark before the subject, is a secrecy mark.

    Marks are compared in NFC, without case; with or without Vietnamese diacritics.
    """
    if any(_plain(mark) in _MARKS for mark in document.marks):
        return True
    bracketed = _BRACKETED.match(document.subject)
    return bracketed is not None and _plain(bracketed.group(1)) in _MARKS


def _plain(text: str) -> str:
    folded = unicodedata.normalize("NFC", text).casefold()
    return _SEPARATORS.sub(" ", folded).strip(' "“”()[]')
