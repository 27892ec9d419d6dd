"""What can be read of a store.  Every reading sees every answered write."""

from collections.abc import Iterator, Mapping, Sequence
from typing import final

from typing_extensions import disjoint_base

from router.errors import ClosedError, StorageError
from router.queue._pipeline import Pipeline

__all__ = ["Places", "Readings"]

_Standing = tuple[int, int, int, int, int, int, int, int, int, int, bool]

@final
class Places:
    """Where one address stands in each snapshot, as far as it was looked up.

    `places` maps the numbers of snapshots to positions, -1 for nowhere.
    """

    def __new__(cls, places: Mapping[int, int]) -> Places: ...

@disjoint_base
class Readings(Pipeline):
    """The readings of one store.  All raise StorageError and ClosedError."""

    def healthy(self) -> bool:
        """Return False once a write, flush or reading has failed, or after `close`."""

    def fault(self) -> StorageError | ClosedError | None:
        """Return the StorageError that everything is refused with, or None while all is well."""

    def pending(self, address: int) -> int:
        """Return how many open deliveries were written to an address by name."""

    def counts(self) -> dict[str, int]:
        """Return the counters by name; see `tables.COUNTERS`."""

    def sizes(self) -> dict[str, int]:
        """Return sizes of what is in memory and on the disk, in bytes and pieces."""

    def base_info(self) -> dict[str, int]:
        """Return sizes of the base: bytes of its map, file and used part; free pages; readers."""

    def log_bytes(self) -> int:
        """Return what the log's segments take on the disk; 0 where there is no log."""

    def find(
        self, id_name: bytes, key_name: bytes | None, content: bytes, years: tuple[int, ...]
    ) -> tuple[int, int]:
        """Return (kind, sequence) for a name's 16-byte digest: see `_intake.Answer`."""

    def sequence_of(self, key: bytes) -> int | None:
        """Return the sequence of the document of a key, or None."""

    def row(self, table: int, key: bytes) -> bytes | None:
        """Return the value of a key, or None.  Raises ValueError: no such table or key."""

    def page(self, table: int, prefix: bytes, start: int, limit: int) -> list[tuple[int, bytes]]:
        """Return at most `limit` pairs of a prefix, ascending from `start`.

        Each is (last eight bytes of the key as a number, value).  For ordered tables only;
        else raises ValueError.
        """

    def due_from(self) -> int | None:
        """Return the first hour since 1970 that may have work due, or None."""

    def due_done(self, hour: int) -> None:
        """Say that no work is due any more in the hours before."""

    def record(self, sequence: int) -> bytes | None:
        """Return the log record of a sequence, or None.  Raises StorageError when it is damaged."""

    def count_states(self, entry: int, bounds: Sequence[int], at: int) -> list[list[int]]:
        """Count an entry's members by the state in their cells, in slices of their ranks.

        `bounds` ascend; slice k holds the ranks from bounds[k] to bounds[k + 1].  Returns a
        list of ten counts (by state's number) for each slice; members without a cell are
        counted nowhere, leases that ran out by `at` as queued.
        """

    def standing(
        self, address: int, document: int, places: Places, at: int
    ) -> _Standing | list[int] | None:
        """Return where a delivery stands, the snapshots that must be known first, or None.

        (entry, rank, lane, state, stored state, since, until, attempts, record that changed
        it, its own record, hidden), a list of snapshots, or None for no such delivery.
        """

    def dump(self) -> Iterator[tuple[str, bytes, bytes]]:
        """Yield (table, key, value) of the whole state in order, without the log's own tables.

        For an idle store: takes a checkpoint first, and reads the base.
        """
