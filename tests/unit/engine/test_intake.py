"""The door names every mistake by code and path, and quotes no content."""

import base64
import hashlib
import json
from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest

from router import limits
from router.engine.intake import read_envelope
from router.errors import VanbanError
from router.model.documents import Envelope, SignatureEntry
from router.model.instants import VIETNAM_TIME, instant_of

NOW = datetime(2024, 9, 4, 17, 0, tzinfo=VIETNAM_TIME)
NOW_US = instant_of(NOW)
FILE = b"noi dung tep"
SHA = hashlib.sha256(FILE).hexdigest()

DOCUMENT: dict[str, Any] = {
    "format": 1,
    "sender": "H22",
    "document_id": "H22,2024/09/04,05/QĐ-UBND",
    "number": "05",
    "notation": "QĐ-UBND",
    "document_type": "Quyết định",
    "subject": "Về việc họp",
    "issued_at": NOW.isoformat(),
    "recipients": "all",
}


def envelope(payload: bytes | None = None, **changes: Any) -> bytes:
    body: dict[str, Any] = {"version": 1, "payload": base64.b64encode(payload or signed()).decode()}
    return json.dumps(body | changes).encode()


def signed(**changes: Any) -> bytes:
    merged = {k: v for k, v in (DOCUMENT | changes).items() if v is not None}
    return json.dumps(merged, ensure_ascii=False).encode()


def attached(**changes: Any) -> bytes:
    file = {"name": "a..b.pdf", "media_type": "application/pdf", "size_bytes": 12, "sha256": SHA}
    return envelope(signed(attachments=[file, file | changes]))


def refusal(data: Any) -> VanbanError:
    with pytest.raises(VanbanError) as caught:
        read_envelope(data, NOW_US)
    return caught.value


def test_a_good_envelope_keeps_its_payload_bytes_exactly() -> None:
    payload = signed().replace(b'"format": 1', b'  "format"  :  1')
    intake = read_envelope(envelope(payload), NOW_US)
    assert intake.envelope.payload == payload
    assert intake.content == hashlib.sha256(payload).digest()
    assert intake.issued_at == NOW_US


@pytest.mark.parametrize(
    ("data", "code", "path"),
    [
        (b"{", "json.malformed", "$"),
        (b"\xff\xfe", "json.malformed", "$"),
        (b"[]", "field.invalid", "$"),
        (envelope(version=2), "envelope.version", "$.version"),
        (envelope(surprise=1), "field.unknown", "$"),
        (b'{"version":1}', "field.missing", "$"),
        (b'{"version":1,"version":1,"payload":""}', "json.duplicate_member", "$"),
        (envelope(b"{"), "json.malformed", "$.payload"),
        (envelope(b"[" * 5000), "field.invalid", "$.payload"),
        (envelope(b'{"marks":' + b"[" * 50_000), "field.invalid", "$.payload.marks[0]"),
        (envelope(signed(format=2)), "envelope.version", "$.payload.format"),
        (envelope(signed(subject=None)), "field.missing", "$.payload"),
        (envelope(signed(color="red")), "field.unknown", "$.payload"),
        (envelope(signed(subject="x" * 501)), "field.too_long", "$.payload.subject"),
        (envelope(signed(number=5)), "field.invalid", "$.payload.number"),
        (envelope(signed(urgency="soon")), "field.invalid", "$.payload.urgency"),
        (envelope(signed(issued_at="2024-09-04T10:00:00")), "field.invalid", "$.payload.issued_at"),
        (envelope(signed(time_to_live_s=10**400)), "field.invalid", "$.payload.time_to_live_s"),
        (envelope(signed(recipients=None)), "field.missing", "$.payload"),
        (envelope(signed(marks=["Mật"])), "document.secret", "$.payload.marks"),
        (bytearray(envelope()), "field.invalid", "$"),
        (envelope().decode(), "field.invalid", "$"),
        *[
            (envelope(signed(**{name: "a\nb"})), "field.invalid", f"$.payload.{name}")
            for name in ("document_id", "number", "notation", "document_type", "subject")
        ],
        (envelope(signed(subject="a\x1b[2J")), "field.invalid", "$.payload.subject"),
        (envelope(signed(subject="a\x9b2J")), "field.invalid", "$.payload.subject"),
        (envelope(signed(marks=["x", "a\tb"])), "field.invalid", "$.payload.marks[1]"),
        *[
            (attached(name=name), "field.invalid", "$.payload.attachments[1].name")
            for name in ("../x", "a/b", "a\\b", "..", ".", " ", "a\x00b", "a\n")
        ],
        (attached(sha256=SHA + "\n"), "field.too_long", "$.payload.attachments[1].sha256"),
        (attached(sha256="A" * 64), "field.invalid", "$.payload.attachments[1].sha256"),
        (attached(media_type="a/b\n"), "field.invalid", "$.payload.attachments[1].media_type"),
        (attached(size_bytes=13), "attachment.content", "$.payload.attachments[1]"),
        (envelope(signed(recipients_added="H22")), "field.conflict", "$.payload.recipients_added"),
        (envelope(signed(act="recall")), "field.conflict", "$.payload.acts_on"),
        (
            envelope(signed(act="recall", acts_on=[{"sender": "H22", "document_id": "x"}])),
            "document.act_unsupported",
            "$.payload.act",
        ),
        (
            envelope(contents=[{"sha256": SHA, "content": base64.b64encode(FILE).decode()}]),
            "attachment.content",
            "$.contents[0]",
        ),
    ],
)
def test_mistakes_are_named_with_their_place(data: Any, code: str, path: str) -> None:
    error = refusal(data)
    assert (error.code, error.path) == (code, path)


