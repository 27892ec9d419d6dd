"""Evidence of refusals by policy: the envelope as it came, apart from all documents.

Only what reached the policy can come here: state secrets are refused at the door and leave
nothing.  The room is bounded; what no longer fits leaves its line in the audit log only.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from itertools import islice
from typing import Final

import msgspec

from router import limits
from router.engine.state import Rooms
from router.errors import InputError, NotFoundError, OverloadedError
from router.model.documents import Envelope
from router.model.instants import show_instant
from router.model.policies import Quarantined
from router.queue import Queue, RoomRecord, after

ROOM: Final = "quarantine"
FULL, TOO_LARGE, KEPT = "full", "too_large", "kept"


class Evidence(msgspec.Struct, frozen=True, array_like=True):
    """One refusal: `sender` is a code as of the issue time, `rule` its name ("": none)."""

    sender: str
    document_id: str
    code: str
    rule: str
    policy_version: int
    envelope: bytes


_evidence: Final = msgspec.msgpack.Decoder(Evidence)
_encode: Final = msgspec.msgpack.Encoder().encode


def raw_of(envelope: bytes | Envelope) -> bytes:
    """Return an envelope as JSON: the bytes that came, where bytes came."""
    return envelope if isinstance(envelope, bytes) else msgspec.json.encode(envelope)


class Quarantine:
    """The room's records; thread-safe."""

    def __init__(self, rooms: Rooms, queue: Queue) -> None:
        self._rooms = rooms
        self._queue = queue
        self._lock = threading.Lock()  # guards the count, and that it is not overtaken
        self._count = -1

    def keep(self, batch: Sequence[tuple[Evidence, int, str]], at_us: int) -> list[str]:
        """Store evidence with (unit, actor) that brought it; say for each what became of it.

        "kept" is flushed.  Raises StorageError.
        """
        said: list[str] = []
        with self._lock:
            if self._count < 0:
                self._count = sum(1 for _ in after.room_sequences(self._queue.store, ROOM))
            taken: list[RoomRecord] = []
            for evidence, unit, actor in batch:
                if len(evidence.envelope) > limits.QUARANTINE_BYTES_MAX:
                    said.append(TOO_LARGE)
                elif self._count + len(taken) >= limits.QUARANTINE_MAX:
                    said.append(FULL)
                else:
                    said.append(KEPT)
                    taken.append(RoomRecord(ROOM, _encode(evidence), at_us, unit, actor))
            if taken:
                try:
                    self._queue.append_rooms(taken)
                except OverloadedError:  # the refusal stands; the store takes nothing now
                    return [FULL if one == KEPT else one for one in said]
                self._count += len(taken)
        return said

    def page(self, since: int, limit: int) -> tuple[Quarantined, ...]:
        """Return evidence after an id, the oldest first.  Raises InputError."""
        if not 1 <= limit <= limits.QUARANTINE_PAGE_MAX or not 0 <= since < 1 << 63:
            said = f"limit is 1 to {limits.QUARANTINE_PAGE_MAX}, after from 0"
            raise InputError("field.invalid", path="$.limit", reason=said)
        kept = islice(self._queue.room_records(ROOM, since), limit)
        return tuple(_shown(sequence, record) for sequence, record in kept)

    def one(self, number: int) -> Quarantined:
        """Return the evidence with this id.  Raises NotFoundError."""
        if number > 0:
            for sequence, record in islice(self._queue.room_records(ROOM, number - 1), 1):
                if sequence == number:
                    return _shown(sequence, record)
        raise NotFoundError("quarantine.not_found", id=number)


def _shown(sequence: int, record: RoomRecord) -> Quarantined:
    one = _evidence.decode(record.body)
    return Quarantined(
        sequence, show_instant(record.at), one.sender, one.document_id, one.code,
        one.rule, one.policy_version, one.envelope,
    )  # fmt: skip
