"""A directory of format 1 becomes one of this format, or stays what it was."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from support import format1

from router.engine import Engine
from router.engine.migrating import _Past, migrate_if_needed, migration_needed
from router.errors import StorageError
from router.ports import ManualClock
from router.queue import LogStore, Queue, migration
from router.queue.format1 import Accepted1, Format1, Lease1, Settle1
from router.queue.records import StoredAudience, encode_room
from router.queue.transport import State

TOPIC = bytes.fromhex("00000000000000")


def everything(path: Path) -> dict[str, str]:
    """Return a digest of each file below a path, without locks."""
    return {
        str(file.relative_to(path)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in path.rglob("*")
        if file.is_file() and file.name not in {"LOCK", "lock.mdb"}
    }


def opened(path: Path, said: dict) -> Engine:
    return Engine.open(path, clock=ManualClock(said["now"]))


def compare(engine: Engine, said: dict) -> None:
    """Hold all that is known of every document against what the old version said."""
    stored = engine.counters()["stored"]
    assert {name: stored[name] for name in said["counts"]} == said["counts"]
    for key, was in said["track"].items():
        now = json.loads(msgspec.json.encode(engine.track(key, limit=100)))
        for one in (*now["deliveries"], *was["deliveries"]):
            if one["state"] == "queued" and one.get("attempts"):
                one.pop(
                    "since", None
                )  # of a lease that ran out: its end; its beginning in format 1
        assert now == was, key
    for code, waits in said["open"].items():
        assert engine.waiting(code) == waits, code


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "data"


def test_all_that_was_known_is_known_after(path):
    said = format1.directory(path)
    assert migration_needed(path)
    engine = opened(path, said)
    compare(engine, said)
    engine.close()
    assert not migration_needed(path)
    engine = opened(path, said)
    compare(engine, said)
    engine.close()


def test_the_old_files_are_kept_as_they_were(path):
    said = format1.directory(path)
    before = everything(path)
    opened(path, said).close()
    assert everything(path / "store-format-1") == before
    names = {entry.name for entry in path.iterdir()}
    assert names == {"FORMAT", "LOCK", "log", "store", "store-format-1"}


def test_sequences_stay(path):
    format1.directory(path)
    old = Format1(path / "store")
    kinds = [(number, type(record).__name__) for number, record in old.records()]
    rooms = {
        room: [(number, encode_room(record)) for number, record in old.room_records(room)]
        for room in ("directory", "trust", "snapshot")
    }
    keys = {number: one.key for number, one in old.records() if isinstance(one, Accepted1)}
    old.close()
    assert migrate_if_needed(path)
    queue = Queue(LogStore.open(path, clock_us=0))
    assert queue.store.last == len(kinds)
    assert {queue.store.sequence_of(key): key for key in keys.values()} == keys
    for room, records in rooms.items():
        assert records
        found = [(number, encode_room(one)) for number, one in queue.room_records(room)]
        assert found == records
    queue.close()


def test_what_comes_after_goes_on_as_ever(path):
    said = format1.directory(path)
    engine = opened(path, said)
    handed = engine.lease("H22.31.20", 100)
    assert handed
    engine.acknowledge("H22.31.20", [one.delivery for one in handed])
    assert not engine.waiting("H22.31.20")
    engine.close()
    engine = opened(path, said)
    assert not engine.waiting("H22.31.20")
    engine.close()


class StoppedError(Exception):
    """The migration ended here."""


@pytest.mark.parametrize("name", ["made", "written", "settled", "kept"])
def test_until_it_is_decided_a_failure_leaves_the_old_directory(path, name):
    said = format1.directory(path)
    before = everything(path)

    def step(now: str) -> None:
        if now == name:
            raise StoppedError

    with pytest.raises(StoppedError):
        migration.migrate(path, _Past, step=step)
    left = everything(path)
    assert {place: left[place] for place in before} == before
    assert set(left) - set(before) <= {"store-format-1/FORMAT"}
    assert migration_needed(path)
    engine = opened(path, said)
    compare(engine, said)
    engine.close()


# A process that ends without a word at the n-th thing it does on the disk.
PROGRAM = """
import os, sys
from pathlib import Path
from router.engine import migrating
from router.queue import migration
left = int(sys.argv[2])
def count(*_):
    global left
    left -= 1
    if left < 0:
        os._exit(9)
