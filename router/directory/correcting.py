"""Turns corrections of knowledge into facts: what was wrong, for the time it was wrong."""

from __future__ import annotations

import msgspec

from router import limits
from router._register import FOR_GOOD
from router.directory.facts import Fact, closing, details_text
from router.directory.imports import NUMBER_MAX, Fail, check_title, failing
from router.directory.known import Known, day_of
from router.directory.planning import Places, plan_units_known_later, properties
from router.errors import InputError
from router.model.instants import INSTANT_MAX
from router.model.reorganisations import Correction, Fix
from router.model.units import Unit

_UNSET = msgspec.UNSET


def plan_correction(known: Known, change: Correction) -> tuple[list[Fact], Places]:
    """Return the facts of a correction, and where it speaks of each unit.

    Raises InputError `directory.invalid` with the path of the mistake.
    """
    check_title(change.title)
    if len(change.fixes) > limits.EVENTS_MAX:
        raise InputError("directory.invalid", path="fixes", reason=f"over {limits.EVENTS_MAX}")
    facts, places, _ = plan_units_known_later(known, change.known_later, "known_later")
    for index, fix in enumerate(change.fixes):
        path = f"fixes[{index}]"
        life = known.life(fix.number)
        unit = known.unit(fix.number)
        if life is None or unit is None:
            raise failing(f"{path}.")("number", f"no unit is {fix.number}")
        places.setdefault(fix.number, path)
        facts += _mended(known, unit, fix, path)
    return facts, places


def _mended(known: Known, unit: Unit, fix: Fix, path: str) -> list[Fact]:
    fail = failing(f"{path}.")
    if fix.withdrawn:
        return [Fact(unit.number, 0, FOR_GOOD, exists=False)]
    born = unit.valid_from if fix.opened_at is _UNSET else fix.opened_at
    since = born if fix.since is None else fix.since
    until = FOR_GOOD if fix.until is None else fix.until
    if since < unit.valid_from and fix.opened_at is _UNSET:
        raise fail("since", f"{unit.code} was born on {day_of(unit.valid_from)}, after that")
    if not since < until:
        raise fail("until", "a fact ends after it begins")
    for field, instant in (("since", fix.since), ("until", fix.until)):
        if instant is not None and not 0 <= instant <= INSTANT_MAX:
            raise fail(field, "not between the years 1970 and 9999")
    stands = known.unit(unit.number, since)
    assert stands is not None
    parent: int | msgspec.UnsetType = _UNSET
    if fix.parent is not _UNSET:
        parent = fix.parent or 0
        if not 0 <= parent <= NUMBER_MAX:
            raise fail("parent", f"no unit has the number {parent}")
    said = properties(_without_life(fix), stands, parent, fail)
    # A life that begins earlier says how the unit was then; what is said here comes after it.
    facts = _life(known, unit, fix, fail)
    facts += [Fact(unit.number, since, until, **said)] if said else []
    if not facts:
        raise fail("number", "nothing is mended")
    return facts


def _without_life(fix: Fix) -> Fix:
    return msgspec.structs.replace(fix, opened_at=_UNSET, closed_at=_UNSET, successors=_UNSET)


def _life(known: Known, unit: Unit, fix: Fix, fail: Fail) -> list[Fact]:
    """Return the facts that mend a beginning, an end, or who succeeds."""
    facts: list[Fact] = []
    opened = unit.valid_from
    if fix.opened_at is not _UNSET and fix.opened_at != opened:
        if not 0 <= fix.opened_at <= INSTANT_MAX:
            raise fail("opened_at", "not between the years 1970 and 9999")
        facts.append(_birth(known, unit, fix.opened_at))
        opened = fix.opened_at
    closed = unit.valid_to
    successors = unit.successors if fix.successors is _UNSET else fix.successors
    if fix.closed_at is not _UNSET and fix.closed_at != closed:
        was = FOR_GOOD if closed is None else closed
        now = FOR_GOOD if fix.closed_at is None else fix.closed_at
        if not opened < now:
            raise fail("closed_at", "a unit ends after it began")
        if fix.closed_at is not None and now > INSTANT_MAX:
            raise fail("closed_at", "not between the years 1970 and 9999")
        if now < was:
            facts.append(closing(unit.number, now, successors))
        else:
            facts.append(Fact(unit.number, was, now, exists=True))
            if now != FOR_GOOD:
                facts.append(closing(unit.number, now, successors))
        closed = fix.closed_at
    elif fix.successors is not _UNSET:
        if closed is None:
            raise fail("successors", "only a unit that closes has successors")
        facts.append(closing(unit.number, closed, successors))
    _check_heirs(known, unit, fix, closed, fail)
    return facts


def _check_heirs(known: Known, unit: Unit, fix: Fix, closed: int | None, fail: Fail) -> None:
    if fix.successors is _UNSET:
        return
    if len(set(fix.successors)) != len(fix.successors):
        raise fail("successors", "one successor stands twice")
    for place, heir in enumerate(fix.successors):
        life = known.life(heir)
        if heir == unit.number or life is None:
            raise fail(f"successors[{place}]", f"{heir} is no other unit")
        if closed is not None and life[1] is not None and life[1] <= closed:
            raise fail(f"successors[{place}]", f"it closes on {day_of(life[1])}, not after")


def _birth(known: Known, unit: Unit, opened_at: int) -> Fact:
    """Return the fact that a unit began earlier (as it was first) or later than known."""
    if opened_at > unit.valid_from:
        return Fact(unit.number, unit.valid_from, opened_at, exists=False)
    first = known.unit(unit.number, unit.valid_from)
    assert first is not None
    return Fact(
        unit.number,
        opened_at,
        unit.valid_from,
        exists=True,
        tier=first.tier,
        kind=first.kind,
        parent=first.parent or 0,
        tags=first.tags,
        codes=(first.code, *first.aliases),
        name=first.name,
        details=details_text(first.contact, first.delivery),
        synthesised=first.code_synthesised,
    )
