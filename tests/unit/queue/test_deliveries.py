"""Deliveries go to members only, in order, once at a time, and what is final stays final."""

from __future__ import annotations

import pytest
from support.stores import (
    AT,
    KINDS,
    SECOND,
    acceptance,
    audience_of,
    box_of,
    member_of,
    own_topic,
    posted,
    topics_for,
)

from router.limits import HISTORY_EVENTS_MAX, LEASE_DELIVERIES_MAX, REASON_CHARS_MAX
from router.queue.queue import Queue
from router.queue.records import Event, Joining, Part, Settlement, encode_join, encode_move
from router.queue.transport import State

LEASE = 300 * SECOND


@pytest.fixture(params=KINDS)
def box(request, tmp_path):
    return box_of(request.param, tmp_path / "data")


@pytest.fixture
def queue(box):
    queue = Queue(box.open())
    yield queue
    queue.close()


def flushes(queue):
    return queue.store.sizes()["flushes"]


def delivery(queue, key, address, at=AT):
    return queue.delivery(key, address, at, member_of(address))


def history(queue, key, address, at=AT):
    return queue.history(key, address, at, member_of(address))


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


def test_higher_lanes_go_first_and_entries_in_order(queue):
    lanes = [3, 0, 2, 3, 1, 0]
    queue.accept([acceptance(n, [5], lane=lane) for n, lane in enumerate(lanes)])
    got = lease(queue, 5)
    assert [(item.lane, item.sequence) for item in got] == [
        (0, 2), (0, 6), (1, 5), (2, 3), (3, 1), (3, 4),
    ]  # fmt: skip
    assert all(item.attempt == 1 and item.accepted_at == AT for item in got)


@pytest.mark.parametrize("limit", [1, 3, 8, 100])
def test_each_lower_lane_that_waits_gets_one_turn_in_eight(queue, limit):
    """However the leases are cut, and whoever asks between."""
    queue.accept([acceptance(n, [5, 6], lane=n % 4) for n in range(160)])
    lanes: list[int] = []
    while len(lanes) < 64:
        lanes += [item.lane for item in lease(queue, 5, limit=limit)]
        lease(queue, 6, limit=1)
    assert lanes[:64] == [0, 0, 0, 0, 0, 1, 2, 3] * 8


def test_the_turn_is_kept_over_a_reopening(box):
    queue = Queue(box.open())
    queue.accept([acceptance(n, [5], lane=3 * (n % 2)) for n in range(40)])
    assert [item.lane for item in lease(queue, 5, limit=6)] == [0] * 6
    queue.close()
    queue = Queue(box.open())
    assert [item.lane for item in lease(queue, 5, limit=6)] == [0, 3, 0, 0, 0, 0]
    queue.close()


def test_an_entry_found_by_several_topics_comes_once(queue):
    queue.accept([acceptance(1, [5], topics=(own_topic(5), b"ALL"))])
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
    assert delivery(queue, item.key, 5).attempts == 2
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
    assert delivery(queue, items[1].key, 5).attempts == 0


def test_a_stranger_settles_nothing(queue):
    item = acceptance(1, [5])
    queue.accept([item])
    assert settle(queue, 6, [item.key, b"x" * 16]) == [Settlement(False)] * 2
    with pytest.raises(ValueError, match="16 bytes"):
        settle(queue, 6, [b"short"])
    assert delivery(queue, item.key, 6) is None
    assert history(queue, item.key, 6) == []
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
    states = [delivery(queue, item.key, 5, at).state for item in items]
    assert states == ["leased", "expired", "expired"]
    settle(queue, 5, [first[0].key], at=at)
    assert delivery(queue, items[0].key, 5, at).state == "delivered"
    assert settle(queue, 5, [items[1].key], at=at) == [Settlement(True, "expired", True)]
    assert queue.counts()["expired"] == 0, "only a record says so for good"
    assert queue.check() == []


def test_what_only_expired_is_nothing_to_wait_for(queue):
    queue.accept([acceptance(1, [5], expires_at=AT)])
    assert not waiting(queue, 5)
    assert lease(queue, 5) == []


def test_history_names_who_when_and_why(queue):
    item = acceptance(1, [5])
    queue.accept([item])
    lease(queue, 5, at=AT + 1)
    settle(queue, 5, [item.key], "refused", at=AT + 2, reason="sai nơi nhận")
    assert history(queue, item.key, 5) == [
        Event("queued", AT, 7, "văn thư", ""),
        Event("leased", AT + 1, 5, "cổng", ""),
        Event("refused", AT + 2, 5, "văn thư", "sai nơi nhận"),
    ]
    assert history(queue, b"x" * 16, 5) == []


def test_history_names_the_holder_that_leased_for_another(queue):
    item = acceptance(1, [5])
    queue.accept([item])
    queue.lease(5, topics_for(5), member_of(5), 1, AT + LEASE, AT, "cổng", unit=6)
    assert history(queue, item.key, 5)[-1] == Event("leased", AT, 6, "cổng", "")


