"""Named groups: checking definitions, and reading them when a selector names one.

A group is a selector with a name ("các sở, ban, ngành").  It may name other groups and the
sender, never an instant: the instant is that of the selector that names it.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Final

from router.errors import RecipientError
from router.limits import GROUP_DEPTH_MAX, GROUPS_PER_SELECTOR_MAX
from router.model.reorganisations import GroupDefined
from router.selectors.lookups import Lookup, names_of
from router.selectors.names import normal_name
from router.selectors.near import near_names
from router.selectors.nodes import AtNode, GroupNode, Node, groups_of
from router.selectors.parsing import parse

_CACHED_CHARS_MAX: Final = 4_096
"""Longer definitions are parsed each time: their nodes would fill the memory."""


def read_definition(name: str, text: str) -> Node:
    """Return the nodes of a group's selector, checked as a definition.

    Raises RecipientError `group.invalid` for a name that is not in its normal form
    (`normal_name`) or a selector with an instant, and what `parse` raises, with the name
    among the facts (`group`).
    """
    try:
        normal = normal_name(name)
    except ValueError as error:
        raise RecipientError("group.invalid", name=name, reason=str(error)) from None
    if normal != name:
        raise RecipientError("group.invalid", name=name, reason=f"write “{normal}”")
    try:
        node = parse_definition(text)
    except RecipientError as error:
        facts = {**error.facts, "group": name}
        raise RecipientError(error.code, path=error.path, **facts) from None
    if isinstance(node, AtNode):
        raise RecipientError(
            "group.invalid", name=name, reason="a group names no instant: leave out “@ …”"
        )
    return node


def parse_definition(text: str) -> Node:
    """Return the nodes of a group's selector; short ones are parsed once."""
    return _parse_cached(text) if len(text) <= _CACHED_CHARS_MAX else parse(text)


@lru_cache(maxsize=256)
def _parse_cached(text: str) -> Node:
    return parse(text)


def check_groups(definitions: Mapping[str, str]) -> None:
    """Check that groups, name to selector as defined at one instant, can be read together.

    Raises RecipientError: what `read_definition` raises, `group.unknown` for a group that
    names one that is not among them, `group.cycle` naming the chain, and
    `selector.too_large` when they are nested deeper than GROUP_DEPTH_MAX.
    """
    named: dict[str, list[str]] = {}
    for name, text in definitions.items():
        named[name] = groups_of(read_definition(name, text))
        for inner in named[name]:
            if inner not in definitions:
                near = near_names(inner, definitions)
                raise RecipientError(
                    "group.unknown", name=inner, position=0, known=_listed(near), group=name
                )
    depths: dict[str, int] = {}
    for name in named:
        _measure(name, named, depths)


def _measure(top: str, named: Mapping[str, list[str]], depths: dict[str, int]) -> None:
    """Find how deep a group is nested, without recursion; raise on a cycle."""
    chain: list[str] = [top]
    while chain:
        name = chain[-1]
        waiting = [inner for inner in named[name] if inner not in depths]
        if name not in depths and waiting:
            if waiting[0] in chain:
                raise cycle([*chain[chain.index(waiting[0]) :], waiting[0]], 0)
            chain.append(waiting[0])
            continue
        depths[name] = 1 + max((depths[inner] for inner in named[name]), default=0)
        if depths[name] > GROUP_DEPTH_MAX:
            raise too_deep()
        chain.pop()


def definition_of(node: GroupNode, lookup: Lookup) -> GroupDefined:
    """Return the definition of a group that is valid at the lookup's instant.

    Raises RecipientError `group.unknown` with near names, or `group.undefined_then` when
    the group is defined for other times only.
    """
    found = lookup.group_of(node.name)
    if found is not None and found.selector.strip():
        return found
    groups = names_of(lookup, "groups")
    if found is not None or node.name in groups:
        raise RecipientError("group.undefined_then", name=node.name, position=node.position)
    near = near_names(node.name, groups)
    raise RecipientError(
        "group.unknown", name=node.name, position=node.position, known=_listed(near)
    )


def enter(node: GroupNode, chain: tuple[str, ...], opened: int) -> tuple[str, ...]:
    """Return the chain of open groups with one more; refuse a cycle, or too many groups."""
    if node.name in chain:
        raise cycle([*chain[chain.index(node.name) :], node.name], node.position)
    if len(chain) >= GROUP_DEPTH_MAX:
        raise too_deep()
    if opened >= GROUPS_PER_SELECTOR_MAX:
        raise RecipientError(
            "selector.too_large", reason=f"more than {GROUPS_PER_SELECTOR_MAX} groups"
        )
    return (*chain, node.name)


def cycle(names: list[str], position: int) -> RecipientError:
    """Return the error about groups that name each other in a ring."""
    return RecipientError("group.cycle", position=position, chain=" → ".join(names))


def too_deep() -> RecipientError:
    """Return the error about groups within groups beyond the bound."""
    return RecipientError(
        "selector.too_large", reason=f"groups are nested deeper than {GROUP_DEPTH_MAX} levels"
    )


def _listed(names: list[str]) -> str:
    return ", ".join(f"“{name}”" for name in names) or "–"
