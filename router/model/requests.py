"""The bodies of the HTTP API beside documents: what is asked and what is answered.

They stand here because the server and the client, two rooms of one height, both speak them.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from router import limits
from router.model.answers import Delivery, Settled
from router.model.instants import INSTANT_MAX
from router.model.policies import PolicyVersion, TestDocument

DeliveryId = Annotated[str, Meta(min_length=1, max_length=64)]
DeliveryIds = Annotated[
    tuple[DeliveryId, ...], Meta(min_length=1, max_length=limits.ACKNOWLEDGE_DELIVERIES_MAX)
]

PolicyText = Annotated[str, Meta(min_length=1, max_length=limits.CONTROL_BODY_BYTES_MAX)]
Code = Annotated[str, Meta(min_length=1, max_length=limits.CODE_CHARS_MAX)]


class LeaseRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Take deliveries from the own inbox.

    `limit` is the most to hand out, `lease_s` how many seconds they stay reserved (absent:
    the daemon's setting), `wait_s` how many seconds to wait when nothing is there.
    """

    limit: Annotated[int, Meta(ge=1, le=limits.LEASE_DELIVERIES_MAX)] = 100
    lease_s: Annotated[int, Meta(ge=1, le=limits.LEASE_S_MAX)] | None = None
    wait_s: Annotated[float, Meta(ge=0, le=limits.WAIT_S_MAX)] = 0.0


class Leased(msgspec.Struct, frozen=True):
    """The deliveries handed out, most urgent lane first; empty when there are none."""

    deliveries: tuple[Delivery, ...] = ()


class AcknowledgeRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Say that these deliveries were taken over; repeating it is harmless."""

    deliveries: DeliveryIds


class ExtendRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Keep deliveries that are handed out for `lease_s` seconds from now.

    Absent: the daemon's setting.
    """

    deliveries: DeliveryIds
    lease_s: Annotated[int, Meta(ge=1, le=limits.LEASE_S_MAX)] | None = None


class GiveBackRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Put deliveries that are handed out back into the inbox, in their old places."""

    deliveries: DeliveryIds


class RefuseRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Return deliveries with a reason (QĐ 28/2018, Art. 5.4)."""

    deliveries: DeliveryIds
    reason: Annotated[str, Meta(max_length=limits.REASON_CHARS_MAX)]


class Settlements(msgspec.Struct, frozen=True):
    """One answer for each delivery named, in the order named."""

    deliveries: tuple[Settled, ...] = ()


class ResolveRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Ask whom a selector selects at an instant (microseconds since 1970; absent: now).

    `limit` is how many units are listed and `page` which page of them (from 0); all are
    counted.  `known_at_us` asks as the directory was known then; `sender` is the code of the
    unit that `sender` in the selector means (absent: the token's unit); `explain` is the
    code of a unit to say of why it is selected or not; `roll_up` asks for the members by
    tier and province.
    """

    selector: Annotated[str, Meta(min_length=1, max_length=limits.SELECTOR_CHARS_MAX)]
    at_us: Annotated[int, Meta(ge=0, le=INSTANT_MAX)] | None = None
    limit: Annotated[int, Meta(ge=0, le=limits.TRACKING_PAGE_MAX)] = 100
    known_at_us: Annotated[int, Meta(ge=0, le=INSTANT_MAX)] | None = None
    sender: Code | None = None
    explain: Code | None = None
    roll_up: bool = False
    page: Annotated[int, Meta(ge=0, le=limits.UNITS_MAX)] = 0


Outcome = Literal["allow", "hold", "exclude"]


class ReachRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Ask who may receive from a unit, or send to it, and list a page of one outcome.

    `document` describes what is sent (absent: a plain one, signed by its sender).
    """

    unit: Code
    document: TestDocument | None = None
    outcome: Outcome = "allow"
    limit: Annotated[int, Meta(ge=0, le=limits.TRACKING_PAGE_MAX)] = 100
    page: Annotated[int, Meta(ge=0, le=limits.UNITS_MAX)] = 0


class PolicyRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A policy file to check and test; one longer than a request goes by the command line."""

    text: PolicyText


class ImpactRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Ask what a policy would change: documents since an instant, or all pairs of units."""

    text: PolicyText
    since_us: Annotated[int, Meta(ge=0, le=INSTANT_MAX)] = 0
    limit: Annotated[int, Meta(ge=1, le=limits.POLICY_REPLAYED_MAX)] = 10_000
    pairs: bool = False


class ActivateRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Put a policy in force; `reason` is for the record."""

    text: PolicyText
    reason: Annotated[str, Meta(min_length=1, max_length=limits.REASON_CHARS_MAX)]


class RollbackRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Put an earlier version in force again (absent: the one before; 0: the shipped one)."""

    reason: Annotated[str, Meta(min_length=1, max_length=limits.REASON_CHARS_MAX)]
    version: Annotated[int, Meta(ge=0, le=1 << 62)] | None = None


class PolicyVersions(msgspec.Struct, frozen=True):
    """Every activation of a policy, oldest first."""

    versions: tuple[PolicyVersion, ...] = ()


class PolicyShown(msgspec.Struct, frozen=True):
    """The text of a policy as it was activated; empty for the shipped one."""

    text: str


class ApproveRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Approve a held part; `unit` is in whose name an operator acts (a unit's token: its own)."""

    reason: Annotated[str, Meta(max_length=limits.REASON_CHARS_MAX)] = ""
    unit: Code | None = None


class DenyRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Deny a held part, with the reason that its sender is told; `unit` as in ApproveRequest."""

    reason: Annotated[str, Meta(min_length=1, max_length=limits.REASON_CHARS_MAX)]
    unit: Code | None = None


class Health(msgspec.Struct, frozen=True, omit_defaults=True):
    """The answer of the health checks: `status` is "ok" or "ready".

    `refusing` is there, with its code, while documents are refused for a reason and all else works.
    `revocation` is there while revocation data of an authority is not fresh, with the worst that
    holds for any: "grace" (stale data still serves), "expired" or "missing" (signers below that
    authority wait).
    """

    status: str
    refusing: str = ""
    revocation: str = ""
