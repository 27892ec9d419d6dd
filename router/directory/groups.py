"""Named groups of recipients (tên nhóm nơi nhận), dated and known like units."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

import msgspec

from router import limits, selectors
from router.errors import InputError
from router.model.instants import INSTANT_MAX
from router.model.reorganisations import GroupDefined


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

    def at(self, at_us: int, count: int) -> dict[str, GroupDefined]:
        """Return what is defined at an instant, as known after `count` changes."""
        found: dict[str, GroupDefined] = {}
        for place, change in self._learnt:
            if place >= count:
                break
            if change.since <= at_us and (change.until is None or at_us < change.until):
                found[change.name] = change
        return {name: change for name, change in found.items() if change.selector}

    def versions(self, name: str) -> list[GroupDefined]:
        """Return every definition of one name in order of learning."""
        return [change for _, change in self._learnt if change.name == name]

    def __len__(self) -> int:
        return len(self._learnt)


def normal_name(name: str) -> str:
    """Return a group's name as it is kept: NFC, single blanks, none outside."""
    return " ".join(unicodedata.normalize("NFC", name).split())


def checked_group(groups: Groups, change: GroupDefined, edges: Sequence[int]) -> list[GroupDefined]:
    """Return the definition to append, none when it is known already.

    Without an end of its own it holds until the next definition of the name begins.
    Raises InputError `group.invalid`, and what is wrong with its selector.
    """
    name = normal_name(change.name)
    _check_words(groups, change, name)
    node = parse(change.selector) if change.selector else None
    if node is not None and instant_of_selector(node) is not None:
        raise _invalid("selector", "the instant of a group is that of the question: leave “@” out")
    known = groups.versions(name)
    until = change.until
    if until is None:
        until = min((one.since for one in known if one.since > change.since), default=None)
    made = msgspec.structs.replace(change, name=name, until=until)
    if known and known[-1] == made:
        return []
    for edge in {change.since, *(edge for edge in edges if edge > change.since)}:
        if until is not None and edge >= until:
            continue
        then = {key: one.selector for key, one in groups.at(edge, len(groups) + 1_000_000).items()}
        then[name] = change.selector
        check_groups({key: text for key, text in then.items() if text})
    return [made]


def _check_words(groups: Groups, change: GroupDefined, name: str) -> None:
    if not 0 < len(name) <= limits.GROUP_NAME_CHARS_MAX or not name.isprintable() or '"' in name:
        limit = limits.GROUP_NAME_CHARS_MAX
        raise _invalid("name", f"a name is one line of 1 to {limit} characters without quotes")
    if not 0 <= change.since <= INSTANT_MAX:
        raise _invalid("since", "not between the years 1970 and 9999")
    if change.until is not None and not change.since < change.until <= INSTANT_MAX:
        raise _invalid("until", "a definition ends after it begins")
    if len(change.title) > limits.ACT_TITLE_CHARS_MAX:
        raise _invalid("title", f"over {limits.ACT_TITLE_CHARS_MAX} characters")
    if len(groups) >= limits.GROUP_DEFINITIONS_MAX:
        raise _invalid("name", f"over {limits.GROUP_DEFINITIONS_MAX} definitions of groups")


def _invalid(path: str, reason: str) -> InputError:
    return InputError("group.invalid", path=path, reason=reason)
