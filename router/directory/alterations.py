"""What is different about a unit, one thing at a time, ready to be told."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from router.model.units import Contact, DeliverySettings, Unit

KINDS: Final = (
    "opened", "known_later", "imported", "renamed", "retagged", "rekinded", "moved",
    "retiered", "recoded", "contact", "delivery", "corrected", "closed", "closed_unknown",
)  # fmt: skip
"""What an alteration can be, in the order they are told."""


class Alteration(msgspec.Struct, frozen=True):
    """One unit is different in one way: `what` (of `KINDS`), from `before` to `after`.

    Of a unit that opens `before` names whom it succeeds and `after` its parent.
    `code` and `name` are those before (of a unit that opens: those it opens with).
    `number` is 0 for a unit that has none yet.
    """

    what: str
    code: str
    name: str
    before: str = ""
    after: str = ""
    number: int = 0
    at_us: int | None = None


def label(unit: Unit | None) -> str:
    """Return a unit as it is named in a sentence, "—" for none."""
    return "—" if unit is None else f"{unit.name} ({unit.code})"


def in_order(alterations: Iterable[Alteration]) -> tuple[Alteration, ...]:
    """Return alterations in the order they are told: by kind, then by code."""
    return tuple(
        sorted(alterations, key=lambda told: (KINDS.index(told.what), told.code, told.number))
    )


def alterations_of(
    before: Unit, after: Unit, units_before: Mapping[int, Unit], units_after: Mapping[int, Unit]
) -> list[Alteration]:
    """Return what is different between two states of one unit, its life aside.

    The two mappings give the names of parents.
    """
    found = []

    def differs(what: str, was: str, now: str) -> None:
        found.append(
            Alteration(
                what=what,
                code=before.code,
                name=before.name,
                before=was,
                after=now,
                number=before.number,
            )
        )

    if before.name != after.name:
        differs("renamed", before.name, after.name)
    if set(before.tags) != set(after.tags):
        differs("retagged", ", ".join(before.tags), ", ".join(after.tags))
    if before.kind != after.kind:
        differs("rekinded", before.kind, after.kind)
    if before.parent != after.parent:
        differs("moved", _parent(before, units_before), _parent(after, units_after))
    if before.tier != after.tier:
        differs("retiered", str(before.tier), str(after.tier))
    if before.code != after.code or set(before.aliases) != set(after.aliases):
        differs("recoded", _codes(before), _codes(after))
    if (before.contact or Contact()) != (after.contact or Contact()):
        differs("contact", "", "")
    if (before.delivery or DeliverySettings()) != (after.delivery or DeliverySettings()):
        differs("delivery", "", "")
    return found


def compare(before: Iterable[Unit], after: Iterable[Unit]) -> tuple[Alteration, ...]:
    """Return what changed between two dates of one directory: units open at each.

    Units that are gone are told with their successors, where the state before (or a unit
    after) names them.
    """
    was = {unit.number: unit for unit in before}
    now = {unit.number: unit for unit in after}
    found: list[Alteration] = []
    for number, unit in was.items():
        if number in now:
            found += alterations_of(unit, now[number], was, now)
            continue
        heirs = [label(now.get(heir) or was.get(heir)) for heir in unit.successors]
        found.append(
            Alteration(
                what="closed" if heirs else "closed_unknown",
                code=unit.code,
                name=unit.name,
                after="; ".join(heirs),
                number=number,
                at_us=unit.valid_to,
            )
        )
    former: dict[int, list[str]] = {}
    for unit in was.values():
        for heir in unit.successors:
            former.setdefault(heir, []).append(label(unit))
    found += [
        Alteration(
            what="opened",
            code=unit.code,
            name=unit.name,
            number=number,
            before="; ".join(former.get(number, ())),
            after=label(now.get(unit.parent)) if unit.parent in now else "",
            at_us=unit.valid_from,
        )
        for number, unit in now.items()
        if number not in was
    ]
    return in_order(found)


def _parent(unit: Unit, units: Mapping[int, Unit]) -> str:
    if unit.parent is None:
        return "—"
    return label(units.get(unit.parent)) if unit.parent in units else str(unit.parent)


def _codes(unit: Unit) -> str:
    return " ".join((unit.code, *unit.aliases))
