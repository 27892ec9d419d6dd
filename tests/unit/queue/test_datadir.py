"""What is missing from a data directory, or damaged in it, is named with its place.

Whose it is and of which format: test_data_directory.py.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support.bases import files_at_most
from support.disks import mounted, without_writing
from support.stores import AT, acceptance, member_of, topics_for

from router.errors import StorageError
from router.queue import segments
from router.queue.checking import check
from router.queue.log_store import LogStore
from router.queue.queue import Queue


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "deep" / "data"


def refusal(path: Path, **options: int) -> StorageError:
    with pytest.raises(StorageError) as caught:
        LogStore.open(path, clock_us=AT, **options)
    return caught.value


def filled(path: Path, documents: int = 50) -> Queue:
    queue = Queue(LogStore.open(path, clock_us=AT))
    for number in range(documents):
        queue.accept([acceptance(number, [5], envelope=b"<envelope %06d>" % number * 20)])
    return queue


def killed(path: Path, documents: int = 50) -> Path:
    """Return what a process leaves that was killed: no checkpoint of what it stored."""
    queue = filled(path, documents)
    left = path.with_name("left")
    shutil.copytree(path, left)
    queue.close()
    return left


def everything(path: Path) -> dict[str, bytes]:
    return {
        str(file.relative_to(path)): file.read_bytes()
        for file in path.rglob("*")
        if file.is_file() and file.name not in {"LOCK", "lock.mdb"}
    }


# -- whose it is ------------------------------------------------------------------------


def test_a_second_owner_in_another_process_is_refused_and_disturbs_nothing(path):
    queue = filled(path)
    before = everything(path)
    program = (
        "import sys\n"
        "from router.queue import LogStore\n"
        "from router.errors import StorageError\n"
        "try: LogStore.open(sys.argv[1], clock_us=1)\n"
        "except StorageError as error: print(error.code)\n"
    )
    answer = subprocess.run(
        [sys.executable, "-P", "-c", program, str(path)], capture_output=True, text=True, check=True
    )
    assert answer.stdout.strip() == "store.locked"
    assert everything(path) == before
    queue.accept([acceptance(900, [5])])
    queue.close()


def test_a_foreign_directory_is_refused_and_left_alone(tmp_path):
    (tmp_path / "letters.txt").write_text("mine")
    assert refusal(tmp_path).code == "store.foreign"
    assert everything(tmp_path) == {"letters.txt": b"mine"}
    assert not (tmp_path / "LOCK").exists()
    (tmp_path / "FORMAT").write_text('{"product": "another", "format": 1}')
    assert refusal(tmp_path).code == "store.foreign"


# -- what is missing --------------------------------------------------------------------


def test_data_without_its_format_file_is_not_taken_over(path):
    filled(path).close()
    (path / "FORMAT").unlink()
    error = refusal(path)
    assert error.code == "store.foreign"
    assert "FORMAT" in str(error.facts["reason"])
    assert not (path / "FORMAT").exists()


@pytest.mark.parametrize("name", ["store/data.mdb", "log"])
def test_a_format_file_without_its_data_is_not_started_empty(path, name):
    filled(path).close()
    (path / name).rename(path / "elsewhere")
    error = refusal(path)
    assert error.code == "store.corrupt"
    assert name.split("/")[-1] in str(error.facts["reason"])


# -- damaged segments: the place is named ---------------------------------------------------


def place_of(log: Path, sequence: int) -> tuple[Path, int]:
    """Return the segment, and where in it the frame of a sequence ends."""
    number = next(
        one for one in segments.numbers(log)
        if b"<envelope" in (log / segments.name_of(one)).read_bytes()
    )  # fmt: skip
    found, end = segments.end_of(log, (number, 4_096), sequence)
    return log / segments.name_of(found), end


def test_an_edited_record_beyond_the_checkpoint_is_refused_with_its_place(path):
    left = killed(path)
    segment, end = place_of(left / "log", 20)
    data = bytearray(segment.read_bytes())
    data[end - 30] ^= 4
    segment.write_bytes(data)
    error = refusal(left)
    assert error.code == "store.corrupt"
    reason = str(error.facts["reason"])
    assert segment.stem in reason
    assert "record 20" in reason
    assert refusal(left).code == "store.corrupt"
    found = check(left, AT)
    assert any("record 20" in line and segment.stem in line for line in found.wrong), found


def test_an_edited_record_below_the_checkpoint_is_named_by_a_check_and_by_its_reader(path):
    filled(path).close()
    segment, end = place_of(path / "log", 20)
    data = bytearray(segment.read_bytes())
    data[end - 30] ^= 4
    segment.write_bytes(data)
    found = check(path, AT)
    assert any("record 20" in line and segment.stem in line for line in found.wrong), found
    queue = Queue(LogStore.open(path, clock_us=AT))
    with pytest.raises(StorageError) as caught:
        queue.document(acceptance(19, [5]).key)
    assert caught.value.code == "store.corrupt"
    assert "record 20" in str(caught.value.facts["reason"])
    assert queue.document(acceptance(20, [5]).key) is not None
    queue.close()


def test_a_truncated_segment_is_refused_with_its_place(path):
    # What knows that more was there is the segment of the opening after it.
    left = killed(path)
    queue = Queue(LogStore.open(left, clock_us=AT))
    queue.accept([acceptance(900, [5])])
    again = left.with_name("again")
    shutil.copytree(left, again)
    queue.close()
    segment, end = place_of(again / "log", 20)
    os.truncate(segment, end - 8)
    error = refusal(again)
    assert error.code == "store.corrupt"
    assert segment.stem in str(error.facts["reason"])


def test_a_truncated_segment_below_the_checkpoint_is_named_by_a_check(path):
    filled(path).close()
    LogStore.open(path, clock_us=AT).close()
    segment, end = place_of(path / "log", 20)
    os.truncate(segment, end)
    found = check(path, AT)
    assert any("record 21" in line and "missing" in line for line in found.wrong), found


def test_a_torn_end_is_no_damage(path):
    left = killed(path)
    segment, end = place_of(left / "log", 50)
    os.truncate(segment, end - 8)
    found = check(left, AT)
    assert found.wrong == []
    assert found.sequence == 49
    assert check(left, AT).wrong == []


def test_a_sound_directory_has_nothing_wrong_opened_however_often(path):
    for number in range(4):
        queue = Queue(LogStore.open(path, clock_us=AT))
        queue.accept([acceptance(10 * number + one, [5, 6]) for one in range(10)])
        queue.lease(5, topics_for(5), member_of(5), 3, AT + 10, AT, "an")
        queue.close()
        assert check(path, AT, rows=True).wrong == []


@pytest.mark.parametrize("said", [1 << 48, (1 << 64) - 1])
def test_an_edited_epoch_is_refused_with_its_place_and_what_to_do(path, said):
    filled(path).close()
    epoch = path / "log" / "EPOCH"
    before = epoch.read_bytes()
    epoch.write_bytes(said.to_bytes(8, "big"))
    error = refusal(path)
    assert error.code == "store.corrupt"
    assert error.path == str(epoch)
    assert str(said) in str(error.facts["reason"])
    assert [one for one in check(path, AT).wrong if "EPOCH" in one]
    epoch.unlink()  # as the words say
    LogStore.open(path, clock_us=AT).close()
    assert epoch.read_bytes() > before
    assert check(path, AT).wrong == []


def test_a_damaged_page_is_named_and_nothing_is_opened(path):
    filled(path, 400).close()
    data = path / "store" / "data.mdb"
    content = bytearray(data.read_bytes())
    content[4096 * 2 :] = b"\xff" * (len(content) - 4096 * 2)
    data.write_bytes(content)
    found = check(path, AT)
    assert found.wrong
    assert all("store/data.mdb" in line for line in found.wrong)


# -- disks that refuse ------------------------------------------------------------------


def test_a_full_disk_makes_no_directory_and_says_so(path):
    with files_at_most(8_192):
        error = refusal(path)
    assert error.code == "store.full"
    assert not (path / "FORMAT").exists()
    LogStore.open(path, clock_us=AT).close()


def test_a_store_larger_than_its_bound_keeps_what_it_has(path):
    queue = Queue(LogStore.open(path, clock_us=AT))
    queue.accept([acceptance(1, [5])])
    with files_at_most(1_500_000):
        stored = 1
        try:
            while stored < 1_000:
                queue.accept([acceptance(stored + 1, [5], envelope=b"x" * 50_000)])
                stored += 1
        except StorageError as error:
            assert error.code == "store.full"  # noqa: PT017 - the count so far is needed, too
    assert stored < 1_000
    queue.close()
    queue = Queue(LogStore.open(path, clock_us=AT))
    assert stored <= queue.counts()["documents"] <= stored + 1
    assert queue.check() == []
    queue.close()


def test_a_disk_that_is_full_is_named(tmp_path):
    with mounted(tmp_path / "disk", 1_000_000) as (disk, bounded):
        with bounded():
            error = refusal(disk / "data")
        assert error.code == "store.full"
        assert not (disk / "data" / "FORMAT").exists()


def test_a_disk_that_is_read_only_is_named(tmp_path):
    with mounted(tmp_path / "disk", 32_000_000) as (disk, _):
        filled(disk / "data").close()
        before = everything(disk / "data")
        with without_writing(disk):
            assert refusal(disk / "data").code == "store.read_only"
            assert refusal(disk / "new").code == "store.read_only"
        assert everything(disk / "data") == before
        filled(disk / "new").close()
