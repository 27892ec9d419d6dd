"""Seeded runs of the whole engine with crashes: every promise holds after each step.

`VANBAN_SIM_SEEDS=FIRST:STOP` runs other seeds (make sim runs ten thousand).
"""

import math
import os

import pytest

from router.limits import COLD_WAIT_MS_MAX
from router.queue import MemoryStore
from vanban_bench.simulator import run_seed, steps_of
from vanban_bench.simulator.__main__ import main
from vanban_bench.simulator.session import Session

FIRST, STOP = map(int, os.environ.get("VANBAN_SIM_SEEDS", "0:300").split(":"))
CHUNK = 25


@pytest.mark.parametrize("first", range(FIRST, STOP, CHUNK))
def test_no_seed_breaks_a_promise(first):
    seeds = range(first, min(first + CHUNK, STOP))
    reports = [run_seed(seed) for seed in seeds]
    assert sum(report.documents for report in reports) > 10 * len(seeds)
    assert sum(report.deliveries for report in reports) > 50 * len(seeds)
    assert sum(report.crashes for report in reports) > 2 * len(seeds)
    assert sum(report.faults for report in reports) > len(seeds)
    assert sum(report.replays for report in reports) > len(seeds)


@pytest.mark.parametrize("seed", [10, 58, 203, 310, 756, 1050, 8913, 8931])
def test_a_seed_that_was_red_once_stays_green(seed):
    """What they found has tests of its own; the steps of a seed change with the simulator."""
    assert run_seed(seed, 150).documents > 0


@pytest.mark.parametrize("seed", [349, 1753, 3128, 3396, 3805, 5274, 5423, 5642, 5714])
def test_a_seed_that_was_red_in_a_run_of_its_own_length_stays_green(seed):
    """Crashes between a verdict and what it leads to, or while it is asked for; lost re-drives."""
    assert run_seed(seed).documents > 0


def test_no_clock_but_the_run_s_own_decides_anything():
    session = Session(7, MemoryStore)
    assert session.engine._verifier._cold_wait_s * 1_000 == COLD_WAIT_MS_MAX
    assert session.engine._verification.turn_wait_s * 1_000 == COLD_WAIT_MS_MAX
    assert session.engine._judge.turn_s == math.inf
    session.close()


def test_a_seed_replays_its_run():
    first = run_seed(7, 60)
    assert run_seed(7, 60) == first
    assert run_seed(8, 60).digest != first.digest


def test_long_runs_keep_every_promise_too():
    report = run_seed(1_000_002, 600)
    assert report.documents > 80
    assert report.verdicts > 0, "no document ever had to wait for its verdict"


def test_some_seeds_are_long_runs():
    assert len({steps_of(seed) for seed in range(100)}) == 2


def test_the_command_runs_seeds_and_prints_reports(capsys):
    assert main(["--seeds", "3:5", "--steps", "10", "--json", "--jobs", "1"]) == 0
    out = capsys.readouterr().out.splitlines()
    assert len(out) == 2
    assert '"seed":3' in out[0]


def test_the_command_runs_seeds_on_several_processes(capsys):
    assert main(["--seeds", "3:9", "--steps", "5", "--jobs", "2"]) == 0
    assert "6/6 seeds" in capsys.readouterr().err


def test_the_command_tells_how_to_run_a_red_seed_again(capsys, monkeypatch):
    from router.queue import Queue

    def broken(self, *arguments, **named):
        raise RuntimeError("planted")

    monkeypatch.setattr(Queue, "find", broken)
    assert main(["--seeds", "3:5", "--steps", "40", "--jobs", "1"]) == 1
    said = capsys.readouterr().err
    assert "--seed 3 --steps 40" in said
    assert "planted" in said
