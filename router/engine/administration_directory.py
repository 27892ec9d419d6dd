"""Operators' acts on the directory: changes as data, lists with a preview, groups.

Nothing of a list is applied until the preview is confirmed: its digest covers the state of
the directory it was made from and every record it would write, so what was seen is what is
written, or nothing.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Final

import msgspec

from router.directory import Change, Directory, ResolveItem, encode_change
from router.directory.differences import Difference, derive
from router.directory.sheets import read_sheet
from router.directory.wording import describe
from router.engine.administration import append_act
from router.engine.definitions import check_definition
from router.engine.emptied import resolved_one
from router.engine.state import DIRECTORY, Rooms
from router.errors import ConflictError, InputError, RecipientError, VanbanError
from router.limits import DIFFERENCE_LINES_MAX
from router.model.administration import DirectoryChanged
from router.model.instants import INSTANT_MAX, show_instant
from router.model.reorganisations import (
    Changing,
    Closing,
    Correction,
    DirectoryChange,
    GroupDefined,
    Opening,
    Reference,
    Reorganisation,
)
from router.model.units import Unit
from router.ports import Clock

CONFIRM_CHARS: Final = 16
"""Of the digest that confirms a preview: it guards against accidents, not against forgers."""
_PLACED = re.compile(r"(events|known_later|fixes|row)\[(\d+)\](.*)", re.DOTALL)
_Step = Sequence[Unit] | DirectoryChange


class ListPreview(msgspec.Struct, frozen=True):
    """What a list of units would change; nothing of it is applied yet.

    `confirm` is what applying asks for; `sequence` that of the directory it was made from;
    `at_us` the instant of the list.
    """

    confirm: str
    sequence: int
    at_us: int
    complete: bool
    difference: Difference
    bodies: tuple[bytes, ...]
    facts: int

    @property
    def empty(self) -> bool:
        """Say whether the list changes nothing."""
        return not self.bodies

    def lines(
        self, language: str = "en", *, lines_max: int | None = DIFFERENCE_LINES_MAX
    ) -> list[str]:
        """Return what would change in plain words, in "en" or "vi"."""
        return describe(self.difference, language, lines_max=lines_max)

    def summary(self, language: str = "en") -> dict[str, Any]:
        """Return the preview as data for programs."""
        difference = self.difference
        return {
            "confirm": self.confirm,
            "at": show_instant(self.at_us),
            "sequence": self.sequence,
            "complete": self.complete,
            "counts": dict(difference.counts),
            "alterations": difference.alterations,
            "unknown_successors": [
                {"number": unit.number, "code": unit.code, "name": unit.name}
                for unit in difference.unknown_successors
            ],
            "suggestions": difference.suggestions,
            "warnings": [warning._asdict() for warning in difference.warnings],
            "lines": self.lines(language),
        }


class DirectoryAdministrator:
    """Changes of the directory; thread-safe."""

    def __init__(self, rooms: Rooms, clock: Clock) -> None:
        self._rooms = rooms
        self._clock = clock

    def import_units(self, units: Sequence[Unit], title: str, actor: str) -> int:
        """Add units, all or none.  Raises InputError naming row and field."""
        with self._rooms.lock:
            bodies = self._rooms.directory.plan_import(units, title)
            self._write([encode_change(body) for body in bodies], 0, actor)
        return len(units)

    def close_unit(self, code: str, at_us: int, successors: Sequence[str], actor: str) -> None:
        """Close a unit at an instant; its first successor answers for it from then on."""
        with self._rooms.lock:
            unit = self._rooms.unit(code, at_us - 1)
            heirs = tuple(self._rooms.unit(one, at_us).number for one in successors)
            body = self._rooms.directory.plan_close(unit.number, at_us, heirs)
            self._write([encode_change(body)], 1, actor)

    def change(
        self, changes: DirectoryChange | Sequence[DirectoryChange], actor: str
    ) -> DirectoryChanged:
        """See `Engine.change_directory`."""
        with self._rooms.lock:
            bodies = planned_changes(self._rooms.directory, changes)
            return self._write([encode_change(body) for body in bodies], _facts_in(bodies), actor)

    def check_definition(self, group: GroupDefined) -> None:
        """Refuse a group that is malformed or whose selector can't work; write nothing."""
        with self._rooms.lock:
            try:
                self._rooms.directory.plan(group)
            except RecipientError as error:
                if error.code != "group.unknown":  # of that the check below tells the place
                    raise
                check_definition(self._rooms.directory, group, self._clock.now_us())
                raise
            if group.selector:
                check_definition(self._rooms.directory, group, self._clock.now_us())

    def _write(self, bodies: Sequence[bytes], facts: int, actor: str) -> DirectoryChanged:
        if bodies:
            append_act(self._rooms, self._clock, DIRECTORY, bodies, actor)
        return DirectoryChanged(self._rooms.directory.sequence, len(bodies), facts)

    def preview(
        self,
        source: bytes | Path | BinaryIO,
        *,
        at_us: int,
        complete: bool,
        within: str,
        since_us: int | None,
        known_later: Collection[str],
        opened: Collection[str],
        title: str,
        sheet: str,
    ) -> ListPreview:
        """See `Engine.preview_list`."""
        for name, instant in (("at", at_us), ("since", since_us)):
            if instant is not None and not 0 < instant <= INSTANT_MAX:
                said = "an instant is from 1970 to 9999, in microseconds"
                raise InputError("field.invalid", path=name, reason=said)
        listing = read_sheet(source, sheet=sheet)
        # No lock is held over this: what changes meanwhile makes applying it refuse.
        directory = self._rooms.directory
        sequence = directory.sequence
        difference = derive(
            units_around(directory, at_us, sequence),
            listing,
            at_us,
            complete=complete,
            within=_members(directory, within, at_us, sequence) if within else None,
            known_later=known_later,
            opened=opened,
            since_us=since_us,
            title=title,
        )
        bodies = _planned_difference(directory, difference)
        encoded = tuple(encode_change(body) for body in bodies)
        return ListPreview(
            confirm=_confirmation(sequence, encoded),
            sequence=sequence,
            at_us=at_us,
            complete=complete,
            difference=difference,
            bodies=encoded,
            facts=_facts_in(bodies),
        )

    def apply(self, preview: ListPreview, confirm: str, actor: str) -> DirectoryChanged:
        """See `Engine.apply_preview`."""
        with self._rooms.lock:
            if (
                confirm != preview.confirm
                or preview.sequence != self._rooms.directory.sequence
                or preview.confirm != _confirmation(preview.sequence, preview.bodies)
            ):
                raise ConflictError("import.changed", path="confirm")
            return self._write(preview.bodies, preview.facts, actor)


