"""Leases kept longer, given back, handed out too often, queued again by an operator."""

from __future__ import annotations

import shutil
from pathlib import Path
from random import Random

import pytest
from support.office import LUNG_CU, MA_LE, Office, error_of

from router import limits
from router.engine.facts import delivery_id

COMMUNE, OTHER = "H22.31.20", "H22.31.21"


def held(office: Office, **options: object) -> str:
    office.send(recipients=COMMUNE, **options)
    (one,) = office.lease(COMMUNE, lease_s=30)
    return one.delivery


def test_a_lease_that_is_extended_lasts_longer_and_counts_once() -> None:
    office = Office()
    delivery = held(office)
    office.clock.advance(20)
    (kept,) = office.engine.extend(COMMUNE, [delivery], 60, actor="Hoa")
    assert (kept.state, kept.leased_until) == ("leased", "2024-09-04T10:01:20+07:00")
    office.clock.advance(59)
    office.reopen()
    assert office.lease(COMMUNE) == []
    office.clock.advance(1)
    (again,) = office.lease(COMMUNE)
    assert (again.delivery, again.attempt) == (delivery, 2)
    states = [event.state for event in office.engine.delivery(delivery).history]
    assert states == ["queued", "leased", "leased", "leased"]


def test_what_is_not_handed_out_is_not_kept() -> None:
    office = Office()
    delivery = held(office)
    office.clock.advance(30)
    (late,) = office.engine.extend(COMMUNE, [delivery])
    assert (late.state, late.leased_until) == ("queued", "")
    office.engine.acknowledge(COMMUNE, [delivery])
    for act in (office.engine.extend, office.engine.give_back):
        (over,) = act(COMMUNE, [delivery])
        assert (over.state, over.repeated) == ("delivered", True)


def test_what_is_given_back_comes_at_once_and_in_its_old_place() -> None:
    office = Office()
    first = held(office)
    office.send(recipients=COMMUNE)
    (back,) = office.engine.give_back(COMMUNE, [first], actor="Hoa")
    assert (back.state, back.repeated) == ("queued", False)
    assert office.engine.give_back(COMMUNE, [first])[0].state == "queued"
    office.reopen()
    assert office.engine.waiting(COMMUNE)
    got = office.lease(COMMUNE)
    assert [one.delivery == first for one in got] == [True, False]
    assert [one.attempt for one in got] == [2, 1]


def test_batches_are_answered_one_by_one_and_ids_of_others_are_not_found() -> None:
    office = Office()
    mine = [held(office) for _ in range(3)]
    key = bytes.fromhex(office.send(recipients=OTHER).key)
    strange = [delivery_id(key, MA_LE), delivery_id(key, LUNG_CU), "x"]
    for act, state in ((office.engine.extend, "leased"), (office.engine.give_back, "queued")):
        answers = act(COMMUNE, [mine[0], *strange, *mine[1:]])
        assert [one.state for one in answers] == [state, "", "", "", state, state]
        assert [one.code for one in answers[1:4]] == ["delivery.not_found"] * 3
    over = ["x"] * (limits.ACKNOWLEDGE_DELIVERIES_MAX + 1)
    assert error_of(lambda: office.engine.give_back(COMMUNE, over))[0] == "batch.too_large"
    place = error_of(lambda: office.engine.extend(COMMUNE, mine, 0))
    assert place == ("field.invalid", "$.lease_s")


def test_a_holder_extends_and_gives_back_what_a_closed_unit_was_sent() -> None:
    office = Office()
    delivery = held(office)
    office.close_commune(COMMUNE, [OTHER], after_s=10)
    assert office.engine.extend(OTHER, [delivery], 60)[0].state == "leased"
    assert office.engine.give_back(OTHER, [delivery])[0].state == "queued"
    assert error_of(lambda: office.engine.give_back(COMMUNE, [delivery]))[0] == "unit.closed"


# What nobody can take.


def die(office: Office, unit: str = COMMUNE, *, reopening: bool = False) -> None:
    """Hand everything that waits for a unit out so often that it is given up."""
    for attempt in range(1, limits.DELIVERY_ATTEMPTS_MAX + 1):
        assert [one.attempt for one in office.lease(unit, lease_s=1)] == [attempt]
        if reopening:
            office.reopen()
        office.clock.advance(1)
    assert office.lease(unit) == []


@pytest.mark.parametrize("reopening", [False, True], ids=["running", "opened anew each time"])
def test_a_delivery_that_is_never_answered_dies_and_the_sender_is_told(reopening: bool) -> None:
    office = Office()
    receipt = office.send(recipients=f"{COMMUNE} | {OTHER}")
    office.send("H22.1", recipients=OTHER)
    die(office, reopening=reopening)
    tracked = office.engine.track(receipt.key)
    assert tracked.states == {"dead": 1, "queued": 1}
    assert tracked.deliveries[0].attempts == limits.DELIVERY_ATTEMPTS_MAX
    told = office.engine.outbox("H22")
    (event,) = told.events
    assert (event.kind, event.address, event.key) == ("dead", COMMUNE, receipt.key)
    assert event.document_id == receipt.document_id
    assert office.engine.delivery(event.delivery).state == "dead"
    assert office.engine.outbox("H22.1").events == ()
    late = office.engine.acknowledge(COMMUNE, [event.delivery])[0]
    assert (late.state, late.repeated) == ("delivered", False), "a late answer counts"
    assert office.engine.check() == []


