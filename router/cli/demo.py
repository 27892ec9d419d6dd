"""`vanban demo`: the main job on real input, with its plan checked."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import rich_click as click
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from router.cli.boards import print_deliveries, print_explanation, print_states
from router.cli.output import (
    EXIT_REFUSED,
    json_option,
    print_json,
    print_line,
    print_table,
    speaks,
    warn_line,
    warnings,
)

if TYPE_CHECKING:
    from router.model.answers import Tracking
    from vanban_bench.demo import DemoReport

BOARD_ROWS = 12


@click.command(epilog="Example: vanban demo --json")
@click.option("--documents", default=3_300, show_default=True, type=click.IntRange(1, 100_000),
              help="Good documents of the day.")  # fmt: skip
@click.option("--seed", default=2024, show_default=True, help="The same seed, the same day.")
@click.option("--data", type=click.Path(file_okay=False), help="Keep the data directory here.")
@json_option
@speaks
def demo(documents: int, seed: int, data: str | None, as_json: bool) -> None:
    """One Hà Giang day: signed documents through the engine, pulled over HTTP, all accounted for.

    Exit status 1 when any count is not what the generator planned.
    """
    from vanban_bench.demo import run_demo

    bars = Progress(
        TextColumn("{task.description:<16}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=warnings,
        disable=not warnings.is_terminal,
    )
    tasks: dict[str, object] = {}

    def progress(stage: str, done: int, total: int) -> None:
        if stage not in tasks:
            tasks[stage] = bars.add_task(stage, total=total)
            if not warnings.is_terminal:
                warn_line(f"… {stage}")
        bars.update(tasks[stage], completed=done)  # type: ignore[arg-type]

    with tempfile.TemporaryDirectory(prefix="vanban-demo-") as scratch, bars:
        home = Path(data) if data is not None else Path(scratch) / "data"
        report = run_demo(home, documents=documents, seed=seed, progress=progress)
    if as_json:
        print_json(report)
    else:
        _show(report)
    if not report.as_planned:
        for fault in report.faults:
            warn_line(("not as planned", "red"), f" {fault}")
        raise SystemExit(EXIT_REFUSED)


def _show(report: DemoReport) -> None:
    """Print the tables a person looks at."""
    print_table(
        f"One day in Hà Giang, {report.units} units: documents",
        ("~what", "#count"),
        [
            ("submitted", f"{report.documents:,}"),
            ("accepted", f"{report.accepted:,}"),
            ("repeated (first receipt given again)", report.repeated),
            *((f"refused {code}", count) for code, count in report.refused.items()),
        ],
    )
    over_http = report.over_http
    print_table(
        f"Deliveries (mean fan-out {report.mean_fan_out})",
        ("~what", "#count"),
        [
            ("planned", f"{report.deliveries:,}"),
            ("acknowledged", f"{report.acknowledged:,}"),
            ("returned with a reason", report.returned),
            ("lost", report.lost),
            ("duplicated", report.duplicated),
            ("misrouted", report.misrouted),
            ("altered", report.altered),
            (f"of all, over HTTP by {over_http['units']} units", f"{over_http['deliveries']:,}"),
        ],
    )
    for title, counts in (
        ("tier", report.deliveries_by_tier),
        ("lane", report.deliveries_by_lane),
    ):
        rows = [(name, f"{count:,}") for name, count in counts.items()]
        print_table(f"Deliveries by {title}", (title, "#deliveries"), rows)
    if report.board is not None:
        _show_board(report.board)
    if report.explanations:
        print_line("")
        print_line(("Why, and why not?", "bold"))
    for answer in report.explanations:
        print_explanation(answer)
    seconds = [(stage, f"{spent:.3f}") for stage, spent in report.seconds.items()]
    print_table("Seconds by stage", ("stage", "#s"), seconds)
    rates = [(what, f"{rate:,.0f}") for what, rate in report.rates.items()]
    print_table("Rates", ("~what", "#per second"), rates)
    print_line("")
    verdict = ("as planned", "green") if report.as_planned else ("NOT as planned", "red")
    print_line("Every count ", verdict, ".")


def _show_board(board: Tracking) -> None:
    """Print who had the broadcast after the pull over HTTP, and who not yet."""
    print_line("")
    print_line(("Who has it, after the pull over HTTP?", "bold"))
    print_line(f"{board.document_id}: {board.subject}")
    print_states(board)
    half = BOARD_ROWS // 2
    waiting = [one for one in board.deliveries if one.state == "queued"]
    taken = [one for one in board.deliveries if one.state != "queued"]
    print_deliveries("Some of them", [*taken[:half], *waiting[:half]])
