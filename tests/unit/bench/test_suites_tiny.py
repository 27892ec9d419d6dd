"""Every suite runs at its small size, so no benchmark can rot or time the wrong thing."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from vanban_bench.micro import calibration
from vanban_bench.run import (
    UnknownSuiteError,
    print_table,
    read_rows,
    run,
    suite_names,
    suite_rows,
)

CALIBRATION = ["fdatasync-2k", "sha256-2k", "dict-lookup"]


@pytest.mark.parametrize("name", suite_names())
def test_a_suite_runs_tiny(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    rows = list(suite_rows(name, tiny=True, rounds=1))
    assert rows
    assert {row.suite for row in rows} == {name}
    assert len({row.name for row in rows}) == len(rows), "names are unique in a suite"
    for row in rows:
        assert row.value >= 0
        assert (row.peer is None) == (row.ratio is None)
        assert row.peer is None or row.digest


def test_the_calibration_stands_first_in_every_file(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    told: list[str] = []
    rows = run([calibration.SUITE], path, tiny=True, progress=told.append, directory=tmp_path)
    assert [row.name for row in rows] == CALIBRATION
    assert told == [f"calibration/{name}" for name in CALIBRATION]
    assert read_rows(path) == rows
    assert [file.name for file in tmp_path.iterdir()] == ["rows.jsonl"]


def test_the_names_of_suites_begin_with_the_calibration() -> None:
    assert suite_names()[0] == calibration.SUITE


def test_an_unknown_suite_is_named_before_anything_is_measured(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    with pytest.raises(UnknownSuiteError, match=r"nosuch.*calibration"):
        run(["nosuch"], path, tiny=True)
    assert not path.exists()


def test_the_table_shows_every_row(tmp_path: Path) -> None:
    from rich.console import Console

    rows = run([calibration.SUITE], tiny=True, directory=tmp_path)
    shown = io.StringIO()
    print_table(rows, Console(file=shown, width=160))
    for name in CALIBRATION:
        assert f"calibration/{name}" in shown.getvalue()
