"""What the selector language asks of a snapshot, and the errors about names it lacks."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any, Protocol

from router._core import Audience, Hierarchy
from router.errors import RecipientError
from router.model.reorganisations import GroupDefined
from router.model.units import TIER_NUMBERS, Unit
from router.selectors.near import known_names
from router.selectors.nodes import KindNode, TagNode, TierNode


class Lookup(Protocol):
    """What a snapshot answers about names.

    Attributes `kinds`, `tags` and `groups` (collections of names), where there are any,
    are quoted in the errors about unknown names; `groups` holds every group that was ever
    defined.
    """

    @property
    def hierarchy(self) -> Hierarchy:
        """The compiled hierarchy that positions are of."""
        ...

    def position_of(self, code: str) -> int:
        """Return a unit's position; raise RecipientError when unknown or not open."""
        ...

    def tier_of(self, name: str) -> int:
        """Return the number of a tier; -1 or KeyError when there is none of that name."""
        ...

    def kind_of(self, name: str) -> int:
        """Return the number of a kind; -1 or KeyError when there is none of that name."""
        ...

    def tagged(self, tag: str) -> Audience:
        """Return the units that bear a tag; raise KeyError when none ever did."""
        ...

    def group_of(self, name: str) -> GroupDefined | None:
        """Return what a group means at this instant, None when it is not defined then."""
        ...


class NamingLookup(Lookup, Protocol):
    """A lookup that also names the unit at a position (a directory snapshot)."""

    def unit_at(self, position: int) -> Unit:
        """Return the unit at a position."""
        ...


def names_of(lookup: Lookup, what: str) -> Collection[str]:
    """Return the names a lookup knows (`kinds`, `tags` or `groups`), if it tells them."""
    found: Collection[str] = getattr(lookup, what, ())
    return found


def tier_number(node: TierNode, lookup: Lookup) -> int:
    """Return the number of a tier; raise RecipientError `selector.unknown_tier`."""
    number = _number(lookup.tier_of, node.name)
    if number < 0:
        raise RecipientError("selector.unknown_tier", **_facts(node, tuple(TIER_NUMBERS)))
    return number


def kind_number(node: KindNode, lookup: Lookup) -> int:
    """Return the number of a kind; raise RecipientError `selector.unknown_kind`."""
    number = _number(lookup.kind_of, node.name)
    if number < 0:
        raise RecipientError("selector.unknown_kind", **_facts(node, names_of(lookup, "kinds")))
    return number


def tagged_units(node: TagNode, lookup: Lookup) -> Audience:
    """Return the units with a tag; raise RecipientError `selector.unknown_tag`."""
    try:
        return lookup.tagged(node.name)
    except KeyError:
        raise RecipientError(
            "selector.unknown_tag", **_facts(node, names_of(lookup, "tags"))
        ) from None


def _facts(node: TierNode | KindNode | TagNode, known: Collection[str]) -> dict[str, Any]:
    return {
        "name": node.name,
        "position": node.position,
        "known": known_names(node.name, known),
    }


def _number(find: Callable[[str], int], name: str) -> int:
    try:
        return find(name)
    except KeyError:
        return -1
