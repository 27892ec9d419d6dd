"""The writer of the log: frames, groups, and one segment after the other."""

from router.queue._disk import Disk
from router.queue._segments import Segments

__all__ = ["LogWriter"]

class LogWriter:
    """Writes the segments of one opening; `SegmentLog` is the log as a whole.

    One thread at a time adds, writes and flushes (the store's lock sees to it); another
    prepares the next segment meanwhile.
    """

    epoch: int
    last: int
    flushed: int
    added_bytes: int
    disk: Disk

    def __init__(self, disk: Disk, segments: Segments) -> None: ...
    def close(self) -> None:
        """Flush, give back the unused end of the segment, and stop; idempotent.

        What can't be flushed any more shows in `fault`; it was never answered.
        """
