"""Rules and what became of recipients in plain words, English and Vietnamese."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from router.model.decisions import DEFAULT_RULE
from router.model.policies import RuleNamed
from router.policy import explaining
from router.policy.compiled import CompiledPolicy
from router.policy.model import Default, Effect, Forbid, LaneName, Rule

LANGUAGES: Final = ("en", "vi")
_RULES_NAMED_MAX: Final = 5
"""Rules named in one sentence; the answer's data has all of them."""

# fmt: off
_EFFECTS: Final[dict[str, dict[str, str]]] = {
    "en": {
        "allow": "these may receive",
        "recipients": "these may not receive",
        "document": "the document is refused",
        "hold": "these wait for approval by {approvers} (expires after {days} working days)",
        "require": "needs {count} good signature(s) by {by}",
        "add": "{add} receive too",
        "lane": "lane at least {lane}",
        "deadline": "receipt due after {days} working days (0: the same day)",
        "send_by": "to be sent within {days} working days of issue (0: the same day)",
        "retention": "kept {years} years",
        "quarantine": "a refusal leaves evidence in quarantine",
        "admit": "unsigned documents are admitted, for information only",
        "because": ": {reason}",
        "default_allow": "who is named by no rule may receive",
        "default_forbid": "who is allowed by no rule may not receive",
    },
    "vi": {
        "allow": "được nhận",
        "recipients": "không được nhận",
        "document": "từ chối cả văn bản",
        "hold": "chờ {approvers} duyệt (hết hạn sau {days} ngày làm việc)",
        "require": "cần {count} chữ ký hợp lệ của {by}",
        "add": "gửi thêm {add}",
        "lane": "độ khẩn ít nhất {lane}",
        "deadline": "hạn báo nhận {days} ngày làm việc (0: trong ngày)",
        "send_by": "phải gửi trong {days} ngày làm việc kể từ ngày ban hành (0: trong ngày)",
        "retention": "lưu {years} năm",
        "quarantine": "khi từ chối thì lưu chứng cứ riêng",
        "admit": "nhận văn bản chưa ký, chỉ để biết",
        "because": ": {reason}",
        "default_allow": "nơi nhận không quy tắc nào nhắc tới thì được nhận",
        "default_forbid": "nơi nhận không quy tắc nào cho phép thì không được nhận",
    },
}
_LANES: Final[dict[str, dict[LaneName, str]]] = {
    "en": {
        LaneName.FLASH: "flash", LaneName.VERY_URGENT: "very urgent",
        LaneName.URGENT: "urgent", LaneName.NORMAL: "normal",
    },
    "vi": {
        LaneName.FLASH: "hỏa tốc", LaneName.VERY_URGENT: "thượng khẩn",
        LaneName.URGENT: "khẩn", LaneName.NORMAL: "thường",
    },
}
_OUTCOMES: Final[dict[str, dict[str, str]]] = {
    "en": {
        explaining.ALLOWED: "may receive, by {rules}",
        explaining.EXCLUDED: "excluded, by {rules}",
        explaining.HELD: "waits for approval, by {rules}",
        explaining.ADDED: "added by {rules}",
        explaining.LEFT_OUT: "may receive, but was skipped as the sender asked: its inbox was full",
        explaining.NOT_ADDRESSED: "not among the recipients, and no rule adds it",
        "absent": "did not exist when the recipients were worked out",
    },
    "vi": {
        explaining.ALLOWED: "được nhận, theo {rules}",
        explaining.EXCLUDED: "bị loại, theo {rules}",
        explaining.HELD: "chờ duyệt, theo {rules}",
        explaining.ADDED: "được gửi thêm theo {rules}",
        explaining.LEFT_OUT: "được nhận, nhưng bỏ qua theo yêu cầu nơi gửi vì hộp thư đầy",
        explaining.NOT_ADDRESSED: "không thuộc nơi nhận và không quy tắc nào gửi thêm",
        "absent": "chưa có hoặc đã đóng mã khi xác định nơi nhận",
    },
}
_SAID: Final[dict[str, dict[str, str]]] = {
    "en": {
        "default": "the stated default", "more": "{count} more",
        "differs": " (Computed again today other rules decide than are stored: the calendar "
                   "or a certificate's binding is known differently now. Stored: {rules}.)",
        "groups": "{count} further groups, the smallest, are not listed",
    },
    "vi": {
        "default": "mặc định đã nêu", "more": "{count} quy tắc khác",
        "differs": " (Tính lại hôm nay cho quy tắc khác với bản lưu: lịch làm việc hoặc chứng thư "
                   "gắn với đơn vị nay được biết khác. Bản lưu: {rules}.)",
        "groups": "{count} nhóm nhỏ nhất còn lại không liệt kê",
    },
}
# fmt: on