def test_of_very_many_hand_outs_the_newest_are_told(queue):
    item = acceptance(1, [5])
    queue.accept([item])
    for turn in range(HISTORY_EVENTS_MAX + 5):
        got = queue.lease(
            5, topics_for(5), member_of(5), 1, AT + turn * LEASE + 1, AT + turn * LEASE, "x",
            attempts_max=255,
        )  # fmt: skip
        assert [one.attempt for one in got] == [turn + 1]
    assert delivery(queue, item.key, 5).attempts == HISTORY_EVENTS_MAX + 5
    events = history(queue, item.key, 5)
    assert [event.at for event in events[1:]] == [
        AT + turn * LEASE for turn in range(5, HISTORY_EVENTS_MAX + 5)
    ]


def test_what_was_handed_out_too_often_is_dead_and_hides_nothing(queue, box):
    items = [acceptance(n, [5]) for n in range(2)]
    queue.accept(items)

    def lease_once(at):
        got = queue.lease(5, topics_for(5), member_of(5), 1, at + 1, at, "x", attempts_max=2)
        return [(item.sequence, item.attempt) for item in got]

    assert [lease_once(AT + n) for n in range(5)] == [[(1, 1)], [(1, 2)], [(2, 1)], [(2, 2)], []]
    assert [delivery(queue, item.key, 5, AT + 9).state for item in items] == ["dead", "dead"]
    assert queue.counts()["dead"] == 2
    queue.close()
    queue = Queue(box.open())
    assert lease_once(AT + 9) == []
    assert queue.check() == []
    assert settle(queue, 5, [items[0].key]) == [Settlement(True, "delivered")]
    assert (queue.counts()["dead"], queue.counts()["delivered"]) == (1, 1)
    assert queue.check() == []
    queue.close()


def test_a_lease_is_extended_and_given_back(queue):
    items = [acceptance(n, [5]) for n in range(2)]
    queue.accept(items)
    lease(queue, 5, limit=1)
    keys = [item.key for item in items]
    answers = queue.extend(5, keys, AT + 3 * LEASE, AT + 1, 5, "x", member_of(5))
    assert answers == [Settlement(True, "leased"), Settlement(True, "queued")]
    assert [one.sequence for one in lease(queue, 5, at=AT + 2 * LEASE)] == [2]
    assert delivery(queue, keys[0], 5).attempts == 1
    assert queue.counts()["attempts"] == 2
    answers = queue.give_back(5, keys[:1], AT + 2 * LEASE, 5, "x", member_of(5))
    assert answers == [Settlement(True, "queued")]
    again = lease(queue, 5, at=AT + 2 * LEASE + 1)
    assert [(one.sequence, one.attempt) for one in again] == [(1, 2)]
    assert queue.check() == []


def test_a_released_hold_joins_inboxes_behind_what_waits(queue):
    audience = audience_of([6])
    item = acceptance(1, [5], parts=(Part(State.HELD, audience, AT + LEASE),))
    queue.accept([item, acceptance(2, [6])])
    assert delivery(queue, item.key, 6) is not None
    assert settle(queue, 6, [item.key]) == [Settlement(False)], "held is not for its eyes"
    (sequence,) = queue.store.append_raw([
        encode_join(Joining(1, audience, posted({own_topic(6): [6]}, audience), 3, 2, AT + 1, 7,
                            "người duyệt", "được", 9))
    ])  # fmt: skip
    assert [one.sequence for one in lease(queue, 6, at=AT + 2)] == [2, 1]
    assert history(queue, item.key, 6, AT + 2) == [
        Event("held", AT, 7, "văn thư", ""),
        Event("queued", AT + 1, 7, "người duyệt", "được"), Event("leased", AT + 2, 6, "cổng", ""),
    ]  # fmt: skip
    assert [row.number for row in queue.entries(1)] == [8, 9, sequence * 8]
    assert queue.counts()["recipients"] == 3
    assert queue.check() == []


def test_a_denied_hold_excludes_and_a_recall_withdraws(queue):
    audience = audience_of([6])
    item = acceptance(1, [5, 7, 8], parts=(Part(State.HELD, audience),))
    queue.accept([item])
    lease(queue, 5)
    settle(queue, 7, [item.key])
    topics = b"".join(b"\x07" + own_topic(address) for address in (5, 7, 8))
    queue.store.append_raw(
        [
            encode_move(1, 9, State.EXCLUDED, b"", AT + 1, 7, "người duyệt", "không"),
            encode_move(1, 8, State.WITHDRAWN, topics, AT + 2, 7, "văn thư", "thu hồi"),
        ]
    )
    states = [delivery(queue, item.key, address, AT + 3).state for address in (5, 6, 7, 8)]
    assert states == ["leased", "excluded", "delivered", "withdrawn"]
    assert lease(queue, 8, at=AT + 3) == []
    assert settle(queue, 8, [item.key]) == [Settlement(True, "withdrawn", True)]
    assert settle(queue, 5, [item.key], at=AT + 3) == [Settlement(True, "delivered")]
    counts = queue.counts()
    assert (counts["excluded"], counts["withdrawn"], counts["delivered"]) == (1, 1, 2)
    assert counts["in_flight"] == 0
    assert history(queue, item.key, 8, AT + 3) == [
        Event("queued", AT, 7, "văn thư", ""), Event("withdrawn", AT + 2, 7, "văn thư", "thu hồi"),
    ]  # fmt: skip
    assert history(queue, item.key, 6, AT + 3) == [
        Event("held", AT, 7, "văn thư", ""), Event("excluded", AT + 1, 7, "người duyệt", "không"),
    ]  # fmt: skip
    assert [event.state for event in history(queue, item.key, 7, AT + 3)] == [
        "queued", "delivered",
    ], "what was taken before the recall was not withdrawn"  # fmt: skip
    assert queue.check() == []


