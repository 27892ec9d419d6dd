"""What goes on by itself, done in steps: checkpoints, segments made ahead, flushes, due work."""

from __future__ import annotations

from router.engine import Engine
from vanban_bench.simulator.session import Session


def checkpoint(session: Session) -> None:
    """Begin a checkpoint, or end the one that is under way; sometimes both at once."""
    store, whole = session.store, session.random.random() < 0.4

    def take(_: Engine) -> bool:
        if not session.freezing:
            store.begin_checkpoint()
        if whole or session.freezing:
            store.end_checkpoint()
            session.freezing = False
            return True
        session.freezing = True
        return False

    if session.call(take):
        session.history.keep()


def make_segment(session: Session) -> None:
    """Make the next segment ahead, as the store's thread would."""
    session.call(lambda _: session.store.make_segment())


def flush(session: Session) -> None:
    """Flush what was handed out, as the store's thread does when nothing else comes."""

    def flushed(_: Engine) -> bool:
        session.store.flush()
        return True

    if session.call(flushed):
        session.model.flushed()


def tick(session: Session) -> None:
    """Do what is due, as the daemon does each second."""
    session.tick()
