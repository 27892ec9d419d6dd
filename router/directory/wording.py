"""A difference in plain words, in English and Vietnamese, grouped, counted and bounded."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Final

from router.directory.alterations import KINDS, Alteration
from router.directory.differences import Difference
from router.directory.suggesting import Suggestion
from router.errors import SheetProblem
from router.limits import DIFFERENCE_LINES_MAX
from router.messages import say_problem
from router.model.instants import datetime_of

_HEADS: Final[dict[str, tuple[str, str]]] = {
    "opened": ("Open", "Bắt đầu hoạt động"),
    "known_later": ("There before, but known too late", "Đã có từ trước, nay mới biết"),
    "imported": ("Taken in with their dates", "Nhập kèm thời gian"),
    "renamed": ("Renamed", "Đổi tên"),
    "retagged": ("Other tags (class of territory)", "Đổi nhãn (loại hình)"),
    "rekinded": ("Of another kind", "Đổi loại cơ quan"),
    "moved": ("Below another parent", "Chuyển cấp trên"),
    "retiered": ("Of another tier", "Đổi cấp"),
    "recoded": ("Other codes", "Đổi mã"),
    "contact": ("Other contact", "Đổi thông tin liên hệ"),
    "delivery": ("Other delivery", "Đổi cách nhận"),
    "corrected": ("Dates corrected", "Đính chính thời gian"),
    "closed": ("Close", "Chấm dứt hoạt động"),
    "closed_unknown": (
        "Close, successor unknown (name it)",
        "Chấm dứt hoạt động, chưa rõ đơn vị kế thừa (cần chỉ định)",
    ),
}
_LINES: Final[dict[str, tuple[str, str]]] = {
    "opened": (
        "{unit} opens{below}{since}{after_whom}",
        "{unit} bắt đầu hoạt động{since}{below}{after_whom}",
    ),
    "known_later": (
        "{unit} was known too late: valid{since}",
        "{unit} nay mới biết: có hiệu lực{since}",
    ),
    "imported": ("{unit} is taken in, valid{since}", "{unit} được nhập, có hiệu lực{since}"),
    "renamed": ("{unit} is renamed {after}", "{unit} đổi tên thành {after}"),
    "retagged": ("{unit}: {before} becomes {after}", "{unit}: {before} thành {after}"),
    "rekinded": ("{unit}: {before} becomes {after}", "{unit}: {before} thành {after}"),
    "moved": ("{unit} moves from {before} to {after}", "{unit} chuyển từ {before} sang {after}"),
    "retiered": (
        "{unit} goes from tier {before} to tier {after}",
        "{unit} chuyển từ cấp {before} sang cấp {after}",
    ),
    "recoded": ("{unit}: codes {before} become {after}", "{unit}: mã {before} thành {after}"),
    "contact": ("{unit} changes its contact", "{unit} đổi thông tin liên hệ"),
    "delivery": ("{unit} changes how it takes documents", "{unit} đổi cách nhận văn bản"),
    "corrected": ("{unit}: its dates are corrected", "{unit}: đính chính thời gian"),
    "closed": ("{unit} closes{since}; successor: {after}",
               "{unit} chấm dứt hoạt động{since}; kế thừa: {after}"),
    "closed_unknown": (
        "{unit} closes{since}, successor unknown: name it{perhaps}",
        "{unit} chấm dứt hoạt động{since}, chưa rõ đơn vị kế thừa: cần chỉ định{perhaps}",
    ),
}  # fmt: skip
_BITS: Final[dict[str, tuple[str, str]]] = {
    "since": (" since {day}", " từ {day}"),
    "on": (" on {day}", " ngày {day}"),
    "below": (" below {who}", ", trực thuộc {who}"),
    "after_whom": (" (succeeds {who})", " (kế thừa {who})"),
    "perhaps": (" (perhaps {who})", " (có thể là {who})"),
    "nothing": ("Nothing changes.", "Không có thay đổi."),
    "more": ("… and {n} more", "… và {n} đơn vị khác"),
    "rows": (
        "{rows} rows read, {unchanged} units unchanged.",
        "Đã đọc {rows} dòng, {unchanged} đơn vị không đổi.",
    ),
    "missing": (
        "Open units the list could hold and does not: {n}. --complete would close them.",
        "Đơn vị đang hoạt động không có trong danh sách: {n}. Dùng --complete để đóng.",
    ),
    "doubts": ("To be checked: {n}", "Cần kiểm tra: {n}"),
    "row": ("row {row}", "dòng {row}"),
}


def describe(
    difference: Difference | Sequence[Alteration],
    language: str = "en",
    *,
    lines_max: int | None = DIFFERENCE_LINES_MAX,
) -> list[str]:
    """Return what changes as lines of text, in "en" or "vi".

    Each kind of change has a line that counts it and, indented, a line for each unit, at
    most `lines_max` of them (None: all).  A `Difference` begins with the rows it read and
    ends with its doubts.
    """
    words = _Words(language, lines_max)
    if not isinstance(difference, Difference):
        return words.groups(difference, ()) or [words.bit("nothing")]
    counts = difference.counts
    told = [words.bit("rows", rows=counts["rows"], unchanged=counts["unchanged"])]
    groups = words.groups(difference.alterations, difference.suggestions)
    told += groups or [words.bit("nothing")]
    if "missing" in counts:
        told.append(words.bit("missing", n=counts["missing"]))
    if difference.warnings:
        told.append(words.bit("doubts", n=len(difference.warnings)))
        told += words.bounded(
            [words.doubt(place) for place in difference.warnings[: lines_max or None]],
            len(difference.warnings),
        )
    return told


def day_in(instant_us: int, language: str) -> str:
    """Return a day as it is written: 2025-07-01, in Vietnamese 01/07/2025."""
    form = "%d/%m/%Y" if language == "vi" else "%Y-%m-%d"
    return datetime_of(instant_us).strftime(form)


class _Words:
    """The tables above in one language."""

    def __init__(self, language: str, lines_max: int | None) -> None:
        self._language = language
        self._at = 1 if language == "vi" else 0
        self._lines_max = lines_max

    def bit(self, name: str, **facts: object) -> str:
        return _BITS[name][self._at].format(**facts)

    def groups(
        self, alterations: Iterable[Alteration], suggestions: Iterable[Suggestion]
    ) -> list[str]:
        proposals = {suggestion.number: suggestion for suggestion in suggestions}
        found: list[str] = []
        ordered = sorted(alterations, key=lambda told: KINDS.index(told.what))
        for what, members in groupby(ordered, key=lambda told: told.what):
            group = list(members)
            found.append(f"{_HEADS[what][self._at]}: {len(group)}")
            shown = group if self._lines_max is None else group[: self._lines_max]
            lines = [self._line(told, proposals.get(told.number)) for told in shown]
            found += self.bounded(lines, len(group))
        return found

    def bounded(self, lines: list[str], count: int) -> list[str]:
        """Return the lines indented, and how many more there are."""
        found = [f"  {line}" for line in lines]
        if count > len(lines):
            found.append("  " + self.bit("more", n=count - len(lines)))
        return found

    def doubt(self, place: SheetProblem) -> str:
        what, remedy = say_problem(place, self._language)
        row = self.bit("row", row=place.row) if place.row else ""
        where = ", ".join(filter(None, (row, place.column)))
        return f"{where}: {what} {remedy}" if where else f"{what} {remedy}"

    def _line(self, told: Alteration, proposal: Suggestion | None) -> str:
        day = "" if told.at_us is None else day_in(told.at_us, self._language)
        since = "on" if told.what in ("opened", "closed", "closed_unknown") else "since"
        perhaps = "" if proposal is None else " / ".join(
            f"{name} ({code})" for code, name in proposal.candidates
        )  # fmt: skip
        return _LINES[told.what][self._at].format(
            unit=f"{told.name} ({told.code})",
            before=told.before or "—",
            after=told.after or "—",
            since=self.bit(since, day=day) if day else "",
            below=self.bit("below", who=told.after) if told.after else "",
            after_whom=self.bit("after_whom", who=told.before) if told.before else "",
            perhaps=self.bit("perhaps", who=perhaps) if perhaps else "",
        )
