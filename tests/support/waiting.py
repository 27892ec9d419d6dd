"""Waiting for what another thread or process will do."""

from __future__ import annotations

import time
from collections.abc import Callable

WAIT_S_MAX = 60.0


def until(true: Callable[[], object], seconds: float = WAIT_S_MAX) -> None:
    """Return once it is true; fail after a long while."""
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            raise AssertionError("it never became true")
        time.sleep(0.01)
