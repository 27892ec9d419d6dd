"""Verdicts that were reached after acceptance, as records; and what any document's verdict is.

A document accepted before its verdict could be reached waits (`waiting_parts`); what was found
in the end is one record of a room that is named after the document, so it is found by the
document's sequence alone.  The record stands before those that let the document's recipients
have it: nothing that was not verified is ever delivered, whatever of a group survives a crash.
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

import msgspec

from router.engine.facts import Facts
from router.queue import Queue, RoomRecord
from router.queue.records import verdict_room
from router.signatures import Verdict

Outcome = Literal["valid", "invalid", "expired"]


class VerdictReached(msgspec.Struct, frozen=True, array_like=True):
    """A document's wait ended: `valid`, `invalid`, or `expired` with nothing decided."""

    document: int
    outcome: Outcome
    verdict: Verdict


class Reached(NamedTuple):
    """A verdict that was reached after acceptance: by which record, when, what."""

    sequence: int
    at: int
    said: VerdictReached


class Found(NamedTuple):
    """A document's verdict: None for one that nobody signed; how it was reached later, if so."""

    verdict: Verdict | None
    late: Reached | None


_encode: Final = msgspec.msgpack.Encoder().encode
_reached: Final = msgspec.msgpack.Decoder(VerdictReached)


def record_of(said: VerdictReached, at_us: int) -> RoomRecord:
    """Return the record of a verdict."""
    return RoomRecord(verdict_room(said.document), _encode(said), at_us, 0, "engine")


def reached_by(record: RoomRecord, sequence: int) -> Reached:
    """Return what a record of a verdict says."""
    return Reached(sequence, record.at, _reached.decode(record.body))


def reached_late(queue: Queue, document: int) -> Reached | None:
    """Return the verdict of a document that waited for it, or None: there is none yet.

    The first record counts; a later one repeats it, where a crash had cut its group.
    """
    for sequence, record in queue.room_records(verdict_room(document)):
        return reached_by(record, sequence)
    return None


def verdict_of(queue: Queue, document: int, facts: Facts) -> Found:
    """Return the verdict of a stored document: the late one where it had to wait."""
    late = reached_late(queue, document) if facts.waits is not None else None
    return Found(accepted_with(facts) if late is None else late.said.verdict, late)


def accepted_with(facts: Facts) -> Verdict | None:
    """Return the verdict as it was at acceptance; None for a document without signatures."""
    if not facts.signatures:
        return None
    waits = facts.waits
    return Verdict(
        status="valid" if waits is None else "indeterminate",
        trust_version=facts.trust_version,
        signatures=facts.signatures,
        missing=() if waits is None else waits.missing,
        revocation_version=facts.revocation_version,
    )