def test_a_dead_delivery_is_given_back_by_nobody_but_queued_again_by_an_operator() -> None:
    office = Office()
    receipt = office.send(recipients=f"{COMMUNE} | {OTHER}")
    die(office)
    delivery = delivery_id(bytes.fromhex(receipt.key), LUNG_CU)
    assert office.engine.give_back(COMMUNE, [delivery])[0].state == "dead"
    heard: list[bool] = []
    office.engine.listen(lambda arrivals: heard.extend(one.reaches(LUNG_CU) for one in arrivals))
    answers = office.engine.redrive(
        receipt.key, [COMMUNE, OTHER, "H22.32.20", "H99"], reason="Máy đã sửa", actor="Nam"
    )
    assert [(one.state, one.code) for one in answers] == [
        ("queued", ""), ("queued", "delivery.not_dead"), ("", "delivery.not_found"),
        ("", "unit.not_found"),
    ]  # fmt: skip
    assert heard == [True]
    office.reopen()
    assert office.engine.track(receipt.key).states == {"queued": 2}
    assert office.engine.track(receipt.key).recipients == 2
    (again,) = office.lease(COMMUNE, actor="Hoa")
    assert (again.delivery, again.attempt) == (delivery, 1)
    office.engine.acknowledge(COMMUNE, [delivery])
    tracked = office.engine.track(receipt.key)
    assert tracked.by_tier == {"commune": {"delivered": 1, "queued": 1}}
    events = office.engine.delivery(delivery).history
    assert [event.state for event in events[-4:]] == ["dead", "queued", "leased", "delivered"]
    assert (events[-3].actor, events[-3].reason) == ("Nam", "Máy đã sửa")
    assert office.lease(COMMUNE) == []
    assert office.engine.redrive(receipt.key) == [], "nothing is dead any more"
    assert office.engine.check() == []


def test_a_death_that_a_sender_read_outlives_a_power_cut() -> None:
    office = Office()
    office.send(recipients=COMMUNE)
    die(office)
    told = office.engine.outbox("H22")
    assert [one.kind for one in told.events] == ["dead"]
    office.disk.files = office.disk.files.clone()
    office.disk.files.crash(Random(0), "none")
    office.reopen()
    assert office.engine.outbox("H22") == told


def test_what_was_queued_again_expires_once() -> None:
    """The entry it was in before expires as well; that is no longer its own."""
    office = Office()
    receipt = office.send(recipients=COMMUNE, time_to_live_s=3_600)
    die(office)
    office.engine.redrive(receipt.key)
    office.clock.advance(3_600)
    while office.engine.tick():
        pass
    delivery = delivery_id(bytes.fromhex(receipt.key), LUNG_CU)
    history = [event.state for event in office.engine.delivery(delivery).history]
    assert history[-3:] == ["dead", "queued", "expired"]


def test_all_that_is_dead_of_a_document_is_queued_again_together() -> None:
    office = Office()
    receipt = office.send(recipients="tier(commune)")
    for unit in (COMMUNE, OTHER):
        die(office, unit)
    answers = office.engine.redrive(f"H22|{receipt.document_id}")
    assert [one.state for one in answers] == ["queued", "queued"]
    assert office.engine.track(receipt.key).states == {"queued": 3}
    for unit in (COMMUNE, OTHER, "H22.32.20"):
        (one,) = office.lease(unit)
        assert one.attempt == 1
    assert error_of(lambda: office.engine.redrive("00" * 16))[0] == "document.not_found"
    assert error_of(lambda: office.engine.redrive(receipt.key, actor=" "))[0] == "actor.invalid"


def test_hand_outs_are_counted_though_the_process_is_killed_after_each(tmp_path: Path) -> None:
    """What a killed process leaves is what its files hold at that instant."""
    office = Office(tmp_path / "0")
    office.send(recipients=COMMUNE)
    for attempt in range(1, 6):
        (one,) = office.lease(COMMUNE, lease_s=1)
        assert one.attempt == attempt
        shutil.copytree(tmp_path / f"{attempt - 1}", tmp_path / f"{attempt}")
        office.engine.close()
        office._store = tmp_path / f"{attempt}"
        office.engine = office._open()
        office.clock.advance(1)
    tracked = office.engine.delivery(one.delivery)
    assert (tracked.state, tracked.attempts) == ("queued", 5)
    office.engine.close()
