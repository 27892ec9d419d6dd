"""What a log holds when it is opened: which records are kept, and what is damage."""

from router.errors import StorageError
from router.queue._segments import Segments

__all__ = ["Recovery", "corrupt", "disk_error"]

def disk_error(error: int, what: str) -> StorageError:
    """Say in our words that a call to the disk failed with an errno."""

def corrupt(segment: int, offset: int, sequence: int, reason: str) -> StorageError:
    """Name the place of a record that can't be believed."""

class Recovery:
    """One look at a log's files.  Fills the table of segments; changes nothing on the disk."""

    checkpoint: int
    expected: int
    mark: int
    end_segment: int
    end_offset: int

    def __init__(self, segments: Segments, checkpoint: int) -> None: ...
    def load(self) -> tuple[int, int]:
        """Read all headers; return the highest (number, epoch).  Raises StorageError."""

    def walk(self, spot: tuple[int, int, int]) -> None:
        """Find what is kept.  Raises StorageError `store.corrupt` for damage, `store.failed`."""
