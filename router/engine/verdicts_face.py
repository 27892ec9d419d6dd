"""The engine's calls about verdicts: of stored documents, of envelopes, and what came after."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from router.engine.judging import Judge
from router.engine.revoked import Affected, Revoked
from router.engine.state import Rooms
from router.engine.tracking import Tracker
from router.engine.verdict_reading import VerdictReader
from router.engine.verifying import Verification
from router.model.documents import Envelope
from router.model.verdicts import AffectedPage, VerdictShown
from router.ports import Clock
from router.queue import Queue

if TYPE_CHECKING:
    from router.engine.engine import Engine


class VerdictsFace:
    """What `Engine` says of verdicts."""

    def _face_verdicts(
        self, rooms: Rooms, queue: Queue, tracker: Tracker, verification: Verification,
        judge: Judge, revoked: Revoked, clock: Clock,
    ) -> None:  # fmt: skip
        self._verdicts = VerdictReader(rooms, queue, tracker, verification, judge, revoked, clock)
        self._affected = Affected(rooms, queue, revoked, clock)

    def _alive(self) -> None:
        raise NotImplementedError

    def verdict(  # type: ignore[misc]
        self: Engine, document: str, *, unit: str | int | None = None
    ) -> VerdictShown:
        """Return the verdict over a stored document's signatures, whole, as it was reached.

        `document` is its key (hex) or ``<sender code>|<document id>``; `unit` is the viewer
        (None: an operator).  It is read, never computed again: who signed, by which
        certificates (in DER), judged for which instant, by what revocation evidence, under
        which trust version; of a document that waits, what is missing.  Raises NotFoundError,
        also for documents of others.
        """
        return self.seat(self._viewer(unit)).verdict(document)

    def verify(self, envelopes: Sequence[bytes | Envelope]) -> list[VerdictShown]:
        """Judge envelopes as if they came now, in order; store nothing, deliver nothing.

        Each passes the door first; what does not is "unreadable".  Raises TooLargeError
        `batch.too_large` over VERIFY_DOCUMENTS_MAX of them.
        """
        self._alive()
        return self._verdicts.verify(envelopes)

    def revocation_alerts(  # type: ignore[misc]
        self: Engine, *, after: str = "", limit: int = 100, unit: str | int | None = None
    ) -> AffectedPage:
        """List stored documents whose signers had been revoked when they signed.

        Known only since: their verdicts stand.  `unit` is the viewer (None: an operator, who
        sees all): of the documents it may read.  A page may be empty and have a `next_after`.
        Raises InputError `field.invalid` for a limit out of range and a cursor that is none.
        """
        return self.seat(self._viewer(unit)).revocation_alerts(after=after, limit=limit)
