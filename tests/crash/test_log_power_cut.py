"""The segment log on a real disk: a power cut at any call loses nothing that was flushed.

Records are told by their content, so a record that is lost, comes twice, changes or moves is
seen.  Lives that end with SIGKILL leave unflushed records for the next one to judge.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from support.powercut import Entry, What, cuts, instants, read_record
from support.preload import environment

from router.errors import VanbanError
from router.queue._disk import PosixDisk
from router.queue._log import SegmentLog

LIFE = textwrap.dedent(
    """
    import ctypes, json, os, random, signal, sys
    from router.queue._disk import PosixDisk
    from router.queue._log import SegmentLog

    path, seed, end = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    chance = random.Random(seed)
    shim = ctypes.CDLL(None)
    log = SegmentLog.open(PosixDisk(path), segment_bytes_max=1 << 20)
    waiting = {}
    for number in range(int(sys.argv[4])):
        size = chance.choice([10, 2_000, 50_000, 50_000])
        sequence, _ = log.append((b"%d-%d." % (seed, number)).ljust(size, b"#"))
        waiting[sequence] = [seed, number, size]
        step = chance.random()
        if step < 0.5:
            log.commit()
            data = json.dumps(waiting).encode()
            shim.shim_mark(data, len(data))
            waiting = {}
        elif step < 0.7:
            log.put_down()
        if step > 0.9:
            log.make_ready()
    if end == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    log.close()
    """
)
ENDS = ("close", "kill", "kill", "close")


def recorded(shim: Path, folder: Path, records: int, seed: int, lies: str = "") -> list[Entry]:
    disk = folder / "disk"
    (disk / "log").mkdir(parents=True)
    # The folder itself stands in the record as well, made by nobody.
    settings = environment(shim, disk / "log", record=folder / "record", lies=lies)
    for life, end in enumerate(ENDS):
        command = [sys.executable, "-P", "-c", LIFE, disk / "log", str(seed * 10 + life), end]
        played = subprocess.run([*command, str(records)], env=settings, check=False)
        assert played.returncode == (-9 if end == "kill" else 0)
    return read_record(folder / "record")


def problems(path: Path, marks: list[bytes]) -> list[str]:
    """Return what of the flushed records is not there, and what is out of order."""
    flushed = {int(one): what for mark in marks for one, what in json.loads(mark).items()}
    try:
        log = SegmentLog.open(PosixDisk(path), segment_bytes_max=1 << 20)
        found = {sequence: record for sequence, record, _ in log.records()}
        order = [sequence for sequence, _, _ in log.records()]
        added, _ = log.append(b"goes on")
        log.commit()
        log.close()
    except VanbanError as error:
        return [str(error)]
    wrong = []
    if order != list(range(1, len(order) + 1)) or added != len(order) + 1:
        wrong.append(f"sequences {order[:3]}…{order[-3:]}, then {added}")
    for sequence, (seed, number, size) in flushed.items():
        if found.get(sequence) != (b"%d-%d." % (seed, number)).ljust(size, b"#"):
            wrong.append(f"record {sequence} was flushed and is lost or another")
    return wrong


def broken(entries: list[Entry], folder: Path, count: int, seed: int) -> list[object]:
    wrong: list[object] = []
    for cut in cuts(entries, folder, instants(entries, count, seed), seed):
        found = problems(cut.path, cut.marks)
        wrong += [(str(cut), found[:4])] if found else []
        shutil.rmtree(cut.path)
    return wrong


@pytest.mark.parametrize("runs", [1, pytest.param(8, marks=pytest.mark.system)])
def test_a_power_cut_loses_no_flushed_record(shim, tmp_path, runs):
    for seed in range(1, runs + 1):
        entries = recorded(shim, tmp_path / str(seed), 60, seed)
        names = {entry.path for entry in entries if entry.what is What.OPENED}
        assert sum(name.endswith(".seg") for name in names) > len(ENDS), "no second segment"
        assert broken(entries, tmp_path, 100, seed) == []


@pytest.mark.parametrize("lies", ["fdatasync", "fsync"])
def test_a_flush_left_out_is_found(shim, tmp_path, lies):
    entries = recorded(shim, tmp_path / "run", 40, 1, lies)
    assert broken(entries, tmp_path, 60, 1) != []