def units_around(directory: Directory, at_us: int, sequence: int) -> list[Unit]:
    """Return every unit: those open at an instant as they stood, the others in their last state."""
    standing = {unit.number: unit for unit in directory.units(at_us, sequence)}
    rest = [unit for unit in directory.units(None, sequence) if unit.number not in standing]
    return [*standing.values(), *rest]


def _members(directory: Directory, selector: str, at_us: int, sequence: int) -> Collection[int]:
    answer = resolved_one(directory, ResolveItem(selector, at_us, path="within"), sequence)
    if isinstance(answer, VanbanError):
        raise answer
    return set(answer.snapshot.hierarchy.numbers(answer.audience))


def _facts_in(bodies: Sequence[Change]) -> int:
    return sum(getattr(body, "count", 1) for body in bodies)


def _confirmation(sequence: int, bodies: Sequence[bytes]) -> str:
    """Return the digest over the directory's state and the records to be written."""
    digest = hashlib.sha256(sequence.to_bytes(8, "big"))
    for body in bodies:
        digest.update(len(body).to_bytes(8, "big"))
        digest.update(body)
    return digest.hexdigest()[:CONFIRM_CHARS]


def planned(
    directory: Directory, steps: Sequence[_Step], *, numbered: bool = False, title: str = ""
) -> list[Change]:
    """Check steps, each on what the ones before make of the directory; return all records.

    With `numbered` the path of a mistake begins with the step's place.
    """
    bodies: list[Change] = []
    for place, step in enumerate(steps):
        try:
            if isinstance(step, Reorganisation | Correction | GroupDefined):
                made = directory.plan(step)
            else:
                made = list(directory.plan_import(step, title))
        except VanbanError as error:
            if numbered:
                error.path = f"[{place}].{error.path}".rstrip(".")
            raise
        bodies += made
        if made and place + 1 < len(steps):
            directory = directory.rehearsed(made)
    return bodies


def planned_changes(
    directory: Directory, changes: DirectoryChange | Sequence[DirectoryChange]
) -> list[Change]:
    """Check one change, or several in order; return all records."""
    if isinstance(changes, Reorganisation | Correction | GroupDefined):
        return planned(directory, [changes])
    return planned(directory, list(changes), numbered=True)


def _planned_difference(directory: Directory, difference: Difference) -> list[Change]:
    """Return the records of a difference, or raise what is wrong, naming the unit."""
    steps: list[_Step] = [difference.imported] if difference.imported else []
    steps += [step for step in (difference.correction, difference.reorganisation) if step]
    titles = [step.title for step in steps if isinstance(step, Correction | Reorganisation)]
    try:
        return planned(directory, steps, title=titles[0] if titles else "")
    except InputError as error:
        error.path = _place(directory, difference, error.path)
        raise


def _place(directory: Directory, difference: Difference, path: str) -> str:
    """Return the place of a mistake by the unit's code: a clerk has no list of events."""
    found = _PLACED.fullmatch(path)
    if found is None:
        return path
    kind, place, field = found[1], int(found[2]), found[3]
    correction, reorganisation = difference.correction, difference.reorganisation
    reference: Reference = ""
    if kind == "row":
        reference = difference.imported[place].code
    elif kind == "events" and reorganisation is not None:
        event = reorganisation.events[place]
        if isinstance(event, Opening):
            reference = event.unit.code
        elif isinstance(event, Changing | Closing):
            reference = event.unit
    elif correction is not None:
        fixed = kind == "fixes"
        reference = correction.fixes[place].number if fixed else correction.known_later[place].code
    if isinstance(reference, int):
        reference = directory.unit(reference).code
    return f"{reference}{field}" if reference else path
