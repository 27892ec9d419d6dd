"""`python -m vanban_bench.simulator --seeds 0:1000`: run many seeds, stop at a violation."""

from __future__ import annotations

import argparse
import sys
import time

import msgspec

from vanban_bench.simulator.run import STEPS_DEFAULT, Report, Violation, run_seed


def main(arguments: list[str] | None = None) -> int:
    """Run the seeds asked for; return 1 when one of them broke a promise."""
    parser = argparse.ArgumentParser(prog="python -m vanban_bench.simulator", description=__doc__)
    parser.add_argument("--seeds", default="1000", help="how many, or FIRST:STOP [1000]")
    parser.add_argument("--seed", type=int, help="this one seed only")
    parser.add_argument("--steps", type=int, default=STEPS_DEFAULT, help="steps of a run")
    parser.add_argument("--json", action="store_true", help="one JSON line for each seed")
    parser.add_argument("--keep-going", action="store_true", help="go on after a violation")
    chosen = parser.parse_args(arguments)
    first, colon, stop = chosen.seeds.partition(":")
    seeds = range(int(first), int(stop)) if colon else range(int(first))
    if chosen.seed is not None:
        seeds = range(chosen.seed, chosen.seed + 1)
    reports: list[Report] = []
    violations = 0
    begun = time.monotonic()
    for count, seed in enumerate(seeds, 1):
        try:
            report = run_seed(seed, chosen.steps)
        except Violation as violation:
            violations += 1
            _say_violation(violation, as_json=chosen.json)
            if not chosen.keep_going:
                return 1
            continue
        reports.append(report)
        if chosen.json:
            print(msgspec.json.encode(report).decode(), flush=True)
        _say_progress(reports, count, len(seeds), time.monotonic() - begun)
    sys.stderr.write("\n")
    return 1 if violations else 0


def _say_violation(violation: Violation, *, as_json: bool) -> None:
    if as_json:
        facts = {"seed": violation.seed, "step": violation.step, "violation": violation.what}
        print(msgspec.json.encode(facts).decode(), flush=True)
    sys.stderr.write(f"\nVIOLATION {violation}\n")


def _say_progress(reports: list[Report], count: int, total: int, seconds: float) -> None:
    documents = sum(report.documents for report in reports)
    deliveries = sum(report.deliveries for report in reports)
    crashes = sum(report.crashes for report in reports)
    line = (
        f"{count}/{total} seeds  {documents} documents  {deliveries} deliveries"
        f"  {crashes} crashes  {seconds:.0f} s"
    )
    end = "" if sys.stderr.isatty() else "\n"
    if end == "" or count == total or count % 50 == 0:
        sys.stderr.write(f"\r{line}{end}" if not end else f"{line}{end}")
        sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
