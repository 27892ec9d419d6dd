"""Random changes of a small directory: most are sound, some are not, all orders of dates."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

import msgspec
from support.timelines import Timelines

from router.model.reorganisations import (
    Changing,
    Closing,
    Correction,
    Event,
    Fix,
    Merging,
    Opening,
    Reference,
    Reorganisation,
    Splitting,
)
from router.model.units import Contact, Unit

DAYS = 14
KINDS = ("people-committee", "department", "office")
NAMES = ("Xã An", "Xã Bình", "Phường Cát")
TAGS: tuple[tuple[str, ...], ...] = ((), ("xã",), ("xã", "biên giới"))
CONTACTS = (None, Contact(telephone="0123"))


class Chance:
    """Draws changes that suit what the oracle knows, with a mistake now and then."""

    def __init__(self, seed: int, oracle: Timelines) -> None:
        self.random = Random(seed)
        self.oracle = oracle

    def one_in(self, count: int) -> bool:
        return self.random.randrange(count) == 0

    def code(self) -> str:
        return f"H{self.random.randint(1, 14):02}"

    def aliases(self) -> tuple[str, ...]:
        return (f"GSO:0{self.random.randint(1, 4)}",) if self.one_in(4) else ()

    def open_at(self, day: int) -> int:
        """Return a unit open on a day, or, seldom, any number."""
        known = sorted(self.oracle.open(day))
        return self.random.choice(known) if known and not self.one_in(12) else self.number()

    def number(self) -> int:
        return self.random.randint(1, 14)

    def reference(self, day: int) -> Reference:
        number = self.open_at(day)
        codes = self.oracle.value(number, "codes", day)
        return self.random.choice(codes) if codes and self.one_in(3) else number

    def tree(self) -> list[Unit]:
        """Return a first import: each unit lies below an earlier one and is no older."""
        made: list[Unit] = []
        for number in range(1, self.random.randint(3, 7) + 1):
            parent = self.random.choice([None, *made])
            made.append(
                Unit(
                    number=number,
                    code=f"H{number:02}",
                    name=self.random.choice(NAMES),
                    tier=self.random.randint(parent.tier if parent else 1, 3),
                    kind=self.random.choice(KINDS),
                    parent=parent.number if parent else None,
                    tags=self.random.choice(TAGS),
                    valid_from=self.random.randint(parent.valid_from if parent else 0, 4),
                )
            )
        return made

    def unit(self, opens: int | None = None) -> Unit:
        """Return a unit of a number that is free as a rule."""
        number = self.number() if self.one_in(8) else max(self.oracle.numbers(), default=0) + 1
        begins = self.random.randint(0, DAYS) if opens is None else opens
        closes = begins + self.random.randint(1, 6) if opens is None and self.one_in(3) else None
        heirs = (self.open_at(closes),) if closes is not None and self.one_in(2) else ()
        return Unit(
            number=number,
            code=self.code() if self.one_in(2) else f"H{number:02}",
            name=self.random.choice(NAMES),
            tier=self.random.randint(3, 4),
            kind=self.random.choice(KINDS),
            parent=None if self.one_in(3) else self.open_at(begins),
            aliases=self.aliases(),
            tags=self.random.choice(TAGS),
            contact=self.random.choice(CONTACTS),
            valid_from=begins,
            valid_to=closes,
            successors=heirs,
        )

    def properties(self, parent: Callable[[], Reference]) -> dict[str, Any]:
        """Return one or two properties, as an event or a fix gives them."""
        ways: dict[str, Callable[[], Any]] = {
            "name": lambda: self.random.choice(NAMES),
            "tier": lambda: self.random.randint(1, 4),
            "kind": lambda: self.random.choice(KINDS),
            "code": self.code,
            "aliases": self.aliases,
            "tags": lambda: self.random.choice(TAGS),
            "contact": lambda: self.random.choice(CONTACTS),
            "parent": lambda: None if self.one_in(4) else parent(),
        }
        chosen = self.random.sample(sorted(ways), self.random.randint(1, 2))
        return {name: ways[name]() for name in chosen}

    def event(self, day: int) -> Event:

        def before() -> Reference:
            return self.reference(day - 1)

        def after() -> Reference:
            return self.reference(day)

        what = self.random.randrange(9)
        if what == 0:
            opened = msgspec.structs.replace(self.unit(day), valid_from=0)
            return Opening(opened, None if self.one_in(2) else after())
        if what == 1:
            return Merging(tuple(before() for _ in range(self.random.randint(1, 2))), after())
        if what == 2:
            return Splitting(before(), tuple(after() for _ in range(self.random.randint(1, 2))))
        if what == 3:
            return Closing(before())
        return Changing(before(), **self.properties(after))

    def reorganisation(self) -> Reorganisation:
        day = self.random.randint(1, DAYS)
        return Reorganisation(
            day, "", tuple(self.event(day) for _ in range(self.random.randint(1, 2)))
        )

    def fix(self) -> Fix:
        number = self.open_at(self.random.randint(0, DAYS))
        if self.one_in(10):
            return Fix(number, withdrawn=True)
        life = self.oracle.life(number) or (0, None)
        since = None if self.one_in(2) else self.random.randint(0, DAYS)
        until = None if self.one_in(2) else self.random.randint(1, DAYS)
        said: dict[str, Any] = {}
        if self.one_in(2):
            said |= self.properties(lambda: self.open_at(life[0]))
        if self.one_in(3):
            said["opened_at"] = self.random.randint(0, DAYS)
        if self.one_in(3):
            said["closed_at"] = None if self.one_in(3) else self.random.randint(0, DAYS)
        if self.one_in(4):
            said["successors"] = (self.open_at(life[1] or DAYS),)
        return Fix(number, since, until, **said)

    def correction(self) -> Correction:
        later = (self.unit(),) if self.one_in(3) else ()
        return Correction("", later, () if later and self.one_in(2) else (self.fix(),))

    def change(self) -> list[Unit] | Reorganisation | Correction:
        """Return an import, a reorganisation or a correction."""
        what = self.random.randrange(8)
        if what == 0:
            return [self.unit()]
        return self.reorganisation() if what < 5 else self.correction()
