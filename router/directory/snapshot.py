"""Snapshot: the directory valid at one instant, compiled and numbered.

It is immutable.  Positions are those of its `Hierarchy`; stable numbers, kinds and tiers
mean the same in every snapshot, so topics and subscriptions can be compared across them.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from datetime import date

from router._core import Audience, Hierarchy
from router.directory.table import Table
from router.errors import RecipientError
from router.model.instants import datetime_of
from router.model.reorganisations import GroupDefined
from router.model.units import TIER_NUMBERS, Unit

TOPIC_BYTES = 7
_TOPIC = struct.Struct(">IBH")
NO_SUCCESSOR = "–"


def pack_topic(ancestor: int, tier: int, kind: int) -> bytes:
    """Return a topic as 7 bytes: ancestor's number u32, tier u8, kind u16, big-endian."""
    return _TOPIC.pack(ancestor, tier, kind)


class Snapshot:
    """The units open from `valid_from` (until `valid_to`), as known at `sequence`.

    (`sequence`, `valid_from`) names it for ever: the same log gives the same positions.
    It is the `Lookup` that `router.selectors` compiles against.
    """

    def __init__(
        self,
        sequence: int,
        valid_from: int,
        valid_to: int | None,
        units: Mapping[int, Unit],
        table: Table,
    ) -> None:
        """Compile `units` (all of them open throughout); `table` words errors of others."""
        self.sequence = sequence
        self.valid_from = valid_from
        self.valid_to = valid_to
        self.kinds = dict(table.kinds)
        self._table = table
        self._units = units
        kinds = self.kinds
        self.hierarchy = Hierarchy(
            [
                (unit.number, unit.tier, kinds[unit.kind], unit.parent or 0)
                for unit in units.values()
            ]
        )
        position = self.hierarchy.position
        self._positions: dict[str, int] = {}
        for unit in units.values():
            place = position(unit.number)
            self._positions[unit.code] = place
            for alias in unit.aliases:
                self._positions[alias] = place

    @property
    def identity(self) -> tuple[int, int]:
        """The pair (directory sequence, start of validity) that names this snapshot."""
        return self.sequence, self.valid_from

    def holds(self, at_us: int) -> bool:
        """Say whether an instant lies in the interval of this snapshot."""
        return self.valid_from <= at_us and (self.valid_to is None or at_us < self.valid_to)

    def __len__(self) -> int:
        return self.hierarchy.size

    def position_of(self, code: str) -> int:
        """Return the position of the unit bearing a code (in its normal form).

        Raises RecipientError `recipient.unknown`, `.closed` (day in +07:00, successor) or
        `.not_yet_open`.
        """
        position = self._positions.get(code)
        if position is None:
            raise absent(self._table, code, self.valid_from, role="recipient")
        return position

    def tier_of(self, name: str) -> int:
        """Return the number of a tier by its word, or -1."""
        return TIER_NUMBERS.get(name, -1)

    def kind_of(self, name: str) -> int:
        """Return the number of a kind by its name, or -1 when no unit ever was of it."""
        return self.kinds.get(name, -1)

    def tagged(self, tag: str) -> Audience:
        """Return the units that bear a tag; raise KeyError when none does."""
        found = [self._positions[unit.code] for unit in self._units.values() if tag in unit.tags]
        if not found:
            raise KeyError(tag)
        return Audience.from_positions(found)

    def group_of(self, name: str) -> GroupDefined | None:  # noqa: ARG002 - none are kept yet
        """Return what a group means here: this directory keeps none."""
        return None

    def unit_at(self, position: int) -> Unit:
        """Return the unit at a position."""
        return self._units[self.hierarchy.number(position)]

    def units_of(self, audience: Audience) -> list[Unit]:
        """Return an audience's units in ascending order of their stable numbers."""
        return [self._units[number] for number in self.hierarchy.numbers(audience)]

    def topics_bytes(self, audience: Audience) -> tuple[bytes, ...]:
        """Return the topics under which an audience's entry is found, packed."""
        return tuple(_TOPIC.pack(*topic) for topic in self.hierarchy.topics(audience))

    def subscriptions_bytes(self, position: int) -> tuple[bytes, ...]:
        """Return the topics that the inbox of the unit at a position reads, packed."""
        return tuple(_TOPIC.pack(*topic) for topic in self.hierarchy.subscriptions(position))


def day_of(instant_us: int) -> str:
    """Return the day of an instant in Vietnam time, ISO 8601."""
    day: date = datetime_of(instant_us).date()
    return day.isoformat()


def absent(table: Table, code: str, at_us: int, *, role: str) -> RecipientError:
    """Word why no unit with this code is open: unknown, closed (by whom succeeded), not yet.

    `role` is `recipient` or `sender`, the first half of the error's code.
    """
    known = table.bearers_of(code)
    closed = [unit for unit in known if unit.valid_to is not None and unit.valid_to <= at_us]
    if closed:
        last = max(closed, key=lambda unit: unit.valid_to or 0)
        return RecipientError(
            f"{role}.closed",
            unit=code,
            closed_at=day_of(last.valid_to or 0),
            successor=_heirs(table, last, at_us),
        )
    if known:
        return RecipientError(
            f"{role}.not_yet_open", unit=code, opens_at=day_of(known[0].valid_from)
        )
    return RecipientError(f"{role}.unknown", unit=code)


def _heirs(table: Table, closed: Unit, at_us: int) -> str:
    """Name the successors that are open (through chains of closures), the default first."""
    holders = dict.fromkeys(table.holder(heir, at_us) for heir in closed.successors)
    return ", ".join(table.units[number].code for number in holders) or NO_SUCCESSOR
