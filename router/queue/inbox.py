"""A unit's inbox: which entries wait for an address, in order.

Nothing is stored per recipient when a document is accepted.  An inbox is computed: the
entries of all topics the unit subscribes to, merged in entry order, lane by lane, minus
those whose audience does not hold the unit, minus what is final or leased.  A floor per
address and lane remembers how far everything is final, so old entries are not walked again.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Final

from router.limits import LANES, LEASE_DELIVERIES_MAX, TOPIC_BYTES_MAX
from router.ports import View
from router.queue import tables
from router.queue.records import StoredAudience

Member = Callable[[int, bytes], bool]
"""Says whether the address is in (snapshot, runs)."""
ReadAudience = Callable[[View, int], StoredAudience]
Take = Callable[[int, int, int], bool]
"""Takes (sequence, lane, attempts so far) of a waiting document, or says that it is too much."""

_FLOOR_GAIN_MIN: Final = 512
"""How many final entries must lie behind before a floor alone is worth a record."""
_READY: Final = "ready"
_HELD: Final = "held"
_EXPIRED: Final = "expired"
_OVER: Final = "over"
_AFTER_ALL: Final = b"\xff" * 25


class Found:
    """What a walk found.

    `ready` counts the documents taken; `expired` ran out before anybody took them; `floors`
    moved; `floors_worth` says whether they alone merit a record.  `full` ends the walk.
    """

    __slots__ = ("digest", "expired", "floors", "full", "gain", "ready")

    def __init__(self, digest: bytes) -> None:
        self.digest = digest
        self.ready = 0
        self.expired: list[int] = []
        self.floors: list[tuple[int, int]] = []
        self.gain = 0
        self.full = False

    def count(self, taken: bool, limit: int) -> None:
        """Count a document that was taken, or end the walk."""
        self.ready += taken
        self.full = not taken or self.ready >= limit

    @property
    def floors_worth(self) -> bool:
        """Whether the next walk would save enough."""
        return self.gain >= _FLOOR_GAIN_MIN


def walk(
    view: View,
    address: int,
    subscriptions: Iterable[bytes],
    holds: Membership,
    held: frozenset[int],
    limit: int,
    at: int,
    take: Take,
    lanes: Sequence[int] | None = None,
) -> Found:
    """Find at most `limit` waiting documents: lanes strictly in order, entries in order.

    `holds` says which audiences the address is in, `held` are documents whose lease is not
    in the tables yet.  The walk ends when `take` refuses a document; `lanes` narrows it.
    """
    topics = checked_topics(subscriptions)
    found = Found(tables.subscriptions_digest(topics))
    for lane in range(LANES) if lanes is None else sorted(set(lanes)):
        _walk_lane(view, address, lane, topics, holds, held, limit, at, take, found)
        if found.full:
            break
    return found


class Membership(dict[int, bool]):
    """Whether an address is in the audience of an id: asks `member` once for each."""

    def __init__(self, view: View, member: Member, read_audience: ReadAudience) -> None:
        super().__init__()
        self._view = view
        self._member = member
        self._read_audience = read_audience

    def __missing__(self, audience_id: int) -> bool:
        audience = self._read_audience(self._view, audience_id)
        answer = self[audience_id] = self._member(audience.snapshot, audience.runs)
        return answer


def checked_topics(topics: Iterable[bytes]) -> list[bytes]:
    """Return the topics sorted, each once.  Raises ValueError for one that is too long."""
    found = sorted(set(topics))
    if any(not 0 < len(topic) <= TOPIC_BYTES_MAX for topic in found):
        raise ValueError("a topic has 1 to 16 bytes")
    return found


def _read_floor(view: View, address: int, lane: int, digest: bytes) -> int:
    """Return the floor; 0 when it was found under other subscriptions."""
    stored = view.get(tables.FLOORS, tables.FLOOR.pack(address, lane))
    if stored is None:
        return 0
    under, entry = tables.FLOOR_VALUE.unpack(stored)
    return entry if under == digest else 0


def _candidates(
    view: View, lane: int, topics: Sequence[bytes], floor: int, chunk: int
) -> Iterator[tuple[bytes, bytes]]:
    """Yield (entry, topic value) of all topics in entry order; one may come repeatedly.

    Each topic is read `chunk` rows at a time; what lies past the shortest reading (the
    horizon) waits for the next round.
    """
    start = tables.SEQUENCE.pack(floor + 1)
    prefixes = [tables.topic_prefix(lane, topic) for topic in topics]
    while True:
        horizon = b""
        batch: list[tuple[bytes, bytes]] = []
        for prefix in prefixes:
            rows = view.scan(tables.TOPICS, prefix + start, prefix + _AFTER_ALL)
            found = [(key[-8:], value) for key, value in islice(rows, chunk)]
            batch += found
            if len(found) == chunk and (not horizon or found[-1][0] < horizon):
                horizon = found[-1][0]
        batch.sort()
        if not horizon:
            yield from batch
            return
        yield from batch[: bisect_right(batch, (horizon, _AFTER_ALL))]
        start = tables.SEQUENCE.pack(tables.SEQUENCE.unpack(horizon)[0] + 1)


def _walk_lane(
    view: View,
    address: int,
    lane: int,
    topics: Sequence[bytes],
    holds: Membership,
    held: frozenset[int],
    limit: int,
    at: int,
    take: Take,
    found: Found,
) -> None:
    """Walk one lane; note what was found and how far everything is final."""
    get, unpack, pack_row = view.get, tables.TOPIC_VALUE.unpack, tables.DELIVERY.pack
    floor = _read_floor(view, address, lane, found.digest)
    clear = True
    passed = 0
    last = b""
    below = b""
    for entry, value in _candidates(view, lane, topics, floor, 2 * limit + 16):
        if entry == last:
            continue
        last = entry
        row = None
        audience_id, document, expires = unpack(value)
        if document in held:
            standing = _HELD
        else:  # a row proves membership, and costs less than asking for it
            row = get(tables.DELIVERIES, pack_row(address, document))
            member = row is not None or holds[audience_id]
            standing = _standing(row, expires, at) if member else _OVER
        if standing is _READY:
            clear = False
            attempts = tables.ROW.unpack_from(row)[1] if row else 0
            found.count(take(document, lane, attempts), limit)
        elif standing is _HELD:
            clear = False
        else:
            if standing is _EXPIRED:
                found.expired.append(document)
            if clear:
                below = entry
                passed += 1
            found.full = len(found.expired) >= LEASE_DELIVERIES_MAX
        if found.full:
            break
    if below:
        found.floors.append((lane, tables.SEQUENCE.unpack(below)[0]))
        found.gain += passed


def _standing(row: bytes | None, expires: int, at: int) -> str:
    """Say where a member's delivery stands at an instant."""
    if row is not None:
        if row[0] >= tables.DELIVERED:
            return _OVER
        if tables.ROW.unpack_from(row)[3] > at:
            return _HELD
    return _EXPIRED if expires != tables.NO_EXPIRY and expires <= at else _READY
