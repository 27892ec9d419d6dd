"""The checker is checked: each planted bug must be found, by the promise that it breaks.

A simulator that stays green whatever the engine does would be worse than none.
"""

from itertools import count

import pytest

from router.directory import Directory
from router.engine.state import Rooms
from router.queue import MemoryStore, Queue, Settlement, records
from router.queue._overlay import Overlay
from router.queue.tables import ORDERED, TABLES
from router.queue.transport import State
from vanban_bench.simulator import Violation, run_seed

SEEDS = range(16)


def violation(open_store=MemoryStore, seeds=SEEDS):
    """Run seeds until one is red; return what it says."""
    for seed in seeds:
        try:
            run_seed(seed, 120, open_store)
        except Violation as found:
            return found.what
    return pytest.fail("the planted bug was not found")


# The disk and the log.


def segments_of(disk):
    """Return the names of the segments on a disk, the oldest first."""
    return [name for name in disk.files.names() if name.endswith(".seg")]


class Openings:
    """Opens a disk, doing something to it first at one of its openings."""

    def __init__(self, harm, opening=4):
        self.harm = harm
        self.opening = opening
        self.counts = {}

    def __call__(self, disk):
        self.counts[disk] = self.counts.get(disk, 0) + 1
        if self.counts[disk] == self.opening:
            self.harm(disk)
        return MemoryStore(disk)


def test_a_flush_that_is_skipped():
    def lying(disk):
        store = MemoryStore(disk)
        for place in range(3, 90, 3):
            disk.files.plan("flush", place, "skip")
        return store

    said = violation(lying)
    assert "Error:" not in said, "found by the model, not by an accident"


@pytest.mark.parametrize("part", [0.2, 0.5, 0.8])
def test_a_bit_that_flips_in_the_middle_of_the_log_is_named_with_its_place(part):
    def flip(disk):
        name = max(segments_of(disk)[:-1], key=lambda one: len(disk.files.contents(one)))
        data = bytearray(disk.files.contents(name))
        data[4_096 + int(part * (len(data) - 4_096))] ^= 0x10
        disk.files.place(name, bytes(data))

    said = violation(Openings(flip))
    assert "store.corrupt" in said
    assert ".seg" in said


def test_a_segment_that_stands_in_a_newer_one_s_place_is_named():
    def swap(disk):
        names = segments_of(disk)
        disk.files.place(names[-1], disk.files.contents(names[0]))

    said = violation(Openings(swap))
    assert "store.corrupt" in said
    assert ".seg" in said


def test_a_segment_as_it_was_a_while_ago():
    class Hoarding(MemoryStore):
        def __init__(self, disk):
            if hasattr(disk, "old"):
                disk.files.place(*disk.old)
                del disk.old
            super().__init__(disk)
            self.calls = count()

        def take(self, *arguments, **named):
            if next(self.calls) == 3:
                name = segments_of(self._disk)[-1]
                self._disk.old = (name, self._disk.files.contents(name))
            return super().take(*arguments, **named)

    assert violation(Hoarding)


def test_a_segment_that_is_missing_is_named():
    def lose(disk):
        disk.files.discard(segments_of(disk)[0])

    said = violation(Openings(lose))
    assert "store.corrupt" in said
    assert "log" in said


# The state.


class Tampering(MemoryStore):
    """Loses a row of the state while it is written into the base."""

    def end_checkpoint(self):
        super().end_checkpoint()
        table = TABLES.index("cells")
        for key, _ in list(self._disk.base.items(table))[:1]:
            changes = Overlay(ORDERED)
            changes.delete(table, key)
            self._disk.base.apply(changes)


def test_a_checkpoint_that_loses_a_row():
    assert "replay" in violation(Tampering)


