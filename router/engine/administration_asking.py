"""Questions about the directory: one unit, its history, groups, what a person should mend."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

from router.directory import ChangeMade, Directory, ResolveItem, Version
from router.directory.alterations import Alteration, compare
from router.directory.export import export_csv
from router.directory.known import Known
from router.engine.administration_resolving import tier_name, unit_at
from router.engine.emptied import resolved_one, with_reform
from router.engine.state import Rooms
from router.errors import NotFoundError, VanbanError
from router.messages import say
from router.model.administration import (
    ChangeShown,
    DirectorySummary,
    Finding,
    GroupShown,
    GroupVersion,
    UnitName,
    UnitShown,
    VersionShown,
)
from router.model.instants import show_instant
from router.model.reorganisations import GroupDefined
from router.model.units import Unit, code_doubt
from router.ports import Clock
from router.selectors import normal_name


class DirectoryReader:
    """Answers about the directory at any date, as known at any time; only reads."""

    def __init__(self, rooms: Rooms, clock: Clock) -> None:
        self._rooms = rooms
        self._clock = clock

    @property
    def _directory(self) -> Directory:
        return self._rooms.directory

    def _now(self, at_us: int | None) -> int:
        return self._clock.now_us() if at_us is None else at_us

    def _known_at(self, known_at_us: int | None) -> int | None:
        return None if known_at_us is None else self._directory.sequence_at(known_at_us)

    # Units.

    def show(self, unit: str | int, at_us: int | None, known_at_us: int | None) -> UnitShown:
        """See `Engine.show_unit`."""
        at = self._now(at_us)
        snapshot = self._directory.snapshot(at, self._known_at(known_at_us))
        known, found = snapshot.known, unit_at(snapshot, unit, at)
        position = snapshot.hierarchy.position(found.number)
        below: dict[str, int] = {}
        if position >= 0:
            counts = snapshot.hierarchy.count_by_tier(snapshot.hierarchy.children(position))
            below = {tier_name(tier): some for tier, (some, _) in counts.items() if some}
        state = "open" if found.open_at(at) else "closed"
        if at < found.valid_from:
            state = "not-yet-open"
        holder = known.holder(found.number, at) if state == "closed" else found.number
        return UnitShown(
            unit=found,
            at=show_instant(at),
            state=state,
            known_at="" if known_at_us is None else show_instant(known_at_us),
            parent=_name(known, found.parent, at),
            below=below,
            successors=_names(known, found.successors, at),
            answers=None if holder == found.number else _name(known, holder, at),
            predecessors=_names(known, known.predecessors(found.number), at),
        )

    def summary(self, at_us: int | None, known_at_us: int | None) -> DirectorySummary:
        """See `Engine.directory_summary`."""
        at = self._now(at_us)
        sequence = self._known_at(known_at_us)
        snapshot = self._directory.snapshot(at, sequence)
        hierarchy = snapshot.hierarchy
        counts = Counter[str]()
        kinds = Counter[str]()
        names = {number: name for name, number in snapshot.kinds.items()}
        for (tier, kind), some in hierarchy.count_by_class(hierarchy.everything()).items():
            counts[tier_name(tier)] += some
            kinds[names.get(kind, str(kind))] += some
        everyone = list(snapshot.known.units())
        changes = [one for one in self._directory.changes() if one.sequence <= snapshot.sequence]
        last = changes[-1] if changes else None
        return DirectorySummary(
            at=show_instant(at),
            known_at="" if known_at_us is None else show_instant(known_at_us),
            sequence=snapshot.sequence,
            open=hierarchy.size,
            units=len(everyone),
            by_tier=dict(counts),
            by_kind=dict(kinds),
            groups=len(self._directory.groups_at(at, sequence)),
            changes=len(changes),
            unknown_successors=sum(1 for _ in _forsaken(everyone, at)),
            last_change="" if last is None else last.title or last.form,
            last_change_at="" if last is None else show_instant(last.known_at),
        )

    def history(self, unit: str | int) -> list[VersionShown]:
        """See `Engine.history`."""
        now = self._clock.now_us()
        found = unit_at(self._directory.snapshot(now), unit, now)
        return [_version(one) for one in self._directory.history(found.number)]

    def changes(self) -> list[ChangeShown]:
        """See `Engine.directory_changes`."""
        return [_change(one) for one in self._directory.changes()]

    # Lists.

    def export(
        self,
        write: Callable[[str], object],
        at_us: int | None,
        known_at_us: int | None,
        *,
        every: bool,
    ) -> int:
        """See `Engine.export_directory`."""
        at = self._now(at_us)
        known = self._directory.snapshot(at, self._known_at(known_at_us)).known
        codes: dict[int, str] = {}

        def code_of(number: int) -> str:
            code = codes.get(number)
            if code is None:
                unit = known.unit(number, None if every else at)
                code = codes[number] = "" if unit is None else unit.code
            return code

        return export_csv(known.units(None if every else at), write, code_of)

    def units(self, at_us: int | None, known_at_us: int | None, *, every: bool) -> list[Unit]:
        """See `Engine.units`."""
        sequence = self._known_at(known_at_us)
        return list(self._directory.units(None if every else self._now(at_us), sequence))

    def differences(
        self, one_us: int, other_us: int, known_at_us: int | None
    ) -> tuple[Alteration, ...]:
        """See `Engine.diff_directory`."""
        sequence = self._known_at(known_at_us)
        directory = self._directory
        return compare(directory.units(one_us, sequence), directory.units(other_us, sequence))

    # Groups.

    def groups(self, at_us: int | None, known_at_us: int | None) -> list[GroupShown]:
        """See `Engine.groups`."""
        at = self._now(at_us)
        sequence = self._known_at(known_at_us)
        found = self._directory.groups_at(at, sequence)
        return [self._group(group, at, sequence) for _, group in sorted(found.items())]

    def _group(self, group: GroupDefined, at: int, sequence: int | None) -> GroupShown:
        item = ResolveItem(f'group("{group.name}")', at)
        answer = resolved_one(self._directory, item, sequence)
        size, problem, words = 0, "", ("", "")
        if not isinstance(answer, VanbanError):
            size = answer.audience.size
        elif answer.code == "selector.no_sender":
            size = -1
        else:
            error = with_reform(self._directory, answer, item, sequence)
            problem, words = error.code, (say(error)[0], say(error, "vi")[0])
        return GroupShown(
            group.name, group.selector, _shown(group.since), _shown(group.until), group.title,
            size, problem, *words,
        )  # fmt: skip

    def group_versions(self, name: str) -> list[GroupVersion]:
        """See `Engine.group_versions`."""
        found = []
        name = normal_name(name)
        for made in self._directory.changes():
            if made.form != "group" or made.name != name:
                continue
            then = self._directory.groups_at(made.at, made.sequence)
            group = then.get(name) or GroupDefined(name, "", made.at, None, made.title)
            found.append(
                GroupVersion(
                    group.selector, _shown(group.since), _shown(group.until), group.title,
                    show_instant(made.known_at), made.sequence,
                )
            )  # fmt: skip
        if not found:
            raise NotFoundError("group.not_found", name=name)
        return found

    # What a person should look at.

    def findings(self, at_us: int | None) -> list[Finding]:
        """See `Engine.check_directory`."""
        at = self._now(at_us)
        everyone = list(self._directory.units())
        found = [*_doubtful(self._directory.units(at)), *_forsaken(everyone, at)]
        for group in self.groups(at, None):
            if group.problem:
                code = "group-empty" if "empt" in group.problem else "group-wrong"
                found.append(Finding(code, "", group.name, group.words, group.words_vi))
        return found


def _doubtful(units: Iterator[Unit]) -> Iterator[Finding]:
    """Yield open units whose codes look wrong, and those below nobody where others hang."""
    rootless: list[Unit] = []
    tops: set[int] = set()
    for unit in units:
        for code in (unit.code, *unit.aliases):
            if code_doubt(code):
                yield Finding(
                    "code-doubtful", code, unit.name,
                    f"the code {code} {code_doubt(code)}",
                    f"mã {code} giống dạng 13 ký tự (nnn.nn.nn.Xnn) nhưng thiếu phần",
                    unit.number,
                )  # fmt: skip
        if unit.parent is None:
            rootless.append(unit)
            tops.add(unit.tier)
    for unit in rootless:
        if unit.tier > 2 and unit.tier > min(tops):
            yield Finding(
                "no-parent", unit.code, unit.name,
                "has no parent, though its tier has others above it",
                "chưa có cấp trên trực tiếp", unit.number,
            )  # fmt: skip


def _forsaken(everyone: list[Unit], at: int) -> Iterator[Finding]:
    """Yield the units closed by an instant whose successor nobody has named."""
    for unit in everyone:
        if unit.valid_to is not None and unit.valid_to <= at and not unit.successors:
            day = show_instant(unit.valid_to)[:10]
            yield Finding(
                "successor-unknown", unit.code, unit.name,
                f"closed on {day}, successor unknown",
                f"đã chấm dứt hoạt động ngày {day}, chưa rõ đơn vị kế thừa", unit.number,
            )  # fmt: skip


def _shown(at_us: int | None) -> str:
    """Return an instant as text, "" for the beginning and for good."""
    return show_instant(at_us) if at_us else ""


def _name(known: Known, number: int | None, at_us: int) -> UnitName | None:
    unit = None if number is None else known.unit(number, at_us)
    return None if unit is None else UnitName(unit.number, unit.code, unit.name)


def _names(known: Known, numbers: tuple[int, ...], at_us: int) -> tuple[UnitName, ...]:
    found = (_name(known, number, at_us) for number in numbers)
    return tuple(unit for unit in found if unit is not None)


def _version(one: Version) -> VersionShown:
    return VersionShown(
        _shown(one.since), _shown(one.until), one.said, show_instant(one.known_at),
        one.form, one.title, one.sequence, one.unit,
    )  # fmt: skip


def _change(one: ChangeMade) -> ChangeShown:
    return ChangeShown(
        one.sequence, show_instant(one.known_at), one.form, one.title, one.count,
        _shown(one.at), one.name,
    )  # fmt: skip
