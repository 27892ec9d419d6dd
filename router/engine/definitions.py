"""Whether the selector of a group can ever mean anybody, judged before it is defined."""

from __future__ import annotations

from typing import Final

from router.directory import Directory
from router.errors import RecipientError
from router.model.reorganisations import GroupDefined
from router.selectors import Skipped, compile_selector, normal_name, read_definition

_NEVER: Final = frozenset({"recipient.unknown", "group.unknown"})
_NAMES_OF_UNITS: Final = frozenset({"selector.unknown_kind", "selector.unknown_tag", *_NEVER})


def check_definition(directory: Directory, group: GroupDefined, now_us: int) -> None:
    """Refuse a group whose selector can't work: unknown tiers, kinds, tags, units, groups.

    It is judged by the directory when the definition begins, or now when that is past (at
    its end when that is past, too).  Units that are closed or not open yet and empty sets
    are no mistake: time makes them so.  A directory without a unit says nothing about
    names.  Raises RecipientError `selector.*`, `group.unknown`, `recipient.unknown` with the
    character position, path `selector`.
    """
    at_us = max(group.since, now_us)
    if group.until is not None:
        at_us = max(group.since, min(at_us, group.until - 1))
    snapshot = directory.snapshot(at_us)
    node = read_definition(normal_name(group.name), group.selector)
    anybody = 0 if len(snapshot) else None  # stands in for the sender: who it is decides nothing
    left_out: list[Skipped] = []
    try:
        # What is closed or empty is passed over, so that it doesn't hide what is unknown.
        compile_selector(node, snapshot, left_out, sender=anybody, forgiving=True)
        unknown = next((one.unit for one in left_out if one.code in _NEVER), None)
        if unknown is None:
            return
        position = max(group.selector.upper().find(unknown), 0)
        error = RecipientError("recipient.unknown", unit=unknown, position=position)
    except RecipientError as found:
        error = found
    if not len(snapshot) and error.code in (*_NAMES_OF_UNITS, "selector.no_sender"):
        return
    if error.code in _NEVER or error.code.startswith("selector."):
        error.path = "selector"
        raise error
