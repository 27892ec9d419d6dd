"""Deliveries go to members only, in order, once at a time, and what is final stays final."""

from __future__ import annotations

import pytest
from support.stores import AT, SECOND, MemoryBox, acceptance, member_of, topics_for

from router.limits import HISTORY_EVENTS_MAX, LEASE_DELIVERIES_MAX, REASON_CHARS_MAX
from router.queue import tables
from router.queue.queue import Queue
from router.queue.records import Event, Settlement

LEASE = 300 * SECOND


@pytest.fixture
def box():
    return MemoryBox()


@pytest.fixture
def queue(box):
    return Queue(box.open())


def lease(queue, address, limit=100, at=AT, subscriptions=None):
    return queue.lease(
        address, subscriptions or topics_for(address), member_of(address), limit, at + LEASE, at,
        "cổng",
    )  # fmt: skip


def settle(queue, address, keys, state="delivered", at=AT, reason=""):
    return queue.settle(
        address, [(key, state, reason) for key in keys], at, address, "văn thư",
        member_of(address),
    )  # fmt: skip


def waiting(queue, address, at=AT):
    return queue.waiting(address, topics_for(address), member_of(address), at)


def test_lanes_are_served_strictly_and_entries_in_order(queue):
    lanes = [3, 0, 2, 3, 1, 0]
    queue.accept([acceptance(n, [5], lane=lane) for n, lane in enumerate(lanes)])
    got = lease(queue, 5)
    assert [(item.lane, item.sequence) for item in got] == [
        (0, 2), (0, 6), (1, 5), (2, 3), (3, 1), (3, 4),
    ]  # fmt: skip
    assert all(item.attempt == 1 and item.accepted_at == AT for item in got)


def test_an_entry_found_by_several_topics_comes_once(queue):
    queue.accept([acceptance(1, [5], topics=(b"U000005", b"ALL"))])
    assert len(lease(queue, 5)) == 1


def test_topics_only_find_candidates(queue):
    queue.accept([acceptance(1, [5], broadcast=True)])
    assert lease(queue, 6) == []
    assert not waiting(queue, 6)
    assert waiting(queue, 5)


def test_a_leased_delivery_is_nobody_elses_until_its_time_is_up(queue):
    item = acceptance(1, [5, 6], broadcast=True)
    queue.accept([item])
    assert len(lease(queue, 5)) == 1
    assert lease(queue, 5, at=AT + LEASE - 1) == []
    assert not waiting(queue, 5)
    assert len(lease(queue, 6)) == 1
    second = lease(queue, 5, at=AT + LEASE)
    assert [entry.attempt for entry in second] == [2]
    assert queue.delivery(item.key, 5).attempts == 2
    assert queue.counts()["leased"] == 2
    assert queue.counts()["attempts"] == 3


def test_a_returned_delivery_keeps_its_place(queue):
    queue.accept([acceptance(n, [5]) for n in range(6)])
    first = lease(queue, 5, limit=2)
    settle(queue, 5, [first[1].key])
    later = lease(queue, 5, limit=3, at=AT + LEASE)
    assert [item.sequence for item in later] == [1, 3, 4]


def test_settling_is_final_and_idempotent(queue):
    item = acceptance(1, [5])
    queue.accept([item])
    lease(queue, 5)
    assert settle(queue, 5, [item.key]) == [Settlement(True, "delivered", False)]
    assert settle(queue, 5, [item.key]) == [Settlement(True, "delivered", True)]
    assert settle(queue, 5, [item.key], "refused") == [Settlement(True, "delivered", True)]
    assert lease(queue, 5, at=AT + 2 * LEASE) == []
    assert queue.counts()["delivered"] == 1
    assert queue.counts()["refused"] == 0


def test_one_key_twice_in_one_call_is_settled_once(queue):
    item = acceptance(1, [5])
    queue.accept([item])
    assert settle(queue, 5, [item.key, item.key]) == [
        Settlement(True, "delivered", False), Settlement(True, "delivered", True),
    ]  # fmt: skip


def test_a_late_or_early_acknowledgement_counts(queue):
    items = [acceptance(n, [5]) for n in range(2)]
    queue.accept(items)
    lease(queue, 5, limit=1)
    answers = settle(queue, 5, [item.key for item in items], at=AT + 9 * LEASE)
    assert answers == [Settlement(True, "delivered")] * 2
    assert queue.delivery(items[1].key, 5).attempts == 0


def test_a_stranger_settles_nothing(queue):
    item = acceptance(1, [5])
    queue.accept([item])
    assert settle(queue, 6, [item.key, b"x" * 16, b"short"]) == [Settlement(False)] * 3
    assert queue.counts()["delivered"] == 0
    assert queue.check() == []


