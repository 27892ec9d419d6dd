"""Documents whose verdict can't be reached yet: accepted, told nobody, decided later, once."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
from support.office import Office, refused
from support.policies import in_force
from support.undecided import Undecided, undecided
from support.waiting import until

from router import limits
from router.engine import Arrival, Engine
from router.model.answers import OutboxEvent
from router.queue.records import KIND_JOIN
from router.settings import Settings
from router.signatures.cold import ColdPaths
from router.signatures.paths import PathVerdict, judge_path

COMMUNES = "tier(commune)"
LUNG_CU = "H22.31.20"
HOLD = (
    'default = "allow"\n[[rules]]\nname = "ask"\nrecipients = "H22.31.20"\n'
    'effect = { hold = { approvers = "parent(sender)", expires_working_days = 2 } }\n'
    '[[rules]]\nname = "never"\nrecipients = "H22.32.20"\neffect = { forbid = "recipients" }\n'
)


@pytest.fixture
def verifier(monkeypatch: pytest.MonkeyPatch) -> type[Undecided]:
    return undecided(monkeypatch)


def ticked(engine: Engine) -> None:
    while engine.tick():
        pass


def told(office: Office, unit: str = "H22.31") -> list[OutboxEvent]:
    ticked(office.engine)
    return list(office.engine.outbox(unit).events)


def later(office: Office) -> None:
    """Go on for as long as any document waits to be judged again, and tick."""
    office.clock.advance(limits.VERDICT_RETRY_S_MAX + 1)
    ticked(office.engine)


def test_nobody_gets_what_waits_and_the_receipt_says_how_many(verifier: type[Undecided]) -> None:
    office = Office()
    receipt = office.send("H22.31", COMMUNES)
    assert (receipt.effective, receipt.waiting, receipt.held) == (3, 3, 0)
    for _ in range(3):
        assert not office.engine.waiting(LUNG_CU)
        assert office.lease(LUNG_CU) == []
        later(office)
    assert office.engine.track(receipt.key).states == {"waiting": 3}
    explained = office.engine.explain(receipt.key, LUNG_CU)
    assert not explained.receives
    assert "waits for the verdict" in explained.summary
    assert "còn chờ kết quả kiểm tra chữ ký số" in explained.summary_vi
    assert told(office) == []
    assert office.reopen().check() == []


def test_a_good_verdict_lets_it_go_as_judged_at_its_receipt(verifier: type[Undecided]) -> None:
    office = Office()
    accepted_us = office.clock.now_us()
    receipt = office.send("H22.31", COMMUNES)
    arrived: list[Arrival] = []
    office.engine.listen(arrived.extend)
    office.clock.advance(3_600)
    verifier.decided = "valid"
    later(office)
    assert set(office.engine._verifier.asked) == {accepted_us}
    assert office.engine.track(receipt.key).states == {"queued": 3}
    (delivery,) = office.lease(LUNG_CU)
    assert delivery.key == receipt.key
    assert len(arrived) == 1
    tracked = office.engine.track(receipt.key)
    (history,) = [one.history for one in tracked.deliveries if one.address == LUNG_CU]
    assert [one.state for one in history] == ["waiting", "queued", "leased"]
    (event,) = told(office)
    assert (event.kind, event.key, event.recipients) == ("verdict_valid", receipt.key, 3)
    assert office.reopen().check() == []


class Gate(threading.Event):
    """Opens for paths; `asked` is set when one is asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = threading.Event()


def gated(office: Office) -> Gate:
    """Let no path be judged before the event that is returned; no document waits for one.

    `gate.asked` is set when a path is asked for.
    """
    judging = office.engine._verifier
    office.engine._verification.turn_wait_s = Settings().turn_wait_s
    gate = Gate()

    def judge(*arguments: Any) -> PathVerdict:
        gate.asked.set()
        assert gate.wait(60)
        return judge_path(*arguments)

    judging._cold_wait_s = 0.0
    judging._cold = ColdPaths(judging._caches, judge)
    return gate


def test_a_turn_over_what_waits_does_not_wait_for_paths() -> None:
    office = Office()
    gate = gated(office)
    receipt = office.send("H22.31", COMMUNES)
    office.engine._verifier._cold_wait_s = 600.0  # what is submitted may wait as long as it will
    office.clock.advance(limits.VERDICT_RETRY_S_MAX)
    turn = threading.Thread(target=office.engine.tick, daemon=True)
    turn.start()
    turn.join(60)
    assert not turn.is_alive()
    assert office.engine.track(receipt.key).states == {"waiting": 3}
    gate.set()
    until(lambda: office.engine._verifier.landed_late)
    ticked(office.engine)
    assert office.engine.track(receipt.key).states == {"queued": 3}


