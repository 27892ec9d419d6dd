"""Who may do what for which unit: the one place where rights are asked.

Everybody: a unit looks at its own documents and at those of every unit it answers for today
(a default successor reads what its predecessors had), asks whom a selector means, and looks
units up.  An operator may do everything, unless its token was made with rights: then only
what these say.  Rights come on top.

A right covers a unit that its selector selects in the directory valid now, and a unit for
which such a one answers now: a province's rights hold for the past of communes that were
merged since.  A closed unit named by its code, alone or in a list, is itself; in any other
place a selector names the past with “@”.  A selector that has come to mean nobody, or that
names what is no more, grants nothing.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from struct import Struct

import msgspec

from router import limits
from router._core import Audience
from router.directory import Change, Directory, FactsLearnt, Snapshot
from router.engine.rights import Rights
from router.errors import ForbiddenError, NotFoundError, RecipientError, VanbanError
from router.model.answers import Principal
from router.model.instants import show_instant
from router.model.reorganisations import GroupDefined
from router.model.rights import DIRECTORY, GROUP, READ, RESOLVE, Right
from router.model.units import normal_code
from router.selectors import (
    AtNode,
    CodeNode,
    Node,
    UnionNode,
    compile_selector,
    instant_of_selector,
    parse,
)

_audit = logging.getLogger("router.audit")
_NUMBER, _INSTANT = Struct("<I"), Struct("<q")
Reader = Callable[[int], bool]
"""Says whether somebody may see the documents of a unit (stable number)."""
EVERY_UNIT = "*"


class Reach(msgspec.Struct, frozen=True):
    """What a selector covers: an audience in its snapshot, and closed units it names."""

    snapshot: Snapshot
    audience: Audience
    named: frozenset[int] = frozenset()

    def holds(self, number: int) -> bool:
        """Say whether a unit, by its stable number, is among them."""
        if number in self.named:
            return True
        position = self.snapshot.hierarchy.position(number)
        return position >= 0 and position in self.audience

    def __len__(self) -> int:
        return self.audience.size + len(self.named)


class Coverage:
    """Selectors of rights over one directory, as known; remembers what they came to."""

    def __init__(self, directory: Directory) -> None:
        self.directory = directory
        self._reaches: dict[tuple[str, int, tuple[int, int]], Reach] = {}

    def reach(self, selector: str, at_us: int, sender: int | None = None) -> Reach:
        """Return what a selector covers at an instant; `sender` is the unit that holds it.

        Raises RecipientError: what the language raises, and `audience.empty`.
        """
        snapshot = self.directory.snapshot(at_us)
        key = (selector, sender or 0, snapshot.identity)
        found = self._reaches.get(key)
        if found is None:
            found = self._evaluate(selector, at_us, sender)
            if len(self._reaches) >= limits.RIGHTS_REMEMBERED_MAX:
                self._reaches.clear()
            self._reaches[key] = found
        return found

    def _evaluate(self, selector: str, at_us: int, sender: int | None) -> Reach:
        node = parse(selector)
        at = instant_of_selector(node)
        if at is not None and at > at_us:
            raise RecipientError("selector.future", at=show_instant(at))
        when = at_us if at is None else at
        snapshot = self.directory.snapshot(when)
        rest, named = self._closed(node.of if isinstance(node, AtNode) else node, when)
        audience = Audience()
        if rest is not None:
            position = -1 if sender is None else snapshot.hierarchy.position(sender)
            place = None if position < 0 else position
            compiled = compile_selector(rest, snapshot, sender=place)
            audience = snapshot.hierarchy.evaluate(compiled.program)
        if not audience and not named:
            raise RecipientError("audience.empty")
        return Reach(snapshot, audience, named)

    def _closed(self, node: Node, at_us: int) -> tuple[Node | None, frozenset[int]]:
        """Take closed units out of a list of codes; return what is left, and their numbers."""
        parts = node.parts if isinstance(node, UnionNode) else (node,)
        left: list[Node] = []
        named: set[int] = set()
        for part in parts:
            closed = self._closed_bearer(part, at_us)
            if closed:
                named.add(closed)
            else:
                left.append(part)
        if not named:
            return node, frozenset()
        rest = UnionNode(tuple(left), node.position) if len(left) > 1 else None
        return rest or (left[0] if left else None), frozenset(named)

    def _closed_bearer(self, part: Node, at_us: int) -> int:
        if not isinstance(part, CodeNode):
            return 0
        code = normal_code(part.code)
        if self.directory.find(code, at_us) is not None:
            return 0
        known = self.directory.bearers(code)
        ended = [one.number for one in known if one.valid_to is not None and one.valid_to <= at_us]
        return ended[-1] if ended else 0

    def reaches(self, rights: Iterable[Right], at_us: int) -> Iterator[Reach]:
        """Yield what rights cover at an instant; one whose selector is bad covers nobody."""
        for right in rights:
            try:
                yield self.reach(right.selector, at_us, right.unit)
            except VanbanError:
                continue

    def covers(self, rights: Sequence[Right], number: int, at_us: int) -> bool:
        """Say whether rights cover a unit, or the one that answers for it at the instant."""
        try:
            holder = self.directory.holder(number, at_us)
        except NotFoundError:  # a correction says that there never was such a unit
            return False
        return any(
            reach.holds(number) or reach.holds(holder) for reach in self.reaches(rights, at_us)
        )


class Access:
    """Asks for one engine; thread-safe.  `by` None is the embedding host: it may everything."""

    def __init__(self, directory: Directory, rights: Rights) -> None:
        self._directory = directory
        self._rights = rights
        self.coverage = Coverage(directory)

    def everything(self, by: Principal | None) -> bool:
        """Say whether somebody is bound by no rights."""
        return by is None or (by.operator and not by.limited)

    def rights_of(self, by: Principal, action: str, now_us: int) -> list[Right]:
        """Return the rights to an action that somebody has now ("": to any action).

        A unit that is not open has none: they end with it, whether or not a successor is known.
        """
        unit = by.unit
        try:
            if unit is not None and not self._directory.unit(unit, now_us).open_at(now_us):
                unit = None
        except NotFoundError:
            unit = None
        found = self._rights.of(unit, by.token, now_us)
        return [right for right in found if not action or action in right.actions]

    def may(self, by: Principal | None, action: str, number: int, now_us: int) -> bool:
        """Say whether somebody may do that for a unit (stable number)."""
        if by is None or self.everything(by):
            return True
        return self.coverage.covers(self.rights_of(by, action, now_us), number, now_us)

    def reader(self, by: Principal | None, now_us: int) -> Reader:
        """Return who may see which units' documents: its own, its predecessors', granted ones."""

        def may_read(address: int) -> bool:
            unit = None if by is None else by.unit
            with contextlib.suppress(NotFoundError):  # withdrawn: it is nobody's
                if unit is not None and unit == self._directory.holder(address, now_us):
                    return True
            return self.may(by, READ, address, now_us)

        return may_read

    def require(
        self, by: Principal | None, action: str, numbers: Iterable[int], now_us: int
    ) -> None:
        """Raise ForbiddenError `right.missing` naming the first unit that is not covered."""
        for number in numbers:
            if not self.may(by, action, number, now_us):
                raise self._missing(by, action, self._directory.unit(number).code)

    def require_everything(self, by: Principal | None, action: str) -> None:
        """Raise ForbiddenError `right.missing` for who is bound by rights."""
        if not self.everything(by):
            raise self._missing(by, action, EVERY_UNIT)

    def require_whole(self, by: Principal | None, action: str, now_us: int) -> None:
        """Raise ForbiddenError `right.missing` for whose rights leave out any open unit."""
        if by is None or self.everything(by):
            return
        snapshot = self._directory.snapshot(now_us)
        left = snapshot.hierarchy.everything()
        for reach in self.coverage.reaches(self.rights_of(by, action, now_us), now_us):
            if reach.snapshot.identity == snapshot.identity:
                left = left - reach.audience
        if left:
            raise self._missing(by, action, EVERY_UNIT)

    def require_audience(
        self, by: Principal | None, snapshot: Snapshot, audience: Audience, now_us: int
    ) -> None:
        """Raise ForbiddenError `right.missing` when whom a selector means may not be told.

        Units may ask about everybody, as senders must.
        """
        if by is None or self.everything(by) or by.unit is not None:
            return
        rights = self.rights_of(by, RESOLVE, now_us)
        left = audience
        for reach in self.coverage.reaches(rights, now_us):
            if reach.snapshot.identity == snapshot.identity:
                left = left - reach.audience
        for number in snapshot.hierarchy.numbers(left):
            if not self.coverage.covers(rights, number, now_us):
                raise self._missing(by, RESOLVE, self._directory.unit(number).code)

    def require_change(self, by: Principal | None, bodies: Sequence[Change], now_us: int) -> None:
        """Raise ForbiddenError `right.missing` when a change goes beyond somebody's rights.

        Each unit it speaks of must be covered now, when there is such a unit, and then: what
        has become of it at the change's instant, its successors included.  A unit learnt of
        now that ended long ago must be covered when it began.  So nobody moves a unit in or
        out of what is his.
        """
        if by is None or self.everything(by):
            return
        after = Coverage(self._directory.rehearsed(bodies))
        groups = [body for body in bodies if isinstance(body, GroupDefined)]
        if not all(isinstance(body, FactsLearnt | GroupDefined) for body in bodies):
            raise self._missing(by, DIRECTORY, EVERY_UNIT)
        rights = self.rights_of(by, DIRECTORY, now_us)
        for number, since in _touched(bodies):
            at_us = max(since, now_us)
            heirs = after.directory.successors(number, at_us)
            covered = all(after.covers(rights, heir, at_us) for heir in heirs)
            if not heirs and not self._known(number):
                covered = after.covers(rights, number, after.directory.unit(number).valid_from)
            if not covered or self._beyond(rights, number, now_us):
                raise self._missing(by, DIRECTORY, after.directory.unit(number).code)
        rights = self.rights_of(by, GROUP, now_us)
        for group in groups:
            self._require_group(by, rights, group, after, now_us)

    def _beyond(self, rights: Sequence[Right], number: int, now_us: int) -> bool:
        """Say whether there is such a unit and rights do not cover it."""
        return self._known(number) and not self.coverage.covers(rights, number, now_us)

    def _known(self, number: int) -> bool:
        try:
            self._directory.unit(number)
        except NotFoundError:
            return False
        return True

    def _require_group(
        self,
        by: Principal,
        rights: Sequence[Right],
        group: GroupDefined,
        after: Coverage,
        now_us: int,
    ) -> None:
        """Hold what a group was and what it becomes against rights.

        One that was broken or empty may have meant anybody: only an operator mends it.
        """
        at_us = max(group.since, now_us)
        for coverage in (self.coverage, after):
            if group.name not in coverage.directory.groups_at(at_us):
                continue
            try:
                reach = coverage.reach(f'group("{group.name}")', at_us)
            except VanbanError:
                raise self._missing(by, GROUP, EVERY_UNIT) from None
            for number in reach.snapshot.hierarchy.numbers(reach.audience):
                if not coverage.covers(rights, number, at_us):
                    raise self._missing(by, GROUP, coverage.directory.unit(number).code)

    def _missing(self, by: Principal | None, action: str, unit: str) -> ForbiddenError:
        token = by.token if by is not None else ""
        _audit.info("denied action=%s unit=%s token=%s", action, unit, token)
        return ForbiddenError("right.missing", action=action, unit=unit)


def _touched(bodies: Sequence[Change]) -> Iterator[tuple[int, int]]:
    """Yield (stable number, since) of every fact of a change."""
    for body in bodies:
        if isinstance(body, FactsLearnt):
            numbers = chain.from_iterable(_NUMBER.iter_unpack(body.number))
            yield from zip(
                numbers, chain.from_iterable(_INSTANT.iter_unpack(body.since)), strict=True
            )
