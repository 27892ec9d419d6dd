"""What a change of the directory would do: looked at on copies, before anything is written."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from router import limits
from router._core import OP_ALL, OP_PARENT, Program
from router.directory import Directory, Resolution, ResolveItem, decode_change
from router.engine.access import Coverage
from router.engine.administration_directory import ListPreview, planned_changes
from router.engine.state import Rooms
from router.errors import ConflictError, NotFoundError, VanbanError
from router.model.impact import Impact, ImpactEnding, ImpactGroup, ImpactSelector, ImpactUnit
from router.model.instants import show_instant
from router.model.reorganisations import Correction, DirectoryChange, GroupDefined, Reorganisation
from router.ports import Clock
from router.queue import Queue
from router.selectors import CodeNode, parse, walk

_EMPTY = ("group.empty", "audience.empty")


class ImpactMaker:
    """Makes reports; reads only."""

    def __init__(self, rooms: Rooms, queue: Queue, clock: Clock) -> None:
        self._rooms = rooms
        self._queue = queue
        self._clock = clock

    def of(self, changes: DirectoryChange | Sequence[DirectoryChange] | ListPreview) -> Impact:
        """Return the report.  Raises what the change itself would raise."""
        now_us = self._clock.now_us()
        # All on copies: nobody who changes the directory, or accepts a document, waits for it.
        before = self._rooms.directory.rehearsed(())
        if isinstance(changes, ListPreview):
            if changes.sequence != before.sequence:
                raise ConflictError("import.changed", path="confirm")
            bodies = [decode_change(body) for body in changes.bodies]
        else:
            bodies = planned_changes(before, changes)
        after = before.rehearsed(bodies)
        report = _Report(before, after, max(_instant_of(changes), now_us))
        groups = report.groups()
        changed = [group for group in groups if group.changed]
        selectors = report.selectors(self._standing_rights(now_us), groups)
        endings = self._endings(report, now_us)
        alone = [ending.unit for ending in endings if ending.to is None]
        listed = limits.IMPACT_LISTED_MAX
        return Impact(
            title=_title_of(changes),
            at=show_instant(report.at_us),
            units_before=len(report.open_before),
            units_after=len(report.open_after),
            begin=len(report.open_after - report.open_before),
            end=len(report.ending),
            groups=tuple(sorted(groups, key=lambda group: not group.changed)[:listed]),
            groups_total=len(groups),
            groups_changed=len(changed),
            selectors=tuple(selectors[:listed]),
            selectors_total=len(selectors),
            endings=tuple(endings[:listed]),
            queued=sum(one.queued for one in endings),
            leased=sum(one.leased for one in endings),
            counted_all=not any(one.more for one in endings),
            without_successor=tuple(alone[:listed]),
            without_successor_total=len(alone),
            tokens=sum(one.tokens for one in endings),
            certificates=sum(one.certificates for one in endings),
            rights=sum(one.rights for one in endings),
        )

    def _standing_rights(self, now_us: int) -> Iterable[tuple[str, str, int | None]]:
        """Yield (name, selector, unit) of the rights that have not ended."""
        for right in self._rooms.rights.all():
            if right.until is None or right.until > now_us:
                yield f"{right.id}", right.selector, right.unit

    def _endings(self, report: _Report, now_us: int) -> list[ImpactEnding]:
        """Return the units that end: nobody succeeds them first, then by open deliveries."""
        tokens = dict.fromkeys(report.ending, 0)
        for made in self._rooms.tokens.all(now_us):
            if made.unit in tokens:
                tokens[made.unit] += 1
        rights = dict.fromkeys(report.ending, 0)
        for right in self._rooms.rights.all():
            if right.unit in rights:
                rights[right.unit] += 1
        certificates = self._rooms.trust.bound_counts(report.ending, report.at_us)
        left = limits.IMPACT_ENTRIES_MAX
        endings = []
        for number in sorted(report.ending):
            addresses = report.before.addresses(number, report.at_us)
            queued, leased, looked, more = self._open(addresses, now_us, left)
            left -= looked
            endings.append(
                ImpactEnding(
                    unit=report.named(number),
                    to=report.answers(number),
                    queued=queued,
                    leased=leased,
                    more=more,
                    tokens=tokens[number],
                    certificates=certificates[number],
                    rights=rights[number],
                )
            )
        return sorted(
            endings, key=lambda one: (one.to is not None, -one.queued - one.leased, one.unit.code)
        )

    def _open(self, addresses: Sequence[int], now_us: int, left: int) -> tuple[int, int, int, bool]:
        """Return (queued, leased, looked, more) of all addresses together."""
        queued = leased = looked = 0
        more = False
        left = min(left, limits.IMPACT_ENTRIES_PER_UNIT_MAX)
        for address in addresses:
            found = self._queue.open_count(
                address,
                self._rooms.subscriptions(address),
                self._rooms.places(address),
                now_us,
                looked_max=left - looked,
            )
            queued += found.queued
            leased += found.leased
            looked += found.queued + found.leased
            more = more or found.more
        return queued, leased, looked, more


_SENDERS = frozenset({"selector.no_sender"})
_PARENTS = Program([(OP_ALL, 0, 0), (OP_PARENT, 0, 0)])
"""All units with others below them: those who have somebody to send to as a group."""


class _Report:
    """Two directories, without and with the change, at one instant."""

    def __init__(self, before: Directory, after: Directory, at_us: int) -> None:
        self.before, self.after, self.at_us = before, after, at_us
        self.open_before, self.open_after = (
            set(one.hierarchy.numbers(one.hierarchy.everything()))
            for one in (before.snapshot(at_us), after.snapshot(at_us))
        )
        self.ending = self.open_before - self.open_after

    def named(self, number: int) -> ImpactUnit:
        """Return how a unit is named: as it stands before, else after."""
        known = self.before if number in self.open_before else self.after
        unit = known.unit(number, self.at_us)
        return ImpactUnit(unit.code, unit.name)

    def answers(self, number: int) -> ImpactUnit | None:
        """Return who answers for a unit afterwards, None when nobody is known."""
        try:
            holder = self.after.holder(number, self.at_us)
        except NotFoundError:  # a correction says that the unit never was
            return None
        return self.named(holder) if holder in self.open_after else None

    def groups(self) -> list[ImpactGroup]:
        """Compare every named group, in order of name."""
        names = sorted({*self.before.groups_at(self.at_us), *self.after.groups_at(self.at_us)})
        items = [ResolveItem(f'group("{name}")', self.at_us) for name in names]
        pairs = zip(self.before.resolve_batch(items), self.after.resolve_batch(items), strict=True)
        found = [self._group(name, *pair) for name, pair in zip(names, pairs, strict=True)]
        left = limits.IMPACT_SENDERS_MAX
        for place, group in enumerate(found):
            if _SENDERS & {group.error, group.error_before}:
                found[place], left = self._by_sender(group, left)
        return found

    def _by_sender(self, group: ImpactGroup, left: int) -> tuple[ImpactGroup, int]:
        """Count for how many senders a group means somebody, if so many may still be asked."""
        counts = []
        for directory in (self.before, self.after):
            hierarchy = directory.snapshot(self.at_us).hierarchy
            senders = [
                hierarchy.number(position) for position in hierarchy.evaluate(_PARENTS).positions()
            ]
            left -= len(senders)
            if left < 0:
                return group, 0
            text = f'group("{group.name}")'
            items = [ResolveItem(text, self.at_us, sender=sender) for sender in senders]
            answers = directory.resolve_batch(items)
            counts.append(sum(isinstance(answer, Resolution) for answer in answers))
        before, after = counts
        return msgspec.structs.replace(
            group,
            senders_before=before,
            senders_after=after,
            changed=group.changed or before != after,
            became_empty=before > 0 and after == 0,
        ), left

    def _group(
        self, name: str, old: Resolution | VanbanError, new: Resolution | VanbanError
    ) -> ImpactGroup:
        before, after = _members(old), _members(new)
        joins, leaves = after - before, before - after
        listed = limits.IMPACT_LISTED_MAX
        error, error_before = _error_of(new), _error_of(old)
        return ImpactGroup(
            name=name,
            before=_size(old),
            after=_size(new),
            changed=bool(joins or leaves or error != error_before),
            joined=len(joins),
            left=len(leaves),
            joins=tuple(self.named(number) for number in sorted(joins)[:listed]),
            leaves=tuple(self.named(number) for number in sorted(leaves)[:listed]),
            became_empty=bool(before) and not after and error in _EMPTY,
            error_before=error_before,
            error=error,
        )

    def selectors(
        self,
        rights: Iterable[tuple[str, str, int | None]],
        compared: Sequence[ImpactGroup],
    ) -> list[ImpactSelector]:
        """Return the standing selectors that the change would break, empty or leave behind."""
        found = []
        coverages = Coverage(self.before), Coverage(self.after)
        for name, selector, unit in rights:
            errors = [self._right_error(one, selector, unit) for one in coverages]
            found.append(self._selector("right", name, selector, errors))
        groups = self.after.groups_at(self.at_us)
        for group in compared:
            if group.name in groups:
                errors = [group.error_before, group.error]
                text = groups[group.name].selector
                found.append(self._selector("group", group.name, text, errors))
        return [one for one in found if one.error or one.became_empty or one.closed]

    def _right_error(self, coverage: Coverage, selector: str, unit: int | None) -> str:
        try:
            coverage.reach(selector, self.at_us, unit)
        except VanbanError as error:
            return error.code
        return ""

    def _selector(
        self, what: str, name: str, selector: str, errors: Sequence[str]
    ) -> ImpactSelector:
        """Return what becomes of one selector; errors that were there before are not news."""
        old, new = errors
        error = new if new != old else ""
        empty = error in _EMPTY
        return ImpactSelector(
            what, name, selector, "" if empty else error, empty, self._closing_codes(selector)
        )

    def _closing_codes(self, selector: str) -> tuple[str, ...]:
        """Return the codes a selector names whose units end by the change."""
        try:
            codes = {node.code for node, _ in walk(parse(selector)) if isinstance(node, CodeNode)}
        except VanbanError:
            return ()
        ends = []
        for code in sorted(codes):
            unit = self.before.find(code, self.at_us)
            if unit is not None and unit.number in self.ending:
                ends.append(code)
        return tuple(ends[: limits.IMPACT_LISTED_MAX])


def _instant_of(changes: DirectoryChange | Sequence[DirectoryChange] | ListPreview) -> int:
    """Return when a change takes effect; of several, when the last one does."""
    match changes:
        case ListPreview():
            return changes.at_us
        case Reorganisation():
            return changes.at
        case GroupDefined():
            return changes.since
        case Correction():
            return 0
        case _:
            return max((_instant_of(change) for change in changes), default=0)


def _title_of(changes: DirectoryChange | Sequence[DirectoryChange] | ListPreview) -> str:
    match changes:
        case ListPreview():
            return ""
        case Reorganisation() | Correction() | GroupDefined():
            return changes.title
        case _:
            return "; ".join(dict.fromkeys(one.title for one in changes if one.title))


def _members(answer: Resolution | VanbanError) -> set[int]:
    if isinstance(answer, VanbanError):
        return set()
    return set(answer.snapshot.hierarchy.numbers(answer.audience))


def _size(answer: Resolution | VanbanError) -> int:
    if isinstance(answer, VanbanError):
        return 0 if answer.code in _EMPTY else -1
    return answer.audience.size


def _error_of(answer: Resolution | VanbanError) -> str:
    return answer.code if isinstance(answer, VanbanError) else ""
