"""A power cut at any instant: what was answered is there, whole and once.

A run of the real engine is recorded call by call, and its directory rebuilt as the disk may
have held it when the power went.  The lies show that the checker sees what it is there for.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from support.load import Script
from support.powercut import Entry, What, cuts, instants, roots_written, unordered
from support.recording import Judge, record_lives

POSTS = 120


def broken(
    script: Script, entries: list[Entry], folder: Path, when: list[int], seed: int
) -> list[tuple[str, list[str]]]:
    """Return the cuts after which a promise is broken, each with what is wrong."""
    wrong = []
    with Judge(script, folder) as judge:
        for cut in cuts(entries, folder, when, seed):
            found = judge.problems(cut.path / "data", cut.marks)
            if found:
                wrong.append((str(cut), found[:5]))
            shutil.rmtree(cut.path)
    return wrong


@pytest.mark.parametrize(
    ("runs", "count"),
    [(1, 60), pytest.param(6, 100, marks=[pytest.mark.system, pytest.mark.timeout(600)])],
)
def test_a_power_cut_breaks_no_promise(shim, tmp_path, runs, count):
    for seed in range(1, runs + 1):
        script, entries = record_lives(shim, tmp_path / str(seed), posts=POSTS, seed=seed)
        assert sum(entry.what is What.MARKED for entry in entries) > POSTS / 2
        assert roots_written(entries) > 5, "hardly any checkpoint is in the record"
        assert broken(script, entries, tmp_path, instants(entries, count, seed), seed) == []
        assert unordered(entries) == []


@pytest.mark.parametrize(
    "count", [20, pytest.param(100, marks=[pytest.mark.system, pytest.mark.timeout(600)])]
)
def test_a_power_cut_breaks_no_promise_of_the_store_that_syncs_lmdb(shim, tmp_path, count):
    script, entries = record_lives(shim, tmp_path / "run", posts=48, seed=1, port="group")
    assert not (tmp_path / "run" / "disk" / "data" / "log").exists()
    # Callers share groups, the more so on a busy machine.
    assert roots_written(entries) > 15, "a group is not synced by itself"
    assert broken(script, entries, tmp_path, instants(entries, count, 1), 1) == []
    assert unordered(entries) == []


def test_a_flush_that_the_store_that_syncs_lmdb_leaves_out_is_found(shim, tmp_path):
    lies = "fsync,fdatasync,dsync"
    script, entries = record_lives(
        shim, tmp_path / "run", posts=16, seed=1, lies=lies, port="group"
    )
    assert broken(script, entries, tmp_path, instants(entries, 6, 1), 1) != []


@pytest.mark.parametrize("turns", [4, pytest.param(40, marks=pytest.mark.system)])
def test_a_power_cut_during_creation_leaves_a_directory_that_opens(shim, tmp_path, turns):
    script, entries = record_lives(shim, tmp_path / "run", posts=8, seed=1)
    first = next(entry.index for entry in entries if entry.what is What.MARKED)
    when = [place for place in range(first + 1) for _ in range(turns)]
    assert broken(script, entries, tmp_path, when, turns) == []


@pytest.mark.parametrize(
    "lies",
    [
        "fsync",
        "fdatasync,dsync",
        pytest.param("fdatasync", marks=pytest.mark.system),
    ],
)
def test_a_flush_left_out_is_found(shim, tmp_path, lies):
    script, entries = record_lives(shim, tmp_path / "run", posts=40, seed=1, lies=lies)
    assert broken(script, entries, tmp_path, instants(entries, 40, 1), 1) != []
    assert (unordered(entries) != []) == ("fdatasync" in lies)
