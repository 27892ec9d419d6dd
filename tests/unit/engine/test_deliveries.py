"""Handing out and settling: in lanes, under leases, once, and to nobody else."""

from __future__ import annotations

import threading
from collections import Counter
from pathlib import Path

import msgspec
import pytest
from support.office import LUNG_CU, MA_LE, Office, error_of, received

from router import limits
from router.engine.facts import delivery_id
from router.errors import ForbiddenError
from router.model.answers import Receipt
from router.model.documents import Envelope, Urgency

COMMUNE, OTHER = "H22.31.20", "H22.31.21"


def test_lanes_come_in_order_and_entries_in_order_within_a_lane() -> None:
    office = Office()
    urgencies = [Urgency.NORMAL, Urgency.URGENT, Urgency.FLASH, Urgency.VERY_URGENT] * 2
    keys = [office.send(urgency=urgency).key for urgency in urgencies]
    delivered = office.lease(COMMUNE)
    lanes = ["flash", "flash", "very_urgent", "very_urgent", "urgent", "urgent", "normal", "normal"]
    assert [one.lane for one in delivered] == lanes
    assert [keys.index(one.key) for one in delivered] == [2, 6, 3, 7, 1, 5, 0, 4]


def test_a_delivery_holds_exactly_what_was_signed_and_sent() -> None:
    office = Office()
    envelope = office.envelope(key="k-1")
    office.submit(envelope)
    (one,) = office.lease(COMMUNE)
    assert one.address == COMMUNE
    assert one.sender == "H22"
    assert one.attempt == 1
    assert one.leased_until == "2024-09-04T10:05:00+07:00"
    sent = msgspec.json.decode(envelope, type=Envelope)
    assert (one.payload, one.signatures) == (sent.payload, sent.signatures)


def test_a_lease_that_ran_out_is_handed_out_again_under_the_same_id() -> None:
    office = Office()
    office.send(recipients=COMMUNE)
    (first,) = office.lease(COMMUNE, lease_s=30)
    assert not office.engine.waiting(COMMUNE)
    assert office.lease(COMMUNE) == []
    office.clock.advance(29.999)
    assert office.lease(COMMUNE) == []
    office.clock.advance(0.001)
    assert office.engine.waiting(COMMUNE)
    (second,) = office.lease(COMMUNE, lease_s=30)
    assert (second.delivery, second.attempt) == (first.delivery, 2)


def test_a_late_acknowledgement_counts_and_ends_the_second_lease() -> None:
    office = Office()
    office.send(recipients=COMMUNE)
    (first,) = office.lease(COMMUNE, lease_s=1)
    office.clock.advance(2)
    late = office.engine.acknowledge(COMMUNE, [first.delivery])[0]
    assert (late.state, late.repeated) == ("delivered", False)
    assert office.lease(COMMUNE) == []
    twice = office.engine.acknowledge(COMMUNE, [first.delivery, first.delivery])
    assert [(one.state, one.repeated) for one in twice] == [("delivered", True)] * 2


def test_what_is_final_stays_as_it_is() -> None:
    office = Office()
    office.send(recipients=COMMUNE)
    (one,) = office.lease(COMMUNE)
    refused = office.engine.refuse(COMMUNE, [one.delivery], "Gửi nhầm", actor="Hoa")[0]
    assert (refused.state, refused.repeated) == ("refused", False)
    office.reopen()
    taken = office.engine.acknowledge(COMMUNE, [one.delivery])[0]
    assert (taken.state, taken.repeated) == ("refused", True)


def test_a_refusal_needs_a_reason_and_the_sender_reads_it() -> None:
    office = Office()
    key = office.send(recipients=COMMUNE).key
    (one,) = office.lease(COMMUNE, actor="Hoa")
    refuse = office.engine.refuse
    assert error_of(lambda: refuse(COMMUNE, [one.delivery], " \n")) == (
        "reason.missing",
        "$.reason",
    )
    long = "x" * (limits.REASON_CHARS_MAX + 1)
    assert error_of(lambda: refuse(COMMUNE, [one.delivery], long)) == ("field.too_long", "$.reason")
    office.clock.advance(60)
    refuse(COMMUNE, [one.delivery], "Không thuộc thẩm quyền", actor="Hoa")
    tracked = office.engine.track(key, unit="H22").deliveries[0]
    assert (tracked.state, tracked.since) == ("refused", "2024-09-04T10:01:00+07:00")
    event = tracked.history[-1]
    assert (event.state, event.unit, event.actor) == ("refused", COMMUNE, "Hoa")
    assert event.reason == "Không thuộc thẩm quyền"


