"""The documents of a run: really signed, some of them badly, and their envelopes."""

from __future__ import annotations

import hashlib
from copy import deepcopy
from dataclasses import dataclass, field, replace
from enum import Enum
from functools import cache
from random import Random
from typing import Any

import msgspec

from router.client.signing import Signer, encode_document, make_envelope
from router.model.documents import (
    DOCUMENT_FORMAT,
    Attachment,
    Document,
    Envelope,
    InlineContent,
    OnBadRecipient,
    Urgency,
)
from router.model.instants import SECOND_US, datetime_of
from vanban_bench.simulator.parts import Part, make_parts
from vanban_bench.simulator.world import Place, Selector
from vanban_bench.workloads.test_pki import TestPki

SIGNERS = 16
LANES = {
    Urgency.FLASH: "flash",
    Urgency.VERY_URGENT: "very_urgent",
    Urgency.URGENT: "urgent",
    Urgency.NORMAL: "normal",
}
LANE_ORDER = {name: place for place, name in enumerate(LANES.values())}
KINDS = ["Quyết định", "Công văn", "Thông báo", "Kế hoạch", "Giấy mời"]


class Signing(Enum):
    """How a document is signed."""

    GOOD = "good"
    BROKEN = "broken"
    STRANGER = "stranger"
    UNTRUSTED = "untrusted"
    NONE = "none"


class Standing(Enum):
    """What the model knows of a document: not stored, perhaps stored, stored."""

    ABSENT = "absent"
    MAYBE = "maybe"
    STORED = "stored"


@dataclass(eq=False)
class Paper:
    """One document with its envelope, and what the model has learnt of it.

    `audiences` are the sets it may have been stored with: several only while an answer is
    missing and the directory changed between two tries.  `parts` divide any of them.
    """

    sender: Place
    document_id: str
    issued_at: int
    selector: Selector
    skip: bool
    urgency: Urgency
    signing: Signing
    life_us: int | None
    envelope: Envelope
    raw: bytes
    content: str
    standing: Standing = Standing.ABSENT
    key: str = ""
    sequence: int = 0
    receipt: object = None
    audiences: list[frozenset[int]] = field(default_factory=list)
    parts: tuple[Part, ...] = ()

    def part_of(self, number: int) -> Part | None:
        """Return the part that holds a recipient; None: it gets the document at once."""
        return next((part for part in self.parts if part.holds(number)), None)

    def hidden_from(self, number: int) -> bool:
        """Say whether a recipient certainly may not know of it."""
        part = self.part_of(number)
        return part is not None and part.hidden

    def anew(self, sender: Place) -> Paper:
        """Return it as it was before it was ever submitted."""
        parts = tuple(part.anew() for part in self.parts)
        return replace(
            self, sender=sender, standing=Standing.ABSENT, key="", sequence=0, receipt=None,
            audiences=[], parts=parts,
        )  # fmt: skip

    def __deepcopy__(self, memo: dict[int, Any]) -> Paper:
        """Return a copy with what was learnt of it; the document itself never changes."""
        memo[id(self)] = found = replace(
            self, sender=deepcopy(self.sender, memo), audiences=list(self.audiences),
            parts=deepcopy(self.parts),
        )  # fmt: skip
        return found

    @property
    def name(self) -> tuple[int, str]:
        """What identifies it: sender and document id."""
        return (self.sender.number, self.document_id)

    @property
    def expires_at(self) -> int | None:
        """When its time to live ends, up to a millisecond early; None before its key is known.

        It counts from acceptance, whose millisecond the key begins with.
        """
        if self.life_us is None or not self.key:
            return None
        return int(self.key[:12], 16) * 1_000 + self.life_us

    @property
    def idempotency(self) -> tuple[int, str] | None:
        """Its idempotency key with its sender, if it has one."""
        key = self.envelope.idempotency_key
        return None if key is None else (self.sender.number, key)


@cache
def signers() -> tuple[Signer, ...]:
    """Return the pool of signers; a run binds some of them to its senders."""
    pki = TestPki.load()
    return tuple(
        pki.issue(number, f"G99.{number}", f"Tổ chức {number}", kind="ec", index=number)
        for number in range(SIGNERS)
    )


@cache
def untrusted_signer() -> Signer:
    """Return a signer whose certificate no trusted CA issued."""
    return TestPki.load().issue(99, "G99.99", "Tổ chức lạ", kind="ec", index=3, trusted=False)


@cache
def ca_der() -> bytes:
    """Return the certificate of the CA that a run trusts."""
    return TestPki.load().ca_der


@dataclass(frozen=True)
class Order:
    """What a document shall be; `signer` is the place of the sender's signer in the pool.

    `now_us` is when it is written, whatever it says of its issue.  With `strict` no bad
    recipient may be skipped.
    """

    sender: Place
    signer: int
    document_id: str
    idempotency_key: str | None
    issued_at: int
    selector: Selector
    signing: Signing
    now_us: int
    strict: bool = False


def write_paper(random: Random, order: Order) -> Paper:
    """Return a signed document as ordered, the rest of it by chance."""
    attached = random.randbytes(random.randint(1, 200)) if random.random() < 0.2 else None
    digest = hashlib.sha256(attached or b"").hexdigest()
    skip = random.random() < 0.3 and not order.strict
    life_s = random.choice([60, 900, 7_200]) if random.random() < 0.12 else None
    urgency = random.choice(list(Urgency))
    document = Document(
        format=DOCUMENT_FORMAT,
        sender=order.sender.code,
        document_id=order.document_id,
        number=f"{random.randint(1, 999):02}",
        notation="QĐ-UBND",
        document_type=random.choice(KINDS),
        subject=f"Về việc thử nghiệm số {random.randint(1, 10**9)}",
        issued_at=datetime_of(order.issued_at),
        recipients=order.selector.text(),
        on_bad_recipient=OnBadRecipient.SKIP if skip else OnBadRecipient.REFUSE,
        urgency=urgency,
        time_to_live_s=life_s,
        attachments=()
        if attached is None
        else (Attachment("tệp.bin", "application/octet-stream", len(attached), digest),),
    )
    payload = encode_document(document)
    contents = () if attached is None else (InlineContent(digest, attached),)
    envelope = make_envelope(
        payload, _signers_for(order), contents, idempotency_key=order.idempotency_key
    )
    if order.signing is Signing.BROKEN:
        envelope = _broken(envelope)
    return Paper(
        order.sender,
        order.document_id,
        order.issued_at,
        order.selector,
        skip,
        urgency,
        order.signing,
        None if life_s is None else life_s * SECOND_US,
        envelope,
        msgspec.json.encode(envelope),
        hashlib.sha256(payload).hexdigest(),
        parts=make_parts(random, order.now_us, lasting=life_s is None),
    )


def _signers_for(order: Order) -> list[Signer]:
    match order.signing:
        case Signing.NONE:
            return []
        case Signing.STRANGER:
            return [signers()[(order.signer + 1) % SIGNERS]]
        case Signing.UNTRUSTED:
            return [untrusted_signer()]
        case _:
            return [signers()[order.signer]]


def _broken(envelope: Envelope) -> Envelope:
    """Return the envelope with one letter of its signature changed."""
    entry = envelope.signatures[0]
    letter = "A" if entry.signature[10] != "A" else "B"
    changed = entry.signature[:10] + letter + entry.signature[11:]
    return msgspec.structs.replace(
        envelope, signatures=(msgspec.structs.replace(entry, signature=changed),)
    )