def test_a_repeated_member_of_the_signed_bytes_is_named() -> None:
    payload = signed()[:-1] + b', "subject": "khac"}'
    error = refusal(envelope(payload))
    assert error.code == "json.duplicate_member"
    assert error.facts["member"] == "subject"


def test_inline_bytes_must_be_the_signed_file() -> None:
    files = [{"name": "a.pdf", "media_type": "application/pdf", "size_bytes": 12, "sha256": SHA}]
    good = envelope(
        signed(attachments=files),
        contents=[{"sha256": SHA, "content": base64.b64encode(FILE).decode()}],
    )
    assert read_envelope(good, NOW_US).envelope.contents[0].content == FILE
    changed = envelope(
        signed(attachments=files),
        contents=[{"sha256": SHA, "content": base64.b64encode(FILE[::-1]).decode()}],
    )
    error = refusal(changed)
    assert (error.code, error.path) == ("attachment.content", "$.contents[0]")


@pytest.mark.parametrize(
    ("moment", "code"),
    [
        (NOW + timedelta(seconds=limits.CLOCK_SKEW_S_MAX + 1), "document.issued_in_future"),
        (datetime(2022, 12, 31, 23, 59, tzinfo=VIETNAM_TIME), "document.issued_too_early"),
    ],
)
def test_issue_times_outside_the_window_are_refused(moment: datetime, code: str) -> None:
    assert refusal(envelope(signed(issued_at=moment.isoformat()))).code == code


@pytest.mark.parametrize(
    "moment",
    [NOW + timedelta(seconds=limits.CLOCK_SKEW_S_MAX), datetime(2023, 1, 1, tzinfo=VIETNAM_TIME)],
)
def test_issue_times_at_the_edge_of_the_window_are_taken(moment: datetime) -> None:
    intake = read_envelope(envelope(signed(issued_at=moment.isoformat())), NOW_US)
    assert intake.issued_at == instant_of(moment)


@pytest.mark.parametrize(
    ("moment", "code"),
    [
        ("0001-01-01T00:00:00+14:00", "document.issued_too_early"),
        ("1969-12-31T23:00:00Z", "document.issued_too_early"),
        ("9999-12-31T23:59:59-05:00", "document.issued_in_future"),
        ("9998-12-31T23:59:59-14:00", "document.issued_in_future"),
    ],
)
def test_issue_times_at_the_ends_of_the_calendar_are_refused_like_others(
    moment: str, code: str
) -> None:
    error = refusal(envelope(signed(issued_at=moment)))
    assert (error.code, error.path) == (code, "$.payload.issued_at")


def test_a_document_id_may_not_grow_over_its_bound_in_nfc() -> None:
    error = refusal(envelope(signed(document_id="\U0001d160" * limits.DOCUMENT_ID_CHARS_MAX)))
    assert (error.code, error.path) == ("field.too_long", "$.payload.document_id")


@pytest.mark.parametrize(
    ("changes", "code", "path"),
    [
        ({"idempotency_key": "k" * 129}, "field.too_long", "$.idempotency_key"),
        ({"idempotency_key": "\ud800"}, "field.invalid", "$"),
        ({"signatures": (SignatureEntry("jws"),) * 9}, "field.too_long", "$.signatures"),
        ({"payload": "no bytes"}, "field.invalid", "$.payload"),
        ({"version": 2}, "envelope.version", "$.version"),
    ],
)
def test_ready_structs_are_held_to_the_same_bounds(
    changes: dict[str, Any], code: str, path: str
) -> None:
    ready = msgspec.structs.replace(Envelope(version=1, payload=signed()), **changes)
    with pytest.raises(VanbanError) as caught:
        read_envelope(ready, NOW_US)
    assert (caught.value.code, caught.value.path) == (code, path)


def test_oversize_envelopes_cost_no_parsing() -> None:
    error = refusal(b" " * (limits.ENVELOPE_BYTES_MAX + 1))
    assert error.code == "envelope.too_large"


def test_errors_quote_no_content() -> None:
    error = refusal(envelope(signed(urgency="TUYET MAT so 17")))
    assert "TUYET" not in str(error)