def test_ids_of_others_and_ids_that_are_none_answer_not_found() -> None:
    office = Office()
    key = bytes.fromhex(office.send(recipients=COMMUNE).key)
    mine, for_other = delivery_id(key, LUNG_CU), delivery_id(key, MA_LE)
    garbage = [
        "", "x", mine[:-1], mine + "A", mine[:-1] + "é", mine[:-1] + "=", mine.swapcase(),
        " " + mine[1:], delivery_id(bytes(16), LUNG_CU), "\ud800" * 27,
    ]  # fmt: skip
    answers = office.engine.acknowledge(OTHER, [mine, for_other])
    assert [one.code for one in answers] == ["delivery.not_found"] * 2
    answers = office.engine.acknowledge(COMMUNE, [*garbage, mine, for_other])
    assert [one.code for one in answers[:-2]] == ["delivery.not_found"] * len(garbage)
    assert [one.delivery for one in answers] == [*garbage, mine, for_other]
    assert (answers[-2].state, answers[-1].code) == ("delivered", "delivery.not_found")
    sender = office.engine.acknowledge("H22", [mine])[0]
    assert sender.code == "delivery.not_found"


def test_a_document_past_its_time_to_live_is_not_handed_out() -> None:
    office = Office()
    key = office.send(recipients=f"{COMMUNE} | {OTHER}", time_to_live_s=60).key
    office.clock.advance(59)
    (taken,) = office.lease(COMMUNE)
    office.clock.advance(1)
    assert not office.engine.waiting(OTHER)
    assert office.lease(OTHER) == []
    assert office.engine.track(key).by_tier == {"commune": {"leased": 1, "expired": 1}}
    late = office.engine.acknowledge(COMMUNE, [taken.delivery])[0]
    assert late.state == "delivered"
    assert office.engine.track(key).states == {"delivered": 1, "expired": 1}


@pytest.mark.parametrize("limit", [0, -1, limits.LEASE_DELIVERIES_MAX + 1])
def test_limits_outside_their_range_are_refused(limit: int) -> None:
    office = Office()
    assert error_of(lambda: office.lease(COMMUNE, limit)) == ("field.invalid", "$.limit")


@pytest.mark.parametrize("lease_s", [0, -1, limits.LEASE_S_MAX + 1])
def test_lease_times_outside_their_range_are_refused(lease_s: int) -> None:
    office = Office()
    place = error_of(lambda: office.lease(COMMUNE, lease_s=lease_s))
    assert place == ("field.invalid", "$.lease_s")


def test_other_bounds_of_the_recipients_side() -> None:
    office = Office()
    over = ["x"] * (limits.ACKNOWLEDGE_DELIVERIES_MAX + 1)
    assert error_of(lambda: office.engine.acknowledge(COMMUNE, over))[0] == "batch.too_large"
    assert error_of(lambda: office.lease(COMMUNE, actor="a" * 65))[0] == "actor.invalid"
    assert (
        error_of(lambda: office.engine.acknowledge(COMMUNE, [], actor="\0"))[0] == "actor.invalid"
    )
    assert error_of(lambda: office.lease("H99"))[0] == "unit.not_found"
    assert error_of(lambda: office.engine.lease(99))[0] == "unit.not_found"
    assert office.engine.acknowledge(COMMUNE, []) == []


def test_a_holder_gets_the_lanes_of_all_its_addresses_in_order() -> None:
    office = Office()
    office.send(recipients=OTHER)
    office.send(recipients=COMMUNE, urgency=Urgency.FLASH)
    office.close_commune(COMMUNE, [OTHER])
    delivered = office.lease(OTHER)
    assert [(one.address, one.lane) for one in delivered] == [(COMMUNE, "flash"), (OTHER, "normal")]
    settled = office.engine.acknowledge(OTHER, [one.delivery for one in delivered])
    assert [one.state for one in settled] == ["delivered"] * 2


def test_a_holder_empties_a_lane_of_all_its_addresses_before_the_next() -> None:
    office = Office()
    for place in (COMMUNE, OTHER):
        for urgency in (Urgency.NORMAL, Urgency.FLASH, Urgency.NORMAL):
            office.send(recipients=place, urgency=urgency)
    office.close_commune(COMMUNE, [OTHER])
    lanes = [one.lane for _ in range(6) for one in office.lease(OTHER, 1)]
    assert lanes == ["flash"] * 2 + ["normal"] * 4


