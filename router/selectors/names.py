"""Names of groups and tags: one spelling for what looks the same."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from router.limits import SELECTOR_NAME_CHARS_MAX

_UNFIT: Final = re.compile(r'["“”\x00-\x1f\x7f-\x9f\ud800-\udfff]')
"""Quotation marks, control characters, and halves of characters that no UTF-8 can carry."""


def normal_name(text: str) -> str:
    """Return a name in its stored form: NFC, no outer blanks, single ones within.

    Raises ValueError, worded for a person, for one that is empty, longer than
    SELECTOR_NAME_CHARS_MAX characters, or holds a quotation mark or a control character.
    Letter case counts.
    """
    name = " ".join(unicodedata.normalize("NFC", text).split())
    if not name:
        raise ValueError("a name is empty")
    if len(name) > SELECTOR_NAME_CHARS_MAX:
        raise ValueError(f"a name has at most {SELECTOR_NAME_CHARS_MAX} characters")
    if _UNFIT.search(name):
        raise ValueError("a name holds no quotation marks and no control characters")
    return name
