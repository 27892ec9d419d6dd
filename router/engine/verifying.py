"""Asking for verdicts: one place that knows what the verifier needs beside the documents."""

from __future__ import annotations

from collections.abc import Sequence

from router.engine.state import Rooms
from router.signatures import Verdict, Verifier, VerifyItem


class Verification:
    """The verifier with the trust of one engine; thread-safe."""

    def __init__(self, rooms: Rooms, verifier: Verifier) -> None:
        self._rooms = rooms
        self._verifier = verifier

    def judge(self, items: Sequence[VerifyItem], at_us: int) -> list[Verdict]:
        """Return the verdicts in order, judged at an instant.  Raises ClosedError."""
        return self._verifier.verify_batch(items, self._rooms.trust, None, at_us)

    def changed_since(self, known: object) -> object:
        """Return a token that differs from an earlier one when verdicts may differ.

        It changes with trusted authorities (bindings alone change no verdict).
        """
        return self._rooms.trust.issuers if known is not self._rooms.trust.issuers else known
