"""Reads a policy file: from bytes to a `PolicyFile`, or to every mistake with its place.

What is wrong whatever the directory says is found here: TOML, keys, values, selectors that
do not parse, ranges and dates the wrong way round, names borne twice.  What depends on the
directory is `router.policy.checking`'s.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

import msgspec

from router import limits
from router.errors import PolicyError, RecipientError
from router.policy.compiled import folded
from router.policy.floor import FLOOR_PREFIX, floor_rules
from router.policy.lines import LineMap, Path
from router.policy.model import (
    POLICY_FORMAT,
    CalendarYear,
    Effect,
    Expected,
    PolicyFile,
    PolicyTest,
    Range,
    Rule,
)
from router.policy.problems import Problems, error_of
from router.policy.shaping import Shaped, shape
from router.policy.toml_texts import too_deep_at
from router.selectors import (
    AtNode,
    Node,
    SenderNode,
    instant_of_text,
    near_names,
    parse,
    walk,
)

_PLACE: Final = re.compile(r" \(at (?:line (\d+), column \d+|end of document)\)$")
_LONG_NUMBER: Final = re.compile(r"[0-9_]{1000}")
_HOURS: Final = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-4]):([0-5]\d)")
_INSTANTS: Final = '"2025-06-30", "2025-06-30T08:00:00+07:00"'
_YEAR: Final = re.compile(r"19[7-9]\d|2\d\d\d", re.ASCII)
"""From 1970 on: instants before are below 0, which in the core says that data is missing."""
_MEDIA_TYPE: Final = re.compile(r"[\w!#$&^.+-]+/(?:[\w!#$&^.+-]+|\*)", re.ASCII)
"""RFC 6838, section 4.2, or a whole family; parameters of a document's are not compared."""
_SHOWN_BELOW: Final = 10**9
_SATURDAY: Final = 5
_DAY_MINUTES: Final = 1_440
_REMEMBERED_CHARS_MAX: Final = 1_000
_REMEMBERED_MAX: Final = 10_000
"""Parsed selectors remembered while reading: rules of one file repeat each other's."""
_Tell = Callable[..., None]


def parse_policy(data: bytes) -> PolicyFile:
    """Return the policy that a file's bytes (TOML in UTF-8) are.

    Raises PolicyError with every mistake found (at most POLICY_PROBLEMS_MAX), its code, place and
    facts those of the first: `policy.too_large`, `.syntax`, `.format`, `.unknown_key`,
    `.missing_key`, `.invalid_value`, `.empty`, `.impossible`, `.dates_reversed`,
    `.allow_and_forbid`, `.duplicate_name`, `.reserved_name`, `.dated_selector`,
    `.sender_in_senders`, `.day_elsewhere`, `.no_weekend_day`, `.unknown_rule`, `.test_units`;
    `selector.syntax` and `selector.too_large`.  Nothing else is raised for any bytes.
    """
    text = _text_of(data)
    raw = _toml_of(text)
    found = Problems()
    stated = raw.get("format")
    if "format" in raw and (stated != POLICY_FORMAT or not isinstance(stated, int)):
        shown = str(stated) if isinstance(stated, str | float) or _is_short(stated) else "–"
        found.add("policy.format", ("format",), found=shown, known=POLICY_FORMAT)
        found.refuse(text)
    shaped = shape(raw, found)
    _Meaning(found).of(shaped)
    found.refuse(text)
    assert shaped.policy is not None, "what has not its shape is a problem"
    return shaped.policy


def selectors_of(rule: Rule) -> Iterator[tuple[Path, str]]:
    """Yield the selectors of a rule with their keys within it."""
    documents, audience, effect = rule.documents, rule.audience, rule.effect
    found: tuple[tuple[Path, str | None], ...] = (
        (("senders",), rule.senders),
        (("recipients",), rule.recipients),
        (("documents", "signed_by"), documents.signed_by if documents else None),
        (("audience", "includes"), audience.includes if audience else None),
        (("audience", "lacks"), audience.lacks if audience else None),
        (("effect", "hold", "approvers"), effect.hold.approvers if effect.hold else None),
        (("effect", "require", "by"), effect.require.by if effect.require else None),
        (("effect", "add"), effect.add),
    )
    return ((path, text) for path, text in found if text is not None)


