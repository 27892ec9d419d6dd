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

_FORM_2016 = re.compile(r"[0-9]{3}\.[0-9]{2}\.[0-9]{2}\.[A-Z][0-9]{2}")
_FORM_2020 = re.compile(r"[A-Z0-9]+(\.[A-Z0-9]+)*")
_FORM_GSO = re.compile(r"GSO:([0-9]{2}|[0-9]{3}|[0-9]{5})")
_SCHEME = re.compile(r"[A-Z][A-Z0-9-]{0,15}:[^\s|&()@\"'\x00-\x1f]{1,32}")
_REVERSED = re.compile(r"[0-9][A-Z0-9]*(\.[A-Z0-9]+)*\.[A-Z][0-9]{2}")


class Contact(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Where a unit is reached by other means (edXML: OrganAdd, Telephone, Fax, Email, Website)."""

    address: str = ""
    telephone: str = ""
    fax: str = ""
    email: str = ""
    website: str = ""


class DeliverySettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """How a unit takes its documents.

    `channel` is "pull", the one way there is in this version; `paper` says that it asks for
    the paper too (edXML: Paper).
    """

    channel: str = "pull"
    paper: bool = False


class Unit(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One unit as it stands at an instant, as known.

    `number` is stable for ever.  `code` is its first code, the QĐ 20/2020 form where there
    is one; `aliases` hold the 13-character form of QCVN 102:2016, the GSO code
    (`GSO:00688`) and others.  `code_synthesised` marks codes made by rule (no public list
    exists).  `valid_from`/`valid_to` are the instants of its life (the end exclusive), not
    those of one version; `successors` are unit numbers, the default one first.
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
    contact: Contact | None = None
    delivery: DeliverySettings | None = None

    def open_at(self, instant_us: int) -> bool:
        """Say whether the unit exists at that instant."""
        return self.valid_from <= instant_us and (
            self.valid_to is None or instant_us < self.valid_to
        )


def normal_code(text: str) -> str:
    """Return a code in its stored form: NFC, no outer blanks, upper case."""
    return unicodedata.normalize("NFC", text).strip().upper()


def code_form(code: str) -> str | None:
    """Return the form of a code in its normal spelling, None when it has none.

    "2016" (13 characters, QCVN 102:2016), "2020" (QĐ 20/2020), "gso" (`GSO:` and 2, 3 or 5
    digits) or "alias" (another `SCHEME:value`).  A 13-character code also satisfies the
    pattern of 2020, so it is tested first.
    """
    if _FORM_2016.fullmatch(code):
        return "2016"
    if len(code) <= CODE_CHARS_MAX and _FORM_2020.fullmatch(code):
        return "2020"
    if _FORM_GSO.fullmatch(code):
        return "gso"
    if _SCHEME.fullmatch(code):
        return "alias"
    return None


def code_doubt(code: str) -> str:
    """Say what looks wrong with a code that is in use all the same, or "".

    Codes such as ``000.1137.H53`` (a lost dot) and ``28.22.H17`` travel in real packets:
    they are the 13-character form with something missing, though QĐ 20/2020 allows their
    letters.  They are kept and found as they are spelled, and reported.
    """
    if code_form(code) == "2020" and _REVERSED.fullmatch(code):
        return "looks like the 13-character form (nnn.nn.nn.Xnn) with something missing"
    return ""


def propose_2020(code_2016: str) -> str:
    """Return the QĐ 20/2020 code the rule proposes: groups reversed, zero groups dropped.

    A proposal only: agencies keep lists where the rule does not hold, so both forms are
    stored and neither is ever computed from the other.
    """
    groups = code_2016.split(".")[::-1]
    return ".".join(group for group in groups if group.strip("0"))
