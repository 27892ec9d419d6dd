"""The calls about verdicts of the synchronous client."""

from __future__ import annotations

from router.client import verdict_wire, wire
from router.model.documents import Envelope
from router.model.verdicts import AffectedPage, VerdictShown


class VerdictCalls:
    """What a client asks about signatures (docs/signatures.md)."""

    def _ask(self, request: wire.Request) -> tuple[int, bytes]:
        raise NotImplementedError

    def verdict(self, document: str) -> VerdictShown:
        """Return the verdict over a stored document's signatures, as it was reached."""
        return wire.read(*self._ask(verdict_wire.verdict(document)), verdict_wire.verdicts)

    def verify(self, envelope: bytes | Envelope) -> VerdictShown:
        """Judge an envelope as if it came now; nothing is stored."""
        return wire.read(*self._ask(verdict_wire.verify(envelope)), verdict_wire.verdicts)

    def revocation_alerts(self, *, after: str = "", limit: int = 100) -> AffectedPage:
        """List documents whose signers had been revoked when they signed (for operators)."""
        request = verdict_wire.revocation_alerts(after, limit)
        return wire.read(*self._ask(request), verdict_wire.affected)
