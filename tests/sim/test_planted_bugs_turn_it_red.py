"""The checker is checked: each planted bug must be found, by the promise that it breaks.

A simulator that stays green whatever the engine does would be worse than none.
"""

from itertools import count

import msgspec
import pytest

from router.directory import Directory
from router.engine import Engine
from router.engine.judging import Judge
from router.engine.outbox import OutboxReader
from router.engine.redirecting import Redirections
from router.engine.state import Rooms
from router.queue import Leased, MemoryStore, Queue, Settlement, records, restored
from router.queue._overlay import Overlay
from router.queue.tables import ORDERED, TABLES
from router.queue.transport import State
from vanban_bench.simulator import Violation, approvers, restoring, run_seed
from vanban_bench.simulator.session import Session

SEEDS = range(16)
CUT_VERDICTS = (227,)  # a seed with a crash between a verdict and its moves


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
    said = violation(Tampering)  # a restored directory has nothing but the checkpoint to go by
    assert "replay" in said or "in the books" in said or "is broken" in said


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
        return Leased(kept.key, one[0], one[3], attempt, kept.envelope, kept.facts, kept.at)


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
    assert (
        "not handed out" in said
        or "answered queued" in said
        or "in the books" in said
        or "settled by a unit it is not for" in said
    )


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
    assert (
        "as if nothing had been stored" in said
        or "expected set()" in said
        or "does not lead back to it" in said
    )


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


# Parts that do not join inboxes at once.


def test_a_part_that_is_held_and_joins_inboxes_at_once(monkeypatch):
    encode = records.encode_acceptance

    def hasty(item):
        return encode(msgspec.structs.replace(item, parts=()))

    monkeypatch.setattr(records, "encode_acceptance", hasty)
    said = violation()
    assert "it is missing" in said or "deliveries" in said or "board" in said


def test_a_release_that_forgets_whom_it_takes_over(monkeypatch):
    encode = records.encode_join

    def forgetful(item):
        return encode(msgspec.structs.replace(item, takes_over=0))

    monkeypatch.setattr(records, "encode_join", forgetful)
    said = violation()
    assert "deliveries" in said or "in the books" in said or "the part that was" in said


def test_a_denial_that_releases(monkeypatch):
    encode = records.encode_move

    def lenient(document, entry, standing, *arguments):
        to = State.WITHDRAWN if standing == State.EXCLUDED else standing
        return encode(document, entry, to, *arguments)

    monkeypatch.setattr(records, "encode_move", lenient)
    said = violation()
    assert "in the books" in said or "has it withdrawn" in said


def test_a_hold_that_never_runs_out(monkeypatch):
    encode = records.encode_acceptance

    def patient(item):
        parts = tuple(msgspec.structs.replace(part, due=0) for part in item.parts)
        return encode(msgspec.structs.replace(item, parts=parts))

    monkeypatch.setattr(records, "encode_acceptance", patient)
    said = violation()
    assert "not one of ['expired']" in said or "has it held" in said or "has it waiting" in said


def test_a_held_document_that_is_explained_to_its_recipient(monkeypatch):
    monkeypatch.setattr(approvers, "_is_shown", lambda *_: True)
    assert "explained to its recipient" in violation()


# What senders are told.


def test_a_verdict_that_is_reached_before_it_can_be(monkeypatch):
    def hasty(self, batch, at_us):
        found = honest(self, batch, at_us)
        return [msgspec.structs.replace(one, status="valid") for one in found]

    honest = Judge._verdicts
    monkeypatch.setattr(Judge, "_verdicts", hasty)
    assert "its verdict" in violation(seeds=range(60))


def test_a_bad_verdict_that_lets_the_document_go(monkeypatch):
    def lax(self, found, said, now_us):
        return honest(self, found, msgspec.structs.replace(said, outcome="valid"), now_us)

    honest = Judge._moves
    monkeypatch.setattr(Judge, "_moves", lax)
    assert "Error:" not in violation(seeds=range(60))


def test_a_verdict_that_a_crash_cut_and_nobody_completes(monkeypatch):
    monkeypatch.setattr(Judge, "_complete", lambda self, document, now_us: [])
    what = violation(seeds=CUT_VERDICTS)
    assert "waits for" in what or "is waiting" in what