@pytest.mark.parametrize("limit", [1, 3, 8, 20])
def test_each_lower_lane_of_a_holder_gets_one_turn_in_eight(limit: int) -> None:
    """However the leases are cut, and at whichever of its addresses the documents wait."""
    office = Office()
    urgencies = [Urgency.FLASH] * 45 + [Urgency.NORMAL, Urgency.URGENT, Urgency.VERY_URGENT] * 8
    for number, urgency in enumerate(urgencies):
        office.send(recipients=(COMMUNE, OTHER)[number % 2], urgency=urgency)
    office.close_commune(COMMUNE, [OTHER])
    lanes: list[str] = []
    while len(lanes) < 40:
        lanes += [one.lane for one in office.lease(OTHER, limit)]
        for lane in ("very_urgent", "urgent", "normal"):
            assert lanes.count(lane) >= len(lanes) // 8, lanes
    assert lanes.count("flash") > len(lanes) // 2
    assert lanes[: min(limit, 5)] == ["flash"] * min(limit, 5)


def test_turns_that_an_answer_had_no_room_for_are_owed(monkeypatch) -> None:
    office = Office()
    for number, urgency in enumerate([Urgency.FLASH] * 30 + [Urgency.NORMAL] * 4):
        office.send(recipients=(COMMUNE, OTHER)[number % 2], urgency=urgency)
    office.close_commune(COMMUNE, [OTHER])
    monkeypatch.setattr(limits, "LEASE_BYTES_MAX", 1)  # one document an answer
    lanes = [one.lane for _ in range(18) for one in office.lease(OTHER)]
    assert lanes.count("normal") == 2


def test_what_a_lane_does_not_use_is_the_others() -> None:
    office = Office()
    for number in range(12):
        office.send(recipients=(COMMUNE, OTHER)[number % 2], urgency=Urgency.FLASH)
    office.send(recipients=OTHER)
    office.close_commune(COMMUNE, [OTHER])
    lanes = [one.lane for one in office.lease(OTHER, 12)]
    assert (len(lanes), lanes.count("normal")) == (12, 1)
    assert [one.lane for one in office.lease(OTHER, 12)] == ["flash"]


