"""The report on a change of the directory in plain words, English and Vietnamese."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from router.messages.verdicts import moment
from router.model.impact import (
    Impact,
    ImpactEnding,
    ImpactGroup,
    ImpactSelector,
    ImpactUnit,
)

_NAMED_MAX: Final = 8
"""Units named in one line; the structs hold more."""

# fmt: off
_WORDS: Final[dict[str, dict[str, str]]] = {
    "en": {
        "head": "{title}from {at}: {begin} units begin, {end} end; "
                "{before} open before, {after} after.",
        "groups": "Groups: {changed} of {total} change.",
        "group": "  “{name}”: {before} → {after}",
        "senders": "  “{name}”: means somebody for {before} → {after} senders",
        "joins": "; join: {units}", "leaves": "; leave: {units}",
        "emptied": "; EMPTY from then on", "fails": "; can't be used any more ({error})",
        "mended": "; could not be used before ({error})", "unreadable": "?",
        "selectors": "Standing selectors to mend: {total}.",
        "right": "  right {name}, {selector}", "standing": "  group “{name}”, {selector}",
        "closed": "; names what ends: {units}",
        "endings": "Not yet final at what ends: {queued} queued, {leased} leased.",
        "at_least": "  (Counting stopped at its bound: there are more.)",
        "ending": "  {unit} → {to}: {queued} queued, {leased} leased",
        "unknown": "SUCCESSOR UNKNOWN", "more": " or more",
        "bound": "; {tokens} tokens, {certificates} certificates, {rights} rights",
        "alone": "Without a known successor: {total}. Name one, or their deliveries stay there.",
        "others": "  … and {count} more", "none": "Nothing that stands is touched.",
    },
    "vi": {
        "head": "{title}từ {at}: {begin} đơn vị mới, {end} đơn vị kết thúc; "
                "trước {before}, sau {after} đơn vị hoạt động.",
        "groups": "Nhóm nơi nhận: {changed} trên {total} thay đổi.",
        "group": "  “{name}”: {before} → {after}",
        "senders": "  “{name}”: có nơi nhận với {before} → {after} đơn vị gửi",
        "joins": "; thêm: {units}", "leaves": "; bớt: {units}",
        "emptied": "; TRỐNG từ lúc đó", "fails": "; không dùng được nữa ({error})",
        "mended": "; trước đó không dùng được ({error})", "unreadable": "?",
        "selectors": "Biểu thức đang dùng cần sửa: {total}.",
        "right": "  quyền số {name}, {selector}", "standing": "  nhóm “{name}”, {selector}",
        "closed": "; nêu đơn vị kết thúc: {units}",
        "endings": "Chưa hoàn tất tại các đơn vị kết thúc: {queued} đang chờ, {leased} đang giữ.",
        "at_least": "  (Dừng đếm ở giới hạn: còn nữa.)",
        "ending": "  {unit} → {to}: {queued} đang chờ, {leased} đang giữ",
        "unknown": "CHƯA RÕ ĐƠN VỊ KẾ THỪA", "more": " trở lên",
        "bound": "; {tokens} mã truy cập, {certificates} chứng thư, {rights} quyền",
        "alone": "Chưa rõ đơn vị kế thừa: {total}. Hãy chỉ định, nếu không văn bản nằm lại đó.",
        "others": "  … và {count} nữa", "none": "Không ảnh hưởng gì.",
    },
}
# fmt: on


def lines_of_impact(
    impact: Impact, language: str = "en", *, lines_max: int | None = None
) -> list[str]:
    """Return the report in lines of plain words, "en" or "vi".

    `lines_max` bounds each of its lists (None: what the report holds).
    """
    words = _WORDS["vi" if language == "vi" else "en"]
    title = f"{impact.title}, " if impact.title else ""
    lines = [words["head"].format(
        title=title, at=moment(impact.at), begin=impact.begin, end=impact.end,
        before=impact.units_before, after=impact.units_after,
    )]  # fmt: skip
    changed = [group for group in impact.groups if group.changed]
    if changed:
        total, count = impact.groups_total, impact.groups_changed
        lines.append(words["groups"].format(changed=count, total=total))
        lines += _bounded([_group(group, words) for group in changed], count, lines_max, words)
    if impact.selectors:
        count = impact.selectors_total
        lines.append(words["selectors"].format(total=count))
        said = [_selector(one, words) for one in impact.selectors]
        lines += _bounded(said, count, lines_max, words)
    if impact.end:
        lines.append(words["endings"].format(queued=impact.queued, leased=impact.leased))
        if not impact.counted_all:
            lines.append(words["at_least"])
        said = [_ending(one, words) for one in impact.endings]
        lines += _bounded(said, impact.end, lines_max, words)
    if impact.without_successor_total:
        lines.append(words["alone"].format(total=impact.without_successor_total))
    return lines if len(lines) > 1 else [*lines, words["none"]]


def _bounded(
    lines: list[str], total: int, lines_max: int | None, words: dict[str, str]
) -> Iterator[str]:
    shown = lines[:lines_max]
    yield from shown
    if total > len(shown):
        yield words["others"].format(count=total - len(shown))


def _named(units: tuple[ImpactUnit, ...], total: int) -> str:
    text = ", ".join(f"{unit.code} {unit.name}" for unit in units[:_NAMED_MAX])
    return text + (f", … ({total})" if total > _NAMED_MAX else "")


def _group(group: ImpactGroup, words: dict[str, str]) -> str:
    before, after = (
        words["unreadable"] if size < 0 else f"{size}" for size in (group.before, group.after)
    )
    if group.senders_before >= 0:
        facts = {"before": group.senders_before, "after": group.senders_after}
        line = words["senders"].format(name=group.name, **facts)
        return line + (words["emptied"] if group.became_empty else "")
    line = words["group"].format(name=group.name, before=before, after=after)
    if group.became_empty:
        line += words["emptied"]
    elif group.error and group.error != group.error_before:
        line += words["fails"].format(error=group.error)
    elif group.error_before and not group.error:
        line += words["mended"].format(error=group.error_before)
    if group.joined and group.before >= 0:
        line += words["joins"].format(units=_named(group.joins, group.joined))
    if group.left and group.after > 0:
        line += words["leaves"].format(units=_named(group.leaves, group.left))
    return line


def _selector(one: ImpactSelector, words: dict[str, str]) -> str:
    line = words["right" if one.what == "right" else "standing"].format(
        name=one.name, selector=one.selector
    )
    if one.became_empty:
        line += words["emptied"]
    elif one.error:
        line += words["fails"].format(error=one.error)
    if one.closed:
        line += words["closed"].format(units=", ".join(one.closed[:_NAMED_MAX]))
    return line


def _ending(one: ImpactEnding, words: dict[str, str]) -> str:
    to = words["unknown"] if one.to is None else f"{one.to.code} {one.to.name}"
    line = words["ending"].format(
        unit=f"{one.unit.code} {one.unit.name}", to=to, queued=one.queued, leased=one.leased
    )
    line += words["more"] if one.more else ""
    if one.tokens or one.certificates or one.rights:
        line += words["bound"].format(
            tokens=one.tokens, certificates=one.certificates, rights=one.rights
        )
    return line
