"""What is known of units after so many changes: the reading side of the register.

A `Known` never changes: a reader that holds one goes on with what it knew, whatever is
learnt meanwhile.  It is cheap (three references and a number).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from router._register import (
    FACT_CODES,
    FOR_GOOD,
    Register,
)
from router.directory.facts import BETWEEN_CODES, read_details
from router.errors import RecipientError
from router.model.instants import datetime_of
from router.model.units import Unit

NO_SUCCESSOR = "–"
_UNITS_REMEMBERED_MAX = 8_192
_CHAIN_MAX = 64
"""Successions followed from one unit; a longer chain ends there, as a circle would."""


class Vocabulary:
    """Names that facts hold by number, in order of first appearance; append-only."""

    def __init__(self) -> None:
        self.kinds: dict[str, int] = {}
        self.kind_names: list[str] = [""]
        self.tag_sets: dict[tuple[str, ...], int] = {(): 0}
        self.tags_of: list[tuple[str, ...]] = [()]
        self.sets_with: dict[str, list[int]] = {}
        self.led_here: dict[int, list[int]] = {}
        """Units that some fact says a unit succeeds, whenever and by any knowledge; a
        correction may name one twice."""

    def copy(self) -> Vocabulary:
        """Return a copy to try names on."""
        made = Vocabulary()
        made.kinds = dict(self.kinds)
        made.kind_names = list(self.kind_names)
        made.tag_sets = dict(self.tag_sets)
        made.tags_of = list(self.tags_of)
        made.sets_with = {tag: list(sets) for tag, sets in self.sets_with.items()}
        made.led_here = {heir: list(formers) for heir, formers in self.led_here.items()}
        return made

    def kind(self, name: str) -> int:
        """Return the number of a kind, from 1; a new one is noted ("" is 0)."""
        if not name:
            return 0
        number = self.kinds.get(name)
        if number is None:
            number = self.kinds[name] = len(self.kind_names)
            self.kind_names.append(name)
        return number

    def tag_set(self, tags: tuple[str, ...]) -> int:
        """Return the number of a set of tags; a new one is noted (none is 0)."""
        number = self.tag_sets.get(tags)
        if number is None:
            number = self.tag_sets[tags] = len(self.tags_of)
            self.tags_of.append(tags)
            for tag in tags:
                self.sets_with.setdefault(tag, []).append(number)
        return number

    def succession(self, former: int, successors: str) -> None:
        """Note that a unit may have successors."""
        for heir in successors.split(",") if successors else ():
            self.led_here.setdefault(int(heir), []).append(former)


class Known:
    """Units as known after the first `count` changes of a register."""

    def __init__(self, register: Register, words: Vocabulary, count: int) -> None:
        self.register = register
        self.words = words
        self.count = count
        self._last: dict[int, Unit] = {}

    def life(self, number: int) -> tuple[int, int | None] | None:
        """Return a unit's beginning and end (None: open), or None for no such unit."""
        life: tuple[int, int] | None = self.register.life(number, self.count)
        if life is None:
            return None
        return life[0], None if life[1] == FOR_GOOD else life[1]

    def taken(self, number: int) -> bool:
        """Say whether a number meant a unit once, be it withdrawn since."""
        return self.register.state(number, 0, self.count) is not None

    def unit(self, number: int, at_us: int | None = None) -> Unit | None:
        """Return a unit as it stood at an instant, None for no such unit.

        Outside its life, its nearest state; without an instant, its last.
        """
        if at_us is None:
            found = self._last.get(number)
            if found is not None:
                return found
        life = self.life(number)
        if life is None:
            return None
        opened, closed = life
        last = (FOR_GOOD if closed is None else closed) - 1
        when = last if at_us is None else min(max(at_us, opened), last)
        made = self._read(number, opened, closed, when)
        if at_us is None:
            if len(self._last) >= _UNITS_REMEMBERED_MAX:
                self._last.clear()
            self._last[number] = made
        return made

    def _read(self, number: int, opened: int, closed: int | None, at_us: int) -> Unit:
        state = self.register.state(number, at_us, self.count)
        assert state is not None, "a unit with a life has a state"
        _, tier, kind, parent, tags, synthesised, codes, name, details, _ = state
        successors = ""
        if closed is not None:
            after = self.register.state(number, closed, self.count)
            assert after is not None
            successors = after[9]
        more = read_details(details)
        code, *aliases = codes.split(BETWEEN_CODES)
        return Unit(
            number=number,
            code=code,
            name=name,
            tier=tier,
            kind=self.words.kind_names[kind],
            parent=parent or None,
            aliases=tuple(aliases),
            tags=self.words.tags_of[tags],
            valid_from=opened,
            valid_to=closed,
            successors=tuple(map(int, filter(None, successors.split(",")))),
            code_synthesised=synthesised,
            contact=more.contact,
            delivery=more.delivery,
        )

    def units(self, at_us: int | None = None) -> Iterator[Unit]:
        """Yield all units in their last state, or those open at an instant as they stood."""
        numbers = (
            self.register.numbers()
            if at_us is None
            else self.register.open_numbers(at_us, self.count)
        )
        for number in numbers:
            unit = self.unit(number, at_us)
            if unit is not None:
                yield unit

    def find(self, code: str, at_us: int) -> int:
        """Return the number of the unit open under a (normal) code, or 0."""
        return self.register.find(code, at_us, self.count)

    def bearers(self, code: str) -> list[Unit]:
        """Return every unit that ever bore this (normal) code, the earliest first."""
        numbers = (one for one in self.register.bearers(code) if self._bore(one, code))
        found = map(self.unit, numbers)
        return sorted((unit for unit in found if unit is not None), key=lambda u: u.valid_from)

    def _bore(self, number: int, code: str) -> bool:
        """Say whether a code was a unit's by what is known: the register knows later codes too."""
        return any(
            fact[0] < self.count and code in fact[8].get(FACT_CODES, "").split(BETWEEN_CODES)
            for fact in self.register.history(number)
        )

    def holder(self, number: int, at_us: int) -> int:
        """Follow default successors from a closed unit to the one open at that instant.

        Where the chain ends in a closed unit, that last one is returned.
        """
        for _ in range(_CHAIN_MAX):
            life = self.life(number)
            if life is None or life[1] is None or at_us < life[1]:
                return number
            unit = self.unit(number)
            if unit is None or not unit.successors:
                return number
            number = unit.successors[0]
        return number

    def successors(self, number: int, at_us: int) -> tuple[int, ...]:
        """Return the units that succeed a unit at an instant, the default first.

        An open unit succeeds itself; closed ones are followed through all their
        successors.  Empty when nobody is known.
        """
        found: dict[int, None] = {}
        seen: set[int] = set()
        waiting = [number]
        while waiting:
            one = waiting.pop()
            unit = None if one in seen else self.unit(one)
            seen.add(one)
            if unit is None:
                continue
            if unit.valid_to is None or at_us < unit.valid_to:
                found[one] = None
            else:
                waiting += reversed(unit.successors)
        return tuple(found)

    def predecessors(self, number: int) -> tuple[int, ...]:
        """Return the units that end with this one among their successors."""
        formers = self.words.led_here.get(number, ())
        return tuple(
            former
            for former in dict.fromkeys(formers)
            if (unit := self.unit(former)) is not None and number in unit.successors
        )

    def addresses(self, number: int, at_us: int) -> tuple[int, ...]:
        """Return the unit itself and every closed unit whose documents it answers for."""
        found = {number: None}
        waiting = [number]
        led_here = self.words.led_here
        for heir in waiting:
            for former in led_here.get(heir, ()):
                if former in found:
                    continue
                unit = self.unit(former)
                if unit is None or unit.valid_to is None or unit.valid_to > at_us:
                    continue
                if unit.successors and unit.successors[0] == heir:
                    found[former] = None
                    waiting.append(former)
        return tuple(found)

    def absent(self, code: str, at_us: int, *, role: str) -> RecipientError:
        """Word why no unit with this code is open: unknown, closed (who succeeds), not yet.

        `role` is `recipient` or `sender`, the first half of the error's code.
        """
        known = self.bearers(code)
        given_up = [(day, unit) for unit in known if (day := self._given_up(unit, code, at_us))]
        if given_up:
            day, last = max(given_up, key=lambda found: found[0])
            heirs = [self.unit(heir, at_us) for heir in self.successors(last.number, at_us)]
            return RecipientError(
                f"{role}.closed",
                unit=code,
                closed_at=day_of(day),
                successor=", ".join(heir.code for heir in heirs if heir) or NO_SUCCESSOR,
            )
        if known:
            opens = self._taken_up(known[0], code)
            return RecipientError(f"{role}.not_yet_open", unit=code, opens_at=day_of(opens))
        return RecipientError(f"{role}.unknown", unit=code)

    def bears(self, bearer: Unit, code: str, during: Unit) -> bool:
        """Say whether a unit bears a code at any instant of another one's life."""
        start, stop = during.valid_from, during.valid_to or FOR_GOOD
        end = bearer.valid_to or FOR_GOOD
        return any(
            max(since, start) < min(until, stop, end)
            for since, until in self._spans(bearer.number, code)
        )

    def _given_up(self, unit: Unit, code: str, at_us: int) -> int:
        """Return when a unit gave this code up at or before an instant, or 0."""
        if unit.valid_to is not None and unit.valid_to <= at_us:
            return unit.valid_to
        spans = [span for span in self._spans(unit.number, code) if span[0] <= at_us]
        return max((stop for _, stop in spans if stop <= at_us), default=0)

    def _taken_up(self, unit: Unit, code: str) -> int:
        return min((start for start, _ in self._spans(unit.number, code)), default=unit.valid_from)

    def _spans(self, number: int, code: str) -> list[tuple[int, int]]:
        """Return the intervals in which a unit bears a code, cut where codes change."""
        facts = [f for f in self.register.history(number) if f[3] & FACT_CODES]
        edges = sorted({edge for f in facts if f[0] < self.count for edge in (f[1], f[2])})
        spans = []
        for start, stop in itertools.pairwise(edges):
            state = self.register.state(number, start, self.count)
            if state is not None and code in state[6].split(BETWEEN_CODES):
                spans.append((start, stop))
        return spans


def day_of(instant_us: int) -> str:
    """Return the day of an instant in Vietnam time, ISO 8601."""
    return datetime_of(instant_us).date().isoformat()