rename, mkdir = Path.rename, Path.mkdir
def renaming(self, target):
    count()
    return rename(self, target)
def making(self, *given, **named):
    count()
    return mkdir(self, *given, **named)
Path.rename, Path.mkdir = renaming, making
migration.migrate(Path(sys.argv[1]), migrating._Past, step=count)
"""


def test_killed_anywhere_it_is_the_old_directory_or_the_new_one(tmp_path):
    ended = 9
    points = 0
    outcomes = set()
    while ended == 9:
        path = tmp_path / f"data-{points}"
        said = format1.directory(path)
        before = everything(path)
        done = subprocess.run(
            [sys.executable, "-P", "-c", PROGRAM, str(path), str(points)], check=False, timeout=60
        )
        ended = done.returncode
        if migration_needed(path):
            left = everything(path)
            assert {place: left[place] for place in before} == before, points
            outcomes.add("old")
        else:
            outcomes.add("new")
        engine = opened(path, said)
        compare(engine, said)
        engine.close()
        assert everything(path / "store-format-1") == before, points
        assert not (path / "migrating").exists()
        points += 1
    assert ended == 0
    assert points > 10
    assert outcomes == {"old", "new"}


def test_damage_is_named_and_nothing_is_changed(path):
    format1.directory(path)
    format1.alter(path, 17)
    before = everything(path)
    with pytest.raises(StorageError) as caught:
        migrate_if_needed(path)
    assert caught.value.code == "store.corrupt"
    assert caught.value.path == "log[17]"
    assert everything(path) == before


def test_a_missing_record_is_named(path):
    format1.directory(path)
    format1.remove(path, 20)
    with pytest.raises(StorageError) as caught:
        migrate_if_needed(path)
    assert (caught.value.code, caught.value.path) == ("store.corrupt", "log[20]")


def test_a_damaged_page_is_no_end_of_the_process(path):
    format1.directory(path)
    data = path / "store" / "data.mdb"
    content = bytearray(data.read_bytes())
    content[4096 * 2 :] = b"\xff" * (len(content) - 4096 * 2)
    data.write_bytes(content)
    with pytest.raises(StorageError) as caught:
        migrate_if_needed(path)
    assert caught.value.code == "store.corrupt"
    assert migration_needed(path)


def test_an_owner_keeps_others_from_migrating(path):
    format1.directory(path)
    held = migration.lock(path)
    with pytest.raises(StorageError) as caught:
        migrate_if_needed(path)
    assert caught.value.code == "store.locked"
    os.close(held)
    assert migrate_if_needed(path)


def test_the_store_alone_says_that_it_is_to_be_migrated(path):
    format1.directory(path)
    with pytest.raises(StorageError) as caught:
        LogStore.open(path, clock_us=0)
    assert caught.value.code == "store.format_old"


# -- records of one's own, where positions are the addresses themselves -------------------


class Plain:
    """A directory in which a unit's number is its position."""

    def __init__(self, _old: Format1) -> None:
        pass

    def position(self, address: int, snapshot: int) -> int:
        return address

    def postings(self, snapshot: int, runs: bytes) -> bytes:
        return b"\x07" + TOPIC + b"\x00"


def accepted(number: int, **changes) -> Accepted1:
    runs = (2).to_bytes(4, "little") + (9).to_bytes(4, "little")
    fields = {
        "key": hashlib.sha256(b"%d" % number).digest()[:16], "sender": 1,
        "document_id": f"id-{number}", "act": "new", "year": 2024, "idempotency_key": None,
        "content": hashlib.sha256(b"c%d" % number).digest(), "number_notation": f"{number}/QĐ",
        "lane": number % 4, "envelope": b"e", "facts": b"f",
        "audience": StoredAudience(1, runs, hashlib.sha256(runs).digest(), 7),
        "topics": (TOPIC,), "at": 1000 + number, "unit": 1, "actor": "văn thư",
    }  # fmt: skip
    return Accepted1(**(fields | changes))


