"""`python -m vanban_bench.simulator --seeds 0:1000`: run many seeds, on all cores.

Ends with a summary and, for each seed that broke a promise, what it said and the command that
runs it again.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor

import msgspec

from vanban_bench.simulator.run import Report, Violation, run_seed

SEEDS_DEFAULT = "10000"
VIOLATIONS_MAX = 10
SAY_EVERY_S = 10.0
COUNTED = ("documents", "deliveries", "crashes", "faults", "replays", "restorations", "verdicts")


class Broken(msgspec.Struct, frozen=True):
    """A seed that broke a promise: at which step, and which."""

    seed: int
    step: int
    violation: str


class Task(msgspec.Struct, frozen=True):
    """One seed to run; `steps` None: as many as it has by itself."""

    seed: int
    steps: int | None


def run_one(task: Task) -> Report | Broken:
    """Run one seed; what it broke is an answer here."""
    try:
        return run_seed(task.seed, task.steps)
    except Violation as violation:
        return Broken(violation.seed, violation.step, violation.what)


def main(arguments: list[str] | None = None) -> int:
    """Run the seeds asked for; return 1 when one of them broke a promise."""
    chosen = _parse(arguments)
    first, colon, stop = chosen.seeds.partition(":")
    seeds = range(int(first), int(stop)) if colon else range(int(first))
    if chosen.seed is not None:
        seeds = range(chosen.seed, chosen.seed + 1)
    tasks = [Task(seed, chosen.steps) for seed in seeds]
    progress = _Progress(len(tasks))
    broken: list[Broken] = []
    for answer in _answers(tasks, min(chosen.jobs, len(tasks))):
        if chosen.json:
            print(msgspec.json.encode(answer).decode(), flush=True)
        progress.take(answer)
        if isinstance(answer, Broken):
            broken.append(answer)
            sys.stderr.write(f"VIOLATION seed {answer.seed}, step {answer.step}: ")
            sys.stderr.write(f"{answer.violation}\n")
            if len(broken) >= VIOLATIONS_MAX and not chosen.keep_going:
                break
    _summarise(progress, broken, chosen.steps)
    return 1 if broken else 0


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m vanban_bench.simulator", description=__doc__)
    parser.add_argument(
        "--seeds", default=SEEDS_DEFAULT, help=f"how many, or FIRST:STOP [{SEEDS_DEFAULT}]"
    )
    parser.add_argument("--seed", type=int, help="this one seed only")
    parser.add_argument("--steps", type=int, help="steps of a run [by seed: 60, or 300]")
    parser.add_argument(
        "--jobs", type=int, default=os.cpu_count() or 1, help="processes [one a core]"
    )
    parser.add_argument("--json", action="store_true", help="one JSON line for each seed")
    parser.add_argument(
        "--keep-going", action="store_true", help=f"also after {VIOLATIONS_MAX} violations"
    )
    return parser.parse_args(arguments)


def _answers(tasks: Sequence[Task], jobs: int) -> Iterator[Report | Broken]:
    """Yield the answer of each task, in order; on several processes when there are jobs."""
    if jobs < 2:
        yield from map(run_one, tasks)
        return
    with ProcessPoolExecutor(jobs) as pool:
        try:
            yield from pool.map(run_one, tasks, chunksize=max(1, min(20, len(tasks) // jobs)))
        finally:
            pool.shutdown(cancel_futures=True)


class _Progress:
    """Counts what was done, and says so now and then."""

    def __init__(self, total: int) -> None:
        self.total = total
        self.done = 0
        self.sums = dict.fromkeys(COUNTED, 0)
        self.began = self.said = time.monotonic()

    def take(self, answer: Report | Broken) -> None:
        self.done += 1
        if isinstance(answer, Report):
            for name in COUNTED:
                self.sums[name] += getattr(answer, name)
        now = time.monotonic()
        if now - self.said >= SAY_EVERY_S:
            self.said = now
            sys.stderr.write(f"{self.line()}\n")

    def line(self) -> str:
        """Return what was done so far."""
        seconds = time.monotonic() - self.began
        left = seconds / max(self.done, 1) * (self.total - self.done)
        sums = "  ".join(f"{count} {name}" for name, count in self.sums.items())
        return f"{self.done}/{self.total} seeds  {sums}  {seconds:.0f} s, {left:.0f} s to go"


def _summarise(progress: _Progress, broken: Sequence[Broken], steps: int | None) -> None:
    sys.stderr.write(f"{progress.line()}  {len(broken)} violations\n")
    for one in broken:
        more = "" if steps is None else f" --steps {steps}"
        sys.stderr.write(f"  python -m vanban_bench.simulator --seed {one.seed}{more}\n")
        sys.stderr.write(f"    step {one.step}: {one.violation}\n")


if __name__ == "__main__":
    sys.exit(main())
