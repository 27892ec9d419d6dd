"""The order of the stages, in batches; the only room that knows two rooms of height 5."""

from router.engine.administration_directory import ListPreview
from router.engine.arrivals import Arrival, Listener, reached_by
from router.engine.engine import Engine
from router.engine.submission import Submission

__all__ = ["Arrival", "Engine", "ListPreview", "Listener", "Submission", "reached_by"]
