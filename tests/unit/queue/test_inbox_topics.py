"""An entry may be posted under several topics of one inbox; it is met once, and never lost."""

from __future__ import annotations

import struct
from hashlib import sha256

from router.queue import Acceptance, MemoryDisk, MemoryStore, Queue, StoredAudience

AT = 1_725_411_600_000_000
SECOND = 1_000_000
ADDRESS, PLACE = 9, 20
HERE, THERE = b"\0\0\0\x01\x01\0\x01", b"\0\0\0\x02\x01\0\x01"


def posting(topic: bytes, start: int, stop: int, rank: int) -> bytes:
    """Return one topic with one run, as records have it."""
    return bytes((len(topic),)) + topic + b"\x01" + struct.pack(">III", start, stop, rank)


def document(number: int, lane: int, runs: list[tuple[int, int]], postings: bytes) -> Acceptance:
    """Return a document to the positions of some runs."""
    packed = b"".join(struct.pack("<II", *run) for run in runs)
    size = sum(stop - start for start, stop in runs)
    return Acceptance(
        key=sha256(b"%d" % number).digest()[:16], sender=7, document_id=f"{number}", act="new",
        year=2024, idempotency_key=None, content=sha256(b"content %d" % number).digest(),
        number_notation="", lane=lane, envelope=b"envelope", facts=b"facts",
        audience=StoredAudience(1, packed, sha256(packed).digest(), size), postings=postings,
        at=AT, unit=7, actor="",
    )  # fmt: skip


def lease(queue: Queue, limit: int) -> list[bytes]:
    """Lease as the one address of these tests; return the documents' keys."""
    found = queue.lease(
        ADDRESS, [HERE, THERE], lambda numbers: dict.fromkeys(numbers, PLACE), limit,
        AT + 60 * SECOND, AT, "văn thư",
    )  # fmt: skip
    return [one.key for one in found]


def test_an_entry_under_two_topics_is_not_passed_by_when_the_other_one_holds_the_unit():
    """Found by the simulator, seed 10: what was only looked at was never handed out."""
    queue = Queue(MemoryStore(MemoryDisk()))
    flash = document(1, 0, [(PLACE, PLACE + 1)], posting(THERE, PLACE, PLACE + 1, 0))
    both = posting(HERE, 3, 5, 0) + posting(THERE, PLACE, PLACE + 1, 2)
    normal = document(2, 3, [(3, 5), (PLACE, PLACE + 1)], both)
    queue.accept([flash, normal])
    assert lease(queue, 1) == [flash.key]
    assert lease(queue, 5) == [normal.key]
    assert lease(queue, 5) == []


def test_an_entry_under_two_topics_that_both_hold_the_unit_comes_once():
    queue = Queue(MemoryStore(MemoryDisk()))
    both = posting(HERE, PLACE, PLACE + 1, 0) + posting(THERE, PLACE, PLACE + 1, 0)
    one = document(1, 3, [(PLACE, PLACE + 1)], both)
    queue.accept([one])
    assert lease(queue, 5) == [one.key]
    assert lease(queue, 5) == []
