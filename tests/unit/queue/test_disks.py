"""Both disks keep one contract, and the simulated one goes wrong only as it was told to."""

from __future__ import annotations

import errno
from pathlib import Path
from random import Random

import pytest

from router.errors import StorageError
from router.queue._disk import Disk, PosixDisk
from router.queue._simulated_disk import SimulatedDisk


@pytest.fixture(params=["posix", "simulated"])
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Disk:
    return PosixDisk(tmp_path) if request.param == "posix" else SimulatedDisk()


def made(disk: Disk, data: bytes, *, flushed: bool = True) -> int:
    """Make the file `a`, name and bytes durable or not."""
    file: int = disk.call("open", b"a", True)
    assert disk.call("write", file, data, 0) == len(data)
    if flushed:
        assert disk.call("flush", file) == 0
        assert disk.call("flush_names") == 0
    return file


def test_what_is_written_is_read(disk: Disk) -> None:
    file = made(disk, b"0123456789")
    assert disk.call("write", file, b"xy", 4) == 2
    assert disk.call("read", file, 100, 0) == b"0123xy6789"
    assert disk.call("read", file, 3, 9) == b"9"
    assert disk.call("read", file, 3, 10) == b""
    assert disk.call("size", file) == 10


def test_a_gap_reads_as_zeros(disk: Disk) -> None:
    file = made(disk, b"")
    assert disk.call("write", file, b"x", 3) == 1
    assert disk.call("read", file, 9, 0) == b"\0\0\0x"


def test_reserving_adds_zeros_and_keeps_what_is_there(disk: Disk) -> None:
    file = made(disk, b"abc")
    assert disk.call("reserve", file, 600_000) == 0
    assert disk.call("read", file, 700_000, 0) == b"abc".ljust(600_000, b"\0")
    assert disk.call("reserve", file, 10) == 0
    assert disk.call("size", file) == 600_000
    assert disk.call("extend", file, 600_100) == 0
    assert disk.call("size", file) == 600_100
    assert disk.call("truncate", file, 2) == 0
    assert disk.call("read", file, 10, 0) == b"ab"


def test_names_are_made_renamed_removed_and_listed(disk: Disk) -> None:
    file = made(disk, b"abc")
    assert disk.call("open", b"a", True) == -errno.EEXIST
    assert disk.call("rename", b"a", b"b") == 0
    assert disk.names() == ["b"]
    assert disk.call("open", b"a", False) == -errno.ENOENT
    assert disk.call("remove", b"b") == 0
    assert disk.call("remove", b"b") == -errno.ENOENT
    assert disk.call("rename", b"b", b"c") == -errno.ENOENT
    assert disk.call("read", file, 3, 0) == b"abc"  # who holds it open reads on
    assert disk.call("close", file) == 0
    assert disk.call("close", file) == -errno.EBADF


def test_an_epoch_is_seen_by_all_who_look(disk: Disk, tmp_path: Path) -> None:
    other = PosixDisk(tmp_path) if isinstance(disk, PosixDisk) else disk
    assert disk.call("claimed") == 0
    assert disk.call("claim", 7) == 0
    assert other.call("claimed") == 7
    assert other.call("claim", 2**40) == 0
    assert disk.call("claimed") == 2**40


def test_there_is_room(disk: Disk) -> None:
    assert disk.free_bytes() > 0


def test_a_directory_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StorageError) as caught:
        PosixDisk(tmp_path / "none")
    assert caught.value.code == "store.failed"


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_bytes(b"x")
    (tmp_path / "a").symlink_to(tmp_path / "elsewhere")
    assert PosixDisk(tmp_path).call("open", b"a", False) == -errno.ELOOP


def test_a_power_cut_loses_what_was_not_flushed() -> None:
    disk = SimulatedDisk()
    file = made(disk, b"old")
    disk.call("write", file, b"new", 0)
    disk.crash(Random(1), "none")
    assert disk.contents("a") == b"old"
    assert disk.call("read", file, 3, 0) == -errno.EBADF


def test_a_power_cut_may_keep_everything() -> None:
    disk = SimulatedDisk()
    made(disk, b"new", flushed=False)
    disk.crash(Random(1), "all")
    assert disk.contents("a") == b"new"


