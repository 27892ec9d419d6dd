"""The engine's calls about the directory: who there is, who is meant, what changed."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import BinaryIO, Final

from router.directory.alterations import Alteration
from router.directory.wording import describe
from router.engine.administration_asking import DirectoryReader
from router.engine.administration_directory import DirectoryAdministrator, ListPreview
from router.engine.administration_resolving import RESOLVED_UNITS_DEFAULT, Resolver
from router.engine.state import Rooms
from router.limits import DIFFERENCE_LINES_MAX
from router.model.administration import (
    ChangeShown,
    DirectoryChanged,
    DirectorySummary,
    Finding,
    GroupShown,
    GroupVersion,
    UnitShown,
    VersionShown,
)
from router.model.answers import Resolved
from router.model.reorganisations import DirectoryChange, GroupDefined
from router.model.units import Unit
from router.ports import Clock

OPERATOR: Final = "operator"
"""Who changed directory, trust or tokens when the embedding program names nobody."""


class DirectoryFace:
    """What `Engine` answers about its directory.

    Instants are microseconds since 1970; None is now.  `at_us` asks for the directory valid
    then, `known_at_us` for what was known then.
    """

    def _face(self, rooms: Rooms, clock: Clock) -> None:
        self._resolver = Resolver(rooms, clock)
        self._reader = DirectoryReader(rooms, clock)
        self._directory = DirectoryAdministrator(rooms, clock)

    def _alive(self) -> None:
        raise NotImplementedError

    def resolve(
        self,
        selector: str,
        *,
        at_us: int | None = None,
        known_at_us: int | None = None,
        sender: str | int | None = None,
        explain: str | None = None,
        roll_up: bool = False,
        limit: int = RESOLVED_UNITS_DEFAULT,
        page: int = 0,
    ) -> Resolved:
        """Say whom a selector means at an instant, and list a page of `limit` of them.

        `sender` is the unit that `sender` in the selector means; `explain` asks of one unit
        why it is selected or not; `roll_up` asks for the members by tier and province.
        Raises RecipientError (`group.emptied` and `audience.emptied` name the change since
        which nobody is meant), NotFoundError `unit.not_found` for the sender, and
        InputError for a number out of range.
        """
        self._alive()
        return self._resolver.resolve(
            selector,
            at_us=at_us,
            known_at_us=known_at_us,
            sender=sender,
            explain=explain,
            roll_up=roll_up,
            limit=limit,
            page=page,
        )

    # Changing.

    def import_units(self, units: Sequence[Unit], *, title: str = "", actor: str = OPERATOR) -> int:
        """Add units to the directory, all or none.  Raises InputError with row and field."""
        self._alive()
        return self._directory.import_units(units, title, actor)

    def close_unit(
        self, code: str, at_us: int, successors: Sequence[str] = (), *, actor: str = OPERATOR
    ) -> None:
        """Close a unit at an instant, naming its successors (the default one first)."""
        self._alive()
        self._directory.close_unit(code, at_us, successors, actor)

    def change_directory(
        self,
        changes: DirectoryChange | Sequence[DirectoryChange],
        *,
        actor: str = OPERATOR,
    ) -> DirectoryChanged:
        """Apply a reorganisation, a correction or a group; or several in order, all or none.

        Raises InputError `directory.invalid` with the path of the mistake (`events[3].unit`;
        of several changes `[1].events[3].unit`), and for groups `group.invalid` and the
        errors of their selectors.
        """
        self._alive()
        return self._directory.change(changes, actor)

    def define_group(
        self,
        name: str,
        selector: str,
        *,
        since_us: int = 0,
        until_us: int | None = None,
        title: str = "",
        actor: str = OPERATOR,
    ) -> DirectoryChanged:
        """Say what a named group means from an instant on; an empty selector ends it.

        Raises InputError `group.invalid`, and RecipientError `selector.*`, `group.unknown`,
        `recipient.unknown` with the position for a selector that can't work at `since_us`
        (or now).  One that means nobody then, or units that are closed, is taken.
        """
        group = GroupDefined(name, selector, since_us, until_us, title)
        self._alive()
        self._directory.check_definition(group)
        return self.change_directory(group, actor=actor)

    def preview_list(
        self,
        source: bytes | Path | BinaryIO,
        *,
        at_us: int,
        complete: bool = False,
        within: str = "",
        since_us: int | None = None,
        known_later: Collection[str] = (),
        opened: Collection[str] = (),
        title: str = "",
        sheet: str = "",
    ) -> ListPreview:
        """Say what a list of units (CSV, Excel, ODS) would change; apply nothing.

        The directory is to stand at `at_us` as the list says.  `complete`: what the list
        could hold and does not is closed; `within` is a selector of what it could hold
        (all).  `since_us`: since when units that appear are there.  `known_later` and
        `opened` are codes of units that appear and were there before, or open then, where
        the rules (docs/directory.md, "Lists") say otherwise.  Raises SheetError with every
        mistake by row and column, and other InputErrors.
        """
        self._alive()
        return self._directory.preview(
            source,
            at_us=at_us,
            complete=complete,
            within=within,
            since_us=since_us,
            known_later=known_later,
            opened=opened,
            title=title,
            sheet=sheet,
        )

    def apply_preview(
        self, preview: ListPreview, *, confirm: str | None = None, actor: str = OPERATOR
    ) -> DirectoryChanged:
        """Apply a preview, all of it or nothing.

        `confirm` is the digest of the preview that a person saw (None: of this one).  Raises
        ConflictError `import.changed` when it is another one's, or when the directory has
        changed since: look again.
        """
        self._alive()
        return self._directory.apply(
            preview, preview.confirm if confirm is None else confirm, actor
        )

    # Asking.

    def show_unit(
        self, unit: str | int, *, at_us: int | None = None, known_at_us: int | None = None
    ) -> UnitShown:
        """Return a unit (any code, stable number, "#number") with those around it.

        Raises NotFoundError `unit.not_found`.
        """
        self._alive()
        return self._reader.show(unit, at_us, known_at_us)

    def directory_summary(
        self, *, at_us: int | None = None, known_at_us: int | None = None
    ) -> DirectorySummary:
        """Return the directory in numbers."""
        self._alive()
        return self._reader.summary(at_us, known_at_us)

    def history(self, unit: str | int) -> list[VersionShown]:
        """Return all that was learnt about a unit, in order of learning."""
        self._alive()
        return self._reader.history(unit)

    def directory_changes(self) -> list[ChangeShown]:
        """Return every change of the directory, in order."""
        self._alive()
        return self._reader.changes()

    def export_directory(
        self,
        write: Callable[[str], object],
        *,
        at_us: int | None = None,
        known_at_us: int | None = None,
        every: bool = False,
    ) -> int:
        """Write the units open at an instant as CSV that `preview_list` reads back.

        `write` takes text to be stored in UTF-8.  `every`: all units there ever were, in
        their last state.  Returns how many.
        """
        self._alive()
        return self._reader.export(write, at_us, known_at_us, every=every)

    def units(
        self, *, at_us: int | None = None, known_at_us: int | None = None, every: bool = False
    ) -> list[Unit]:
        """Return the units open at an instant as they stood, or all there ever were."""
        self._alive()
        return self._reader.units(at_us, known_at_us, every=every)

    def diff_directory(
        self, one_us: int, other_us: int, *, known_at_us: int | None = None
    ) -> tuple[Alteration, ...]:
        """Return what is different between two instants; `describe_diff` words it."""
        self._alive()
        return self._reader.differences(one_us, other_us, known_at_us)

    @staticmethod
    def describe_diff(
        alterations: Sequence[Alteration],
        language: str = "en",
        *,
        lines_max: int | None = DIFFERENCE_LINES_MAX,
    ) -> list[str]:
        """Return alterations in plain words, in "en" or "vi"."""
        return describe(alterations, language, lines_max=lines_max)

    def groups(
        self, *, at_us: int | None = None, known_at_us: int | None = None
    ) -> list[GroupShown]:
        """Return the named groups defined at an instant, with their sizes, by name."""
        self._alive()
        return self._reader.groups(at_us, known_at_us)

    def group_versions(self, name: str) -> list[GroupVersion]:
        """Return every definition of a group.  Raises NotFoundError `group.not_found`."""
        self._alive()
        return self._reader.group_versions(name)

    def check_directory(self, *, at_us: int | None = None) -> list[Finding]:
        """Return what a person should look at: doubtful codes, unknown successors, groups."""
        self._alive()
        return self._reader.findings(at_us)
