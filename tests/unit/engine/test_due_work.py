"""What runs out is written down, once, a bounded piece at a time, whatever the clock does."""

from __future__ import annotations

import pytest
from support.office import COMMITTEE, OPENED_US, Office

from router import limits
from router.model.units import Unit

COMMUNE, OTHER = "H22.31.20", "H22.31.21"


def all_due(office: Office) -> list[int]:
    """Tick until nothing is left; return how much each did."""
    done = []
    while some := office.engine.tick():
        done.append(some)
    return done


def test_what_ran_out_is_written_down_as_of_the_instant_at_which_it_did() -> None:
    office = Office()
    key = office.send(recipients=f"{COMMUNE} | {OTHER}", time_to_live_s=60).key
    office.engine.acknowledge(COMMUNE, [one.delivery for one in office.lease(COMMUNE)])
    office.send(recipients=OTHER, time_to_live_s=7_200)
    office.clock.advance(59)
    assert all_due(office) == []
    office.clock.advance(600)
    before = office.engine.track(key)
    assert all_due(office) == [1]
    assert office.stored()["expired"] == 1
    after = office.engine.track(key)
    assert after == before, "the record says what everybody was told without it"
    assert after.deliveries[1].since == "2024-09-04T10:01:00+07:00"
    office.reopen()
    assert all_due(office) == []
    assert office.engine.track(key) == before
    assert office.stored()["in_flight"] == 1
    assert len(office.lease(OTHER)) == 1
    assert office.engine.check() == []


def test_a_lease_outlives_the_time_to_live_and_counts_when_it_is_answered() -> None:
    office = Office()
    key = office.send(recipients=f"{COMMUNE} | {OTHER}", time_to_live_s=60).key
    (taken,) = office.lease(COMMUNE, lease_s=120)
    (lost,) = office.lease(OTHER, lease_s=61)
    office.clock.advance(61)
    assert all_due(office) == [1]
    assert office.engine.track(key).states == {"leased": 1, "expired": 1}
    assert office.engine.acknowledge(COMMUNE, [taken.delivery])[0].state == "delivered"
    (late,) = office.engine.acknowledge(OTHER, [lost.delivery])
    assert (late.state, late.repeated) == ("expired", True)
    assert office.lease(OTHER) == []
    assert office.stored()["in_flight"] == 0
    assert office.engine.check() == []


def test_an_entry_that_was_over_before_it_ran_out_is_not_counted_again() -> None:
    office = Office()
    for _ in range(3):
        office.send(recipients=COMMUNE, time_to_live_s=60)
    office.engine.acknowledge(COMMUNE, [one.delivery for one in office.lease(COMMUNE)])
    assert office.stored()["in_flight"] == 0
    office.clock.advance(61)
    all_due(office)
    assert (office.stored()["in_flight"], office.stored()["expired"]) == (0, 0)
    office.send(recipients=COMMUNE)
    assert office.stored()["in_flight"] == 1


def test_the_clock_may_jump_to_and_fro() -> None:
    office = Office()
    key = office.send(recipients=COMMUNE, time_to_live_s=60).key
    office.clock.advance(86_400 * 400)
    assert all_due(office) == [1]
    office.clock.advance(-86_400 * 400)
    assert all_due(office) == []
    assert office.engine.track(key).states == {"expired": 1}
    office.clock.advance(30)
    fresh = office.send(recipients=COMMUNE, time_to_live_s=60).key
    office.reopen()
    assert office.engine.track(key).states == {"expired": 1}
    assert [one.key for one in office.lease(COMMUNE)] == [fresh]


def test_one_tick_is_bounded_and_the_rest_comes_next(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "DUE_ENTRIES_PER_TICK", 4)
    office = Office()
    for hours in (1, 1, 1, 2, 2, 3, 3, 3, 3, 3):
        office.send(recipients=COMMUNE, time_to_live_s=3_600 * hours)
    office.clock.advance(3_600 * 5)
    assert all_due(office) == [4, 4, 2]
    assert office.stored()["expired"] == 10


def test_what_fell_due_while_the_engine_was_away_is_done_when_it_opens() -> None:
    office = Office()
    office.send(recipients=COMMUNE, time_to_live_s=60)
    office.engine.close()
    office.clock.advance(61)
    office.reopen()
    assert office.stored()["expired"] == 1


def test_a_broadcast_that_ran_out_leaves_every_inbox() -> None:
    office = Office()
    office.engine.import_units([
        Unit(100 + i, f"H22.31.1{i:02}", f"UBND xã {i}", 4, COMMITTEE, 2, valid_from=OPENED_US)
        for i in range(40)
    ])  # fmt: skip
    office.send(recipients="all", time_to_live_s=60)
    office.clock.advance(61)
    assert all_due(office) == [1]
    assert office.stored()["expired"] == 47
    rows = {table for table, _, _ in office.engine._queue.store.dump()}
    assert not rows & {"topics", "due"}
