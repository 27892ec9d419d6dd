"""Wishes at the edge of what a record holds: refused, or written so that a replay agrees."""

from __future__ import annotations

import shutil

import msgspec
import pytest
from support.stores import (
    AT,
    KINDS,
    SECOND,
    LogBox,
    MemoryBox,
    acceptance,
    audience_of,
    box_of,
    member_of,
    own_topic,
    posted,
    state_of,
    topics_for,
)

from router.errors import TooLargeError, TooManyOpenError
from router.queue import records
from router.queue._readings import Places
from router.queue.inboxes import topics_digest
from router.queue.queue import Queue
from router.queue.records import SNAPSHOT_MAX, Conflict, Joining, Repeated, encode_join

LEASE = 60 * SECOND


@pytest.fixture(params=KINDS)
def box(request, tmp_path):
    return box_of(request.param, tmp_path)


def lease(queue, address, limit=10, at=AT, until=None, lanes=None):
    return queue.lease(
        address, topics_for(address), member_of(address), limit,
        at + LEASE if until is None else until, at, "x", lanes=lanes,
    )  # fmt: skip


def ask(store, limit, *, look=False):
    topics = topics_for(5)
    return store.lease(
        5, topics, topics_digest(topics), Places({1: 5}), limit, AT + LEASE, AT, 5, b"x",
        bytes_max=1 << 30, attempts_max=9, look=look,
    )  # fmt: skip


@pytest.mark.parametrize("limit", [8_193, 7_169, (1 << 32) - 1, (1 << 32) - 1_024])
def test_more_than_one_record_holds_is_refused_and_leaves_no_trace(box, limit):
    queue = Queue(box.open())
    queue.accept([acceptance(1, [5])])
    last = queue.store.last
    with pytest.raises(TooLargeError) as refused:
        ask(queue.store, limit)
    assert refused.value.code == "batch.too_large"
    assert queue.store.last == last
    queue.close()


def test_the_most_that_is_handed_out_at_once_is_read_again_at_an_opening(tmp_path):
    box = LogBox(tmp_path / "data")
    queue = Queue(box.open())
    for first in range(0, 9_000, 1_000):
        queue.accept([acceptance(first + n, [5]) for n in range(1_000)])
    handed, _ = ask(queue.store, 7_168)
    assert len(handed) == 7_168
    queue.flush()
    shutil.copytree(tmp_path / "data", tmp_path / "killed")  # no checkpoint has it yet
    queue.close()
    queue = Queue(LogBox(tmp_path / "killed").open())
    assert queue.counts()["leased"] == 7_168
    queue.close()


def test_looking_at_an_absurd_number_of_lines_is_refused():
    queue = Queue(MemoryBox().open())
    topics = topics_for(5)
    for limit in ((1 << 32) - 1, (1 << 32) - 1_024):
        with pytest.raises(TooLargeError):
            ask(queue.store, limit, look=True)
        with pytest.raises(TooLargeError):
            queue.store.inbox_keys(5, topics, topics_digest(topics), Places({}), limit, AT)
    queue.close()


def test_a_lease_that_ends_before_it_begins_is_over_also_after_a_replay(box):
    """A caller's clock may go back between its instants: the record holds no span below zero."""
    queue = Queue(box.open())
    items = [acceptance(n, [5]) for n in range(2)]
    queue.accept(items)
    assert len(lease(queue, 5, 1, until=AT - SECOND)) == 1
    assert len(lease(queue, 5, 1, until=AT + LEASE)) == 1, "the first one again, or the second"
    lease(queue, 5, 2, until=AT + LEASE)
    keys = [item.key for item in items]
    queue.extend(5, keys, AT - 5, AT + 1, 5, "x", member_of(5))
    before = state_of(queue)
    queue.close()
    queue = Queue(box.open())
    assert state_of(queue) == before
    got = lease(queue, 5, at=AT + 2)
    assert [one.key for one in got] == keys
    queue.close()


