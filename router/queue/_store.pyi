"""The store as its callers have it: documents in, leases out, answers back."""

from collections.abc import Sequence
from typing import Any

from typing_extensions import disjoint_base

from router.queue._base import Base
from router.queue._log import SegmentLog
from router.queue._readings import Places, Readings

__all__ = ["Store", "place_of", "taken_apart"]

_Answers = list[tuple[int, int, int]]
_Place = tuple[int, tuple[int, int, int], int]

@disjoint_base
class Store(Readings):
    """One data directory's store.  Thread-safe.

    `place` is what `place_of(base)` says; `log` is None where records are kept in a table.
    """

    def __init__(
        self, base: Base, log: SegmentLog | None, place: _Place, *, epoch: int = 0
    ) -> None: ...
    def load_counters(self) -> None:
        """Read the counters as of the last checkpoint."""

    def take(self, records: list[bytes], *, documents: bool = True) -> _Answers:
        """Store records in one group; return (kind, sequence, twin) for each, in order.

        An acceptance record is judged (`_intake.Answer`); others are taken as they are.
        Flushed on return.  Raises StorageError, ClosedError, TooLargeError, OverloadedError.
        """

    def enqueue(self, records: list[bytes]) -> int:
        """Line records up and return the ticket's number at once; see `completed`.

        A writer (`write_until_closed`) must be running.
        """

    def completed(self) -> list[tuple[int, _Answers | None]]:
        """Return (number, answers) of queued tickets that were answered since the last call.

        The answers are as of `take`; None instead of them means that nothing of it may be
        counted on.
        """

    def write_until_closed(self, signal_file: int) -> None:
        """Serve queued tickets, signalling the file (an eventfd) for each group; for a thread."""

    def lease(
        self,
        address: int,
        topics: Sequence[bytes],
        digest: int,
        places: Places,
        limit: int,
        until: int,
        at: int,
        unit: int,
        actor: bytes,
        *,
        bytes_max: int,
        attempts_max: int,
        lanes: int = 15,
        look: bool = False,
    ) -> list[int] | tuple[list[Any], bool]:
        """Hand out what waits for an address; flushed with the next group.

        `topics` are sorted, `digest` differs when they differ.  Returns a list of snapshots
        that must be in `places` first, or a tuple (handed out, further lanes).  `look` changes
        nothing and lists what is leased as well, as (document, entry, rank, lane, hand-outs
        so far, state, None).  Raises TooManyOpenError `unit.too_many_leased`, OverloadedError
        `store.checkpoint_behind`, StorageError, ClosedError.
        """

    def inbox_keys(
        self,
        address: int,
        topics: Sequence[bytes],
        digest: int,
        places: Places,
        limit: int,
        at: int,
    ) -> tuple[bytes, ...] | list[int]:
        """Return the keys of what is open for an address, in a tuple.

        Or, in a list, the snapshots that must be in `places` first.
        """

    def settle(
        self,
        address: int,
        unit: int,
        at: int,
        actor: bytes,
        wishes: list[tuple[bytes, int, int]],
        places: Places,
        reasons: tuple[bytes, ...] = (),
        *,
        until: int = 0,
        durable: bool = True,
    ) -> list[int] | tuple[tuple[bool, int, bool], ...]:
        """Do what a recipient wants of its deliveries: one record, flushed on return.

        `wishes` are (key, state, 1 + place of its reason in `reasons` or 0): DELIVERED or
        REFUSED; LEASED to keep what is handed out until `until`; QUEUED to give it back.
        Returns a list of snapshots that must be in `places` first, or a tuple of
        (found, state after, final before) in order.  Raises TooLargeError: no single record.
        """

    def settle_alike(
        self,
        address: int,
        unit: int,
        at: int,
        actor: bytes,
        keys: list[bytes],
        state: int,
        reason: bytes,
        places: Places,
    ) -> list[int] | bytes:
        """Settle many deliveries the same way; each key once.

        As `settle`, but answers with one byte each: 0 not found, else 32 + the state after,
        and 16 more when it was final before.
        """

    def append_raw(self, records: list[bytes]) -> list[int]:
        """Store records of this store's own making in one group; return their sequences."""

    def years_with_ids(self) -> list[int]:
        """Return the calendar years that document ids are known of, ascending."""

    def begin_epoch(self) -> None:
        """Write the epoch of this opening down, flushed, where there is no log to do it."""

    def flush(self) -> None:
        """Make everything durable that was handed out.  Raises StorageError."""

    def checkpoint(self) -> None:
        """Write the state as of now into the base; readers and writers go on meanwhile.

        Raises StorageError; then the store must be opened anew.
        """

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
        """Close log and base; with a last checkpoint when `clean`.  Idempotent; stop first."""

def place_of(base: Base) -> _Place:
    """Return (sequence, spot, epoch) of a base's checkpoint; zeros for an empty one."""

def taken_apart(record: bytes | None) -> tuple[bytes, bytes, bytes, int]:
    """Return (key, envelope, facts, instant) of an acceptance record.

    Raises StorageError `store.corrupt`.
    """
