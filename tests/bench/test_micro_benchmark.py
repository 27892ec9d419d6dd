"""The cases of every suite under pytest-benchmark, for its statistics and comparisons.

`make test` runs each call once (--benchmark-disable); `make bench` times them.  The rows
that are published come from `vanban bench run`, which interleaves each with its peer.
"""

from __future__ import annotations

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from vanban_bench.rows import Case, digest_text
from vanban_bench.run import load_suite, suite_names


def all_cases() -> list[Case]:
    suites = [load_suite(name) for name in suite_names()]
    return [case for suite in suites if hasattr(suite, "cases") for case in suite.cases(tiny=True)]


@pytest.mark.parametrize("case", all_cases(), ids=lambda case: f"{case.suite}-{case.name}")
def test_micro(case: Case, benchmark: BenchmarkFixture) -> None:
    benchmark.group = case.suite
    answer = benchmark(case.ours)
    assert digest_text(case.digest(answer))