def test_who_asks_about_signatures_is_answered_when_their_paths_are_known() -> None:
    office = Office()
    gate = gated(office)
    assert Settings().of_daemon().cold_wait_s < limits.VERIFY_WAIT_S
    office.engine._verification.answer_wait_s = 60.0

    def opens() -> None:
        gate.asked.wait(60)
        gate.set()

    threading.Thread(target=opens, daemon=True).start()
    (shown,) = office.engine.verify([office.envelope(sender="H22.31", recipients=COMMUNES)])
    assert (shown.status, shown.missing) == ("valid", ())


def test_a_path_that_was_judged_late_lets_its_document_go_without_a_pause() -> None:
    office = Office()
    gate = gated(office)
    receipt = office.send("H22.31", COMMUNES)
    assert receipt.waiting == 3
    ticked(office.engine)
    assert office.engine.track(receipt.key).states == {"waiting": 3}
    gate.set()
    until(lambda: office.engine._verifier.landed_late)
    ticked(office.engine)  # the clock stands still: no pause was waited for
    assert office.engine.track(receipt.key).states == {"queued": 3}


def test_a_document_with_two_reasons_to_be_judged_is_let_go_once() -> None:
    office = Office()
    gate = gated(office)
    ticked(office.engine)  # nothing waits since before the opening
    receipt = office.send("H22.31", COMMUNES)
    gate.set()
    until(lambda: office.engine._verifier.landed_late)
    ticked(office.engine)  # the first turn with something to judge takes all; and a path has landed
    assert office.engine.track(receipt.key).states == {"queued": 3}
    assert len(office.lease(LUNG_CU)) == 1
    assert [one.kind for one in told(office)] == ["verdict_valid"]
    assert office.reopen().check() == []


def test_a_document_that_was_let_go_twice_is_found_by_a_check(verifier: type[Undecided]) -> None:
    office = Office()
    receipt = office.send("H22.31", COMMUNES)
    verifier.decided = "valid"
    later(office)
    store = office.engine._queue.store
    records = [store.record(number) for number in range(1, store.last + 1)]
    (release,) = [one for one in records if one is not None and one[0] == KIND_JOIN]
    assert office.engine.check() == []
    store.append_raw([release])
    assert [one for one in office.engine.check() if "3 of its members are another" in one]
    assert receipt.waiting == 3


def test_what_a_turn_had_no_time_for_is_judged_by_the_next_one(verifier: type[Undecided]) -> None:
    office = Office()
    keys = []
    for _ in range(4):
        keys.append(office.send("H22.31", COMMUNES).key)
        office.clock.advance(1)  # judged as of its receipt: each is a group of its own
    later(office)
    office.engine._judge.turn_s = -1.0  # a turn has time for one group
    verifier.decided = "valid"
    office.clock.advance(limits.VERDICT_RETRY_S_MAX + 1)
    for _ in keys:  # the clock stands still: no pause was waited for
        office.engine.tick()
    assert [office.engine.track(key).states for key in keys] == [{"queued": 3}] * len(keys)


def test_a_bad_verdict_excludes_it_for_good_and_tells_the_sender_why(
    verifier: type[Undecided],
) -> None:
    office = Office()
    receipt = office.send("H22.31", COMMUNES)
    verifier.decided = "certificate.untrusted"
    later(office)
    assert office.engine.track(receipt.key).states == {"excluded": 3}
    (event,) = told(office)
    assert (event.kind, event.code) == ("verdict_invalid", "certificate.untrusted")
    assert (event.document_id, event.recipients) == (receipt.document_id, 3)
    verifier.decided = "valid"
    later(office)
    assert office.lease(LUNG_CU) == []
    assert told(office) == [event]
    assert office.reopen().check() == []


def test_the_stored_decision_stands_when_the_verdict_comes(verifier: type[Undecided]) -> None:
    office = Office()
    in_force(office, HOLD)
    receipt = office.send("H22.31", COMMUNES)
    assert (receipt.waiting, receipt.held, receipt.excluded) == (2, 1, 1)
    assert office.engine.track(receipt.key).states == {"waiting": 2, "excluded": 1}
    assert office.engine.holds().holds == ()
    (waits,) = office.engine.holds(document=receipt.key, state="waiting").holds
    with pytest.raises(Exception, match=r"hold\.waiting"):
        office.engine.approve(waits.hold, "H22", actor="x")
    in_force(office, 'default = "forbid"\n')  # of the acceptance, not of today
    verifier.decided = "valid"
    later(office)
    assert office.engine.track(receipt.key).states == {"queued": 1, "held": 1, "excluded": 1}
    (held,) = office.engine.holds().holds
    assert (held.hold, held.units) == (waits.hold, (LUNG_CU,))
    assert office.engine.approve(held.hold, "H22", actor="x").state == "released"
    assert [one.kind for one in told(office)] == ["verdict_valid", "released"]
    (delivery,) = office.lease(LUNG_CU)
    assert delivery.key == receipt.key
    (history,) = [
        one.history for one in office.engine.track(receipt.key).deliveries if one.address == LUNG_CU
    ]
    assert [one.state for one in history] == ["waiting", "held", "queued", "leased"]
    assert office.reopen().check() == []


