"""The order of the stages, in batches; the only room that knows two rooms of height 5."""

from router.engine.engine import Arrival, Engine, Listener, reached_by
from router.engine.submission import Submission

__all__ = ["Arrival", "Engine", "Listener", "Submission", "reached_by"]
