"""Who has it and who not, below a unit and in one state: counts and pages agree with a look at
each delivery, whatever happened to them."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from random import Random

import pytest
from support.office import COMMITTEE, DONG_VAN, MEO_VAC, OPENED_US, Office, error_of

from router import limits
from router.engine.facts import delivery_id
from router.model.answers import TrackedDelivery
from router.model.reorganisations import Changing, Reorganisation
from router.model.units import Unit

BELOW = (None, "H22", "H22.31", "H22.32", "H22.31.20", "H22.1")
STATES = ("queued", "leased", "delivered", "refused", "expired", "dead")


def country(office: Office, count: int) -> list[Unit]:
    kinds = (COMMITTEE, "office")
    units = [
        Unit(100 + i, f"H22.9{i}", f"UBND {i}", 3 + i % 2, kinds[i % 3 == 0],
             (DONG_VAN, MEO_VAC)[i % 2], valid_from=OPENED_US)
        for i in range(count)
    ]  # fmt: skip
    office.engine.import_units(units)
    return units


def district_of(office: Office, code: str) -> str:
    unit = office.engine.unit(code)
    parent = unit.parent
    return "" if parent is None else office.engine.unit(parent).code


def everything(office: Office, key: str, limit: int = 7, **asked: str) -> list[TrackedDelivery]:
    """Read all pages."""
    found: list[TrackedDelivery] = []
    page = 0
    while True:
        answer = office.engine.track(key, limit=limit, page=page, **asked)
        found += answer.deliveries
        if not answer.next_page:
            return found
        assert len(answer.deliveries) == limit
        page = answer.next_page


def lies_below(office: Office, code: str, root: str | None) -> bool:
    if root is None:
        return True
    while code := district_of(office, code):
        if code == root:
            return True
    return False


@pytest.mark.parametrize("seed", range(6))
def test_counts_and_pages_agree_with_each_delivery(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "TRACKING_CHUNK", 5)
    random = Random(seed)
    office = Office()
    units = country(office, 60)
    selectors = ("all", "tier(commune)", "subtree(H22.31) | H22.32.20", "all - kind(office)")
    life = random.choice((None, 600))
    key = office.send("H22.1", recipients=random.choice(selectors), time_to_live_s=life).key
    office.send("H22.1")
    engine = office.engine
    for unit in (*units, *(engine.unit(code) for code in ("H22.31", "H22.31.20", "H22.32.20"))):
        choice = random.random()
        raw = delivery_id(bytes.fromhex(key), unit.number)
        if choice < 0.25:
            engine.acknowledge(unit.code, [raw])
        elif choice < 0.35:
            engine.refuse(unit.code, [raw], "Gửi nhầm")
        elif choice < 0.7:
            office.lease(unit.code, 1, lease_s=random.choice((5, 900)))
    for after_s in (0, 10, 600):
        office.clock.advance(after_s)
        if random.random() < 0.5:
            engine.tick()
        each = [engine.delivery(delivery_id(bytes.fromhex(key), engine.unit(one.address).number))
                for one in everything(office, key)]  # fmt: skip
        for root in BELOW:
            asked = {} if root is None else {"below": root}
            wanted = [one for one in each if lies_below(office, one.address, root)]
            tracking = engine.track(key, limit=0, **asked)
            assert tracking.states == Counter(one.state for one in wanted)
            assert tracking.recipients == len(wanted)
            by_tier: dict[str, Counter[str]] = {}
            for one in wanted:
                by_tier.setdefault(one.tier, Counter())[one.state] += 1
            assert tracking.by_tier == by_tier
            for state in (None, *STATES):
                more = asked if state is None else {**asked, "state": state}
                listed = everything(office, key, **more)
                expected = [one for one in wanted if state in (None, one.state)]
                assert [(one.address, one.state, one.since) for one in listed] == [
                    (one.address, one.state, one.since) for one in expected
                ]


def test_what_was_queued_again_is_counted_once_and_listed_where_it_stands() -> None:
    office = Office()
    country(office, 12)
    key = office.send("H22.1").key
    for code in ("H22.31.20", "H22.93", "H22.94"):
        for _ in range(limits.DELIVERY_ATTEMPTS_MAX):
            office.lease(code, lease_s=1)
            office.clock.advance(1)
        office.lease(code)
    tracking = office.engine.track(key, limit=0)
    assert tracking.states == {"queued": 16, "dead": 3}
    dead = everything(office, key, state="dead")
    assert {one.address for one in dead} == {"H22.31.20", "H22.93", "H22.94"}
    office.engine.redrive(key, ["H22.31.20", "H22.94"], reason="đã sửa")
    assert office.engine.track(key, limit=0).states == {"queued": 18, "dead": 1}
    listed = everything(office, key)
    assert len({one.address for one in listed}) == len(listed) == 19
    assert [one.address for one in everything(office, key, state="dead")] == ["H22.93"]
    assert office.engine.track(key, below="H22.31", limit=0).states == {"queued": 8}
    assert office.engine.track(key, below="H22.32", limit=0).states == {"queued": 6, "dead": 1}
    office.engine.redrive(key)
    assert everything(office, key, state="dead") == []
    assert office.engine.track(key).recipients == 19


def test_below_is_asked_in_the_directory_that_the_document_was_resolved_in() -> None:
    office = Office()
    key = office.send("H22.1", recipients="tier(commune)").key
    move = Changing("H22.31.20", parent="H22.32")
    office.engine.change_directory(Reorganisation(office.clock.now_us(), "NQ", (move,)))
    assert office.engine.track(key, below="H22.31").recipients == 2
    assert office.engine.track(key, below="H22.32").recipients == 1
    assert office.engine.track(key, below="H22.31.20").recipients == 0


def test_questions_that_make_no_sense_are_refused() -> None:
    office = Office()
    key = office.send().key
    assert error_of(lambda: office.engine.track(key, below="H99"))[0] == "unit.not_found"
    place = error_of(lambda: office.engine.track(key, state="gone"))
    assert place == ("field.invalid", "$.state")


def test_the_history_of_one_delivery_is_in_order_and_ends_when_it_is_over() -> None:
    office = Office()
    key = office.send(recipients="H22.31.20", time_to_live_s=60).key
    office.lease("H22.31.20", lease_s=5)
    office.clock.advance(10)
    (again,) = office.lease("H22.31.20")
    office.engine.acknowledge("H22.31.20", [again.delivery], actor="Hoa")
    office.clock.advance(60)
    office.engine.tick()
    events = office.engine.delivery(again.delivery).history
    assert [event.state for event in events] == ["queued", "leased", "leased", "delivered"]
    assert all(one.at <= two.at for one, two in pairwise(events))
    assert office.engine.track(key).states == {"delivered": 1}