def test_a_state_that_cannot_be_asked_for_is_refused(queue):
    with pytest.raises(ValueError, match="settled"):
        settle(queue, 5, [b"x" * 16], "expired")


def test_an_expired_document_is_marked_and_not_handed_out(queue):
    items = [acceptance(n, [5], expires_at=AT + SECOND) for n in range(3)]
    queue.accept([*items, acceptance(9, [5])])
    first = lease(queue, 5, limit=1)
    at = AT + SECOND
    assert [item.sequence for item in lease(queue, 5, at=at)] == [4]
    assert [queue.delivery(item.key, 5).state for item in items] == ["leased", "expired", "expired"]
    settle(queue, 5, [first[0].key], at=at)
    assert queue.delivery(items[0].key, 5).state == "delivered"
    assert settle(queue, 5, [items[1].key]) == [Settlement(True, "expired", True)]
    assert queue.counts()["expired"] == 2
    assert queue.check() == []


def test_what_only_expired_is_nothing_to_wait_for(queue):
    queue.accept([acceptance(1, [5], expires_at=AT)])
    assert not waiting(queue, 5)
    assert lease(queue, 5) == []
    assert queue.counts()["expired"] == 1


def test_history_names_who_when_and_why(queue):
    item = acceptance(1, [5])
    queue.accept([item])
    lease(queue, 5, at=AT + 1)
    settle(queue, 5, [item.key], "refused", at=AT + 2, reason="sai nơi nhận")
    assert queue.history(item.key, 5) == [
        Event("queued", AT, 7, "văn thư", ""),
        Event("leased", AT + 1, 5, "cổng", ""),
        Event("refused", AT + 2, 5, "văn thư", "sai nơi nhận"),
    ]
    assert queue.history(b"x" * 16, 5) == []


def test_history_names_the_holder_that_leased_for_another(queue):
    item = acceptance(1, [5])
    queue.accept([item])
    queue.lease(5, topics_for(5), member_of(5), 1, AT + LEASE, AT, "cổng", unit=6)
    assert queue.history(item.key, 5)[-1] == Event("leased", AT, 6, "cổng", "")


def test_repeated_leases_keep_the_first_and_the_last(queue):
    item = acceptance(1, [5])
    queue.accept([item])
    for turn in range(2 * HISTORY_EVENTS_MAX):
        assert len(lease(queue, 5, at=AT + turn * LEASE)) == 1
    row = queue.delivery(item.key, 5)
    assert row.attempts == 2 * HISTORY_EVENTS_MAX
    assert [mark.at for mark in row.events] == [AT, AT + (2 * HISTORY_EVENTS_MAX - 1) * LEASE]


def test_deliveries_of_a_document_are_found_with_and_without_a_list(queue):
    items = [acceptance(n, range(1, 40), broadcast=True) for n in range(5)]
    queue.accept(items)
    for address in range(1, 30, 3):
        got = lease(queue, address, limit=3)
        settle(queue, address, [got[0].key])
    everywhere = list(queue.deliveries(items[1].key))
    assert [address for address, _ in everywhere] == list(range(1, 30, 3))
    assert {row.state for _, row in everywhere} == {"leased"}
    assert list(queue.deliveries(items[1].key, range(1, 40))) == everywhere
    assert list(queue.deliveries(items[1].key, [4, 5])) == everywhere[1:2]
    assert list(queue.deliveries(items[4].key)) == []
    assert list(queue.deliveries(b"x" * 16)) == []


def test_final_entries_are_not_walked_again(queue, box):
    queue.accept([acceptance(n, [5]) for n in range(1, 41)])
    while got := lease(queue, 5, limit=10):
        settle(queue, 5, [item.key for item in got])
    stored = box.disk.table(tables.FLOORS).values[tables.FLOOR.pack(5, 3)]
    assert tables.FLOOR_VALUE.unpack(stored)[1] == 30


def test_a_floor_never_passes_what_is_open(queue):
    queue.accept([acceptance(n, [5]) for n in range(1, 21)])
    got = lease(queue, 5, limit=10)
    settle(queue, 5, [item.key for item in got[1:]])
    lease(queue, 5, limit=10)
    back = lease(queue, 5, at=AT + LEASE, limit=1)
    assert [item.sequence for item in back] == [1]


def test_other_subscriptions_start_from_the_bottom(queue):
    early = acceptance(1, [5], topics=(b"old",))
    queue.accept([early, *[acceptance(n, [5]) for n in range(2, 12)]])
    for _ in range(3):
        got = lease(queue, 5, limit=5)
        settle(queue, 5, [item.key for item in got])
    got = lease(queue, 5, subscriptions=[b"old", *topics_for(5)])
    assert [item.key for item in got] == [early.key]


