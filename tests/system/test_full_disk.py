"""A daemon on a file system that runs full: it refuses, loses nothing, and goes on with room.

The file system is in memory and mounted for the test, which takes root.
"""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest
from support.daemon import found_at
from support.hurt_daemon import REFUSALS, Memory, live_and_fail, works_again

from router.engine import Engine
from router.errors import StorageError

pytestmark = [pytest.mark.system, pytest.mark.timeout(600)]

MIB = 1_048_576


def mount(place, size, *options):
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", ",".join([f"size={size}", *options]), "tmpfs", str(place)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        pytest.skip(f"a file system can't be mounted here: {done.stderr.strip()}")


@pytest.fixture
def disk(tmp_path):
    """A small file system of its own."""
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("mounting a file system takes root")
    place = tmp_path / "disk"
    place.mkdir()
    mount(place, 64 * MIB)
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


@pytest.mark.parametrize("left", [0, 4096, 200_000])
def test_a_full_disk_refuses_and_room_heals(disk, left):
    data = disk / "data"
    memory = Memory(found_at(data))
    ballast = disk / "ballast"

    def fill(_running):
        space = os.statvfs(disk)
        with ballast.open("wb") as file:
            file.write(bytes(max(0, space.f_bavail * space.f_frsize - left)))

    live_and_fail(data, memory, fill, lambda _: ballast.unlink(), tries=4_000)
    assert memory.refusal in REFUSALS
    works_again(data, memory)


def test_a_directory_on_a_full_disk_is_not_begun(disk):
    """Creation that finds no room leaves nothing that can't be opened once there is some."""
    with (disk / "ballast").open("wb") as file:
        file.write(bytes(64 * MIB - 8192))
    with pytest.raises(StorageError) as caught:
        found_at(disk / "data")
    assert caught.value.code in REFUSALS
    (disk / "ballast").unlink()
    with Engine.open(disk / "data") as engine:
        assert engine.check() == []


def test_a_read_only_directory_is_refused_with_words(disk):
    data = disk / "data"
    found_at(data)
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    with pytest.raises(StorageError) as caught:
        found_at(data)
    assert caught.value.code == "store.read_only"
    assert "read-only" in str(caught.value).lower()
