"""Deliveries and operators' questions through every way to an engine, on every durability port.

Beside test_engine_contract.py, whose office this is.
"""

from __future__ import annotations

import re
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest
from support.office import LUNG_CU, Office, place_of, received

from router import limits
from router.engine.facts import delivery_id
from router.engine.local.calls import ENGINE_CALLS
from router.errors import InputError, NotFoundError, StorageError
from router.model.answers import Alert, Receipt
from router.model.instants import SECOND_US
from router.model.reorganisations import Closing, Reorganisation
from router.queue import after

COMMUNE, OTHER = "H22.31.20", "H22.31.21"


def test_every_call_of_the_engine_is_made_by_this_suite() -> None:
    files = sorted(Path(__file__).parent.glob("test_engine_contract*.py"))
    text = "".join(file.read_text("utf-8") for file in files)
    assert [name for name in ENGINE_CALLS if not re.search(rf"engine\.{name}\(", text)] == []


def test_a_retry_while_the_first_is_in_flight_gets_the_same_receipt(office: Office) -> None:
    envelope = office.envelope(recipients=COMMUNE, key="k")
    start = threading.Barrier(6)
    answers: list[Receipt] = []

    def send() -> None:
        start.wait()
        answers.extend(map(received, office.engine.submit([envelope])))

    threads = [threading.Thread(target=send) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(one.repeated for one in answers) == [False, True, True, True, True, True]
    assert len({msgspec.structs.replace(one, repeated=False) for one in answers}) == 1
    assert office.stored()["documents"] == 1


def test_two_with_one_key_in_one_batch_are_one_document_or_a_conflict(office: Office) -> None:
    document = office.document(recipients=COMMUNE)
    same = office.envelope(document, key="k")
    other = office.document(recipients=COMMUNE)
    first, again, taken = office.submit(same, same, office.envelope(other, key="k"))
    receipt = received(first)
    assert received(again) == msgspec.structs.replace(receipt, repeated=True)
    assert place_of(taken) == ("idempotency.conflict", "$.idempotency_key")
    assert taken.facts == {
        "key": receipt.key, "existing": document.document_id, "document_id": other.document_id,
    }  # fmt: skip
    assert office.stored()["documents"] == 1


def test_equal_content_is_the_signed_part_not_signature_or_envelope(office: Office) -> None:
    document = office.document(recipients=COMMUNE)
    first = received(office.submit(office.envelope(document))[0])
    both = [office.signers["H22"], office.signers["H22.31"]]
    signed_anew = office.envelope(document, signers=both)
    spaced = msgspec.json.format(signed_anew, indent=4)
    assert len({office.envelope(document), signed_anew, spaced}) == 3
    for envelope in (signed_anew, spaced):
        again = received(office.submit(envelope)[0])
        assert again == msgspec.structs.replace(first, repeated=True)


def test_a_number_used_twice_is_an_alert(office: Office) -> None:
    first, second = office.document(number="07"), office.document(number="07")
    receipt, twin = map(received, office.submit(*map(office.envelope, (first, second))))
    alert = Alert("number.repeated", receipt.key, first.document_id)
    assert (receipt.alerts, twin.alerts) == ((), (alert,))
    assert office.engine.track(twin.key).alerts == (alert,)


def test_leases_are_kept_and_given_back(office: Office) -> None:
    engine = office.engine
    office.send(recipients=COMMUNE)
    ((delivery, until),) = [
        (one.delivery, one.leased_until) for one in engine.lease(COMMUNE, lease_s=10)
    ]
    strange = delivery_id(bytes(16), LUNG_CU)
    kept, unknown = engine.extend(COMMUNE, [delivery, strange], 60, actor="Hoa")
    assert (kept.state, unknown.code) == ("leased", "delivery.not_found")
    assert kept.leased_until > until
    assert engine.extend(OTHER, [delivery])[0].code == "delivery.not_found"
    assert engine.give_back(OTHER, [delivery])[0].code == "delivery.not_found"
    assert [one.state for one in engine.give_back(COMMUNE, [delivery], actor="Hoa")] == ["queued"]
    ((again, attempt),) = [(one.delivery, one.attempt) for one in engine.lease(COMMUNE)]
    assert (again, attempt) == (delivery, 2)
    states = [event.state for event in engine.delivery(delivery).history]
    assert states == ["queued", "leased", "leased", "queued", "leased"]


def test_what_is_never_answered_dies_is_told_and_queued_again(office: Office) -> None:
    receipt = office.send(recipients=f"{COMMUNE} | {OTHER}")
    for attempt in range(1, limits.DELIVERY_ATTEMPTS_MAX + 1):
        assert [one.attempt for one in office.lease(COMMUNE, lease_s=1)] == [attempt]
        if attempt % 7 == 0:
            office.reopen()
        office.clock.advance(1)
    engine = office.engine
    assert office.lease(COMMUNE) == []
    assert engine.track(receipt.key).states == {"dead": 1, "queued": 1}
    (event,) = engine.outbox("H22").events
    assert (event.kind, event.address, event.key) == ("dead", COMMUNE, receipt.key)
    answers = engine.redrive(receipt.key, [COMMUNE, OTHER], reason="Máy đã sửa", actor="Nam")
    assert [(one.state, one.code) for one in answers] == [
        ("queued", ""), ("queued", "delivery.not_dead"),
    ]  # fmt: skip
    assert [one.delivery for one in office.lease(COMMUNE)] == [event.delivery]
    assert engine.check() == []


def test_who_answers_while_it_is_queued_again_is_not_handed_it_once_more(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    receipt = office.send(recipients=f"{COMMUNE} | {OTHER}")
    for _ in range(limits.DELIVERY_ATTEMPTS_MAX):
        assert office.lease(COMMUNE, lease_s=1)
        office.clock.advance(1)
    assert office.lease(COMMUNE) == []
    delivery = delivery_id(bytes.fromhex(receipt.key), LUNG_CU)
    owner = getattr(office, "owner", None) or office.engine
    joining = after.joining

    def overtaken(*arguments: Any) -> bytes:
        owner.acknowledge(COMMUNE, [delivery])
        return joining(*arguments)

    monkeypatch.setattr(after, "joining", overtaken)
    (answer,) = office.engine.redrive(receipt.key, [COMMUNE])
    assert (answer.state, answer.code) == ("delivered", "delivery.not_dead")
    assert office.lease(COMMUNE) == []
    assert office.engine.track(receipt.key).states == {"delivered": 1, "queued": 1}
    assert office.engine.check() == []


def test_a_closed_address_is_redirected_and_the_sender_is_told_once(office: Office) -> None:
    engine = office.engine
    receipt = office.send(recipients=COMMUNE)
    at_us = office.clock.now_us() + 60 * SECOND_US
    engine.change_directory(Reorganisation(at_us, "NQ 1", (Closing(COMMUNE, (OTHER,)),)))
    office.clock.advance(61)
    while engine.tick():
        pass
    page = engine.outbox("H22", limit=1)
    assert [(one.kind, one.address, one.holder, one.open) for one in page.events] == [
        ("redirected", COMMUNE, OTHER, 1)
    ]
    assert engine.outbox("H22", after=page.cursor).events == ()
    assert [(one.address, one.key) for one in office.lease(OTHER)] == [(COMMUNE, receipt.key)]


def test_what_ran_out_is_expired_for_good(office: Office) -> None:
    receipt = office.send(recipients=COMMUNE, time_to_live_s=60)
    office.clock.advance(61)
    while office.engine.tick():
        pass
    assert office.lease(COMMUNE) == []
    assert office.engine.track(receipt.key).states == {"expired": 1}
    assert office.stored()["expired"] == 1


def test_operators_ask_how_the_queue_stands(office: Office) -> None:
    engine = office.engine
    receipt = office.send(recipients=f"{COMMUNE} | {OTHER}")
    (one,) = engine.lease(COMMUNE)
    engine.acknowledge(COMMUNE, [one.delivery])
    stats = engine.queue_stats()
    assert (stats.counters["documents"], stats.counters["delivered"]) == (1, 1)
    assert stats.oldest is not None
    assert stats.oldest.key == receipt.key
    assert [line.key for line in engine.queue_list(state="delivered").documents] == [receipt.key]
    (line,) = engine.queue_list(deliveries=True, unit=OTHER).deliveries
    assert line.state == "queued"
    shown = engine.queue_show(one.delivery).delivery
    assert shown is not None
    assert [event.state for event in shown.history] == ["queued", "leased", "delivered"]
    assert [(row.code, row.open) for row in engine.queue_shape().rows] == [(OTHER, 1)]
    assert engine.trouble() is None
    assert engine.pressure()["refusing"] == 0
    for wrong in (lambda: engine.queue_list(limit=0), lambda: engine.queue_shape(by="colour")):
        with pytest.raises(InputError):
            wrong()
    with pytest.raises(NotFoundError):
        engine.queue_show("0" * 32)


def test_a_failed_store_refuses_until_it_is_opened_again(office: Office) -> None:
    engine = office.engine
    first = office.send(recipients=COMMUNE)
    assert engine.reopen() is False
    owner = getattr(office, "owner", None) or engine
    with pytest.raises(StorageError):
        owner._queue.store.append_raw([b"\x09no record"])
    trouble = engine.trouble("vi")
    assert trouble is not None
    assert trouble.remedy
    assert not engine.healthy()
    envelope = office.envelope(recipients=COMMUNE)
    for refused in (lambda: engine.submit([envelope]), lambda: engine.lease(COMMUNE)):
        with pytest.raises(StorageError) as caught:
            refused()
        assert caught.value.code == trouble.code
    assert engine.reopen() is True
    assert engine.healthy()
    assert not received(office.submit(envelope)[0]).repeated
    assert office.lease(COMMUNE)[0].key == first.key
    assert engine.check() == []


def test_a_backup_is_made_where_there_are_files(office: Office, tmp_path: Path) -> None:
    office.send(recipients=COMMUNE)
    target = tmp_path / "backup"
    if (tmp_path / "data" / "log").exists():
        assert office.engine.backup(str(target)).documents == 1
        assert (target / "BACKUP").is_file()
        return
    with suppress(StorageError):  # no other port promises one
        office.engine.backup(str(target))
    assert target.exists() == (target / "BACKUP").is_file()
