"""What recipients want of their deliveries, cut so that each piece fits one record."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from router.limits import ACKNOWLEDGE_DELIVERIES_MAX, RECORD_BYTES_MAX
from router.queue.records import Settlement
from router.queue.transport import NAMES, NUMBERS

_REASONS_MAX: Final = 255
_REASON_BYTES_MAX: Final = RECORD_BYTES_MAX // 2

SETTLEMENTS: Final = {
    0: Settlement(False),
    **{32 + state: Settlement(True, name) for state, name in enumerate(NAMES)},
    **{48 + state: Settlement(True, name, True) for state, name in enumerate(NAMES)},
}
"""What the store's short answers say."""


class Wishes(NamedTuple):
    """Wishes of one record: (key, state's number, 1 + place of its reason or 0), and reasons."""

    items: list[tuple[bytes, int, int]]
    reasons: tuple[bytes, ...]


def wishes_of(items: Sequence[tuple[bytes, str, str]]) -> Iterator[Wishes]:
    """Yield the wishes (key, state, reason) in order, each key once: its first one counts."""
    found: list[tuple[bytes, int, int]] = []
    reasons: dict[bytes, int] = {}
    size = 0
    seen: set[bytes] = set()
    for key, state, reason in items:
        if key in seen:
            continue
        seen.add(key)
        said = reason.encode("utf-8", "surrogatepass")
        fresh = bool(said) and said not in reasons
        if (
            len(found) == ACKNOWLEDGE_DELIVERIES_MAX
            or (fresh and len(reasons) == _REASONS_MAX)
            or (fresh and reasons and size + len(said) > _REASON_BYTES_MAX)
        ):
            yield Wishes(found, tuple(reasons))
            found, reasons, size = [], {}, 0
        if said and said not in reasons:
            reasons[said] = len(reasons) + 1
            size += len(said)
        found.append((key, NUMBERS[state], reasons[said] if said else 0))
    if found:
        yield Wishes(found, tuple(reasons))
