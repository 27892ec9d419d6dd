"""Seeded runs of the whole engine with crashes: every promise holds after each step.

`VANBAN_SIM_SEEDS=FIRST:STOP` runs other seeds (make sim runs a thousand and more).
"""

import os

import pytest

from vanban_bench.simulator import run_seed
from vanban_bench.simulator.__main__ import main

FIRST, STOP = map(int, os.environ.get("VANBAN_SIM_SEEDS", "0:80").split(":"))
CHUNK = 10


@pytest.mark.parametrize("first", range(FIRST, STOP, CHUNK))
def test_no_seed_breaks_a_promise(first):
    reports = [run_seed(seed) for seed in range(first, min(first + CHUNK, STOP))]
    assert sum(report.documents for report in reports) > 100
    assert sum(report.deliveries for report in reports) > 1_000
    assert sum(report.crashes for report in reports) > 50


def test_a_seed_replays_its_run():
    first = run_seed(7, 60)
    assert run_seed(7, 60) == first
    assert run_seed(8, 60).digest != first.digest


def test_long_runs_keep_every_promise_too():
    assert run_seed(1_000_001, 600).documents > 100


def test_the_command_runs_seeds_and_prints_reports(capsys):
    assert main(["--seeds", "3:5", "--steps", "10", "--json"]) == 0
    out = capsys.readouterr().out.splitlines()
    assert len(out) == 2
    assert '"seed":3' in out[0]
