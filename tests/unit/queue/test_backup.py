"""A backup is one instant of a directory in use; what is restored from it repeats no number."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from support.disks import mounted, without_writing
from support.stores import AT, SECOND, acceptance, member_of, state_of, topics_for

from router.errors import StorageError
from router.queue import environment, segments
from router.queue._lmdb import LmdbBase
from router.queue.backup import back_up, read_backup, restore
from router.queue.checking import check
from router.queue.group_store import GroupStore
from router.queue.log_store import LogStore
from router.queue.memory_store import MemoryDisk, MemoryStore
from router.queue.opening import open_store
from router.queue.queue import Queue
from router.queue.restored import NUMBERS_A_SECOND_MAX, restorations, stretches
from router.queue.tables import TABLES

LATER = AT + 3_600 * SECOND
GAP = segments.SEQUENCE_GAP + 3_600 * NUMBERS_A_SECOND_MAX


@pytest.fixture(params=[LogStore, GroupStore], ids=["log", "group"])
def queue(request, tmp_path):
    yield from filled(request.param, tmp_path)


@pytest.fixture
def log_queue(tmp_path):
    yield from filled(LogStore, tmp_path)


def filled(kind, tmp_path):
    queue = Queue(kind.open(tmp_path / "data", clock_us=AT))
    for first in range(0, 200, 20):
        queue.accept([acceptance(first + one, [5, 6, 7]) for one in range(20)])
    yield queue
    queue.close()


def lease(queue: Queue, count: int, at: int = AT, address: int = 5):
    topics, places = topics_for(address), member_of(address)
    return queue.lease(address, topics, places, count, at + 60 * SECOND, at, "an")


def settle(queue: Queue, leased, at: int = AT, address: int = 5) -> None:
    items = [(one.key, "delivered", "") for one in leased]
    queue.settle(address, items, at, address, "an", member_of(address))


def restored(source: Path, target: Path, actor: str = "quản trị") -> Queue:
    restore(source, target, LATER, actor)
    return Queue(open_store(target, clock_us=LATER))


def opened(path: Path) -> Queue:
    return Queue(open_store(path, clock_us=LATER, backup=True))


# -- one instant ------------------------------------------------------------------------


def test_a_backup_holds_all_that_was_answered_and_nothing_after(queue, tmp_path):
    settle(queue, lease(queue, 30))
    before = state_of(queue)
    last = queue.store.last
    made = back_up(queue.store, tmp_path / "backup", AT)
    queue.accept([acceptance(900, [5])])
    assert (made.sequence, made.documents) == (last, 200)
    assert made.bytes > 10_000
    copy = opened(tmp_path / "backup")
    assert copy.store.last == last
    assert state_of(copy) == before
    assert copy.document(acceptance(900, [5]).key) is None
    assert copy.document(acceptance(7, [5]).key).envelope == b"envelope 7"
    copy.close()
    assert check(tmp_path / "backup", AT, rows=True).wrong == []


def test_leases_that_nobody_waited_for_are_in_it(queue, tmp_path):
    handed = lease(queue, 10)
    back_up(queue.store, tmp_path / "backup", AT)
    copy = opened(tmp_path / "backup")
    row = copy.delivery(handed[-1].key, 5, AT, member_of(5))
    assert (row.state, row.attempts) == ("leased", 1)
    copy.close()


def test_an_engine_goes_on_while_it_is_copied(queue, tmp_path):
    over, errors, accepted = threading.Event(), [], []

    def go_on() -> None:
        number = 1_000
        try:
            while not over.is_set():
                queue.accept([acceptance(number, [5, 6], envelope=b"x" * 3_000)])
                accepted.append(number)
                settle(queue, lease(queue, 2))
                number += 1
        except Exception as error:
            errors.append(error)

    beside = [threading.Thread(target=go_on)]
    beside[0].start()
    made = [back_up(queue.store, tmp_path / f"backup-{one}", AT) for one in range(4)]
    over.set()
    beside[0].join()
    assert not errors
    assert [one.sequence for one in made] == sorted(one.sequence for one in made)
    assert made[-1].documents > made[0].documents, "it went on"
    for place, one in enumerate(made):
        copy = opened(tmp_path / f"backup-{place}")
        known = [copy.document(acceptance(n, [5]).key) is not None for n in accepted]
        assert known == sorted(known, reverse=True), "a prefix of what was stored, no holes"
        assert copy.counts()["documents"] == one.documents == 200 + sum(known)
        copy.close()
        assert check(tmp_path / f"backup-{place}", AT, rows=True).wrong == []


def test_an_empty_directory_has_a_backup(tmp_path):
    store = LogStore.open(tmp_path / "data", clock_us=AT)
    made = back_up(store, tmp_path / "backup", AT)
    store.close()
    assert (made.sequence, made.documents) == (0, 0)
    queue = restored(tmp_path / "backup", tmp_path / "again")
    assert queue.counts()["documents"] == 0
    queue.close()


def test_a_log_of_many_segments_and_openings_is_copied_whole(tmp_path):
    for opening in range(4):
        queue = Queue(LogStore.open(tmp_path / "data", clock_us=AT))
        items = [acceptance(100 * opening + n, [5], envelope=os.urandom(40_000)) for n in range(50)]
        queue.accept(items)
        if opening < 3:
            queue.close()
    assert len(segments.numbers(tmp_path / "data" / "log")) > 5
    back_up(queue.store, tmp_path / "backup", AT)
    copy = opened(tmp_path / "backup")
    for opening in range(4):
        for number in (0, 49):
            assert copy.document(acceptance(100 * opening + number, [5]).key) is not None
    copy.close()
    queue.close()
    assert check(tmp_path / "backup", AT, rows=True).wrong == []


# -- what it refuses --------------------------------------------------------------------


def test_a_backup_is_written_over_nothing(queue, tmp_path):
    target = tmp_path / "backup"
    target.mkdir()
    (target / "mine.txt").write_text("mine")
    with pytest.raises(StorageError) as caught:
        back_up(queue.store, target, AT)
    assert caught.value.code == "store.exists"
    assert [entry.name for entry in target.iterdir()] == ["mine.txt"]
    assert queue.healthy()
    back_up(queue.store, tmp_path / "one", AT)
    with pytest.raises(StorageError) as caught:
        back_up(queue.store, tmp_path / "one", AT)
    assert caught.value.code == "store.exists"


def test_what_an_interrupted_backup_left_is_taken_away(queue, tmp_path):
    left = tmp_path / "backup.partial"
    (left / "log").mkdir(parents=True)
    (left / "log" / "00000001.seg").write_bytes(b"half")
    back_up(queue.store, tmp_path / "backup", AT)
    assert not left.exists()
    assert check(tmp_path / "backup", AT).wrong == []
    left.mkdir()
    (left / "letters.txt").write_text("mine")
    with pytest.raises(StorageError) as caught:
        back_up(queue.store, tmp_path / "backup", AT)
    assert caught.value.code == "store.exists"
    assert (left / "letters.txt").exists()


def test_two_backups_to_one_place_do_not_disturb_each_other(queue, tmp_path):
    told: list[str] = []

    def second(what: str, _done: int, _all: int) -> None:
        if what == "check" and not told:
            with pytest.raises(StorageError) as caught:
                back_up(queue.store, tmp_path / "backup", AT)
            told.append(caught.value.code)

    back_up(queue.store, tmp_path / "backup", AT, second)
    assert told == ["store.locked"]
    assert check(tmp_path / "backup", AT).wrong == []


def test_a_full_disk_leaves_no_trace_and_the_engine_goes_on(queue, tmp_path):
    size = 700_000
    if isinstance(queue.store, GroupStore):  # which needs no segment beside its state
        size = queue.store.base_info()["used_bytes"] // 2
    with mounted(tmp_path / "small", size) as (disk, bounded):
        with bounded(), pytest.raises(StorageError) as caught:
            back_up(queue.store, disk / "backup", AT)
        assert caught.value.code == "store.full"
        assert list(disk.iterdir()) == []
    queue.accept([acceptance(900, [5])])
    assert queue.healthy()


def test_a_store_in_memory_has_none(tmp_path):
    store = MemoryStore(MemoryDisk())
    with pytest.raises(StorageError) as caught:
        back_up(store, tmp_path / "backup", AT)
    assert caught.value.code == "store.no_log"
    store.close()


def test_damage_in_the_log_is_found_while_copying(log_queue, tmp_path):
    segment = tmp_path / "data" / "log" / "00000001.seg"
    data = bytearray(segment.read_bytes())
    data[data.index(b"envelope 33") + 3] ^= 1
    segment.write_bytes(data)
    with pytest.raises(StorageError) as caught:
        back_up(log_queue.store, tmp_path / "backup", AT)
    assert caught.value.code == "store.corrupt"
    assert "00000001" in str(caught.value.facts["reason"])
    assert not (tmp_path / "backup").exists()
    assert not (tmp_path / "backup.partial").exists()


def test_nothing_runs_on_a_backup(queue, tmp_path):
    back_up(queue.store, tmp_path / "backup", AT)
    with pytest.raises(StorageError) as caught:
        open_store(tmp_path / "backup", clock_us=AT)
    assert caught.value.code == "store.backup"


def test_a_kind_of_store_stays_what_it_is(queue, tmp_path):
    back_up(queue.store, tmp_path / "backup", AT)
    again = restored(tmp_path / "backup", tmp_path / "again")
    assert type(again.store) is type(queue.store)
    again.close()
    assert (tmp_path / "again" / "log").is_dir() == isinstance(queue.store, LogStore)


# -- restoring --------------------------------------------------------------------------


def test_no_sequence_is_given_twice(queue, tmp_path):
    made = back_up(queue.store, tmp_path / "backup", AT)
    given = [one.sequence for one in queue.accept([acceptance(900 + n, [5]) for n in range(50)])]
    epoch = queue.store.epoch
    again = restored(tmp_path / "backup", tmp_path / "again")
    assert again.store.epoch > epoch
    first = again.accept([acceptance(2_000, [5])])[0].sequence
    assert first > max(given) + (1 << 32)
    assert again.counts()["documents"] == made.documents + 1
    assert stretches(again.store) == [
        (1, made.sequence), (made.sequence + GAP + 1, first),
    ]  # fmt: skip
    again.close()


def test_deliveries_repeat_under_their_ids(queue, tmp_path):
    done = lease(queue, 20)
    settle(queue, done)
    held = lease(queue, 20)
    back_up(queue.store, tmp_path / "backup", AT)
    settle(queue, held)
    again = restored(tmp_path / "backup", tmp_path / "again")
    repeated = []
    while page := lease(again, 100, LATER):
        repeated += page
    keys = [one.key for one in repeated]
    assert {one.key for one in held} <= set(keys)
    assert not {one.key for one in done} & set(keys)
    assert len(keys) == 180
    settle(again, repeated, LATER)
    history = again.history(held[0].key, 5, LATER, member_of(5))
    assert [one.state for one in history] == ["queued", "leased", "leased", "delivered"]
    again.close()


def test_documents_are_found_on_both_sides_of_the_gap_after_many_openings(queue, tmp_path):
    back_up(queue.store, tmp_path / "backup", AT)
    target = tmp_path / "again"
    restore(tmp_path / "backup", target, LATER, "quản trị")
    for opening in range(4):
        again = Queue(open_store(target, clock_us=LATER))
        again.accept([acceptance(3_000 + opening, [5])])
        for number in (0, 199, 3_000, 3_000 + opening):
            assert again.document(acceptance(number, [5]).key).envelope == b"envelope %d" % number
        assert again.check() == []
        again.close()
    assert check(target, LATER, rows=True).wrong == []


def test_a_process_that_is_killed_after_a_restoration_loses_nothing(queue, tmp_path):
    back_up(queue.store, tmp_path / "backup", AT)
    again = restored(tmp_path / "backup", tmp_path / "again")
    accepted = again.accept([acceptance(3_000 + n, [5]) for n in range(20)])
    shutil.copytree(tmp_path / "again", tmp_path / "killed")
    again.close()
    after = Queue(open_store(tmp_path / "killed", clock_us=LATER))
    assert after.store.last == accepted[-1].sequence
    assert after.check() == []
    after.close()


def test_a_backup_that_is_restored_again_gives_nothing_twice_either(queue, tmp_path):
    back_up(queue.store, tmp_path / "backup", AT)
    given, epochs = [], []
    for time in range(1, 4):
        target = tmp_path / f"again-{time}"
        restore(tmp_path / "backup", target, AT + time * SECOND, "quản trị")
        again = Queue(open_store(target, clock_us=LATER))
        items = [acceptance(1_000 * time + n, [5]) for n in range(100)]
        given += [one.sequence for one in again.accept(items)]
        epochs.append(again.store.epoch)
        again.close()
    assert given == sorted(set(given))
    assert epochs == sorted(set(epochs))


def test_a_restoration_is_an_operators_act_in_the_log(queue, tmp_path):
    made = back_up(queue.store, tmp_path / "backup", AT)
    again = restored(tmp_path / "backup", tmp_path / "again", "Nguyễn Văn An")
    [(sequence, record, act)] = restorations(again.store)
    assert (act.sequence, act.made_at, act.epoch) == (made.sequence, AT, made.epoch)
    assert (record.actor, record.at) == ("Nguyễn Văn An", LATER)
    assert sequence == made.sequence + GAP + 1
    again.close()


def test_what_was_restored_can_be_backed_up_and_restored_again(queue, tmp_path):
    back_up(queue.store, tmp_path / "backup-1", AT)
    again = restored(tmp_path / "backup-1", tmp_path / "data-2")
    again.accept([acceptance(3_000, [5])])
    back_up(again.store, tmp_path / "backup-2", LATER)
    again.close()
    third = restored(tmp_path / "backup-2", tmp_path / "data-3")
    assert len(list(restorations(third.store))) == 2
    assert third.counts()["documents"] == 201
    assert third.check() == []
    third.close()


def test_a_backup_stays_as_it_is_and_serves_again(queue, tmp_path):
    back_up(queue.store, tmp_path / "backup", AT)
    before = {
        file: file.read_bytes() for file in (tmp_path / "backup").rglob("*") if file.is_file()
    }
    for name in ("one", "two"):
        restored(tmp_path / "backup", tmp_path / name).close()
    assert all(file.read_bytes() == data for file, data in before.items())


def test_a_backup_on_a_medium_that_can_not_be_written_is_restored(queue, tmp_path):
    with mounted(tmp_path / "medium", 32_000_000) as (medium, _):
        back_up(queue.store, medium / "backup", AT)
        with without_writing(medium):
            again = restored(medium / "backup", tmp_path / "again")
    assert again.counts()["documents"] == 200
    again.close()


@pytest.mark.parametrize("name", ["taken", "taken-file"])
def test_nothing_is_restored_over_anything(queue, tmp_path, name):
    back_up(queue.store, tmp_path / "backup", AT)
    target = tmp_path / name
    if name == "taken":
        target.mkdir()
        (target / "FORMAT").write_text("mine")
    else:
        target.write_text("mine")
    with pytest.raises(StorageError) as caught:
        restore(tmp_path / "backup", target, LATER, "an")
    assert caught.value.code == "store.exists"
    assert not target.with_name(name + ".partial").exists()


def test_only_backups_are_restored(queue, tmp_path):
    for source in (tmp_path / "data", tmp_path, tmp_path / "nothing"):
        with pytest.raises(StorageError) as caught:
            restore(source, tmp_path / "again", LATER, "an")
        assert caught.value.code == "store.no_backup"
    assert not (tmp_path / "again").exists()


@pytest.mark.parametrize("place", ["log", "store", "BACKUP", "newer"])
def test_a_damaged_backup_is_refused_and_nothing_is_left(queue, tmp_path, place):
    if place == "log" and isinstance(queue.store, GroupStore):
        place = "store"
    made = back_up(queue.store, tmp_path / "backup", AT)
    home = tmp_path / "backup"
    if place == "log":
        segment = home / "log" / "00000001.seg"
        data = segment.read_bytes().replace(b"envelope 33", b"envelope 34")
        segment.write_bytes(data)
    elif place == "store":
        data = bytearray((home / "store" / "data.mdb").read_bytes())
        data[8192:] = b"\xff" * (len(data) - 8192)
        (home / "store" / "data.mdb").write_bytes(data)
    elif place == "BACKUP":
        (home / "BACKUP").write_text("{")
    else:
        said = json.loads((home / "FORMAT").read_text())
        (home / "FORMAT").write_text(json.dumps(said | {"format": 9}))
    with pytest.raises(StorageError) as caught:
        restore(home, tmp_path / "again", LATER, "an")
    assert caught.value.code == ("store.format" if place == "newer" else "store.corrupt")
    assert not (tmp_path / "again").exists()
    assert not (tmp_path / "again.partial").exists()
    assert made.documents == 200


def test_a_backup_tells_its_instant(queue, tmp_path):
    made = back_up(queue.store, tmp_path / "backup", AT)
    assert read_backup(tmp_path / "backup") == made


PROGRAM = """
import os, sys
from pathlib import Path
from router.queue import backup
left = int(sys.argv[3])
def count(*_):
    global left
    left -= 1
    if left < 0:
        os._exit(9)
