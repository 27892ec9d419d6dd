"""The recorder sees every change of a file, and the platter forgets what was not flushed."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path
from random import Random

import pytest
from support.powercut import Entry, Fate, Flag, Mode, Platter, What, read_record, unordered
from support.preload import environment
from support.recording import record_lives

CALLS = textwrap.dedent(
    """
    import ctypes, mmap, os, shutil, sys
    os.chdir(sys.argv[1])
    libc = ctypes.CDLL(None, use_errno=True)
    os.mkdir("below")
    one = os.open("below/one", os.O_RDWR | os.O_CREAT)
    os.pwrite(one, b"a" * 5000, 100)
    os.pwritev(one, [b"bb", b"ccc"], 4000)
    os.write(one, b"start")
    os.writev(one, [b" and", b" on"])
    os.posix_fallocate(one, 0, 9000)
    os.ftruncate(one, 8000)
    other = os.dup(one)
    os.close(one)
    os.pwrite(other, b"through a copy", 7000)
    os.truncate("below/one", 7500)
    with open("text", "w") as file:
        file.write("stdio")
    with open("text", "a") as file:
        file.write(" and more")
    with open("emptied", "w") as file:
        file.write("x" * 100)
    with open("emptied", "w") as file:
        file.write("y")
    os.rename("text", "below/text")
    shutil.copyfile("below/one", "copy")
    os.link("copy", "second name")
    os.unlink("copy")
    folder = os.open("below", os.O_RDONLY)
    two = os.open("two", os.O_RDWR | os.O_CREAT | os.O_DSYNC, dir_fd=folder)
    os.write(two, b"synced")
    os.rename("two", "three", src_dir_fd=folder, dst_dir_fd=folder)
    os.open("gone", os.O_CREAT | os.O_WRONLY)
    os.remove("gone")
    os.mkdir("empty")
    os.rmdir("empty")
    with open("mapped", "wb+") as file:
        file.write(bytes(8192))
        file.flush()
        with mmap.mmap(file.fileno(), 8192) as map:
            map[5000:5003] = b"map"
            map.flush()
            map[0:5] = b"later"
    libc.shim_mark(b"done", 4)
    """
)


def rebuilt(entries: list[Entry], target: Path, mode: Mode, seed: int = 1) -> dict[str, bytes]:
    """Replay everything and return the files of the cut by path; folders end in a slash."""
    platter = Platter()
    chance = Random(seed)
    for entry in entries:
        platter.take(entry, chance)
    platter.cut(target, Fate(mode, chance, len(entries)))
    return contents(target)


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else b"(folder)"
        for path in folder.rglob("*")
    }


def test_the_record_leads_to_the_same_files(shim, tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(
        [sys.executable, "-P", "-c", CALLS, str(disk)],
        env=environment(shim, disk, record=tmp_path / "record"),
        check=True,
    )
    entries = read_record(tmp_path / "record")
    assert entries[-1].data == b"done"
    found = rebuilt(entries, tmp_path / "cut", Mode.EVERYTHING)
    assert found == contents(disk)
    assert {"below/one", "below/text", "below/three", "second name", "mapped"} < set(found)
    assert found["mapped"][:5] == b"later"


def test_a_recorded_life_of_the_engine_leads_to_the_same_directory(shim, tmp_path):
    _, entries = record_lives(shim, tmp_path, posts=40, seed=3)
    found = rebuilt(entries, tmp_path / "cut", Mode.EVERYTHING)
    real = contents(tmp_path / "disk")
    assert {path for path in real if found.get(path) != real[path]} <= {"data/store/lock.mdb"}
    assert set(found) == set(real)


class Story:
    """Writes a record by hand: calls in the order in which they are made here."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []

    def put(self, what: What, inode: int, **facts: object) -> None:
        fields = {
            "flags": Flag(0),
            "error": 0,
            "offset": 0,
            "number": 0,
            "data": b"",
            "second": b"",
        }
        self.entries.append(Entry(len(self.entries), what, inode=inode, **{**fields, **facts}))

    def flush(self, inode: int, error: int = 0) -> None:
        self.put(What.FLUSHING, inode, number=len(self.entries))
        self.put(What.FLUSHED, inode, number=self.entries[-1].number, error=error)


