"""How a record lies in the log: epoch, checksum, bytes.

The checksum (CRC-32) covers the sequence and the epoch too, so a record that is whole but
stands in the wrong place is noticed.
"""

from __future__ import annotations

import struct
from typing import Final
from zlib import crc32

from router.errors import StorageError, TooLargeError
from router.limits import RECORD_BYTES_MAX

SEQUENCE: Final = struct.Struct(">Q")
_HEAD: Final = struct.Struct(">QI")
_COVERED: Final = struct.Struct(">QQ")
HEAD_BYTES: Final = _HEAD.size


def frame(sequence: int, epoch: int, record: bytes) -> bytes:
    """Return the bytes to store.  Raises TooLargeError over `RECORD_BYTES_MAX`."""
    if len(record) > RECORD_BYTES_MAX:
        raise TooLargeError("record.too_large", bytes=len(record), limit=RECORD_BYTES_MAX)
    return _HEAD.pack(epoch, crc32(record, crc32(_COVERED.pack(sequence, epoch)))) + record


def unframe(sequence: int, stored: bytes, place: str) -> bytes:
    """Return the record.  Raises StorageError `store.corrupt`, naming the place."""
    if len(stored) < HEAD_BYTES:
        raise corrupt(sequence, place, "it is cut short")
    epoch, checksum = _HEAD.unpack_from(stored)
    record = stored[HEAD_BYTES:]
    if crc32(record, crc32(_COVERED.pack(sequence, epoch))) != checksum:
        raise corrupt(sequence, place, "its checksum does not match")
    return record


def corrupt(sequence: int, place: str, reason: str) -> StorageError:
    """Return the error for a record that can't be believed."""
    return StorageError(
        "store.corrupt",
        path=f"log[{sequence}]",
        reason=f"log record {sequence} in {place}: {reason}",
    )
