"""Hashes of audiences, remembered."""

from __future__ import annotations

from router import limits
from router._core import Audience
from router.directory.snapshot import Snapshot


class Digests:
    """The hash of each audience over its members' stable numbers, by its stored form.

    Hashing a national broadcast takes about half a millisecond, and broadcasts repeat.
    Takes no lock: two threads may at worst hash the same audience twice.
    """

    def __init__(self) -> None:
        self._known: dict[tuple[int, bytes], bytes] = {}

    def of(self, number: int, snapshot: Snapshot, audience: Audience) -> bytes:
        """Return the hash of an audience under the snapshot of that number (32 bytes)."""
        runs = audience.to_bytes()
        if len(runs) > limits.DIGEST_RUNS_BYTES_MAX:
            return snapshot.hierarchy.digest(audience)
        digest = self._known.get((number, runs))
        if digest is None:
            digest = snapshot.hierarchy.digest(audience)
            if len(self._known) >= limits.DIGESTS_CACHED_MAX:
                self._known.clear()
            self._known[number, runs] = digest
        return digest
