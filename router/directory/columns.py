"""The columns of a list of units: their names, Vietnamese headings, the two layouts."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Sequence
from typing import Final

from router.errors import SheetError, SheetProblem

SYNONYMS: Final[dict[str, tuple[str, ...]]] = {
    "number": ("stable number", "số đơn vị", "số cố định"),
    "code": ("mã", "mã đơn vị", "mã cơ quan", "mã định danh", "mã định danh điện tử"),
    "name": ("tên", "tên đơn vị", "tên cơ quan"),
    "tier": ("cấp", "cấp hành chính"),
    "kind": ("loại", "loại cơ quan", "loại đơn vị", "loại hình"),
    "parent": ("parent code", "mã cấp trên", "cấp trên", "mã đơn vị cấp trên", "mã cha"),
    "parent_number": ("số đơn vị cấp trên", "số cấp trên"),
    "aliases": ("mã khác", "các mã khác", "bí danh"),
    "gso_code": ("gso", "mã gso", "mã đvhc", "mã đơn vị hành chính"),
    "parent_gso_code": ("parent gso", "mã gso cấp trên", "mã đvhc cấp trên"),
    "tags": ("nhãn", "thẻ"),
    "valid_from": ("từ ngày", "hiệu lực từ", "ngày thành lập"),
    "valid_to": ("đến ngày", "hiệu lực đến", "ngày giải thể"),
    "successors": ("kế thừa", "đơn vị kế thừa", "mã kế thừa"),
    "code_synthesised": ("mã tự sinh",),
    "contact_address": ("address", "địa chỉ"),
    "contact_telephone": ("telephone", "điện thoại", "số điện thoại"),
    "contact_fax": ("fax", "số fax"),
    "contact_email": ("email", "thư điện tử", "hộp thư điện tử"),
    "contact_website": ("website", "trang thông tin điện tử"),
    "delivery_channel": ("kênh nhận",),
    "delivery_paper": ("bản giấy", "nhận bản giấy"),
}
"""Column -> other headings that mean it.  Letter case, accents, `_` and `-` don't matter."""

ORDINAL: Final = "#"
"""A column that only counts the rows (STT); it is passed over."""

_ORDINALS = ("stt", "tt", "số tt", "số thứ tự", "#")
_BLANKS = re.compile(r"[\s_\-]+")


def plain(text: str) -> str:
    """Return a heading or a word without accents, letter case, `_`, `-` and outer marks."""
    decomposed = unicodedata.normalize("NFD", text.casefold()).replace("đ", "d")
    letters = "".join(letter for letter in decomposed if not unicodedata.combining(letter))
    return _BLANKS.sub(" ", letters).strip(" *:.()")


_BY_HEADING: Final[dict[str, str]] = {
    plain(heading) or heading: column
    for column, headings in (*SYNONYMS.items(), (ORDINAL, _ORDINALS))
    for heading in (column, *headings)
    if heading != ORDINAL
}
_IDENTITIES = ("number", "code", "gso_code")


def column_of(heading: str) -> str | None:
    """Return the column a heading means, None when no column is known by it."""
    if heading.strip() == ORDINAL:
        return ORDINAL
    return _BY_HEADING.get(plain(heading))


def is_gso_layout(columns: Sequence[str | None]) -> bool:
    """Say whether a list is of the statistics office's form: GSO codes, no others.

    There `kind` is the class of a territory (xã, phường), which here is a tag.
    """
    return "gso_code" in columns and "code" not in columns


def columns_of(row: int, headings: Sequence[str]) -> tuple[str | None, ...]:
    """Return the column of each heading (None for an empty one).

    Raises SheetError `sheet.columns` that names every unknown heading with the nearest
    known one, every column that stands twice, and a missing identity.
    """
    found: list[str | None] = []
    problems: list[SheetProblem] = []
    for heading in headings:
        column = column_of(heading) if heading.strip() else None
        if column is None and heading.strip():
            problems.append(SheetProblem(row, heading, "sheet.column_unknown", _nearest(heading)))
        elif column is not None and column != ORDINAL and column in found:
            problems.append(SheetProblem(row, heading, "sheet.column_twice", column))
        found.append(column)
    if not problems and not any(column in _IDENTITIES for column in found):
        problems.append(SheetProblem(row, "", "sheet.column_missing", "code, gso_code, number"))
    if problems:
        raise SheetError("sheet.columns", problems=tuple(problems))
    return tuple(found)


def _nearest(heading: str) -> str:
    """Return the column whose name or synonym is nearest to an unknown heading, or "?"."""
    near = difflib.get_close_matches(plain(heading)[:64], _BY_HEADING, n=1, cutoff=0.6)
    return _BY_HEADING[near[0]] if near else "?"
