"""Turns a data directory of format 1 into one of this format, keeping a backup beside it.

    DIR/migrating/store, /log     the new state and log on their way
    DIR/store-format-1/           the old directory: FORMAT at first, then its store/

Every record becomes one record under the same sequence, so what was told by sequence (versions,
receipts) stays true.  It is decided by one rename, of FORMAT: before it the old directory is
untouched but for files of names it does not know; after it `datadir.finish_migration` puts
what is complete in its place, at this opening or at the next.  `store-format-1/` is a data
directory of format 1 as it was, for the version that wrote it.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final, Protocol

import msgspec

from router._core import Audience
from router.errors import StorageError, TooLargeError
from router.model.instants import SECOND_US
from router.queue import forked, format1
from router.queue._disk import PosixDisk
from router.queue._lmdb import LmdbBase
from router.queue._log import SegmentLog
from router.queue._store import Store, place_of
from router.queue.datadir import (
    FORMAT_BEFORE,
    FORMAT_VERSION,
    KEPT,
    KIND_BEFORE,
    LOG_KIND,
    MIGRATING,
    Format,
    file_errors,
    finish_migration,
    flush_directory,
    lock,
    read_format,
    write_format,
)
from router.queue.format1 import Accepted1, Format1, Lease1, Record1, Room1, Settle1
from router.queue.records import (
    KIND_CHANGES,
    VERSION,
    Acceptance,
    StoredAudience,
    encode_acceptance,
    encode_room,
)
from router.queue.tables import TABLES
from router.queue.transport import FINAL, State

_log: Final = logging.getLogger("router.queue")
_GROUP_BYTES: Final = 4 << 20
_CHUNK_BYTES: Final = 128 << 20
"""Log bytes between two checkpoints of a migration: what a replay holds in memory."""
_HAS_UNTIL, _HAS_REASONS = 1, 8
_REASONS_MAX: Final = 255
_ENTRY_SHIFT: Final = 3
_KNOWN_DOCUMENTS: Final = 65_536

Move = tuple[int, int, int, int, int, int]
"""Document, state, lane, rank, sequence of the record before or 0, reason's number or 0."""


class Resolver(Protocol):
    """What the directory of the old log says; the engine knows how to read it."""

    def position(self, address: int, snapshot: int) -> int:
        """Return where a unit stands in a numbered snapshot, -1 for nowhere."""

    def postings(self, snapshot: int, runs: bytes) -> bytes:
        """Return the postings of an audience, as acceptance records have them."""


def needed(path: Path) -> bool:
    """Say whether a directory is of format 1.  Raises StorageError when it can't be read."""
    with file_errors(path):
        found = read_format(path) if path.is_dir() else None
    return found is not None and (found.format, found.store) == (FORMAT_BEFORE, KIND_BEFORE)


def migrate(
    path: Path,
    resolver_of: Callable[[Format1], Resolver],
    *,
    step: Callable[[str], None] = lambda _: None,
) -> int:
    """Migrate a directory of format 1; return its last sequence.

    `step` is called between any two things done on the disk (tests stop there).  Raises
    StorageError `store.locked`, `store.corrupt` (naming the record), `store.full`,
    `store.read_only`, `store.failed`; then the old directory is as it was.
    """
    with file_errors(path):
        held = lock(path)
    try:
        with file_errors(path):
            if not needed(path):  # another process was faster
                finish_migration(path)
                return 0
            making = path / MIGRATING
            shutil.rmtree(making, ignore_errors=True)
            try:
                last = _make(path, making, resolver_of, step)
                _decide(path, step)
            except BaseException:
                if needed(path):
                    shutil.rmtree(making, ignore_errors=True)
                raise
            finish_migration(path)
            return last
    finally:
        forked.let_go(held)


def _make(
    path: Path, making: Path, resolver_of: Callable[[Format1], Resolver],
    step: Callable[[str], None],
) -> int:  # fmt: skip
    """Build the new store and log aside."""
    old = Format1(path / "store")
    try:
        _log.warning(
            "migrating %s from format %d to %d: %d records; the old files stay in %s/",
            path, FORMAT_BEFORE, FORMAT_VERSION, old.last, KEPT,
        )  # fmt: skip
        _check_room(path, old.bytes())
        for directory in (making, making / "store", making / "log"):
            directory.mkdir(mode=0o700)
        step("made")
        records = Translation(old, resolver_of(old)).records()
        while True:
            left = _append(making, records)
            step("written")
            counts, last = _settle(making)
            step("settled")
            if not left:
                break
        expected = old.counts()
        if last != old.last or any(counts[name] != expected[name] for name in expected):
            raise StorageError(
                "store.corrupt", path=str(path),
                reason=f"the old state does not follow from its log: {expected}, {counts}",
            )  # fmt: skip
    finally:
        old.close()
    for directory in (making / "store", making / "log", making, path):
        flush_directory(directory)
    return last


