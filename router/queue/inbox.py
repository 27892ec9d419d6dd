"""A unit's inbox: which entries wait for an address, in order.

Nothing is stored per recipient when a document is accepted.  An inbox is computed: the
entries of all topics the unit subscribes to, merged in entry order, lane by lane, minus
those whose audience does not hold the unit, minus what is final or leased.

A floor per address and lane remembers how far everything is final, so old entries are not
walked again.  When much that is final lies behind something open (leased for long, or never
settled), the floor moves past it, and what is open below the floor is kept in rows of its
own.  So a walk costs what is open for the address, and never grows with what is settled.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import Final, NamedTuple

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
_OPENED_MAX: Final = 4_096
"""Open entries that one record may note."""
_CLOSED_MAX: Final = 4_096
"""Open entries found final that one record may take off."""
_COUNT_CHUNK: Final = 1_024
_READY: Final = "ready"
_HELD: Final = "held"
_EXPIRED: Final = "expired"
_OVER: Final = "over"
_AFTER_ALL: Final = b"\xff" * 25


class Found:
    """What a walk found.

    `ready` counts the documents taken; `expired` ran out before anybody took them; `floors`
    moved; `floors_worth` says whether they alone merit a record.  `opened` and `closed`
    are changes of the open entries below the floors.  `full` ends the walk; `cut` says that
    it ended only because so many ran out: more may wait behind them.
    """

    __slots__ = (
        "closed", "cut", "digest", "expired", "expired_max", "floors", "full", "gain", "opened",
        "ready",
    )  # fmt: skip

    def __init__(self, digest: bytes, expired_max: int | None) -> None:
        self.digest = digest
        self.expired_max = expired_max
        self.ready = 0
        self.expired: list[int] = []
        self.floors: list[tuple[int, int]] = []
        self.opened: list[tuple[int, int, int, int, int]] = []
        self.closed: list[tuple[int, int]] = []
        self.gain = 0
        self.full = False
        self.cut = False

    def count(self, taken: bool, limit: int) -> None:
        """Count a document that was taken, or end the walk."""
        self.ready += taken
        self.full = not taken or self.ready >= limit

    def expire(self, document: int) -> None:
        """Note a document that ran out; too many end the walk."""
        if self.expired_max is not None:
            self.expired.append(document)
            self.full = self.cut = len(self.expired) >= self.expired_max

    def note(
        self, passage: _Passage, lane: int, entry: bytes, value: bytes, standing: str, below: bool
    ) -> None:
        """Note where an entry stands that lies below the floor or above it."""
        final = standing is _OVER or standing is _EXPIRED
        if not below:
            if final:
                passage.passed(entry)
            else:
                passage.left(entry, value)
        elif final and len(self.closed) < _CLOSED_MAX:
            self.closed.append((lane, tables.SEQUENCE.unpack(entry)[0]))

    @property
    def floors_worth(self) -> bool:
        """Whether the next walk would save enough."""
        return self.gain + len(self.closed) >= _FLOOR_GAIN_MIN


class _Passage:
    """What was passed in one lane above its floor: open entries, and final ones behind them."""

    __slots__ = ("_before", "_behind", "_clear", "_last", "_open")

    def __init__(self) -> None:
        self._clear = 0  # final entries before the first open one
        self._open: list[tuple[bytes, bytes]] = []
        self._behind = 0  # final entries after the first open one
        self._last = b""  # the last final one below a floor that may be set
        self._before = 0  # how many open ones lie before it

    def passed(self, entry: bytes) -> None:
        """Note a final entry."""
        if self._open:
            self._behind += 1
            if self._behind < _FLOOR_GAIN_MIN:
                return
        else:
            self._clear += 1
        self._last = entry
        self._before = len(self._open)

    def left(self, entry: bytes, value: bytes) -> None:
        """Note an open entry."""
        self._open.append((entry, value))

    def move_floor(self, lane: int, found: Found) -> None:
        """Note the new floor of the lane and the open entries that come to lie below it."""
        if not self._last:
            return
        floor = tables.SEQUENCE.unpack(self._last)[0]
        below = self._open[: min(self._before, _OPENED_MAX - len(found.opened))]
        if len(below) < self._before:
            floor = tables.SEQUENCE.unpack(self._open[len(below)][0])[0] - 1
        for entry, value in below:
            found.opened.append(
                (lane, tables.SEQUENCE.unpack(entry)[0], *tables.TOPIC_VALUE.unpack(value))
            )
        found.floors.append((lane, floor))
        found.gain += self._clear + (self._behind if below else 0)


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
    expired_max: int | None = LEASE_DELIVERIES_MAX,
) -> Found:
    """Find at most `limit` waiting documents: lanes strictly in order, entries in order.

    `holds` says which audiences the address is in, `held` are documents whose lease is not
    in the tables yet.  The walk ends when `take` refuses a document; `lanes` narrows it.
    It ends, too, when `expired_max` ran out; None passes over all of them and lists none.
    """
    topics = checked_topics(subscriptions)
    found = Found(tables.subscriptions_digest(topics), expired_max)
    for lane in range(LANES) if lanes is None else sorted(set(lanes)):
        _walk_lane(view, address, lane, topics, holds, held, limit, at, take, found)
        if found.full:
            break
    return found


def lanes_with_work(
    view: View,
    address: int,
    subscriptions: Iterable[bytes],
    holds: Membership,
    held: frozenset[int],
    at: int,
) -> tuple[int, ...]:
    """Return the lanes where a walk finds something to take or to note."""
    topics = checked_topics(subscriptions)
    digest = tables.subscriptions_digest(topics)
    worth = []
    for lane in range(LANES):
        found = Found(digest, 1)
        _walk_lane(view, address, lane, topics, holds, held, 1, at, lambda *_: True, found)
        if found.full or found.floors_worth:
            worth.append(lane)
    return tuple(worth)


class OpenCount(NamedTuple):
    """Deliveries of one address that are not final.

    `looked` counts the entries looked at; `more` says that they were too many, so the other
    two are what was found until then.
    """

    queued: int
    leased: int
    looked: int
    more: bool


def count_open(
    view: View,
    address: int,
    subscriptions: Iterable[bytes],
    holds: Membership,
    held: frozenset[int],
    at: int,
    looked_max: int,
) -> OpenCount:
    """Count what is queued or leased for an address at an instant; changes nothing.

    At most `looked_max` entries are looked at, those of others under the same topics included.
    """
    topics = checked_topics(subscriptions)
    digest = tables.subscriptions_digest(topics)
    queued = leased = looked = 0
    for lane in range(LANES):
        floor = _read_floor(view, address, lane, digest)
        last = b""
        for entry, value in chain(
            _open_below(view, address, lane, floor),
            _candidates(view, lane, topics, floor, _COUNT_CHUNK),
        ):
            if entry == last:
                continue
            if looked >= looked_max:
                return OpenCount(queued, leased, looked, True)
            last = entry
            looked += 1
            audience_id, document, expires = tables.TOPIC_VALUE.unpack(value)
            row = view.get(tables.DELIVERIES, tables.DELIVERY.pack(address, document))
            if row is None and document not in held and not holds[audience_id]:
                continue
            standing = _HELD if document in held else _standing(row, expires, at)
            leased += standing is _HELD
            queued += standing is _READY
    return OpenCount(queued, leased, looked, False)


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
    floor_entry = tables.SEQUENCE.pack(floor)
    passage = _Passage()
    last = b""
    for entry, value in chain(
        _open_below(view, address, lane, floor),
        _candidates(view, lane, topics, floor, 2 * limit + 16),
    ):
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
            attempts = tables.ROW.unpack_from(row)[1] if row else 0
            found.count(take(document, lane, attempts), limit)
        elif standing is _EXPIRED:
            found.expire(document)
        found.note(passage, lane, entry, value, standing, entry <= floor_entry)
        if found.full:
            break
    passage.move_floor(lane, found)


def _open_below(view: View, address: int, lane: int, floor: int) -> Iterator[tuple[bytes, bytes]]:
    """Yield (entry, topic value) of what was open when the floor moved past it."""
    if floor:
        start = tables.OPEN_ENTRY.pack(address, lane, 0)
        stop = tables.OPEN_ENTRY.pack(address, lane, floor + 1)
        for key, value in view.scan(tables.OPEN, start, stop):
            yield key[-8:], value


def _standing(row: bytes | None, expires: int, at: int) -> str:
    """Say where a member's delivery stands at an instant."""
    if row is not None:
        if row[0] >= tables.DELIVERED:
            return _OVER
        if tables.ROW.unpack_from(row)[3] > at:
            return _HELD
    return _EXPIRED if expires != tables.NO_EXPIRY and expires <= at else _READY
