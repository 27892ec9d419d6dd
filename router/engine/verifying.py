"""Asking for verdicts, and keeping what they stand on.

The one place that knows what the verifier needs beside the documents.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from router.engine.state import Rooms
from router.engine.warming import headers_of_signers
from router.limits import VERIFY_WAIT_S
from router.model.documents import SignatureEntry
from router.ports import Clock
from router.queue import Queue, RoomRecord
from router.settings import Settings
from router.signatures import Verdict, Verifier, VerifyItem
from router.signatures.revocation_view import RevocationView


class Signed(NamedTuple):
    """A document's verdict (None: nobody signed it) with its signature entries.

    `document` is its sequence when it is stored already.
    """

    verdict: Verdict | None
    entries: tuple[SignatureEntry, ...]
    document: int = 0


class Notes(NamedTuple):
    """Records to be stored right before documents: who signed them; see `Signers.notes`."""

    records: list[RoomRecord]
    verdicts: list[Verdict]
    last: int


class Asked(NamedTuple):
    """What verdicts depend on, at one moment."""

    authorities: object
    revocation: int


def waits_for_path(verdict: Verdict | None) -> bool:
    """Say whether a verdict lacks a path that is being checked."""
    return verdict is not None and any(one.kind == "path" for one in verdict.missing)


class Verification:
    """The verifier with the trust of one engine; thread-safe.

    `turn_wait_s` is how long a turn over what waits waits for unknown paths: a path that is
    decided brings its documents back (`landed_late`).  `answer_wait_s` is the same for
    questions, which share their batch with nobody's documents.
    """

    def __init__(self, rooms: Rooms, queue: Queue, verifier: Verifier, settings: Settings) -> None:
        self.turn_wait_s = settings.turn_wait_s
        self.answer_wait_s = max(settings.cold_wait_s, VERIFY_WAIT_S)
        self._rooms = rooms
        self._queue = queue
        self._verifier = verifier

    def judge(
        self, items: Sequence[VerifyItem], at_us: int, cold_wait_s: float | None = None
    ) -> list[Verdict]:
        """Return the verdicts in order, judged at an instant.  Raises ClosedError.

        `cold_wait_s` is how long unknown paths are waited for: as for what is submitted
        (None), `turn_wait_s` for what waits, `answer_wait_s` for who only asks.
        """
        trust, revocation = self._rooms.trust, self._rooms.revocation
        return self._verifier.verify_batch(items, trust, revocation, at_us, cold_wait_s)

    def warm(self, clock: Clock, *, ready: bool) -> None:
        """Have the paths of known signers judged in the background; returns at once.

        `ready`: be ready for new signers, too.
        """
        headers = headers_of_signers(self._rooms, self._queue, clock.now_us())
        self._verifier.warm(
            headers, self._rooms.trust, self._rooms.revocation, clock.now_us, ready=ready
        )

    def landed_late(self) -> int:
        """Return a number that grows when a path is decided that some document waits for."""
        return self._verifier.landed_late

    def revocation_view(self) -> RevocationView | None:
        """Return what is known of revocation now; None when nothing ever was."""
        view = self._rooms.revocation.view
        return view if view.version else None

    def asked(self) -> Asked:
        """Return what verdicts depend on now; bindings alone change none."""
        return Asked(self._rooms.trust.view.authorities, self._rooms.revocation.view.version)

    def changed(self, known: Asked | None) -> bool:
        """Say whether verdicts may differ from those of an earlier moment."""
        now = self.asked()
        return (
            known is None
            or known.authorities is not now.authorities
            or known.revocation != now.revocation
        )

    # What good verdicts stand on.

    def keep(self, batch: Sequence[Signed], now_us: int) -> Notes:
        """Keep the certificates of good verdicts (flushed); return the notes to be stored."""
        signers, view = self._rooms.signers, self._rooms.trust.view
        good: list[tuple[Verdict, int]] = []
        new: dict[bytes, RoomRecord] = {}
        for verdict, entries, document in batch:
            if verdict is None or verdict.status != "valid":
                continue
            good.append((verdict, document))
            for record in signers.missing(verdict, entries, view, now_us):
                new[record.body] = record
        if new:
            self._rooms.append(list(new.values()))
        last = self._queue.store.last
        return Notes(signers.notes(good, last, now_us), [one for one, _ in good], last)

    def noted(self, notes: Notes) -> None:
        """Take in that notes are flushed with their documents."""
        if notes.records:
            self._rooms.signers.noted(notes.verdicts, notes.last)
