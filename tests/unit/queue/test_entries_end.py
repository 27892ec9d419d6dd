"""What ends with its entry: parts that never joined, leases nobody came back from, the dead."""

from __future__ import annotations

import contextlib

import pytest
from support.stores import (
    AT,
    KINDS,
    SECOND,
    MemoryBox,
    acceptance,
    audience_of,
    box_of,
    member_of,
    own_topic,
    posted,
    topics_for,
)

from router.queue import MemoryDisk, MemoryStore, State, after
from router.queue.memory_store import SimulatedCrashError, Trouble
from router.queue.queue import Queue
from router.queue.records import (
    Joining,
    Part,
    RoomRecord,
    Settlement,
    encode_join,
    encode_move,
    verdict_room,
)

LEASE = 60 * SECOND
END = AT + 10 * SECOND


@pytest.fixture(params=KINDS)
def queue(request, tmp_path):
    queue = Queue(box_of(request.param, tmp_path).open())
    yield queue
    assert queue.check() == []
    queue.close()


def lease(queue, address, at=AT, attempts_max=20, until=None):
    topics, places = topics_for(address), member_of(address)
    until = until or at + LEASE
    return queue.lease(address, topics, places, 10, until, at, "x", attempts_max=attempts_max)


def settle(queue, address, key, at=AT):
    (answer,) = queue.settle(
        address, [(key, "delivered", "")], at, address, "x", member_of(address)
    )
    return answer


def standing(queue, key, address, at):
    return queue.delivery(key, address, at, member_of(address)).state


def told(queue, key, address, at):
    return [one.state for one in queue.history(key, address, at, member_of(address))]


def tick(queue, at):
    """Write down what fell due, as the engine does; return how many records that were."""
    found = []
    for one in after.due(queue.store, at, 100):
        row = after.entry_of(queue, one.document, one.entry)
        found.append(
            after.closing(row, one)
            if row.standing == State.EXPIRED
            else after.expiry(queue, row, one.document, "time to live")
        )
    queue.store.append_raw(found)
    return len(found)


def counted(queue):
    counts = queue.counts()
    return {
        name: counts[name]
        for name in ("recipients", "leased", "delivered", "expired", "dead", "in_flight")
    }


@pytest.mark.parametrize("state", [State.HELD, State.WAITING])
@pytest.mark.parametrize("to", [State.EXPIRED, State.WITHDRAWN, State.EXCLUDED])
def test_a_part_that_never_joined_is_nothing_to_its_recipient_whatever_became_of_it(
    queue, state, to
):
    item = acceptance(1, [5], parts=(Part(state, audience_of([6]), END),))
    queue.accept([item])
    assert settle(queue, 6, item.key, END) == Settlement(False)
    queue.append_rooms([RoomRecord(verdict_room(1), b"", END, 0, "engine")])
    queue.store.append_raw([encode_move(1, 9, to, b"", END, 0, "engine", "hold")])
    assert standing(queue, item.key, 6, END) == to.name.lower(), "the sender sees it"
    assert settle(queue, 6, item.key, END) == Settlement(False)


def test_a_lease_nobody_came_back_from_ends_with_its_entry_and_frees_its_sender(queue):
    """Whoever was handed it has until the lease ends; then a second record closes the entry."""
    item = acceptance(1, [1, 2, 3], expires_at=END)
    queue.accept([item])
    lease(queue, 1)
    lease(queue, 2, until=AT + 2 * LEASE)
    assert tick(queue, END) == 1
    assert (counted(queue)["leased"], counted(queue)["in_flight"]) == (2, 1)
    assert settle(queue, 1, item.key, END) == Settlement(True, "delivered")
    assert tick(queue, AT + LEASE) == 0, "due when the last lease ends, not before"
    until = AT + 2 * LEASE
    assert standing(queue, item.key, 2, until) == "expired"
    assert tick(queue, until) == 1
    assert tick(queue, until) == 0
    assert counted(queue) == {
        "recipients": 3, "leased": 0, "delivered": 1, "expired": 2, "dead": 0, "in_flight": 0,
    }  # fmt: skip
    assert told(queue, item.key, 2, until) == ["queued", "leased", "expired"]
    assert settle(queue, 2, item.key, until) == Settlement(True, "expired", True)
    assert queue.check() == [], "its row in the inbox may stay until its unit asks"
    assert lease(queue, 2, until) == []
    rows = {(table, int.from_bytes(key[:4], "big")) for table, key, _ in queue.store.dump()}
    assert ("open", 2) not in rows


