"""What one lease hands out, bounded in bytes."""

from __future__ import annotations

from collections.abc import Callable

from router.queue.records import Acceptance, Leased


class Handout:
    """Gathers what a lease hands out, up to so many stored bytes; the first always fits."""

    def __init__(self, bytes_max: int) -> None:
        self._left = bytes_max
        self.leased: list[Leased] = []

    def take(
        self, read: Callable[[int], Acceptance], sequence: int, lane: int, attempts: int
    ) -> bool:
        """Take a document in; say False, leaving it, when it is too much."""
        document = read(sequence)
        size = len(document.envelope) + len(document.facts)
        if self.leased and size > self._left:
            return False
        self._left -= size
        self.leased.append(Leased(
            document.key, sequence, lane, attempts + 1, document.envelope, document.facts,
            document.at,
        ))  # fmt: skip
        return True
