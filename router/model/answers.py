"""What the engine answers: receipts, refusals, deliveries, tracking, explanations."""

from __future__ import annotations

from enum import Enum
from typing import Final

import msgspec

from router.model.documents import InlineContent, SignatureEntry
from router.model.policies import Finding

DELIVERY_ID_CHARS = 27


class Lane(Enum):
    """The queue's order: 0 is served first.  From the urgency, or set by policy."""

    FLASH = 0
    VERY_URGENT = 1
    URGENT = 2
    NORMAL = 3


LANE_NAMES: Final = tuple(lane.name.lower() for lane in Lane)
"""What answers call the lanes, by number."""


class DeliveryState(Enum):
    """Transport states of one delivery.

    Delivered, refused, expired, withdrawn and excluded are final.
    """

    QUEUED = "queued"
    LEASED = "leased"
    DELIVERED = "delivered"
    REFUSED = "refused"
    EXPIRED = "expired"
    DEAD = "dead"
    WITHDRAWN = "withdrawn"
    EXCLUDED = "excluded"
    HELD = "held"
    WAITING = "waiting"


class Alert(msgspec.Struct, frozen=True, omit_defaults=True):
    """What somebody should look at, though nothing is refused for it.

    By `code`:

    - `number.repeated`: the document `key` of the same sender and year has the same number
      and notation (NĐ 30/2020, Appendix VI); `document_id` is its id.
    - `document.sent_late`: sent after the deadline for sending (QĐ 28/2018, Art. 6.2).
    - `calendar.year_missing`: no deadline was set, as the working calendar lacks the year.
    - `signer.revoked`: it became known since that the certificate `certificate` (SHA-256) of
      `subject`, a signer's or an authority's above it, was not to be trusted since `since`,
      which was before the document was signed.  The verdict stands.
    """

    code: str
    key: str = ""
    document_id: str = ""
    certificate: str = ""
    subject: str = ""
    since: str = ""


class Receipt(msgspec.Struct, frozen=True):
    """Biên nhận: what the sender holds as proof of acceptance, flushed before it is given.

    `key` is the engine's 16-byte key in hex; `content_sha256` is over the signed bytes;
    `audience_sha256` over the members' stable numbers (ascending, 4 bytes big-endian each).
    `repeated` is true when an equal document had been accepted before: the rest is then
    the first receipt.  `alerts` name what is odd about the document.
    By policy: `held` recipients wait for an approver, `excluded` ones get nothing, receipt is
    due before `deadline` ("": no deadline), the document is to be kept `retention_years` (0:
    not said); `for_information`: it was admitted unsigned, for information only.
    `waiting` recipients, held ones among them, get nothing before the signatures' verdict is
    reached: something it needs (revocation data) was missing.
    `installation_signature` is `unsigned` until receipts are signed.
    """

    key: str
    document_id: str
    sender: str
    accepted_at: str
    content_sha256: str
    sequence: int
    snapshot: int
    addressed: int
    effective: int
    audience_sha256: str
    policy_version: int
    lane: str
    skipped: tuple[str, ...] = ()
    repeated: bool = False
    version: int = 1
    installation_signature: str = "unsigned"
    alerts: tuple[Alert, ...] = ()
    held: int = 0
    excluded: int = 0
    deadline: str = ""
    retention_years: int = 0
    for_information: bool = False
    waiting: int = 0


class Problem(msgspec.Struct, frozen=True, omit_defaults=True):
    """A refusal in the shape of RFC 9457, with the stable code, the place and the remedy.

    `findings` has every mistake and doubt of a policy file that was refused for the first.
    """

    type: str
    title: str
    status: int
    code: str
    detail: str
    remedy: str
    path: str = ""
    facts: dict[str, str | int] = {}
    findings: tuple[Finding, ...] = ()


Outcome = Receipt | Problem


class Delivery(msgspec.Struct, frozen=True, omit_defaults=True):
    """Lượt gửi: one document for one address, as handed out under a lease.

    `payload` and the rest are exactly what the sender signed and sent; `signer` names the
    subject of the certificate that was judged good at acceptance.  `for_information`: nobody
    signed it (QĐ 28/2018, Art. 4); receipt is due before `deadline`.
    """

    delivery: str
    key: str
    address: str
    sender: str
    lane: str
    accepted_at: str
    leased_until: str
    attempt: int
    payload: bytes
    signatures: tuple[SignatureEntry, ...] = ()
    contents: tuple[InlineContent, ...] = ()
    signer: str = ""
    for_information: bool = False
    deadline: str = ""


class Settled(msgspec.Struct, frozen=True, omit_defaults=True):
    """The answer for one delivery that somebody acted on.

    `state` is where it stands now; `repeated` is true when it was final already; `code` is
    set instead when the id is not one of this unit's, or the act does not fit it;
    `leased_until` says until when a lease that was extended lasts.
    """

    delivery: str
    state: str = ""
    repeated: bool = False
    code: str = ""
    leased_until: str = ""


class HistoryEvent(msgspec.Struct, frozen=True, omit_defaults=True):
    """One change of state: nothing is overwritten (QĐ 28/2018, Art. 10.2.p)."""

    state: str
    at: str
    unit: str = ""
    actor: str = ""
    reason: str = ""


