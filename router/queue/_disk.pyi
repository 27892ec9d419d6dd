"""The files of one directory, as the log sees them, and how POSIX gives them."""

from os import PathLike
from typing import final

__all__ = ["Disk", "PosixDisk"]

class Disk:
    """The files of one directory; `PosixDisk` and `SimulatedDisk` are the two kinds."""

    def names(self) -> list[str]:
        """Return the names of the files that are there.  Raises StorageError."""

    def free_bytes(self) -> int:
        """Return how many bytes there is room for.  Raises StorageError."""

class PosixDisk(Disk):
    """The files of a directory of this machine.

    Raises StorageError `store.failed` when the directory can't be opened.
    """

    path: str

    def __init__(self, path: str | PathLike[str]) -> None: ...
