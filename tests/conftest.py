"""What all suites share: the time each suite took, and that nothing is skipped unseen."""

from __future__ import annotations

import os
from collections import defaultdict
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parent


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what each suite took: tests, seconds, and how many were skipped."""
    seconds: dict[str, float] = defaultdict(float)
    tests: dict[str, set[str]] = defaultdict(set)
    skipped: dict[str, int] = defaultdict(int)
    for reports in terminalreporter.stats.values():
        for report in reports:
            if isinstance(report, pytest.TestReport):
                suite = _suite(report.nodeid)
                seconds[suite] += report.duration
                tests[suite].add(report.nodeid)
                skipped[suite] += report.skipped
    terminalreporter.section("suites")
    for suite in sorted(seconds):
        note = f", {skipped[suite]} skipped" if skipped[suite] else ""
        terminalreporter.line(
            f"{suite:<10} {len(tests[suite]):>6} tests {seconds[suite]:>8.1f} s{note}"
        )


def _suite(node: str) -> str:
    parts = node.split("/")
    return parts[1] if parts[0] == TESTS.name and len(parts) > 2 else parts[0]


def pytest_report_header() -> str:
    """Say which package is under test."""
    import router

    made = "installed by make" if os.environ.get("VANBAN_INSTALLED") == "1" else "as found"
    return f"vanban-router {router.__version__}, {made}: {Path(router.__file__).parent}"
