"""One Hà Giang day through the engine, stage by stage: routed, leased, acknowledged.

The day is planned and signed beforehand; verifying the signatures is part of routing.  Each
round has a new engine in a new data directory on the disk of the current directory.  There
is no peer: read the seconds beside the calibration rows.
"""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from router.engine import Engine
from router.model.units import Unit
from router.ports import OffsetClock
from vanban_bench.demo.stages import EVENING, Stages
from vanban_bench.rows import ROUNDS_MIN, DigestMismatchError, Row, digest_text
from vanban_bench.workloads.day import DOCUMENTS, plan_day
from vanban_bench.workloads.sample_directory import ha_giang_directory
from vanban_bench.workloads.signed_day import SignedDay, sign_day

SUITE: Final = "day"
SEED: Final = 2024
TINY: Final = 60
STAGES: Final = ("route", "lease", "acknowledge")


def rows(tiny: bool, rounds: int = ROUNDS_MIN, directory: Path | None = None) -> Iterator[Row]:
    """Yield the median seconds of each stage and of their sum.

    `directory` is where the data directories are made (the current one unless told).  The
    digest is over all settled (place in the plan, unit) pairs.  Raises `DigestMismatchError`
    when a round settles anything but what the generator planned, ValueError for less than
    one round.
    """
    if rounds < 1:
        raise ValueError("at least one round is needed")
    units = ha_giang_directory()
    plan = plan_day(units, SEED, TINY if tiny else DOCUMENTS)
    day = sign_day(plan)
    planned = [
        (place, number)
        for place, document in enumerate(plan.documents)
        for number in sorted(document.recipients)
    ]
    digest = digest_text(repr(planned))
    spent: list[dict[str, float]] = []
    for _ in range(rounds):
        stages = _run(units, day, directory or Path.cwd())
        found = digest_text(repr(stages.settled_places()))
        if found != digest:
            raise DigestMismatchError(f"{SUITE}: settled {found[:16]}…, planned {digest[:16]}…")
        spent.append({name: stages.seconds[name] for name in STAGES})
    note = f"{len(plan.documents)} documents, {plan.deliveries()} deliveries"
    for name in (*STAGES, "total"):
        seconds = [sum(one.values()) if name == "total" else one[name] for one in spent]
        yield Row(
            suite=SUITE,
            name=name,
            value=statistics.median(seconds),
            unit="s",
            digest=digest,
            rounds=rounds,
            note=note,
        )


def _run(units: list[Unit], day: SignedDay, directory: Path) -> Stages:
    with (
        tempfile.TemporaryDirectory(prefix="vanban-day-", dir=directory) as home,
        Engine.open(Path(home) / "data", clock=OffsetClock(EVENING)) as engine,
    ):
        stages = Stages(engine, units, day)
        stages.install()
        stages.route()
        stages.drain()
        return stages