def lease(documents, at=5_000, until=9_000, unit=0) -> Lease1:
    return Lease1(3, tuple(documents), (), (), b"", until, at, "an", unit)


def test_one_id_in_two_years_of_issue_was_two_documents(path):
    # format 1 dated ids by the year of issue, this one by that of acceptance
    records = [accepted(1), accepted(2, document_id="id-1", year=2023)]
    format1.small(path, records, {"documents": 2, "entries": 2, "recipients": 14})
    assert migration.migrate(path, Plain) == 2
    queue = Queue(LogStore.open(path, clock_us=0))
    assert [queue.document(record.key).sequence for record in records] == [1, 2]
    queue.close()


def test_reasons_units_and_every_hand_out_are_told(path):
    records = [
        accepted(1), accepted(2), accepted(3),
        lease([1, 2, 3]), lease([2], at=9_500, until=9_900, unit=8),
        lease([2], at=9_950, until=9_955),
        Settle1(3, ((3, 3, "hai"), (1, 3, "một"), (2, 2, "")), 9_960, 8, "bình"),
    ]  # fmt: skip
    counts = {"documents": 3, "entries": 3, "recipients": 21, "delivered": 1, "refused": 2,
              "attempts": 5}  # fmt: skip
    format1.small(path, records, counts)
    migration.migrate(path, Plain)
    queue = Queue(LogStore.open(path, clock_us=0))

    def history(number):
        events = queue.history(
            records[number - 1].key, 3, 10_000, lambda them: dict.fromkeys(them, 3)
        )
        return [(one.state, one.at, one.unit, one.actor, one.reason) for one in events]

    assert history(2) == [
        ("queued", 1002, 1, "văn thư", ""), ("leased", 5_000, 3, "an", ""),
        ("leased", 9_500, 8, "an", ""), ("leased", 9_950, 3, "an", ""),
        ("delivered", 9_960, 8, "bình", ""),
    ]  # fmt: skip
    assert history(1)[-1] == ("refused", 9_960, 8, "bình", "một")
    assert history(3)[-1] == ("refused", 9_960, 8, "bình", "hai")
    assert (
        queue.delivery(records[1].key, 3, 10_000, lambda them: dict.fromkeys(them, 3)) is not None
    )
    assert queue.cells(1 << 3, 1, 1)[0].state == State.REFUSED
    queue.close()


def test_a_lease_of_what_was_never_stored_is_damage(path):
    format1.small(path, [accepted(1), lease([7])], {"documents": 1})
    with pytest.raises(StorageError) as caught:
        migration.migrate(path, Plain)
    assert caught.value.path == "log[7]"
    assert migration_needed(path)


def test_a_recipient_of_nothing_is_damage(path):
    format1.small(path, [accepted(1), Lease1(30, (1,), (), (), b"", 9, 8, "an")], {"documents": 1})
    with pytest.raises(StorageError) as caught:
        migration.migrate(path, Plain)
    assert caught.value.path == "log[2]"


def test_counters_that_do_not_follow_from_the_log_are_damage(path):
    format1.small(path, [accepted(1)], {"documents": 2, "entries": 1, "recipients": 7})
    with pytest.raises(StorageError) as caught:
        migration.migrate(path, Plain)
    assert caught.value.code == "store.corrupt"


def test_a_long_log_is_taken_in_by_pieces(path, monkeypatch):
    monkeypatch.setattr(migration, "_GROUP_BYTES", 1_000)
    monkeypatch.setattr(migration, "_CHUNK_BYTES", 10_000)
    records = [accepted(number) for number in range(300)]
    records += [lease(range(first, first + 50)) for first in range(1, 301, 50)]
    counts = {"documents": 300, "entries": 300, "recipients": 2_100, "leased": 300, "attempts": 300}
    format1.small(path, records, counts)
    steps: list[str] = []
    assert migration.migrate(path, Plain, step=steps.append) == 306
    assert steps.count("settled") > 3
    queue = Queue(LogStore.open(path, clock_us=0))
    assert [queue.document(one.key).sequence for one in records[:300]] == list(range(1, 301))
    queue.close()
