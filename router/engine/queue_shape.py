"""How long deliveries wait, by destination: the shape of the queue, after Postfix's qshape."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator

from router.engine.state import Rooms
from router.errors import InputError
from router.limits import SHAPE_LINES_MAX, SHAPE_LINES_PER_UNIT_MAX
from router.model.instants import SECOND_US, show_instant
from router.model.operations import AGE_MINUTES, Shape, ShapeRow
from router.model.units import TIER_NAMES, Unit
from router.queue import Queue
from router.queue.listing import document_row

BY = ("unit", "parent", "tier")
_COLUMNS = len(AGE_MINUTES) + 1
_MINUTE_US = 60 * SECOND_US


class QueueShape:
    """The shape as of one instant; see `OperationsFace.queue_shape`."""

    def __init__(self, rooms: Rooms, queue: Queue, now_us: int) -> None:
        self._rooms = rooms
        self._queue = queue
        self._now_us = now_us
        self._columns: dict[int, int] = {}  # by document: broadcasts wait in many inboxes

    def shape(self, by: str, within: int | None, limit: int) -> Shape:
        """Count; list the `limit` destinations where most is open."""
        if by not in BY:
            raise InputError("field.invalid", path="$.by", reason=f"by is one of {', '.join(BY)}")
        counts: dict[tuple[str, str], list[int]] = {}
        left, complete = SHAPE_LINES_MAX, True
        for unit in self._units(within):
            if left <= 0:
                complete = False
                break
            bound = min(left, SHAPE_LINES_PER_UNIT_MAX)
            inbox = self._queue.inbox(
                unit.number, self._rooms.subscriptions(unit.number),
                self._rooms.places(unit.number), self._now_us, limit=bound,
            )  # fmt: skip
            lines = (*inbox.queued, *inbox.leased)
            if not lines:
                continue
            left -= len(lines)
            complete = complete and len(lines) < bound
            row = counts.setdefault(self._destination(unit, by), [0] * _COLUMNS)
            for line in lines:
                row[self._column(line.document)] += 1
        rows = [
            ShapeRow(code, name, sum(ages), tuple(ages)) for (code, name), ages in counts.items()
        ]
        rows.sort(key=lambda row: (-row.open, row.code))
        total = tuple(sum(row.ages[i] for row in rows) for i in range(_COLUMNS))
        return Shape(
            show_instant(self._now_us), by, AGE_MINUTES,
            ShapeRow("", "", sum(total), total), tuple(rows[:limit]), len(rows), complete,
        )  # fmt: skip

    def _units(self, within: int | None) -> Iterator[Unit]:
        """Yield the units that have inboxes: closed ones, too."""
        below = {within}
        for unit in self._rooms.directory.units():
            if within is None or unit.number in below:
                yield unit
            elif self._is_below(unit, below):
                below.add(unit.number)
                yield unit

    def _is_below(self, unit: Unit, below: set[int | None]) -> bool:
        seen = {unit.number}
        while unit.parent is not None and unit.parent not in seen:
            if unit.parent in below:
                return True
            seen.add(unit.parent)
            unit = self._rooms.directory.unit(unit.parent)
        return False

    def _destination(self, unit: Unit, by: str) -> tuple[str, str]:
        if by == "tier":
            return TIER_NAMES.get(unit.tier, str(unit.tier)), ""
        if by == "parent" and unit.parent is not None:
            unit = self._rooms.directory.unit(unit.parent)
        return unit.code, unit.name

    def _column(self, document: int) -> int:
        """Return the column of a document's age."""
        column = self._columns.get(document)
        if column is None:
            row = document_row(self._queue, document)
            age_us = 0 if row is None else max(self._now_us - row.at, 0)
            column = bisect_left(AGE_MINUTES, -(-age_us // _MINUTE_US))
            self._columns[document] = column
        return column
