"""Since when a group or a selector means nobody, and by which change of the directory."""

from __future__ import annotations

import threading
from typing import Final

from router.directory import Directory, ResolveItem
from router.directory.resolve import Resolution, resolve_batch
from router.errors import RecipientError, VanbanError
from router.model.instants import datetime_of

_LOOKED_BACK_MAX: Final = 16
"""Earlier snapshots, and earlier changes, that are tried to find what made a set empty."""
_REMEMBERED_MAX: Final = 1_024
_EMPTY: Final = {"group.empty": "group.emptied", "audience.empty": "audience.emptied"}

_Said = tuple[str, str] | None


def resolved_one(
    directory: Directory, item: ResolveItem, sequence: int | None = None
) -> Resolution | VanbanError:
    """Resolve one selector as known at a sequence (None: now)."""
    return resolve_batch([item], lambda at_us: directory.snapshot(at_us, sequence))[0]


def with_reform(
    directory: Directory, error: VanbanError, item: ResolveItem, sequence: int | None = None
) -> VanbanError:
    """Return an error about an empty set with the change that made it empty, where one did.

    `group.empty` becomes `group.emptied` and `audience.empty` `audience.emptied`, with the
    facts `since` (the day) and `title` (of the act, else what kind of change it was).
    Others, and sets that had no members within the last snapshots, stay as they are.
    """
    if error.code not in _EMPTY:
        return error
    asked = _asked(error, item)
    return _told(error, _emptied_by(directory, asked, sequence))


class EmptiedGroups:
    """What emptied the groups that senders name, each looked up once in a snapshot.

    Looking costs up to 2 * _LOOKED_BACK_MAX resolutions, so it must not be had for the
    asking: only groups are looked at, of which there are few, and what is found is kept.
    Thread-safe.
    """

    def __init__(self, directory: Directory) -> None:
        self._directory = directory
        self._found: dict[tuple[str, tuple[int, int]], _Said] = {}
        self._adding = threading.Lock()  # guards additions; reading needs none

    def told(self, error: VanbanError, item: ResolveItem) -> VanbanError:
        """Return `group.empty` as `group.emptied` where a change emptied it, others as they are.

        A group that depends on the sender stays as it is.
        """
        if error.code != "group.empty":
            return error
        asked = ResolveItem(_asked(error, item).selector, item.at_us)
        key = (asked.selector, self._directory.snapshot(item.at_us).identity)
        if key not in self._found:
            said = _emptied_by(self._directory, asked, None)
            with self._adding:
                if len(self._found) >= _REMEMBERED_MAX:
                    self._found.clear()
                self._found[key] = said
            return _told(error, said)
        return _told(error, self._found.get(key))


def _asked(error: VanbanError, item: ResolveItem) -> ResolveItem:
    """Return the question whose answer is empty: the group that is named, or the selector."""
    if error.code == "group.empty":
        return ResolveItem(
            f'group("{error.facts.get("name", "")}")', item.at_us, sender=item.sender
        )
    return ResolveItem(item.selector, item.at_us, sender=item.sender)


def _told(error: VanbanError, said: _Said) -> VanbanError:
    if said is None:
        return error
    day, title = said
    code = _EMPTY[error.code]
    return RecipientError(code, path=error.path, **{**error.facts, "since": day, "title": title})


def _emptied_by(directory: Directory, item: ResolveItem, sequence: int | None) -> _Said:
    """Return the day since when a selector means nobody, and the title of what did it."""

    def anybody(at_us: int, known: int | None) -> bool:
        tried = ResolveItem(item.selector, at_us, sender=item.sender)
        return isinstance(resolved_one(directory, tried, known), Resolution)

    snapshot = directory.snapshot(item.at_us, sequence)
    known = snapshot.sequence
    for _ in range(_LOOKED_BACK_MAX):
        start = snapshot.valid_from
        if start <= 0:
            break
        if anybody(start - 1, known):
            return _day(start), _title_at(directory, start, known)
        snapshot = directory.snapshot(start - 1, known)
    changes = [made for made in directory.changes() if made.sequence <= known]
    for made in reversed(changes[-_LOOKED_BACK_MAX:]):
        if anybody(item.at_us, made.sequence - 1):
            return _day(made.known_at), made.title or made.form
    return None


def _title_at(directory: Directory, at_us: int, known: int) -> str:
    """Return the title of the last change that takes effect at an instant."""
    made = [one for one in directory.changes() if one.at == at_us and one.sequence <= known]
    named = [one for one in made if one.title] or made
    if not named:
        return "a change of the directory"
    return named[-1].title or named[-1].form


def _day(at_us: int) -> str:
    return datetime_of(at_us).date().isoformat()
