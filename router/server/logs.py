"""The daemon's log: one JSON object a line on standard error.

Only the daemon configures logging; an embedded engine or a server run inside another
program leaves that program's logging alone.  Tokens and document content are never logged:
a fault is written as the type of the exception and the places it passed, without its words.
"""

from __future__ import annotations

import logging
import sys
import traceback
from datetime import datetime
from typing import Final, Protocol, cast

import msgspec
import structlog

from router.model.instants import VIETNAM_TIME

FRAMES_MAX: Final = 24
logger = logging.getLogger(__name__)


class AccessLog(Protocol):
    """What writes one line for each request that changed something."""

    def info(self, event: str, **values: object) -> object:
        """Write one line."""
        ...


def _stamp(
    _logger: object, _method: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    """Say when, as everything else is said: ISO 8601 with +07:00, to the microsecond."""
    event["timestamp"] = datetime.now(VIETNAM_TIME).isoformat(timespec="microseconds")
    return event


def _render(_logger: object, _method: str, event: structlog.typing.EventDict) -> bytes:
    return msgspec.json.encode(event, enc_hook=str)


def configure_logging(level: str = "info", worker: int = 0) -> AccessLog:
    """Send structlog and the standard library's logging to stderr as JSON lines.

    `worker` is named on the lines of requests, where there are several.
    """
    number = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(
        processors=[
            structlog.stdlib.add_log_level,
            _stamp,
            _render,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.BytesLoggerFactory(sys.stderr.buffer),
        cache_logger_on_first_use=True,
    )
    root = logging.getLogger()
    root.handlers[:] = [_Forward()]
    root.setLevel(number)
    # Audit lines have their own level: a quieter log must not lose who was refused what.
    logging.getLogger("router.audit").setLevel(logging.INFO)
    logging.getLogger("uvicorn").setLevel(max(number, logging.WARNING))
    log = structlog.get_logger()
    return cast("AccessLog", log.bind(worker=worker) if worker else log)


class _Forward(logging.Handler):
    """Hands records of the standard library's logging to structlog; their level was judged."""

    def __init__(self) -> None:
        super().__init__()
        self._write = structlog.wrap_logger(
            structlog.BytesLogger(sys.stderr.buffer),
            wrapper_class=structlog.make_filtering_bound_logger(logging.NOTSET),
        )

    def emit(self, record: logging.LogRecord) -> None:
        values: dict[str, object] = {"logger": record.name}
        if record.exc_info is not None and record.exc_info[1] is not None:
            values["fault"] = describe_fault(record.exc_info[1])
        self._write.log(record.levelno, record.getMessage(), **values)


def describe_fault(error: BaseException) -> str:
    """Return the type and the places of an exception, without its message (content)."""
    frames = traceback.extract_tb(error.__traceback__)[-FRAMES_MAX:]
    places = " > ".join(f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames)
    return f"{type(error).__module__}.{type(error).__qualname__} in {places}"
