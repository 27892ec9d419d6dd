"""Telling other processes what arrived, without making a submitter wait for any of them."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from router import limits
from router.engine.arrivals import Arrival
from router.engine.local import wire
from router.engine.local.calls import SentArrival, sent_form
from router.engine.local.link import Link

if TYPE_CHECKING:
    from router.engine.engine import Engine

_ANYBODY: Final = SentArrival(0, b"", 0, 0)


class Teller:
    """The listening links, and a thread that tells them of arrivals.

    What is not told yet is merged by audience; when it is too much, "anybody" is told.  A
    link that does not take its frame at once is hung up: its client listens anew and knows
    that it has missed something.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._links: set[Link] = set()
        self._news = threading.Condition()  # guards all below, and _links
        self._untold: dict[tuple[int, bytes], SentArrival] = {}
        self._bytes = 0
        self._thread: threading.Thread | None = None
        self._stopping = False

    def begin(self) -> None:
        """Make sure that arrivals are heard; harmless to repeat."""
        with self._news:
            if self._thread is not None or self._stopping:
                return
            self._thread = threading.Thread(
                target=self._body, name="vanban-share-tell", daemon=True
            )
        self._engine.listen(self._arrived)
        self._thread.start()

    def add(self, link: Link) -> None:
        """Tell one more."""
        with self._news:
            self._links.add(link)

    def discard(self, link: Link) -> None:
        """Tell one no more."""
        with self._news:
            self._links.discard(link)

    def stop(self) -> None:
        """End the thread."""
        with self._news:
            self._stopping = True
            self._news.notify()
            thread = self._thread
        if thread is not None:
            thread.join()

    def _arrived(self, arrivals: Sequence[Arrival]) -> None:
        """Keep what arrived; called on the submitting thread, so it takes no time."""
        with self._news:
            if not self._links or self._stopping:
                return
            for one in arrivals:
                if one.audience not in self._untold:
                    self._keep(sent_form(one))
            self._news.notify()

    def _keep(self, sent: SentArrival) -> None:
        self._bytes += len(sent.runs) + 32
        if self._bytes > limits.LOCAL_ARRIVALS_BYTES_MAX:
            self._untold.clear()
            sent = _ANYBODY
        self._untold[sent.snapshot, sent.runs] = sent

    def _body(self) -> None:
        while True:
            with self._news:
                self._news.wait_for(lambda: self._untold or self._stopping)
                if self._stopping:
                    return
                untold, self._untold, self._bytes = list(self._untold.values()), {}, 0
                links = list(self._links)
            told = wire.frame((0, wire.ANSWER, untold))
            for link in links:
                self._tell(link, told)

    def _tell(self, link: Link, told: bytearray) -> None:
        with link.lock:
            try:
                if link.connection.send(told) == len(told):
                    return
            except OSError:
                pass  # full, or gone
        self.discard(link)
        link.hang_up()