class TrackedDelivery(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where one delivery stands."""

    address: str
    name: str
    tier: str
    state: str
    since: str
    attempts: int = 0
    history: tuple[HistoryEvent, ...] = ()


class Tracking(msgspec.Struct, frozen=True, omit_defaults=True):
    """Who has the document and who not: counts first, then a page of deliveries.

    `by_tier` maps tier -> state -> count; `next_page` is the number of the
    page to ask for next, 0 after the last one.  Asked `below` a unit, recipients and counts
    are those below it; asked for one `state`, the page lists deliveries in that state.
    """

    key: str
    document_id: str
    sender: str
    accepted_at: str
    subject: str
    lane: str
    recipients: int
    states: dict[str, int]
    by_tier: dict[str, dict[str, int]]
    deliveries: tuple[TrackedDelivery, ...] = ()
    next_page: int = 0
    below: str = ""
    alerts: tuple[Alert, ...] = ()


class OutboxEvent(msgspec.Struct, frozen=True, omit_defaults=True):
    """One thing that a sender is told about documents it has sent.

    `cursor` names the event: ask for what comes after it.  `at` is when it happened,
    `sender` the unit the documents are from.  By `kind`:

    - `redirected`: `address` was closed; `holder` answers for it and finds in its inbox what
      is not taken yet: `open` deliveries of this sender (`more`: at least so many).  `title`
      is the act's.  With a `key`: the document was accepted after `address` had closed.
    - `dead`: `delivery` of the document `key` was handed out to `address` too often without
      an answer; an operator may queue it again.
    - `released`, `denied`, `hold_expired`: the held part `hold` of the document `key`, with
      so many `recipients`, was approved or denied by `answered_by` (`reason`), or nobody
      approved it in time.
    - `verdict_valid`, `verdict_invalid`, `verdict_expired`: the document `key` had waited for
      the verdict over its signatures, with so many `recipients`.  It was good, and goes to
      them; or it was not, for the reason with the stable code `code`, and is delivered to
      nobody; or nothing had been decided when its wait ended, and it is delivered to nobody.
    """

    cursor: str
    kind: str
    at: str
    sender: str
    address: str = ""
    holder: str = ""
    title: str = ""
    open: int = 0
    more: bool = False
    key: str = ""
    document_id: str = ""
    delivery: str = ""
    hold: str = ""
    recipients: int = 0
    answered_by: str = ""
    reason: str = ""
    code: str = ""


class Outbox(msgspec.Struct, frozen=True):
    """A page of a sender's feed, oldest first; `cursor` is the one to ask after next."""

    events: tuple[OutboxEvent, ...] = ()
    cursor: str = ""
    more: bool = False


class ResolvedUnit(msgspec.Struct, frozen=True):
    """One member of a resolved audience."""

    code: str
    name: str
    tier: str
    kind: str


class RollUp(msgspec.Struct, frozen=True, omit_defaults=True):
    """Members of an audience and all open units, by tier: everywhere, or below one unit.

    `tiers` maps a tier to (members, all units of it there).  `subtrees` above 1: the line
    stands for so many subtrees, every unit of which is a member.
    """

    code: str
    name: str
    tier: str
    tiers: dict[str, tuple[int, int]]
    complete: bool
    words: str
    words_vi: str
    subtrees: int = 1


class UnitExplained(msgspec.Struct, frozen=True, omit_defaults=True):
    """Why a selector selects a unit, or why not.

    `reason` is stable (`listed`, `below`, `in-group`, `excluded`, `no-part-matched`,
    `merged`, `closed`, `not-yet-open`, `unknown`, …); `part` is the part of the selector
    that decided and `position` where it begins; `steps` are all that was looked at, the
    last being the whole selector (`part`, `position`, `matched`, `because`, `because_vi`).
    """

    unit: str
    name: str
    selected: bool
    reason: str
    words: str
    words_vi: str
    part: str = ""
    position: int = 0
    steps: tuple[dict[str, str | int | bool], ...] = ()


class Resolved(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a selector means at an instant: counts, then a page of its units.

    `directory_at` is the instant of the directory that was used where the selector names
    one (`… @ 2025-06-30`), `known_at` the time as known at which it was asked, `sender` the
    code of the unit it was asked for; `next_page` is the page to ask for next, 0 after the
    last.  `roll_up` and `explanation` are there when they were asked for.
    """

    selector: str
    at: str
    size: int
    by_tier: dict[str, int]
    audience_sha256: str
    units: tuple[ResolvedUnit, ...] = ()
    skipped: tuple[str, ...] = ()
    directory_at: str = ""
    known_at: str = ""
    sender: str = ""
    next_page: int = 0
    roll_up: tuple[RollUp, ...] = ()
    explanation: UnitExplained | None = None


class Principal(msgspec.Struct, frozen=True, omit_defaults=True):
    """Whom a token stands for: a unit, or an operator of the installation.

    An operator that is `limited` may do what the rights of the token say, nothing else.
    """

    token: str
    name: str
    unit: int | None = None
    code: str = ""
    operator: bool = False
    limited: bool = False


class Explanation(msgspec.Struct, frozen=True, omit_defaults=True):
    """Why a unit receives a document, or why not.

    `reasons` are steps in order (`part`, `position`, `matched`), with why in English and
    Vietnamese (`because`, `because_vi`).  The part `signatures` is there when they decided.
    """

    document: str
    unit: str
    name: str
    receives: bool
    summary: str
    summary_vi: str
    reasons: tuple[dict[str, str | int | bool], ...] = ()
