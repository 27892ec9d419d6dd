"""Who may succeed a unit that a list no longer holds: proposals for a person, never applied."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from router.directory.alterations import Alteration
from router.directory.matching import Known
from router.directory.states import Stated
from router.model.units import Unit

CANDIDATES_MAX = 3
_CLASS_WORDS = frozenset({
    "xã", "phường", "thị", "trấn", "huyện", "quận", "thành", "phố", "tỉnh", "đặc", "khu",
})  # fmt: skip


class Suggestion(msgspec.Struct, frozen=True):
    """Units that may succeed a closed one, the likeliest first: (code, name) as they stand then.

    They bear its code, or they lie below the same parent and changed at the same instant,
    and share words of the name (a merged commune is often named after both).
    """

    number: int
    code: str
    name: str
    candidates: tuple[tuple[str, str], ...]


def suggestions_for(
    closing: Sequence[Unit], told: Iterable[Alteration], stated: Stated, known: Known
) -> tuple[Suggestion, ...]:
    """Return proposals for closing units, in their order; none where nothing fits."""
    fresh_codes: dict[str, Unit] = {}
    changed: dict[int | None, list[Unit]] = {}
    for number, unit in stated.units_after.items():
        if number < 0:
            fresh_codes[unit.code] = unit
    for alteration in told:
        if alteration.what == "renamed":
            unit = known.open[alteration.number]
            changed.setdefault(unit.parent, []).append(
                msgspec.structs.replace(unit, name=alteration.after)
            )
    for unit, parent in stated.fresh_units():
        changed.setdefault(parent, []).append(unit)
    found = []
    for unit in closing:
        same = fresh_codes.get(unit.code)
        candidates = [same] if same else _alike(unit, changed.get(unit.parent, []))
        if candidates:
            pairs = tuple((other.code, other.name) for other in candidates[:CANDIDATES_MAX])
            found.append(Suggestion(unit.number, unit.code, unit.name, pairs))
    return tuple(found)


def _alike(unit: Unit, others: Sequence[Unit]) -> list[Unit]:
    """Return the units of the same tier that share words of its name, else the only one."""
    words = _words(unit.name)
    peers = [other for other in others if other.tier == unit.tier]
    shared = sorted(
        ((-len(words & _words(other.name)), other.code, other) for other in peers),
        key=lambda entry: entry[:2],
    )
    alike = [other for score, _, other in shared if score]
    return alike or (peers if len(peers) == 1 else [])


def _words(name: str) -> frozenset[str]:
    return frozenset(name.casefold().split()) - _CLASS_WORDS
