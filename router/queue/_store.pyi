"""The store as its callers have it: opened, kept, checkpointed, shut."""

from collections.abc import Callable
from os import PathLike

from router.queue._base import Base
from router.queue._handing import Handing
from router.queue._log import SegmentLog

__all__ = ["Store", "place_of"]

_Place = tuple[int, tuple[int, int, int], int]

class Store(Handing):
    """One data directory's store.  Thread-safe.

    `place` is what `place_of(base)` says; `log` is None where records are kept in a table.
    """

    def __init__(
        self, base: Base, log: SegmentLog | None, place: _Place, *, epoch: int = 0
    ) -> None: ...
    def load_counters(self) -> None:
        """Read the counters as of the last checkpoint."""

    def years_with_ids(self) -> list[int]:
        """Return the calendar years that document ids are known of, ascending."""

    def append_joinings(self, records: list[bytes]) -> bool:
        """Store joinings that hand dead deliveries out anew, all in one group; say whether.

        False, and nothing is stored, when one of the deliveries is not dead any more: whoever
        read that it is has to read again.  Each stands in one of the records only.  Flushed on
        return.  Raises StorageError, ClosedError, TooLargeError, OverloadedError.
        """

    def begin_epoch(self) -> None:
        """Write the epoch of this opening down, flushed, where there is no log to do it."""

    def flush(self) -> None:
        """Make everything durable that was handed out.  Raises StorageError."""

    def checkpoint(self) -> None:
        """Write the state as of now into the base; readers and writers go on meanwhile.

        Raises StorageError; then the store must be opened anew.
        """

    def copy_base(
        self, path: str | PathLike[str], tell: Callable[[int], object] | None = None
    ) -> None:
        """Write the state as of the last checkpoint as `path`/data.mdb; readers and writers go on.

        No checkpoint is written meanwhile, so the file stands still, and no reading has to keep
        its pages; what changes stays in memory.  When that fills up, and where there is no log
        (each group changes the file there), LMDB copies it in one long reading instead.
        `tell` is called now and then with the bytes copied.  Raises StorageError, ClosedError.
        """

    def has_room(self) -> bool:
        """Say whether changes take less than half of the memory they may."""

    def begin_checkpoint(self) -> None:
        """Freeze the state as of now, flushed, for `end_checkpoint` to write.

        Waits for a checkpoint that another thread has begun.  Raises StorageError.
        """

    def end_checkpoint(self) -> None:
        """Write what `begin_checkpoint` froze; nothing when it froze nothing.

        For the caller that began it.  Raises StorageError.
        """

    def tend(self, flush_s: float, checkpoint_s: float) -> None:
        """Keep house until the store is closed, for a thread of its own.

        Flush what was handed out after `flush_s` seconds, take checkpoints when due or after
        `checkpoint_s`.
        """

    def make_segments(self, every_s: float) -> None:
        """Make segments of the log ahead until the store is closed, for a thread of its own."""

    def stop(self) -> None:
        """Ask the threads to end."""

    def shut(self, clean: bool) -> None:
        """Close log and base; with a last checkpoint when `clean`.  Idempotent; stop first.

        Waits for a checkpoint that another thread is writing.  Whoever is still in line is
        answered that nothing of it may be counted on; `completed` tells who queued and left.
        """

def place_of(base: Base) -> _Place:
    """Return (sequence, spot, epoch) of a base's checkpoint; zeros for an empty one."""
