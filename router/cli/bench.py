"""`vanban bench run`: the suites of vanban_bench, measured against their peers."""

from __future__ import annotations

from pathlib import Path

import rich_click as click

from router.cli.output import console, print_json, speaks, warnings


@click.group(epilog="Example: vanban bench run verify")
def bench() -> None:
    """Measure this machine and this engine (for capacity planning)."""


@bench.command("run", epilog="Example: vanban bench run resolve --json rows.jsonl")
@click.argument("suites", nargs=-1)
@click.option("--json", "json_path", type=click.Path(dir_okay=False), is_flag=False,
              flag_value="-", help="Write JSON lines to FILE (nothing: print JSON).")  # fmt: skip
@click.option("--tiny", is_flag=True, help="Small sizes, one round: does it still work?")
@click.option("--rounds", type=click.IntRange(1, 1_000), help="Rounds of each row [5].")
@speaks
def run(suites: tuple[str, ...], json_path: str | None, tiny: bool, rounds: int | None) -> None:
    """Run SUITES (all when none is named); a ratio above 1 means we are better."""
    from vanban_bench.run import UnknownSuiteError, print_table
    from vanban_bench.run import run as run_suites

    printed = json_path == "-"
    path = None if json_path is None or printed else Path(json_path)
    try:
        rows = run_suites(
            suites,
            path,
            tiny,
            lambda name: warnings.print(f"  {name}", style="dim"),
            rounds=rounds,
        )
    except UnknownSuiteError as error:
        raise click.UsageError(str(error)) from None
    if printed:
        print_json(rows)
    else:
        print_table(rows, console)
