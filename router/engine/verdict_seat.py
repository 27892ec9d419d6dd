"""What a seat may ask about verdicts: see `router.engine.seat`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from router.engine.access import Reader
from router.model.documents import Envelope
from router.model.verdicts import AffectedPage, VerdictShown

if TYPE_CHECKING:  # the engine makes seats
    from router.engine.engine import Engine


class VerdictSeat:
    """One principal's view of an engine's verdicts."""

    _engine: Engine

    def _reads(self) -> Reader:
        raise NotImplementedError

    def verdict(self, document: str) -> VerdictShown:
        """Return the verdict of a document of a unit that may be read; see `Engine.verdict`."""
        return self._engine._verdicts.of(document, self._reads())

    def verify(self, envelopes: Sequence[bytes | Envelope]) -> list[VerdictShown]:
        """Judge envelopes without storing them; see `Engine.verify`."""
        return self._engine.verify(envelopes)

    def revocation_alerts(self, *, after: str = "", limit: int = 100) -> AffectedPage:
        """List what later revocations concern, of senders that may be read; see `Engine`."""
        self._engine._alive()
        return self._engine._affected.page(after, limit, self._reads())
