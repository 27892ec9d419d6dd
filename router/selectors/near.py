"""Names that are near to a misspelled one, for messages."""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Collection, Iterable
from itertools import islice
from typing import Final

_WORD_CHARS_MAX: Final = 64
_NAMES_COMPARED_MAX: Final = 2_048
"""Comparing costs microseconds a name: a misspelling must not cost a second."""


def near_names(word: str, names: Iterable[str], most: int = 3) -> list[str]:
    """Return the names nearest to a word, nearest first; letter case and marks count little."""
    plain = {_plain(name): name for name in islice(names, _NAMES_COMPARED_MAX)}
    near = difflib.get_close_matches(_plain(word[:_WORD_CHARS_MAX]), plain, most)
    return [plain[found] for found in near]


def known_names(word: str, names: Collection[str]) -> str:
    """Return names to choose from, the nearest first, in one line ("–" when there is none)."""
    near = near_names(word, names)
    rest = sorted(set(islice(names, _NAMES_COMPARED_MAX)) - set(near))
    return ", ".join([*near, *rest]) or "–"


def _plain(name: str) -> str:
    """Return a name without case and marks: "Xã" as "xa"."""
    parts = unicodedata.normalize("NFD", name.casefold().replace("đ", "d"))
    return "".join(sign for sign in parts if not unicodedata.combining(sign))
