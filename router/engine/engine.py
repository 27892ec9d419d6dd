"""The engine's face: embedded by a portal, driven by the daemon, replayed by the simulator.

`Engine.open` makes this process the owner of a data directory.  All calls are synchronous
and may come from several threads; concurrent writers share a flush.  What returns has been
flushed; what raises StorageError left nothing, and the engine must be opened anew.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

import msgspec

from router import limits
from router.engine.administration import Administrator
from router.engine.arrivals import Arrival, Listener
from router.engine.deliveries import Deliverer, check_reason
from router.engine.deliveries_face import DeliveriesFace
from router.engine.directory_face import OPERATOR, DirectoryFace
from router.engine.holds_face import HoldsFace
from router.engine.migrating import migrate_if_needed
from router.engine.operations import OperationsFace
from router.engine.policy_face import PolicyFace
from router.engine.pressure import PressureFace, set_bounds
from router.engine.revocation import RevocationFace
from router.engine.revoked import Revoked
from router.engine.rights_face import RightsFace
from router.engine.state import Rooms
from router.engine.submission import Submission, Submitter
from router.engine.tracking import Tracker
from router.engine.trust_face import TrustFace
from router.engine.verdicts_face import VerdictsFace
from router.engine.verifying import Verification
from router.errors import ClosedError, OverloadedError, StorageError, VanbanError
from router.model.answers import (
    DeliveryState,
    Explanation,
    Outcome,
    Principal,
    Settled,
    Tracking,
)
from router.model.documents import Envelope
from router.model.rights import RightWanted
from router.model.units import Unit
from router.ports import Chance, Clock, SystemChance, SystemClock
from router.queue import AnyStore, Queue, StoredAudience, open_store
from router.queue.backup import check_in_use
from router.settings import Settings, checked
from router.signatures import Verifier

if TYPE_CHECKING:  # loaded by who shares or connects
    from router.engine.local.owner import Sharing

_log = logging.getLogger("router.engine")


class Engine(
    DeliveriesFace, HoldsFace, RightsFace, DirectoryFace, TrustFace, RevocationFace, PolicyFace,
    PressureFace, OperationsFace, VerdictsFace,
):  # fmt: skip
    """A routing engine over one data directory.  Use as a context manager, or `close()`.

    A process forked from the one that opened it gets ClosedError `engine.forked`.
    """

    _sharing: Sharing | None = None

    def __init__(
        self,
        store: AnyStore,
        *,
        settings: Settings | None = None,
        clock: Clock | None = None,
        chance: Chance | None = None,
    ) -> None:
        self._settings = checked(settings or Settings())
        self._clock = clock or SystemClock()
        chance = chance or SystemChance()
        set_bounds(store, self._settings)
        self._queue = Queue(store)
        self._rooms = Rooms(self._queue)
        self._verifier = Verifier(self._settings.verify_threads, self._settings.cold_wait_s)
        self._verification = Verification(self._rooms, self._queue, self._verifier, self._settings)
        verification = self._verification
        self._deliverer = Deliverer(self._rooms, self._queue, self._clock)
        revoked = Revoked(self._rooms, self._queue, verification)
        self._tracker = Tracker(self._rooms, self._queue, revoked, self._clock)
        redirections = self._face_deliveries(self._rooms, self._queue, self._clock, verification)
        self._face_verdicts(
            self._rooms, self._queue, self._tracker, verification, self._judge, revoked,
            self._clock,
        )  # fmt: skip
        self._face_holds(self._rooms, self._queue, self._held, redirections, self._clock)
        self._submitter = Submitter(
            self._rooms, self._queue, verification, self._clock, chance, redirections,
            self._held, self._quarantine, self._judge.waiting,
        )  # fmt: skip
        self._administrator = Administrator(self._rooms, self._clock, chance)
        self._face(self._rooms, self._clock)
        self._face_trust(self._rooms, self._clock, revoked, self._affected)
        self._face_rights(self._queue, self._clock, chance)
        self._face_policy(self._rooms, self._queue, self._clock, self._tracker)
        self._face_pressure(self._rooms)
        self._face_revocation(store)
        self._listeners: list[Listener] = []
        self._closed = False
        self._process = os.getpid()
        self._epoch = store.epoch
        with suppress(StorageError, OverloadedError):  # whoever calls next is told
            self._due.tick()

    @classmethod
    def open(
        cls,
        path: str | Path,
        *,
        settings: Settings | None = None,
        clock: Clock | None = None,
        chance: Chance | None = None,
        share: bool = False,
    ) -> Engine:
        """Open (or make) the data directory at `path` and own it until `close`.

        One of an older format is migrated first; its files stay in `store-format-1/`.

        With `share` other processes of the same user (and root) use it through
        `Engine.connect`, served by threads of this process.  Raises StorageError:
        store.locked, store.format, store.foreign, store.corrupt, owner.socket; SettingsError
        for bounds that make no sense.
        """
        used = clock or SystemClock()
        reserve_bytes = checked(settings or Settings()).store.reserve_bytes
        migrate_if_needed(Path(path))
        store = open_store(Path(path), clock_us=used.now_us(), reserve_bytes=reserve_bytes)
        try:
            engine = cls(store, settings=settings, clock=used, chance=chance)
        except BaseException:
            store.close()
            raise
        if share:
            try:
                engine._share(Path(path))
            except BaseException:
                engine.close()
                raise
        engine._verification.warm(used, ready=share)
        return engine

    def _share(self, path: Path) -> None:
        from router.engine.local.owner import Sharing

        self._sharing = Sharing(self, path, self._epoch)

    @classmethod
    def connect(
        cls,
        path: str | Path,
        *,
        actor: str | None = None,
        timeout_s: float | None = limits.LOCAL_TIMEOUT_S_DEFAULT,
    ) -> Engine:
        """Use the engine of the process that owns the data directory at `path` and shares it.

        The whole interface, over a Unix socket in that directory (docs/connect.md).  `actor`
        stands for whoever a call does not name; `timeout_s` bounds each call (None: not).
        After the owner's death the next call asks the next owner.  Raises OwnerError
        `owner.absent` when nobody shares the directory, `owner.version`, `owner.silent`;
        StorageError `store.missing`; ForbiddenError `owner.peer`.
        """
        from router.engine.local.engine import ConnectedEngine

        return ConnectedEngine(Path(path), actor=actor, timeout_s=timeout_s)

    @classmethod
    def over(
        cls,
        store: AnyStore,
        *,
        settings: Settings | None = None,
        clock: Clock | None = None,
        chance: Chance | None = None,
    ) -> Engine:
        """Run over a given store (the simulator's, or another durability port)."""
        return cls(store, settings=settings, clock=clock, chance=chance)

    def __enter__(self) -> Engine:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Release the data directory; idempotent.  All that was answered is on disk already."""
        if self._forked:
            self._closed = True  # the rest belongs to the parent, which goes on
        if self._sharing is not None and not self._closed:
            sharing, self._sharing = self._sharing, None
            sharing.stop()
        if not self._closed:
            self._closed = True
            self._verifier.close()
            self._queue.close()

    def shared(self) -> bool:
        """Say whether other processes may use this engine through `connect`."""
        return self._sharing is not None

    @property
    def _forked(self) -> bool:
        return os.getpid() != self._process

    def _alive(self) -> None:
        if self._forked:
            raise ClosedError("engine.forked")
        if self._closed:
            raise ClosedError("engine.closed")

    def _renewed(self, epoch: int) -> None:
        self._epoch = epoch
        if self._sharing is not None:
            self._sharing.renewed(epoch)

    def _unit(self, unit: str | int) -> Unit:
        self._alive()
        return self._rooms.unit(unit, self._clock.now_us())

    def _recipient(self, unit: str | int) -> Unit:
        """Return a unit that has an inbox: not one whose successor answers for it."""
        found = self._unit(unit)
        self._rooms.require_answering(found, self._clock.now_us())
        return found

    # The sender's side.

    def submit(
        self,
        batch: Sequence[bytes | Envelope],
        *,
        unit: str | int | None = None,
        actor: str = "",
        language: str = "en",
    ) -> list[Outcome]:
        """Submit documents; answer each, in order, with a Receipt or a Problem.

        `batch` holds envelopes, as JSON bytes or ready structs.  `unit` is the
        authenticated submitter; None when the embedding host vouches for the signed sender.
        Every Receipt in the answer is flushed.  Raises TooLargeError over
        BATCH_DOCUMENTS_MAX documents.
        """
        number = self._unit(unit).number if unit is not None else None
        return self.submit_many([Submission(one, number, actor, language) for one in batch])

    def submit_many(self, items: Sequence[Submission]) -> list[Outcome]:
        """Submit documents of several units in one batch (the daemon's way in)."""
        self._alive()
        outcomes, accepted = self._submitter.submit(items)
        self._tell_listeners([one.audience for one in accepted])
        return outcomes

    def _tell_listeners(self, audiences: Sequence[StoredAudience]) -> None:
        """Tell listeners whom something arrived for; what they raise costs nobody anything."""
        if audiences and self._listeners:
            now_us = self._clock.now_us()
            self._tell([Arrival(self._rooms, audience, now_us) for audience in audiences])

    def _tell(self, arrivals: Sequence[Arrival]) -> None:
        if not arrivals:
            return
        for listener in tuple(self._listeners):
            try:
                listener(arrivals)
            except Exception:  # what arrived is stored: the caller gets its answer
                _log.exception("a listener failed")

    def track(
        self,
        document: str,
        *,
        unit: str | int | None = None,
        below: str | None = None,
        state: str | None = None,
        limit: int = 100,
        page: int = 0,
    ) -> Tracking:
        """Say who has a document and who not: counts by tier, then a page of deliveries.

        `document` is its key (hex) or ``<sender code>|<document id>``; `unit` is the viewer
        (None: an operator).  `below` narrows counts and page to the units below one (by its
        code, itself left out), `state` the page to the deliveries in that state.  Raises
        NotFoundError also for documents of others; InputError for a state that is none.
        """
        seat = self.seat(self._viewer(unit))
        return seat.track(document, below=below, state=state, limit=limit, page=page)

    def explain(self, document: str, unit: str, *, viewer: str | int | None = None) -> Explanation:
        """Say why `unit` receives the document, or why not; both ways, with the steps."""
        return self.seat(self._viewer(viewer)).explain(document, unit)

    # The recipient's side.

    def waiting(self, unit: str | int) -> bool:
        """Say whether `lease` would hand anything out now."""
        return self._deliverer.waiting(self._unit(unit))

    def acknowledge(
        self, unit: str | int, deliveries: Sequence[str], *, actor: str = ""
    ) -> list[Settled]:
        """Take deliveries for good (đã nhận); flushed before it answers, safe to repeat."""
        state = DeliveryState.DELIVERED.value
        return self._deliverer.settle(self._recipient(unit), deliveries, state, "", actor)

    def refuse(
        self, unit: str | int, deliveries: Sequence[str], reason: str, *, actor: str = ""
    ) -> list[Settled]:
        """Return deliveries to the sender (trả lại) with a reason (QĐ 28/2018, Art. 5.4)."""
        check_reason(reason)
        state = DeliveryState.REFUSED.value
        return self._deliverer.settle(self._recipient(unit), deliveries, state, reason, actor)

    def listen(self, listener: Listener) -> None:
        """Call `listener` after each flush with what arrived, on the submitting thread.

        Also with what waits again: what was queued again or given back, and, when `tick` is
        called, what was leased for longer than that.  What it raises is logged and costs
        nobody anything.
        """
        self._listeners.append(listener)

    # Tokens; the directory's calls stand in `DirectoryFace`, those about trust in `TrustFace`.

    def unit(self, code: str | int) -> Unit:
        """Return a unit by code (either national form) or stable number."""
        return self._unit(code)

    def create_token(
        self,
        unit: str | None,
        name: str,
        *,
        operator: bool = False,
        rights: Sequence[RightWanted] = (),
        expires_at: int | None = None,
        actor: str = OPERATOR,
    ) -> str:
        """Make an access token for a unit (or an operator); it is shown only this once.

        An operator's token with `rights` may do what they say and nothing else.  Raises
        what `grant_right` raises.
        """
        self._alive()
        if rights:
            return self._create_limited(unit, operator, name, rights, expires_at, actor)
        return self._administrator.create_token(
            unit, name, operator=operator, expires_at=expires_at, actor=actor
        )

    def revoke_token(self, token_id: str, *, actor: str = OPERATOR) -> None:
        """End a token at once."""
        self._alive()
        self._administrator.revoke_token(token_id, actor)

    def tokens(self) -> list[Principal]:
        """List the live tokens, without their secrets."""
        self._alive()
        return self._administrator.all_tokens()

    def authenticate(self, token: str) -> Principal:
        """Return whom a token stands for.  Raises AuthenticationError."""
        self._alive()
        return self._administrator.authenticate(token)

    # Operation.

    def counters(self) -> dict[str, int | dict[str, int] | dict[str, float]]:
        """Return counters for metrics: since opening, and of the stored state.

        `stored` is empty once the store can't be read: whoever watches an engine must hear
        from it then above all.  `pressure` is as of `pressure()`, `fault` holds the code of
        what documents are refused for.
        """
        submitter = self._submitter
        return {
            "accepted": submitter.accepted,
            "repeated": submitter.repeated,
            "refused": dict(submitter.refused),
            "stage_seconds": dict(submitter.stage_seconds),
            "stored": self._stored_counts(),
            "pressure": {} if self._closed or self._forked else self.pressure(),
            "fault": self._fault_codes(),
            "revocation": {} if self._closed or self._forked else self._revocation_counts(),
            "verdicts": self._judge.counts(),
            "verification": msgspec.structs.asdict(self._verifier.sizes()),
        }

    def _fault_codes(self) -> dict[str, int]:
        """Return {code: 1} of what documents are refused for, or nothing."""
        error = None if self._closed or self._forked else self._trouble()
        return {} if error is None else {error.code: 1}

    def _stored_counts(self) -> dict[str, int]:
        if self._closed or self._forked:
            return {}
        try:
            return self._queue.counts()
        except VanbanError:
            return {}

    def healthy(self) -> bool:
        """Say whether writes work; False from the first failed write or flush on."""
        return not self._closed and not self._forked and self._queue.healthy()

    def check(self) -> list[str]:
        """Verify the stored state's invariants; return what is wrong (empty: all well).

        Others go on: what they write to meanwhile is verified as of one instant, in a copy that
        takes the room of the data directory.  Raises StorageError `store.full`, OverloadedError.
        """
        self._alive()
        return check_in_use(self._queue, self._clock.now_us())

    def now_us(self) -> int:
        """Return the engine's present instant."""
        return self._clock.now_us()
