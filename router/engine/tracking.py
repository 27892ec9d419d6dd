"""Who has a document and who not, since when; and why a unit receives it or does not."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from router import limits
from router._core import Audience, runs_contain
from router.directory import Snapshot
from router.engine.access import Reader
from router.engine.facts import Facts, decode_facts, read_delivery_id, read_key
from router.engine.state import Rooms
from router.errors import InputError, NotFoundError
from router.model.answers import (
    DeliveryState,
    Explanation,
    HistoryEvent,
    Lane,
    TrackedDelivery,
    Tracking,
)
from router.model.instants import show_instant
from router.model.units import TIER_NAMES, Unit
from router.ports import Clock
from router.queue import NAMES, RELEASED, EntryRow, Queue, State, StoredDocument
from router.selectors import explain, parse

QUEUED = DeliveryState.QUEUED.value
EXPIRED = DeliveryState.EXPIRED.value


class Tracker:
    """The sender's side after acceptance; thread-safe, reads only."""

    def __init__(self, rooms: Rooms, queue: Queue, clock: Clock) -> None:
        self._rooms = rooms
        self._queue = queue
        self._clock = clock

    def _found(self, document: str) -> Iterator[StoredDocument]:
        """Yield what a key (hex) or ``<sender code>|<document id>`` may mean.

        A code may have had several bearers, each with its documents: the latest comes first.
        Raises NotFoundError.
        """
        sender, bar, document_id = document.partition("|")
        keys: list[bytes | None]
        if bar:
            bearers = self._rooms.directory.bearers(sender)
            if not bearers:
                raise NotFoundError("unit.not_found", unit=sender)
            name = unicodedata.normalize("NFC", document_id)
            keys = [
                self._queue.by_document_id(unit.number, name, "new") for unit in reversed(bearers)
            ]
        else:
            keys = [read_key(document)]
        for key in keys:
            stored = self._queue.document(key) if key is not None else None
            if stored is not None:
                yield stored

    def track(self, document: str, reads: Reader, limit: int, page: int) -> Tracking:
        """Count the states by tier and list one page of deliveries, in directory order.

        `reads` says whose documents the viewer may see: whoever may not see the sender's
        finds nothing.
        """
        if not 0 <= limit <= limits.TRACKING_PAGE_MAX or page < 0:
            said = f"limit is 0 to {limits.TRACKING_PAGE_MAX}, page from 0"
            raise InputError("field.invalid", path="$.limit", reason=said)
        now_us = self._clock.now_us()
        for stored in self._found(document):
            if reads(stored.sender):
                break
        else:
            raise NotFoundError("document.not_found")
        facts = decode_facts(stored.facts)
        legs = [self._leg(entry, stored) for entry in self._queue.entries(stored.sequence)]
        legs = [leg for leg in legs if leg.entry.standing != RELEASED]
        by_tier: dict[str, Counter[str]] = {}
        for leg in legs:
            self._count(leg, now_us, by_tier)
        first, left = page * limit, limit
        deliveries: list[TrackedDelivery] = []
        for leg in legs:
            if first < leg.entry.size and left > 0:
                deliveries += self._page(leg, first, left, stored, now_us)
                left = limit - len(deliveries)
            first = max(first - leg.entry.size, 0)
        recipients = sum(leg.entry.size for leg in legs)
        more = limit > 0 and (page + 1) * limit < recipients
        return Tracking(
            key=stored.key.hex(),
            document_id=facts.document_id,
            sender=facts.sender,
            accepted_at=show_instant(facts.accepted_at),
            subject=facts.subject,
            lane=Lane(stored.lane).name.lower(),
            recipients=recipients,
            states=dict(sum((Counter(states) for states in by_tier.values()), Counter())),
            by_tier={tier: dict(+states) for tier, states in by_tier.items()},
            deliveries=tuple(deliveries),
            next_page=page + 1 if more else 0,
        )

    def _leg(self, entry: EntryRow, stored: StoredDocument) -> _Leg:
        """Return an entry with its audience and the snapshot that numbers its members."""
        held = stored.audience
        if entry.number != stored.entries[0] or entry.size != held.size:
            held = self._queue.audience(entry.audience)
        return _Leg(entry, self._rooms.snapshot(held.snapshot), Audience.from_bytes(held.runs))

    def _count(self, leg: _Leg, now_us: int, by_tier: dict[str, Counter[str]]) -> None:
        """Add an entry's members by tier and state.  Ranks of one tier stand together."""
        counted = leg.snapshot.hierarchy.count_by_class(leg.audience)
        sizes: dict[str, int] = {}
        for (tier, _), count in counted.items():
            name = TIER_NAMES.get(tier, str(tier))
            sizes[name] = sizes.get(name, 0) + count
        bounds = [0]
        for size in sizes.values():
            bounds.append(bounds[-1] + size)
        slices = self._queue.count_states(leg.entry.number, bounds, now_us)
        untouched = _untouched(leg.entry, now_us)
        for (name, size), counts in zip(sizes.items(), slices, strict=True):
            states = by_tier.setdefault(name, Counter())
            states[untouched] += size - sum(counts)
            for state, count in zip(NAMES, counts, strict=True):
                now = untouched if state == QUEUED and untouched in _OVER else state
                states[now] += count

    def _page(
        self, leg: _Leg, first: int, limit: int, stored: StoredDocument, now_us: int
    ) -> list[TrackedDelivery]:
        """Return the deliveries of an entry from one rank on."""
        positions = leg.audience.positions()[first : first + limit]
        if not len(positions):
            return []
        cells = self._queue.cells(leg.entry.number, first, len(positions))
        found = []
        for position, cell in zip(positions, cells, strict=True):
            unit = leg.snapshot.unit_at(position)
            if cell is None:
                tier = TIER_NAMES.get(unit.tier, str(unit.tier))
                state, since = _untouched(leg.entry, now_us), leg.entry.since
                if state == EXPIRED and leg.entry.standing == State.QUEUED:
                    since = leg.entry.expires
                found.append(
                    TrackedDelivery(unit.code, unit.name, tier, state, show_instant(since))
                )
            else:
                found.append(self._tracked(unit, stored, now_us))
        return found

    def _tracked(self, unit: Unit, stored: StoredDocument, now_us: int) -> TrackedDelivery:
        tier = TIER_NAMES.get(unit.tier, str(unit.tier))
        places = self._rooms.places(unit.number)
        row = self._queue.delivery(stored.key, unit.number, now_us, places)
        assert row is not None, "a member of the audience has a delivery"
        events = self._queue.history(stored.key, unit.number, now_us, places)
        history = tuple(
            HistoryEvent(
                event.state,
                show_instant(event.at),
                self._code_of(event.unit, now_us),
                event.actor,
                event.reason,
            )
            for event in (events if len(events) > 1 else ())
        )
        since = show_instant(row.since)
        return TrackedDelivery(
            unit.code, unit.name, tier, row.state, since, row.attempts, history
        )

    def _code_of(self, number: int, now_us: int) -> str:
        try:
            return self._rooms.unit(number, now_us).code if number else ""
        except NotFoundError:  # a correction says that there never was such a unit
            return ""

    def delivery(self, delivery: str, reads: Reader) -> TrackedDelivery:
        """Return one delivery with its history, for who may see its sender's or address's.

        Raises NotFoundError `delivery.not_found`, also for those of others.
        """
        now_us = self._clock.now_us()
        key, address = read_delivery_id(delivery)
        stored = self._queue.document(key)
        if stored is not None and (reads(stored.sender) or reads(address)):
            snapshot = self._rooms.snapshot(stored.audience.snapshot)
            position = snapshot.hierarchy.position(address)
            if position >= 0 and runs_contain(stored.audience.runs, position):
                return self._tracked(snapshot.unit_at(position), stored, now_us)
        raise NotFoundError("delivery.not_found")

    def explain(self, document: str, unit: str, reads: Reader) -> Explanation:
        """Say why a unit receives a document, or why not.

        Who may see the sender's documents may ask about any unit; who may see a recipient's,
        about that one.  Raises NotFoundError for documents that are not the viewer's.
        """
        for stored in self._found(document):
            facts = decode_facts(stored.facts)
            sender = reads(stored.sender)
            try:
                asked = self._rooms.unit(unit, facts.issued_at)
            except NotFoundError:
                if sender:
                    raise
                continue  # a stranger must not learn from the answer that there is a document
            snapshot = self._rooms.snapshot(stored.audience.snapshot)
            position = snapshot.hierarchy.position(asked.number)
            receives = position >= 0 and position in Audience.from_bytes(stored.audience.runs)
            if sender or (receives and reads(asked.number)):
                break
        else:
            raise NotFoundError("document.not_found")
        return Explanation(
            document=stored.key.hex(),
            unit=asked.code,
            name=asked.name,
            receives=receives,
            summary=_summary(asked, position, receives, facts, _EN),
            summary_vi=_summary(asked, position, receives, facts, _VI),
            reasons=self._reasons(snapshot, facts, position, stored.sender),
        )

    def _reasons(
        self, snapshot: Snapshot, facts: Facts, position: int, sender: int
    ) -> tuple[dict[str, str | int | bool], ...]:
        if position < 0:
            return ()
        sends = snapshot.hierarchy.position(sender)
        steps = explain(
            parse(facts.selector), snapshot, position, sender=None if sends < 0 else sends
        )
        policy: dict[str, str | int | bool] = {
            "part": "policy",
            "matched": True,
            "because": ", ".join(facts.rules),
        }
        return (*steps, policy)


