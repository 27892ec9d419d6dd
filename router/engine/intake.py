"""The door: bytes to a checked envelope and document.  A refusal here stores nothing.

Order: size, JSON shape, duplicate members, fields and their bounds, versions, secrecy mark,
inline attachments, act, issue time.  The payload bytes stay exactly as received.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from typing import Final, TypeVar

import msgspec

from router import limits
from router._json import find_duplicate_member
from router.errors import InputError, MalformedError, PolicyRefusedError, TooLargeError
from router.model.documents import (
    DOCUMENT_FORMAT,
    ENVELOPE_VERSION,
    Act,
    Document,
    Envelope,
)
from router.model.instants import SECOND_US, instant_of, show_instant, year_of
from router.policy import carries_secrecy_mark

_T = TypeVar("_T")
_YEAR_MIN: Final = 1970
_YEAR_MAX: Final = 9998
"""What lies beyond these years may be no date at all in Vietnam time."""
_envelopes: Final = msgspec.json.Decoder(Envelope)
_documents: Final = msgspec.json.Decoder(Document)
_ready_envelopes: Final = msgspec.msgpack.Decoder(Envelope)
_pack: Final = msgspec.msgpack.Encoder().encode
_PLACE: Final = re.compile(r"^(?P<said>.*?)(?: - at `(?P<path>\$[^`]*)`)?$", re.DOTALL)
_QUOTED: Final = re.compile(r"'[^']*'|\"[^\"]*\"")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_NAMED: Final = re.compile(r"`([^`]{1,64})`")


class Intake(msgspec.Struct, frozen=True):
    """One document past the door: what came, what it says, its digest and issue instant."""

    envelope: Envelope
    document: Document
    document_id: str
    content: bytes
    issued_at: int


def read_envelope(raw: bytes | Envelope, now_us: int) -> Intake:
    """Check one envelope.  Raises InputError with code, path and remedy."""
    if isinstance(raw, Envelope):
        envelope = _checked(raw)
    elif isinstance(raw, bytes):
        envelope = _decode_envelope(raw)
    else:
        said = "an envelope is JSON in bytes, or an Envelope"
        raise InputError("field.invalid", path="$", reason=said)
    if envelope.version != ENVELOPE_VERSION:
        raise InputError("envelope.version", path="$.version", version=envelope.version)
    if len(envelope.payload) > limits.PAYLOAD_BYTES_MAX:
        raise _too_large(len(envelope.payload), limits.PAYLOAD_BYTES_MAX)
    document = _decode(_documents, envelope.payload, "$.payload")
    if document.format != DOCUMENT_FORMAT:
        raise InputError("envelope.version", path="$.payload.format", version=document.format)
    if carries_secrecy_mark(document):
        raise PolicyRefusedError("document.secret", path="$.payload.marks")
    _check_printable(document)
    _check_attachments(document)
    _check_contents(envelope, document)
    _check_act(document)
    issued_at = _check_issue_time(document, now_us)
    document_id = unicodedata.normalize("NFC", document.document_id)
    if len(document_id) > limits.DOCUMENT_ID_CHARS_MAX:  # a few characters grow in NFC
        said = f"at most {limits.DOCUMENT_ID_CHARS_MAX} characters in NFC"
        raise InputError("field.too_long", path="$.payload.document_id", reason=said)
    return Intake(
        envelope,
        document,
        document_id,
        hashlib.sha256(envelope.payload).digest(),
        issued_at,
    )


def _decode_envelope(raw: bytes) -> Envelope:
    if len(raw) > limits.ENVELOPE_BYTES_MAX:
        raise _too_large(len(raw), limits.ENVELOPE_BYTES_MAX)
    return _decode(_envelopes, raw, "$")


def _checked(ready: Envelope) -> Envelope:
    """Hold an envelope made by the embedding program to the bounds JSON is held to.

    Structs don't check themselves when made; reading one back from MessagePack does.
    """
    try:
        return _ready_envelopes.decode(_pack(ready))
    except msgspec.ValidationError as error:
        raise _field_error(str(error), "$") from None
    except (TypeError, ValueError, OverflowError):
        raise InputError("field.invalid", path="$", reason="not an envelope's fields") from None


def _too_large(size: int, limit: int) -> TooLargeError:
    return TooLargeError("envelope.too_large", size=size, limit=limit)


def _decode(decoder: msgspec.json.Decoder[_T], data: bytes, root: str) -> _T:
    try:
        value = decoder.decode(data)
        repeated = find_duplicate_member(data)
    except msgspec.ValidationError as error:
        raise _field_error(str(error), root) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        reason = _QUOTED.sub("…", str(error))
        raise MalformedError("json.malformed", path=root, reason=reason) from None
    except (RecursionError, ValueError):
        raise MalformedError("json.too_deep", path=root) from None
    if repeated is not None:
        offset, member = repeated
        raise MalformedError("json.duplicate_member", path=root, offset=offset, member=member)
    return value


def _field_error(said: str, root: str) -> InputError:
    """Turn msgspec's words into a code and a path; quoted values are cut out (content)."""
    match = _PLACE.match(said)
    assert match is not None
    path = root + (match["path"] or "$")[1:]
    reason = _QUOTED.sub("…", match["said"])
    named = _NAMED.search(reason)
    field = named.group(1) if named else ""
    if "unknown field" in reason:
        return InputError("field.unknown", path=path, field=field)
    if "missing required field" in reason:
        return InputError("field.missing", path=path, field=field)
    if "length <=" in reason:
        return InputError("field.too_long", path=path, reason=reason)
    return InputError("field.invalid", path=path, reason=reason)