for name in ("_copy", "_finished", "_bridge", "_jump", "_note", "verify", "flush_directory"):
    was = getattr(backup, name)
    def counted(*given, was=was, **named):
        count()
        return was(*given, **named)
    setattr(backup, name, counted)
rename = Path.rename
def renaming(self, target):
    count()
    return rename(self, target)
Path.rename = renaming
backup.restore(Path(sys.argv[1]), Path(sys.argv[2]), 1, "an")
"""


@pytest.mark.slow
def test_a_restoration_that_is_killed_anywhere_is_there_whole_or_not_at_all(queue, tmp_path):
    back_up(queue.store, tmp_path / "backup", AT)
    ended, points = 9, 0
    while ended == 9:
        target = tmp_path / "again"
        command = [sys.executable, "-P", "-c", PROGRAM, str(tmp_path / "backup"), str(target)]
        ended = subprocess.run([*command, str(points)], check=False, timeout=60).returncode
        if target.exists():
            again = Queue(open_store(target, clock_us=LATER))
            assert again.counts()["documents"] == 200
            assert len(list(restorations(again.store))) == 1
            again.close()
            shutil.rmtree(target)
        points += 1
    assert ended == 0
    assert points > (12 if isinstance(queue.store, LogStore) else 10)


_READINGS = """
import sys, lmdb
with lmdb.open(sys.argv[1], readonly=True, max_dbs=0) as environment:
    print(environment.readers())
