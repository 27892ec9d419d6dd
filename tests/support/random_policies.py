"""Random countries, policies and documents from one seed: all conditions, all effects."""

from __future__ import annotations

from datetime import date
from random import Random
from typing import Any

import msgspec
from support.forests import KINDS, TAGS, RowLookup
from support.oracle import RELATIONS, Expression, Row, text_of
from support.policy_oracle import Days

from router._core import Hierarchy
from router.model.calendar import WorkingCalendar, YearOfDays
from router.model.decisions import DocumentFacts
from router.model.documents import Act, Urgency
from router.policy.model import (
    AudienceConditions,
    Default,
    Direction,
    DocumentConditions,
    Effect,
    Forbid,
    Hold,
    Hours,
    LaneName,
    PolicyFile,
    Range,
    Require,
    Rule,
    When,
)

TYPES = ("Công văn", "Tờ trình", " công VĂN", "Công điện")
MARKS = ("LƯU HÀNH NỘI BỘ", "Xem xong trả lại", "lưu hành nội bộ ")
MEDIA = ("application/pdf", "image/png", "IMAGE/*", "text/plain; charset=utf-8", "image/*")
HOUR_US = 3_600_000_000
# Friday 26 December 2025, 09:00 +07:00, and instants around it, the new year without data.
NOW = 1_766_714_400_000_000
OFF = {date(2025, 12, 29)}
MADE_UP = {date(2025, 12, 27)}
CALENDAR = WorkingCalendar({2025: YearOfDays(frozenset(OFF), frozenset(MADE_UP))})
DAYS = Days({2025: (OFF, MADE_UP)})


