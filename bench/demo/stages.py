"""The stages of a day in one engine: set up, route, drain; each timed, each delivery noted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from time import perf_counter
from typing import Final

import msgspec

from router.engine import Engine, Submission
from router.model.answers import Delivery, Problem, Receipt, Settled
from router.model.instants import VIETNAM_TIME, instant_of
from router.model.units import Unit
from vanban_bench.workloads.day import DAY
from vanban_bench.workloads.signed_day import SignedDay

Progress = Callable[[str, int, int], None]
"""Told a stage, how much of it is done, and how much there is."""

EVENING: Final = instant_of(datetime(DAY.year, DAY.month, DAY.day, 17, 30, tzinfo=VIETNAM_TIME))
"""The engine's clock starts when the day's last document has been issued."""
BATCH: Final = 64
LEASE: Final = 512
ACTOR: Final = "văn thư"


class Stages:
    """One day in one new engine, and what became of it.

    `outcomes` stand in the order of the plan.  A pair is (document's key, stable number):
    `expected` by the generator's own sets, `handed` out by the engine, `settled` for good.
    `seconds` by stage.
    """

    def __init__(
        self,
        engine: Engine,
        units: Sequence[Unit],
        day: SignedDay,
        progress: Progress = lambda *_: None,
    ) -> None:
        self.engine = engine
        self.units = {unit.number: unit for unit in units}
        self.day = day
        self.progress = progress
        self.seconds: dict[str, float] = {}
        self.outcomes: list[Receipt | Problem] = []
        self.accepted: dict[str, int] = {}
        """Key of each accepted document -> its place in the plan."""
        self.expected: set[tuple[str, int]] = set()
        self.handed: set[tuple[str, int]] = set()
        self.settled: set[tuple[str, int]] = set()
        self.counts: Counter[str] = Counter()

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Add the seconds of the block to a stage."""
        begun = perf_counter()
        yield
        self.seconds[stage] = self.seconds.get(stage, 0.0) + perf_counter() - begun

    def install(self) -> None:
        """Give the engine its units, the trusted issuer and the senders' certificates."""
        with self.timed("set up"):
            self.engine.import_units(list(self.units.values()), actor=ACTOR)
            self.engine.trust_issuer(self.day.ca_der, actor=ACTOR)
            bindings = [
                (one.unit.number, one.certificate_der, one.valid_from, one.valid_to)
                for one in self.day.bindings
            ]
            self.engine.bind_many(bindings, actor=ACTOR)

    def route(self) -> None:
        """Submit the JSON of every envelope, as the HTTP side would receive it."""
        planned = self.day.plan.documents
        items = [
            Submission(msgspec.json.encode(envelope), one.sender.number, ACTOR)
            for one, envelope in zip(planned, self.day.envelopes, strict=True)
        ]
        for first in range(0, len(items), BATCH):
            with self.timed("route"):
                self.outcomes += self.engine.submit_many(items[first : first + BATCH])
            self.progress("route", min(first + BATCH, len(items)), len(items))
        for place, (one, outcome) in enumerate(zip(planned, self.outcomes, strict=True)):
            if isinstance(outcome, Receipt) and not outcome.repeated:
                self.accepted[outcome.key] = place
                self.expected.update((outcome.key, number) for number in one.recipients)

    def drain(self) -> None:
        """Every unit takes and acknowledges what is left for it."""
        numbers = sorted(self.units)
        for done, number in enumerate(numbers):
            while True:
                with self.timed("lease"):
                    deliveries = self.engine.lease(number, LEASE, actor=ACTOR)
                if not deliveries:
                    break
                self.note(deliveries, number)
                ids = [one.delivery for one in deliveries]
                with self.timed("acknowledge"):
                    answers = self.engine.acknowledge(number, ids, actor=ACTOR)
                self.settle(deliveries, number, answers)
            self.progress("drain", done + 1, len(numbers))

    def note(self, deliveries: Sequence[Delivery], number: int) -> None:
        """Note what was handed to a unit, and compare its bytes with what was signed."""
        for one in deliveries:
            pair = (one.key, number)
            place = self.accepted.get(one.key)
            self.counts["duplicated"] += pair in self.settled
            self.counts["altered"] += (
                place is None or self.day.envelopes[place].payload != one.payload
            )
            self.handed.add(pair)

    def settle(
        self, deliveries: Sequence[Delivery], number: int, answers: Sequence[Settled]
    ) -> None:
        """Note which deliveries the engine says are final, in which state."""
        for one, answer in zip(deliveries, answers, strict=True):
            if answer.state:
                self.counts[answer.state] += 1
                self.settled.add((one.key, number))

    def settled_places(self) -> list[tuple[int, int]]:
        """Return (place in the plan, stable number) of all that is settled, in order.

        Unlike keys these are the same in every run of one seed.
        """
        return sorted((self.accepted.get(key, -1), number) for key, number in self.settled)
