"""Since when a group or a selector means nobody, and by which change of the directory."""

from __future__ import annotations

import threading
from typing import Final

import msgspec

from router.directory import Directory, ResolveItem
from router.directory.resolve import Resolution, resolve_batch
from router.errors import NotFoundError, RecipientError, VanbanError
from router.model.instants import datetime_of

_LOOKED_BACK_MAX: Final = 16
"""Earlier snapshots, and earlier changes, that are tried to find what made a set empty."""
_LOOKED_BACK_FOR_SENDERS: Final = 4
"""The same, where each sender has an answer of its own and a document waits for it."""
_FORMERS_MAX: Final = 8
"""Units that a sender succeeded that are tried in its place, before it was there."""
_REMEMBERED_MAX: Final = 4_096
_NO_SENDER: Final = "selector.no_sender"
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
    return _told(error, _emptied_by(directory, asked, sequence, _LOOKED_BACK_MAX))


class EmptiedGroups:
    """What emptied the groups that senders name, each looked up once in a snapshot.

    Looking costs up to 2 * _LOOKED_BACK_MAX resolutions, so it must not be had for the
    asking: only groups are looked at, of which there are few, and what is found is kept.
    Thread-safe.
    """

    def __init__(self, directory: Directory) -> None:
        self._directory = directory
        self._found: dict[tuple[str, int | None, tuple[int, int]], _Said] = {}
        self._adding = threading.Lock()  # guards additions; reading needs none

    def told(self, error: VanbanError, item: ResolveItem) -> VanbanError:
        """Return `group.empty` as `group.emptied` where a change emptied it, others as they are.

        A group that depends on the sender is looked up for each sender, less far back.
        """
        if error.code != "group.empty":
            return error
        asked = _asked(error, item)
        looked_back = _LOOKED_BACK_FOR_SENDERS
        if not _depends_on_sender(self._directory, asked):
            asked = msgspec.structs.replace(asked, sender=None)
            looked_back = _LOOKED_BACK_MAX
        key = (asked.selector, asked.sender, self._directory.snapshot(item.at_us).identity)
        if key not in self._found:
            said = _emptied_by(self._directory, asked, None, looked_back)
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


def _depends_on_sender(directory: Directory, item: ResolveItem) -> bool:
    answer = resolved_one(directory, msgspec.structs.replace(item, sender=None))
    return isinstance(answer, VanbanError) and answer.code == _NO_SENDER


def _emptied_by(
    directory: Directory, item: ResolveItem, sequence: int | None, looked_back: int
) -> _Said:
    """Return the day since when a selector means nobody, and the title of what did it.

    Before a sender was there, those whom it succeeded are asked for: of a province that was
    merged on the day, the provinces before.
    """
    senders = _sender_and_formers(directory, item)

    def anybody(at_us: int, known: int | None) -> bool:
        for sender in senders:
            tried = ResolveItem(item.selector, at_us, sender=sender)
            answer = resolved_one(directory, tried, known)
            if isinstance(answer, Resolution):
                return True
            if sender == item.sender and answer.code != _NO_SENDER:
                return False
        return False

    snapshot = directory.snapshot(item.at_us, sequence)
    known = snapshot.sequence
    for _ in range(looked_back):
        start = snapshot.valid_from
        if start <= 0:
            break
        if anybody(start - 1, known):
            return _day(start), _title_at(directory, start, known)
        snapshot = directory.snapshot(start - 1, known)
    changes = [made for made in directory.changes() if made.sequence <= known]
    for made in reversed(changes[-looked_back:]):
        if anybody(item.at_us, made.sequence - 1):
            return _day(made.known_at), made.title or made.form
    return None


def _sender_and_formers(directory: Directory, item: ResolveItem) -> tuple[int | None, ...]:
    """Return the sender, and some whom it succeeded: first those of its own tier."""
    if item.sender is None:
        return (None,)
    try:
        tier = directory.unit(item.sender, item.at_us).tier
        _, *formers = directory.addresses(item.sender, item.at_us)
        formers.sort(key=lambda former: abs(directory.unit(former).tier - tier))
    except NotFoundError:  # withdrawn since, by a correction
        return (item.sender,)
    return (item.sender, *formers[:_FORMERS_MAX])


def _title_at(directory: Directory, at_us: int, known: int) -> str:
    """Return the title of the last change that takes effect at an instant."""
    made = [one for one in directory.changes() if one.at == at_us and one.sequence <= known]
    named = [one for one in made if one.title] or made
    if not named:
        return "a change of the directory"
    return named[-1].title or named[-1].form


def _day(at_us: int) -> str:
    return datetime_of(at_us).date().isoformat()
