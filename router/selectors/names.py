"""Names of groups and tags: one spelling for what looks the same."""

from __future__ import annotations

import unicodedata

from router.limits import SELECTOR_NAME_CHARS_MAX


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
    if any(sign in '"“”' or unicodedata.category(sign) in ("Cc", "Cs") for sign in name):
        raise ValueError("a name holds no quotation marks and no control characters")
    return name