def test_a_lease_that_is_extended_after_the_end_makes_its_entry_due_again(queue):
    item = acceptance(1, [1], expires_at=END)
    queue.accept([item])
    lease(queue, 1)
    assert tick(queue, END) == 1
    later = AT + 3 * LEASE
    queue.extend(1, [item.key], later, END, 1, "x", member_of(1))
    assert tick(queue, AT + LEASE) == 1
    assert counted(queue)["in_flight"] == 1
    assert settle(queue, 1, item.key, later - 1) == Settlement(True, "delivered")
    assert tick(queue, later) == 1
    assert counted(queue)["delivered"] == 1
    assert tick(queue, later) == 0


def test_what_was_given_back_or_dead_ends_at_once_with_its_entry(queue):
    item = acceptance(1, [1, 2], expires_at=END)
    queue.accept([item])
    lease(queue, 1)
    queue.give_back(1, [item.key], AT + 1, 1, "x", member_of(1))
    lease(queue, 2, until=AT + 1)
    lease(queue, 2, AT + 1, attempts_max=1)
    assert counted(queue)["dead"] == 1
    assert tick(queue, END) == 1
    assert counted(queue) == {
        "recipients": 2, "leased": 0, "delivered": 0, "expired": 2, "dead": 0, "in_flight": 0,
    }  # fmt: skip
    assert tick(queue, END + 9 * LEASE) == 0


def joining(queue, document, members, snapshot=1):
    """Return the record by which dead members of a document's first entry are handed out anew."""
    row = after.entry_of(queue, document, document * 8)
    audience = audience_of(members, snapshot)
    names = posted({own_topic(one): [one] for one in members}, audience)
    return after.joining(document, row, audience, names, AT, "x", "mended")


def redrive(queue, document, members):
    """Let the dead members of a document's first entry be handed out anew."""
    return queue.store.append_joinings([joining(queue, document, members)])


def test_a_delivery_that_is_queued_again_is_counted_once(queue):
    item = acceptance(1, [1, 2])
    queue.accept([item, acceptance(2, [1])])
    for address in (1, 2):
        lease(queue, address, until=AT + 1)
        lease(queue, address, AT + 1, attempts_max=1)
    assert counted(queue)["dead"] == 3
    assert counted(queue)["in_flight"] == 0, "the dead wait for an operator, not for a recipient"
    redrive(queue, 1, [1])
    assert counted(queue) == {
        "recipients": 3, "leased": 0, "delivered": 0, "expired": 0, "dead": 2, "in_flight": 1,
    }  # fmt: skip
    assert [(one.sequence, one.attempt) for one in lease(queue, 1, AT + 2)] == [(1, 1)]
    assert settle(queue, 1, item.key, AT + 3) == Settlement(True, "delivered")
    assert counted(queue) == {
        "recipients": 3, "leased": 0, "delivered": 1, "expired": 0, "dead": 2, "in_flight": 0,
    }  # fmt: skip
    assert settle(queue, 2, item.key, AT + 3) == Settlement(True, "delivered"), "late, and good"
    assert counted(queue)["in_flight"] == 0


def die(queue, *addresses):
    """Let what waits for addresses be given up."""
    for address in addresses:
        lease(queue, address, until=AT + 1)
        lease(queue, address, AT + 1, attempts_max=1)


def test_what_is_not_dead_any_more_is_not_handed_out_anew(queue):
    item = acceptance(1, [1, 2, 3], expires_at=END)
    queue.accept([item, acceptance(2, [1])])
    die(queue, 1, 2)
    late = [joining(queue, 1, members) for members in ([1], [1, 2], [2])]
    assert settle(queue, 1, item.key, AT + 2) == Settlement(True, "delivered"), "late, and good"
    before = list(queue.store.dump())
    last = queue.store.last
    untouched, mixed = joining(queue, 1, [3]), joining(queue, 1, [2, 3])
    strange = joining(queue, 1, [2], snapshot=2)
    nothing = joining(queue, 1, [4])
    for overtaken in ([late[0]], [late[1]], [late[2], late[0]], [untouched], [mixed], [strange],
                      [joining(queue, 2, [1]), late[0]], [nothing]):  # fmt: skip
        assert not queue.store.append_joinings(overtaken)
        assert queue.store.last == last, "all of a group or none"
    assert list(queue.store.dump()) == before
    assert lease(queue, 1, AT + 2) == []
    assert queue.store.append_joinings([late[2], joining(queue, 2, [1])])
    assert not queue.store.append_joinings([late[2]]), "another entry has it since"
    assert [one.sequence for one in lease(queue, 1, AT + 2)] == [2]
    assert [one.sequence for one in lease(queue, 2, AT + 2)] == [1]


