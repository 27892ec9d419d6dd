"""The stages of the demo: set up, sign, submit, pull over HTTP, drain, compare with the plan."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from time import perf_counter
from typing import Final

import msgspec

from router.client import Client
from router.engine import Engine
from router.model.answers import Delivery, Lane, Problem, Receipt, Tracking
from router.model.instants import VIETNAM_TIME, instant_of
from router.model.units import TIER_NAMES, Unit
from router.ports import OffsetClock
from router.server import BackgroundServer
from vanban_bench.demo.report import DemoReport
from vanban_bench.workloads.day import DAY, DOCUMENTS, DayPlan, plan_day
from vanban_bench.workloads.sample_directory import ha_giang_directory
from vanban_bench.workloads.signed_day import SignedDay, sign_day

Progress = Callable[[str, int, int], None]
EVENING: Final = instant_of(datetime(DAY.year, DAY.month, DAY.day, 17, 30, tzinfo=VIETNAM_TIME))
"""The demo's clock starts when the day's last document has been issued."""
BATCH: Final = 64
LEASE: Final = 512
HTTP_UNITS: Final = 12
HTTP_LEASE: Final = 100
REASON: Final = "Gửi sai nơi nhận (văn bản không thuộc thẩm quyền giải quyết)"
ACTOR: Final = "văn thư"


def run_demo(
    path: Path, *, documents: int = DOCUMENTS, seed: int = 2024, progress: Progress | None = None
) -> DemoReport:
    """Run the whole day in a new data directory at `path`; see `DemoReport`."""
    return _Demo(path, documents, seed, progress or (lambda *_: None)).run()


class _Demo:
    """One run; each stage is a method, timed under its name."""

    def __init__(self, path: Path, documents: int, seed: int, progress: Progress) -> None:
        self._path = path
        self._documents = documents
        self._seed = seed
        self._progress = progress
        self.seconds: dict[str, float] = {}
        self.units: dict[int, Unit] = {}
        self.outcomes: list[Receipt | Problem] = []
        self.expected: set[tuple[str, int]] = set()
        self.payloads: dict[str, bytes] = {}
        self.lane_of: dict[str, str] = {}
        self.handed: set[tuple[str, int]] = set()
        self.settled: set[tuple[str, int]] = set()
        self.counts: Counter[str] = Counter()

    @contextmanager
    def _timed(self, stage: str) -> Iterator[None]:
        begun = perf_counter()
        yield
        self.seconds[stage] = self.seconds.get(stage, 0.0) + perf_counter() - begun

    def run(self) -> DemoReport:
        with self._timed("plan"):
            units = ha_giang_directory()
            plan = plan_day(units, self._seed, self._documents)
        self.units = {unit.number: unit for unit in units}
        self._progress("sign", 0, len(plan.documents))
        with self._timed("sign"):
            day = sign_day(plan)
        self._progress("sign", len(plan.documents), len(plan.documents))
        with Engine.open(self._path, clock=OffsetClock(EVENING)) as engine:
            with self._timed("set up"):
                self._install(engine, units, day)
            self._submit(engine, day)
            self._expect(plan)
            broadcast = self._broadcast(plan)
            with BackgroundServer(engine) as server:
                board = self._pull_over_http(engine, server.base_url, broadcast)
            self._drain(engine)
            return self._report(engine, plan, board, broadcast)

    def _install(self, engine: Engine, units: Sequence[Unit], day: SignedDay) -> None:
        engine.import_units(units, actor="demo")
        engine.trust_issuer(day.ca_der, actor="demo")
        engine.bind_many(
            [(b.unit.number, b.certificate_der, b.valid_from, b.valid_to) for b in day.bindings],
            actor="demo",
        )

    def _submit(self, engine: Engine, day: SignedDay) -> None:
        """Submit the JSON of every envelope, as the HTTP side would receive it."""
        bodies = [msgspec.json.encode(envelope) for envelope in day.envelopes]
        senders = [planned.sender.number for planned in day.plan.documents]
        for first in range(0, len(bodies), BATCH):
            from router.engine import Submission

            last = min(first + BATCH, len(bodies))
            items = [Submission(bodies[i], senders[i], ACTOR) for i in range(first, last)]
            with self._timed("route"):
                self.outcomes += engine.submit_many(items)
            self._progress("route", last, len(bodies))
        for outcome, envelope in zip(self.outcomes, day.envelopes, strict=True):
            if isinstance(outcome, Receipt) and not outcome.repeated:
                self.payloads[outcome.key] = envelope.payload

    def _expect(self, plan: DayPlan) -> None:
        for planned, outcome in zip(plan.documents, self.outcomes, strict=True):
            if isinstance(outcome, Receipt) and not outcome.repeated:
                self.lane_of[outcome.key] = outcome.lane
                self.expected.update((outcome.key, number) for number in planned.recipients)

    def _broadcast(self, plan: DayPlan) -> tuple[str, frozenset[int]]:
        """Return key and recipients of the first document with the most recipients."""
        pairs = [
            (outcome.key, planned.recipients)
            for planned, outcome in zip(plan.documents, self.outcomes, strict=True)
            if isinstance(outcome, Receipt) and planned.recipients
        ]
        return max(pairs, key=lambda pair: len(pair[1]))

    def _pull_over_http(
        self, engine: Engine, base_url: str, broadcast: tuple[str, frozenset[int]]
    ) -> Tracking:
        """Several units pull and acknowledge over HTTP; the first returns one document."""
        reached = sorted(broadcast[1])
        step = max(1, len(reached) // (HTTP_UNITS - 3))
        inboxes = Counter(number for _, number in self.expected)
        others = [number for number, _ in inboxes.most_common() if number not in broadcast[1]][:3]
        chosen = [*reached[::step][: HTTP_UNITS - 3], *others]
        for index, number in enumerate(chosen):
            token = engine.create_token(self.units[number].code, f"demo {number}", actor="demo")
            with Client(base_url, token, actor=ACTOR) as client, self._timed("pull over HTTP"):
                self._empty_inbox(client, number, returns_one=index == 0)
            self._progress("pull over HTTP", index + 1, len(chosen))
        self.counts["http units"] = len(chosen)
        return engine.track(broadcast[0], limit=len(broadcast[1]))

    def _empty_inbox(self, client: Client, number: int, *, returns_one: bool) -> None:
        while deliveries := client.lease(HTTP_LEASE):
            self._note(deliveries, number)
            self.counts["http deliveries"] += len(deliveries)
            if returns_one:
                returned, *deliveries = deliveries
                answers = client.refuse([returned.delivery], REASON)
                self.counts["returned"] += sum(one.state == "refused" for one in answers)
                self.settled.add((returned.key, number))
                returns_one = False
            if deliveries:
                answers = client.acknowledge([one.delivery for one in deliveries])
                self._settle(deliveries, number, sum(one.state == "delivered" for one in answers))

    def _drain(self, engine: Engine) -> None:
        """All other units take what is theirs, through the embedded engine."""
        numbers = sorted(self.units)
        for done, number in enumerate(numbers):
            while True:
                with self._timed("lease"):
                    deliveries = engine.lease(number, LEASE, actor=ACTOR)
                if not deliveries:
                    break
                self._note(deliveries, number)
                ids = [one.delivery for one in deliveries]
                with self._timed("acknowledge"):
                    answers = engine.acknowledge(number, ids, actor=ACTOR)
                self._settle(deliveries, number, sum(one.state == "delivered" for one in answers))
            self._progress("drain", done + 1, len(numbers))

    def _note(self, deliveries: Sequence[Delivery], number: int) -> None:
        for one in deliveries:
            pair = (one.key, number)
            self.counts["duplicated"] += pair in self.settled
            self.counts["altered"] += self.payloads.get(one.key) != one.payload
            self.handed.add(pair)

    def _settle(self, deliveries: Sequence[Delivery], number: int, delivered: int) -> None:
        self.counts["acknowledged"] += delivered
        self.settled.update((one.key, number) for one in deliveries)

    def _report(
        self,
        engine: Engine,
        plan: DayPlan,
        board: Tracking,
        broadcast: tuple[str, frozenset[int]],
    ) -> DemoReport:
        key, recipients = broadcast
        inside = min(recipients)
        outside = (
            next(
                unit.number
                for unit in self.units.values()
                if unit.number not in recipients and unit.tier == max(TIER_NAMES)
            )
            if any(
                unit.number not in recipients and unit.tier == max(TIER_NAMES)
                for unit in self.units.values()
            )
            else next(number for number in self.units if number not in recipients)
        )
        explanations = tuple(
            engine.explain(key, self.units[number].code) for number in (inside, outside)
        )
        refused = Counter(one.code for one in self.outcomes if isinstance(one, Problem))
        report = DemoReport(
            units=len(self.units),
            documents=len(self.outcomes),
            accepted=len(self.payloads),
            repeated=sum(isinstance(one, Receipt) and one.repeated for one in self.outcomes),
            refused=dict(sorted(refused.items())),
            deliveries=plan.deliveries(),
            acknowledged=self.counts["acknowledged"],
            returned=self.counts["returned"],
            lost=len(self.expected - self.settled),
            duplicated=self.counts["duplicated"],
            misrouted=len(self.handed - self.expected),
            altered=self.counts["altered"],
            mean_fan_out=round(plan.mean_fan_out(), 2),
            deliveries_by_tier=self._by_tier(),
            deliveries_by_lane=self._by_lane(),
            over_http={
                "units": self.counts["http units"],
                "deliveries": self.counts["http deliveries"],
            },
            seconds={stage: round(spent, 4) for stage, spent in self.seconds.items()},
            rates=self._rates(),
            board=board,
            explanations=explanations,
            faults=[],
        )
        report.faults = _compare(report, plan, self.outcomes)
        report.faults += engine.check()
        return report

    def _by_tier(self) -> dict[str, int]:
        counts = Counter(TIER_NAMES[self.units[number].tier] for _, number in self.handed)
        return {name: counts[name] for name in TIER_NAMES.values() if counts[name]}

    def _by_lane(self) -> dict[str, int]:
        counts = Counter(self.lane_of.get(key, "?") for key, _ in self.handed)
        return {lane.name.lower(): counts[lane.name.lower()] for lane in Lane}

    def _rates(self) -> dict[str, float]:
        drained = self.counts["acknowledged"] - self.counts["http deliveries"]
        moved = self.seconds.get("lease", 0.0) + self.seconds.get("acknowledge", 0.0)
        return {
            "documents routed a second": round(len(self.outcomes) / self.seconds["route"]),
            "deliveries leased and acknowledged a second": round(drained / moved) if moved else 0,
        }


def _compare(report: DemoReport, plan: DayPlan, outcomes: Sequence[Receipt | Problem]) -> list[str]:
    """Say in words what is not as the generator planned."""
    faults = []
    for place, (planned, outcome) in enumerate(zip(plan.documents, outcomes, strict=True)):
        found = (
            outcome.code
            if isinstance(outcome, Problem)
            else "repeated"
            if outcome.repeated
            else "accepted"
        )
        if found != planned.outcome:
            faults.append(f"document {place}: planned {planned.outcome}, found {found}")
    wanted = {
        "acknowledged": (report.deliveries - report.returned, report.acknowledged),
        "returned": (1, report.returned),
        "lost": (0, report.lost),
        "duplicated": (0, report.duplicated),
        "misrouted": (0, report.misrouted),
        "altered": (0, report.altered),
    }
    faults += [
        f"{name}: planned {planned}, found {found}"
        for name, (planned, found) in wanted.items()
        if planned != found
    ]
    return faults[:20]
