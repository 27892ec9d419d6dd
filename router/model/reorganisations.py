"""Changes of the directory as data: reorganisations, corrections, groups.

A **reorganisation** (sắp xếp đơn vị) happens at an instant: what was true before stays
true of the time before.  A **correction** mends what was known wrongly, for the time it
names; nothing happened in the world.  Both are kept for ever with the title of the act
they rest on (Nghị quyết, Quyết định).
"""

from __future__ import annotations

import msgspec

from router.model.units import Contact, DeliverySettings, Unit

Reference = int | str
"""A unit by stable number, or by any of its codes.

A code names its bearer just before the reorganisation where a unit ends or changes, and
its bearer from the instant on where a unit is a parent or a successor: the same code may
mean two units on the two sides of that instant (GSO codes of 1 July 2025 do).
"""


class Opening(msgspec.Struct, frozen=True, tag="open", forbid_unknown_fields=True):
    """A unit begins.  Its number may be 0: the next free one is given."""

    unit: Unit
    parent: Reference | None = None
    """The parent, when it is named by code (else `unit.parent`)."""


class Changing(
    msgspec.Struct, frozen=True, tag="change", forbid_unknown_fields=True, omit_defaults=True
):
    """A unit goes on with other properties: renamed (đổi tên), moved, of another kind.

    What is left out stays as it is; `parent` null makes it a root.
    """

    unit: Reference
    name: str | msgspec.UnsetType = msgspec.UNSET
    parent: Reference | msgspec.UnsetType | None = msgspec.UNSET
    tier: int | msgspec.UnsetType = msgspec.UNSET
    kind: str | msgspec.UnsetType = msgspec.UNSET
    code: str | msgspec.UnsetType = msgspec.UNSET
    aliases: tuple[str, ...] | msgspec.UnsetType = msgspec.UNSET
    tags: tuple[str, ...] | msgspec.UnsetType = msgspec.UNSET
    contact: Contact | msgspec.UnsetType | None = msgspec.UNSET
    delivery: DeliverySettings | msgspec.UnsetType | None = msgspec.UNSET


class Merging(msgspec.Struct, frozen=True, tag="merge", forbid_unknown_fields=True):
    """Units end and one unit succeeds them all (nhập)."""

    units: tuple[Reference, ...]
    into: Reference


class Splitting(msgspec.Struct, frozen=True, tag="split", forbid_unknown_fields=True):
    """A unit ends and several succeed it (chia, tách); the first is the default successor."""

    unit: Reference
    into: tuple[Reference, ...]


class Closing(msgspec.Struct, frozen=True, tag="close", forbid_unknown_fields=True):
    """A unit ends (giải thể).  Without successors they are unknown, and a person is asked."""

    unit: Reference
    successors: tuple[Reference, ...] = ()


Event = Opening | Changing | Merging | Splitting | Closing


class Reorganisation(msgspec.Struct, frozen=True, tag="reorganisation", forbid_unknown_fields=True):
    """Events that all take effect at the instant `at` (microseconds), or none of them."""

    at: int
    title: str
    events: tuple[Event, ...]


class Fix(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What is known wrongly of one unit, from `since` (its birth) until `until` (for good).

    `number` is the stable number.  `opened_at`, `closed_at` (null: it is open) and
    `successors` mend its life; `withdrawn` says that it never existed.
    """

    number: int
    since: int | None = None
    until: int | None = None
    name: str | msgspec.UnsetType = msgspec.UNSET
    parent: int | msgspec.UnsetType | None = msgspec.UNSET
    tier: int | msgspec.UnsetType = msgspec.UNSET
    kind: str | msgspec.UnsetType = msgspec.UNSET
    code: str | msgspec.UnsetType = msgspec.UNSET
    aliases: tuple[str, ...] | msgspec.UnsetType = msgspec.UNSET
    tags: tuple[str, ...] | msgspec.UnsetType = msgspec.UNSET
    contact: Contact | msgspec.UnsetType | None = msgspec.UNSET
    delivery: DeliverySettings | msgspec.UnsetType | None = msgspec.UNSET
    opened_at: int | msgspec.UnsetType = msgspec.UNSET
    closed_at: int | msgspec.UnsetType | None = msgspec.UNSET
    successors: tuple[int, ...] | msgspec.UnsetType = msgspec.UNSET
    withdrawn: bool = False


class Correction(msgspec.Struct, frozen=True, tag="correction", forbid_unknown_fields=True):
    """Units that were there before we knew (`known_later`), and mistakes about others.

    The `valid_from` and `valid_to` of units in `known_later` say when they existed.
    """

    title: str
    known_later: tuple[Unit, ...] = ()
    fixes: tuple[Fix, ...] = ()


class GroupDefined(msgspec.Struct, frozen=True, tag="group", forbid_unknown_fields=True):
    """A named group of recipients means `selector` from `since` (until `until`).

    A later definition of the same name for the same time takes its place.  An empty
    selector ends the group.
    """

    name: str
    selector: str
    since: int = 0
    until: int | None = None
    title: str = ""


DirectoryChange = Reorganisation | Correction | GroupDefined
