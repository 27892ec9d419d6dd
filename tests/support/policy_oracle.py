"""The slow, obvious decider: one recipient and the whole audience at a time, on Python sets.

It shares nothing with the room of policy but the shapes of file and facts: conditions, the
calendar and the algebra of docs/policy.md stand here a second time, over numbers of units.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, time, timedelta, timezone
from typing import Any

from support.oracle import Expression, Oracle

from router.model.decisions import DocumentFacts, Refused
from router.policy.model import (
    Default,
    Direction,
    DocumentConditions,
    Forbid,
    Hours,
    PolicyFile,
    Range,
    Rule,
)

VIETNAM = timezone(timedelta(hours=7))
DAY = timedelta(days=1)
LANES = {"flash": 0, "very_urgent": 1, "urgent": 2, "normal": 3}
PARTS_MAX = 5
UNKNOWN = "unknown"  # what a rule says that needs a year without data


def plain(text: str) -> str:
    return unicodedata.normalize("NFC", text).strip().casefold()


def within(asked: Range | None, value: int) -> bool:
    if asked is None:
        return True
    low = 0 if asked.min is None else asked.min
    return value >= low and (asked.max is None or value <= asked.max)


def asks_sender(expression: Expression) -> bool:
    return expression[0] == "sender" or any(
        asks_sender(part) for part in expression[1:] if isinstance(part, tuple)
    )


class Days:
    """A calendar: years by number, each (days off, days made up); hours in minutes."""

    def __init__(self, years: Mapping[int, tuple[set[date], set[date]]]) -> None:
        self.years = years

    def worked(self, day: date) -> bool | int:
        """Say whether a day is worked, or the year whose data is missing."""
        if day.year not in self.years:
            return day.year
        off, made_up = self.years[day.year]
        return day in made_up or (day.weekday() < 5 and day not in off)

    def after(self, day: date, count: int) -> date | int:
        """Return the `count`-th worked day after one (0: itself if worked), or a missing year."""
        if count:
            day += DAY
        while True:
            found = self.worked(day)
            if type(found) is int:
                return found
            count -= found and count > 0
            if found and not count:
                return day
            day += DAY

    def end(self, at_us: int, count: int) -> int:
        return self._instant(at_us, count, DAY)

    def noon(self, at_us: int, count: int) -> int:
        return self._instant(at_us, count, timedelta(hours=12))

    def _instant(self, at_us: int, count: int, more: timedelta) -> int:
        """Return the instant, or minus the year that is missing."""
        day = self.after(moment(at_us).date(), count)
        if isinstance(day, int):
            return -day
        at = datetime.combine(day, time(), VIETNAM) + more
        return round(at.timestamp()) * 1_000_000

    def working(self, at_us: int) -> bool | int:
        now = moment(at_us)
        found = self.worked(now.date())
        if type(found) is int:
            return found
        minute = now.hour * 60 + now.minute
        return bool(found) and (480 <= minute < 720 or 780 <= minute < 1020)


def moment(at_us: int) -> datetime:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at_us)).astimezone(VIETNAM)


class Case:
    """One document to one audience (numbers of units) under a policy."""

    def __init__(
        self,
        units: Oracle,
        policy: PolicyFile,
        floor: Iterable[Rule],
        texts: Mapping[str, Expression],
        days: Days,
    ) -> None:
        self.units = units
        self.policy = policy
        self.rules = list(enumerate((*policy.rules, *floor), 1))
        self.texts = texts
        self.days = days
        tiers = sorted(set(units.tier.values()))
        self.rank = {unit: tiers.index(tier) for unit, tier in units.tier.items()}
        self.place = {unit: place for place, unit in enumerate(units.order())}

    def members(self, text: str) -> frozenset[int]:
        expression = self.texts[text]
        if asks_sender(expression) and self.sender not in self.units.all:
            return frozenset()
        self.units.sender = self.sender
        return self.units.evaluate(expression)

    def signed_by(self, text: str) -> int:
        wanted = self.members(text)
        return sum(1 for units in self.facts.signers if wanted & set(units))

    # One rule.

    def applies(self, rule: Rule) -> bool | str:
        if rule.senders is not None and self.sender not in self.members(rule.senders):
            return False
        asked, around = rule.documents, rule.audience
        if asked is not None and not (self.is_such(asked) and self.carries(asked)):
            return False
        if around is not None:
            if around.includes is not None and not self.audience & self.members(around.includes):
                return False
            if around.lacks is not None and self.audience & self.members(around.lacks):
                return False
            if not within(around.size, len(self.audience)):
                return False
        return self.is_time(rule)

    def is_such(self, asked: DocumentConditions) -> bool:
        facts = self.facts
        marks = {plain(mark) for mark in facts.marks}
        if asked.acts and facts.act not in asked.acts:
            return False
        if asked.urgencies and facts.urgency not in asked.urgencies:
            return False
        if asked.types and plain(facts.type) not in {plain(one) for one in asked.types}:
            return False
        if asked.marks and not marks & {plain(mark) for mark in asked.marks}:
            return False
        return not marks & {plain(mark) for mark in asked.without_marks}

    def carries(self, asked: DocumentConditions) -> bool:
        facts = self.facts
        if not within(asked.size_bytes, facts.size_bytes):
            return False
        if not within(asked.attachments, facts.attachments):
            return False
        if asked.media_types and not self.media(asked.media_types):
            return False
        if not within(asked.signatures, len(facts.signers)):
            return False
        return asked.signed_by is None or self.signed_by(asked.signed_by) > 0

    def is_time(self, rule: Rule) -> bool | str:
        when = rule.when
        if when is None:
            return True
        day = moment(self.at_us).date()
        if (when.since is not None and day < when.since) or (
            when.until is not None and day > when.until
        ):
            return False
        if when.hours is None:
            return True
        working = self.days.working(self.at_us)
        if type(working) is int:
            return UNKNOWN
        return working == (when.hours is Hours.WORKING)

    def media(self, asked: Iterable[str]) -> bool:
        for found in self.facts.media_types:
            name = found.split(";")[0].strip().lower()
            for wanted in asked:
                one = wanted.lower()
                if name == one or (one.endswith("/*") and name.startswith(one[:-1])):
                    return True
        return False

    def meant(self, rule: Rule, unit: int) -> bool:
        """Say whether a unit is among the recipients that a rule speaks of."""
        if rule.recipients is not None and unit not in self.members(rule.recipients):
            return False
        if not rule.directions and rule.tiers_crossed is None:
            return True
        if self.sender not in self.units.all:
            return False
        up = self.rank[self.sender] - self.rank[unit]
        direction = Direction.ACROSS if up == 0 else Direction.UP if up > 0 else Direction.DOWN
        if rule.directions and direction not in rule.directions:
            return False
        return within(rule.tiers_crossed, abs(up))

    # All rules.

    def decide(self, facts: DocumentFacts, audience: Iterable[int], at_us: int) -> dict[str, Any]:
        self.facts, self.audience, self.at_us = facts, frozenset(audience), at_us
        self.sender = facts.sender
        said = [(number, rule, self.applies(rule)) for number, rule in self.rules]
        target = {
            number: {unit for unit in self.units.all if self.meant(rule, unit)}
            for number, rule, answer in said
            if answer
        }
        applying = [(number, rule) for number, rule, answer in said if answer is True]
        matching = [(n, rule) for n, rule in applying if target[n] & self.audience]
        given = {n: self.members(rule.effect.add) for n, rule in matching if rule.effect.add}
        deciding: set[int] = set()
        effect = {n: rule.effect for n, rule in self.rules}

        def those(rules: Iterable[tuple[int, Rule]], unit: int) -> list[int]:
            return [n for n, _ in rules if unit in target[n]]

        allows = [(n, r) for n, r in applying if r.effect.allow]
        bans = [(n, r) for n, r in applying if r.effect.forbid is Forbid.RECIPIENTS]
        holds = [(n, r) for n, r in applying if r.effect.hold]
        closed = self.policy.default is Default.FORBID
        left, allowed, added, excluded = set(), set(), set(), set()
        for unit in self.audience:
            permits, prohibits = those(allows, unit), those(bans, unit)
            if closed:
                deciding.update(permits or [0])
            if permits or not closed:
                allowed.add(unit)
            deciding.update(prohibits)
            if (permits or not closed) and not prohibits:
                left.add(unit)
            else:
                excluded.add(unit)
        for unit in {one for units in given.values() for one in units} - self.audience:
            prohibits = those(bans, unit)
            deciding.update(prohibits)
            if not prohibits:
                added.add(unit)
                deciding.update(n for n, units in given.items() if unit in units)
        years: set[int] = set()
        extra = {one for units in given.values() for one in units} - self.audience
        for n, rule, answer in said:
            late = rule.effect.forbid is Forbid.RECIPIENTS or rule.effect.hold is not None
            if answer == UNKNOWN and target[n] & (self.audience | extra if late else self.audience):
                years.add(moment(at_us).year)
        held, waiting = self.held(holds, target, left | added, deciding, years)
        found = self.settings(matching, deciding, years)
        found |= {
            "effective": (left | added) - waiting,
            "excluded": excluded,
            "added": added,
            "held": held,
        }
        found |= self.refusals(matching, effect, target, left, allowed, years, deciding)
        return found | {"rules": tuple(sorted(deciding))}

    def held(
        self,
        holds: list[tuple[int, Rule]],
        target: Mapping[int, set[int]],
        among: set[int],
        deciding: set[int],
        years: set[int],
    ) -> tuple[list[tuple[frozenset[int], tuple[int, ...], int]], set[int]]:
        first: dict[Any, int] = {}
        needs: dict[int, set[int]] = {}
        for number, rule in holds:
            if target[number] & among:
                deciding.add(number)
                first.setdefault(rule.effect.hold, number)
        days = {number: hold.expires_working_days for hold, number in first.items()}
        for unit in among:
            for number, rule in holds:
                if unit in target[number]:
                    needs.setdefault(unit, set()).add(first[rule.effect.hold])
        groups: dict[tuple[int, ...], set[int]] = {}
        for unit, numbers in needs.items():
            groups.setdefault(tuple(sorted(numbers)), set()).add(unit)
        parts = sorted(groups.items(), key=lambda part: min(self.place[u] for u in part[1]))
        if len(parts) > PARTS_MAX:
            rest = parts[PARTS_MAX - 1 :]
            numbers = tuple(sorted({n for needed, _ in rest for n in needed}))
            parts = [*parts[: PARTS_MAX - 1], (numbers, {u for _, units in rest for u in units})]
        answer = []
        for numbers, units in parts:
            expiry = self.days.end(self.at_us, min(days[number] for number in numbers))
            if expiry < 0:
                years.add(-expiry)
                expiry = 0
            answer.append((frozenset(units), numbers, expiry))
        return answer, set(needs)

    def settings(
        self, matching: list[tuple[int, Rule]], deciding: set[int], years: set[int]
    ) -> dict[str, Any]:
        lanes = [LANES[self.facts.urgency.value]]
        keep, deadlines, sends = [0], [], []
        for number, rule in matching:
            effect, floor = rule.effect, rule.name.startswith("floor/")
            instants = []
            if effect.lane is not None:
                lanes.append(LANES[effect.lane.value])
            if effect.retention_years is not None:
                keep.append(effect.retention_years)
            if effect.deadline_working_days is not None:
                at = self.days.end(self.at_us, effect.deadline_working_days)
                instants.append((deadlines, at))
            if effect.send_by_working_days is not None:
                ask = self.days.noon if effect.send_by_working_days else self.days.end
                instants.append((sends, ask(self.facts.issued_at, effect.send_by_working_days)))
            for into, at in instants:
                if at > 0:
                    into.append(at)
                elif not floor:
                    years.add(-at)
            if (
                effect.lane or effect.retention_years or effect.require or effect.quarantine
                or effect.admit_unsigned or instants
            ):  # fmt: skip
                deciding.add(number)
        return {
            "lane": min(lanes),
            "retention_years": max(keep),
            "deadline": min(deadlines, default=0),
            "send_by": min(sends, default=0),
        }

    def refusals(
        self, matching: list[tuple[int, Rule]], effect: Mapping[int, Any],
        target: Mapping[int, set[int]], left: set[int], allowed: set[int], years: set[int],
        deciding: set[int],
    ) -> dict[str, Any]:  # fmt: skip
        numbers = [number for number, _ in matching]
        unsigned = not self.facts.signers
        admitted = unsigned and any(effect[n].admit_unsigned for n in numbers)
        forbids = [n for n in numbers if effect[n].forbid is Forbid.DOCUMENT]
        deciding.update(forbids)
        lacking = [
            n
            for n in numbers
            if not admitted
            and effect[n].require
            and self.signed_by(effect[n].require.by) < effect[n].require.signatures
        ]
        cut = [n for n in numbers if effect[n].forbid is Forbid.RECIPIENTS]
        found = (Refused.NO, 0)
        if self.sender not in self.units.all and self.speaks_of_sender():
            found = (Refused.SENDER_NOT_THEN, 0)
        elif years:
            found = (Refused.CALENDAR, 0)
        elif unsigned and not admitted:
            found = (Refused.UNSIGNED, 0)
        elif forbids:
            found = (Refused.FORBIDDEN, min(forbids))
        elif lacking:
            found = (Refused.REQUIREMENT, min(lacking))
        elif not left:
            found = (Refused.NOBODY_LEFT, min(cut) if allowed else 0)
        return {
            "refused": found[0],
            "refusal_rule": found[1],
            "quarantine": any(effect[n].quarantine for n in numbers),
            "information_only": admitted,
            "calendar_year": min(years, default=0),
        }

    def speaks_of_sender(self) -> bool:
        for _, rule in self.rules:
            effect, around, asked = rule.effect, rule.audience, rule.documents
            texts = [
                rule.recipients, effect.add, asked and asked.signed_by,
                around and around.includes, around and around.lacks,
                effect.require and effect.require.by,
            ]  # fmt: skip
            if rule.senders is not None or rule.directions or rule.tiers_crossed is not None:
                return True
            if any(text and asks_sender(self.texts[text]) for text in texts):
                return True
        return False
