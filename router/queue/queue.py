"""The queue: the one door of this room.

Every change is a record, appended and applied in one group and flushed before the call
returns; callers from several threads share groups (group.py).  Reads see all that was
answered and nothing that is not on the disk.

Failures: a StorageError from a write means nothing of that call may be counted on, and
the queue refuses everything until the store is opened anew; a repeated `accept` then tells
what was kept.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import Final

from router.errors import ClosedError, StorageError
from router.limits import (
    AUDIENCE_CACHE_BYTES_MAX,
    DOCUMENT_CACHE_BYTES_MAX,
    LANES,
    LEASE_BYTES_MAX,
    LEASE_DELIVERIES_MAX,
)
from router.model.instants import year_of
from router.ports import Store, Transaction, View
from router.queue import state, tables
from router.queue.cache import Cache, audience_bytes, document_bytes
from router.queue.check import check_store
from router.queue.group import GroupCommit
from router.queue.handout import Handout
from router.queue.inbox import (
    Found,
    Member,
    Membership,
    OpenCount,
    checked_topics,
    count_open,
    lanes_with_work,
    walk,
)
from router.queue.pending import PENDING_LEASES_MAX, IdleFlusher, PendingLeases
from router.queue.reading import (
    pages_of_addresses,
    pages_of_all,
    record_at,
    sequence_of,
    who_made,
)
from router.queue.records import (
    Acceptance,
    Accepted,
    Conflict,
    DeliveryRow,
    Event,
    Leased,
    LeaseRecord,
    Repeated,
    RoomRecord,
    Settlement,
    SettleRecord,
    StoredAudience,
    StoredDocument,
    encode,
)
from router.queue.settling import settle_parts, settlement

FindItem = tuple[int, str, str, str | None, bytes, int]
"""Sender, document id, act, idempotency key, content hash, instant."""

_PAGE: Final = 2_048
_AFTER_ALL: Final = b"\xff" * 9
_CONTENT_BYTES: Final = 32


class Queue:
    """Documents, entries and deliveries on one store.  Thread-safe."""

    def __init__(
        self, store: Store, *, document_cache_bytes: int = DOCUMENT_CACHE_BYTES_MAX
    ) -> None:
        self._store = store
        self._pending = PendingLeases()
        self._commit = GroupCommit(store, self._pending)
        self._leasing = threading.Lock()  # one lease is computed at a time
        self._idle: IdleFlusher | None = None
        if store.idle_flush_s is not None:
            self._idle = IdleFlusher(self.flush, store.idle_flush_s)
        self._documents = Cache(document_cache_bytes, document_bytes)
        self._audiences = Cache(AUDIENCE_CACHE_BYTES_MAX, audience_bytes)

    # Writing.

    def accept(
        self, batch: Sequence[Acceptance], also: Sequence[RoomRecord] = ()
    ) -> list[Accepted | Repeated | Conflict]:
        """Store documents, each once by its name; one answer for each, in order.

        (sender, act, document id) and (sender, idempotency key) name a document within
        the calendar year of `at`, the one before and the one after.  `also` is stored
        first, in the same group, whatever becomes of the batch.  Raises TooLargeError
        `record.too_large`, StorageError, ClosedError; then nothing was stored.
        """
        documents = [(item, encode(_checked(item))) for item in batch]
        rooms = [(record, encode(record)) for record in also]

        def operation(txn: Transaction) -> list[Accepted | Repeated | Conflict]:
            for record, data in rooms:
                state.apply(record, txn.append(data), txn)
            answers: list[Accepted | Repeated | Conflict] = []
            for item, data in documents:
                known = self._known(
                    txn, item.sender, item.document_id, item.act, item.idempotency_key,
                    item.content, item.at,
                )  # fmt: skip
                if known is not None:
                    answers.append(known)
                    continue
                if txn.get(tables.KEYS, item.key) is not None:
                    raise ValueError("the key of a document is in use")
                sequence = txn.append(data)
                state.apply(item, sequence, txn)
                answers.append(Accepted(sequence))
            return answers

        size = sum(len(data) for _, data in documents) + sum(len(data) for _, data in rooms)
        return self._commit.run(operation, size)

    def append_rooms(self, records: Sequence[RoomRecord]) -> list[int]:
        """Store records of other rooms in one group; return their sequences."""
        pairs = [(record, encode(record)) for record in records]

        def operation(txn: Transaction) -> list[int]:
            sequences = []
            for record, data in pairs:
                sequence = txn.append(data)
                state.apply(record, sequence, txn)
                sequences.append(sequence)
            return sequences

        return self._commit.run(operation, sum(len(data) for _, data in pairs))

    def lease(
        self,
        address: int,
        subscriptions: Sequence[bytes],
        member: Member,
        limit: int,
        until: int,
        at: int,
        actor: str,
        *,
        unit: int = 0,
        bytes_max: int = LEASE_BYTES_MAX,
        lanes: Sequence[int] | None = None,
    ) -> list[Leased]:
        """Hand out at most `limit` waiting deliveries until the instant `until`.

        Lane 0 first, in entry order within a lane.  What an earlier lease did not settle
        in time comes again, in its old place.  Documents past their time to live are
        marked expired.  `member(snapshot, runs)` says whether the address is in there.
        `unit` is who asks, for the history (0: the address itself).  What would exceed
        `bytes_max` stored bytes is left for the next call, save the first.  `lanes` narrows
        the call to some lanes.

        Only what is on the disk is handed out; the lease itself is flushed with the next
        group, or soon after.  A crash before that hands the same deliveries out again.
        """
        limit = min(limit, LEASE_DELIVERIES_MAX)
        topics = checked_topics(subscriptions)
        handout = Handout(bytes_max)
        leased = handout.leased
        more = limit > 0
        while more:
            taken = len(leased)
            with self._leasing:
                found = self._walk_to_lease(
                    address, topics, member, limit - taken, at, handout, lanes
                )
                if len(leased) > taken or found.expired or found.floors_worth:
                    self._pending.add(LeaseRecord(
                        address, tuple([item.sequence for item in leased[taken:]]),
                        tuple(found.expired), tuple(found.floors), found.digest, until, at, actor,
                        unit, tuple(found.opened), tuple(found.closed),
                    ))  # fmt: skip
                    if self._idle is not None:
                        self._idle.wake()
            more = found.cut
            if more:  # what ran out must not hide what waits behind it, nor let others overtake
                self.flush()  # each round makes that many final, so the rounds end
        return leased

    def settle(
        self,
        address: int,
        items: Sequence[tuple[bytes, str, str]],
        at: int,
        unit: int,
        actor: str,
        member: Member,
    ) -> list[Settlement]:
        """Make deliveries final: (key, "delivered" or "refused", reason), one answer each.

        A lease is not needed, membership in the audience is.  What is final stays as it
        is and is answered as repeated.
        """
        wanted = [(key, tables.STATE_NUMBERS[name], reason) for key, name, reason in items]
        if any(number not in {tables.DELIVERED, tables.REFUSED} for _, number, _ in wanted):
            raise ValueError("a delivery is settled as delivered or refused")

        def operation(txn: Transaction) -> list[Settlement]:
            holds = Membership(txn, member, self._audience)
            moves: dict[int, tuple[int, str]] = {}
            answers = []
            for key, number, reason in wanted:
                answer, sequence = settlement(txn, address, key, number, holds, moves)
                if answer.found and not answer.repeated:
                    moves[sequence] = (number, reason)
                answers.append(answer)
            for part in settle_parts(moves):
                record = SettleRecord(address, part, at, unit, actor)
                state.apply(record, txn.append(encode(record)), txn)
            return answers

        return self._commit.run(operation)

    def flush(self) -> None:
        """Make all leases durable that are not yet.  Raises StorageError."""
        if self._pending:
            self._commit.run(lambda _: None)

    # Reading.

    def find(self, items: Sequence[FindItem]) -> list[Repeated | Conflict | None]:
        """Say for each (sender, id, act, idempotency key, content, at) what is known."""
        with self._store.view() as view:
            return [self._known(view, *item) for item in items]

    def waiting(
        self, address: int, subscriptions: Sequence[bytes], member: Member, at: int
    ) -> bool:
        """Say whether `lease` would hand out anything now."""
        held = self._pending.held(address, at)
        if held is None:
            self.flush()
            held = frozenset()
        with self._store.view() as view:
            holds = Membership(view, member, self._audience)
            found = walk(
                view, address, subscriptions, holds, held, 1, at, lambda *_: True, expired_max=None
            )
            return found.ready > 0

    def lanes_to_lease(
        self, address: int, subscriptions: Sequence[bytes], member: Member, at: int
    ) -> tuple[int, ...]:
        """Return the lanes where `lease` would hand out or note anything now."""
        held = self._pending.held(address, at)
        if held is None:
            self.flush()
            held = frozenset()
        with self._store.view() as view:
            holds = Membership(view, member, self._audience)
            return lanes_with_work(view, address, subscriptions, holds, held, at)

    def open_count(
        self,
        address: int,
        subscriptions: Sequence[bytes],
        member: Member,
        at: int,
        *,
        looked_max: int,
    ) -> OpenCount:
        """Count the deliveries of an address that are queued or leased; see `count_open`."""
        held = self._pending.held(address, at)
        if held is None:
            self.flush()
            held = frozenset()
        with self._store.view() as view:
            holds = Membership(view, member, self._audience)
            return count_open(view, address, subscriptions, holds, held, at, looked_max)

    def room_records(self, room: str) -> Iterator[tuple[int, RoomRecord]]:
        """Yield (sequence, record) of one room in order."""
        prefix = tables.room_prefix(room)
        start = 0
        while True:
            with self._store.view() as view:
                page = []
                for key, _ in view.scan(
                    tables.ROOMS, prefix + tables.SEQUENCE.pack(start), prefix + _AFTER_ALL
                ):
                    sequence = tables.SEQUENCE.unpack(key[-8:])[0]
                    record = record_at(view, sequence)
                    assert isinstance(record, RoomRecord)
                    page.append((sequence, record))
                    if len(page) >= _PAGE:
                        break
            if not page:
                return
            yield from page
            start = page[-1][0] + 1

    def document(self, key: bytes) -> StoredDocument | None:
        """Return the document of that key, or None."""
        with self._store.view() as view:
            sequence = sequence_of(view, key)
            if sequence is None:
                return None
            found = self._document_at(view, sequence)
            packed = tables.SEQUENCE.pack(sequence)
            entries = tuple(
                tables.ENTRY.unpack(entry)[1]
                for entry, _ in view.scan(tables.ENTRIES, packed, packed + _AFTER_ALL)
            )
        return StoredDocument(
            sequence, found.key, found.sender, found.document_id, found.act, found.content,
            found.number_notation, found.lane, found.envelope, found.facts, found.audience,
            found.at, found.unit, found.actor, found.expires_at, entries,
        )  # fmt: skip

    def by_document_id(self, sender: int, document_id: str, act: str) -> bytes | None:
        """Return the key of the newest document of that name in any year, or None."""
        name = tables.name_of_id(sender, act, document_id)
        found = None
        with self._store.view() as view:
            start = b"\0"
            while item := next(view.scan(tables.IDS, start, _AFTER_ALL), None):
                year = int.from_bytes(item[0][:2], "big")
                found = view.get(tables.IDS, tables.dated(year, name)) or found
                start = (year + 1).to_bytes(3, "big")[1:] if year < 0xFFFF else _AFTER_ALL
            return None if found is None else view.get(tables.DOCUMENTS, found)

    def deliveries(
        self, key: bytes, addresses: Iterable[int] | None = None
    ) -> Iterator[tuple[int, DeliveryRow]]:
        """Yield (address, row) of the deliveries of a document that have a row, by address.

        The other members of its audience are queued since acceptance.  `addresses`
        narrows the search and may speed it up.
        """
        self.flush()
        with self._store.view() as view:
            sequence = sequence_of(view, key)
        if sequence is None:
            return
        if addresses is not None:
            pages = pages_of_addresses(self._store, sequence, addresses)
        else:
            pages = pages_of_all(self._store, sequence)
        for page in pages:
            yield from page

    def delivery(self, key: bytes, address: int) -> DeliveryRow | None:
        """Return one delivery's row, or None when it is queued (or no such delivery)."""
        self.flush()
        with self._store.view() as view:
            sequence = sequence_of(view, key)
            if sequence is None:
                return None
            row = view.get(tables.DELIVERIES, tables.DELIVERY.pack(address, sequence))
        return None if row is None else tables.read_row(row)

    def history(self, key: bytes, address: int) -> list[Event]:
        """Return the changes of one delivery, oldest first, from "queued" on.

        Empty when there is no such document; whether the address is a recipient is not
        asked.  Who acted is read from the log; a record that was cut leaves it blank.
        """
        self.flush()
        with self._store.view() as view:
            sequence = sequence_of(view, key)
            if sequence is None:
                return []
            document = self._document_at(view, sequence)
            events = [Event("queued", document.at, document.unit, document.actor, "")]
            row = view.get(tables.DELIVERIES, tables.DELIVERY.pack(address, sequence))
            for mark in tables.read_row(row).events if row is not None else ():
                unit, actor, reason = who_made(view, mark.sequence, sequence)
                events.append(Event(mark.state, mark.at, unit, actor, reason))
        return events

    def counts(self) -> dict[str, int]:
        """Return the counters: see `router.queue.state.COUNTERS`."""
        self.flush()
        with self._store.view() as view:
            return state.counts(view)

    def check(self) -> list[str]:
        """Hold the state against its invariants and the log; return what is wrong.

        Reads everything and holds a copy of the state in memory: for an idle store.
        """
        self.flush()
        return check_store(self._store)

    def healthy(self) -> bool:
        """Return False once a write or flush has failed."""
        return self._store.healthy()

    def close(self) -> None:
        """Flush what is pending and close the store; idempotent."""
        if self._idle is not None:
            self._idle.stop()
        with contextlib.suppress(StorageError, ClosedError):
            self.flush()
        self._store.close()

    # Within a view or group.

    def _walk_to_lease(
        self,
        address: int,
        topics: Sequence[bytes],
        member: Member,
        limit: int,
        at: int,
        handout: Handout,
        lanes: Sequence[int] | None,
    ) -> Found:
        """Walk once, putting what may be leased into `handout`; notes no lease yet."""
        held = self._pending.held(address, at)
        if held is None or len(self._pending) >= PENDING_LEASES_MAX:
            self.flush()
            held = frozenset()
        with self._store.view() as view:
            holds = Membership(view, member, self._audience)
            take = partial(handout.take, partial(self._document_at, view))
            return walk(view, address, topics, holds, held, limit, at, take, lanes)

    def _known(
        self,
        view: View,
        sender: int,
        document_id: str,
        act: str,
        idempotency_key: str | None,
        content: bytes,
        at: int,
    ) -> Repeated | Conflict | None:
        """Say whether the id, else the idempotency key, is taken within the window."""
        year = year_of(at)
        names = [(tables.IDS, "document_id", tables.name_of_id(sender, act, document_id))]
        if idempotency_key is not None:
            name = tables.name_of_idempotency_key(sender, idempotency_key)
            names.append((tables.IDEMPOTENCY, "idempotency_key", name))
        for table, which, name in names:
            for candidate in (year, year - 1, year + 1):
                packed = view.get(table, tables.dated(candidate, name))
                if packed is not None:
                    sequence = tables.SEQUENCE.unpack(packed)[0]
                    found = self._document_at(view, sequence)
                    if found.content == content:
                        return Repeated(found.key, sequence, found.facts)
                    return Conflict(found.key, which)
        return None

    def _document_at(self, view: View, sequence: int) -> Acceptance:
        """Return the acceptance of that sequence.  Raises StorageError when it is gone."""
        found = self._documents.get(sequence)
        if found is None:
            record = record_at(view, sequence)
            if not isinstance(record, Acceptance):
                raise StorageError(
                    "store.corrupt",
                    path=f"log[{sequence}]",
                    reason=f"log record {sequence} is no document",
                )
            found = record
            if sequence <= view.durable:
                self._documents.put(sequence, found)
        return found

    def _audience(self, view: View, audience_id: int) -> StoredAudience:
        """Return the audience of that id."""
        found = self._audiences.get(audience_id)
        if found is None:
            data = view.get(tables.AUDIENCES, tables.SEQUENCE.pack(audience_id))
            if data is None:
                raise StorageError("store.corrupt", reason=f"audience {audience_id} is missing")
            found = state.read_audience(data)
            if audience_id <= view.durable:
                self._audiences.put(audience_id, found)
        return found


def _checked(item: Acceptance) -> Acceptance:
    """Return the acceptance.  Raises ValueError for what no engine should hand in."""
    if len(item.key) != tables.KEY_BYTES or len(item.content) != _CONTENT_BYTES:
        raise ValueError("a document's key has 16 bytes, its content hash 32")
    if not 0 <= item.lane < LANES:
        raise ValueError("a lane is 0 to 3")
    checked_topics(item.topics)
    return item