def test_many_that_ran_out_let_no_later_lane_overtake_what_waits_behind_them() -> None:
    office = Office()
    batch = limits.BATCH_DOCUMENTS_MAX
    for _ in range(limits.LEASE_DELIVERIES_MAX // batch + 1):
        office.submit(*[
            office.envelope(recipients=OTHER, urgency=Urgency.FLASH, time_to_live_s=60)
            for _ in range(batch)
        ])  # fmt: skip
    for urgency in (Urgency.NORMAL, Urgency.FLASH):
        office.send(recipients=OTHER, urgency=urgency)
    office.send(recipients=COMMUNE)
    office.close_commune(COMMUNE, [OTHER])
    assert office.engine.waiting(OTHER)
    lanes = [one.lane for _ in range(4) for one in office.lease(OTHER, 1)]
    assert lanes == ["flash", "normal", "normal"]
    assert not office.engine.waiting(OTHER)


def test_a_holder_is_handed_out_nothing_that_ran_out_at_any_of_its_addresses() -> None:
    office = Office()
    for place in (COMMUNE, OTHER):
        for urgency in (Urgency.NORMAL, Urgency.FLASH):
            office.send(recipients=place, urgency=urgency, time_to_live_s=60)
    office.close_commune(COMMUNE, [OTHER])
    assert office.lease(OTHER) == []
    while office.engine.tick():
        pass
    assert office.stored()["expired"] == 4
    assert office.lease(OTHER) == []


def test_no_address_of_a_holder_starves_another() -> None:
    office = Office()
    for place in (COMMUNE, OTHER):
        for _ in range(4):
            office.send(recipients=place)
    office.close_commune(COMMUNE, [OTHER])
    places = [one.address for _ in range(6) for one in office.lease(OTHER, 1)]
    assert sorted(places) == [COMMUNE] * 3 + [OTHER] * 3


def test_one_lease_of_a_holder_is_bounded_in_bytes_and_overtakes_nothing(monkeypatch) -> None:
    office = Office()
    for place in (COMMUNE, OTHER):
        for urgency in (Urgency.NORMAL, Urgency.FLASH):
            office.send(recipients=place, urgency=urgency)
    office.close_commune(COMMUNE, [OTHER])
    monkeypatch.setattr(limits, "LEASE_BYTES_MAX", 1)
    answers = [[one.lane for one in office.lease(OTHER)] for _ in range(5)]
    assert answers == [["flash"], ["flash"], ["normal"], ["normal"], []]


def test_history_names_the_holder_that_leased() -> None:
    office = Office()
    key = office.send(recipients=COMMUNE).key
    office.close_commune(COMMUNE, [OTHER])
    office.lease(OTHER, actor="Hoa")
    event = office.engine.track(key, unit="H22").deliveries[0].history[-1]
    assert (event.state, event.unit, event.actor) == ("leased", OTHER, "Hoa")


def test_listeners_hear_of_new_documents_only_and_whom_they_reach() -> None:
    office = Office()
    heard: list[list[bool]] = []
    office.engine.listen(lambda arrivals: heard.append([one.reaches(LUNG_CU) for one in arrivals]))
    envelope = office.envelope(recipients=COMMUNE)
    office.submit(envelope, envelope, office.envelope(recipients=OTHER), b"{")
    office.submit(envelope)
    assert heard == [[True, False]]


def test_a_listener_that_fails_costs_no_receipt() -> None:
    office = Office()

    def fail(_: object) -> None:
        raise RuntimeError("listener")

    heard: list[int] = []
    office.engine.listen(fail)
    office.engine.listen(lambda arrivals: heard.append(len(arrivals)))
    office.send()
    assert heard == [1]


SENDERS, RECEIVERS, BATCHES, BATCH = 3, 3, 8, 5


@pytest.mark.parametrize("kind", ["lmdb", "memory"])
def test_threads_together_lose_and_double_nothing(kind: str, tmp_path: Path) -> None:
    office = Office(tmp_path / "data" if kind == "lmdb" else None)
    batches = [
        [office.envelope(recipients="H22.31.20 | H22.31.21") for _ in range(BATCH)]
        for _ in range(SENDERS * BATCHES)
    ]
    wanted = len(batches) * BATCH
    receipts: list[Receipt] = []
    got: dict[str, list[str]] = {COMMUNE: [], OTHER: []}
    failures: list[BaseException] = []
    guard = threading.Lock()
    sent = threading.Event()

    def send(mine: int) -> None:
        for batch in batches[mine::SENDERS]:
            answers = [received(one) for one in office.submit(*batch, *batch, unit="H22")]
            with guard:
                receipts.extend(answers)
            office.engine.create_token("H22", "Văn thư")

    def receive(unit: str) -> None:
        while True:
            ended = sent.is_set()
            leased = office.lease(unit, 7)
            with guard:
                got[unit] += [one.key for one in leased]
            settled = office.engine.acknowledge(unit, [one.delivery for one in leased])
            assert all(one.state == "delivered" and not one.repeated for one in settled)
            if ended and not leased:
                return

    def guarded(work: object, *args: object) -> None:
        try:
            work(*args)  # type: ignore[operator]
        except BaseException as error:
            failures.append(error)

    senders = [threading.Thread(target=guarded, args=(send, one)) for one in range(SENDERS)]
    receivers = [
        threading.Thread(target=guarded, args=(receive, unit))
        for unit in got
        for _ in range(RECEIVERS)
    ]
    for thread in (*receivers, *senders):
        thread.start()
    for thread in senders:
        thread.join()
    sent.set()
    for thread in receivers:
        thread.join()
    assert failures == []
    keys = {one.key for one in receipts}
    assert len(keys) == wanted
    assert sum(one.repeated for one in receipts) == wanted
    for leased_keys in got.values():
        assert Counter(leased_keys) == Counter(keys)
    counters = office.engine.counters()
    assert (counters["accepted"], counters["repeated"]) == (wanted, wanted)
    assert office.engine.check() == []
    assert office.reopen().check() == []


def test_a_closed_unit_is_told_its_successor_instead_of_finding_an_empty_inbox() -> None:
    office = Office()
    office.send(recipients=COMMUNE)
    (mine,) = office.lease(COMMUNE)
    office.close_commune(COMMUNE, [OTHER])
    engine = office.engine
    for action in (
        lambda: engine.lease(COMMUNE),
        lambda: engine.acknowledge(COMMUNE, [mine.delivery]),
        lambda: engine.refuse(COMMUNE, [mine.delivery], "Gửi nhầm"),
        lambda: engine.create_token(COMMUNE, "Văn thư", actor="sổ"),
    ):
        with pytest.raises(ForbiddenError) as caught:
            action()
        assert caught.value.code == "unit.closed"
        assert caught.value.facts == {"unit": COMMUNE, "successor": OTHER}
    assert engine.acknowledge(OTHER, [mine.delivery])[0].state == "delivered"
    office.send(recipients="H22.32.20")
    office.close_commune("H22.32.20", [])
    assert len(office.lease("H22.32.20")) == 1, "nobody else would get it"
