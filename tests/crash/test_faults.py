"""Writes and flushes that fail: the engine refuses from then on, and nothing answered is lost.

The calls fail in a real engine's process, on the log's and the state's files alike.  What it
left is opened again, both as the disk holds it and as it may be after a power cut: what a
failed flush covered is written or lost for ever then.
"""

from __future__ import annotations

import errno
import shutil
from collections import Counter
from pathlib import Path
from random import Random
from typing import NamedTuple

import msgspec
import pytest
from support.faulty import Action, Calls, Faults
from support.load import Promises, Script, write_script
from support.powercut import Flag, What, cuts, read_record
from support.preload import environment
from support.recording import Judge, play_life

POSTS = 40


class Run(NamedTuple):
    """One life with a fault in it."""

    script: Script
    record: Path
    promised: Promises
    hits: int
    seen: int


class Fault(NamedTuple):
    """What is to go wrong."""

    calls: Calls
    error: int = errno.EIO
    action: Action = Action.FAIL
    times: int = 1

    def __str__(self) -> str:
        error = "" if self.action is Action.SHORT else errno.errorcode[self.error]
        return f"{self.calls.name}-{self.action.name}-{error}".lower()


FAULTS = [
    Fault(Calls.WRITE),
    Fault(Calls.WRITE, errno.ENOSPC),
    Fault(Calls.WRITE, action=Action.SHORT),
    Fault(Calls.WRITE | Calls.RESERVE | Calls.SIZE, errno.ENOSPC, Action.FULL, -1),
    Fault(Calls.FLUSH),
    Fault(Calls.FLUSH, errno.ENOSPC),
]


def run(
    shim: Path, folder: Path, fault: Fault, after: int, pattern: str, seed: int, port: str = "log"
) -> Run:
    """Play a life in which the call after so many goes wrong."""
    disk = folder / "disk"
    disk.mkdir(parents=True)
    script = write_script(disk / "data", POSTS, seed, port)
    record = folder / "record"
    with Faults(folder / "control") as faults:
        faults.arm(
            fault.calls, error=fault.error, action=fault.action, after=after,
            times=fault.times, pattern=pattern,
        )  # fmt: skip
        settings = environment(shim, disk, record=record, control=faults.path)
        sent = msgspec.structs.replace(script, last=POSTS - 1)
        played = play_life(sent, folder, settings)
        # With writes lost, reading what should be there may kill the process.
        assert played.returncode == 0 or fault.action is Action.LOST, played.stderr
        marks = [entry.data for entry in read_record(record) if entry.what is What.MARKED]
        return Run(script, record, Promises(marks), faults.hits, faults.seen)


def broken(one: Run, folder: Path, seed: int) -> list[object]:
    """Return which promises the directory left behind breaks, as it is and after a cut."""
    entries = read_record(one.record)
    marks = [entry.data for entry in entries if entry.what is What.MARKED]
    wrong: list[object] = []
    with Judge(one.script, folder) as judge:
        for cut in cuts(entries, folder, [len(entries)] * 6, seed):
            found = judge.problems(cut.path / "data", cut.marks)
            wrong += [(str(cut), found[:5])] if found else []
        found = judge.problems(folder / "disk" / "data", marks)
        wrong += [("as it was left", found[:5])] if found else []
    return wrong


