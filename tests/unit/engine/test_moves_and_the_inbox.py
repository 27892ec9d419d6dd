"""What was addressed before a move, a merge, a split or a new kind reaches the right unit after.

An inbox reads topics (ancestor, tier, kind) of all that a unit ever was; membership is tested
under the entry's own snapshot.  A cursor stands for the topics it was found under: when these
change, the inbox is walked from its beginning once more.
"""

from __future__ import annotations

from datetime import datetime
from random import Random

import pytest
from support.office import (
    COMMITTEE,
    LUNG_CU,
    MA_LE,
    MEO_VAC,
    NOW_US,
    OPENED_US,
    PA_VI,
    Office,
)

from router.errors import RecipientError
from router.model.instants import SECOND_US, VIETNAM_TIME, instant_of
from router.model.reorganisations import (
    Changing,
    Correction,
    Event,
    Fix,
    Merging,
    Opening,
    Reorganisation,
    Splitting,
)
from router.model.units import Unit

LATER = NOW_US + 60 * SECOND_US
OLD, HEIR, OTHER = "H22.31.20", "H22.31.21", "H22.32.20"
EVERYONE = ("H22", "H22.1", "H22.31", "H22.32", OLD, HEIR, OTHER)


def reform(office: Office, *events: Event, at_us: int | None = None) -> None:
    at_us = office.clock.now_us() if at_us is None else at_us
    office.engine.change_directory(Reorganisation(at_us, "NQ", events))


def taken(office: Office, unit: str) -> list[tuple[str, str]]:
    """Take all that waits for a unit; return (key, address) in order."""
    got: list[tuple[str, str]] = []
    while some := office.lease(unit):
        office.engine.acknowledge(unit, [one.delivery for one in some])
        got += [(one.key, one.address) for one in some]
    return got


def closed_to(office: Office, *codes: str) -> bool:
    """Say whether nothing waits for any of these units."""
    return all(not office.engine.waiting(code) for code in codes)


@pytest.mark.parametrize(
    "event",
    [
        Changing(OLD, parent="H22.32"),
        Changing(OLD, kind="office"),
        Changing(OLD, tier=3, parent="H22"),
        Changing(OLD, name="UBND phường", code="H22.32.29"),
        Changing("H22.31", parent=None),
    ],
    ids=["moved", "another kind", "another tier", "renamed", "its parent moved"],
)
@pytest.mark.parametrize("selector", [OLD, "children(H22.31)", "tier(commune) - H22.32.20", "all"])
def test_what_waits_when_a_unit_changes_is_still_its_own(event: Changing, selector: str) -> None:
    office = Office()
    key = office.send("H22.1", recipients=selector).key
    reform(office, event, at_us=LATER)
    assert office.engine.waiting(OLD)
    office.clock.advance(61)
    office.reopen()
    code = office.engine.unit(LUNG_CU).code
    assert [found for found, _ in taken(office, code)] == [key]
    others = [one for one in EVERYONE if one != OLD]
    if selector == OLD:
        assert closed_to(office, *others)
    else:
        receivers = [one for one in others if taken(office, one)]
        told = [one for one in others if office.engine.explain(key, one).receives]
        assert receivers == told, "nobody else gained or lost by it"


def test_what_is_addressed_to_the_new_parent_reaches_who_moved_there() -> None:
    office = Office()
    old = office.send("H22.1", recipients="children(H22.31)").key
    assert [key for key, _ in taken(office, OLD)] == [old]
    reform(office, Changing(OLD, parent="H22.32"))
    new = office.send("H22.1", recipients="children(H22.32)").key
    left = office.send("H22.1", recipients="children(H22.31)").key
    assert [key for key, _ in taken(office, OLD)] == [new]
    assert [key for key, _ in taken(office, OTHER)] == [new]
    assert [key for key, _ in taken(office, HEIR)] == [old, left]


def test_a_change_between_acceptance_and_lease_changes_no_recipient() -> None:
    """The document was resolved under an old snapshot; its audience stays what it was."""
    office = Office()
    keys = []
    for parent in ("H22.32", "H22.31", "H22.32"):
        keys.append(office.send("H22.1", recipients="children(H22.31)").key)
        reform(office, Changing(OLD, parent=parent))
    assert [key for key, _ in taken(office, OLD)] == [keys[0], keys[2]]
    assert [key for key, _ in taken(office, HEIR)] == keys
    assert taken(office, OTHER) == []


def test_the_reform_of_july_2025() -> None:
    """Communes' mail from before 1 July is pulled by their default successors after it."""
    office = Office()
    day = instant_of(datetime(2025, 7, 1, tzinfo=VIETNAM_TIME))
    office.clock.instant_us = day - 3_600 * SECOND_US
    mail = {code: office.send("H22.1", recipients=code).key for code in (OLD, HEIR, OTHER)}
    district = office.send("H22.1", recipients="H22.31").key
    broadcast = office.send("H22.1", recipients="tier(commune)").key
    merged = Unit(101, "H22.901", "UBND xã Lũng Cú (mới)", 4, COMMITTEE, valid_from=day)
    ward = Unit(102, "H22.902", "UBND phường Mèo Vạc", 4, COMMITTEE, valid_from=day)
    reform(
        office,
        Opening(merged, parent="H22"),
        Opening(ward, parent="H22"),
        Merging((OLD, HEIR), "H22.901"),
        Splitting(OTHER, ("H22.902", "H22.901")),
        Merging(("H22.31", "H22.32"), "H22"),
        at_us=day,
    )
    assert office.engine.lease("H22.901") == []
    office.clock.instant_us = day + SECOND_US
    after = office.send("H22.1", recipients="H22.901").key
    assert sorted(taken(office, "H22.901")) == sorted([
        (mail[OLD], OLD), (mail[HEIR], HEIR), (broadcast, OLD), (broadcast, HEIR),
        (after, "H22.901"),
    ])  # fmt: skip
    assert sorted(taken(office, "H22.902")) == sorted([(mail[OTHER], OTHER), (broadcast, OTHER)])
    assert taken(office, "H22") == [(district, "H22.31")]
    assert office.engine.check() == []


