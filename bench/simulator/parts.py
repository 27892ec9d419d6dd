"""Parts of a document's recipients that do not join inboxes when it is accepted.

They are held, wait for what could not be decided, or are excluded.  No rule of a run makes
them: it divides an audience where it becomes a record, and decides on the parts by the records
that the queue has for it.  Only who waits for a verdict (`Awaited`) is the engine's own.
Which recipients belong to a part is settled by their numbers alone, so that the model knows it
without asking.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from random import Random
from typing import Final

import msgspec

from router._core import Audience
from router._postings import postings
from router.engine import Engine
from router.queue import Acceptance, StoredAudience
from router.queue import Part as StoredPart
from router.queue.transport import NUMBERS

HELD, WAITING, EXCLUDED, RELEASED, EXPIRED = "held", "waiting", "excluded", "released", "expired"
UNDECIDED: Final = frozenset((HELD, WAITING))
_SHARES: Final = 4
_SPREAD: Final = 2_654_435_761
_DELAYS_S: Final = (1, 30, 300, 3_600)
_HOLDS_S: Final = (0, 60, 900, 7_200)


@dataclass
class Part:
    """A part: which share of the recipients it is, and what became of it.

    `began` is where it stood at acceptance, `due_us` the instant at which it expires undecided,
    0 for none.  `perhaps`: what lost answers may have made of it.
    """

    share: int
    salt: int
    began: str
    due_us: int
    standing: str = ""
    perhaps: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.standing = self.standing or self.began

    def anew(self) -> Part:
        """Return it as it was before anything became of it."""
        return Part(self.share, self.salt, self.began, self.due_us)

    def __deepcopy__(self, _: object) -> Part:
        return replace(self, perhaps=set(self.perhaps))

    def holds(self, number: int) -> bool:
        """Say whether a recipient belongs to it."""
        return ((number + self.salt) * _SPREAD >> 8) % _SHARES == self.share

    @property
    def hidden(self) -> bool:
        """Say whether its members certainly may not know of the document."""
        return self.standing != RELEASED and RELEASED not in self.perhaps

    def over(self, now_us: int) -> bool:
        """Say whether a decision on it is too late at an instant."""
        return 0 < self.due_us <= now_us

    def may_stand(self, now_us: int, ticked_us: int) -> set[str]:
        """Return the states that its members may be in, if it was not released.

        What ran out is expired by the clock; a tick made it so for good.
        """
        found = (self.perhaps | {self.standing}) - {RELEASED}
        if found & UNDECIDED and self.due_us and self.due_us <= max(now_us, ticked_us):
            found.add(EXPIRED)
            if self.due_us <= now_us:
                found -= UNDECIDED
        return found

    def learn(self, standing: str) -> None:
        """Note where it certainly stands."""
        self.standing = standing
        self.perhaps.clear()


@dataclass
class Awaited(Part):
    """All recipients, of a document that waits for its verdict.

    What it lacks comes `delay_us` after acceptance, and finds it `good` or not.  `reached` is
    where a verdict that was seen leads to, though a crash may have cut its moves off.
    """

    delay_us: int = 0
    good: bool = True
    reached: str = ""

    def anew(self) -> Part:
        """Return it as it was before anything became of it."""
        return replace(self, standing=self.began, perhaps=set(), reached="")

    def __deepcopy__(self, _: object) -> Part:
        return replace(self, perhaps=set(self.perhaps))

    def holds(self, number: int) -> bool:
        """Say that every recipient belongs to it."""
        del number
        return True


def make_parts(random: Random, now_us: int, *, lasting: bool) -> tuple[Part, ...]:
    """Return the parts of a new document; most have none.

    One that is `lasting` (without a time to live) may have to wait for its verdict.
    """
    if random.random() < 0.06 and lasting:
        delay_s = random.choice(_DELAYS_S)
        return (Awaited(0, 0, WAITING, 0, delay_us=delay_s * 1_000_000,
                        good=random.random() < 0.7),)  # fmt: skip
    if random.random() > 0.25:
        return ()
    salt = random.randrange(1_000)
    standings = random.sample((HELD, HELD, EXCLUDED), random.choice((1, 1, 2)))
    return tuple(
        Part(share, salt, standing,
             0 if standing == EXCLUDED or not (life_s := random.choice(_HOLDS_S))
             else now_us + life_s * 1_000_000)
        for share, standing in enumerate(standings)
    )  # fmt: skip


def divide(engine: Engine, acceptance: Acceptance, parts: Sequence[Part]) -> Acceptance:
    """Return an acceptance whose audience is divided: what no part holds joins inboxes."""
    number = acceptance.audience.snapshot
    snapshot = engine._rooms.snapshot(number)
    hierarchy = snapshot.hierarchy
    whole = Audience.from_bytes(acceptance.audience.runs)
    members = sorted((hierarchy.position(one), one) for one in hierarchy.numbers(whole))

    def stored(audience: Audience) -> StoredAudience:
        digest = engine._rooms.digest(number, snapshot, audience)
        return StoredAudience(number, audience.to_bytes(), digest, audience.size)

    found = []
    for part in parts:
        places = [position for position, one in members if part.holds(one)]
        if places:
            audience = stored(Audience.from_positions(places))
            found.append(StoredPart(NUMBERS[part.began], audience, part.due_us))
    left = Audience.from_positions(
        [position for position, one in members if not any(part.holds(one) for part in parts)]
    )
    return msgspec.structs.replace(
        acceptance, audience=stored(left), postings=postings(hierarchy, left), parts=tuple(found)
    )
