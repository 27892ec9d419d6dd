"""One seed, one run: the same seed replays the same run, step by step."""

from __future__ import annotations

import msgspec

from router.queue import MemoryStore
from vanban_bench.simulator.awaited import decided, learn
from vanban_bench.simulator.books import check_books
from vanban_bench.simulator.clients import STEPS
from vanban_bench.simulator.documents import WrongError
from vanban_bench.simulator.ending import finish
from vanban_bench.simulator.paper import Standing
from vanban_bench.simulator.session import OpenStore, Session

STEPS_DEFAULT = 60
STEPS_LONG = 300
LONG_EVERY = 25


def steps_of(seed: int) -> int:
    """Return how many steps the run of a seed has: most are short, some are long."""
    return STEPS_LONG if seed % LONG_EVERY == LONG_EVERY - 1 else STEPS_DEFAULT


class Report(msgspec.Struct, frozen=True):
    """What one run did; equal seeds and steps give equal reports.

    `verdicts` counts documents that had to wait for theirs, and have it.
    """

    seed: int
    steps: int
    units: int
    documents: int
    deliveries: int
    crashes: int
    faults: int
    replays: int
    restorations: int
    verdicts: int
    digest: str


class Violation(Exception):  # noqa: N818 - it is no error of the simulator
    """The engine broke a promise: in which seed, at which step, and which."""

    def __init__(self, seed: int, step: int, what: str) -> None:
        super().__init__(f"seed {seed}, step {step}: {what}")
        self.seed = seed
        self.step = step
        self.what = what


def run_seed(seed: int, steps: int | None = None, open_store: OpenStore = MemoryStore) -> Report:
    """Run one seed to its end, in so many steps (None: `steps_of` it).

    `open_store` opens the durability port under test on a memory disk.  Raises Violation
    when the engine does what it must not; an unexpected exception is one, too.
    """
    steps = steps_of(seed) if steps is None else steps
    session: Session | None = None
    step = 0
    try:
        session = Session(seed, open_store)
        actions, weights = list(STEPS), list(STEPS.values())
        while step < steps:
            step += 1
            session.clock.advance(session.random.choice([0, 0, 0.001, 1, 5]))
            session.latest_us = max(session.latest_us, session.now_us())
            action = session.random.choices(actions, weights)[0]
            action(session)
            learn(session)
            check_books(session)
            if session.random.random() < 0.02:
                session.check_disk()
        step = steps + 1
        finish(session)
        return _report(session, seed, steps)
    except WrongError as error:
        raise Violation(seed, step, str(error)) from error
    except Exception as error:
        raise Violation(seed, step, f"{type(error).__name__}: {error}") from error
    finally:
        if session is not None:
            session.close()


def _report(session: Session, seed: int, steps: int) -> Report:
    model = session.model
    return Report(
        seed=seed,
        steps=steps,
        units=len(session.world.places),
        documents=sum(paper.standing is Standing.STORED for paper in model.papers),
        deliveries=sum(row.state != "open" for row in model.rows.values()),
        crashes=session.crashes,
        faults=session.plan.struck,
        replays=session.replays,
        restorations=session.restorations,
        verdicts=sum(decided(paper) for paper in model.papers),
        digest=session.digest.hexdigest(),
    )