class Kinds:
    """The kinds of file that a whole life writes, and how often a fault could strike each."""

    def __init__(self, shim: Path, folder: Path) -> None:
        self._shim = shim
        self._folder = folder
        self._seen: dict[tuple[Fault, str], int] = {}
        one = self._clean(Fault(Calls.WRITE), "*")
        paths = {}
        written: Counter[str] = Counter()
        for entry in read_record(one.record):
            if entry.what is What.OPENED:
                paths[entry.inode] = Path(entry.path)
            elif entry.what is What.RENAMED:
                paths[entry.inode] = Path(entry.second.decode())
            elif entry.what is What.WRITTEN and Flag.SNAPSHOT not in entry.flags:
                written[paths[entry.inode].suffix] += 1
        self.suffixes = sorted(suffix for suffix, count in written.items() if count > 10)

    def chances(self, fault: Fault, suffix: str) -> int:
        """Return how many calls on such files the fault could strike."""
        if (fault, suffix) not in self._seen:
            self._seen[fault, suffix] = self._clean(fault, f"*{suffix}").seen
        return self._seen[fault, suffix]

    def _clean(self, fault: Fault, pattern: str) -> Run:
        folder = self._folder / f"{fault}-{pattern}"
        one = run(self._shim, folder, fault, 10**9, pattern, 1)
        assert (one.hits, one.promised.refused) == (0, [])
        return one


@pytest.fixture(scope="module")
def kinds(shim: Path, tmp_path_factory: pytest.TempPathFactory) -> Kinds:
    """The kinds of file that the engine writes."""
    found = Kinds(shim, tmp_path_factory.mktemp("clean"))
    assert found.suffixes
    return found


def knows_it(one: Run, fault: Fault) -> None:
    """See that the engine refuses from then on, and says why."""
    if one.promised.healthy:  # zeros written ahead of the data: nobody needs them yet
        assert fault.calls is Calls.WRITE, "the engine does not know that it is broken"
        assert not one.promised.refused
        return
    codes = {"store.failed", "store.full"}
    assert {*one.promised.refused, *one.promised.then} <= codes
    assert one.promised.refused


@pytest.mark.parametrize("fault", FAULTS, ids=str)
@pytest.mark.parametrize(
    "rounds",
    [1, pytest.param(12, marks=[pytest.mark.system, pytest.mark.timeout(600)])],
)
def test_a_call_that_fails_breaks_no_promise(shim, tmp_path, kinds, fault, rounds):
    chance = Random(str(fault))
    hit = 0
    for turn in range(rounds * len(kinds.suffixes)):
        suffix = kinds.suffixes[turn % len(kinds.suffixes)]
        after = chance.randrange(max(1, kinds.chances(fault, suffix) // 2))
        folder = tmp_path / str(turn)
        one = run(shim, folder, fault, after, f"*{suffix}", turn)
        assert broken(one, folder, turn) == []
        hit += bool(one.hits)
        if one.promised.hits and fault.action is not Action.SHORT:
            knows_it(one, fault)
        shutil.rmtree(folder)
    assert hit


@pytest.mark.parametrize(
    ("fault", "after"),
    [
        (Fault(Calls.WRITE | Calls.FLUSH), 60),  # LMDB writes its root to a synced descriptor
        (Fault(Calls.WRITE | Calls.RESERVE | Calls.SIZE, errno.ENOSPC, Action.FULL, -1), 5),
        (Fault(Calls.FLUSH, errno.ENOSPC), 16),
        pytest.param(Fault(Calls.WRITE, action=Action.SHORT), 60, marks=pytest.mark.system),
    ],
    ids=str,
)
def test_a_call_that_fails_breaks_no_promise_of_the_store_that_syncs_lmdb(
    shim, tmp_path, fault, after
):
    one = run(shim, tmp_path, fault, after, "*.mdb", 1, "group")
    assert one.hits
    assert broken(one, tmp_path, 1) == []
    if fault.action is not Action.SHORT:
        knows_it(one, fault)


@pytest.mark.parametrize("calls", [Calls.WRITE, Calls.FLUSH], ids=["write", "flush"])
def test_an_engine_that_does_not_look_at_a_failure_is_found(shim, tmp_path, kinds, calls):
    """A write that nobody will read again may be lost, so several places are tried."""
    fault = Fault(calls, action=Action.LOST, times=-1)
    found = []
    for part in (2, 3, 4, 6, 8, 12):
        folder = tmp_path / str(part)
        one = run(shim, folder, fault, kinds.chances(fault, "") // part, "*", 1)
        found.append(bool(one.hits) and broken(one, folder, 1) != [])
    assert any(found)
