"""Reasons in words: why a part of a selector selects a unit or not, in two languages.

A reason is a stable code and small facts; the words are filled in from the table.
"""

from __future__ import annotations

from typing import Final

import msgspec

from router.errors import RecipientError
from router.limits import FACT_CHARS_MAX


class Reason(msgspec.Struct, frozen=True, omit_defaults=True):
    """Why a unit is selected or not: a stable code, the part that decided, and words.

    `part` is the canonical text of the part and `position` where it begins in the selector
    (from 0); `facts` are what the words are made of.
    """

    code: str
    words: str
    words_vi: str
    part: str = ""
    position: int = 0
    facts: dict[str, str | int] = {}


# English and Vietnamese side by side, so that they are kept alike.
# fmt: off
_TABLE: Final[dict[str, tuple[str, str]]] = {
    "listed": ("is listed", "được nêu đích danh"),
    "another-unit": ("is another unit", "là đơn vị khác"),
    "no-such-unit": ("no open unit has this code ({error})",
                     "không có đơn vị đang hoạt động mang mã này ({error})"),
    "everybody": ("every unit is meant", "gửi mọi đơn vị"),
    "of-tier": ("is of tier {tier}", "thuộc cấp {tier}"),
    "of-kind": ("is of kind {kind}", "thuộc loại {kind}"),
    "not-of-kind": ("is not of kind {kind}", "không thuộc loại {kind}"),
    "tagged": ("bears the tag “{tag}”", "mang nhãn “{tag}”"),
    "not-tagged": ("does not bear the tag “{tag}”", "không mang nhãn “{tag}”"),
    "sender": ("is the sender", "là đơn vị gửi"),
    "not-sender": ("is not the sender", "không phải đơn vị gửi"),
    "below": ("is below {unit}", "thuộc {unit}"),
    "below+": ("is below {unit} (through {through})", "thuộc {unit} (qua {through})"),
    "not-below": ("is not below {what}", "không thuộc {what}"),
    "directly-below": ("is directly below {unit}", "trực thuộc {unit}"),
    "not-directly-below": ("is not directly below {what}", "không trực thuộc {what}"),
    "itself": ("is itself in {what}", "chính là {what}"),
    "above": ("is directly above {unit}", "là cấp trên trực tiếp của {unit}"),
    "not-above": ("is not directly above {what}", "không là cấp trên trực tiếp của {what}"),
    "beside": ("is beside {unit}, below {parent}", "cùng thuộc {parent} với {unit}"),
    "not-beside": ("is not beside {what}", "không cùng cấp trên với {what}"),
    "in-group": ("is in the group “{group}”", "thuộc nhóm “{group}”"),
    "in-group+": ("is in the group “{group}” (as defined since {defined})",
                  "thuộc nhóm “{group}” (theo định nghĩa từ {defined})"),
    "not-in-group": ("is not in the group “{group}”", "không thuộc nhóm “{group}”"),
    "not-in-group+": ("is not in the group “{group}” (as defined since {defined})",
                      "không thuộc nhóm “{group}” (theo định nghĩa từ {defined})"),
    "within-group": ("in the group “{group}”: {inner}", "trong nhóm “{group}”: {inner}"),
    "in-a-part": ("is in a part", "thuộc một phần"),
    "no-part-matched": ("is in none of {count} parts", "không thuộc phần nào trong {count} phần"),
    "in-every-part": ("is in every part", "thuộc mọi phần"),
    "not-in-every-part": ("is not in every part", "không thuộc mọi phần"),
    "not-in-the-first": ("is not in the part that others are taken from",
                         "không thuộc phần bị trừ"),
    "not-excluded": ("is in no excluded part", "không thuộc phần nào bị loại trừ"),
    "in-an-excluded-part": ("is in an excluded part", "thuộc phần bị loại trừ"),
    "excluded": ("excluded by this part: {inner}", "bị loại trừ bởi phần này: {inner}"),
    "at": ("as the directory stood at {at}: {inner}", "theo danh mục tại {at}: {inner}"),
    "merged": ("was merged into {successor} on {date}",
               "đã nhập vào {successor} ngày {date}"),
    "split": ("was split into {successor} on {date}",
              "đã chia tách thành {successor} ngày {date}"),
    "closed": ("was closed on {date}; no successor is known",
               "đã đóng mã ngày {date}; chưa rõ đơn vị kế thừa"),
    "not-yet-open": ("opens only on {date}", "đến ngày {date} mới hoạt động"),
    "unknown": ("is not in the directory", "không có trong danh mục"),
}
# fmt: on
CODES: Final = frozenset(code for code in _TABLE if not code.endswith("+"))
"""Every code of a reason; a row with "+" holds longer words for the same code."""


def reason(code: str, part: str = "", position: int = 0, /, **facts: str | int) -> Reason:
    """Make a reason of the table; the facts fill its words."""
    more = facts.get("through") or facts.get("defined")
    english, vietnamese = _TABLE[f"{code}+" if more else code]
    return Reason(
        code, english.format(**facts), vietnamese.format(**facts), cut(part), position, facts
    )


def around(
    code: str, inner: Reason, part: str = "", position: int = 0, /, **facts: str | int
) -> Reason:
    """Make a reason that quotes another one, in its words of each language."""
    english, vietnamese = _TABLE[code]
    return Reason(
        code,
        english.format(**facts, inner=inner.words),
        vietnamese.format(**facts, inner=inner.words_vi),
        cut(part),
        position,
        {**inner.facts, **facts},
    )


def why_absent(error: RecipientError) -> Reason:
    """Say why a unit is not in a snapshot, from the error about its code.

    `recipient.closed` becomes `merged` when a successor is known (`split`: several), else
    `closed`; `recipient.not_yet_open` becomes `not-yet-open`, everything else `unknown`.
    """
    facts = error.facts
    if error.code.endswith(".closed"):
        successor = str(facts.get("successor", ""))
        date = str(facts.get("closed_at", ""))
        if successor.strip("–- "):
            code = "split" if ", " in successor else "merged"
            return reason(code, date=date, successor=successor)
        return reason("closed", date=date)
    if error.code.endswith(".not_yet_open"):
        return reason("not-yet-open", date=str(facts.get("opens_at", "")))
    return reason("unknown")


def cut(text: str) -> str:
    """Return a text short enough to be quoted."""
    return text if len(text) <= FACT_CHARS_MAX else text[: FACT_CHARS_MAX - 1] + "…"
