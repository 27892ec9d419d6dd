"""Runs suites of benchmarks and writes their rows as JSON lines.

The command `vanban bench run` calls `run` and `print_table`; neither knows of a command
line.  The calibration rows come first in every file.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Final

import msgspec

from vanban_bench import micro
from vanban_bench.micro import calibration
from vanban_bench.rows import ROUNDS_MIN, Row, measure

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

_PACKAGE: Final = micro.__name__


class UnknownSuiteError(LookupError):
    """No suite has that name; the message lists those there are."""


def suite_names() -> list[str]:
    """Return the names of all suites, calibration first."""
    found = [
        module.name
        for module in pkgutil.iter_modules(micro.__path__)
        if not module.name.startswith(("_", "test_"))
    ]
    return sorted(found, key=lambda name: (name != calibration.SUITE, name))


def load_suite(name: str) -> ModuleType:
    """Import one suite.  Raises `UnknownSuiteError`."""
    if name not in suite_names():
        raise UnknownSuiteError(f"no suite “{name}”; there are: {', '.join(suite_names())}")
    return importlib.import_module(f"{_PACKAGE}.{name}")


def suite_rows(name: str, *, tiny: bool = False, rounds: int = ROUNDS_MIN) -> Iterator[Row]:
    """Measure one suite, row by row.

    Raises `UnknownSuiteError`, and `DigestMismatchError` when an answer differs from the
    peer's.
    """
    suite = load_suite(name)
    if hasattr(suite, "rows"):
        yield from suite.rows(tiny, rounds)
        return
    for case in suite.cases(tiny):
        yield measure(case, rounds)


def run(
    suites: Sequence[str] = (),
    json_path: Path | None = None,
    tiny: bool = False,
    progress: Callable[[str], None] | None = None,
    *,
    rounds: int | None = None,
    directory: Path | None = None,
) -> list[Row]:
    """Run the calibration and then the suites named (all when none is).

    `json_path` receives one JSON object a line, each as soon as it is known; `progress` is
    told the name of each row; `directory` is where the disk is calibrated; `tiny` runs
    small sizes once, to prove that everything still works.  Raises as `suite_rows` does,
    before anything is measured when a suite is unknown, and OSError when the file can't be
    written.
    """
    names = [name for name in (suites or suite_names()) if name != calibration.SUITE]
    for name in names:
        load_suite(name)
    turns = rounds if rounds is not None else 1 if tiny else ROUNDS_MIN
    done: list[Row] = []
    with ExitStack() as stack:
        lines = stack.enter_context(json_path.open("wb")) if json_path else None
        for row in _all_rows(names, tiny, turns, directory):
            done.append(row)
            if lines is not None:
                lines.write(msgspec.json.encode(row) + b"\n")
                lines.flush()
            if progress is not None:
                progress(f"{row.suite}/{row.name}")
    return done


def _all_rows(
    names: Sequence[str], tiny: bool, rounds: int, directory: Path | None
) -> Iterator[Row]:
    yield from calibration.rows(tiny, rounds, directory)
    for name in names:
        yield from suite_rows(name, tiny=tiny, rounds=rounds)


def read_rows(json_path: Path) -> list[Row]:
    """Return the rows of a results file.  Raises `msgspec.ValidationError`, OSError."""
    lines = json_path.read_bytes().splitlines()
    return [msgspec.json.decode(line, type=Row) for line in lines if line.strip()]


def table(rows: Sequence[Row]) -> Table:
    """Return the rows as a table for people."""
    from rich.table import Table

    shown = Table(title="Benchmarks (a ratio above 1: we are better)")
    for heading in ("row", "unit"):
        shown.add_column(heading, no_wrap=True)
    for heading in ("ours", "peer's", "ratio"):
        shown.add_column(heading, justify="right", no_wrap=True)
    shown.add_column("peer", no_wrap=True)
    for row in rows:
        shown.add_row(
            f"{row.suite}/{row.name}",
            row.unit,
            _short(row.value),
            "" if row.peer_value is None else _short(row.peer_value),
            "" if row.ratio is None else f"{row.ratio:,.2f}x",
            row.peer or "",
        )
    return shown


def print_table(rows: Sequence[Row], console: Console | None = None) -> None:
    """Print the table, then what the rows note (to standard output unless told)."""
    from rich.console import Console

    target = console or Console()
    target.print(table(rows))
    for row in rows:
        if row.note:
            target.print(f"{row.suite}/{row.name}: {row.note}", style="dim", soft_wrap=True)


def _short(value: float) -> str:
    return f"{value:,.3f}" if value < 100 else f"{value:,.0f}"
