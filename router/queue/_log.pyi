"""The segment log: records framed into groups, one flush a group."""

from typing import final

from typing_extensions import disjoint_base

from router.errors import ClosedError, StorageError
from router.queue._disk import Disk
from router.queue._log_writer import LogWriter

__all__ = ["SegmentLog", "Visitor"]

@disjoint_base
class Visitor:
    """Is shown the kept records, one after the other."""

@final
class SegmentLog(LogWriter):
    """The log of one data directory, opened by its one owner.  Made by `open`.

    `last` is the highest sequence given, `flushed` the highest known to be durable,
    `epoch` the number of this opening, `added_bytes` what was added since.
    """

    @property
    def bytes_kept(self) -> int:
        """What all segments take on the disk, the one made ahead too."""

    @staticmethod
    def open(
        disk: Disk,
        *,
        checkpoint_sequence: int = 0,
        checkpoint_spot: tuple[int, int, int] = (0, 0, 0),
        epoch_min: int = 0,
        claimed: int = 0,
        segment_bytes_max: int = 67_108_864,
        number_min: int = 0,
    ) -> SegmentLog:
        """Open the log of a directory: fence former owners, find what is kept, begin a segment.

        `checkpoint_sequence` is the last sequence that the state holds; `checkpoint_spot`
        is where its record lies (nowhere: a log that begins after it).  The epoch is higher
        than any before and than `epoch_min`, the segment's number than `number_min`; `claimed`
        is one that the caller has claimed for this opening already.  Raises StorageError
        `store.corrupt` (with the place), `store.foreign`, `store.format`, `store.full`,
        `store.failed`.
        """

    def append(self, record: bytes) -> tuple[int, tuple[int, int, int]]:
        """Add a record; return (sequence, (segment, offset, size)).  Durable after `commit`."""

    def commit(self) -> None:
        """Flush what was added.  Raises StorageError."""

    def put_down(self) -> None:
        """Write what was added, unflushed.  Raises StorageError."""

    def fetch(self, spot: tuple[int, int, int], sequence: int) -> bytes | None:
        """Return a record, or None when it has been cut.  Raises StorageError."""

    def records(self) -> list[tuple[int, bytes, tuple[int, int, int]]]:
        """Return what a replay shows: (sequence, record, spot) of each.  Raises StorageError."""

    def make_ready(self) -> bool:
        """Make the next segment ahead if one is wanted; return whether.  Raises StorageError."""

    def cut(self, before: int) -> None:
        """Remove the segments all of whose records are below `before`.  Raises StorageError."""

    def bytes_since(self, sequence: int) -> int:
        """Return about how many bytes a replay from after `sequence` would read."""

    def fault(self) -> StorageError | ClosedError | None:
        """Return the StorageError (or ClosedError) that stopped the log, or None."""

    def read_fault(self) -> StorageError | ClosedError | None:
        """Return why the last failed reading failed, or None; writing goes on."""
