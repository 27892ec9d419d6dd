"""What is wrong is answered by code and path and leaves nothing; what is right, by a receipt."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from support.office import (
    NOW,
    NOW_US,
    SECRET_SUBJECT,
    Office,
    at,
    bytes_on_disk,
    error_of,
    place_of,
    received,
    refused,
)
from support.pki import pki

from router import limits
from router.client.signing import encode_document, make_envelope
from router.model.documents import Act, OnBadRecipient, Reference
from router.model.instants import SECOND_US, instant_of

FILE = b"noi dung tep"
DAY_US = 86_400 * SECOND_US


def payload_with(office: Office, **members: Any) -> bytes:
    """Return signed bytes with raw JSON members put in (None takes one out)."""
    body = json.loads(encode_document(office.document())) | members
    left = {name: value for name, value in body.items() if value is not None}
    return json.dumps(left, ensure_ascii=False).encode()


def raw(office: Office, **members: Any) -> bytes:
    """Return an envelope whose signed bytes hold these raw members."""
    return office.envelope(payload_with(office, **members))


def changed(office: Office, **members: Any) -> bytes:
    """Return a good envelope with its outer members changed."""
    body: dict[str, Any] = json.loads(office.envelope()) | members
    return json.dumps(body).encode()


def expired(office: Office) -> bytes:
    signer = pki().issue(1, "H22", "UBND tỉnh", valid_to=NOW_US - DAY_US)
    office.engine.bind("H22", signer.certificate_der, 0)
    return office.envelope(signers=[signer])


def untrusted(office: Office) -> bytes:
    signer = pki().issue(1, "H22", "UBND tỉnh", trusted=False)
    office.engine.bind("H22", signer.certificate_der, 0)
    return office.envelope(signers=[signer])


def tampered(office: Office) -> bytes:
    body = json.loads(office.envelope())
    payload = base64.b64decode(body["payload"]).replace(b"H22.31", b"H22.32")
    body["payload"] = base64.b64encode(payload.replace(b'"05"', b'"06"') + b" ").decode()
    return json.dumps(body).encode()


def attached(office: Office, content: bytes) -> bytes:
    sha256 = hashlib.sha256(FILE).hexdigest()
    file = {"name": "a", "media_type": "a/b", "size_bytes": len(FILE), "sha256": sha256}
    body = json.loads(raw(office, attachments=[file]))
    inline = base64.b64encode(content).decode()
    return json.dumps(body | {"contents": [{"sha256": sha256, "content": inline}]}).encode()


PAYLOAD = "$.payload"
TO = "$.payload.recipients"
BAD: dict[str, tuple[Callable[[Office], bytes], str, str]] = {
    "no JSON": (lambda _: b"{" + SECRET_SUBJECT.encode(), "json.malformed", "$"),
    "empty": (lambda _: b"", "json.malformed", "$"),
    "no UTF-8": (lambda _: b"\xff\xfe\x00", "json.malformed", "$"),
    "outer member twice": (
        lambda o: office_twice(o.envelope()), "json.duplicate_member", "$",
    ),
    "signed member twice": (
        lambda o: o.envelope(payload_with(o)[:-1] + b', "format": 1}'),
        "json.duplicate_member", PAYLOAD,
    ),
    "unknown field": (lambda o: changed(o, colour="red"), "field.unknown", "$"),
    "unknown signed field": (lambda o: raw(o, colour="red"), "field.unknown", PAYLOAD),
    "missing field": (lambda o: raw(o, number=None), "field.missing", PAYLOAD),
    "long subject": (
        lambda o: raw(o, subject=SECRET_SUBJECT * 40), "field.too_long", "$.payload.subject",
    ),
    "long idempotency key": (
        lambda o: changed(o, idempotency_key="k" * 129), "field.too_long", "$.idempotency_key",
    ),
    "wrong type": (lambda o: raw(o, number=5), "field.invalid", "$.payload.number"),
    "envelope version": (lambda o: changed(o, version=2), "envelope.version", "$.version"),
    "document format": (lambda o: raw(o, format=2), "envelope.version", "$.payload.format"),
    "too large": (
        lambda _: b" " * (limits.ENVELOPE_BYTES_MAX + 1), "envelope.too_large", "",
    ),
    "state secret": (lambda o: raw(o, marks=["Tuyệt mật"]), "document.secret", "$.payload.marks"),
    "other file": (lambda o: attached(o, FILE[::-1]), "attachment.content", "$.contents[0]"),
    "recall": (
        lambda o: o.envelope(
            o.document(act=Act.RECALL, acts_on=(Reference("H22", "x"),))
        ),
        "document.act_unsupported", "$.payload.act",
    ),
    "future": (
        lambda o: o.envelope(issued_at=at(seconds=61)),
        "document.issued_in_future", "$.payload.issued_at",
    ),
    "year before last": (
        lambda o: o.envelope(issued_at=at(days=-700)),
        "document.issued_too_early", "$.payload.issued_at",
    ),
    "year 9999": (
        lambda o: raw(o, issued_at="9999-12-31T23:59:59-12:00"),
        "document.issued_in_future", "$.payload.issued_at",
    ),
    "unknown sender": (
        lambda o: raw(o, sender="H99"), "sender.unknown", "$.payload.sender",
    ),
    "unsigned": (lambda o: o.envelope(signers=[]), "signature.missing", "$.signatures"),
    "changed after signing": (tampered, "signature.invalid", "$.signatures[0].signature"),
    "expired certificate": (
        expired, "certificate.expired", "$.signatures[0].protected.x5c[0]",
    ),
    "untrusted issuer": (
        untrusted, "certificate.untrusted", "$.signatures[0].protected.x5c[0]",
    ),
    "other agency's certificate": (
        lambda o: o.envelope(signers=[o.signers["H22.31"]]),
        "sender.mismatch", "$.payload.sender",
    ),
    "selector syntax": (lambda o: o.envelope(recipients="H22.31 &"), "selector.syntax", TO),
    "unknown recipient": (lambda o: o.envelope(recipients="H22.77"), "recipient.unknown", TO),
    "unknown tier": (
        lambda o: o.envelope(recipients="tier(region)"), "selector.unknown_tier", TO,
    ),
    "unknown kind": (
        lambda o: o.envelope(recipients="kind(circus)"), "selector.unknown_kind", TO,
    ),
    "empty audience": (lambda o: o.envelope(recipients="H22 - H22"), "audience.empty", TO),
    "selector too large": (
        lambda o: o.envelope(recipients="(" * 40 + "H22" + ")" * 40), "selector.too_large", TO,
    ),
}  # fmt: skip


def office_twice(envelope: bytes) -> bytes:
    return envelope[:-1] + b',"version":1}'


@pytest.fixture(scope="module")
def on_disk(tmp_path_factory: pytest.TempPathFactory) -> Office:
    return Office(tmp_path_factory.mktemp("office") / "data")


@pytest.mark.parametrize("name", BAD)
def test_bad_input_gets_its_code_and_path_and_leaves_no_byte(on_disk: Office, name: str) -> None:
    make, code, path = BAD[name]
    envelope = make(on_disk)
    before = on_disk.stored()
    problem = refused(on_disk.submit(envelope, unit="H22", actor="Lan")[0])
    assert (problem.code, problem.path) == (code, path)
    assert on_disk.stored() == before
    words = json.dumps(msgspec.to_builtins(problem), ensure_ascii=False)
    assert SECRET_SUBJECT not in words
    on_disk.reopen()
    directory = on_disk._store
    assert isinstance(directory, Path)
    assert SECRET_SUBJECT.encode() not in bytes_on_disk(directory)


def test_one_bad_document_costs_the_others_of_its_batch_nothing() -> None:
    office = Office()
    good = [office.envelope() for _ in range(len(BAD) + 1)]
    bad = [(make(office), code, path) for make, code, path in BAD.values()]
    mixed = [good[0]]
    for (envelope, _, _), neighbour in zip(bad, good[1:], strict=True):
        mixed += [envelope, neighbour]
    outcomes = office.submit(*mixed, unit="H22")
    assert [place_of(one) for one in outcomes[1::2]] == [(code, path) for _, code, path in bad]
    receipts = [received(one) for one in outcomes[::2]]
    assert len({receipt.key for receipt in receipts}) == len(good)
    assert office.stored()["documents"] == len(good)
    assert [one.key for one in office.lease("H22.1")] == [one.key for one in receipts]


def test_refusals_are_counted_by_code_and_worded_in_the_language_asked_for() -> None:
    office = Office()
    problem = refused(office.submit(office.envelope(recipients="H22.77"), language="vi")[0])
    assert problem.detail.startswith("Không có đơn vị mang mã H22.77")
    assert problem.status == 422
    assert office.engine.counters()["refused"] == {"recipient.unknown": 1}


# Who may bring it: token, sender, certificate.


def test_a_unit_submits_for_itself_and_an_embedding_host_for_whoever_signed() -> None:
    office = Office()
    assert received(office.submit(office.envelope(), unit="H22")[0]).sender == "H22"
    assert received(office.submit(office.envelope(), unit=1)[0]).sender == "H22"
    assert received(office.submit(office.envelope())[0]).sender == "H22"
    place = place_of(office.submit(office.envelope(), unit="H22.31")[0])
    assert place == ("sender.mismatch", "$.payload.sender")
    assert office.stored()["documents"] == 3


def test_a_sender_is_found_under_either_of_its_codes() -> None:
    office = Office()
    document = office.document(sender="000.00.00.h22")
    receipt = received(office.submit(office.envelope(document, signers=[office.signers["H22"]]))[0])
    assert receipt.sender == "H22"


def test_a_sender_closed_since_the_issue_time_is_brought_by_its_holder_only() -> None:
    office = Office()
    early = office.envelope(sender="H22.31.20", recipients="H22.31")
    office.close_commune("H22.31.20", ["H22.31.21"])
    by_itself = office.submit(early, unit="H22.31.20")[0]
    assert place_of(by_itself) == ("sender.mismatch", "$.payload.sender")
    assert received(office.submit(early, unit="H22.31.21")[0]).sender == "H22.31.20"


def test_a_sender_closed_before_the_issue_time_is_refused_with_its_successor() -> None:
    office = Office()
    office.close_commune("H22.31.20", ["H22.31.21"])
    late = office.envelope(sender="H22.31.20", recipients="H22.31")
    for submitter in ("H22.31.20", "H22.31.21", None):
        problem = refused(office.submit(late, unit=submitter)[0])
        assert (problem.code, problem.path) == ("sender.closed", "$.payload.sender")
        assert problem.facts["successor"] == "H22.31.21"


def test_a_closed_recipient_is_refused_with_its_successor_and_position() -> None:
    office = Office()
    office.close_commune("H22.31.20", ["H22.31.21"])
    problem = refused(office.submit(office.envelope(recipients="H22 | H22.31.20"))[0])
    assert (problem.code, problem.path) == ("recipient.closed", TO)
    assert problem.facts["successor"] == "H22.31.21"
    assert problem.facts["closed_at"] == "2024-09-04"
    assert problem.facts["position"] == 6


def test_a_binding_must_have_held_at_the_issue_time() -> None:
    office = Office()
    signer = pki().issue(1, "H22", "UBND tỉnh", index=7)
    hour = 3_600 * SECOND_US
    office.engine.bind("H22", signer.certificate_der, NOW_US - hour, NOW_US + hour)
    before = office.envelope(issued_at=at(hours=-2), signers=[signer])
    during = office.envelope(signers=[signer])
    office.clock.advance(7_200)
    after = office.envelope(signers=[signer])
    outcomes = office.submit(before, during, after)
    mismatch = ("sender.mismatch", "$.payload.sender")
    assert place_of(outcomes[0]) == mismatch
    assert received(outcomes[1]).sender == "H22"
    assert place_of(outcomes[2]) == mismatch


def test_of_several_signatures_one_must_be_the_agencys_and_all_good() -> None:
    office = Office()
    person = pki().issue(900, "nguyen-van-a", "Nguyễn Văn A")
    agency = office.signers["H22"]
    for signers in ([person, agency], [agency, person]):
        receipt = received(office.submit(office.envelope(signers=signers))[0])
        delivered = office.lease("H22.1")
        assert delivered[-1].key == receipt.key
        assert "H22" in delivered[-1].signer
    alone = office.submit(office.envelope(signers=[person]))[0]
    assert place_of(alone) == ("sender.mismatch", "$.payload.sender")
    stranger = pki().issue(901, "x", "Ai đó", trusted=False)
    mixed = office.submit(office.envelope(signers=[agency, stranger]))[0]
    place = ("certificate.untrusted", "$.signatures[1].protected.x5c[0]")
    assert place_of(mixed) == place


# Repeats and conflicts.


def test_a_repeat_gets_the_first_receipt_also_within_its_batch_and_after_reopening(
    tmp_path: Path,
) -> None:
    office = Office(tmp_path / "data")
    envelope = office.envelope()
    first, again = map(received, office.submit(envelope, envelope))
    assert not first.repeated
    repeated = msgspec.structs.replace(first, repeated=True)
    assert again == repeated
    office.clock.advance(3_600)
    assert received(office.submit(envelope)[0]) == repeated
    office.reopen()
    assert received(office.submit(envelope, unit="H22")[0]) == repeated
    assert office.stored()["documents"] == 1
    assert office.engine.counters()["repeated"] == 1


def test_a_repeat_is_answered_after_the_certificate_and_the_recipient_are_gone() -> None:
    office = Office()
    envelope = office.envelope(recipients="H22.31.20")
    first = received(office.submit(envelope)[0])
    office.close_commune("H22.31.20", ["H22.31.21"])
    assert received(office.submit(envelope)[0]) == msgspec.structs.replace(first, repeated=True)


def test_a_repeat_is_no_way_past_the_rule_of_the_token() -> None:
    office = Office()
    envelope = office.envelope()
    office.submit(envelope)
    place = place_of(office.submit(envelope, unit="H22.31")[0])
    assert place == ("sender.mismatch", "$.payload.sender")


def test_an_id_with_other_content_is_a_conflict_that_names_the_first() -> None:
    office = Office()
    document = office.document()
    other = msgspec.structs.replace(document, subject="Khác")
    first, in_batch = office.submit(office.envelope(document), office.envelope(other))
    later = office.submit(office.envelope(other))[0]
    for outcome in (in_batch, later):
        problem = refused(outcome)
        assert (problem.code, problem.path) == ("document.conflict", "$.payload.document_id")
        assert problem.facts["key"] == received(first).key
        assert problem.status == 409
    assert office.stored()["documents"] == 1


def test_an_id_is_one_name_in_every_unicode_form() -> None:
    office = Office()
    composed = office.document(document_id="H22,2024/09/04,05/BCĐ-Ủy")
    apart = msgspec.structs.replace(composed, document_id="H22,2024/09/04,05/BCĐ-U\u0309y")
    receipt = received(office.submit(office.envelope(composed))[0])
    problem = refused(office.submit(office.envelope(apart))[0])
    assert (problem.code, problem.facts["key"]) == ("document.conflict", receipt.key)
    assert office.engine.track("H22|H22,2024/09/04,05/BCĐ-U\u0309y").key == receipt.key


def test_an_id_belongs_to_its_sender_alone() -> None:
    office = Office()
    office.send(document_id="một số")
    assert not office.send("H22.31", document_id="một số").repeated


def test_an_idempotency_key_finds_equal_content_and_refuses_other() -> None:
    office = Office()
    document = office.document()
    first = received(office.submit(office.envelope(document, key="k-1"))[0])
    again = received(office.submit(office.envelope(document, key="k-1"))[0])
    assert again == msgspec.structs.replace(first, repeated=True)
    others = [office.envelope(key="k-2"), office.envelope(key="k-2"), office.envelope(key="k-1")]
    taken, in_batch, later = office.submit(*others)
    for outcome, key in ((in_batch, received(taken).key), (later, first.key)):
        problem = refused(outcome)
        assert (problem.code, problem.path) == ("idempotency.conflict", "$.idempotency_key")
        assert problem.facts["key"] == key
    assert not received(office.submit(office.envelope(sender="H22.31", key="k-1"))[0]).repeated


# Bounds and rules of acceptance.


def test_bad_recipients_are_skipped_and_listed_where_the_signer_says_so() -> None:
    office = Office()
    recipients = "H22.31 | H22.77 | H22.31.20 | H22.78"
    receipt = office.send(recipients=recipients, on_bad_recipient=OnBadRecipient.SKIP)
    assert receipt.skipped == ("H22.77", "H22.78")
    assert (receipt.addressed, receipt.effective) == (2, 2)
    nobody = office.envelope(recipients="H22.77", on_bad_recipient=OnBadRecipient.SKIP)
    assert place_of(office.submit(nobody)[0]) == ("audience.empty", TO)


@pytest.mark.parametrize(
    "moment", [NOW + timedelta(seconds=60), NOW.replace(year=2023, month=1, day=1, hour=0)]
)
def test_the_edges_of_the_issue_window_are_taken(moment: Any) -> None:
    office = Office()
    office.clock.instant_us = max(NOW_US, instant_of(moment) - 60 * SECOND_US)
    # All units were opened in 2004, certificates are valid from 2020.
    assert office.send(issued_at=moment).effective == 7


def test_a_unit_closed_between_issue_and_acceptance_is_served_through_its_holder() -> None:
    office = Office()
    envelope = office.envelope(recipients="H22.31.20")
    office.close_commune("H22.31.20", ["H22.31.21"])
    receipt = received(office.submit(envelope)[0])
    assert error_of(lambda: office.lease("H22.31.20"))[0] == "unit.closed"
    delivered = office.lease("H22.31.21", actor="Hoa")
    assert [(one.address, one.key) for one in delivered] == [("H22.31.20", receipt.key)]
    settled = office.engine.acknowledge("H22.31.21", [delivered[0].delivery], actor="Hoa")
    assert settled[0].state == "delivered"
    history = office.engine.track(receipt.key, unit="H22").deliveries[0].history
    assert [event.state for event in history] == ["queued", "leased", "delivered"]
    assert (history[-1].unit, history[-1].actor) == ("H22.31.21", "Hoa")


def test_batches_over_the_bound_and_bad_actors_are_refused() -> None:
    office = Office()
    envelope = office.envelope()
    too_many = [envelope] * (limits.BATCH_DOCUMENTS_MAX + 1)
    assert error_of(lambda: office.submit(*too_many)) == ("batch.too_large", "")
    for actor in ("a" * 65, "Lan\n", "\x1b[2J"):
        assert place_of(office.submit(envelope, actor=actor)[0])[0] == "actor.invalid"
    assert office.submit() == []
    assert office.stored()["documents"] == 0
    assert not received(office.submit(envelope, actor="a" * 64)[0]).repeated


def test_a_document_that_fits_no_record_costs_the_others_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    office = Office()
    long = office.envelope(recipients="H22 | H22.31" + " " * 20_000)
    good = office.envelope(), office.envelope()
    monkeypatch.setattr(limits, "RECORD_BYTES_MAX", 16_384)
    first, refusal, last = office.submit(good[0], long, good[1])
    assert place_of(refusal) == ("selector.too_large", TO)
    assert received(first).key != received(last).key
    assert office.stored()["documents"] == 2


def test_a_ready_envelope_is_taken_like_its_json() -> None:
    office = Office()
    document = office.document()
    ready = make_envelope(document, [office.signers["H22"]])
    first = received(office.submit(ready)[0])
    assert received(office.submit(msgspec.json.encode(ready))[0]).key == first.key


def test_the_receipt_says_what_was_stored() -> None:
    office = Office()
    document = office.document(recipients="children(H22)")
    receipt = received(office.submit(office.envelope(document))[0])
    assert receipt.content_sha256 == hashlib.sha256(encode_document(document)).hexdigest()
    members = b"".join(number.to_bytes(4, "big") for number in (2, 5, 7))
    assert receipt.audience_sha256 == hashlib.sha256(members).hexdigest()
    assert (receipt.accepted_at, receipt.lane) == ("2024-09-04T10:00:00+07:00", "normal")
    assert (receipt.document_id, receipt.addressed, receipt.snapshot) == (
        document.document_id,
        3,
        1,
    )
