"""Documents that wait for their verdict: judged again, then let go, excluded or expired.

They are judged as of their signing time (receipt), however late.  What comes of it is one group:
the sender is told, then the verdict (`verdicts`), then the moves it leads to.  A group that a
crash cut after the verdict is completed by the next turn, which judges nothing anew.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from time import monotonic
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from router import limits
from router._core import Audience
from router._postings import postings
from router.engine.background import Background
from router.engine.facts import Facts, decode_facts
from router.engine.held_parts import HeldParts
from router.engine.redirecting import Redirections, VerdictTold, encode_stored
from router.engine.state import Rooms
from router.engine.verdicts import Outcome, VerdictReached, accepted_with, reached_late, record_of
from router.engine.verifying import Asked, Signed, Verification, waits_for_path
from router.engine.waiting_parts import WaitingDocuments
from router.errors import ClosedError, VanbanError
from router.model.documents import Envelope
from router.ports import Clock
from router.queue import Acceptance, EntryRow, Queue, State, StoredAudience, after, records
from router.queue.reading import ENTRY_SHIFT
from router.signatures import Verdict, VerifyItem

if TYPE_CHECKING:
    from router.engine.engine import Engine

_log = logging.getLogger("router.engine")
_envelopes: Final = msgspec.msgpack.Decoder(Envelope)
REASON_VALID: Final = "verdict"
"""Why a part moved on that had waited for a good verdict."""


class Waiting(NamedTuple):
    """A document that waits, with the entries of it that do."""

    document: int
    accepted: Acceptance
    facts: Facts
    entries: tuple[EntryRow, ...]

    @property
    def ends(self) -> int:
        """The instant at which its wait is over: its own bound, or its time to live."""
        assert self.facts.waits is not None
        until = self.facts.waits.until
        return min(until, self.accepted.expires_at or until)


class Ending(NamedTuple):
    """What an end of a wait writes, and whom the document reaches by it."""

    group: list[bytes]
    joining: list[Acceptance]


class Judge:
    """Judges what waits, a bounded piece at a time; thread-safe.

    `decided` counts what came of it, by outcome.  `turn_s`: a turn that took so long leaves the
    rest to the next one.
    """

    def __init__(
        self, rooms: Rooms, queue: Queue, verification: Verification, held: HeldParts,
        redirections: Redirections, clock: Clock,
    ) -> None:  # fmt: skip
        self.waiting = WaitingDocuments(queue)
        self.turn_s = limits.VERDICT_TURN_S
        self.decided: dict[str, int] = {"valid": 0, "invalid": 0, "expired": 0}
        self._rooms = rooms
        self._queue = queue
        self._verification = verification
        self._held = held
        self._redirections = redirections
        self._clock = clock
        self._working = threading.Lock()  # one turn at a time; guards the one below
        self._asked: Asked | None = None
        self._landed = 0

    def counts(self) -> dict[str, int]:
        """Return how many wait now, and what was decided since the opening, by outcome."""
        return {"waiting": len(self.waiting), **self.decided}

    def turn(self) -> tuple[int, list[StoredAudience]]:
        """Judge what is due to be judged; return how many were decided, and whom they reach.

        Harmless to repeat, and from several threads: one works, the others return at once.
        """
        if not self._working.acquire(blocking=False):
            return 0, []
        try:
            now_us = self._clock.now_us()
            self.waiting.search(now_us)
            if not len(self.waiting):
                return 0, []
            if self._verification.changed(self._asked):
                self._asked = self._verification.asked()
                self.waiting.all_at(now_us)
            landed = self._verification.landed_late()
            if landed != self._landed:
                self._landed = landed
                self.waiting.paths_at(now_us)
            wanted = self.waiting.take(now_us, limits.VERDICTS_PER_TURN)
            return self._judge(wanted, now_us)
        finally:
            self._working.release()

    def _judge(
        self, documents: Sequence[int], now_us: int
    ) -> tuple[int, list[StoredAudience]]:  # fmt: skip
        reached: list[StoredAudience] = []
        groups: dict[int, list[Waiting]] = {}
        over: list[tuple[int, Verdict]] = []
        for document in documents:
            found = self.find(document)
            if found is None:
                self.waiting.forget(document)
            elif reached_late(self._queue, document) is not None:
                reached += self._complete(document, now_us)
            elif found.ends <= now_us:
                verdict = accepted_with(found.facts)
                assert verdict is not None, "only what is signed waits for a verdict"
                over.append((document, verdict))
            else:
                groups.setdefault(found.accepted.at, []).append(found)
        begun = monotonic()
        while groups:
            at_us, batch = next(iter(groups.items()))
            del groups[at_us]
            verdicts = self._verdicts(batch, at_us)
            for one, verdict in zip(batch, verdicts, strict=True):
                if waits_for_path(verdict):
                    self.waiting.for_path(one.document)
            over += [
                (one.document, verdict)
                for one, verdict in zip(batch, verdicts, strict=True)
                if verdict.status != "indeterminate"
            ]
            if monotonic() - begun > self.turn_s:
                break
        self.waiting.put_back((one.document for left in groups.values() for one in left), now_us)
        return len(over), reached + self._end_all(over, now_us)

    def _verdicts(self, batch: Sequence[Waiting], at_us: int) -> list[Verdict]:
        items = []
        for one in batch:
            envelope = _envelope_of(one.accepted)
            items.append(VerifyItem(envelope.payload, envelope.signatures))
        return self._verification.judge(items, at_us, self._verification.turn_wait_s)

    def find(self, document: int) -> Waiting | None:
        """Return a document with the parts of it that wait for its verdict; None: none does."""
        entries = tuple(
            row
            for row in self._queue.entries(document)
            if row.standing == State.WAITING and row.number >> ENTRY_SHIFT == document
        )
        if not entries:
            return None
        accepted = after.acceptance_of(self._queue.store, document)
        facts = decode_facts(accepted.facts)
        return None if facts.waits is None else Waiting(document, accepted, facts, entries)

    # Ends.

    def _end_all(
        self, verdicts: Sequence[tuple[int, Verdict]], now_us: int
    ) -> list[StoredAudience]:
        """Write down how documents' waits ended, in one group; return whom they reach.

        A verdict that is still indeterminate ends a wait that is over.
        """
        ended: list[tuple[Waiting, Outcome]] = []
        joining: list[Acceptance] = []
        group: list[bytes] = []
        signed: list[Signed] = []
        with self._held.moving:  # nothing of them expires meanwhile
            for document, verdict in dict(verdicts).items():  # each ends once
                found = self.find(document)
                if found is None or reached_late(self._queue, document) is not None:
                    continue  # the next turn completes it
                outcome: Outcome = "expired"
                if verdict.status != "indeterminate":
                    outcome = verdict.status
                ending = self.ending(found, outcome, verdict, now_us)
                ended.append((found, outcome))
                joining += ending.joining
                group += ending.group
                entries = _envelope_of(found.accepted).signatures
                signed.append(Signed(verdict, entries, document))
            notes = self._verification.keep(signed, now_us)
            group = [records.encode_room(record) for record in notes.records] + group
            return self._written(ended, Ending(group, joining))

    def _complete(self, document: int, now_us: int) -> list[StoredAudience]:
        """Do what a verdict leads to whose group was cut by a crash, the verdict right before it.

        So the moves always stand beside a record of their verdict, which history goes by.
        """
        with self._held.moving:
            found = self.find(document)
            late = reached_late(self._queue, document)
            if found is None or late is None:
                return []
            moves = self._moves(found, late.said, now_us)
            again = records.encode_room(record_of(late.said, late.at))
            ending = Ending([again, *moves.group], moves.joining)
            return self._written([(found, late.said.outcome)], ending)

    def _written(
        self, ended: Sequence[tuple[Waiting, Outcome]], ending: Ending
    ) -> list[StoredAudience]:
        told_until = self._redirections.told_until
        if ending.group:
            self._queue.store.append_raw(ending.group)
        overtaken = self._redirections.late_records(ending.joining, told_until)
        if overtaken:
            self._queue.store.append_raw(overtaken)
        for found, outcome in ended:
            self.ended(found, outcome)
        return [one.audience for one in ending.joining]

    def ended(self, found: Waiting, outcome: Outcome) -> None:
        """Take in that a document waits no longer (flushed already)."""
        self.waiting.forget(found.document)
        self.decided[outcome] += 1
        if outcome == "valid":
            self._held.note(found.document, found.accepted.sender, found.facts)

    def ending(
        self, found: Waiting, outcome: Outcome, verdict: Verdict, now_us: int
    ) -> Ending:  # fmt: skip
        """Return the group that ends a wait: the sender is told, the verdict, the moves."""
        said = VerdictReached(found.document, outcome, verdict)
        at_us = found.ends if outcome == "expired" else now_us
        told = VerdictTold(
            at_us, outcome, found.document, sum(row.size for row in found.entries), verdict.code
        )
        event = [(found.accepted.sender, encode_stored(told))]
        moves = self._moves(found, said, now_us)
        return Ending(
            [
                records.encode_feed(event, now_us, 0),
                records.encode_room(record_of(said, now_us)),
                *moves.group,
            ],
            moves.joining,
        )

    def _moves(self, found: Waiting, said: VerdictReached, now_us: int) -> Ending:
        """Return what a verdict leads to: for each part that waits, where it goes."""
        group: list[bytes] = []
        joining: list[Acceptance] = []
        held = len(found.facts.decision.held) if found.facts.decision is not None else 0
        for row in found.entries:
            part = row.number & (1 << ENTRY_SHIFT) - 1
            if said.outcome == "valid" and part > held:
                self._join(found, row, now_us, group, joining)
                continue
            to, at_us, reason = State.HELD, now_us, REASON_VALID
            if said.outcome == "invalid":
                to, reason = State.EXCLUDED, said.verdict.code
            elif said.outcome == "expired":
                to, at_us = State.EXPIRED, found.ends
            group.append(
                records.encode_move(
                    found.document, row.number, to, b"", at_us, 0, "engine", reason
                )
            )  # fmt: skip
        return Ending(group, joining)

    def _join(
        self, found: Waiting, row: EntryRow, now_us: int, group: list[bytes],
        joining: list[Acceptance],
    ) -> None:  # fmt: skip
        """Let the recipients have it: one record, after those that tell of redirections."""
        audience = self._queue.audience(row.audience)
        snapshot = self._rooms.snapshot(audience.snapshot)
        units = Audience.from_bytes(audience.runs)
        late = msgspec.structs.replace(found.accepted, audience=audience, at=now_us)
        group += self._redirections.records_for(late, snapshot, self._redirections.told_until)
        group.append(
            after.release(
                row, found.document, audience, postings(snapshot.hierarchy, units),
                found.accepted.expires_at or 0, now_us, 0, "engine", REASON_VALID,
            )
        )  # fmt: skip
        joining.append(late)


def _envelope_of(accepted: Acceptance) -> Envelope:
    return _envelopes.decode(accepted.envelope)


class Judging(Background):
    """A thread that lets an engine judge what waits.  A context manager.

    While the store has failed there is nothing to do; whoever mends it says so.
    """

    def __init__(self, engine: Engine, every_s: float = limits.VERDICT_LOOK_S) -> None:
        super().__init__("vanban-judge", every_s, limits.TICK_S)
        self._engine = engine
        self._every_s = every_s

    def _turn(self) -> float:
        try:
            if self._engine._judge_waiting():
                return 0.0  # there may be more
        except ClosedError:
            raise
        except VanbanError as error:
            _log.debug("what waits for a verdict waits on: %s", error)
            return limits.TICK_S
        return self._every_s
