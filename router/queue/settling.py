"""Judging settlements, and cutting them into records."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from router.ports import Transaction
from router.queue import tables
from router.queue.inbox import Membership
from router.queue.reading import audience_ids, sequence_of
from router.queue.records import Settlement

_SETTLE_RECORD_CHARS_MAX: Final = 100_000
"""Characters of reasons in one settle record (at most 4 bytes each)."""


def settlement(
    txn: Transaction,
    address: int,
    key: bytes,
    number: int,
    holds: Membership,
    moves: dict[int, tuple[int, str]],
) -> tuple[Settlement, int]:
    """Judge one settlement; return the answer and the document's sequence.

    `moves` are those already judged in the same call.
    """
    sequence = sequence_of(txn, key)
    if sequence is None:
        return Settlement(False), 0
    if sequence in moves:
        return Settlement(True, tables.STATE_NAMES[moves[sequence][0]], True), sequence
    row = txn.get(tables.DELIVERIES, tables.DELIVERY.pack(address, sequence))
    if row is None:
        if not any(holds[audience_id] for audience_id in audience_ids(txn, sequence)):
            return Settlement(False), 0
    elif row[0] >= tables.DELIVERED:
        return Settlement(True, tables.STATE_NAMES[row[0]], True), sequence
    return Settlement(True, tables.STATE_NAMES[number]), sequence


def settle_parts(
    moves: dict[int, tuple[int, str]],
) -> Iterator[tuple[tuple[int, int, str], ...]]:
    """Yield the moves in parts, each small enough for one record."""
    part: list[tuple[int, int, str]] = []
    chars = 0
    for sequence, (number, reason) in moves.items():
        if part and chars + len(reason) > _SETTLE_RECORD_CHARS_MAX:
            yield tuple(part)
            part, chars = [], 0
        part.append((sequence, number, reason))
        chars += len(reason)
    if part:
        yield tuple(part)
