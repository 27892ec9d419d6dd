"""Checks of units on their way into the directory: each by itself, and rows of one import.

Held true, and relied on by everything above: a number never means two units; no code names
two units at one instant; the tree has no cycle and its tiers never rise on the way down; a
unit is open only while its parent is; a successor is open when whom it succeeds ends.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence

import msgspec

from router import limits
from router.directory.known import Known, day_of
from router.errors import InputError
from router.model.instants import INSTANT_MAX
from router.model.units import Contact, Unit, code_form, normal_code

NUMBER_MAX = (1 << 32) - 2
KIND_CHARS_MAX = 64
TAG_CHARS_MAX = 64
_KIND = re.compile(r"[a-z]+(-[a-z]+)*")

Fail = Callable[[str, str], InputError]
"""Makes the error for a field and a reason."""


def checked_import(known: Known, rows: Sequence[Unit]) -> list[tuple[Unit, int]]:
    """Return the units an import would add with their rows, in normal form, in order.

    Rows that repeat a known unit word for word are left out, so that an import can be
    repeated harmlessly.  Raises InputError `directory.invalid` with the path
    `row[i].field` of the first mistake.
    """
    if len(rows) > limits.UNITS_MAX:
        raise InputError("directory.invalid", path="row", reason=f"over {limits.UNITS_MAX} units")
    added: dict[int, tuple[int, Unit]] = {}
    for index, row in enumerate(rows):
        fail = failing(f"row[{index}].")
        unit = normal_unit(row)
        check_unit(unit, fail)
        if unit.number in added:
            raise fail("number", f"{unit.number} stands in row {added[unit.number][0]} too")
        before = known.unit(unit.number)
        if before is None and known.taken(unit.number):
            raise fail("number", f"{unit.number} was withdrawn, and never means another unit")
        if before is None:
            added[unit.number] = (index, unit)
            if len(added) + len(known.register) > limits.UNITS_MAX:
                raise fail("number", f"the directory would hold over {limits.UNITS_MAX} units")
        elif not _repeats(before, unit):
            raise fail("number", f"{unit.number} is the unit {before.code} for ever")
    units = {number: unit for number, (_, unit) in added.items()}
    _check_parents(known, units, added)
    _check_codes(known, added)
    for index, unit in added.values():
        _check_successors(known, units, unit, failing(f"row[{index}]."))
    return [(unit, index) for index, unit in added.values()]


def failing(place: str) -> Fail:
    """Return what makes the errors of one row or event."""

    def fail(field: str, reason: str) -> InputError:
        return InputError("directory.invalid", path=place + field, reason=reason)

    return fail


def check_title(title: str) -> None:
    """Refuse the title of an act that is too long or no line of text."""
    if len(title) > limits.ACT_TITLE_CHARS_MAX or (title and not title.isprintable()):
        reason = f"a title is one line of at most {limits.ACT_TITLE_CHARS_MAX} characters"
        raise InputError("directory.invalid", path="title", reason=reason)


def normal_unit(row: Unit) -> Unit:
    """Bring text to NFC and codes to their stored form."""
    return msgspec.structs.replace(
        row,
        code=normal_code(row.code),
        name=unicodedata.normalize("NFC", row.name).strip(),
        aliases=tuple(map(normal_code, row.aliases)),
        tags=tuple(" ".join(unicodedata.normalize("NFC", tag).split()) for tag in row.tags),
    )


def _repeats(known: Unit, row: Unit) -> bool:
    """Say whether a row is a unit as known (or as it was before it closed)."""
    before = msgspec.structs.replace(known, valid_to=row.valid_to, successors=row.successors)
    return row == known or (row.valid_to is None and not row.successors and row == before)


def check_unit(unit: Unit, fail: Fail) -> None:
    """Check what one unit can be judged by alone.  Raises what `fail` makes."""
    if not 1 <= unit.number <= NUMBER_MAX:
        raise fail("number", f"a stable number is 1 to {NUMBER_MAX}")
    if unit.parent is not None and not 1 <= unit.parent <= NUMBER_MAX:
        raise fail("parent", f"no unit has the number {unit.parent}")
    if code_form(unit.code) is None:
        raise fail("code", f"{unit.code!r} is of neither national form")
    if len(unit.aliases) > limits.UNIT_ALIASES_MAX:
        raise fail("aliases", f"over {limits.UNIT_ALIASES_MAX}")
    for place, alias in enumerate(unit.aliases):
        if code_form(alias) is None:
            raise fail(f"aliases[{place}]", f"{alias!r} is of neither national form")
    if len({unit.code, *unit.aliases}) != 1 + len(unit.aliases):
        raise fail("aliases", "one code stands twice")
    _check_words(unit, fail)
    if not 0 <= unit.valid_from <= INSTANT_MAX:
        raise fail("valid_from", "not between the years 1970 and 9999")
    if unit.valid_to is not None and not unit.valid_from < unit.valid_to <= INSTANT_MAX:
        raise fail("valid_to", "a unit ends after it began")


def _check_words(unit: Unit, fail: Fail) -> None:
    """Check name, tier, kind and tags."""
    if not _is_text(unit.name, limits.UNIT_NAME_CHARS_MAX):
        raise fail("name", f"a name is one line of 1 to {limits.UNIT_NAME_CHARS_MAX} characters")
    if not 1 <= unit.tier <= limits.TIERS_MAX:
        raise fail("tier", f"a tier is 1 to {limits.TIERS_MAX}")
    if len(unit.kind) > KIND_CHARS_MAX or not _KIND.fullmatch(unit.kind):
        raise fail("kind", f"a kind is words of a to z joined by “-”, at most {KIND_CHARS_MAX}")
    if len(unit.tags) > limits.UNIT_TAGS_MAX:
        raise fail("tags", f"over {limits.UNIT_TAGS_MAX}")
    for place, tag in enumerate(unit.tags):
        if not _is_text(tag, TAG_CHARS_MAX):
            raise fail(f"tags[{place}]", f"a tag is one line of 1 to {TAG_CHARS_MAX} characters")
    _check_details(unit, fail)


def _check_details(unit: Unit, fail: Fail) -> None:
    """Check how a unit is reached."""
    for field in Contact.__struct_fields__ if unit.contact is not None else ():
        text = getattr(unit.contact, field)
        if text and not _is_text(text, limits.CONTACT_CHARS_MAX):
            limit = limits.CONTACT_CHARS_MAX
            raise fail(f"contact.{field}", f"one line of at most {limit} characters")
    if unit.delivery is not None and unit.delivery.channel != "pull":
        raise fail("delivery.channel", "“pull” is the one channel there is")


def _is_text(text: str, chars_max: int) -> bool:
    return 0 < len(text) <= chars_max and text.isprintable()


def _check_parents(
    known: Known, units: dict[int, Unit], added: dict[int, tuple[int, Unit]]
) -> None:
    """Check that parents exist, tiers fall, parents outlast, and nothing hangs on itself."""
    depths: dict[int, int] = {}
    for index, unit in added.values():
        fail = failing(f"row[{index}].")
        if unit.parent is None:
            continue
        parent = units.get(unit.parent) or known.unit(unit.parent, unit.valid_from)
        if parent is None:
            raise fail("parent", f"no unit has the number {unit.parent}")
        if unit.tier < parent.tier:
            raise fail("tier", f"tier {unit.tier} stands above its parent's, {parent.tier}")
        if unit.valid_from < parent.valid_from:
            raise fail("valid_from", f"opens before its parent {parent.code}")
        if parent.valid_to is not None and (
            unit.valid_to is None or unit.valid_to > parent.valid_to
        ):
            raise fail("valid_to", f"stays open after its parent {parent.code}")
    for index, unit in added.values():
        if _depth(known, units, unit, depths) > limits.HIERARCHY_DEPTH_MAX:
            raise failing(f"row[{index}].")(
                "parent", f"hangs below itself or deeper than {limits.HIERARCHY_DEPTH_MAX}"
            )


def _depth(known: Known, units: dict[int, Unit], unit: Unit, depths: dict[int, int]) -> int:
    """Count the levels down to a unit; past the bound (as in a cycle) it stops counting."""
    way: list[int] = []
    at: Unit | None = unit
    while at is not None and at.number not in depths and len(way) <= limits.HIERARCHY_DEPTH_MAX:
        way.append(at.number)
        parent = at.parent
        at = None if parent is None else units.get(parent) or known.unit(parent, unit.valid_from)
    depth = depths[at.number] if at is not None and at.number in depths else 0
    if len(way) > limits.HIERARCHY_DEPTH_MAX:
        return len(way)
    for number in reversed(way):
        depth += 1
        depths[number] = depth
    return depth


def _check_codes(known: Known, added: dict[int, tuple[int, Unit]]) -> None:
    """Check that no code names two units at one instant."""
    bearers: dict[str, list[Unit]] = {}
    for index, unit in added.values():
        for place, code in enumerate((unit.code, *unit.aliases)):
            others = bearers.setdefault(code, [])
            for other in (*others, *known.bearers(code)):
                if _overlap(unit, other) and (other in others or known.bears(other, code, unit)):
                    raise failing(f"row[{index}].")(
                        f"aliases[{place - 1}]" if place else "code",
                        f"{code} is the code of unit {other.number} at that time",
                    )
            others.append(unit)


def _overlap(one: Unit, other: Unit) -> bool:
    return (one.valid_to is None or other.valid_from < one.valid_to) and (
        other.valid_to is None or one.valid_from < other.valid_to
    )


def _check_successors(known: Known, units: dict[int, Unit], unit: Unit, fail: Fail) -> None:
    """Check that successors are other units that exist on when this one has closed."""
    closes = unit.valid_to
    if not unit.successors:
        return
    if closes is None:
        raise fail("successors", "only a unit that closes has successors")
    if len(set(unit.successors)) != len(unit.successors):
        raise fail("successors", "one successor stands twice")
    for place, number in enumerate(unit.successors):
        heir = units.get(number) or known.unit(number)
        if heir is None:
            raise fail(f"successors[{place}]", f"no unit has the number {number}")
        if number == unit.number:
            raise fail(f"successors[{place}]", "a unit can't succeed itself")
        if heir.valid_to is not None and heir.valid_to <= closes:
            raise fail(
                f"successors[{place}]",
                f"{heir.code} closes on {day_of(heir.valid_to)}, not after this unit",
            )
