"""Whom a selector means, as known at a time, and why a unit is among them or not."""

from __future__ import annotations

from typing import Final

from router import limits
from router._core import Audience
from router.directory import ResolveItem, Snapshot
from router.directory.resolve import Resolution
from router.engine.emptied import resolved_one, with_reform
from router.engine.state import Rooms
from router.errors import InputError, NotFoundError, VanbanError
from router.model.answers import Resolved, ResolvedUnit, RollUp, UnitExplained
from router.model.instants import INSTANT_MAX, show_instant
from router.model.units import TIER_NAMES, Unit, normal_code
from router.ports import Clock
from router.selectors import instant_of_selector, roll_up_lines, why, words_of_line

RESOLVED_UNITS_DEFAULT: Final = 100


class Resolver:
    """Answers about selectors; only reads."""

    def __init__(self, rooms: Rooms, clock: Clock) -> None:
        self._rooms = rooms
        self._clock = clock

    def resolve(
        self,
        selector: str,
        *,
        at_us: int | None,
        known_at_us: int | None,
        sender: str | int | None,
        explain: str | None,
        roll_up: bool,
        limit: int,
        page: int,
    ) -> Resolved:
        """See `Engine.resolve`."""
        at = self._clock.now_us() if at_us is None else at_us
        _check("at_us", at, INSTANT_MAX)
        _check("limit", limit, limits.UNITS_MAX)
        _check("page", page, limits.UNITS_MAX)
        directory = self._rooms.directory
        sequence = None
        if known_at_us is not None:
            _check("known_at_us", known_at_us, INSTANT_MAX)
            sequence = directory.sequence_at(known_at_us)
        sends = None
        if sender is not None:
            sends = unit_at(directory.snapshot(at, sequence), sender, at)
        item = ResolveItem(selector, at, sender=None if sends is None else sends.number)
        answer = resolved_one(directory, item, sequence)
        if isinstance(answer, VanbanError):
            raise with_reform(directory, answer, item, sequence)
        found = _answer(answer, at, limit, page)
        fields: dict[str, object] = {}
        if not answer.snapshot.holds(at):
            used = instant_of_selector(answer.node)
            fields["directory_at"] = show_instant(at if used is None else used)
        if known_at_us is not None:
            fields["known_at"] = show_instant(known_at_us)
        if sends is not None:
            fields["sender"] = sends.code
        if roll_up:
            fields["roll_up"] = _roll_up(answer)
        if explain is not None:
            fields["explanation"] = _explain(answer, explain, sends)
        return _replaced(found, fields)


def _replaced(found: Resolved, fields: dict[str, object]) -> Resolved:
    return Resolved(**{name: getattr(found, name) for name in found.__struct_fields__} | fields)


def _check(name: str, value: int, most: int) -> None:
    if not 0 <= value <= most:
        said = f"0 to {most} is taken"
        if most == INSTANT_MAX:
            said = "an instant is from 1970 to 9999, in microseconds"
        raise InputError("field.invalid", path=f"$.{name}", reason=said)


def unit_at(snapshot: Snapshot, reference: str | int, at_us: int) -> Unit:
    """Return a unit as it stood at an instant, as known in the snapshot.

    `reference` is a stable number ("#17" too) or any code: its bearer then, else the last
    one; two, three or five digits are a GSO code where no unit bears them as they are.
    Raises NotFoundError `unit.not_found`.
    """
    known = snapshot.known
    if isinstance(reference, str) and reference.startswith("#") and reference[1:].isdigit():
        reference = int(reference[1:])
    if isinstance(reference, int):
        unit = known.unit(reference, at_us) if known.life(reference) else None
    else:
        code = normal_code(reference)
        spellings = [code]
        if code.isascii() and code.isdigit():
            spellings.append(f"GSO:{code}")
        unit = next(filter(None, (_bearer(snapshot, one, at_us) for one in spellings)), None)
    if unit is None:
        raise NotFoundError("unit.not_found", unit=str(reference))
    return unit


def _bearer(snapshot: Snapshot, code: str, at_us: int) -> Unit | None:
    known = snapshot.known
    number = known.find(code, at_us)
    if not number:
        bearers = known.bearers(code)
        number = bearers[-1].number if bearers else 0
    return known.unit(number, at_us) if number and known.life(number) else None


def _answer(answer: Resolution, at: int, limit: int, page: int) -> Resolved:
    snapshot, audience = answer.snapshot, answer.audience
    positions = list(audience.positions())[page * limit : (page + 1) * limit]
    more = limit and (page + 1) * limit < audience.size
    return Resolved(
        selector=answer.selector,
        at=show_instant(at),
        size=audience.size,
        by_tier=count_tiers(snapshot, audience),
        audience_sha256=snapshot.hierarchy.digest(audience).hex(),
        units=tuple(_resolved(snapshot.unit_at(position)) for position in positions),
        skipped=answer.skipped,
        next_page=page + 1 if more else 0,
    )


def count_tiers(snapshot: Snapshot, audience: Audience) -> dict[str, int]:
    """Return the members of an audience by the name of their tier."""
    counts = snapshot.hierarchy.count_by_tier(audience)
    return {tier_name(tier): members for tier, (members, _) in counts.items() if members}


def tier_name(tier: int) -> str:
    """Return the word of a tier, or its number."""
    return TIER_NAMES.get(tier, str(tier))


def _resolved(unit: Unit) -> ResolvedUnit:
    return ResolvedUnit(unit.code, unit.name, tier_name(unit.tier), unit.kind)


def _roll_up(answer: Resolution) -> tuple[RollUp, ...]:
    return tuple(
        RollUp(
            line.code, line.name, line.tier, line.tiers, line.complete,
            words_of_line(line), words_of_line(line, "vi"), line.subtrees,
        )
        for line in roll_up_lines(answer.snapshot, answer.audience)
    )  # fmt: skip


def _explain(answer: Resolution, code: str, sender: Unit | None) -> UnitExplained:
    """Say why a unit is in an audience or not, also when it is not in the snapshot."""
    snapshot = answer.snapshot
    try:
        unit = unit_at(snapshot, code, snapshot.valid_from)
    except NotFoundError:
        unit = None
    position = -1 if sender is None else snapshot.hierarchy.position(sender.number)
    asked = normal_code(code)
    if unit is not None and asked not in (unit.code, *unit.aliases):
        # Named by number or by bare digits.  One that is not open keeps the code it was
        # asked by: its first one may be another unit's by now.
        asked = f"GSO:{asked}" if f"GSO:{asked}" in unit.aliases else unit.code
    found = why(answer.node, snapshot, asked, sender=None if position < 0 else position)
    reason = found.reason
    return UnitExplained(
        unit=asked if unit is None else unit.code,
        name="" if unit is None else unit.name,
        selected=found.selected,
        reason=reason.code,
        words=reason.words,
        words_vi=reason.words_vi,
        part=reason.part,
        position=reason.position,
        steps=tuple(found.steps),
    )
