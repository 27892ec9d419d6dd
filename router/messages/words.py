"""One row of the tables of words."""

from __future__ import annotations

from typing import NamedTuple


class Words(NamedTuple):
    """What is wrong and what to do, in both languages; `{name}` is filled from the facts."""

    en: str
    vi: str
    remedy_en: str
    remedy_vi: str
