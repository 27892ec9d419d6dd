"""Bytes changed under the guidance of coverage: no crash, no hang, no memory, nothing good.

Each target runs for a few seconds from its whole inputs (`tests/fuzz`); `make fuzz` runs them
longer.  The package atheris is needed, and never imported by the tests themselves.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(
        importlib.util.find_spec("atheris") is None, reason="the package atheris is not installed"
    ),
]

TESTS = Path(__file__).resolve().parents[1]
RUN_S = 6


def fuzz(target: str, folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    paths = [str(TESTS), *filter(None, [os.environ.get("PYTHONPATH")])]
    return subprocess.run(
        [sys.executable, "-P", "-m", "fuzz", target, str(folder), *options],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        capture_output=True, text=True, timeout=170, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("target", ["signature", "envelope", "tree", "certificate", "revocation"])
def test_nothing_but_refusals_comes_of_changed_bytes(target: str, tmp_path: Path) -> None:
    done = fuzz(target, tmp_path / target, f"-max_total_time={RUN_S}", "-seed=1")
    assert done.returncode == 0, (done.stdout + done.stderr)[-4_000:]
    assert "stat::number_of_executed_units" in done.stderr
    assert not list((tmp_path / target).glob("failed-*"))


def test_a_target_that_nobody_knows_is_refused(tmp_path: Path) -> None:
    done = fuzz("document", tmp_path)
    assert done.returncode == 2
    assert "signature|envelope|tree|certificate|revocation" in done.stdout
