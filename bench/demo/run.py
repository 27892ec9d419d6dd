"""The demo: sign, route, pull over HTTP, drain, and compare with the plan."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter
from typing import Final

from router.client import Client
from router.engine import Engine
from router.model.answers import Explanation, Lane, Problem, Receipt, Tracking
from router.model.units import TIER_NAMES
from router.ports import OffsetClock
from router.server import BackgroundServer
from vanban_bench.demo.report import DemoReport
from vanban_bench.demo.stages import ACTOR, EVENING, Progress, Stages
from vanban_bench.workloads.day import (
    ACCEPTED,
    DOCUMENTS,
    REPEATED,
    DayPlan,
    PlannedDocument,
    plan_day,
)
from vanban_bench.workloads.sample_directory import (
    COMMUNE,
    HA_GIANG_CODE,
    ha_giang_directory,
)
from vanban_bench.workloads.signed_day import sign_day

HTTP_UNITS: Final = 12
HTTP_UNITS_ELSEWHERE: Final = 3
HTTP_LEASE: Final = 100
REASON: Final = "Gửi sai nơi nhận (văn bản không thuộc thẩm quyền giải quyết)"
BROADCAST: Final = "all-communes"
FAULTS_SHOWN: Final = 20


def run_demo(
    path: Path,
    *,
    documents: int = DOCUMENTS,
    seed: int = 2024,
    progress: Progress = lambda *_: None,
) -> DemoReport:
    """Run the whole day in a new data directory at `path`; see `DemoReport`."""
    begun = perf_counter()
    units = ha_giang_directory()
    plan = plan_day(units, seed, documents)
    planned = perf_counter()
    progress("sign", 0, len(plan.documents))
    day = sign_day(plan)
    progress("sign", len(plan.documents), len(plan.documents))
    with Engine.open(path, clock=OffsetClock(EVENING)) as engine:
        stages = Stages(engine, units, day, progress)
        stages.seconds = {"plan": planned - begun, "sign": perf_counter() - planned}
        stages.install()
        stages.route()
        shown = _broadcast(stages)
        with BackgroundServer(engine) as server:
            _pull_over_http(stages, server.base_url, shown[1].recipients if shown else frozenset())
        board = engine.track(shown[0], limit=len(shown[1].recipients)) if shown else None
        stages.drain()
        return _report(stages, board, _explanations(stages, *shown) if shown else ())


def _broadcast(stages: Stages) -> tuple[str, PlannedDocument] | None:
    """Return key and plan of the first broadcast to all communes, else of the largest one."""
    planned = stages.day.plan.documents
    return max(
        ((key, planned[place]) for key, place in stages.accepted.items()),
        key=lambda pair: (pair[1].pattern == BROADCAST, len(pair[1].recipients)),
        default=None,
    )


def _pull_over_http(stages: Stages, base_url: str, broadcast: frozenset[int]) -> None:
    """Several units pull and acknowledge over HTTP; the first returns one document."""
    inboxes = Counter(number for _, number in stages.expected)
    reached = sorted(broadcast)
    step = max(1, len(reached) // (HTTP_UNITS - HTTP_UNITS_ELSEWHERE))
    chosen = reached[::step][: HTTP_UNITS - HTTP_UNITS_ELSEWHERE]
    others = [number for number, _ in inboxes.most_common() if number not in broadcast]
    chosen += others[: HTTP_UNITS - len(chosen)]
    for done, number in enumerate(chosen, 1):
        token = stages.engine.create_token(stages.units[number].code, "demo", actor=ACTOR)
        with Client(base_url, token, actor=ACTOR) as client, stages.timed("pull over HTTP"):
            _empty_inbox(stages, client, number, returns_one=done == 1)
        stages.progress("pull over HTTP", done, len(chosen))
    stages.counts["http units"] = len(chosen)


def _empty_inbox(stages: Stages, client: Client, number: int, *, returns_one: bool) -> None:
    while deliveries := client.lease(HTTP_LEASE):
        stages.note(deliveries, number)
        stages.counts["http deliveries"] += len(deliveries)
        if returns_one:
            returned, *deliveries = deliveries
            stages.settle([returned], number, client.refuse([returned.delivery], REASON))
            returns_one = False
        if deliveries:
            answers = client.acknowledge([one.delivery for one in deliveries])
            stages.settle(deliveries, number, answers)


def _explanations(stages: Stages, key: str, planned: PlannedDocument) -> tuple[Explanation, ...]:
    """Ask why one unit receives the document, and why another does not."""
    inside = min(planned.recipients)
    outside = _left_out(stages, planned.recipients)
    asked = (inside,) if outside is None else (inside, outside)
    return tuple(stages.engine.explain(key, stages.units[number].code) for number in asked)


def _left_out(stages: Stages, recipients: frozenset[int]) -> int | None:
    """Return who comes closest to having been meant: a commune, another below, anyone else."""

    def nearness(number: int) -> tuple[bool, bool]:
        unit = stages.units[number]
        below = unit.code.startswith(f"{HA_GIANG_CODE}.")
        return below, below and unit.tier == COMMUNE

    outside = [number for number in sorted(stages.units) if number not in recipients]
    return max(outside, key=nearness, default=None)


def _report(
    stages: Stages, board: Tracking | None, explanations: tuple[Explanation, ...]
) -> DemoReport:
    plan, counts = stages.day.plan, stages.counts
    refused = Counter(one.code for one in stages.outcomes if isinstance(one, Problem))
    report = DemoReport(
        units=len(stages.units),
        documents=len(stages.outcomes),
        accepted=len(stages.accepted),
        repeated=sum(isinstance(one, Receipt) and one.repeated for one in stages.outcomes),
        refused=dict(sorted(refused.items())),
        deliveries=plan.deliveries(),
        acknowledged=counts["delivered"],
        returned=counts["refused"],
        lost=len(stages.expected - stages.settled),
        duplicated=counts["duplicated"],
        misrouted=len(stages.handed - stages.expected),
        altered=counts["altered"],
        mean_fan_out=round(plan.mean_fan_out(), 2),
        deliveries_by_tier=_by_tier(stages),
        deliveries_by_lane=_by_lane(stages),
        over_http={"units": counts["http units"], "deliveries": counts["http deliveries"]},
        seconds={stage: round(spent, 4) for stage, spent in stages.seconds.items()},
        rates=_rates(stages),
        board=board,
        explanations=explanations,
        faults=[],
    )
    faults = [*_outcome_faults(plan, stages.outcomes), *_count_faults(report)]
    report.faults = [*faults[:FAULTS_SHOWN], *stages.engine.check()[:FAULTS_SHOWN]]
    return report


def _by_tier(stages: Stages) -> dict[str, int]:
    counts = Counter(TIER_NAMES[stages.units[number].tier] for _, number in stages.handed)
    return {name: counts[name] for name in TIER_NAMES.values() if counts[name]}


def _by_lane(stages: Stages) -> dict[str, int]:
    lanes = {one.key: one.lane for one in stages.outcomes if isinstance(one, Receipt)}
    counts = Counter(lanes.get(key, "?") for key, _ in stages.handed)
    return {lane.name.lower(): counts[lane.name.lower()] for lane in Lane}


def _rates(stages: Stages) -> dict[str, float]:
    seconds = stages.seconds
    moved = len(stages.settled) - stages.counts["http deliveries"]
    spent = seconds.get("lease", 0.0) + seconds.get("acknowledge", 0.0)
    return {
        "documents routed": round(len(stages.outcomes) / seconds["route"]),
        "deliveries leased and acknowledged": round(moved / spent) if spent else 0,
    }


def _outcome_faults(plan: DayPlan, outcomes: Sequence[Receipt | Problem]) -> list[str]:
    """Say which documents did not end as the generator planned."""
    faults = []
    for place, (planned, outcome) in enumerate(zip(plan.documents, outcomes, strict=True)):
        if isinstance(outcome, Problem):
            found = outcome.code
        else:
            found = REPEATED if outcome.repeated else ACCEPTED
        if found != planned.outcome:
            faults.append(f"document {place}: planned {planned.outcome}, found {found}")
    return faults


def _count_faults(report: DemoReport) -> list[str]:
    """Say which counts of deliveries are not as planned."""
    returned = 1 if report.deliveries else 0
    wanted = {
        "acknowledged": (report.deliveries - returned, report.acknowledged),
        "returned": (returned, report.returned),
        "lost": (0, report.lost),
        "duplicated": (0, report.duplicated),
        "misrouted": (0, report.misrouted),
        "altered": (0, report.altered),
    }
    return [
        f"{name}: planned {planned}, found {found}"
        for name, (planned, found) in wanted.items()
        if planned != found
    ]
