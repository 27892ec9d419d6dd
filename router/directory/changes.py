"""The bodies of directory records: what the log keeps of every change of the directory.

A body is MessagePack of one tagged struct.  A change larger than one record is several
`FactsLearnt`, invisible until the last, which carries the count and the digest of all.
Fields may be added with defaults; none may change its meaning.  `UnitsAdded` and
`UnitClosed` are how the first data directories wrote what is now facts; they are read for
ever.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import msgspec

from router.errors import StorageError
from router.model.reorganisations import GroupDefined
from router.model.units import Unit


class FactsLearnt(msgspec.Struct, frozen=True, tag="facts", omit_defaults=True):
    """Part `part` (from 1) of `total` of one change: facts in columns, a row each.

    `form` is "import", "reorganisation" or "correction"; `title` names the act it rests on
    and `at` the instant it takes effect (0: each fact has its own).  Columns are
    little-endian integers (`number`, `parent` u32; `since`, `until` i64; `mask`, `kind`,
    `tags` u16; `tier` u8); `kind` and `tags` index `kinds` and `tag_sets` of this part;
    `text` has a line a row (codes, name, details, successors, as the mask says, split by
    tabs).  Only the last part has `count` (rows in all) and `digest` (SHA-256 over all
    parts' columns).
    """

    form: str
    title: str
    at: int
    number: bytes
    since: bytes
    until: bytes
    mask: bytes
    tier: bytes
    kind: bytes
    tags: bytes
    parent: bytes
    text: bytes
    kinds: tuple[str, ...]
    tag_sets: tuple[tuple[str, ...], ...]
    part: int = 1
    total: int = 1
    count: int = 0
    digest: bytes = b""

    def columns(self) -> tuple[bytes, ...]:
        """Return what the digest covers, in order."""
        return (
            self.number,
            self.since,
            self.until,
            self.mask,
            self.tier,
            self.kind,
            self.tags,
            self.parent,
            self.text,
            "\n".join(self.kinds).encode(),
            "\n".join("\t".join(tags) for tags in self.tag_sets).encode(),
        )


class UnitsAdded(msgspec.Struct, frozen=True, tag="units-added", omit_defaults=True):
    """An import as the first data directories wrote it; now only read."""

    units: tuple[Unit, ...]
    part: int = 1
    total: int = 1
    count: int = 0
    digest: bytes = b""


class UnitClosed(msgspec.Struct, frozen=True, tag="unit-closed", omit_defaults=True):
    """The end of a unit as the first data directories wrote it; now only read."""

    number: int
    at: int
    successors: tuple[int, ...] = ()


Change = FactsLearnt | GroupDefined | UnitsAdded | UnitClosed

_encoder = msgspec.msgpack.Encoder()
_decoder: msgspec.msgpack.Decoder[Change] = msgspec.msgpack.Decoder(Change)


def encode_change(change: Change) -> bytes:
    """Return the body as the log keeps it."""
    return _encoder.encode(change)


def decode_change(body: bytes) -> Change:
    """Read a body back.  Raises StorageError `store.corrupt` when it can't be read."""
    try:
        return _decoder.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise StorageError("store.corrupt", reason=f"directory record: {error}") from error


def digest_of(parts: Iterable[FactsLearnt | UnitsAdded]) -> bytes:
    """Return the digest that the last part of a change carries."""
    total = hashlib.sha256()
    for part in parts:
        if isinstance(part, FactsLearnt):
            for column in part.columns():
                total.update(column)
        else:
            for unit in part.units:
                total.update(_encoder.encode(unit))
    return total.digest()
