"""The bodies of directory records: what the log keeps of every change of the directory.

A body is MessagePack of one tagged struct.  An import larger than one record is several
`UnitsAdded`, invisible until the last, which carries the count and the digest of all.
Fields may be added with defaults; none may change its meaning.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

import msgspec

from router import limits
from router.errors import StorageError
from router.model.units import Unit

IMPORT_PART_BYTES_MAX = limits.RECORD_BYTES_MAX // 2
"""Encoded units in one record; the half leaves room for the record's own frame."""


class UnitsAdded(msgspec.Struct, frozen=True, tag="units-added", omit_defaults=True):
    """Part `part` (from 1) of `total` of one import.

    Only the last part has `count` (units of the whole import) and `digest` (SHA-256 over
    the MessagePack of the units, in order, joined).
    """

    units: tuple[Unit, ...]
    part: int = 1
    total: int = 1
    count: int = 0
    digest: bytes = b""


class UnitClosed(msgspec.Struct, frozen=True, tag="unit-closed", omit_defaults=True):
    """The unit ends at the instant `at` (exclusive); successors by number, default first."""

    number: int
    at: int
    successors: tuple[int, ...] = ()


Change = UnitsAdded | UnitClosed

_encoder = msgspec.msgpack.Encoder()
_decoder: msgspec.msgpack.Decoder[Change] = msgspec.msgpack.Decoder(Change)


def encode_change(change: Change) -> bytes:
    """Return the body as the log keeps it."""
    return _encoder.encode(change)


def decode_change(body: bytes) -> Change:
    """Read a body back.  Raises StorageError `store.corrupt` when it can't be read."""
    try:
        return _decoder.decode(body)
    except msgspec.MsgspecError as error:
        raise StorageError("store.corrupt", reason=f"directory record: {error}") from error


def digest_of(units: Iterable[Unit]) -> bytes:
    """Return the digest that the last part of an import carries."""
    total = hashlib.sha256()
    for unit in units:
        total.update(_encoder.encode(unit))
    return total.digest()


def parts_of(units: Sequence[Unit]) -> list[UnitsAdded]:
    """Cut an import into record bodies within the bounds of units and bytes a record."""
    slices: list[list[Unit]] = [[]]
    total = hashlib.sha256()
    size = 0
    for unit in units:
        encoded = _encoder.encode(unit)
        total.update(encoded)
        full = len(slices[-1]) == limits.UNITS_PER_RECORD_MAX
        if full or (size + len(encoded) > IMPORT_PART_BYTES_MAX and slices[-1]):
            slices.append([])
            size = 0
        slices[-1].append(unit)
        size += len(encoded)
    last = len(slices)
    return [
        UnitsAdded(
            units=tuple(part),
            part=number,
            total=last,
            count=len(units) if number == last else 0,
            digest=total.digest() if number == last else b"",
        )
        for number, part in enumerate(slices, 1)
    ]
