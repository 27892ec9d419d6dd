"""The one way into the state: groups of callers, one flush for all of them."""

from typing import Any, Self

from typing_extensions import disjoint_base

__all__ = ["Pipeline"]

@disjoint_base
class Pipeline:
    """Log, state and the line of callers of one store.

    `last` is the highest sequence given, `durable` the highest on the disk, `checkpointed` the
    highest in the base; `epoch` numbers this opening.  `stored_bytes` are of all records since
    the start, `written_bytes` of all checkpoints; `flushes` and `checkpoints` count.

    Bounds: `overlay_bytes_max` and `overlay_wait_s` (how long writers wait for a checkpoint),
    `line_bytes_max` of all that waits in line, `checkpoint_overlay_bytes` and
    `checkpoint_log_bytes` (a checkpoint is due), `in_flight_max` of one sender, `pending_max`
    and `leases_max` of one address (0: no bound).  While `refusing`, documents are refused.
    """

    checkpoint_log_bytes: int
    checkpoint_overlay_bytes: int
    in_flight_max: int
    leases_max: int
    line_bytes_max: int
    overlay_bytes_max: int
    overlay_wait_s: float
    pending_max: int
    refusing: bool

    def __new__(cls, *arguments: Any, **named: Any) -> Self: ...
    def disown(self) -> None:
        """Refuse everything from now on: this process was forked, and the store is its parent's.

        Whatever thread held a lock at the fork is not here to give it back: all are made anew.
        """

    @property
    def checkpointed(self) -> int:
        """The highest sequence in the base."""

    @property
    def checkpoints(self) -> int:
        """How many checkpoints were taken."""

    @property
    def durable(self) -> int:
        """The highest sequence on the disk."""

    @property
    def epoch(self) -> int:
        """The number of this opening."""

    @property
    def flushes(self) -> int:
        """How often something was flushed."""

    @property
    def last(self) -> int:
        """The highest sequence given."""

    @property
    def stored_bytes(self) -> int:
        """Bytes of all records since the start."""

    @property
    def written_bytes(self) -> int:
        """Bytes that checkpoints wrote."""