def test_many_topics_and_entries_keep_their_order(queue):
    topics = [b"t%d" % number for number in range(5)]
    queue.accept([
        acceptance(n, [5], topics=(topics[n % 5], topics[n * 3 % 5])) for n in range(1, 1_001)
    ])  # fmt: skip
    got = lease(queue, 5, limit=1_000, subscriptions=topics)
    assert [item.sequence for item in got] == list(range(1, 1_001))


def test_long_reasons_are_spread_over_records(queue):
    items = [acceptance(n, [5]) for n in range(400)]
    queue.accept(items)
    reason = "ỳ" * REASON_CHARS_MAX
    answers = settle(queue, 5, [item.key for item in items], "refused", reason=reason)
    assert all(answer.found and not answer.repeated for answer in answers)
    assert queue.history(items[399].key, 5)[-1].reason == reason
    assert queue.check() == []


def test_a_lease_stops_before_it_exceeds_its_bytes(queue):
    sizes = [900, 300, 300, 100, 700]
    queue.accept([
        acceptance(n, [5], lane=n % 2, envelope=b"e" * size, facts=b"")
        for n, size in enumerate(sizes)
    ])  # fmt: skip

    def lease_bytes(limit=9):
        got = queue.lease(5, topics_for(5), member_of(5), limit, AT + LEASE, AT, "x", bytes_max=800)
        return [len(item.envelope) for item in got]

    assert lease_bytes() == [900]
    assert lease_bytes() == [300]
    assert lease_bytes() == [700]
    assert lease_bytes() == [300, 100]
    assert lease_bytes() == []
    assert queue.counts()["attempts"] == len(sizes)
    assert queue.check() == []


def test_a_lease_may_be_narrowed_to_lanes(queue):
    queue.accept([acceptance(n, [5], lane=n) for n in range(4)])

    def lanes(*wanted):
        got = queue.lease(5, topics_for(5), member_of(5), 9, AT + LEASE, AT, "x", lanes=wanted)
        return [item.lane for item in got]

    assert lanes(2, 1) == [1, 2]
    assert lanes(1) == []
    assert lanes(3, 0) == [0, 3]


def test_a_lease_of_nothing_writes_nothing(queue, box):
    queue.accept([acceptance(1, [5])])
    flushes = box.disk.flushes
    assert lease(queue, 6) == []
    assert lease(queue, 5, limit=0) == []
    assert box.disk.flushes == flushes


@pytest.mark.parametrize("limit", [1, 2, 100])
def test_many_that_ran_out_do_not_hide_what_waits_behind_them(queue, limit):
    """More ran out than one record may note, before, between and behind what waits."""
    many = 2 * LEASE_DELIVERIES_MAX + 1
    items = [acceptance(n, [5], lane=1, expires_at=AT + SECOND) for n in range(many)]
    first, second = acceptance(many, [5], lane=1), acceptance(many + 1, [5], lane=3)
    queue.accept([*items, first, *[
        acceptance(many + 2 + n, [5], lane=2, expires_at=AT + SECOND) for n in range(many)
    ], second])  # fmt: skip
    at = AT + SECOND
    assert waiting(queue, 5, at=at)
    assert queue.counts()["expired"] == 0
    found = lease(queue, 5, limit=limit, at=at)
    if limit == 1:
        assert waiting(queue, 5, at=at)
        found += lease(queue, 5, limit=limit, at=at)
    assert [item.key for item in found] == [first.key, second.key]
    assert not waiting(queue, 5, at=at)
    assert lease(queue, 5, limit=limit, at=at) == []
    assert queue.counts()["expired"] == 2 * many
    assert queue.check() == []


def test_the_lanes_worth_asking_are_those_where_a_lease_does_something(queue):
    items = [
        acceptance(1, [5], lane=0),
        acceptance(2, [5], lane=1, expires_at=AT + SECOND),
        acceptance(3, [6], lane=2),
        acceptance(4, [5], lane=3),
    ]
    queue.accept(items)

    def lanes(at=AT):
        return queue.lanes_to_lease(5, topics_for(5), member_of(5), at)

    assert lanes() == (0, 1, 3)
    lease(queue, 5, limit=1)
    assert lanes() == (1, 3)
    settle(queue, 5, [items[3].key])
    assert lanes(AT + SECOND) == (1,)
    assert lease(queue, 5, at=AT + SECOND) == []
    assert lanes(AT + SECOND) == ()
    assert lanes(AT + LEASE) == (0,)
