"""`vanban demo`: the main job on real input, with its plan checked."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import rich_click as click
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from router.cli.output import (
    EXIT_REFUSED,
    console,
    json_option,
    language,
    print_json,
    print_table,
    speaks,
    warnings,
)

if TYPE_CHECKING:
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
                warnings.print(f"… {stage}")
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
            warnings.print(f"[red]not as planned[/] {fault}")
        raise SystemExit(EXIT_REFUSED)


def _show(report: DemoReport) -> None:
    """Print the tables a person looks at."""
    console.rule(f"One day in Hà Giang, {report.units} units")
    print_table(
        "Documents",
        ("what", "#count"),
        [
            ("submitted", report.documents),
            ("accepted", report.accepted),
            ("repeated (first receipt given again)", report.repeated),
            *((f"refused {code}", count) for code, count in report.refused.items()),
        ],
    )
    print_table(
        f"Deliveries (mean fan-out {report.mean_fan_out})",
        ("what", "#count"),
        [
            ("planned", report.deliveries),
            ("acknowledged", report.acknowledged),
            ("returned with a reason", report.returned),
            ("lost", report.lost),
            ("duplicated", report.duplicated),
            ("misrouted", report.misrouted),
            ("over HTTP", f"{report.over_http['deliveries']} by {report.over_http['units']} units"),
        ],
    )
    print_table("By tier", ("tier", "#deliveries"), report.deliveries_by_tier.items())
    print_table("By lane", ("lane", "#deliveries"), report.deliveries_by_lane.items())
    _show_board(report)
    _show_explanations(report)
    print_table(
        "Seconds by stage",
        ("stage", "#s"),
        [(stage, f"{spent:.3f}") for stage, spent in report.seconds.items()],
    )
    print_table("Rates", ("what", "#per second"), report.rates.items())
    verdict = "[green]as planned[/]" if report.as_planned else "[red]NOT as planned[/]"
    console.print(f"Every count {verdict}.")


def _show_board(report: DemoReport) -> None:
    """Print who had the broadcast after the pull over HTTP, and who not yet."""
    board = report.board
    states = sorted(board.states)
    rows = [
        (tier, *(counts.get(state, 0) for state in states))
        for tier, counts in board.by_tier.items()
    ]
    console.print(f"\n[bold]Who has it?[/] {board.document_id}: {board.subject}")
    print_table("After the pull over HTTP", ("tier", *("#" + state for state in states)), rows)
    taken = [one for one in board.deliveries if one.state != "queued"]
    waiting = [one for one in board.deliveries if one.state == "queued"]
    print_table(
        "Some of them",
        ("unit", "name", "state", "since"),
        [
            (one.address, one.name, one.state, one.since)
            for one in (taken[: BOARD_ROWS // 2] + waiting[: BOARD_ROWS // 2])
        ],
    )


def _show_explanations(report: DemoReport) -> None:
    console.print()
    for answer in report.explanations:
        console.print(answer.summary_vi if language() == "vi" else answer.summary)
        for step in answer.reasons:
            mark = "✓" if step.get("matched") else "·"
            console.print(f"  {mark} {step.get('part')}: {step.get('because')}", soft_wrap=True)