class _Leg(NamedTuple):
    """An entry of a document as tracking reads it."""

    entry: EntryRow
    snapshot: Snapshot
    audience: Audience


def _untouched(entry: EntryRow, now_us: int) -> str:
    """Return where the members of an entry stand that nothing ever changed.

    What waits past the document's time to live counts as expired from that instant, whether or
    not a record says so yet.
    """
    state: str = NAMES[entry.standing]
    if state in _WAITS and entry.expires and entry.expires <= now_us:
        return EXPIRED
    return state


_WAITS = frozenset((QUEUED, "held", "waiting"))
_OVER = frozenset((EXPIRED, "withdrawn", "excluded"))


_EN = {
    "yes": "{name} receives it: selected by “{selector}” as of {at}.",
    "no": "{name} does not receive it: not selected by “{selector}” as of {at}.",
    "absent": "{name} does not receive it: it did not exist at the issue time {at}.",
}
_VI = {
    "yes": "{name} nhận văn bản: thuộc nơi nhận “{selector}” tại {at}.",
    "no": "{name} không nhận văn bản: không thuộc nơi nhận “{selector}” tại {at}.",
    "absent": "{name} không nhận văn bản: chưa có hoặc đã đóng mã tại thời điểm ban hành {at}.",
}


def _summary(unit: Unit, position: int, receives: bool, facts: Facts, words: dict[str, str]) -> str:
    kind = "yes" if receives else "absent" if position < 0 else "no"
    return words[kind].format(
        name=f"{unit.name} ({unit.code})",
        selector=facts.selector[: limits.FACT_CHARS_MAX],
        at=show_instant(facts.issued_at),
    )
