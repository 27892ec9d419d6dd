"""Verifies a whole store offline: every table against the others, and against the log.

`check_store` reads the tables row by row and looks up what each row refers to, in both
directions; then it reads every record of the log (checksums), and when nothing of it was cut
it replays the log into a second store, which must come to the same state (unless the store was
restored from a backup: then the log leaves sequences out).  Memory is bounded
but for one number a sender, a pair a lane and year, and what the replay's store holds.

Findings are sentences that name table and place; an empty list says that all is well.
"""

from __future__ import annotations

import itertools
import struct
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from router.errors import StorageError
from router.limits import LANES
from router.queue import check_rows, tables
from router.queue.check_members import finish_members
from router.queue.check_pending import compare_pending
from router.queue.check_tally import Tally
from router.queue.log_store import LogStore
from router.queue.memory_store import MemoryDisk, MemoryStore
from router.queue.reading import TABLE
from router.queue.restored import stretches

if TYPE_CHECKING:
    from router.queue._store import Store

FINDINGS_MAX: Final = 200
"""How many findings are told; a check ends there."""
REPLAY_MEMORY_BYTES_MAX: Final = 67_108_864
"""Bytes of records above which a replay goes to a temporary directory, not to memory."""
_BATCH: Final = 256
_UNREADABLE: Final = (
    struct.error, ValueError, LookupError, TypeError, msgspec.MsgspecError, StorageError,
)  # fmt: skip


class MovedError(Exception):
    """The store was written to while it was looked at, so nothing can be said of it."""


class _EnoughError(Exception):
    """So much was found that nobody would read more."""


def check_store(store: Store) -> list[str]:
    """Return what is wrong with an idle store, in words with the place; empty when sound.

    Takes a checkpoint first.  Raises MovedError when a record was written meanwhile: rows read
    before and after it need not agree.  Raises StorageError when the store can't be used at all.
    """
    findings: list[str] = []
    last = store.last

    def tell(finding: str) -> None:
        if store.last != last:
            raise MovedError
        findings.append(finding)
        if len(findings) >= FINDINGS_MAX:
            findings.append(f"more than {FINDINGS_MAX} findings: the rest is left out")
            raise _EnoughError

    try:
        tally = Tally(store, tell)
        _check_tables(store, tally)
        _check_counters(tally)
        _check_log(store, tell)
    except _EnoughError:
        pass
    if store.last != last:
        raise MovedError
    return findings


def _check_tables(store: Store, tally: Tally) -> None:
    """Hold every row of every table against what it refers to."""
    for table, rows in itertools.groupby(store.dump(), key=lambda row: row[0]):
        judge = check_rows.JUDGES.get(table)
        for _, key, value in rows:
            if judge is None:
                tally.tell(f"{table}[{key.hex()}]: nothing belongs into this table")
                continue
            _guarded(tally.tell, f"{table}[{key.hex()}]", judge, tally, key, value)
    finish_members(tally)


def _guarded(
    tell: Callable[[str], None], place: str, judge: check_rows.Judge, tally: Tally, key: bytes,
    value: bytes,
) -> None:  # fmt: skip
    try:
        judge(tally, key, value)
    except _UNREADABLE as error:
        tell(f"{place}: it can't be read ({error})")


def _check_counters(tally: Tally) -> None:
    """Hold the counters against what the rows came to."""
    names = (*tables.COUNTERS, *(f"lane {lane}" for lane in range(LANES)))
    stored = tally.stored_counters
    if len(stored) != len(names):
        tally.tell("meta[counters]: the row is missing or has another length")
    for name, value in zip(names, stored, strict=False):
        if value != tally.counters[name]:
            tally.tell(f"meta[counters]: {name} is {value}, the rows say {tally.counters[name]}")
    compare_pending(tally)
    for sender in sorted(set(tally.in_flight) | set(tally.senders)):
        kept, found = tally.senders.get(sender, 0), tally.in_flight.get(sender, 0)
        if kept != found:
            tally.tell(f"senders[{sender}]: {kept} entries in flight, the rows say {found}")
    for table, year in sorted(tally.years ^ tally.years_kept):
        what = "is not noted" if (table, year) in tally.years else "is noted for nothing"
        tally.tell(f"meta[years]: the year {year} of {table} {what}")


