"""Data directories of format 1, as the version before the segment log wrote them.

`directory` unpacks a real one (tests/vectors/format-1); `alter` and `remove` damage its log as
a disk or an editor might; `small` writes one by the layout, for sizes and cases of its own.
"""

from __future__ import annotations

import json
import struct
import tarfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from zlib import crc32

import lmdb
import msgspec

from router.queue.format1 import COUNTERS

VECTOR = Path(__file__).parent.parent / "vectors" / "format-1" / "data.tar.xz"
TABLES = (
    "documents", "keys", "ids", "idempotency", "audiences", "audience_ids", "entries", "topics",
    "deliveries", "floors", "open", "rooms", "counts", "log", "meta",
)  # fmt: skip


def directory(path: Path) -> dict[str, Any]:
    """Unpack the real one into `path`; return what its own version said about it."""
    path.mkdir(parents=True)
    with tarfile.open(VECTOR) as archive:
        if hasattr(tarfile, "data_filter"):  # since Python 3.11.4
            archive.extraction_filter = tarfile.data_filter
        archive.extractall(path)
    expected = path / "expected.json"
    said: dict[str, Any] = json.loads(expected.read_text())
    expected.unlink()
    return said


def _environment(path: Path) -> Any:
    return lmdb.open(str(path / "store"), map_size=1 << 30, max_dbs=32, lib_version=0)


def frame(sequence: int, record: bytes, epoch: int = 1) -> bytes:
    """Return a record as the log of format 1 has it."""
    checksum = crc32(record, crc32(struct.pack(">QQ", sequence, epoch)))
    return struct.pack(">QI", epoch, checksum) + record


def alter(path: Path, sequence: int, at: int = 20) -> None:
    """Flip one bit of a record."""
    key = struct.pack(">Q", sequence)
    with _environment(path) as env:
        log = env.open_db(b"log", create=False)
        with env.begin(write=True) as txn:
            stored = bytearray(txn.get(key, db=log))
            stored[at] ^= 1
            txn.put(key, bytes(stored), db=log)


def remove(path: Path, sequence: int) -> None:
    """Take one record away."""
    with _environment(path) as env:
        log = env.open_db(b"log", create=False)
        with env.begin(write=True) as txn:
            txn.delete(struct.pack(">Q", sequence), db=log)


def small(path: Path, records: Iterable[Any], counts: dict[str, int]) -> None:
    """Write a directory that holds these records (structs of `router.queue.format1`)."""
    (path / "store").mkdir(parents=True)
    encode = msgspec.msgpack.Encoder().encode
    with _environment(path) as env:
        tables = {name: env.open_db(name.encode()) for name in TABLES}
        with env.begin(write=True) as txn:
            for sequence, record in enumerate(records, 1):
                key = struct.pack(">Q", sequence)
                txn.put(key, frame(sequence, encode(record)), db=tables["log"])
                if hasattr(record, "room"):
                    name = record.room.encode()
                    txn.put(bytes((len(name),)) + name + key, b"", db=tables["rooms"])
            values = struct.pack(f">{len(COUNTERS)}q", *(counts.get(one, 0) for one in COUNTERS))
            txn.put(b"all", values, db=tables["counts"])
            txn.put(b"epoch", struct.pack(">Q", 1), db=tables["meta"])
    content = {"product": "vanban-router", "format": 1, "store": "lmdb-0.9-per-group"}
    (path / "FORMAT").write_text(json.dumps(content))
