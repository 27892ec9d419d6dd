"""Callers' wishes on their way into the pipeline: documents in, deliveries settled."""

from typing_extensions import disjoint_base

from router.queue._readings import Places, Readings

__all__ = ["Taking"]

_Answers = list[tuple[int, int, int]]

@disjoint_base
class Taking(Readings):
    """What callers want changed, of one store."""

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
