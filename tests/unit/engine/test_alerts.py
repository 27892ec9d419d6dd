"""A number used twice is taken and told; a conflict names both documents."""

from __future__ import annotations

from support.office import Office, received, refused

from router.model.answers import Alert

YEAR_S = 366 * 86_400


def test_a_second_document_of_one_number_is_taken_and_names_the_first() -> None:
    office = Office()
    first = office.document(number="07")
    second = office.document(number="07")
    receipt, again = map(received, office.submit(*map(office.envelope, (first, second))))
    alert = Alert("number.repeated", receipt.key, first.document_id)
    assert receipt.alerts == ()
    assert again.alerts == (alert,)
    office.reopen()
    assert office.engine.track(again.key).alerts == (alert,)
    assert office.engine.track(receipt.key).alerts == ()
    third = office.document(number="07")
    envelope = office.envelope(third)
    assert received(office.submit(envelope)[0]).alerts == (alert,)
    repeated = received(office.submit(envelope)[0])
    assert (repeated.repeated, repeated.alerts) == (True, (alert,))


def test_another_notation_sender_or_year_is_another_number() -> None:
    office = Office()
    office.send(number="07")
    assert office.send(number="07", notation="QĐ-SYT").alerts == ()
    assert office.send("H22.1", number="07").alerts == ()
    office.clock.advance(YEAR_S)
    assert office.send(number="07").alerts == ()


def test_a_conflict_names_both_documents() -> None:
    office = Office()
    first, second = office.document(), office.document()
    key = received(office.submit(office.envelope(first, key="k"))[0]).key
    problem = refused(office.submit(office.envelope(second, key="k"))[0])
    assert problem.code == "idempotency.conflict"
    assert problem.facts == {
        "key": key, "existing": first.document_id, "document_id": second.document_id,
    }  # fmt: skip
    assert first.document_id in problem.detail
    assert second.document_id in problem.detail