def test_a_wait_without_end_expires_and_the_sender_is_told(verifier: type[Undecided]) -> None:
    office = Office()
    in_force(office, HOLD)
    receipt = office.send("H22.31", COMMUNES)
    office.clock.advance(limits.VERDICT_WAIT_S_MAX + 1)
    assert office.engine.track(receipt.key).states["expired"] >= 1
    verifier.decided = "valid"
    events = told(office)
    assert [one.kind for one in events if one.kind.startswith("verdict")] == ["verdict_expired"]
    assert office.engine.track(receipt.key).states == {"expired": 2, "excluded": 1}
    assert office.lease(LUNG_CU) == []
    assert office.lease("H22.31.21") == []
    assert office.reopen().check() == []


def test_a_time_to_live_ends_the_wait_too(verifier: type[Undecided]) -> None:
    office = Office()
    office.send("H22.31", COMMUNES, time_to_live_s=60)
    office.clock.advance(61)
    assert [one.kind for one in told(office)] == ["verdict_expired"]
    assert office.reopen().check() == []


def test_a_repetition_is_answered_with_the_first_receipt(verifier: type[Undecided]) -> None:
    office = Office()
    envelope = office.envelope(sender="H22.31", recipients=COMMUNES)
    (first,) = office.submit(envelope)
    verifier.decided = "valid"
    later(office)
    (again,) = office.submit(envelope)
    assert again.repeated
    assert (again.key, again.waiting) == (first.key, 3)


def test_what_waits_is_found_again_after_a_restart(
    verifier: type[Undecided], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("router.engine.waiting_parts.DUE_LOOKED_PER_TURN", 2)
    office = Office(tmp_path / "data")
    keys = [office.send("H22.31", COMMUNES).key for _ in range(5)]
    keys.append(office.send("H22.31", COMMUNES, time_to_live_s=3_600).key)
    engine = office.reopen()
    verifier.decided = "valid"
    for _ in range(8):
        engine.tick()
    assert sorted(one.key for one in office.lease(LUNG_CU)) == sorted(keys)
    assert office.reopen().check() == []


def test_too_many_waiting_documents_are_refused_for_now(
    verifier: type[Undecided], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("router.engine.waiting_parts.VERDICTS_WAITING_MAX", 1)
    office = Office()
    office.send("H22.31", COMMUNES)
    (outcome,) = office.submit(office.envelope(sender="H22.31", recipients=COMMUNES))
    assert refused(outcome).code == "signature.too_many_waiting"
    assert refused(outcome).status == 503


def test_a_redirection_of_what_waited_is_told_when_it_goes(verifier: type[Undecided]) -> None:
    office = Office()
    office.send("H22.31", COMMUNES)
    office.close_commune("H22.32.20", ("H22.31.20",))
    assert told(office) == []
    verifier.decided = "valid"
    later(office)
    assert [one.kind for one in told(office)] == ["verdict_valid", "redirected"]
    assert len(office.lease(LUNG_CU)) == 2
    assert office.reopen().check() == []


def test_a_hold_that_runs_out_while_its_document_waits_is_told(verifier: type[Undecided]) -> None:
    office = Office()
    in_force(office, HOLD)
    receipt = office.send("H22.31", LUNG_CU)
    office.clock.advance(4 * 86_400)
    assert [one.kind for one in told(office)] == ["hold_expired"]
    assert office.engine.track(receipt.key).states == {"expired": 1}
    verifier.decided = "valid"
    later(office)
    assert office.engine.holds().holds == ()
    assert office.engine.verdict(receipt.key).waited == "expired"
    assert office.reopen().check() == []


def test_how_many_wait_is_counted(verifier: type[Undecided]) -> None:
    office = Office()
    office.send("H22.31", COMMUNES)
    ticked(office.engine)
    assert office.engine.counters()["verdicts"] == {
        "waiting": 1, "valid": 0, "invalid": 0, "expired": 0,
    }  # fmt: skip
    verifier.decided = "valid"
    later(office)
    assert office.engine.counters()["verdicts"] == {
        "waiting": 0, "valid": 1, "invalid": 0, "expired": 0,
    }  # fmt: skip