def _check_room(path: Path, size: int) -> None:
    """Refuse before anything is written when the copy can't fit."""
    if shutil.disk_usage(path).free < size:
        raise StorageError("store.full", path=str(path))


def _append(making: Path, records: Iterator[bytes]) -> bool:
    """Append records to the new log, as many as one chunk holds; say whether any may be left."""
    base = LmdbBase.open(making / "store", TABLES)
    place = place_of(base)
    base.close()
    log = SegmentLog.open(
        PosixDisk(making / "log"), checkpoint_sequence=place[0], checkpoint_spot=place[1],
        epoch_min=place[2],
    )  # fmt: skip
    written = group = 0
    try:
        for record in records:
            log.append(record)
            group += len(record)
            if group >= _GROUP_BYTES:
                log.commit()
                written += group
                group = 0
                if written >= _CHUNK_BYTES:
                    return True
        log.commit()
    finally:
        log.close()
    return False


def _settle(making: Path) -> tuple[dict[str, int], int]:
    """Take what was appended into the state; return the counters and the last sequence."""
    base = LmdbBase.open(making / "store", TABLES)
    log = None
    try:
        place = place_of(base)
        log = SegmentLog.open(
            PosixDisk(making / "log"), checkpoint_sequence=place[0], checkpoint_spot=place[1],
            epoch_min=place[2],
        )  # fmt: skip
        store = Store(base, log, place)
        store.checkpoint()
        counts, last = store.counts(), store.last
        store.shut(clean=True)
    finally:
        if log is not None:
            log.close()
        base.close()
    return counts, last


def _decide(path: Path, step: Callable[[str], None]) -> None:
    """Let FORMAT name the new format: the one moment at which the directory changes."""
    before = read_format(path)
    assert before is not None, "it was read before, and the lock is held"
    kept = path / KEPT
    kept.mkdir(mode=0o700, exist_ok=True)
    write_format(kept, before)
    flush_directory(path)
    step("kept")
    write_format(path, Format(before.product, FORMAT_VERSION, LOG_KIND, before.created_at))
    step("decided")


