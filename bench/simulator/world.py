"""A seeded small country and the selectors its senders write, each with its own meaning.

The meaning is computed here with plain sets over plain dicts, from the definition of each
word, and shares nothing with the engine: it is what the engine is held against.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

from router.model.instants import SECOND_US
from router.model.units import Unit

COMMITTEE, DEPARTMENT, OFFICE = "people-committee", "department", "office"
TIER_WORDS = {1: "central", 2: "province", 3: "district", 4: "commune"}
DAY_US = 86_400 * SECOND_US


class UnresolvableError(Exception):
    """The selector cannot be resolved; `codes` are the error codes that would be right."""

    def __init__(self, codes: set[str]) -> None:
        super().__init__(", ".join(sorted(codes)))
        self.codes = codes


@dataclass
class Place:
    """A unit as the model knows it; times are instants.

    `kind` and `parent` are what it began with, `later` what it became: (since, kind, parent).
    """

    number: int
    code: str
    name: str
    tier: int
    kind: str
    parent: int | None
    valid_from: int
    valid_to: int | None = None
    successors: tuple[int, ...] = ()
    later: list[tuple[int, str, int | None]] = field(default_factory=list)

    def standing(self, at_us: int) -> tuple[str, int | None]:
        """Return its kind and parent at that instant."""
        found = self.kind, self.parent
        for since, kind, parent in self.later:
            if since <= at_us:
                found = kind, parent
        return found

    def parents(self) -> set[int | None]:
        """Return what it ever hung below, or will."""
        return {self.parent, *(parent for _, _, parent in self.later)}

    def open_at(self, at_us: int) -> bool:
        """Say whether it exists at that instant."""
        return self.valid_from <= at_us and (self.valid_to is None or at_us < self.valid_to)

    def unit(self) -> Unit:
        """Return the unit as it is imported."""
        return Unit(
            self.number,
            self.code,
            self.name,
            self.tier,
            self.kind,
            self.parent,
            valid_from=self.valid_from,
        )


@dataclass(frozen=True)
class Selector:
    """A selector: its operator with its parts.

    The operator is `code`, `all`, `tier` or `kind` (with a word), a function, or `| & -`.
    """

    op: str
    word: str = ""
    parts: tuple[Selector, ...] = ()

    def text(self, *, inner: bool = False) -> str:
        """Write it in the selector language, with the parentheses it needs."""
        if self.op == "code":
            return self.word
        if self.op == "all":
            return "all"
        if self.op in ("tier", "kind"):
            return f"{self.op}({self.word})"
        if self.op in ("children", "descendants"):
            return f"{self.op}({self.parts[0].text()})"
        joined = f" {self.op} ".join(part.text(inner=True) for part in self.parts)
        return f"({joined})" if inner else joined


@dataclass
class World:
    """All units by number, open and closed, as far as the operators know."""

    places: dict[int, Place] = field(default_factory=dict)

    def add(self, place: Place) -> None:
        """Take a unit in."""
        self.places[place.number] = place

    def by_code(self, code: str) -> Place:
        """Return the unit with that code (codes are never used twice here)."""
        return next(place for place in self.places.values() if place.code == code)

    def holder(self, number: int, at_us: int) -> int:
        """Return who answers for an address: itself while open, then its first successor."""
        place = self.places[number]
        while place.valid_to is not None and place.valid_to <= at_us and place.successors:
            place = self.places[place.successors[0]]
        return place.number

    def heirs(self, number: int) -> list[int]:
        """Return who answers for an address, one after the other, whenever that may be."""
        found: list[int] = []
        place = self.places[number]
        while place.successors:
            place = self.places[place.successors[0]]
            found.append(place.number)
        return found

    def held_by(self, number: int, at_us: int) -> list[int]:
        """Return the addresses a unit answers for at that instant."""
        return [
            one
            for one, place in self.places.items()
            if (one == number if place.valid_to is None else self.holder(one, at_us) == number)
        ]

    def open(self, at_us: int) -> list[Place]:
        """Return the units that exist at that instant, in order of number."""
        return [self.places[number] for number in sorted(self.places)
                if self.places[number].open_at(at_us)]  # fmt: skip

    def leaves(self, at_us: int) -> list[Place]:
        """Return open units that may close: nothing hangs below them, no end is set."""
        parents = set().union(*(place.parents() for place in self.places.values()))
        return [place for place in self.open(at_us)
                if place.number not in parents and place.valid_to is None]  # fmt: skip

    def resolve(self, selector: Selector, at_us: int, *, skip: bool) -> frozenset[int]:
        """Return whom a selector means at an instant.

        With `skip`, unknown and closed units are left out, but never out of an excluded
        part: that would add recipients.  Raises UnresolvableError.
        """
        bad: set[tuple[str, bool]] = set()
        found = self._evaluate(selector, at_us, bad, False)
        fatal = {code for code, excluded in bad if excluded or not skip}
        if fatal:
            raise UnresolvableError(fatal)
        if not found:
            raise UnresolvableError({"audience.empty"})
        return frozenset(found)

    def _evaluate(
        self, selector: Selector, at_us: int, bad: set[tuple[str, bool]], excluded: bool
    ) -> set[int]:
        open_now = {place.number: place for place in self.places.values() if place.open_at(at_us)}
        parts = [
            self._evaluate(part, at_us, bad, excluded != (selector.op == "-" and place > 0))
            for place, part in enumerate(selector.parts)
        ]
        match selector.op:
            case "code":
                return self._one(selector.word, at_us, bad, excluded)
            case "all":
                return set(open_now)
            case "tier":
                return {n for n, place in open_now.items()
                        if TIER_WORDS[place.tier] == selector.word}  # fmt: skip
            case "kind":
                return {n for n, place in open_now.items()
                        if place.standing(at_us)[0] == selector.word}  # fmt: skip
            case "children":
                return {n for n, place in open_now.items()
                        if place.standing(at_us)[1] in parts[0]}  # fmt: skip
            case "descendants":
                return {n for n in open_now if parts[0].intersection(self._above(n, at_us))}
            case "|":
                return set().union(*parts)
            case "&":
                return set.intersection(*parts)
            case _:
                return parts[0].difference(*parts[1:])

    def _one(self, code: str, at_us: int, bad: set[tuple[str, bool]], excluded: bool) -> set[int]:
        for place in self.places.values():
            if place.code == code:
                if place.open_at(at_us):
                    return {place.number}
                early = at_us < place.valid_from
                bad.add(("recipient.not_yet_open" if early else "recipient.closed", excluded))
                return set()
        bad.add(("recipient.unknown", excluded))
        return set()

    def _above(self, number: int, at_us: int) -> set[int]:
        found: set[int] = set()
        parent = self.places[number].standing(at_us)[1]
        while parent is not None:
            found.add(parent)
            parent = self.places[parent].standing(at_us)[1]
        return found


def make_world(random: Random, start_us: int) -> World:
    """Return a country of four tiers with 30 to 80 units, open since the day before."""
    world = World()
    since = start_us - DAY_US

    def add(code: str, tier: int, kind: str, parent: int | None) -> int:
        number = 1 + 3 * len(world.places) + random.randrange(3)
        world.add(Place(number, code, f"Đơn vị {code}", tier, kind, parent, since))
        return number

    centre = add("G22", 1, OFFICE, None)
    for province in range(random.randint(1, 3)):
        code = f"H{province + 10}"
        top = add(code, 2, COMMITTEE, centre if random.random() < 0.8 else None)
        for department in range(random.randint(1, 4)):
            add(f"{department + 1:02}.{code}", 2, DEPARTMENT, top)
        for district in range(random.randint(1, 3)):
            middle_code = f"{district + 31}.{code}"
            middle = add(middle_code, 3, COMMITTEE, top)
            if random.random() < 0.6:
                add(f"01.{middle_code}", 3, OFFICE, middle)
            for commune in range(random.randint(2, 7)):
                add(f"{commune + 20}.{middle_code}", 4, COMMITTEE, middle)
    return world


def make_selector(random: Random, world: World, depth: int = 2) -> Selector:
    """Return a selector over the units of the world, now and then naming a bad one."""
    if depth == 0 or random.random() < 0.45:
        return _operand(random, world)
    op = random.choice(["|", "|", "|", "-", "&", "children", "descendants", "descendants"])
    if op in ("children", "descendants"):
        return Selector(op, parts=(make_selector(random, world, depth - 1),))
    count = random.randint(2, 4)
    return Selector(op, parts=tuple(make_selector(random, world, depth - 1) for _ in range(count)))


def _operand(random: Random, world: World) -> Selector:
    choice = random.random()
    if choice < 0.66:
        return Selector("code", random.choice(sorted(p.code for p in world.places.values())))
    if choice < 0.70:
        return Selector("code", f"{random.randint(1, 9):02}.X99")
    if choice < 0.75:
        return Selector("all")
    if choice < 0.90:
        return Selector("tier", random.choice(list(TIER_WORDS.values())))
    return Selector("kind", random.choice([COMMITTEE, DEPARTMENT, OFFICE]))
