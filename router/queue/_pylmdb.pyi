"""The base over py-lmdb: what is left where LMDB's own functions cannot be used."""

from collections.abc import Callable, Sequence
from os import PathLike

from typing_extensions import disjoint_base

from router.queue._base import Base
from router.queue._disk import Disk

__all__ = ["PyLmdbBase"]

@disjoint_base
class PyLmdbBase(Base):
    """A base in an LMDB environment, over py-lmdb.  See `LmdbBase.open`."""

    def __init__(
        self, path: str | PathLike[str], tables: Sequence[str], map_bytes: int = 0
    ) -> None:
        """See `LmdbBase.open`."""

    def belong_to(self, disk: Disk, epoch: int) -> None:
        """Refuse to write once that disk was claimed for another opening than `epoch`."""

    def info(self) -> dict[str, int]:
        """Return sizes by name: bytes of the map, the file, its used part; readers.

        Raises StorageError, ClosedError.
        """

    def copy_still_to(
        self, path: str | PathLike[str], tell: Callable[[int], object] | None,
        goes_on: Callable[[], bool],
    ) -> bool:  # fmt: skip
        """Write the file as it is: see `Base.copy_still_to`."""

    def copy_to(self, path: str | PathLike[str]) -> None:
        """Write the present state, compacted, as `path`/data.mdb; the directory may be there.

        Durable when it returns.  Raises StorageError (`store.exists`, `store.full`, …),
        ClosedError.
        """
