"""The checker is checked: each planted bug must be found, by the promise that it breaks.

A simulator that stays green whatever the engine does would be worse than none.
"""

import pytest

from router.directory import Directory
from router.engine.state import Rooms
from router.queue import MemoryStore, Queue, Settlement
from vanban_bench.simulator import Violation, run_seed

SEEDS = range(12)


def violation(open_store=MemoryStore):
    """Run seeds until one is red; return what it says."""
    for seed in SEEDS:
        try:
            run_seed(seed, 120, open_store)
        except Violation as found:
            return found.what
    return pytest.fail("the planted bug was not found")


class LazyStore(MemoryStore):
    """Answers before every fifth group is flushed: a crash right after it loses the group."""

    def __init__(self, disk):
        self.lazy_disk = disk
        for table, key, before in reversed(getattr(disk, "unflushed", [])):
            if not table:
                disk.log.pop(disk.last, None)
                disk.last -= 1
            elif isinstance(before, bytes):
                disk.table(table).put(key, before)
            else:
                disk.table(table).delete(key)
        disk.unflushed = []
        super().__init__(disk)

    def _flush(self, group):
        super()._flush(group)
        self.lazy_disk.unflushed = list(group.undo) if self.lazy_disk.flushes % 5 == 0 else []


def test_a_skipped_flush():
    said = violation(LazyStore)
    assert "Error:" not in said, "found by the model, not by an accident"


def test_a_delivery_that_is_dropped(monkeypatch):
    lease = Queue.lease

    def forgetful(self, *arguments, **named):
        return lease(self, *arguments, **named)[:-1]

    monkeypatch.setattr(Queue, "lease", forgetful)
    assert "not handed out" in violation()


def test_a_delivery_that_is_final_and_comes_again(monkeypatch):
    def forgetful(self, address, items, *arguments, **named):
        return [Settlement(True, state, False) for _, state, _ in items]

    monkeypatch.setattr(Queue, "settle", forgetful)
    said = violation()
    assert "handed out again" in said or "settled" in said or "board" in said


def test_a_membership_that_says_no(monkeypatch):
    member = Rooms.member

    def lying(self, address, snapshot, runs):
        return address % 7 != 3 and member(self, address, snapshot, runs)

    monkeypatch.setattr(Rooms, "member", lying)
    assert "not handed out" in violation()


def test_a_membership_that_says_yes(monkeypatch):
    member = Rooms.member

    def lying(self, address, snapshot, runs):
        return address % 7 == 3 or member(self, address, snapshot, runs)

    monkeypatch.setattr(Rooms, "member", lying)
    assert "misrouted" in violation()


def test_an_inbox_that_knows_only_what_its_unit_is_today(monkeypatch):
    def forgetful(self, number):
        snapshot = self.snapshot(1 << 60)
        position = snapshot.hierarchy.position(number)
        return snapshot.subscriptions_bytes(position) if position >= 0 else ()

    monkeypatch.setattr(Directory, "subscriptions", forgetful)
    assert "not handed out" in violation()


def test_an_idempotency_check_that_is_forgotten(monkeypatch):
    known = Queue._known

    def forgetful(self, *arguments):
        found = known(self, *arguments)
        return None if found is not None and found.key[-1] % 3 == 0 else found

    monkeypatch.setattr(Queue, "_known", forgetful)
    assert "as if nothing had been stored" in violation()


def test_a_lease_that_does_not_exclude(monkeypatch):
    lease = Queue.lease

    def short(self, address, subscriptions, member, limit, until, at, actor, **more):
        return lease(self, address, subscriptions, member, limit, at, at, actor, **more)

    monkeypatch.setattr(Queue, "lease", short)
    said = violation()
    assert "handed out twice at a time" in said or "something waits" in said


def test_an_engine_that_fails_without_a_reason(monkeypatch):
    def broken(self, *arguments, **named):
        raise RuntimeError("planted")

    monkeypatch.setattr(Queue, "find", broken)
    assert "planted" in violation()