# Cursors.


def subscriptions(office: Office, number: int) -> tuple[bytes, ...]:
    return office.engine._rooms.subscriptions(number)


def lease_under(office: Office, number: int, topics: tuple[bytes, ...]) -> list[str]:
    """Lease and settle as one who read the topics at some time."""
    places, queue = office.engine._rooms.places(number), office.engine._queue
    now_us = office.clock.now_us()
    found = queue.lease(number, topics, places, 1_000, now_us + SECOND_US, now_us, "x")
    items = [(one.key, "delivered", "") for one in found]
    queue.settle(number, items, now_us, number, "x", places)
    return [one.key.hex() for one in found]


def test_a_cursor_found_under_fewer_topics_hides_nothing_of_the_new_ones() -> None:
    """A lease that read its topics before a move ends after it, and moves a cursor.

    The cursor passes an entry that stands under a topic of after the move: a member that was
    never offered.  It must not stand for the topics of today.
    """
    office = Office()
    more = [  # so many that they are found below their district, not each by name
        Unit(90 + i, f"H22.32.3{i}", "UBND xã", 4, COMMITTEE, MEO_VAC, valid_from=OPENED_US)
        for i in range(4)
    ]
    office.engine.import_units(more)
    before = subscriptions(office, LUNG_CU)
    reform(office, Changing(OLD, parent="H22.32"))
    missed = office.send("H22.1", recipients="children(H22.32)").key
    letters = [office.send("H22.1", recipients=OLD).key for _ in range(4)]
    assert lease_under(office, LUNG_CU, before) == letters
    assert lease_under(office, LUNG_CU, before) == [], "the cursor moves past them all"
    assert [key for key, _ in taken(office, OLD)] == [missed]
    assert subscriptions(office, LUNG_CU) != before
    assert taken(office, OLD) == []
    assert lease_under(office, LUNG_CU, before) == []
    assert office.engine.check() == []


def test_what_is_open_below_a_cursor_comes_again_after_a_move() -> None:
    office = Office()
    kept = office.send("H22.1", recipients="children(H22.31)").key
    (held,) = office.lease(OLD, lease_s=3_600)
    assert held.key == kept
    for _ in range(5):
        office.send("H22.1", recipients=OLD)
    assert len(taken(office, OLD)) == 5
    assert not office.lease(OLD), "the cursor is past what is held"
    reform(office, Changing(OLD, parent="H22.32", kind="office"))
    new = office.send("H22.1", recipients="children(H22.32)").key
    assert [key for key, _ in taken(office, OLD)] == [new]
    office.clock.advance(3_601)
    office.reopen()
    assert [key for key, _ in taken(office, OLD)] == [kept]
    assert taken(office, OLD) == []
    assert office.engine.check() == []


def test_a_correction_of_the_past_lets_nothing_be_missed() -> None:
    """A document accepted before the correction keeps its audience; one after has the new."""
    office = Office()
    old = [office.send("H22.1", recipients="children(H22.31)").key for _ in range(3)]
    assert [key for key, _ in taken(office, OLD)] == old
    meo_vac = office.engine.unit("H22.32").number
    fix = Correction("nhập nhầm", fixes=(Fix(LUNG_CU, parent=meo_vac),))
    waits = office.send("H22.1", recipients="children(H22.31)").key
    office.engine.change_directory(fix)
    new = office.send("H22.1", recipients="children(H22.32)").key
    assert [key for key, _ in taken(office, OLD)] == [waits, new]
    assert [key for key, _ in taken(office, HEIR)] == [*old, waits]


@pytest.mark.parametrize("seed", range(12))
def test_every_letter_arrives_once_where_it_should_through_many_moves(seed: int) -> None:
    random = Random(seed)
    office = Office()
    communes = {LUNG_CU: OLD, MA_LE: HEIR, PA_VI: OTHER}
    wanted: dict[str, list[str]] = {code: [] for code in communes.values()}
    got: dict[str, list[str]] = {code: [] for code in communes.values()}
    topics = {number: [subscriptions(office, number)] for number in communes}
    for _ in range(60):
        choice = random.random()
        number = random.choice(list(communes))
        if choice < 0.35:
            selector = random.choice(["children(H22.31)", "children(H22.32)", "tier(commune)"])
            try:
                members = office.engine.resolve(selector).units
            except RecipientError:  # nobody is left below that district
                continue
            key = office.send("H22.1", recipients=selector).key
            for unit in members:
                wanted[unit.code].append(key)
        elif choice < 0.6:
            parent = random.choice(["H22.31", "H22.32"])
            kind = random.choice([COMMITTEE, "office", "department"])
            reform(office, Changing(number, parent=parent, kind=kind))
            topics[number].append(subscriptions(office, number))
        else:
            known = random.choice(topics[number])
            got[communes[number]] += lease_under(office, number, known)
    for number, code in communes.items():
        got[code] += lease_under(office, number, subscriptions(office, number))
        assert sorted(got[code]) == sorted(wanted[code])
        assert lease_under(office, number, subscriptions(office, number)) == []
    assert office.engine.check() == []
