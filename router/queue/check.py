"""Holding a store against its invariants and against its own log.

The checker is offline: it reads everything, and keeps a second state in memory.
"""

from __future__ import annotations

from collections import Counter
from typing import Final

from router.errors import VanbanError
from router.ports import Store, Transaction, View
from router.queue import state, tables
from router.queue.memory_store import MemoryDisk, MemoryStore
from router.queue.records import decode

PROBLEMS_MAX: Final = 100
"""After so many findings the checker stops looking."""
_AFTER_ALL: Final = b"\xff" * 512


def check_store(store: Store) -> list[str]:
    """Return what is wrong, in words with the place; an empty list when all is well."""
    problems: list[str] = []
    try:
        with store.view() as view:
            _check_entries(view, problems)
            _check_deliveries(view, problems)
            _check_open(view, problems)
            _check_counts(view, problems)
        _check_replay(store, problems)
    except VanbanError as error:
        problems.append(str(error))
    return problems[:PROBLEMS_MAX]


def replay(store: Store, txn: Transaction) -> None:
    """Apply the whole log of `store` to the empty state behind `txn`.

    Records are not appended there: sequences are those of the log.
    """
    for sequence, data in store.log.read(1):
        state.apply(decode(data, sequence), sequence, txn)


def _all(view: View, table: str) -> list[tuple[bytes, bytes]]:
    return list(view.scan(table, b"", _AFTER_ALL))


def _check_entries(view: View, problems: list[str]) -> None:
    """See that each document has a key that leads back and an entry, each entry an audience."""
    with_entry = set()
    for key, value in _all(view, tables.ENTRIES):
        document, entry = tables.ENTRY.unpack(key)
        audience_id, _ = tables.ENTRY_VALUE.unpack(value)
        with_entry.add(document)
        if view.get(tables.DOCUMENTS, key[:8]) is None:
            problems.append(f"entries: entry {entry} names document {document}, which is missing")
        if view.get(tables.AUDIENCES, tables.SEQUENCE.pack(audience_id)) is None:
            problems.append(f"entries: audience {audience_id} of entry {entry} is missing")
    for key, name in _all(view, tables.DOCUMENTS):
        document = tables.SEQUENCE.unpack(key)[0]
        if view.get(tables.KEYS, name) != key:
            problems.append(f"documents: the key of document {document} does not lead back")
        if document not in with_entry:
            problems.append(f"documents: document {document} has no entry")
        if view.record(document) is None:
            problems.append(f"documents: document {document} is not in the log")
    for key, value in _all(view, tables.TOPICS):
        audience_id, document, _ = tables.TOPIC_VALUE.unpack(value)
        entry = view.get(tables.ENTRIES, tables.SEQUENCE.pack(document) + key[-8:])
        if entry is None or tables.ENTRY_VALUE.unpack(entry)[0] != audience_id:
            problems.append(f"topics: a topic of document {document} does not match its entry")


def _check_open(view: View, problems: list[str]) -> None:
    """See that each open entry is an entry of its document."""
    for key, value in _all(view, tables.OPEN):
        address, _, entry = tables.OPEN_ENTRY.unpack(key)
        audience_id, document, _ = tables.TOPIC_VALUE.unpack(value)
        found = view.get(tables.ENTRIES, tables.ENTRY.pack(document, entry))
        if found is None or tables.ENTRY_VALUE.unpack(found)[0] != audience_id:
            problems.append(
                f"open: entry {entry} for address {address} does not match document {document}"
            )


def _check_deliveries(view: View, problems: list[str]) -> None:
    """See that each row belongs to a document and that its head agrees with its last mark."""
    for key, row in _all(view, tables.DELIVERIES):
        address, document = tables.DELIVERY.unpack(key)
        place = f"deliveries: document {document} for address {address}"
        if view.get(tables.DOCUMENTS, key[4:]) is None:
            problems.append(f"{place}: the document is missing")
        found = tables.read_row(row)
        if not found.events or found.events[-1].state != found.state:
            problems.append(f"{place}: its state is not that of its last event")


def _check_counts(view: View, problems: list[str]) -> None:
    """Hold the counters against what is counted."""
    rows = [tables.read_row(row) for _, row in _all(view, tables.DELIVERIES)]
    found = Counter(row.state for row in rows)
    sizes = {key: state.read_audience(data).size for key, data in _all(view, tables.AUDIENCES)}
    entries = [
        tables.SEQUENCE.pack(tables.ENTRY_VALUE.unpack(value)[0])
        for _, value in _all(view, tables.ENTRIES)
    ]
    counted = {
        "documents": len(_all(view, tables.DOCUMENTS)),
        "entries": len(entries),
        "recipients": sum(sizes.get(audience, 0) for audience in entries),
        "rooms": len(_all(view, tables.ROOMS)),
        "leased": found["leased"],
        "delivered": found["delivered"],
        "refused": found["refused"],
        "expired": found["expired"],
        "attempts": sum(row.attempts for row in rows),
    }
    for name, kept in state.counts(view).items():
        if counted[name] != kept:
            problems.append(f"counts: {name} is kept as {kept} and counted as {counted[name]}")


def _check_replay(store: Store, problems: list[str]) -> None:
    """Apply the log to nothing: it must give these very tables (unless its start was cut)."""
    first = next(iter(store.log.read(1)), None)
    if first is not None and first[0] != 1:
        return
    again = MemoryStore(MemoryDisk())
    with again.group() as txn:
        replay(store, txn)
    with store.view() as view, again.view() as other:
        for table in tables.TABLES:
            kept, made = dict(_all(view, table)), dict(_all(other, table))
            if kept == made:
                continue
            different = {key for key, _ in kept.items() ^ made.items()}
            problems.append(
                f"{table}: {len(different)} rows differ from what the log says, "
                f"first {min(different).hex()}"
            )
