"""What the engine stores with each document, and the small codes it computes from it."""

from __future__ import annotations

import binascii
from functools import lru_cache
from typing import Final

import msgspec

from router.errors import NotFoundError
from router.limits import ENTRY_PARTS_MAX
from router.model.answers import DELIVERY_ID_CHARS, LANE_NAMES, Alert, Receipt
from router.model.decisions import DecisionKept
from router.model.instants import show_instant
from router.signatures import Missing, SignatureVerdict

KEY_BYTES: Final = 16
_TO_URL: Final = bytes.maketrans(b"+/", b"-_")
_FROM_URL: Final = bytes.maketrans(b"-_", b"+/")
_DELIVERY_BYTES: Final = KEY_BYTES + 4
_LAST_CHARS: Final = "AEIMQUYcgkosw048"
"""What an id ends with: four bits of the address and two that are zero."""


class Waits(msgspec.Struct, frozen=True, array_like=True):
    """A document was accepted before its verdict could be reached: what is missing, how long.

    It waits until the instant `until` at most.
    """

    missing: tuple[Missing, ...]
    until: int


class Facts(msgspec.Struct, frozen=True, array_like=True):
    """The verdicts of the stages, as they were at acceptance; never computed again.

    `waits` is there when the verdict was indeterminate: `signatures` are then what was found so
    far, and a later record has the verdict (`engine.verdicts`).

    `directory_sequence` and `issued_at` say which directory resolved the selector
    (valid then, known then).  Fields are only ever added at the end.
    """

    document_id: str
    sender: str
    subject: str
    selector: str
    issued_at: int
    accepted_at: int
    directory_sequence: int
    snapshot: int
    addressed: int
    effective: int
    audience_sha256: bytes
    content_sha256: bytes
    policy_version: int
    rules: tuple[str, ...]
    lane: int
    skipped: tuple[str, ...]
    trust_version: int
    signatures: tuple[SignatureVerdict, ...]
    signer: str
    decision: DecisionKept | None = None
    waits: Waits | None = None
    revocation_version: int = 0

    def receipt(
        self, key: bytes, sequence: int, *, repeated: bool, alerts: tuple[Alert, ...] = ()
    ) -> Receipt:
        """Return the receipt these facts stand for."""
        kept = self.decision or _BEFORE_POLICIES
        held = sum(part.size for part in kept.held)
        return Receipt(
            key=key.hex(),
            document_id=self.document_id,
            sender=self.sender,
            accepted_at=show_instant(self.accepted_at),
            content_sha256=self.content_sha256.hex(),
            sequence=sequence,
            snapshot=self.snapshot,
            addressed=self.addressed,
            effective=self.effective,
            audience_sha256=self.audience_sha256.hex(),
            policy_version=self.policy_version,
            lane=LANE_NAMES[self.lane],
            skipped=self.skipped,
            repeated=repeated,
            alerts=alerts,
            held=held,
            excluded=kept.excluded,
            deadline=shown_deadline(kept),
            retention_years=kept.retention_years,
            for_information=kept.information_only,
            waiting=self.effective + held if self.waits is not None else 0,
        )


class FactsHandedOut(msgspec.Struct, frozen=True, array_like=True):
    """The beginning of `Facts`, the verdicts unread: most of their bytes, and no delivery's."""

    document_id: str
    sender: str
    subject: str
    selector: str
    issued_at: int
    accepted_at: int
    directory_sequence: int
    snapshot: int
    addressed: int
    effective: int
    audience_sha256: bytes
    content_sha256: bytes
    policy_version: int
    rules: msgspec.Raw
    lane: int
    skipped: msgspec.Raw
    trust_version: int
    signatures: msgspec.Raw
    signer: str
    decision: DecisionKept | None = None


_BEFORE_POLICIES: Final = DecisionKept((), 0, (), None, 0, 0, (), 0, 0, 0, False)
"""What documents say of their decision that were accepted before policies were kept."""
_facts: msgspec.msgpack.Decoder[Facts] = msgspec.msgpack.Decoder(Facts)
_handed_out: msgspec.msgpack.Decoder[FactsHandedOut] = msgspec.msgpack.Decoder(FactsHandedOut)
encode_facts = msgspec.msgpack.Encoder().encode


def decode_facts(data: bytes) -> Facts:
    """Read stored facts."""
    return _facts.decode(data)


def decode_facts_handed_out(data: bytes) -> FactsHandedOut:
    """Read of stored facts what a delivery shows, in half the time."""
    return _handed_out.decode(data)


def shown_deadline(kept: DecisionKept) -> str:
    """Return until when receipt is due, as text; "" for no deadline."""
    return _shown(kept.deadline) if kept.deadline else ""


@lru_cache(maxsize=64)
def _shown(instant_us: int) -> str:
    """Remember the text: all documents of a day share few deadlines."""
    return show_instant(instant_us)


def new_key(now_us: int, chance: bytes) -> bytes:
    """Return a 16-byte document key: 48 bits of milliseconds, then 80 of chance.

    Keys begin with time, so that indexes on them grow at one end (as UUIDv7, RFC 9562).
    """
    return (now_us // 1_000).to_bytes(6, "big") + chance[:10]


def delivery_id(key: bytes, address: int) -> str:
    """Return the id of the delivery of document `key` to unit `address` (27 characters)."""
    packed = binascii.b2a_base64(key + address.to_bytes(4, "big"), newline=False)
    return packed[:DELIVERY_ID_CHARS].translate(_TO_URL).decode()


def read_delivery_id(text: str) -> tuple[bytes, int]:
    """Return (key, address).  Raises NotFoundError for anything that is no such id.

    Base64url without padding, as RFC 7515 writes it; other spellings of an id are no ids.
    """
    raw = b""
    if len(text) == DELIVERY_ID_CHARS and text.isascii() and "+" not in text and "/" not in text:
        try:
            raw = binascii.a2b_base64(text.encode().translate(_FROM_URL) + b"=", strict_mode=True)
        except binascii.Error:
            raw = b""
    key, address = raw[:KEY_BYTES], int.from_bytes(raw[KEY_BYTES:], "big")
    if len(raw) != _DELIVERY_BYTES or text[-1] not in _LAST_CHARS:
        raise NotFoundError("delivery.not_found")
    return key, address


def hold_id(key: bytes, part: int) -> str:
    """Return the id of a held part of document `key`, counted from 1."""
    return f"{key.hex()}/{part}"


def read_hold_id(text: str) -> tuple[bytes, int]:
    """Return (key, part).  Raises NotFoundError `hold.not_found` for what is no such id."""
    name, _, place = text.partition("/")
    try:
        key = read_key(name)
    except NotFoundError:
        raise NotFoundError("hold.not_found") from None
    if len(place) != 1 or not "1" <= place <= str(ENTRY_PARTS_MAX):
        raise NotFoundError("hold.not_found")
    return key, int(place)


def read_key(text: str) -> bytes:
    """Return a document key from its hex form.  Raises NotFoundError for anything else."""
    try:
        key = bytes.fromhex(text)
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise NotFoundError("document.not_found")
    return key
