"""A thread beside an engine that takes one turn after the other, until the engine is closed."""

from __future__ import annotations

import logging
import threading
from typing import Self

from router.errors import ClosedError

_log = logging.getLogger("router.engine")


class Background:
    """Takes turns on a thread of its own inside a `with` block.

    The first turn comes after `first_s` seconds; each says how long to pause after it.  A
    fault of ours in a turn is logged and ends nothing: the next comes after `fault_s`.
    """

    def __init__(self, name: str, first_s: float, fault_s: float) -> None:
        self._first_s = first_s
        self._fault_s = fault_s
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._body, name=name, daemon=True)

    def __enter__(self) -> Self:
        """Start."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop, after a turn that is under way."""
        self._stopping.set()
        self._thread.join()

    def _turn(self) -> float:
        """Do what there is to do; return the seconds to pause.  ClosedError ends the thread."""
        raise NotImplementedError

    def _body(self) -> None:
        pause = self._first_s
        while not self._stopping.wait(pause):
            try:
                pause = self._turn()
            except ClosedError:
                return
            except Exception:
                _log.exception("%s failed; it goes on", self._thread.name)
                pause = self._fault_s
