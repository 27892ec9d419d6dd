"""Tries a change on a copy before it is written: the directory must be sound at every instant."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Mapping, Sequence

from router import limits
from router._register import FACT_CLOSES, FACT_OPENS, FOR_GOOD, Register
from router.directory.changes import FactsLearnt
from router.directory.known import Known, Vocabulary, day_of
from router.directory.learning import add_part
from router.errors import InputError

_CULPRIT = re.compile(r"unit (\d+)")
_IMPORT_EDGES_MAX = 64
"""Instants at which an import is tried whole; its rows were checked one by one before."""


class Trial:
    """A copy of the register with a change added; it is thrown away afterwards."""

    def __init__(
        self,
        register: Register,
        place: int,
        edges: Sequence[int],
        bodies: Sequence[FactsLearnt],
        words: Vocabulary,
    ) -> None:
        self._bodies = bodies
        if not bodies:
            return
        self._register = register.copy()
        self._words = words.copy()
        instants: set[int] = set()
        for part in bodies:
            instants |= add_part(self._register, self._words, place, part)
        first = min(instants, default=0)
        self._edges = sorted(instants.union(edges[bisect_left(edges, first) :]))
        self._known = Known(self._register, self._words, place + 1)

    def check(self, places: Mapping[int, str]) -> None:
        """Raise InputError `directory.invalid` for the first fault at any instant.

        `places` leads from a unit's number to the path of what the change says of it.
        """
        if not self._bodies:
            return
        words = self._words
        if len(words.kind_names) - 1 > limits.KINDS_MAX:
            raise _invalid("kind", f"over {limits.KINDS_MAX} kinds of units")
        if len(words.tags_of) - 1 > limits.TAG_SETS_MAX:
            raise _invalid("tags", f"over {limits.TAG_SETS_MAX} different sets of tags")
        edges = self._edges
        if self._bodies[0].form == "import" and len(edges) > _IMPORT_EDGES_MAX:
            step = len(edges) // _IMPORT_EDGES_MAX + 1
            edges = sorted({*edges[::step], edges[-1], *self._edges_above(places)})
        for edge in edges:
            self._check_at(edge, places)
        for number, path in places.items():
            self._check_life(number, path)
            self._check_succession(number, path)

    def _edges_above(self, places: Mapping[int, str]) -> set[int]:
        """Return when units known before, that new ones lie below, become something else.

        The rows of an import were checked against what those were as the new ones began.
        """
        found: set[int] = set()
        seen: set[int] = set()
        for number in places:
            for above in {fact[6] for fact in self._register.history(number)} - {0} - seen:
                seen.add(above)
                if above not in places:
                    for one in {above, *self._register.lineage(above)[1]}:
                        for fact in self._register.history(one)[1:]:
                            found.update(edge for edge in fact[1:3] if edge != FOR_GOOD)
        return found

    def _check_at(self, edge: int, places: Mapping[int, str]) -> None:
        fault = self._register.faults(edge, self._known.count)
        if fault is not None:
            raise self._worded(*fault, edge, places)
        try:
            self._register.compile(edge, self._known.count)
        except ValueError as error:
            found = _CULPRIT.search(str(error))
            number = int(found.group(1)) if found else 0
            path = places.get(number) or next(iter(places.values()), "")
            depth = limits.HIERARCHY_DEPTH_MAX
            reason = f"{self._name(number)} hangs below itself or deeper than {depth}"
            raise _invalid(f"{path}.parent", f"{reason} on {day_of(edge)}") from None

    def _worded(
        self, what: str, number: int, other: int, edge: int, places: Mapping[int, str]
    ) -> InputError:
        mine = places.get(number)
        path = mine or places.get(other) or ""
        name, above = self._name(number), self._name(other)
        day = day_of(edge)
        if what == "parent" and mine is None:
            return _invalid(f"{path}.unit", f"{name} below {above} is open on {day}; "
                            "close or move it first")  # fmt: skip
        if what == "parent":
            return _invalid(f"{path}.parent", f"its parent {above} is not open on {day}")
        if what == "tier":
            reason = f"the tier of {name} stands above its parent's, {above}, on {day}"
            return _invalid(f"{path}.tier", reason)
        reason = f"{name} and {above} bear one code at one time, on {day}"
        return _invalid(f"{path}.code", reason)

    def _check_life(self, number: int, path: str) -> None:
        """Refuse a unit that would come back after its end: a life is one interval."""
        facts = self._register.history(number)
        if len(facts) > limits.UNIT_FACTS_MAX:
            raise _invalid(path, f"over {limits.UNIT_FACTS_MAX} facts about one unit")
        if sum(1 for fact in facts if fact[3] & (FACT_OPENS | FACT_CLOSES)) < 2:
            return
        life = self._known.life(number)
        if life is None or life[1] is None:
            return
        edges = {edge for fact in facts for edge in (fact[1], fact[2])}
        for edge in edges:
            state = edge > life[1] and self._register.state(number, edge, self._known.count)
            if state and state[0]:
                name = self._name(number)
                raise _invalid(path, f"{name} would be open again on {day_of(edge)}")

    def _check_succession(self, number: int, path: str) -> None:
        """Refuse a successor that is not open when whom it succeeds ends."""
        for former in (number, *self._known.predecessors(number)):
            unit = self._known.unit(former)
            if unit is None or unit.valid_to is None:
                continue
            for heir in unit.successors:
                life = self._known.life(heir)
                if life is None or not life[0] <= unit.valid_to or (
                    life[1] is not None and life[1] <= unit.valid_to
                ):  # fmt: skip
                    reason = f"{self._name(heir)} succeeds {unit.code} on {day_of(unit.valid_to)}"
                    raise _invalid(f"{path}.successors", f"{reason} but is not open then")

    def _name(self, number: int) -> str:
        unit = self._known.unit(number)
        return unit.code if unit is not None else str(number)


def _invalid(path: str, reason: str) -> InputError:
    return InputError("directory.invalid", path=path.strip("."), reason=reason)