def test_a_replay_of_a_lease_without_length_agrees_with_what_was_answered():
    """The record alone, read by a store that has no checkpoint of it."""
    box = MemoryBox()
    queue = Queue(box.open())
    queue.accept([acceptance(1, [5])])
    lease(queue, 5, until=AT - 7 * SECOND - 1)
    queue.flush()
    other = Queue(MemoryBox().open())
    for sequence in range(1, queue.store.last + 1):
        data = queue.store.record(sequence)
        other.store.append_raw([data])
    assert state_of(other) == state_of(queue)
    other.close()
    queue.close()


def test_the_bound_on_leases_counts_those_of_every_lane_and_behind_what_ran_out(box):
    queue = Queue(box.open())
    queue.store.leases_max = 4
    queue.accept([acceptance(n, [5], lane=n % 4) for n in range(40)])
    handed = [one for lane in range(4) for one in _tolerant(queue, lane)]
    assert len(handed) == 4, "lane by lane, as who answers for several addresses asks"
    with pytest.raises(TooManyOpenError):
        lease(queue, 5)
    assert queue.counts()["leased"] == 4
    queue.close()


def test_leases_behind_one_that_ran_out_are_counted(box):
    queue = Queue(box.open())
    queue.store.leases_max = 3
    queue.accept([acceptance(n, [5]) for n in range(9)])
    lease(queue, 5, 1, until=AT + SECOND)
    lease(queue, 5, 2, until=AT + LEASE)
    got = lease(queue, 5, 9, at=AT + SECOND)
    assert [one.attempt for one in got] == [2], "its place is free again, and no other"
    queue.close()


def _tolerant(queue, lane):
    try:
        return lease(queue, 5, 9, lanes=[lane])
    except TooManyOpenError:
        return []


def test_a_repeated_document_under_the_key_of_another_is_a_conflict_that_names_it(box):
    queue = Queue(box.open())
    first = acceptance(1, [5], idempotency_key="k1")
    other = acceptance(2, [5], idempotency_key="k2")
    queue.accept([first, other])
    mixed = msgspec.structs.replace(first, key=b"n" * 16, idempotency_key="k2")
    expected = Conflict(other.key, "idempotency_key")
    assert queue.accept([mixed]) == [expected]
    assert queue.find([
        (mixed.sender, mixed.document_id, mixed.act, "k2", mixed.content, AT)
    ]) == [expected]  # fmt: skip
    queue.close()


def test_a_key_that_first_comes_with_a_repetition_stands_for_nothing(box):
    queue = Queue(box.open())
    first = acceptance(1, [5])
    queue.accept([first])
    again = msgspec.structs.replace(first, key=b"n" * 16, idempotency_key="late")
    assert isinstance(queue.accept([again])[0], Repeated)
    other = acceptance(2, [5], idempotency_key="late")
    assert queue.accept([other])[0].sequence == 2
    queue.close()


@pytest.mark.parametrize("snapshot", [SNAPSHOT_MAX + 1, (1 << 40) + 1])
def test_a_snapshot_no_inbox_can_name_is_refused(snapshot):
    audience = audience_of([5], snapshot)
    with pytest.raises(ValueError, match="snapshot"):
        records.encode_acceptance(acceptance(1, [5], audience=audience))
    names = posted({own_topic(5): [5]}, audience)
    with pytest.raises(ValueError, match="snapshot"):
        encode_join(Joining(1, audience, names, 0, 2, AT, 7, "x"))


def test_a_record_with_such_a_snapshot_is_no_acceptance():
    queue = Queue(MemoryBox().open())
    good = bytearray(records.encode_acceptance(acceptance(1, [5])))
    good[128:136] = (1 << 32).to_bytes(8, "big")
    last = queue.store.last
    ((kind, _, _),) = queue.store.take([bytes(good)])
    assert kind == 6
    assert queue.store.last == last
    queue.close()


def test_one_record_tells_a_sender_one_thing():
    with pytest.raises(ValueError, match="one thing"):
        records.encode_feed([(7, b"a"), (8, b"b"), (7, b"c")], AT, 0)