"""


def readings(path: Path) -> list[str]:
    """Return the transactions that are open in an LMDB environment, as another process sees it."""
    done = subprocess.run(
        [sys.executable, "-P", "-c", _READINGS, str(path)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return [line.split()[2] for line in done.stdout.splitlines()[1:] if len(line.split()) == 3]


def test_no_reading_lasts_while_the_state_is_copied_and_everybody_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(environment, "_COPIED_AT_ONCE", 65_536)
    queue = Queue(LogStore.open(tmp_path / "data", clock_us=AT))
    queue.accept([acceptance(number, [3]) for number in range(400)])
    queue.store.checkpoint()
    checkpoints, seen, number = queue.store.sizes()["checkpoints"], [], 400

    def meanwhile(done: int) -> None:
        nonlocal number
        seen.append(done)
        if len(seen) == 2:
            assert all(one == "-" for one in readings(tmp_path / "data" / "store"))
        queue.accept([acceptance(number, [3])])
        number += 1
        assert queue.store.sizes()["checkpoints"] == checkpoints

    queue.store.copy_base(tmp_path / "copy", meanwhile)
    assert len(seen) > 2
    assert seen[-1] == (tmp_path / "copy" / "data.mdb").stat().st_size
    assert queue.counts()["documents"] == number
    queue.store.checkpoint()
    assert queue.check() == []
    queue.close()
    copy = LmdbBase.open(tmp_path / "copy", TABLES)
    assert len(list(copy.items(TABLES.index("documents")))) == 400
    copy.close()


def test_a_copy_beside_more_changes_than_memory_holds_is_made_in_one_reading(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(environment, "_COPIED_AT_ONCE", 65_536)
    store = LogStore.open(tmp_path / "data", clock_us=AT)
    queue = Queue(store)
    queue.accept([acceptance(number, [3]) for number in range(400)])
    store.checkpoint()
    told: list[int] = []

    def crowd(done: int) -> None:
        told.append(done)
        store.overlay_bytes_max = 1

    store.copy_base(tmp_path / "copy", crowd)
    assert len(told) == 1, "given up after its first piece"
    copy = LmdbBase.open(tmp_path / "copy", TABLES)
    assert len(list(copy.items(TABLES.index("documents")))) == 400
    copy.close()
    queue.close()
