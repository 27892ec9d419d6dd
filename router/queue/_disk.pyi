"""The files of one directory, as the log sees them, and how POSIX gives them."""

from os import PathLike
from typing import Any, final

from typing_extensions import disjoint_base

__all__ = ["Disk", "PosixDisk"]

@disjoint_base
class Disk:
    """The files of one directory; `PosixDisk` and `SimulatedDisk` are the two kinds."""

    def names(self) -> list[str]:
        """Return the names of the files that are there.  Raises StorageError."""

    def free_bytes(self) -> int:
        """Return how many bytes there is room for.  Raises StorageError."""

    def call(self, call: str, *given: object) -> Any:
        """Make one call of the C face, for tests and tools; return its number.

        `read` takes (file, count, offset) and returns the bytes; names and data are bytes.
        """

@final
class PosixDisk(Disk):
    """The files of a directory of this machine.

    Raises StorageError `store.failed` when the directory can't be opened.
    """

    path: str

    def __init__(self, path: str | PathLike[str]) -> None: ...