def _check_printable(document: Document) -> None:
    """Refuse control characters in what people read (they rewrite terminals and lists)."""
    names = ("document_id", "number", "notation", "document_type", "subject")
    shown = [(f"$.payload.{name}", str(getattr(document, name))) for name in names]
    shown += [(f"$.payload.marks[{n}]", mark) for n, mark in enumerate(document.marks)]
    shown += [
        (f"$.payload.attachments[{n}].name", one.name) for n, one in enumerate(document.attachments)
    ]
    for path, text in shown:
        if _CONTROL.search(text):
            raise InputError("field.invalid", path=path, reason="it holds a control character")


def _check_attachments(document: Document) -> None:
    """Names are names of files, never paths; one SHA-256 is of one size."""
    sizes: dict[str, int] = {}
    for index, attachment in enumerate(document.attachments):
        path = f"$.payload.attachments[{index}]"
        name = attachment.name
        if "/" in name or "\\" in name or name.strip(". ") == "":
            said = "a file's name, without folders"
            raise InputError("field.invalid", path=f"{path}.name", reason=said)
        if sizes.setdefault(attachment.sha256, attachment.size_bytes) != attachment.size_bytes:
            said = "one SHA-256 is named with two sizes"
            raise InputError("attachment.content", path=path, reason=said)


def _check_contents(envelope: Envelope, document: Document) -> None:
    """Inline bytes must be exactly the files that the signature names."""
    size = sum(len(content.content) for content in envelope.contents)
    if size > limits.ATTACHMENT_INLINE_BYTES_MAX:
        limit = limits.ATTACHMENT_INLINE_BYTES_MAX
        raise TooLargeError("attachment.too_large", path="$.contents", size=size, limit=limit)
    signed = {attachment.sha256: attachment.size_bytes for attachment in document.attachments}
    seen: set[str] = set()
    for index, content in enumerate(envelope.contents):
        path = f"$.contents[{index}]"
        if content.sha256 not in signed:
            raise InputError("attachment.content", path=path, reason="no such attachment is signed")
        if content.sha256 in seen:
            raise InputError("attachment.content", path=path, reason="sent twice")
        seen.add(content.sha256)
        if len(content.content) != signed[content.sha256]:
            raise InputError("attachment.content", path=path, reason="the size differs")
        if hashlib.sha256(content.content).hexdigest() != content.sha256:
            raise InputError("attachment.content", path=path, reason="the SHA-256 differs")


def _check_act(document: Document) -> None:
    """Say first what does not go together, then what this version does not carry."""
    update = document.act is Act.UPDATE
    changes = document.recipients_added or document.recipients_removed
    if document.act is Act.NEW and document.acts_on:
        raise _conflict("$.payload.acts_on", "a new document acts on nothing")
    if document.act is not Act.NEW and not document.acts_on:
        raise _conflict("$.payload.acts_on", "the act needs the document it acts on")
    if changes and not update:
        raise _conflict("$.payload.recipients_added", "only an update adds or removes recipients")
    if document.act is not Act.NEW:
        act = document.act.value
        raise InputError("document.act_unsupported", path="$.payload.act", act=act)
    if document.recipients is None:
        raise InputError("field.missing", path="$.payload", field="recipients")


def _conflict(path: str, reason: str) -> InputError:
    return InputError("field.conflict", path=path, reason=reason)


def _check_issue_time(document: Document, now_us: int) -> int:
    path = "$.payload.issued_at"
    moment = document.issued_at
    first_year = year_of(now_us) - 1
    if moment.year < _YEAR_MIN:
        shown = moment.isoformat()
        raise InputError("document.issued_too_early", path=path, issued_at=shown, year=first_year)
    if moment.year > _YEAR_MAX:
        shown, now = moment.isoformat(), show_instant(now_us)
        raise InputError("document.issued_in_future", path=path, issued_at=shown, now=now)
    issued_at = instant_of(moment)
    if issued_at > now_us + limits.CLOCK_SKEW_S_MAX * SECOND_US:
        shown, now = show_instant(issued_at), show_instant(now_us)
        raise InputError("document.issued_in_future", path=path, issued_at=shown, now=now)
    if year_of(issued_at) < first_year:
        shown = show_instant(issued_at)
        raise InputError("document.issued_too_early", path=path, issued_at=shown, year=first_year)
    return issued_at
