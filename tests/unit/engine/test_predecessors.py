"""After a merge or a split the default successor reads what its predecessors had; others don't.

What was sent and what was received: tracking, explanation, the history of a delivery, the
inbox.
"""

from __future__ import annotations

import pytest
from support.office import LUNG_CU, NOW_US, Office, error_of

from router.engine.facts import delivery_id
from router.model.instants import SECOND_US
from router.model.reorganisations import (
    Changing,
    Correction,
    Event,
    Fix,
    Merging,
    Reorganisation,
    Splitting,
)

LATER = NOW_US + 60 * SECOND_US
OLD, HEIR, OTHER = "H22.31.20", "H22.31.21", "H22.32.20"
NOT_YOURS = ("document.not_found", "")
NO_DELIVERY = ("delivery.not_found", "")

REFORMS: dict[str, tuple[Event, ...]] = {
    "merge": (Merging((OLD,), HEIR),),
    "split": (Splitting(OLD, (HEIR, OTHER)),),
}


class Reformed:
    """An office in which `OLD` sent one document and took one, and then came to its end."""

    def __init__(self, events: tuple[Event, ...]) -> None:
        self.office = office = Office()
        self.sent = office.send(OLD, recipients="H22").key
        self.received = office.send("H22.1", recipients=OLD).key
        (taken,) = office.lease(OLD, actor="văn thư cũ")
        office.engine.acknowledge(OLD, [taken.delivery], actor="văn thư cũ")
        self.waiting = office.send("H22.1", recipients=OLD).key
        self.taken = taken.delivery
        office.engine.change_directory(Reorganisation(LATER, "NQ 1685", events))
        office.clock.advance(61)


@pytest.fixture(params=REFORMS)
def reformed(request: pytest.FixtureRequest) -> Reformed:
    return Reformed(REFORMS[request.param])


def test_the_default_successor_reads_what_was_sent_and_received(reformed: Reformed) -> None:
    engine = reformed.office.engine
    assert engine.track(reformed.sent, unit=HEIR).sender == OLD
    assert engine.explain(reformed.sent, "H22", viewer=HEIR).receives
    assert engine.explain(reformed.received, OLD, viewer=HEIR).receives
    past = engine.delivery(reformed.taken, unit=HEIR)
    assert [(event.state, event.unit) for event in past.history] == [
        ("queued", "H22.1"), ("leased", OLD), ("delivered", OLD),
    ]  # fmt: skip
    assert past.history[-1].actor == "văn thư cũ"
    waits = delivery_id(bytes.fromhex(reformed.waiting), LUNG_CU)
    assert engine.delivery(waits, unit=HEIR).state == "queued"
    (delivery,) = engine.lease(HEIR)
    assert (delivery.key, delivery.address) == (reformed.waiting, OLD)


def test_nobody_else_does_not_even_another_successor(reformed: Reformed) -> None:
    engine = reformed.office.engine
    for stranger in (OTHER, OLD, "H22.31", "H22.32"):
        assert error_of(lambda who=stranger: engine.track(reformed.sent, unit=who)) == NOT_YOURS
        code = error_of(lambda who=stranger: engine.explain(reformed.sent, "H22", viewer=who))
        assert code == NOT_YOURS
        assert error_of(
            lambda who=stranger: engine.explain(reformed.received, OLD, viewer=who)
        ) == (NOT_YOURS)
        assert error_of(lambda who=stranger: engine.delivery(reformed.taken, unit=who)) == (
            NO_DELIVERY
        )
    assert engine.lease(OTHER) == []


def test_a_grant_lets_another_successor_read_but_not_take(reformed: Reformed) -> None:
    office = reformed.office
    office.engine.grant_right(OTHER, "read", OLD, reason="kế thừa một phần", actor="Bà Lan")
    engine = office.reopen()
    assert engine.track(reformed.sent, unit=OTHER).sender == OLD
    assert engine.explain(reformed.received, OLD, viewer=OTHER).receives
    assert engine.delivery(reformed.taken, unit=OTHER).state == "delivered"
    assert engine.lease(OTHER) == []
    assert error_of(lambda: engine.track(reformed.received, unit=OTHER)) == NOT_YOURS
    own = office.send(HEIR, recipients="H22").key
    assert error_of(lambda: engine.track(own, unit=OTHER)) == NOT_YOURS, "only what OLD had"


def test_a_chain_of_reforms_is_followed_to_who_answers_today() -> None:
    reformed = Reformed(REFORMS["merge"])
    engine = reformed.office.engine
    again = LATER + 3_600 * SECOND_US
    engine.change_directory(Reorganisation(again, "NQ 2", (Merging((HEIR,), OTHER),)))
    assert engine.track(reformed.sent, unit=HEIR)
    reformed.office.clock.advance(3_600)
    assert engine.track(reformed.sent, unit=OTHER)
    assert error_of(lambda: engine.track(reformed.sent, unit=HEIR)) == NOT_YOURS
    assert engine.delivery(reformed.taken, unit=OTHER).state == "delivered"


def test_a_move_takes_nothing_from_the_unit_and_gives_its_new_parent_nothing() -> None:
    reformed = Reformed((Changing(OLD, parent="H22.32", name="UBND phường Lũng Cú"),))
    engine = reformed.office.engine
    assert engine.track(reformed.sent, unit=OLD)
    assert engine.delivery(reformed.taken, unit=OLD)
    assert [one.key for one in engine.lease(OLD)] == [reformed.waiting]
    assert error_of(lambda: engine.track(reformed.sent, unit="H22.32")) == NOT_YOURS


def test_a_delivery_is_seen_from_both_ends_and_by_operators() -> None:
    office = Office()
    key = office.send("H22.1", recipients=f"{OLD} | {HEIR}").key
    name = delivery_id(bytes.fromhex(key), LUNG_CU)
    for viewer in (None, "H22.1", OLD):
        assert office.engine.delivery(name, unit=viewer).address == OLD
    for viewer in (HEIR, "H22"):
        assert error_of(lambda who=viewer: office.engine.delivery(name, unit=who)) == NO_DELIVERY
    absent = delivery_id(bytes.fromhex(key), 7)
    unknown = delivery_id(bytes(16), LUNG_CU)
    for wrong in (absent, unknown, "", "A" * 27, name + "A"):
        assert error_of(lambda one=wrong: office.engine.delivery(one)) == NO_DELIVERY


def test_a_unit_that_never_was_may_nothing_and_breaks_nothing() -> None:
    office = Office()
    token = office.engine.create_token(OLD, "văn thư")
    right = office.engine.grant_right(OLD, "read", "H22", reason="x")
    sent = office.send(OLD, recipients="H22").key
    received = office.send("H22", recipients=f"{OLD} | {HEIR}").key
    office.lease(OLD)
    fix = Correction("nhập nhầm", fixes=(Fix(LUNG_CU, withdrawn=True),))
    office.engine.change_directory(fix)
    engine = office.reopen()
    assert error_of(lambda: engine.authenticate(token)) == ("token.invalid", "")
    assert [(one.unit, one.code) for one in engine.tokens()] == [(LUNG_CU, "")]
    assert [(one.id, one.code) for one in engine.rights()] == [(right.id, "")]
    assert error_of(lambda: engine.track(sent, unit=HEIR)) == NOT_YOURS
    assert engine.track(sent).sender == OLD
    tracking = engine.track(received, unit="H22")
    assert {one.address: one.state for one in tracking.deliveries} == {
        OLD: "leased", HEIR: "queued",
    }  # fmt: skip
    assert [one.address for one in engine.lease(HEIR)] == [HEIR]
    assert engine.check() == []