def test_a_name_that_was_not_flushed_may_be_lost_and_a_removed_file_come_back() -> None:
    disk = SimulatedDisk()
    made(disk, b"kept")
    disk.call("rename", b"a", b"b")
    disk.call("remove", b"b")
    twin = disk.clone()
    disk.crash(Random(1), "none")
    assert disk.names() == ["a"]
    twin.crash(Random(1), "all")
    assert twin.names() == []


def test_a_power_cut_tears_writes_at_sectors() -> None:
    seen = set()
    for seed in range(60):
        disk = SimulatedDisk()
        file = made(disk, bytes(2_048))
        disk.call("write", file, b"x" * 2_048, 0)
        disk.crash(Random(seed), "subset")
        data = disk.contents("a")
        sectors = [data[at : at + 512] for at in range(0, 2_048, 512)]
        assert all(sector in {bytes(512), b"x" * 512} for sector in sectors)
        seen.add(tuple(sector[0] for sector in sectors))
    assert len(seen) == 16


def test_a_prefix_keeps_the_order_of_writes() -> None:
    for seed in range(40):
        disk = SimulatedDisk()
        file = made(disk, bytes(2_048))
        for at in range(0, 2_048, 1_024):
            disk.call("write", file, b"x" * 1_024, at)
        disk.crash(Random(seed), "prefix")
        data = disk.contents("a")
        assert data == data.rstrip(b"\0").ljust(2_048, b"\0")
        assert len(data.rstrip(b"\0")) % 512 == 0


def test_the_same_chance_gives_the_same_crash() -> None:
    disks = []
    for _ in range(2):
        disk = SimulatedDisk()
        file = made(disk, bytes(8_192))
        disk.call("write", file, bytes(range(256)) * 32, 0)
        disk.crash(Random(5))
        disks.append(disk.contents("a"))
    assert disks[0] == disks[1]


@pytest.mark.parametrize(
    ("outcome", "answer", "left"),
    [
        ("fail", -errno.EIO, b"old!"),
        ("full", -errno.ENOSPC, b"old!"),
        ("short", -errno.ENOSPC, b"ned!"),
        ("skip", 4, b"old!"),
    ],
)
def test_a_planned_write_goes_wrong_once(outcome: str, answer: int, left: bytes) -> None:
    disk = SimulatedDisk()
    file = made(disk, b"old!")
    disk.plan("write", 2, outcome)  # type: ignore[arg-type]
    assert disk.call("write", file, b"o", 0) == 1
    assert disk.call("write", file, b"new!", 0) == answer
    assert disk.call("read", file, 9, 0) == left
    assert disk.call("write", file, b"new!", 0) == 4
    assert disk.counters["write"] == 4


def test_a_lying_flush_leaves_everything_to_be_lost() -> None:
    disk = SimulatedDisk()
    file = made(disk, b"old")
    disk.call("write", file, b"new", 0)
    disk.plan("flush", 1, "skip")
    assert disk.call("flush", file) == 0
    disk.crash(Random(1), "none")
    assert disk.contents("a") == b"old"


def test_a_disk_with_little_room_fills_up() -> None:
    disk = SimulatedDisk()
    disk.room_bytes = 10
    file = made(disk, b"01234567")
    assert disk.call("write", file, b"abcd", 7) == -errno.ENOSPC
    assert disk.call("write", file, b"abcd", 6) == 4
    assert disk.call("reserve", file, 11) == -errno.ENOSPC
    assert disk.free_bytes() == 0
    assert disk.call("remove", b"a") == 0
    assert disk.free_bytes() == 10


def test_a_clone_goes_its_own_way() -> None:
    disk = SimulatedDisk()
    file = made(disk, b"old")
    disk.call("write", file, b"new", 0)
    twin = disk.clone()
    disk.crash(Random(1), "none")
    assert twin.contents("a") == b"new"
    assert twin.call("flush", file) == 0
    twin.crash(Random(1), "none")
    assert (disk.contents("a"), twin.contents("a")) == (b"old", b"new")


def test_an_unknown_plan_is_refused() -> None:
    with pytest.raises(ValueError, match="no such plan"):
        SimulatedDisk().plan("write", 0, "fail")
