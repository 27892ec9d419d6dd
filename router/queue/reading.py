"""Small readings of the state that several callers share."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final

from router.errors import StorageError
from router.ports import Store, View
from router.queue import tables
from router.queue.records import (
    Acceptance,
    DeliveryRow,
    LeaseRecord,
    Record,
    SettleRecord,
    decode,
)

_PAGE: Final = 2_048
_AFTER_ALL: Final = b"\xff" * 13
_ADDRESS_MAX: Final = 0xFFFFFFFF

Page = list[tuple[int, DeliveryRow]]


def record_at(view: View, sequence: int) -> Record:
    """Return the record of that sequence.  Raises StorageError when it is not there."""
    data = view.record(sequence)
    if data is None:
        raise StorageError(
            "store.corrupt", path=f"log[{sequence}]", reason=f"log record {sequence} is missing"
        )
    return decode(data, sequence)


def sequence_of(view: View, key: bytes) -> int | None:
    """Return the sequence of the document of that key, or None."""
    if len(key) != tables.KEY_BYTES:
        return None
    packed = view.get(tables.KEYS, key)
    if packed is None:
        return None
    sequence: int = tables.SEQUENCE.unpack(packed)[0]
    return sequence


def audience_ids(view: View, sequence: int) -> list[int]:
    """Return the audience ids of all entries of a document."""
    packed = tables.SEQUENCE.pack(sequence)
    return [
        tables.ENTRY_VALUE.unpack(value)[0]
        for _, value in view.scan(tables.ENTRIES, packed, packed + _AFTER_ALL)
    ]


def who_made(view: View, sequence: int, document: int) -> tuple[int, str, str]:
    """Return (unit, actor, reason) of a change of state, from its record.

    Blank when the record was cut from the log.
    """
    data = view.record(sequence)
    if data is None:
        return 0, "", ""
    record = decode(data, sequence)
    match record:
        case LeaseRecord():
            return record.unit or record.address, record.actor, ""
        case SettleRecord():
            reason = next((reason for item, _, reason in record.items if item == document), "")
            return record.unit, record.actor, reason
        case Acceptance():
            return record.unit, record.actor, ""
        case _:
            return 0, "", ""


def pages_of_addresses(store: Store, sequence: int, addresses: Iterable[int]) -> Iterator[Page]:
    """Yield pages of the rows of a document at the given addresses, in address order."""
    remaining = iter(sorted(set(addresses)))
    while chunk := list(islice(remaining, _PAGE)):
        page: Page = []
        with store.view() as view:
            for address in chunk:
                row = view.get(tables.DELIVERIES, tables.DELIVERY.pack(address, sequence))
                if row is not None:
                    page.append((address, tables.read_row(row)))
        yield page


def pages_of_all(store: Store, sequence: int) -> Iterator[Page]:
    """Yield pages of all rows of a document, leaping from address to address.

    Costs two steps for each address that has any row of any document.
    """
    address: int | None = 0
    while address is not None:
        page: Page = []
        with store.view() as view:
            for _ in range(_PAGE):
                wanted = tables.DELIVERY.pack(address, sequence)
                item = next(view.scan(tables.DELIVERIES, wanted, _AFTER_ALL), None)
                if item is None:
                    address = None
                    break
                key, row = item
                found, document = tables.DELIVERY.unpack(key)
                if document == sequence:
                    page.append((found, tables.read_row(row)))
                address = found if document < sequence else found + 1
                if address > _ADDRESS_MAX:
                    address = None
                    break
        yield page