class Forgetful(MemoryStore):
    """Hands out, and writes nothing down."""

    def lease(self, *arguments, look=False, **named):
        found = super().lease(*arguments, look=True, **named)
        if look or isinstance(found, list):
            return found
        handed, more = found
        return [self._as_if_leased(one) for one in handed if one[5] == State.QUEUED], more

    def _as_if_leased(self, one):
        kept = records.decode_acceptance(self.record(one[0]), one[0])
        attempt = one[4] + 1
        return records.Leased(kept.key, one[0], one[3], attempt, kept.envelope, kept.facts, kept.at)


def test_a_lease_that_is_lost_without_trace():
    said = violation(Forgetful)
    assert (
        "handed out twice at a time" in said
        or "attempts do not grow" in said
        or "something waits" in said
    )


class Empty(MemoryStore):
    """Hands nothing out."""

    def lease(self, *arguments, look=False, **named):
        found = super().lease(*arguments, look=True, **named)
        return found if look or isinstance(found, list) else ([], False)


def test_an_inbox_that_hands_nothing_out():
    assert "not handed out" in violation(Empty)


# The queue and the rooms.


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
    assert "are delivered" in said or "are refused" in said


def test_an_extension_that_is_not_kept(monkeypatch):
    def forgetful(self, address, keys, *arguments, **named):
        return [Settlement(True, "leased", False) for _ in keys]

    monkeypatch.setattr(Queue, "extend", forgetful)
    said = violation()
    assert "answered leased" in said or "twice" in said or "in the books" in said


def test_what_is_given_back_and_does_not_come_again(monkeypatch):
    def forgetful(self, address, keys, *arguments, **named):
        return [Settlement(True, "queued", False) for _ in keys]

    monkeypatch.setattr(Queue, "give_back", forgetful)
    said = violation()
    assert "not handed out" in said or "answered queued" in said or "in the books" in said


def test_a_membership_that_says_no(monkeypatch):
    places = Rooms.places

    def lying(self, address):
        if address % 7 != 3:
            return places(self, address)
        return lambda snapshots: dict.fromkeys(snapshots, -1)

    monkeypatch.setattr(Rooms, "places", lying)
    said = violation()
    assert "not handed out" in said or "it is missing" in said


def test_a_membership_that_says_yes(monkeypatch):
    places = Rooms.places

    def lying(self, address):
        true = places(self, address)
        return lambda snapshots: {number: at ^ 1 for number, at in true(snapshots).items()}

    monkeypatch.setattr(Rooms, "places", lying)
    said = violation()
    assert "misrouted" in said or "for whom it is not" in said or "it is missing" in said


def test_an_inbox_that_knows_only_what_its_unit_is_today(monkeypatch):
    every = Directory.subscriptions

    def forgetful(self, number):
        snapshot = self.snapshot(1 << 60)
        position = snapshot.hierarchy.position(number)
        if position < 0:
            return every(self, number)
        return snapshot.subscriptions_bytes(position)

    monkeypatch.setattr(Directory, "subscriptions", forgetful)
    assert "not handed out" in violation()


def test_an_idempotency_check_that_is_forgotten(monkeypatch):
    calls = count()
    name_of_id = records.name_of_id

    def forgetful(sender, act, document_id):
        return name_of_id(sender, act, f"{document_id} {next(calls)}")

    monkeypatch.setattr(records, "name_of_id", forgetful)
    said = violation()
    assert "as if nothing had been stored" in said or "expected set()" in said


def test_a_lease_that_does_not_exclude(monkeypatch):
    lease = Queue.lease

    def short(self, address, subscriptions, positions, limit, until, at, actor, **more):
        return lease(self, address, subscriptions, positions, limit, at, at, actor, **more)

    monkeypatch.setattr(Queue, "lease", short)
    said = violation()
    assert "twice at a time" in said or "something waits" in said or "queued" in said


def test_an_engine_that_fails_without_a_reason(monkeypatch):
    def broken(self, *arguments, **named):
        raise RuntimeError("planted")

    monkeypatch.setattr(Queue, "find", broken)
    assert "planted" in violation()
