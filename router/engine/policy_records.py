"""What the log keeps of policies: their texts in parts, and each activation.

A text is stored once: an activation names it by its SHA-256, so a rollback repeats none.
The version of a policy is the sequence of the record that activated it.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterable
from typing import Final

import msgspec

from router.errors import StorageError
from router.limits import POLICY_BYTES_MAX, POLICY_PART_BYTES_MAX

ROOM: Final = "policy"


class PolicyPart(msgspec.Struct, frozen=True, tag_field="change", tag="part"):
    """One part of a policy's text, compressed as a whole (zlib) and then cut."""

    sha256: bytes
    index: int
    data: bytes


class PolicyActivated(msgspec.Struct, frozen=True, tag_field="change", tag="activated"):
    """From this record on the policy with that text decides.

    `sha256` is empty for the shipped policy, to which a rollback may lead; `parts` counts the
    records that hold the text; `rolled_back_to` is the version that is in force again (the
    shipped one: 0 with an empty digest).  Fields are only ever added, with defaults.
    """

    sha256: bytes
    parts: int
    name: str
    rules: int
    reason: str
    rolled_back_to: int = 0
    without_floor: str = ""


PolicyRecord = PolicyPart | PolicyActivated
_records: msgspec.msgpack.Decoder[PolicyRecord] = msgspec.msgpack.Decoder(PolicyRecord)


def decode_record(body: bytes) -> PolicyRecord:
    """Read a record of this room."""
    return _records.decode(body)


def parts_of(text: bytes) -> list[PolicyPart]:
    """Return a text as the records that keep it."""
    digest, packed = hashlib.sha256(text).digest(), zlib.compress(text)
    step = POLICY_PART_BYTES_MAX
    return [
        PolicyPart(digest, place, packed[start : start + step])
        for place, start in enumerate(range(0, len(packed), step))
    ]


def text_of(sha256: bytes, parts: Iterable[PolicyPart]) -> bytes:
    """Return the text that parts keep, in their order.

    Raises StorageError `store.corrupt` when they are not that text.
    """
    unpacking = zlib.decompressobj()
    packed = b"".join(part.data for part in parts)
    try:
        text = unpacking.decompress(packed, POLICY_BYTES_MAX + 1)
    except zlib.error as error:
        raise _corrupt(sha256) from error
    if hashlib.sha256(text).digest() != sha256:
        raise _corrupt(sha256)
    return text


def _corrupt(sha256: bytes) -> StorageError:
    reason = f"the text of the policy {sha256.hex()[:16]} is not whole"
    return StorageError("store.corrupt", path="policy", reason=reason)
