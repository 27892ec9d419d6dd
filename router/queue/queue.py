"""The queue: the one door of this room.

Every change is a record, written to the log, applied and flushed before the call returns;
callers from several threads share a flush.  Reads see all that was answered and nothing that
is not on the disk.  What is answered after a lease names only documents that are flushed; the
lease itself is flushed with the next group, or soon after.

Failures: a StorageError from a write means nothing of that call may be counted on, and
the queue refuses everything until the store is opened anew; a repeated `accept` then tells
what was kept.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from router.errors import ClosedError, StorageError
from router.limits import (
    ACKNOWLEDGE_DELIVERIES_MAX,
    DELIVERY_ATTEMPTS_MAX,
    LANES,
    LEASE_BYTES_MAX,
    LEASE_DELIVERIES_MAX,
    PLACES_REMEMBERED_MAX,
)
from router.queue import reading, records
from router.queue._leased import Leased
from router.queue._readings import Places
from router.queue.check import check_store
from router.queue.history import history_of
from router.queue.inboxes import Inbox, OpenCount, Waiting, topics_digest
from router.queue.ports import AnyStore
from router.queue.reading import TABLE, CellRow, DocumentRow, EntryRow
from router.queue.records import (
    Acceptance,
    Accepted,
    Conflict,
    DeliveryRow,
    Event,
    Overfull,
    Repeated,
    RoomRecord,
    Settlement,
    StoredAudience,
    StoredDocument,
)
from router.queue.transport import NAMES, NUMBERS, State
from router.queue.wishes import SETTLEMENTS, wishes_of

FindItem = tuple[int, str, str, str | None, bytes, int]
"""Sender, document id, act, idempotency key, content hash, instant."""
Positions = Callable[[Sequence[int]], Mapping[int, int]]
"""Says where an address stands in each of these snapshots; -1 for nowhere."""

_PAGE: Final = 2_048
_FINAL: Final = frozenset({"delivered", "refused"})
_NEW, _SAME, _OTHER_ID, _OTHER_KEY, _KEY_IN_USE, _TOO_MANY, _, _TOO_MANY_PENDING = range(8)


class Queue:
    """Documents, entries and deliveries on one store.  Thread-safe."""

    def __init__(self, store: AnyStore) -> None:
        self.store = store
        self._places: dict[int, dict[int, int]] = {}

    # Writing.

    def accept(
        self, batch: Sequence[Acceptance], also: Sequence[RoomRecord | bytes] = ()
    ) -> list[Accepted | Repeated | Conflict | Overfull]:
        """Store documents, each once by its name; one answer for each, in order.

        (sender, act, document id) and (sender, idempotency key) name a document within
        the calendar year of `at` and those beside it (`records.years_to_ask`).  `also` (bytes:
        encoded) is stored first, in the same group, whatever becomes of the batch.  Raises
        TooLargeError `record.too_large`, StorageError, ClosedError, OverloadedError; then nothing
        was stored.
        """
        rooms = [
            record if isinstance(record, bytes) else records.encode_room(record) for record in also
        ]
        taken = self.store.take(rooms + [records.encode_acceptance(item) for item in batch])
        return [
            self._answer(kind, sequence, twin, item)
            for (kind, sequence, twin), item in zip(taken[len(rooms) :], batch, strict=True)
        ]

    def _answer(
        self, kind: int, sequence: int, twin: int, item: Acceptance
    ) -> Accepted | Repeated | Conflict | Overfull:
        if kind == _NEW:
            return Accepted(sequence, twin)
        if kind == _TOO_MANY:
            return Overfull(self.store.in_flight_max)
        if kind == _TOO_MANY_PENDING:
            return Overfull(self.store.pending_max, self._overfull(item.postings) or (sequence,))
        if kind in {_SAME, _OTHER_ID, _OTHER_KEY}:
            return self._known(kind, sequence)
        raise ValueError(
            "the key of a document is in use" if kind == _KEY_IN_USE else "no acceptance record"
        )

    def _overfull(self, postings: bytes) -> tuple[int, ...]:
        """Return the units written to by name that have too much pending."""
        return tuple(
            unit
            for unit in records.units_by_name(postings)
            if self.store.pending(unit) >= self.store.pending_max
        )

    def append_rooms(self, batch: Sequence[RoomRecord]) -> list[int]:
        """Store records of other rooms in one group; return their sequences."""
        return self.store.append_raw([records.encode_room(record) for record in batch])

    def lease(
        self,
        address: int,
        subscriptions: Sequence[bytes],
        positions: Positions,
        limit: int,
        until: int,
        at: int,
        actor: str,
        *,
        unit: int = 0,
        bytes_max: int = LEASE_BYTES_MAX,
        lanes: Sequence[int] | None = None,
        attempts_max: int = DELIVERY_ATTEMPTS_MAX,
    ) -> list[Leased]:
        """Hand out at most `limit` waiting deliveries until the instant `until`.

        Flash first, yet each lower lane that waits gets one turn in eight; in entry order
        within a lane.  What an earlier lease did not settle in time comes again, in its old
        place, and is dead after `attempts_max` hand-outs.  `unit` is who asks, for the history
        (0: the address itself).  What would exceed `bytes_max` stored bytes is left for the
        next call, save the first.  `lanes` narrows the call to some lanes.
        """
        handed: list[Leased] = []
        limit = min(limit, LEASE_DELIVERIES_MAX)
        while limit > 0:
            handed, further = self._walk(
                address, subscriptions, positions, limit, until, at, unit or address, actor,
                bytes_max, lanes, attempts_max,
            )  # fmt: skip
            if handed or not further:  # else so much had run out that nothing was left
                break
        return handed

    def _walk(
        self, address: int, subscriptions: Sequence[bytes], positions: Positions, limit: int,
        until: int, at: int, unit: int, actor: str, bytes_max: int, lanes: Sequence[int] | None,
        attempts_max: int, *, look: bool = False,
    ) -> tuple[list[Any], bool]:  # fmt: skip
        topics = sorted(set(subscriptions))
        digest = topics_digest(topics)
        mask = sum(1 << lane for lane in set(range(LANES) if lanes is None else lanes))
        known = self._known_places(address)
        while True:
            found = self.store.lease(
                address, topics, digest, Places(dict(known)), limit, until, at, unit,
                actor.encode("utf-8", "surrogatepass"), bytes_max=bytes_max,
                attempts_max=attempts_max, lanes=mask, look=look,
            )  # fmt: skip
            if isinstance(found, tuple):
                return found
            known.update(positions(found))

    def settle(
        self,
        address: int,
        items: Sequence[tuple[bytes, str, str]],
        at: int,
        unit: int,
        actor: str,
        positions: Positions,
    ) -> list[Settlement]:
        """Make deliveries final: (key, "delivered" or "refused", reason), one answer each.

        A lease is not needed, membership in the audience is.  What is final stays as it
        is and is answered as repeated.
        """
        if not items:
            return []
        _, state, reason = items[0]
        keys = [key for key, said, why in items if said == state and why == reason]
        alike = len(keys) == len(items) == len(set(keys))
        if not _FINAL.issuperset((state,) if alike else (said for _, said, _ in items)):
            raise ValueError("a delivery is settled as delivered or refused")
        if alike and len(keys) <= ACKNOWLEDGE_DELIVERIES_MAX:
            return self._settle_alike(address, keys, state, reason, at, unit, actor, positions)
        return self._wish(address, items, at, unit, actor, positions)

    def _settle_alike(
        self, address: int, keys: list[bytes], state: str, reason: str, at: int, unit: int,
        actor: str, positions: Positions,
    ) -> list[Settlement]:  # fmt: skip
        known = self._known_places(address)
        while True:
            found = self.store.settle_alike(
                address, unit or address, at, actor.encode("utf-8", "surrogatepass"), keys,
                NUMBERS[state], reason.encode("utf-8", "surrogatepass"), Places(dict(known)),
            )  # fmt: skip
            if isinstance(found, bytes):
                return list(map(SETTLEMENTS.__getitem__, found))
            known.update(positions(found))

    def extend(
        self, address: int, keys: Sequence[bytes], until: int, at: int, unit: int, actor: str,
        positions: Positions,
    ) -> list[Settlement]:  # fmt: skip
        """Keep what is handed out until another instant; state "leased" says that it is so."""
        items = [(key, "leased", "") for key in keys]
        return self._wish(address, items, at, unit, actor, positions, until=until)

    def give_back(
        self, address: int, keys: Sequence[bytes], at: int, unit: int, actor: str,
        positions: Positions,
    ) -> list[Settlement]:  # fmt: skip
        """Put what is handed out back into the inbox, in its old place, for the next lease."""
        items = [(key, "queued", "") for key in keys]
        return self._wish(address, items, at, unit, actor, positions)

    def _wish(
        self, address: int, items: Sequence[tuple[bytes, str, str]], at: int, unit: int,
        actor: str, positions: Positions, *, until: int = 0,
    ) -> list[Settlement]:  # fmt: skip
        found: dict[bytes, tuple[bool, int, bool]] = {}
        known = self._known_places(address)
        for wishes in wishes_of(items):
            while True:
                answers = self.store.settle(
                    address, unit or address, at, actor.encode("utf-8", "surrogatepass"),
                    wishes.items, Places(dict(known)), wishes.reasons, until=until,
                )  # fmt: skip
                if isinstance(answers, tuple):
                    break
                known.update(positions(answers))
            found |= {wish[0]: answer for wish, answer in zip(wishes.items, answers, strict=True)}
        seen: set[bytes] = set()
        settled = []
        for key, _, _ in items:
            there, now, repeated = found[key]
            settled.append(
                Settlement(there, NAMES[now] if there else "", there and (repeated or key in seen))
            )
            seen.add(key)
        return settled

    def _known_places(self, address: int) -> dict[int, int]:
        """Return the positions of an address that were looked up before: they never change."""
        found = self._places.get(address)
        if found is None:
            if len(self._places) >= PLACES_REMEMBERED_MAX:
                self._places.clear()
            found = self._places.setdefault(address, {})
        return found

    def flush(self) -> None:
        """Make all leases durable that are not yet.  Raises StorageError."""
        self.store.flush()

    # Reading: documents.

    def find(self, items: Sequence[FindItem]) -> list[Repeated | Conflict | None]:
        """Say for each (sender, id, act, idempotency key, content, at) what is known."""
        return [self._find(*item) for item in items]

    def _find(
        self, sender: int, document_id: str, act: str, key: str | None, content: bytes, at: int
    ) -> Repeated | Conflict | None:
        kind, sequence = self.store.find(
            records.name_of_id(sender, act, document_id),
            None if key is None else records.name_of_idempotency_key(sender, key),
            content,
            records.years_to_ask(at),
        )
        return None if kind == _NEW else self._known(kind, sequence)

    def _known(self, kind: int, sequence: int) -> Repeated | Conflict:
        found = self._acceptance(sequence)
        if kind == _SAME:
            return Repeated(found.key, sequence, found.facts)
        return Conflict(found.key, "document_id" if kind == _OTHER_ID else "idempotency_key")

    def _acceptance(self, sequence: int) -> Acceptance:
        return records.decode_acceptance(self._kept(sequence), sequence)

    def _kept(self, sequence: int) -> bytes:
        data = self.store.record(sequence)
        if data is None:
            raise StorageError(
                "store.corrupt", path=f"log[{sequence}]", reason=f"log record {sequence} is missing"
            )
        return data

    def room_records(self, room: str, after: int = 0) -> Iterator[tuple[int, RoomRecord]]:
        """Yield (sequence, record) of one room in order, from after that sequence on.

        Raises StorageError `store.corrupt`.
        """
        prefix, start = records.room_prefix(room), after + 1
        while page := self.store.page(TABLE["rooms"], prefix, start, _PAGE):
            for sequence, _ in page:
                yield sequence, records.decode_room(self._kept(sequence), sequence)
            start = page[-1][0] + 1

    def document(self, key: bytes) -> StoredDocument | None:
        """Return the document of that key, or None."""
        sequence = self.store.sequence_of(key)
        if sequence is None:
            return None
        found, row = self._acceptance(sequence), self._row_of(sequence)
        return StoredDocument(
            sequence, found.key, found.sender, found.document_id, found.act, found.content,
            found.number_notation, found.lane, found.envelope, found.facts, found.audience,
            found.at, found.unit, found.actor, found.expires_at,
            tuple(entry.number for entry in self.entries(sequence)),
            0 if row is None else row.twin,
        )  # fmt: skip

    def by_document_id(self, sender: int, document_id: str, act: str) -> bytes | None:
        """Return the key of the newest document of that name in any year, or None."""
        name = records.name_of_id(sender, act, document_id)
        for year in reversed(self.store.years_with_ids()):
            row = self.store.row(TABLE["ids"], year.to_bytes(2, "big") + name)
            if row is not None:
                found = self._row_of(int.from_bytes(row[:8], "big"))
                return None if found is None else found.key
        return None

    def _row_of(self, sequence: int) -> DocumentRow | None:
        row = self.store.row(TABLE["documents"], sequence.to_bytes(8, "big"))
        return None if row is None else reading.read_document(row)

    # Reading: deliveries.

    def entries(self, document: int) -> list[EntryRow]:
        """Return the entries of a document, by its sequence, oldest first."""
        prefix = document.to_bytes(8, "big")
        page = self.store.page(TABLE["entries"], prefix, 0, _PAGE)
        return [reading.read_entry(number, value) for number, value in page]

    def audience(self, audience: int) -> StoredAudience:
        """Return the audience of an entry.  Raises StorageError `store.corrupt`."""
        row = self.store.row(TABLE["audiences"], audience.to_bytes(8, "big"))
        if row is None:
            raise StorageError("store.corrupt", reason=f"audience {audience} is missing")
        return reading.read_audience(row)

    def cells(self, entry: int, first: int, count: int) -> list[CellRow | None]:
        """Return the cells of members by rank; None for those nothing ever changed."""
        self.flush()
        block = first // reading.CELLS_A_BLOCK
        blocks = (first + count - 1) // reading.CELLS_A_BLOCK - block + 1
        found: list[CellRow | None] = [None] * (blocks * reading.CELLS_A_BLOCK)
        for number, value in self.store.page(
            TABLE["cells"], entry.to_bytes(8, "big"), block, blocks
        ):
            place = (number - block) * reading.CELLS_A_BLOCK
            if place < len(found):
                cells = list(reading.read_cells(value))
                found[place : place + len(cells)] = cells
        start = first - block * reading.CELLS_A_BLOCK
        return found[start : start + count]

    def count_states(self, entry: int, bounds: Sequence[int], at: int) -> list[list[int]]:
        """Count members by state's number in slices of their ranks; see the store's."""
        self.flush()
        return self.store.count_states(entry, bounds, at)

    def delivery(
        self, key: bytes, address: int, at: int, positions: Positions
    ) -> DeliveryRow | None:
        """Return where a delivery stands at an instant, or None: no such delivery."""
        found = self._standing(key, address, at, positions)
        if found is None:
            return None
        since = found[5]
        if not since:  # leased: its record says since when
            data = self.store.record(found[9])
            since = 0 if data is None else reading.made_of(data, found[9], found[0], found[1]).at
        return DeliveryRow(NAMES[found[3]], found[7], since, found[6])

    def _standing(
        self, key: bytes, address: int, at: int, positions: Positions
    ) -> tuple[Any, ...] | None:
        self.flush()
        sequence = self.store.sequence_of(key)
        if sequence is None:
            return None
        known = self._known_places(address)
        while True:
            found = self.store.standing(address, sequence, Places(dict(known)), at)
            if not isinstance(found, list):
                return found
            known.update(positions(found))

    def history(self, key: bytes, address: int, at: int, positions: Positions) -> list[Event]:
        """Return the changes of one delivery, oldest first, from acceptance on.

        Empty when there is no such delivery.  Of very many hand-outs the newest are kept.
        """
        sequence = self.store.sequence_of(key)
        found = self._standing(key, address, at, positions)
        if found is None or sequence is None:
            return []
        return history_of(self.store, sequence, found[0], found[1], found[9])

    # Reading: inboxes.

    def waiting(
        self, address: int, subscriptions: Sequence[bytes], positions: Positions, at: int
    ) -> bool:
        """Say whether `lease` would hand out anything now."""
        found, further = self._walk(
            address, subscriptions, positions, 1, 0, at, address, "", LEASE_BYTES_MAX, None,
            0xFF, look=True,
        )  # fmt: skip
        if any(one[5] == State.QUEUED for one in found) or (further and not found):
            return True  # also when so much is others' that only a lease gets past it
        return bool(found) and bool(self.inbox(address, subscriptions, positions, at).queued)

    def inbox(
        self, address: int, subscriptions: Sequence[bytes], positions: Positions, at: int,
        *, limit: int = _PAGE, lanes: Sequence[int] | None = None,
    ) -> Inbox:  # fmt: skip
        """Return what is open for an address in the order it would be handed out."""
        found, further = self._walk(
            address, subscriptions, positions, limit, 0, at, address, "", LEASE_BYTES_MAX, lanes,
            0xFF, look=True,
        )  # fmt: skip
        lines = [Waiting(one[0], one[1], one[3], one[4], NAMES[one[5]]) for one in found]
        return Inbox(
            tuple(line for line in lines if line.state == "queued"),
            tuple(line for line in lines if line.state == "leased"),
            further or len(lines) >= limit,
        )

    def inbox_keys(
        self, address: int, subscriptions: Sequence[bytes], positions: Positions, at: int,
        *, limit: int = _PAGE,
    ) -> list[bytes]:  # fmt: skip
        """Return the keys of the first documents open for an address, and nothing else."""
        topics = sorted(set(subscriptions))
        digest = topics_digest(topics)
        known = self._known_places(address)
        while True:
            found = self.store.inbox_keys(address, topics, digest, Places(dict(known)), limit, at)
            if isinstance(found, tuple):
                return list(found)
            known.update(positions(found))

    def lanes_to_lease(
        self, address: int, subscriptions: Sequence[bytes], positions: Positions, at: int
    ) -> tuple[int, ...]:
        """Return the lanes where `lease` would hand out anything now."""
        return tuple(
            lane
            for lane in range(LANES)
            if self.inbox(address, subscriptions, positions, at, lanes=(lane,), limit=256).queued
        )

    def open_count(
        self, address: int, subscriptions: Sequence[bytes], positions: Positions, at: int,
        *, looked_max: int,
    ) -> OpenCount:  # fmt: skip
        """Count the deliveries of an address that are queued or leased, up to a bound."""
        found = self.inbox(address, subscriptions, positions, at, limit=looked_max)
        return OpenCount(len(found.queued), len(found.leased), found.more)

    # Operation.

    def counts(self) -> dict[str, int]:
        """Return the counters: see `tables.COUNTERS`."""
        self.flush()
        return self.store.counts()

    def check(self) -> list[str]:
        """Return what is wrong with the idle store, in words with the place: see `check`.

        Raises `check.MovedError` when somebody wrote meanwhile.
        """
        self.flush()
        return check_store(self.store)

    def healthy(self) -> bool:
        """Return False once a write or flush has failed."""
        return self.store.healthy()

    def close(self) -> None:
        """Flush what is pending and close the store; idempotent."""
        with contextlib.suppress(StorageError, ClosedError):
            self.flush()
        self.store.close()
