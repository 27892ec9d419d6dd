"""Units: the organs (đơn vị, cơ quan) that send and receive, as the directory keeps them."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

import msgspec

from router.limits import CODE_CHARS_MAX

TIER_NAMES: Final[dict[int, str]] = {1: "central", 2: "province", 3: "district", 4: "commune"}
"""The tiers (cấp) with their words.  Data: a tier can go (1 July 2025) or come."""
TIER_NUMBERS: Final[dict[str, int]] = {name: number for number, name in TIER_NAMES.items()}

_FORM_2016 = re.compile(r"\d{3}\.\d{2}\.\d{2}\.[A-Z]\d{2}")
_FORM_2020 = re.compile(r"[A-Z0-9]+(\.[A-Z0-9]+)*")


class Unit(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One unit in one version of what is known of it.

    `number` is stable for ever; `code` is the QĐ 20/2020 form, `aliases` hold the
    13-character form of QCVN 102:2016 and others; `code_synthesised` marks codes made by
    rule (no public list exists).  `valid_from`/`valid_to` are instants (the end exclusive);
    `successors` are unit numbers, the default one first.
    """

    number: int
    code: str
    name: str
    tier: int
    kind: str
    parent: int | None = None
    aliases: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    valid_from: int = 0
    valid_to: int | None = None
    successors: tuple[int, ...] = ()
    code_synthesised: bool = False

    def open_at(self, instant_us: int) -> bool:
        """Say whether the unit exists at that instant."""
        return self.valid_from <= instant_us and (
            self.valid_to is None or instant_us < self.valid_to
        )


def normal_code(text: str) -> str:
    """Return a code in its stored form: NFC, no outer blanks, upper case."""
    return unicodedata.normalize("NFC", text).strip().upper()


def code_form(code: str) -> str | None:
    """Return "2016" (13 characters), "2020" (QĐ 20/2020) or None when malformed.

    A 13-character code also satisfies the pattern of 2020, so it is tested first.
    """
    if _FORM_2016.fullmatch(code):
        return "2016"
    if len(code) <= CODE_CHARS_MAX and _FORM_2020.fullmatch(code):
        return "2020"
    return None


def propose_2020(code_2016: str) -> str:
    """Return the QĐ 20/2020 code the rule proposes: groups reversed, zero groups dropped.

    A proposal only: agencies keep lists where the rule does not hold.
    """
    groups = code_2016.split(".")[::-1]
    return ".".join(group for group in groups if group.strip("0"))