def _text_of(data: bytes) -> str:
    if len(data) > limits.POLICY_BYTES_MAX:
        raise _alone("policy.too_large", 0, (), limit=limits.POLICY_BYTES_MAX)
    try:
        return data.removeprefix(b"\xef\xbb\xbf").decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise _alone("policy.syntax", line, (), reason="UTF-8") from None


def _is_short(stated: object) -> bool:
    """Say whether this is a number that can be shown: in hex TOML has numbers of any length."""
    return isinstance(stated, int) and abs(stated) < _SHOWN_BELOW


def _toml_of(text: str) -> dict[str, Any]:
    deep = too_deep_at(text)
    if deep:
        raise _alone("policy.syntax", deep, (), reason="a key has too many parts")
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        words = str(error)
        place = _PLACE.search(words)
        reason = words[: place.start()] if place else words
        if place is not None and place[1]:
            at = int(place[1])
        else:
            at = LineMap(text).unclosed or text.count("\n") + 1
    except ValueError:  # Python reads no number of so many digits
        long = _LONG_NUMBER.search(text)
        at, reason = text.count("\n", 0, long.start()) + 1 if long else 0, "a number is too long"
    except RecursionError:
        at, reason = LineMap(text).deepest, "values are nested too deep"
    raise _alone("policy.syntax", at, LineMap(text).path_at(at) if at else (), reason=reason)


def _alone(code: str, line: int, path: Path, /, **facts: Any) -> PolicyError:
    found = Problems()
    found.add(code, path, line=line, **facts)
    return error_of(found.placed(None))


class _Meaning:
    """What the shapes can't say."""

    def __init__(self, found: Problems) -> None:
        self.found = found
        self.nodes: dict[str, Node | RecipientError] = {}

    def of(self, shaped: Shaped) -> None:
        self.names(shaped.rule_names, "rules")
        self.names(shaped.test_names, "tests")
        for index, rule in shaped.rules:
            if self.found.full:
                return
            self.rule(rule, ("rules", index))
        names = None if shaped.policy is None else {rule.name for _, rule in shaped.rules}
        for index, test in shaped.tests:
            self.test(test, ("tests", index), names)
        if shaped.policy is not None and shaped.policy.calendar is not None:
            for year, days in shaped.policy.calendar.years.items():
                self.year(year, days, ("calendar", "years", year))
            self.hours(shaped.policy.calendar.hours)

    def names(self, names: Sequence[tuple[int, str]], what: str) -> None:
        first: dict[str, int] = {}
        for index, name in names:
            rule = name if what == "rules" else ""
            path = (what, index, "name")
            if first.setdefault(name, index) != index:
                self.found.add("policy.duplicate_name", path, rule=rule, name=name,
                               first=f"{what}[{first[name]}]")  # fmt: skip
            if rule.startswith(FLOOR_PREFIX):
                self.found.add("policy.reserved_name", path, rule=rule, name=name)

    def rule(self, rule: Rule, path: Path) -> None:
        def tell(code: str, *keys: str | int, **facts: Any) -> None:
            self.found.add(code, (*path, *keys), rule=rule.name, **facts)

        for keys, text in selectors_of(rule):
            node = self.selector(text, (*path, *keys), rule.name)
            if keys == ("senders",) and node is not None:
                for one, _ in walk(node):
                    if isinstance(one, SenderNode):
                        tell("policy.sender_in_senders", "senders", position=one.position)
                        break
        for keys, given in _ranges_of(rule):
            _judge_range(given, keys, tell)
        _judge_words(rule, tell)
        _judge_effect(rule.effect, tell)
        when = rule.when
        if when and when.since and when.until and when.since > when.until:
            tell("policy.dates_reversed", "when", since=str(when.since), until=str(when.until))

    def selector(self, text: str, path: Path, rule: str) -> Node | None:
        """Return a selector's nodes; None, told, when it does not parse or names an instant."""
        known = self.nodes.get(text)
        if known is None:
            try:
                known = parse(text)
            except RecipientError as error:
                known = error
            if len(text) <= _REMEMBERED_CHARS_MAX and len(self.nodes) < _REMEMBERED_MAX:
                self.nodes[text] = known
        if isinstance(known, RecipientError):
            facts: dict[str, Any] = known.facts
            self.found.add(known.code, path, rule=rule, **facts)
            return None
        if isinstance(known, AtNode):
            self.found.add("policy.dated_selector", path, rule=rule, at=known.at)
            return None
        return known

    def test(self, test: PolicyTest, path: Path, rules: set[str] | None) -> None:
        self.selector(test.recipients, (*path, "recipients"), "")
        if test.units is not None:
            self.selector(test.units, (*path, "units"), "")
        if (test.expect is Expected.ADD and test.units is None) or (
            test.expect is Expected.REFUSE and test.units is not None
        ):
            self.found.add("policy.test_units", (*path, "units"), expect=test.expect.value)
        if test.at is not None:
            try:
                instant_of_text(test.at)
            except ValueError:
                self.found.add("policy.invalid_value", (*path, "at"), key="at", expected=_INSTANTS)
        if test.rule is not None and rules is not None:
            known = rules | {rule.name for rule in floor_rules()}
            if test.rule not in known:
                near = near_names(test.rule, sorted(known), 1)
                self.found.add("policy.unknown_rule", (*path, "rule"), suggestion="".join(near),
                               name=test.rule)  # fmt: skip

    def year(self, year: str, days: CalendarYear, path: Path) -> None:
        if _YEAR.fullmatch(year) is None:
            self.found.add("policy.invalid_value", path, key=year, expected='"2028"')
            return
        for key, found in (("days_off", days.days_off), ("working_days", days.working_days)):
            for index, day in enumerate(found):
                if day.year != int(year):
                    self.found.add("policy.day_elsewhere", (*path, key, index), day=str(day),
                                   year=year)  # fmt: skip
        for index, day in enumerate(days.working_days):
            if day.weekday() < _SATURDAY:
                self.found.add(
                    "policy.no_weekend_day", (*path, "working_days", index), day=str(day)
                )

    def hours(self, hours: Sequence[str]) -> None:
        last = 0
        for index, text in enumerate(hours):
            path: Path = ("calendar", "hours", index)
            parts = _HOURS.fullmatch(text)
            numbers = [int(part) for part in parts.groups()] if parts else [0, 0, 0, 0]
            begin, end = numbers[0] * 60 + numbers[1], numbers[2] * 60 + numbers[3]
            if parts is None or end > _DAY_MINUTES:
                self.found.add("policy.invalid_value", path, key="hours",
                               expected='"08:00-12:00"')  # fmt: skip
            elif begin >= end or begin < last:
                after = hours[index - 1] if index else "–"
                self.found.add("policy.hours", path, hours=text, after=after)
            last = max(last, end)