@pytest.mark.parametrize("trouble", [Trouble.CRASH_BEFORE, Trouble.CRASH_AFTER])
def test_a_crash_keeps_what_is_handed_out_anew_whole_or_drops_it(trouble):
    box = MemoryBox()
    queue = Queue(box.open())
    queue.accept([acceptance(1, [1, 2])])
    die(queue, 1, 2)
    queue.store.flush()
    again = [joining(queue, 1, [1]), joining(queue, 1, [2])]
    box.disk.trouble_at(1, trouble)
    with pytest.raises(SimulatedCrashError):
        queue.store.append_joinings(again)
    queue = Queue(box.open())
    assert counted(queue)["dead"] == (0 if trouble is Trouble.CRASH_AFTER else 2)
    assert queue.check() == []


def test_what_ended_with_its_entry_is_not_handed_out_anew(queue):
    queue.accept([acceptance(1, [1, 2], expires_at=END)])
    die(queue, 1)
    late = joining(queue, 1, [1])
    assert tick(queue, END) == 1
    assert not queue.store.append_joinings([late])
    assert counted(queue)["expired"] == 2


def test_what_a_log_says_was_handed_out_anew_is_applied_whatever_it_was(tmp_path):
    """Older logs may say so of what was answered meanwhile; an opening does not judge anew."""
    box = box_of("log", tmp_path)
    queue = Queue(box.open())
    item = acceptance(1, [1, 2])
    queue.accept([item])
    die(queue, 1)
    late = joining(queue, 1, [1])
    settle(queue, 1, item.key, AT + 2)
    queue.store.append_raw([late])
    state = list(queue.store.dump())
    queue.close()
    queue = Queue(box.open())
    assert [row for row in queue.store.dump() if row[0] != "meta"] == [
        row for row in state if row[0] != "meta"
    ]
    assert [one.sequence for one in lease(queue, 1, AT + 2)] == [1]
    (said,) = queue.check()
    assert "1 of its members are another entry's" in said
    queue.close()


def test_what_is_queued_again_comes_behind_what_waits(queue):
    queue.accept([acceptance(1, [1])])
    lease(queue, 1, until=AT + 1)
    lease(queue, 1, AT + 1, attempts_max=1)
    later = [one.sequence for one in queue.accept([acceptance(2, [1]), acceptance(3, [1])])]
    redrive(queue, 1, [1])
    assert [one.sequence for one in lease(queue, 1, AT + 2)] == [*later, 1]


def test_what_joins_for_another_reason_leaves_the_dead_where_they_are():
    with contextlib.closing(Queue(MemoryStore(MemoryDisk()))) as queue:
        queue.accept([acceptance(1, [1])])
        lease(queue, 1, until=AT + 1)
        lease(queue, 1, AT + 1, attempts_max=1)
        audience = audience_of([1])
        names = posted({own_topic(1): [1]}, audience)
        queue.store.append_raw([encode_join(Joining(1, audience, names, 3, 3, AT, 7, "x"))])
        assert counted(queue)["dead"] == 1
        assert counted(queue)["recipients"] == 2
        (said,) = queue.check()
        assert "1 of its members are another entry's" in said


@pytest.mark.parametrize("to", [State.HELD, State.EXCLUDED])
def test_what_waits_for_a_verdict_and_moves_on_without_one_is_noticed(to):
    with contextlib.closing(Queue(MemoryStore(MemoryDisk()))) as queue:
        queue.accept([acceptance(1, [5], parts=(Part(State.WAITING, audience_of([6]), END),))])
        queue.store.append_raw([encode_move(1, 9, to, b"", END, 0, "engine", "")])
        assert any("moved on without one" in said for said in queue.check())
        assert len(queue.check()) == 1