class World:
    """A country, and a policy over it; `texts` says what each selector of it means."""

    def __init__(self, seed: int, most: int = 24, rules: int = 9) -> None:
        self.chance = Random(seed)
        self.rows = self._rows(self.chance.randint(1, most))
        self.hierarchy = Hierarchy(self.rows)
        self.lookup = RowLookup(self.rows, self.hierarchy)
        self.texts: dict[str, Expression] = {"sender": ("sender",)}
        self.pool = [self._selector(2) for _ in range(4)]
        self.relative = self.chance.random() < 0.7
        self.holds = [
            Hold(approvers="sender", expires_working_days=days) for days in (1, 2, 2, 3, 4, 5, 6, 7)
        ]
        self.holds[2] = Hold(approvers="all", expires_working_days=2)
        self.texts["all"] = ("all",)
        self.policy = PolicyFile(
            format=1,
            name="t",
            default=self.chance.choice(list(Default)),
            rules=tuple(self._rule(f"r{n}") for n in range(self.chance.randint(0, rules))),
        )
        self.floor = tuple(
            self._rule(f"floor/{n}", settings=True) for n in range(self.chance.randint(0, 2))
        )

    def _rows(self, count: int) -> list[Row]:
        chance = self.chance
        step = chance.choice((1, 7, 14_000_000))
        rows: list[Row] = []
        shape = chance.random()
        for place in range(count):
            above = chance.choice(rows) if rows and chance.random() < 0.9 else None
            tier = chance.randint(1, 4)
            if shape < 0.6:
                tier = 1 if above is None else min(above[1] + 1, 4)
            rows.append(
                ((place + 1) * step, tier, chance.randrange(KINDS), above[0] if above else 0)
            )
        chance.shuffle(rows)
        return rows

    def _expression(self, depth: int) -> Expression:
        chance = self.chance
        if depth == 0 or chance.random() < 0.4:
            leaf = chance.randrange(7)
            if leaf == 0:
                return ("all",)
            if leaf == 1:
                return ("tier", chance.randint(1, 4))
            if leaf == 2:
                return ("kind", chance.randrange(KINDS))
            if leaf == 3:
                return ("tag", chance.choice(TAGS))
            if leaf == 4:
                return ("code", chance.choice(self.rows)[0])
            return ("sender",)
        if chance.random() < 0.5:
            return (chance.choice(RELATIONS), self._expression(depth - 1))
        return (chance.choice("|&-"), self._expression(depth - 1), self._expression(depth - 1))

    def _selector(self, depth: int = 1) -> str:
        found = self._expression(depth)
        text = text_of(found)
        self.texts[text] = found
        return text

    def _named(self, *, constant: bool = False) -> str:
        text = self.chance.choice(self.pool) if self.chance.random() < 0.5 else self._selector()
        while constant and "sender" in text:
            text = self._selector()
        return text

    def _maybe(self, share: float, *, constant: bool = False) -> str | None:
        return self._named(constant=constant) if self.chance.random() < share else None

    def _range(self, most: int, share: float = 0.15) -> Range | None:
        if self.chance.random() > share:
            return None
        low, high = sorted((self.chance.randint(0, most), self.chance.randint(0, most)))
        return self.chance.choice((Range(low, high), Range(min=low), Range(max=high)))

    def _some(self, values: tuple[Any, ...], share: float) -> tuple[Any, ...]:
        if self.chance.random() > share:
            return ()
        return tuple(self.chance.sample(values, self.chance.randint(1, len(values) - 1)))

    def _rule(self, name: str, *, settings: bool = False) -> Rule:
        chance = self.chance
        documents = DocumentConditions(
            acts=self._some(tuple(Act), 0.15),
            types=self._some(TYPES, 0.25),
            urgencies=self._some(tuple(Urgency), 0.2),
            marks=self._some(MARKS, 0.1),
            without_marks=self._some(MARKS, 0.1),
            size_bytes=self._range(3, 0.1),
            attachments=self._range(3, 0.1),
            media_types=self._some(MEDIA, 0.1),
            signatures=self._range(2, 0.1),
            signed_by=self._maybe(0.1),
        )
        audience = AudienceConditions(
            includes=self._maybe(0.15), lacks=self._maybe(0.15), size=self._range(20)
        )
        since, until = (chance.choice((None, None, None, date(2025, 12, day))) for day in (26, 27))
        hours = chance.choice((None, None, None, *Hours))
        return Rule(
            name=name,
            effect=self._effect(settings=settings),
            senders=self._maybe(0.3, constant=True),
            recipients=self._maybe(0.7),
            directions=self._some(tuple(Direction), 0.15),
            tiers_crossed=self._range(2),
            documents=documents if chance.random() < 0.6 else None,
            audience=audience if chance.random() < 0.5 else None,
            when=When(since, until, hours) if chance.random() < 0.25 else None,
        )

    def _effect(self, *, settings: bool) -> Effect:
        chance = self.chance
        kind = "setting" if settings else chance.choice(
            ("allow", "allow", "forbid", "forbid", "hold", "hold", "add", "setting", "all")
        )  # fmt: skip
        many = chance.random() < 0.5
        several = kind == "all"
        setting = kind == "setting" or (several and many)
        return Effect(
            allow=True if kind == "allow" else None,
            forbid=(Forbid.DOCUMENT if chance.random() < 0.1 else Forbid.RECIPIENTS)
            if kind == "forbid" or (several and chance.random() < 0.3)
            else None,
            hold=chance.choice(self.holds) if kind == "hold" or several else None,
            add=self._named() if kind == "add" or (several and many) else None,
            require=Require(chance.randint(1, 2), self._named())
            if setting and chance.random() < 0.2
            else None,
            lane=chance.choice((None, *LaneName)) if setting else None,
            deadline_working_days=chance.choice((None, 0, 1, 2, 3)) if setting else None,
            send_by_working_days=chance.choice((None, 0, 1, 2)) if setting else None,
            retention_years=chance.choice((None, 1, 5)) if setting else None,
            quarantine=chance.choice((None, True)) if setting else None,
            admit_unsigned=chance.choice((None, None, True)) if setting else None,
        )

    def instant(self) -> int:
        """Return an instant in or out of working hours, or in a year without data."""
        days = self.chance.choice((0, 0, 0, 1, 2, 3, 4, 20))
        return NOW + (days * 24 + self.chance.choice((0, 0, 3, 8))) * HOUR_US

    def document(self) -> DocumentFacts:
        """Return a document of some unit, perhaps of one that is not in the country."""
        chance = self.chance
        numbers = [row[0] for row in self.rows]
        unknown = max(numbers) + 1
        sender = chance.choice(numbers) if chance.random() < 0.95 else unknown
        bearers = [*numbers, sender, sender, unknown]
        signers = tuple(
            tuple(chance.choice(bearers) for _ in range(chance.randint(0, 2)))
            for _ in range(chance.choice((0, 1, 1, 1, 2)))
        )
        return DocumentFacts(
            sender=sender,
            act=chance.choice((Act.NEW, Act.NEW, *Act)),
            type=chance.choice((*TYPES, "Thư mời")),
            urgency=chance.choice(list(Urgency)),
            issued_at=NOW - chance.choice((0, 5, 24, 72, 24 * 400)) * HOUR_US,
            marks=self._some((*MARKS, "khác"), 0.4),
            size_bytes=chance.randint(0, 4),
            attachments=chance.randint(0, 4),
            media_types=self._some((*MEDIA[:2], MEDIA[3], "a/b"), 0.4),
            signers=signers,
        )

    def audience(self) -> set[int]:
        """Return some units, at least one, by number."""
        chance = self.chance
        numbers = [row[0] for row in self.rows]
        if chance.random() < 0.3:
            return set(numbers)
        return set(chance.sample(numbers, chance.randint(1, len(numbers))))


def shuffled(policy: PolicyFile, chance: Random) -> tuple[PolicyFile, dict[int, int]]:
    """Return the rules in another order, and each new number's old one."""
    order = list(range(len(policy.rules)))
    chance.shuffle(order)
    old = {new: place + 1 for new, place in enumerate(order, 1)}
    rules = tuple(policy.rules[place] for place in order)
    return msgspec.structs.replace(policy, rules=rules), old