def test_an_entry_that_is_over_is_over_once(queue):
    """A recall that comes after the last acknowledgement counts nothing twice."""
    item = acceptance(1, [5])
    queue.accept([item, acceptance(2, [5])])
    settle(queue, 5, [item.key])
    queue.store.append_raw([
        encode_move(1, 8, State.WITHDRAWN, b"\x07" + own_topic(5), AT + 2, 7, "văn thư", "thu hồi"),
    ])  # fmt: skip
    assert delivery(queue, item.key, 5).state == "delivered"
    assert queue.counts()["in_flight"] == 1
    assert queue.check() == []


def test_what_is_withdrawn_while_leased_is_withdrawn_when_the_lease_ends(queue):
    item = acceptance(1, [5])
    queue.accept([item])
    lease(queue, 5)
    moved = encode_move(1, 8, State.WITHDRAWN, b"\x07" + own_topic(5), AT, 7, "x", "")
    queue.store.append_raw([moved])
    assert delivery(queue, item.key, 5, AT + LEASE - 1).state == "leased"
    assert delivery(queue, item.key, 5, AT + LEASE).state == "withdrawn"
    states = [event.state for event in history(queue, item.key, 5, AT + LEASE)]
    assert states == ["queued", "leased", "withdrawn"]
    assert lease(queue, 5, at=AT + LEASE) == []
    assert queue.counts()["withdrawn"] == 1
    assert queue.counts()["in_flight"] == 0
    assert queue.check() == []


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
    assert history(queue, items[399].key, 5)[-1].reason == reason


def test_many_different_reasons_are_each_told(queue):
    items = [acceptance(n, [5]) for n in range(600)]
    queue.accept(items)
    wishes = [(item.key, "refused", f"lý do {n}" + "ỳ" * 900) for n, item in enumerate(items)]
    answers = queue.settle(5, wishes, AT, 5, "x", member_of(5))
    assert all(answer == Settlement(True, "refused", False) for answer in answers)
    for n in (0, 299, 599):
        assert history(queue, items[n].key, 5)[-1].reason == wishes[n][2]
    assert queue.check() == []


def test_a_lease_stops_before_it_exceeds_its_bytes(queue):
    sizes = [9_000, 3_000, 3_000, 1_000, 7_000]
    queue.accept([
        acceptance(n, [5], lane=n % 2, envelope=b"e" * size, facts=b"")
        for n, size in enumerate(sizes)
    ])  # fmt: skip

    def lease_bytes(limit=9):
        got = queue.lease(
            5, topics_for(5), member_of(5), limit, AT + LEASE, AT, "x", bytes_max=8_800
        )
        return [len(item.envelope) for item in got]

    assert lease_bytes() == [9_000]
    assert lease_bytes() == [3_000]
    assert lease_bytes() == [7_000]
    assert lease_bytes() == [3_000, 1_000]
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


def test_a_lease_of_nothing_writes_nothing(queue):
    queue.accept([acceptance(1, [5])])
    last = queue.store.last
    assert lease(queue, 6) == []
    assert lease(queue, 5, limit=0) == []
    assert queue.store.last == last


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
    assert queue.check() == []


@pytest.mark.parametrize("limit", [1, 2, 100])
def test_leases_that_ran_out_for_good_are_noted_in_order_and_hide_nothing(queue, limit):
    """More than one lease's record may name are over: withdrawn, expired, handed out too often."""
    many = 2 * LEASE_DELIVERIES_MAX + 1
    queue.accept([
        acceptance(n, [5], lane=n % 3, expires_at=AT + 2 * SECOND if n % 2 else None)
        for n in range(many)
    ])  # fmt: skip
    while queue.lease(5, topics_for(5), member_of(5), 999, AT + SECOND, AT, "x"):
        pass
    fresh = queue.accept([acceptance(many + n, [5], lane=n % 3) for n in range(30)])
    at, found = AT + 2 * SECOND, []
    while got := queue.lease(
        5, topics_for(5), member_of(5), limit, at + SECOND, at, "x", attempts_max=1
    ):
        found += [item.sequence for item in got]
    assert sorted(found) == [answer.sequence for answer in fresh]
    for lane in range(3):
        mine = [sequence for sequence in found if (sequence - fresh[0].sequence) % 3 == lane]
        assert mine == sorted(mine)
    counts = queue.counts()
    assert (counts["expired"], counts["dead"]) == (many // 2, many - many // 2)
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
    assert lanes(AT + SECOND) == (), "what ran out is nothing to ask for"
    assert lanes(AT + LEASE) == (0,)