def test_a_document_that_never_waits(monkeypatch):
    monkeypatch.setattr("router.engine.submission._waits", lambda verdict, now_us: None)
    assert "lets others wait" in violation()


def test_a_late_answer_that_queueing_again_does_not_see():
    class Blind(MemoryStore):
        def append_joinings(self, records):
            return bool(self.append_raw(records))

    assert "re-driven, though it was delivered" in violation(Blind, range(60))


def test_a_death_that_is_told_twice(monkeypatch):
    told = OutboxReader._dead

    def twice(self, sequence, sender):
        for place, event in told(self, sequence, sender):
            yield 2 * place, event
            cursor = f"{sequence}-{sender}-{2 * place + 1}"
            yield 2 * place + 1, msgspec.structs.replace(event, cursor=cursor)

    monkeypatch.setattr(OutboxReader, "_dead", twice)
    assert "times of dead" in violation(seeds=range(60))


def test_a_redirection_that_nobody_is_told_of(monkeypatch):
    monkeypatch.setattr(Redirections, "tell", lambda *_: 0)
    monkeypatch.setattr(Redirections, "records_for", lambda *_: [])
    assert "nobody told" in violation(seeds=range(60))


def test_an_outbox_that_forgets_at_a_restart(monkeypatch):
    events = OutboxReader._events

    def forgetful(self, sender, after_cursor):
        opened = self._queue.store.epoch
        for cursor, event in events(self, sender, after_cursor):
            if (cursor[0] + opened) % 5:
                yield cursor, event

    monkeypatch.setattr(OutboxReader, "_events", forgetful)
    said = violation(seeds=range(60))
    assert (
        "was read, and is another now" in said
        or "came before what was read" in said
        or "nobody told" in said
    )


# Restorations.


def test_a_restoration_without_a_gap(monkeypatch):
    leap = restored.leap

    def none(act, at):
        first, above, changes = leap(act, at)
        assert first > act.sequence
        changes.set(
            TABLES.index("meta"),
            b"place",
            (act.sequence + 1).to_bytes(8, "big") + bytes(12) + above.to_bytes(8, "big"),
        )
        return act.sequence + 1, above, changes

    monkeypatch.setattr(restoring, "leap", none)
    assert "again" in violation(seeds=range(60))


def test_a_restoration_that_passes_for_the_engine_that_was_lost(monkeypatch):
    leap = restored.leap

    def same(act, at):
        first, _, changes = leap(act, at)
        place = first.to_bytes(8, "big") + bytes(12) + act.epoch.to_bytes(8, "big")
        changes.set(TABLES.index("meta"), b"place", place)
        return first, act.epoch, changes

    monkeypatch.setattr(restoring, "leap", same)
    assert "passes for an older one" in violation(seeds=range(60))


# Bounds.


def test_a_bound_on_documents_in_flight_that_does_not_hold(monkeypatch):
    def deaf(self, engine):
        honest(self, engine)
        self.store.in_flight_max = 0

    honest = Session._adapt
    monkeypatch.setattr(Session, "_adapt", deaf)
    assert "in flight" in violation(seeds=range(60))


def test_a_bound_on_what_is_pending_that_does_not_hold(monkeypatch):
    def deaf(self, engine):
        honest(self, engine)
        self.store.pending_max = 0

    honest = Session._adapt
    monkeypatch.setattr(Session, "_adapt", deaf)
    assert "pending" in violation(seeds=range(60))


def test_a_bound_on_leases_that_does_not_hold(monkeypatch):
    def deaf(self, engine):
        honest(self, engine)
        self.store.leases_max = 0

    honest = Session._adapt
    monkeypatch.setattr(Session, "_adapt", deaf)
    assert "leased at once" in violation(seeds=range(60))


def test_an_absurd_wish_that_leaves_a_trace(monkeypatch):
    def leaky(self, batch, **named):
        self._queue.append_rooms([records.RoomRecord("trace", b"", 0, 0, "")])
        return honest(self, batch, **named)

    honest = Engine.submit
    monkeypatch.setattr(Engine, "submit", leaky)
    assert "left a trace" in violation(seeds=range(60))
