"""The base in LMDB, through its own functions and without the GIL."""

from collections.abc import Callable, Sequence
from os import PathLike

from typing_extensions import disjoint_base

from router.queue._base import Base
from router.queue._disk import Disk
from router.queue._pylmdb import PyLmdbBase

__all__ = ["LmdbBase"]

@disjoint_base
class LmdbBase(Base):
    """A base in an LMDB environment of this process's own.  Made by `open`.

    `info` and `copy_to` may be called from any thread beside readings and a write.
    """

    def __init__(
        self, path: str | PathLike[str], tables: Sequence[str], map_bytes: int = 0
    ) -> None:
        """See `open`.  Raises RuntimeError where LMDB's own functions cannot be used."""

    @staticmethod
    def open(
        path: str | PathLike[str],
        tables: Sequence[str],
        map_bytes: int = 0,
        *,
        fallback: bool = False,
    ) -> LmdbBase | PyLmdbBase:
        """Open the environment in directory `path`, or make it; its parent must be there.

        `map_bytes` bounds the data (0: the default, 1 TiB of address space, no disk).  Where
        LMDB's own functions cannot be used, warns and returns a base over py-lmdb, with the
        same interface; `fallback` asks for that one.  Raises StorageError `store.locked`,
        `store.foreign`, `store.corrupt`, `store.full`, `store.failed`, and leaves nothing open.
        """

    def belong_to(self, disk: Disk, epoch: int) -> None:
        """Refuse to write once that disk was claimed for another opening than `epoch`."""

    def info(self) -> dict[str, int]:
        """Return sizes by name: bytes of the map, the file, its used part; free pages; readers.

        Raises StorageError, ClosedError.
        """

    def copy_still_to(
        self, path: str | PathLike[str], tell: Callable[[int], object] | None,
        goes_on: Callable[[], bool],
    ) -> bool:  # fmt: skip
        """Write the file as it is: see `Base.copy_still_to`."""

    def copy_to(self, path: str | PathLike[str]) -> None:
        """Write the present state, compacted, as `path`/data.mdb; the directory may be there.

        Without the GIL, durable when it returns.  Meanwhile pages given up are not used
        again, so the file grows.  Raises StorageError (`store.exists`, `store.full`,
        …), ClosedError.
        """