def _ranges_of(rule: Rule) -> Iterator[tuple[tuple[str, ...], Range]]:
    documents, audience = rule.documents, rule.audience
    if rule.tiers_crossed is not None:
        yield ("tiers_crossed",), rule.tiers_crossed
    if documents is not None:
        for key in ("size_bytes", "attachments", "signatures"):
            given = getattr(documents, key)
            if given is not None:
                yield ("documents", key), given
    if audience is not None and audience.size is not None:
        yield ("audience", "size"), audience.size


def _judge_range(given: Range, keys: tuple[str, ...], tell: _Tell) -> None:
    if given.min is None and given.max is None:
        tell("policy.empty", *keys, key=keys[-1])
    elif given.min is not None and given.max is not None and given.min > given.max:
        tell("policy.impossible", *keys, reason=f"min = {given.min} > max = {given.max}")


def _judge_words(rule: Rule, tell: _Tell) -> None:
    """Refuse types and marks of blanks only, and what is no media type: none meets a document."""
    if rule.documents is None:
        return
    for key in ("types", "marks", "without_marks", "media_types"):
        if any(not folded(one) for one in getattr(rule.documents, key)):
            tell("policy.empty", "documents", key, key=key)
            return
    for index, one in enumerate(rule.documents.media_types):
        if _MEDIA_TYPE.fullmatch(one) is None:  # it would meet no document, and say nothing
            tell("policy.invalid_value", "documents", "media_types", index, key="media_types",
                 expected='"application/pdf", "image/*"')  # fmt: skip


def _judge_effect(effect: Effect, tell: _Tell) -> None:
    named = msgspec.structs.astuple(msgspec.structs.replace(effect, reason=None))
    if all(value is None for value in named):
        tell("policy.empty", "effect", key="effect")
    if effect.allow and effect.forbid is not None:
        tell("policy.allow_and_forbid", "effect")
