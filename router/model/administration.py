"""What the engine answers about its directory: units, groups, changes, things to do.

Instants are RFC 3339 at +07:00; an empty text stands for "none" or "for good".
"""

from __future__ import annotations

import msgspec

from router.model.units import Unit


class DirectoryChanged(msgspec.Struct, frozen=True):
    """A change was written: the directory's sequence from then on, and what it took.

    `records` counts the log records of it, `facts` what was learnt about units and groups;
    both are 0 when all of it was known already.
    """

    sequence: int
    records: int
    facts: int


class UnitName(msgspec.Struct, frozen=True):
    """A unit as it is named in an answer."""

    number: int
    code: str
    name: str


class UnitShown(msgspec.Struct, frozen=True, omit_defaults=True):
    """One unit as it stood at an instant, as known at another, and who is around it.

    `below` counts the open units directly below it by tier.  `successors` are those its
    legal act names, `answers` is who answers for it at the instant (after a chain of
    reforms another unit than the first successor), `predecessors` the units it succeeded.
    `state` is "open", "closed" or "not-yet-open" at the instant.
    """

    unit: Unit
    at: str
    state: str
    known_at: str = ""
    parent: UnitName | None = None
    below: dict[str, int] = {}
    successors: tuple[UnitName, ...] = ()
    answers: UnitName | None = None
    predecessors: tuple[UnitName, ...] = ()


class DirectorySummary(msgspec.Struct, frozen=True, omit_defaults=True):
    """The directory at an instant in numbers.

    `by_tier` and `by_kind` count open units; `units` counts every unit that is known, open
    or not; `unknown_successors` those closed by then whose successor nobody has named.
    """

    at: str
    sequence: int
    open: int
    units: int
    by_tier: dict[str, int]
    by_kind: dict[str, int]
    groups: int
    changes: int
    unknown_successors: int
    known_at: str = ""
    last_change: str = ""
    last_change_at: str = ""


class VersionShown(msgspec.Struct, frozen=True, omit_defaults=True):
    """One thing that was learnt about a unit: what, for which time, and when it was learnt."""

    since: str
    until: str
    said: tuple[str, ...]
    known_at: str
    form: str
    title: str
    sequence: int
    unit: Unit


class ChangeShown(msgspec.Struct, frozen=True, omit_defaults=True):
    """One change of the directory: when it was learnt, when it takes effect, how much it says."""

    sequence: int
    known_at: str
    form: str
    title: str
    facts: int
    at: str = ""
    name: str = ""


class Finding(msgspec.Struct, frozen=True, omit_defaults=True):
    """One thing in the directory that a person should look at.

    `code` is stable: `code-doubtful`, `successor-unknown`, `group-empty`, `group-wrong`,
    `no-parent`.
    """

    code: str
    unit: str
    name: str
    words: str
    words_vi: str
    number: int = 0


class GroupShown(msgspec.Struct, frozen=True, omit_defaults=True):
    """A named group as defined at an instant, and how many units it means then.

    `size` is -1 where that can't be said without a sender; `problem` is the code of the
    error that the group gives when a document names it, `words` what it says.
    """

    name: str
    selector: str
    since: str
    until: str
    title: str
    size: int
    problem: str = ""
    words: str = ""
    words_vi: str = ""


class GroupVersion(msgspec.Struct, frozen=True, omit_defaults=True):
    """One definition of a named group, in order of learning; an empty selector ended it."""

    selector: str
    since: str
    until: str
    title: str
    known_at: str
    sequence: int