def _check_log(store: Store, tell: Callable[[str], None]) -> None:
    """Read every record; replay them all when none was cut."""
    whole, size = True, 0
    first = _first_kept(store)
    given = stretches(store)
    for sequence in itertools.chain.from_iterable(range(one, end + 1) for one, end in given):
        if sequence < first:
            continue
        try:
            data = store.record(sequence)
        except StorageError as error:
            tell(f"log[{sequence}]: {error.facts.get('reason', error.code)}")
            whole = False
            continue
        if data is None:
            tell(f"log[{sequence}]: the record is missing")
            whole = False
        else:
            size += len(data)
    if whole and first == 1 and len(given) == 1:  # a replay leaves no sequences out
        _check_replay(store, size, tell)


def _first_kept(store: Store) -> int:
    """Return the sequence of the first record that was not cut."""
    low, high = 1, store.last + 1
    with_first = _is_there(store, 1)
    if with_first or store.last == 0:
        return 1
    while low < high:
        middle = (low + high) // 2
        if _is_there(store, middle):
            high = middle
        else:
            low = middle + 1
    # Nothing left at all: unless all was cut, record 1 is what is missing.
    return low if low <= store.last else 1


def _is_there(store: Store, sequence: int) -> bool:
    try:
        return store.record(sequence) is not None
    except StorageError:
        return True


def _check_replay(store: Store, size: int, tell: Callable[[str], None]) -> None:
    """Hold the state against what the log leads to from its beginning."""
    if size <= REPLAY_MEMORY_BYTES_MAX:
        _compare(store, MemoryStore(MemoryDisk()), tell)
        return
    with tempfile.TemporaryDirectory(prefix="vanban-check-") as directory:
        _compare(store, LogStore.open(Path(directory) / "replay", clock_us=0), tell)


def _compare(store: Store, again: MemoryStore | LogStore, tell: Callable[[str], None]) -> None:
    try:
        for start in range(1, store.last + 1, _BATCH):
            stop = min(start + _BATCH, store.last + 1)
            batch = [data for one in range(start, stop) if (data := store.record(one)) is not None]
            again.append_raw(batch)
            if again.last != stop - 1:
                tell(f"log[{start}]: a record up to {stop - 1} can't be replayed")
                return
        for table, key, ours, theirs in _differences(_state(store), _state(again)):
            place = f"{table}[{key.hex()}]"
            if ours is None:
                tell(f"{place}: the log leads to this row, and it is missing")
            elif theirs is None:
                tell(f"{place}: no record of the log leads to this row")
            else:
                tell(f"{place}: a replay of the log gives another value")
    except StorageError as error:
        tell(f"log: it can't be replayed ({error.facts.get('reason', error.code)})")
    finally:
        again.close()


def _state(store: Store) -> Iterator[tuple[int, bytes, bytes]]:
    """Yield the rows of a state but for the place of its checkpoint, tables by number."""
    for table, key, value in store.dump():
        if (table, key) != ("meta", b"place"):
            yield TABLE[table], key, value


def _differences(
    ours: Iterator[tuple[int, bytes, bytes]], theirs: Iterator[tuple[int, bytes, bytes]]
) -> Iterator[tuple[str, bytes, bytes | None, bytes | None]]:
    """Yield (table, key, our value, their value) where two sorted streams of rows differ."""
    one, other = next(ours, None), next(theirs, None)
    while one is not None or other is not None:
        if other is None or (one is not None and one[:2] < other[:2]):
            assert one is not None
            yield tables.TABLES[one[0]], one[1], one[2], None
            one = next(ours, None)
        elif one is None or other[:2] < one[:2]:
            yield tables.TABLES[other[0]], other[1], None, other[2]
            other = next(theirs, None)
        else:
            if one[2] != other[2]:
                yield tables.TABLES[one[0]], one[1], one[2], other[2]
            one, other = next(ours, None), next(theirs, None)


__all__ = ["FINDINGS_MAX", "REPLAY_MEMORY_BYTES_MAX", "MovedError", "check_store"]