class Translation:
    """The records of an old log in the words of the new one, sequence by sequence."""

    def __init__(self, old: Format1, resolver: Resolver) -> None:
        self._old = old
        self._resolver = resolver
        self._documents: dict[int, Accepted1] = {}
        self._ranks: dict[tuple[int, int, bytes], int] = {}
        self._before: dict[tuple[int, int], int] = {}  # of deliveries that are leased

    def records(self) -> Iterator[bytes]:
        """Yield the new record of each sequence.  Raises StorageError `store.corrupt`."""
        for sequence, record in self._old.records():
            try:
                yield self._record(sequence, record)
            except (ValueError, LookupError, msgspec.MsgspecError) as error:
                raise StorageError(
                    "store.corrupt", path=f"log[{sequence}]",
                    reason=f"log record {sequence} can't be migrated: {error}",
                ) from error  # fmt: skip

    def _record(self, sequence: int, record: Record1) -> bytes:
        match record:
            case Room1():
                return encode_room(format1.room_of(record))
            case Accepted1():
                return self._acceptance(record)
            case Lease1():
                return self._lease(sequence, record)
            case Settle1():
                return self._settled(sequence, record)

    def _acceptance(self, old: Accepted1) -> bytes:
        new = Acceptance(
            key=old.key, sender=old.sender, document_id=old.document_id, act=old.act,
            year=old.year, idempotency_key=old.idempotency_key, content=old.content,
            number_notation=old.number_notation, lane=old.lane, envelope=old.envelope,
            facts=old.facts, audience=old.audience, at=old.at, unit=old.unit, actor=old.actor,
            postings=self._resolver.postings(old.audience.snapshot, old.audience.runs),
            expires_at=old.expires_at,
        )  # fmt: skip
        try:
            return encode_acceptance(new)
        except TooLargeError:  # the old topics without what they stand for are no longer than
            postings = b"".join(b"\x07" + topic + b"\x00" for topic in sorted(old.topics))
            return encode_acceptance(msgspec.structs.replace(new, postings=postings))

    def _document(self, sequence: int) -> Accepted1:
        found = self._documents.get(sequence)
        if found is None:
            record = self._old.record(sequence)
            if not isinstance(record, Accepted1):
                raise LookupError(f"record {sequence} is no document")
            if len(self._documents) >= _KNOWN_DOCUMENTS:
                self._documents.clear()
            found = msgspec.structs.replace(record, envelope=b"", facts=b"", topics=())
            self._documents[sequence] = found
        return found

    def _rank(self, address: int, audience: StoredAudience) -> int:
        """Return which member of an audience an address is, from 0."""
        name = (address, audience.snapshot, audience.runs)
        rank = self._ranks.get(name)
        if rank is None:
            position = self._resolver.position(address, audience.snapshot)
            rank = rank_of(Audience.from_bytes(audience.runs), position)
            if len(self._ranks) >= _KNOWN_DOCUMENTS:
                self._ranks.clear()
            self._ranks[name] = rank
        return rank

    def _moves(
        self, sequence: int, address: int, items: Iterable[tuple[int, int, int]]
    ) -> list[Move]:
        moves: list[Move] = []
        for document, state, reason in items:
            found = self._document(document)
            rank = self._rank(address, found.audience)
            before = self._before.get((address, document), 0)
            moves.append((document, state, found.lane, rank, before, reason))
            if State(state) in FINAL:
                self._before.pop((address, document), None)
            else:
                self._before[address, document] = sequence
        return moves

    def _lease(self, sequence: int, old: Lease1) -> bytes:
        items = [(document, int(State.LEASED), 0) for document in old.documents]
        items += [(document, int(State.EXPIRED), 0) for document in old.expired]
        moves = self._moves(sequence, old.address, items)
        return encode_changes(
            old.address, old.unit or old.address, old.at, old.until, old.actor, moves, ()
        )

    def _settled(self, sequence: int, old: Settle1) -> bytes:
        reasons = sorted({reason for _, _, reason in old.items if reason})
        if len(reasons) > _REASONS_MAX:
            raise ValueError(f"{len(reasons)} reasons in one record")
        numbers = {reason: number for number, reason in enumerate(reasons, 1)}
        items = [(document, state, numbers.get(reason, 0)) for document, state, reason in old.items]
        moves = self._moves(sequence, old.address, items)
        return encode_changes(
            old.address, old.unit or old.address, old.at, 0, old.actor, moves, reasons
        )


def rank_of(audience: Audience, position: int) -> int:
    """Return how many members stand before that one.  Raises LookupError when it is none."""
    before = 0
    for start, stop in audience.runs:
        if start <= position < stop:
            return before + position - start
        before += stop - start
    raise LookupError("the address is not among the recipients")


def encode_changes(
    address: int, unit: int, at: int, until: int, actor: str, moves: Sequence[Move],
    reasons: Sequence[str],
) -> bytes:  # fmt: skip
    """Return a record of changes of one address's deliveries, as `_moves.pyx` writes it.

    All belong to their document's first entry.
    """
    flags = (_HAS_UNTIL if until else 0) | (_HAS_REASONS if reasons else 0)
    parts = [bytes((KIND_CHANGES, VERSION, flags)), at.to_bytes(8, "big", signed=True)]
    parts += [_number(address), _number(0 if unit == address else unit + 1), _text(actor)]
    if until:
        parts.append(_number(_span(until - at)))
    if reasons:
        parts += [_number(len(reasons)), *map(_text, reasons)]
    parts.append(_number(len(moves)))
    previous = 0
    for document, state, lane, rank, before, reason in moves:
        parts += [bytes((state << 4 | lane,)), _signed(document - previous), _signed(0)]
        parts += [_number(rank), _number(before - document + 1 if before else 0)]
        if reasons:
            parts.append(bytes((reason,)))
        previous = document
    return b"".join(parts)


def _number(value: int) -> bytes:
    """Return a number as records have it: seven bits a byte, the lowest first."""
    if value < 0:
        raise ValueError("a number below 0")
    parts = bytearray()
    while value >= 0x80:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    parts.append(value)
    return bytes(parts)


def _span(span: int) -> int:
    """Return a span of time as records have it: seconds if it is whole ones, or microseconds."""
    seconds, rest = divmod(span, SECOND_US)
    return span << 1 | 1 if rest else seconds << 1


def _signed(value: int) -> bytes:
    return _number(value << 1 if value >= 0 else (-value << 1) - 1)


def _text(text: str) -> bytes:
    data = text.encode("utf-8", "surrogatepass")
    return _number(len(data)) + data
