"""Named groups of recipients (tên nhóm nơi nhận), dated and known like units."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from router import limits
from router.errors import InputError
from router.model.instants import INSTANT_MAX
from router.model.reorganisations import GroupDefined
from router.selectors import check_groups, normal_name, read_definition


class Groups:
    """The definitions learnt, in order; the last that covers an instant decides."""

    def __init__(self) -> None:
        self._learnt: list[tuple[int, GroupDefined]] = []

    def copy(self) -> Groups:
        """Return an independent copy."""
        made = Groups()
        made._learnt = list(self._learnt)
        return made

    def add(self, place: int, change: GroupDefined) -> None:
        """Take in a definition made by the change at that place."""
        self._learnt.append((place, change))

    def at(self, at_us: int, count: int | None = None) -> dict[str, GroupDefined]:
        """Return what is defined at an instant, as known after `count` changes (None: now)."""
        found: dict[str, GroupDefined] = {}
        for place, change in self._learnt:
            if count is not None and place >= count:
                break
            if change.since <= at_us and (change.until is None or at_us < change.until):
                found[change.name] = change
        return {name: change for name, change in found.items() if change.selector}

    def names(self, count: int) -> set[str]:
        """Return every name defined by the first `count` changes, whenever it holds."""
        return {change.name for place, change in self._learnt if place < count}

    def definitions(self) -> list[GroupDefined]:
        """Return every definition in order of learning."""
        return [change for _, change in self._learnt]

    def versions(self, name: str) -> list[GroupDefined]:
        """Return every definition of one name in order of learning."""
        return [change for _, change in self._learnt if change.name == name]

    def __len__(self) -> int:
        return len(self._learnt)


def checked_group(groups: Groups, change: GroupDefined, edges: Sequence[int]) -> list[GroupDefined]:
    """Return the definition to append, none when it is known already.

    Without an end of its own it holds until the next definition of the name begins.
    Raises InputError `group.invalid`, and what is wrong with its selector.
    """
    try:
        name = normal_name(change.name)
    except ValueError as error:
        raise _invalid(change.name, "name", str(error)) from None
    _check_words(groups, change, name)
    if change.selector:
        read_definition(name, change.selector)
    known = groups.versions(name)
    until = change.until
    if until is None:
        until = min((one.since for one in known if one.since > change.since), default=None)
    made = msgspec.structs.replace(change, name=name, until=until)
    if known and known[-1] == made:
        return []
    # A group may name one that is defined for other times only: that is said when it is used.
    ever = {one.name: one.selector for one in groups.definitions() if one.selector}
    for edge in {change.since, *(edge for edge in edges if edge > change.since)}:
        if until is None or edge < until:
            then = {key: one.selector for key, one in groups.at(edge).items()}
            check_groups({**ever, **then, **({name: change.selector} if change.selector else {})})
    return [made]


def _check_words(groups: Groups, change: GroupDefined, name: str) -> None:
    if not 0 <= change.since <= INSTANT_MAX:
        raise _invalid(name, "since", "not between the years 1970 and 9999")
    if change.until is not None and not change.since < change.until <= INSTANT_MAX:
        raise _invalid(name, "until", "a definition ends after it begins")
    if len(change.title) > limits.ACT_TITLE_CHARS_MAX:
        raise _invalid(name, "title", f"over {limits.ACT_TITLE_CHARS_MAX} characters")
    if len(groups) >= limits.GROUP_DEFINITIONS_MAX:
        raise _invalid(name, "name", f"over {limits.GROUP_DEFINITIONS_MAX} definitions of groups")


def _invalid(name: str, path: str, reason: str) -> InputError:
    return InputError("group.invalid", path=path, name=name, reason=reason)
