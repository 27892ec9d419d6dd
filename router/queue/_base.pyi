"""The base: the state at the last checkpoint; and the one that lies in memory."""

from collections.abc import Callable, Iterator, Sequence
from os import PathLike

from typing_extensions import disjoint_base

from router.errors import StorageError
from router.queue._overlay import Overlay

__all__ = ["Base", "MemoryBase"]

@disjoint_base
class Base:
    """The state at the last checkpoint, table by table; keys and values are bytes.

    `tables` are the names of the tables; everywhere else a table is its index in them.  The
    Python methods are for dumps, statistics and tests: the caller keeps others from reading
    meanwhile, as the store's lock does for the compiled ones.
    """

    def __init__(self, tables: Sequence[str]) -> None:
        """Name the tables, at most 32 of them.  Raises ValueError when there are more."""

    @property
    def tables(self) -> tuple[str, ...]:
        """The names of the tables."""

    def fault(self) -> StorageError | None:
        """Return what the first failure was, as a StorageError, or None."""

    def info(self) -> dict[str, int]:
        """Return sizes by name, for statistics: bytes, pages, readers, rows."""

    def copy_still_to(
        self, path: str | PathLike[str], tell: Callable[[int], object] | None,
        goes_on: Callable[[], bool],
    ) -> bool:  # fmt: skip
        """Write the file as it is as `path`/data.mdb, without a reading: nobody may write to it.

        `tell`, if any, gets the bytes copied; when `goes_on()` is false nothing is left, and
        False is returned.  Raises StorageError, ClosedError; NotImplementedError: no file.
        """

    def copy_to(self, path: str | PathLike[str]) -> None:
        """Write the present state as `path`/data.mdb.  NotImplementedError: none on disk."""

    def value(self, table: int, key: bytes) -> bytes | None:
        """Return the value of a key, or None.  Raises StorageError, IndexError."""

    def items(
        self, table: int, start: bytes = b"", stop: bytes | None = None
    ) -> Iterator[tuple[bytes, bytes]]:
        """Iterate (key, value) from `start` up to, not with, `stop`, in order of keys.

        Read in short pieces, so what is written meanwhile may show.  Raises StorageError,
        IndexError.
        """

    def last_below(self, table: int, key: bytes) -> tuple[bytes, bytes] | None:
        """Return (key, value) of the last key not above this one, or None."""

    def apply(self, changes: Overlay) -> None:
        """Write an overlay durably, all or nothing.  Raises StorageError.

        Gives up the GIL; may run on another thread while others read.
        """

    def close(self) -> None:
        """Release what the base holds; idempotent.  Nothing may be reading or writing."""

@disjoint_base
class MemoryBase(Base):
    """A base in memory, for the simulator and for stores that need not survive.

    `fail_after(n)` lets a later write fail, as a bad or full disk would; what was written
    before stays readable, and `copy()` is what a process finds that opens it again.
    """

    def fail_after(self, writes: int, *, full: bool = False) -> None:
        """Let the write after so many further ones fail (`full`: as on a full disk)."""

    def copy(self) -> MemoryBase:
        """Return a base of its own with what the last good write left.  Costs no copying."""