def words_of_rule(rule: Rule, language: str = "en") -> str:
    """Return what a rule does, its effects one after the other, and the reason it states."""
    words = _EFFECTS[language]
    reason = words["because"].format(reason=rule.effect.reason) if rule.effect.reason else ""
    return "; ".join(_effects(rule.effect, language)) + reason


def _effects(effect: Effect, language: str) -> Iterator[str]:
    words = _EFFECTS[language]
    if effect.allow:
        yield words["allow"]
    if effect.forbid is not None:
        yield words["recipients" if effect.forbid is Forbid.RECIPIENTS else "document"]
    if effect.hold is not None:
        hold = effect.hold
        yield words["hold"].format(approvers=hold.approvers, days=hold.expires_working_days)
    if effect.require is not None:
        yield words["require"].format(count=effect.require.signatures, by=effect.require.by)
    if effect.add is not None:
        yield words["add"].format(add=effect.add)
    if effect.lane is not None:
        yield words["lane"].format(lane=_LANES[language][effect.lane])
    if effect.deadline_working_days is not None:
        yield words["deadline"].format(days=effect.deadline_working_days)
    if effect.send_by_working_days is not None:
        yield words["send_by"].format(days=effect.send_by_working_days)
    if effect.retention_years is not None:
        yield words["retention"].format(years=effect.retention_years)
    if effect.quarantine:
        yield words["quarantine"]
    if effect.admit_unsigned:
        yield words["admit"]


def named(compiled: CompiledPolicy, number: int) -> RuleNamed:
    """Return a rule of a policy as explanations name it; number 0 is the stated default."""
    if number == DEFAULT_RULE:
        allows = compiled.policy.default is Default.ALLOW
        key = "default_allow" if allows else "default_forbid"
        en, vi = (_EFFECTS[language][key] for language in LANGUAGES)
        return RuleNamed(0, compiled.name_of(0), "", en, vi)
    rule = compiled.rules[number - 1].rule
    en, vi = (words_of_rule(rule, language) for language in LANGUAGES)
    return RuleNamed(number, rule.name, rule.title or "", en, vi)


def words_of_outcome(outcome: str, rules: Sequence[RuleNamed], language: str = "en") -> str:
    """Return what became of recipients and by which rules; "absent" for who was not there."""
    return _OUTCOMES[language][outcome].format(rules=rules_in_words(rules, language))


def rules_in_words(rules: Sequence[RuleNamed], language: str = "en") -> str:
    """Return rules by name (and title), the first few of many."""
    words = _SAID[language]
    shown = [_shown(one, words) for one in rules[:_RULES_NAMED_MAX]]
    if len(rules) > len(shown):
        shown.append(words["more"].format(count=len(rules) - len(shown)))
    return ", ".join(shown) or "–"


def _shown(one: RuleNamed, words: dict[str, str]) -> str:
    if one.number == DEFAULT_RULE:
        return words["default"]
    return f"“{one.name}” ({one.title})" if one.title else f"“{one.name}”"


def words_of_difference(stored: Sequence[str], language: str = "en") -> str:
    """Say that other rules are stored with a decision than it is explained by now."""
    return _SAID[language]["differs"].format(rules=", ".join(stored) or "–")


def words_of_more_groups(count: int, language: str = "en") -> str:
    """Say that so many groups are not listed."""
    return _SAID[language]["groups"].format(count=count)
