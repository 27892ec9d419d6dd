"""Held parts: approving, denying, expiring; once, by who may, told to the sender."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from support.office import Office, error_of
from support.policies import in_force

from router.engine import Arrival
from router.errors import ConflictError, ForbiddenError
from router.model.answers import OutboxEvent
from router.model.policies import HoldShown

COMMUNES = "tier(commune)"
DAY_S = 86_400


def rule(name: str, recipients: str, approvers: str, days: int = 2) -> str:
    return (
        f'[[rules]]\nname = "{name}"\nrecipients = "{recipients}"\n'
        f'effect = {{ hold = {{ approvers = "{approvers}", expires_working_days = {days} }} }}\n'
    )


HOLD = 'default = "allow"\n' + rule("ask", COMMUNES, "parent(sender)")
TWICE = HOLD + rule("health", "H22.31.20", "H22.1", 1)


def office_with(toml: str = HOLD, home: Path | None = None) -> Office:
    office = Office(home)
    in_force(office, toml)
    return office


def events(office: Office, unit: str) -> list[OutboxEvent]:
    while office.engine.tick():
        pass
    return list(office.engine.outbox(unit).events)


def kinds(office: Office, unit: str = "H22.31") -> list[str]:
    return [one.kind for one in events(office, unit)]


def only(office: Office, **options: object) -> HoldShown:
    (shown,) = office.engine.holds(**options).holds  # type: ignore[arg-type]
    return shown


def test_a_released_part_is_new_in_inboxes_under_the_policy_that_held_it() -> None:
    office = office_with()
    arrived: list[int] = []
    everybody = list(range(1, 8))
    office.engine.listen(
        lambda batch: arrived.extend(len(one.reached(everybody, {})) for one in batch)
    )
    receipt = office.send("H22.31", COMMUNES)
    shown = only(office)
    assert (shown.hold, shown.recipients, shown.state) == (f"{receipt.key}/1", 3, "held")
    assert shown.expires_at == "2024-09-07T00:00:00+07:00"
    assert [(one.rule, one.units) for one in shown.approvals] == [("ask", ("H22",))]
    in_force(office, 'default = "forbid"\n')  # a later policy changes nothing here
    office.clock.advance(60)
    done = office.engine.approve(shown.hold, "H22", actor="lãnh đạo", reason="đồng ý")
    assert (done.state, done.repeated, done.reason) == ("released", False, "đồng ý")
    assert (done.approvals[0].approved_by, done.approvals[0].actor) == ("H22", "lãnh đạo")
    (delivery,) = office.lease("H22.31.20")
    assert delivery.key == receipt.key
    assert office.engine.explain(receipt.key, "H22.31.20").receives
    tracked = office.engine.track(receipt.key)
    assert tracked.states == {"queued": 2, "leased": 1}
    (history,) = [one.history for one in tracked.deliveries if one.address == "H22.31.20"]
    assert [one.state for one in history] == ["held", "queued", "leased"]
    (event,) = events(office, "H22.31")
    assert (event.kind, event.hold, event.recipients) == ("released", shown.hold, 3)
    assert (event.answered_by, event.reason) == ("H22", "đồng ý")
    assert office.engine.holds().holds == ()
    assert arrived[-1] == 3
    assert office.reopen().check() == []


def test_a_denial_excludes_for_good_and_says_why() -> None:
    office = office_with()
    shown = only_after_send(office)
    assert error_of(lambda: office.engine.deny(shown.hold, "H22", " ", actor="x"))[0] == (
        "reason.missing"
    )
    done = office.engine.deny(shown.hold, "H22", "sai thẩm quyền", actor="x")
    assert (done.state, done.reason) == ("denied", "sai thẩm quyền")
    assert office.engine.deny(shown.hold, "H22", "lần nữa", actor="x").repeated
    with pytest.raises(ConflictError) as told:
        office.engine.approve(shown.hold, "H22", actor="x")
    assert (told.value.code, told.value.facts["state"]) == ("hold.over", "denied")
    assert office.engine.track(shown.key).states == {"excluded": 3}
    (event,) = events(office, "H22.31")
    assert (event.kind, event.reason) == ("denied", "sai thẩm quyền")
    assert not office.lease("H22.31.20")
    assert office.reopen().check() == []


def only_after_send(office: Office, sender: str = "H22.31") -> HoldShown:
    office.send(sender, COMMUNES)
    return only(office)


def test_nobody_approves_but_the_approvers_and_never_the_sender() -> None:
    office = office_with('default = "allow"\n' + rule("ask", COMMUNES, "H22 | sender"))
    shown = only_after_send(office)
    for unit in ("H22.31", "H22.1", "H22.31.20"):
        with pytest.raises(ForbiddenError) as told:
            office.engine.approve(shown.hold, unit, actor="x")
        assert told.value.code == "hold.not_approver"
        with pytest.raises(ForbiddenError):
            office.engine.deny(shown.hold, unit, "không", actor="x")
    assert only(office).state == "held"
    assert shown.approvals[0].units == ("H22",)


def test_who_may_approve_is_who_the_directory_says_today() -> None:
    office = office_with('default = "allow"\n' + rule("ask", COMMUNES, "siblings(sender)", 9))
    shown = only_after_send(office)
    assert set(shown.approvals[0].units) == {"H22.1", "H22.32"}
    office.close_commune("H22.32.20", ("H22.31.20",))
    office.close_commune("H22.32", ("H22",))
    assert only(office).approvals[0].units == ("H22.1",)
    assert office.engine.approve(shown.hold, "H22.1", actor="x").state == "released"


def test_a_part_that_needs_two_approvals_waits_for_both_over_a_restart() -> None:
    office = office_with(TWICE)
    receipt = office.send("H22.31", COMMUNES)
    both = next(one for one in office.engine.holds().holds if len(one.approvals) == 2)
    assert both.units == ("H22.31.20",)
    assert both.expires_at == "2024-09-06T00:00:00+07:00"  # the earliest of the two
    half = office.engine.approve(both.hold, "H22.1", actor="sở", reason="y tế")
    assert (half.state, half.repeated) == ("held", False)
    assert office.engine.approve(both.hold, "H22.1", actor="sở").repeated
    assert not office.lease("H22.31.20")
    office.reopen()
    half = office.engine.hold(both.hold)
    assert [(one.rule, one.approved_by) for one in half.approvals] == [
        ("ask", ""), ("health", "H22.1"),
    ]  # fmt: skip
    done = office.engine.approve(both.hold, "H22", actor="lãnh đạo")
    assert (done.state, [one.approved_by for one in done.approvals]) == (
        "released", ["H22", "H22.1"],
    )  # fmt: skip
    assert [one.key for one in office.lease("H22.31.20")] == [receipt.key]
    assert kinds(office) == ["released"]
    assert office.engine.check() == []


def test_one_denial_ends_a_part_that_was_approved_by_another() -> None:
    office = office_with(TWICE)
    office.send("H22.31", "H22.31.20")
    shown = only(office)
    office.engine.approve(shown.hold, "H22.1", actor="x")
    assert office.engine.deny(shown.hold, "H22", "không", actor="x").state == "denied"


def test_what_runs_out_is_over_by_the_clock_and_the_sender_is_told_once() -> None:
    office = office_with()
    shown = only_after_send(office)
    office.clock.advance(4 * DAY_S)
    with pytest.raises(ConflictError) as told:  # before any tick
        office.engine.approve(shown.hold, "H22", actor="x")
    assert told.value.facts["state"] == "expired"
    assert office.engine.holds().holds == ()
    assert kinds(office) == ["hold_expired"]
    assert kinds(office) == ["hold_expired"]
    office.reopen()
    assert kinds(office) == ["hold_expired"]
    assert office.engine.track(shown.key).states == {"expired": 3}
    assert office.engine.holds(document=shown.key, state="expired").holds[0].hold == shown.hold
    assert office.engine.check() == []


def test_a_held_part_ends_with_its_documents_time_to_live() -> None:
    office = office_with()
    office.send("H22.31", COMMUNES, time_to_live_s=3_600)
    assert only(office).expires_at == "2024-09-04T11:00:00+07:00"


def test_a_released_part_keeps_its_lane_and_its_documents_time_to_live() -> None:
    office = office_with(HOLD + '[[rules]]\nname = "l"\neffect = { lane = "urgent" }\n')
    office.send("H22.31", COMMUNES, time_to_live_s=7_200)
    office.engine.approve(only(office).hold, "H22", actor="x")
    assert [one.lane for one in office.lease("H22.31.21")] == ["urgent"]
    office.clock.advance(7_201)
    while office.engine.tick():
        pass
    assert not office.lease("H22.31.20")


def at_once(*ends: Callable[[], object]) -> list[str]:
    """Run ends of a part on threads that start together; return the refusals."""
    refusals: list[str] = []
    ready = threading.Barrier(len(ends))

    def run(end: Callable[[], object]) -> None:
        ready.wait()
        try:
            end()
        except ConflictError as error:
            refusals.append(error.code)

    threads = [threading.Thread(target=run, args=(end,)) for end in ends]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return refusals


@pytest.mark.parametrize("other", ["approve", "deny", "tick"])
@pytest.mark.parametrize("turn", range(5))
def test_two_ends_at_once_are_one_after_the_other(other: str, turn: int) -> None:
    office = office_with()
    engine, shown = office.engine, only_after_send(office)
    if other == "tick":
        office.clock.advance(3 * DAY_S)
    ends = [
        lambda: engine.approve(shown.hold, "H22", actor="a"),
        {
            "approve": lambda: engine.approve(shown.hold, "H22", actor="b"),
            "deny": lambda: engine.deny(shown.hold, "H22", "không", actor="b"),
            "tick": engine.tick,
        }[other],
    ]
    refusals = at_once(*(reversed(ends) if turn % 2 else ends))
    assert refusals == ([] if other == "approve" else ["hold.over"])
    states = engine.track(shown.key).states
    assert list(states.values()) == [3], "all members share one end"
    assert len(kinds(office)) == 1
    assert engine.check() == []


def test_a_unit_sees_what_it_may_approve_and_what_it_sent() -> None:
    office = office_with()
    shown = only_after_send(office)
    for unit in ("H22", "H22.31"):
        assert only(office, unit=unit).hold == shown.hold
    assert office.engine.holds("H22.1").holds == ()
    assert error_of(lambda: office.engine.hold(shown.hold, unit="H22.1"))[0] == "hold.not_found"
    assert office.engine.holds("H22.1", document=shown.key, state="").holds == ()
    for wrong in ("", "x/1", shown.key, f"{shown.key}/2", f"{shown.key}/0", f"{shown.key}/１"):
        assert error_of(lambda wrong=wrong: office.engine.hold(wrong))[0] == "hold.not_found"


def test_holds_are_listed_in_pages_oldest_first() -> None:
    office = office_with()
    keys = [office.send("H22.31", COMMUNES).key for _ in range(3)]
    first = office.engine.holds(limit=2)
    assert [one.key for one in first.holds] == keys[:2]
    assert first.next_page == 1
    keys.append(office.send("H22.31", COMMUNES).key)  # after the index was made
    second = office.engine.holds(limit=2, page=1)
    assert [one.key for one in second.holds] == keys[2:]
    assert second.next_page == 0
    office.reopen()
    assert [one.key for one in office.engine.holds().holds] == keys
    for wrong in ({"limit": 0}, {"state": "released"}, {"state": "x", "document": keys[0]}):
        assert error_of(lambda wrong=wrong: office.engine.holds(**wrong))[0] == "field.invalid"


def test_an_arrival_is_told_of_what_was_released_and_not_of_what_is_held() -> None:
    office = office_with()
    reached: list[set[int]] = []

    def listener(batch: list[Arrival]) -> None:
        reached.extend(one.reached([3, 4, 6], {}) for one in batch)

    office.engine.listen(listener)  # type: ignore[arg-type]
    shown = only_after_send(office)
    assert reached == [set()]
    office.engine.approve(shown.hold, "H22", actor="x")
    assert reached[1:] == [{3, 4, 6}]


def test_a_recipient_that_closed_while_held_is_told_to_the_sender_on_release() -> None:
    office = office_with()
    office.send("H22.31", "H22.31.20")
    shown = only(office)
    office.close_commune("H22.31.20", ("H22.31.21",))
    office.engine.approve(shown.hold, "H22", actor="x")
    assert set(kinds(office)) == {"released", "redirected"}
    assert [one.address for one in office.lease("H22.31.21")] == ["H22.31.20"]


def test_a_page_beyond_all_pages_is_refused_or_empty_and_breaks_nothing() -> None:
    office = office_with()
    shown = only_after_send(office)
    assert office.engine.holds(page=10**6, document=shown.key, state="").holds == ()
    for page in (2**62, 10**30):
        assert error_of(lambda page=page: office.engine.holds(page=page))[0] == "field.invalid"
    assert error_of(lambda: office.engine.quarantined(after=2**70))[0] == "field.invalid"