@pytest.fixture
def story() -> Story:
    """A record in which the folder is inode 1 and `log`, new and named for good, inode 2."""
    made = Story()
    made.put(What.OPENED, 1, flags=Flag.FOLDER, data=b".")
    made.put(What.OPENED, 2, flags=Flag.NEW, data=b"log")
    made.flush(1)
    return made


def test_an_unflushed_write_is_lost_and_a_flushed_one_is_not(story, tmp_path):
    story.put(What.WRITTEN, 2, data=b"kept")
    story.flush(2)
    story.put(What.WRITTEN, 2, data=b"lost", offset=4)
    assert rebuilt(story.entries, tmp_path / "a", Mode.NOTHING) == {"log": b"kept"}
    assert rebuilt(story.entries, tmp_path / "b", Mode.EVERYTHING) == {"log": b"keptlost"}


def test_a_write_made_while_a_flush_runs_is_not_covered_by_it(story, tmp_path):
    story.put(What.FLUSHING, 2, number=7)
    story.put(What.WRITTEN, 2, data=b"late")
    story.put(What.FLUSHED, 2, number=7)
    assert rebuilt(story.entries, tmp_path / "a", Mode.NOTHING) == {"log": b""}


def test_a_write_through_a_synced_descriptor_is_durable_by_itself(story, tmp_path):
    story.put(What.WRITTEN, 2, data=b"before", offset=8)
    story.put(What.WRITTEN, 2, data=b"synced", flags=Flag.SYNCED)
    assert rebuilt(story.entries, tmp_path / "a", Mode.NOTHING) == {"log": b"synced"}


def test_a_failed_flush_keeps_or_loses_for_ever(story, tmp_path):
    story.put(What.WRITTEN, 2, data=b"x")
    story.flush(2, error=5)
    story.flush(2)
    seen = {
        rebuilt(story.entries, tmp_path / str(seed), Mode.NOTHING, seed)["log"]
        for seed in range(20)
    }
    assert seen == {b"", b"x"}


def test_a_new_name_is_lost_with_its_unflushed_folder(story, tmp_path):
    story.put(What.OPENED, 3, flags=Flag.NEW, data=b"draft")
    story.put(What.WRITTEN, 3, data=b"flushed")
    story.flush(3)
    assert rebuilt(story.entries, tmp_path / "a", Mode.NOTHING) == {"log": b""}
    story.put(What.RENAMED, 3, data=b"draft", second=b"log")
    story.flush(1)
    assert rebuilt(story.entries, tmp_path / "b", Mode.NOTHING) == {"log": b"flushed"}
    story.put(What.REMOVED, 3, data=b"log")
    assert rebuilt(story.entries, tmp_path / "c", Mode.NOTHING) == {"log": b"flushed"}
    assert rebuilt(story.entries, tmp_path / "d", Mode.EVERYTHING) == {}


def test_a_write_is_torn_between_sectors_only(story, tmp_path):
    story.put(What.WRITTEN, 2, data=b"." * 4096)
    story.flush(2)
    story.put(What.WRITTEN, 2, data=b"#" * 2048, offset=100)
    seen = set()
    for seed in range(40):
        log = rebuilt(story.entries, tmp_path / str(seed), Mode.SUBSET, seed)["log"]
        edges = [place for place in range(1, 4096) if log[place] != log[place - 1]]
        assert all(place % 512 == 0 or place in (100, 2148) for place in edges)
        seen.add(log.count(b"#"))
    assert len(seen) > 4


def test_a_root_before_its_pages_is_noticed(story):
    story.put(What.OPENED, 3, flags=Flag.NEW, data=b"data.mdb")
    story.put(What.WRITTEN, 3, data=bytes(8192))
    story.put(What.WRITTEN, 3, data=bytes(4096), offset=8192)
    story.flush(3)
    story.put(What.WRITTEN, 3, data=b"root", offset=4096 + 20, flags=Flag.SYNCED)
    assert unordered(story.entries) == []
    story.put(What.WRITTEN, 3, data=bytes(4096), offset=12288)
    story.put(What.WRITTEN, 3, data=b"root", offset=20, flags=Flag.SYNCED)
    assert len(unordered(story.entries)) == 1
