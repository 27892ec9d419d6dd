"""The signed envelope, version 1, as senders write it.

An `Envelope` carries the exact bytes of the signed JSON (`payload`), signature entries over
those bytes, and the attachment bytes that travel inline.  The payload is kept as received;
`Document` is what it says.  docs/envelope.md is the specification, bindings/vectors holds
good and bad examples.
"""

from __future__ import annotations

from datetime import date, datetime
from enum import Enum
from typing import Annotated

import msgspec
from msgspec import Meta

from router import limits

ENVELOPE_VERSION = 1
DOCUMENT_FORMAT = 1

# In patterns `(?![\s\S])` is the end of the text, in Python as in JSON Schema; Python's `$`
# also stands before a last newline.

Code = Annotated[str, Meta(min_length=1, max_length=limits.CODE_CHARS_MAX)]
DocumentId = Annotated[str, Meta(min_length=1, max_length=limits.DOCUMENT_ID_CHARS_MAX)]
SelectorText = Annotated[str, Meta(min_length=1, max_length=limits.SELECTOR_CHARS_MAX)]
Sha256Hex = Annotated[str, Meta(max_length=64, pattern="^[0-9a-f]{64}$")]
ZonedTime = Annotated[datetime, Meta(tz=True)]


class Act(Enum):
    """What the document does: a new one, or acting on an earlier one."""

    NEW = "new"
    RECALL = "recall"
    UPDATE = "update"
    REPLACE = "replace"


class Urgency(Enum):
    """Độ khẩn, as signed (NĐ 30/2020, Art. 4.2.c): thường, khẩn, thượng khẩn, hỏa tốc."""

    NORMAL = "normal"
    URGENT = "urgent"
    VERY_URGENT = "very_urgent"
    FLASH = "flash"


class OnBadRecipient(Enum):
    """Whether one unknown or closed recipient refuses the document or is skipped."""

    REFUSE = "refuse"
    SKIP = "skip"


class Reference(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Another document, by its sender's code and its document id.

    `recipients` narrows a replacement to a part of the earlier audience.
    """

    sender: Code
    document_id: DocumentId
    recipients: SelectorText | None = None


class Attachment(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One attached file as the signature covers it: name, type, size in bytes, SHA-256."""

    name: Annotated[str, Meta(min_length=1, max_length=limits.ATTACHMENT_NAME_CHARS_MAX)]
    media_type: Annotated[
        str, Meta(min_length=3, max_length=127, pattern=r"^[!-~]+/[!-~ ]+(?![\s\S])")
    ]
    size_bytes: Annotated[int, Meta(ge=0, le=limits.ATTACHMENT_SIZE_BYTES_MAX)]
    sha256: Sha256Hex


class Document(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The signed content, format 1.

    `recipients` is the selector as written (nơi nhận); an update carries
    `recipients_added` and/or `recipients_removed` instead.  `subject` is the trích yếu,
    `number` and `notation` are số and ký hiệu (`05` and `QĐ-UBND`), `marks` are
    circulation marks (lưu hành nội bộ, xem xong trả lại).
    """

    format: int
    sender: Code
    document_id: DocumentId
    number: Annotated[str, Meta(min_length=1, max_length=limits.NUMBER_CHARS_MAX)]
    notation: Annotated[str, Meta(min_length=1, max_length=limits.NOTATION_CHARS_MAX)]
    document_type: Annotated[str, Meta(min_length=1, max_length=limits.DOCUMENT_TYPE_CHARS_MAX)]
    subject: Annotated[str, Meta(min_length=1, max_length=limits.SUBJECT_CHARS_MAX)]
    issued_at: ZonedTime
    act: Act = Act.NEW
    acts_on: Annotated[tuple[Reference, ...], Meta(max_length=limits.REFERENCES_MAX)] = ()
    reply_to: Annotated[tuple[Reference, ...], Meta(max_length=limits.REFERENCES_MAX)] = ()
    recipients: SelectorText | None = None
    recipients_added: SelectorText | None = None
    recipients_removed: SelectorText | None = None
    on_bad_recipient: OnBadRecipient = OnBadRecipient.REFUSE
    urgency: Urgency = Urgency.NORMAL
    marks: Annotated[
        tuple[Annotated[str, Meta(min_length=1, max_length=limits.MARK_CHARS_MAX)], ...],
        Meta(max_length=limits.MARKS_MAX),
    ] = ()
    reply_by: date | None = None
    time_to_live_s: Annotated[int, Meta(ge=1, le=limits.TIME_TO_LIVE_S_MAX)] | None = None
    attachments: Annotated[tuple[Attachment, ...], Meta(max_length=limits.ATTACHMENTS_MAX)] = ()


class SignatureEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One signature over the payload bytes, or over the root of a tree that holds them.

    `form` is "jws": detached JWS with unencoded payload (RFC 7515 App. F, RFC 7797); or
    "merkle": the same over the root statement of a tree of documents, with `tree`, this one's
    place in it (`router.signatures.trees`).  The others are base64url without padding.
    """

    form: Annotated[str, Meta(min_length=1, max_length=16)]
    protected: Annotated[str, Meta(max_length=limits.SIGNATURE_HEADER_CHARS_MAX)] = ""
    signature: Annotated[str, Meta(max_length=2_048)] = ""
    tree: Annotated[str, Meta(max_length=limits.TREE_CHARS_MAX)] = ""


class InlineContent(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The bytes of one attachment, joined to it by SHA-256 (base64 in JSON)."""

    sha256: Sha256Hex
    content: bytes


class Envelope(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What travels: exact signed bytes (base64 in JSON), signatures, inline attachments.

    `idempotency_key` is the sender's own key for a retry; it is not signed.
    """

    version: int
    payload: Annotated[bytes, Meta(max_length=limits.PAYLOAD_BYTES_MAX)]
    signatures: Annotated[tuple[SignatureEntry, ...], Meta(max_length=limits.SIGNATURES_MAX)] = ()
    contents: Annotated[tuple[InlineContent, ...], Meta(max_length=limits.ATTACHMENTS_MAX)] = ()
    idempotency_key: (
        Annotated[str, Meta(min_length=1, max_length=limits.IDEMPOTENCY_KEY_CHARS_MAX)] | None
    ) = None
