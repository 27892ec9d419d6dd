"""Deliveries on their way out: leases with their documents, and inboxes looked at."""

from collections.abc import Sequence
from typing import Any

from router.queue._readings import Places
from router.queue._taking import Taking

__all__ = ["Handing"]

class Handing(Taking):
    """What recipients are handed, of one store."""

    def lease(
        self,
        address: int,
        topics: Sequence[bytes],
        digest: int,
        places: Places,
        limit: int,
        until: int,
        at: int,
        unit: int,
        actor: bytes,
        *,
        bytes_max: int,
        attempts_max: int,
        lanes: int = 15,
        look: bool = False,
    ) -> list[int] | tuple[list[Any], bool]:
        """Hand out what waits for an address; flushed with the next group.

        `topics` are sorted, `digest` differs when they differ.  Returns a list of snapshots
        that must be in `places` first, or a tuple (handed out, further lanes).  `look` changes
        nothing and lists what is leased as well, as (document, entry, rank, lane, hand-outs
        so far, state).  Raises TooManyOpenError `unit.too_many_leased`, OverloadedError
        `store.checkpoint_behind`, StorageError, ClosedError.
        """

    def inbox_keys(
        self,
        address: int,
        topics: Sequence[bytes],
        digest: int,
        places: Places,
        limit: int,
        at: int,
    ) -> tuple[bytes, ...] | list[int]:
        """Return the keys of what is open for an address, in a tuple.

        Or, in a list, the snapshots that must be in `places` first.
        """
