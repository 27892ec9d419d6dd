"""What a change of the directory would do, before it is made (tác động).

Lists are bounded (`IMPACT_LISTED_MAX`); the counts beside them are whole.
"""

from __future__ import annotations

import msgspec


class ImpactUnit(msgspec.Struct, frozen=True, omit_defaults=True):
    """A unit as it is named in a report."""

    code: str
    name: str


class ImpactGroup(msgspec.Struct, frozen=True, omit_defaults=True):
    """A named group before and after, at the instant of the change.

    `before` and `after` count members (-1: the group can't be read, `error_before` and
    `error` say why by code).  A group that depends on the sender has no members of its own:
    `senders_before` and `senders_after` count the units with others below them for which it
    means somebody (-1: not such a group, or not counted).  `changed` says that anything
    differs.
    """

    name: str
    before: int
    after: int
    changed: bool
    joined: int = 0
    left: int = 0
    joins: tuple[ImpactUnit, ...] = ()
    leaves: tuple[ImpactUnit, ...] = ()
    became_empty: bool = False
    error_before: str = ""
    error: str = ""
    senders_before: int = -1
    senders_after: int = -1


class ImpactSelector(msgspec.Struct, frozen=True, omit_defaults=True):
    """A standing selector (of a right or a group) that the change touches.

    It would fail (`error`), mean nobody any more (`became_empty`), or names units that end
    (`closed`, by code).
    """

    what: str
    name: str
    selector: str
    error: str = ""
    became_empty: bool = False
    closed: tuple[str, ...] = ()


class ImpactEnding(msgspec.Struct, frozen=True, omit_defaults=True):
    """A unit that ends, and what is still open there.

    `queued` and `leased` count its deliveries that are not final, those of closed units it
    answers for included; `to` is who answers for them afterwards (none: nobody is known).
    `more` says that counting stopped at its bound.  `tokens` and `certificates` still stand
    for it, `rights` are held by it.
    """

    unit: ImpactUnit
    to: ImpactUnit | None = None
    queued: int = 0
    leased: int = 0
    more: bool = False
    tokens: int = 0
    certificates: int = 0
    rights: int = 0


class Impact(msgspec.Struct, frozen=True, omit_defaults=True):
    """The whole report; `at` is the instant it is about, `units_*` count open units then.

    `groups` holds every group, those that change first; `endings` the units that end, those
    with open deliveries and without a successor first.  `*_total` count past the lists.
    """

    title: str
    at: str
    units_before: int
    units_after: int
    begin: int = 0
    end: int = 0
    groups: tuple[ImpactGroup, ...] = ()
    groups_total: int = 0
    groups_changed: int = 0
    selectors: tuple[ImpactSelector, ...] = ()
    selectors_total: int = 0
    endings: tuple[ImpactEnding, ...] = ()
    queued: int = 0
    leased: int = 0
    counted_all: bool = True
    without_successor: tuple[ImpactUnit, ...] = ()
    without_successor_total: int = 0
    tokens: int = 0
    certificates: int = 0
    rights: int = 0
