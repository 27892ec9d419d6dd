"""Operators queue dead deliveries again; now and then a recipient answers at that very moment."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from router.engine import Engine
from router.errors import StorageError
from router.model.answers import Settled
from vanban_bench.simulator.paper import Paper, Standing
from vanban_bench.simulator.session import Session


def redrive(session: Session) -> None:
    """Queue again, as an operator, what is dead of a document."""
    model = session.model
    dead = [
        paper
        for paper in model.papers
        if paper.standing is Standing.STORED
        and any(model.looks_dead(paper, one) for one in set().union(*paper.audiences))
    ]
    if not dead:
        return
    paper = session.random.choice(dead)
    overtaking = session.random.random() < 0.3

    def redriven(engine: Engine) -> list[Settled]:
        late = _late_answer(session, engine, paper) if overtaking else contextlib.nullcontext()
        with late:
            return engine.redrive(paper.key, reason="gửi lại", actor="simulator")

    answers = session.call(redriven, lambda: model.lose_redriven(paper))
    if answers is not None:
        model.take_redriven(paper, answers)
        session.note("redrive", paper.key, answers)


@contextlib.contextmanager
def _late_answer(session: Session, engine: Engine, paper: Paper) -> Iterator[None]:
    """Let a recipient answer once the engine read what is dead, and before it writes of it."""
    model, store, now_us = session.model, session.store, session.now_us()
    addresses = sorted(set().union(*paper.audiences))
    address = session.random.choice([one for one in addresses if model.looks_dead(paper, one)])
    unit, append = session.world.holder(address, now_us), store.append_joinings
    deliveries = [model.rows[paper.key, address].delivery]

    def overtaken(records: list[bytes]) -> bool:
        vars(store).pop("append_joinings")
        try:
            answers = engine.acknowledge(unit, deliveries, actor="văn thư")
        except StorageError:
            model.lose_settled(unit, "delivered", now_us, deliveries)
            raise
        model.take_settled(unit, "delivered", now_us, answers)
        session.note("late", unit, answers)
        return append(records)

    store.append_joinings = overtaken  # type: ignore[method-assign]
    try:
        yield
    finally:
        vars(store).pop("append_joinings", None)
