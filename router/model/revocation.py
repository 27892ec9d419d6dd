"""What is told about revocation data: what was taken in, what is wanted, how fresh it is."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Literal

import msgspec

RevocationKind = Literal["crl", "ocsp"]
Freshness = Literal["fresh", "grace", "expired", "missing", "not_checked"]


_WORST: Final[tuple[Freshness, ...]] = ("missing", "expired", "grace")


class Added(msgspec.Struct, frozen=True, omit_defaults=True):
    """Revocation data that was judged good: a CRL (RFC 5280) or an OCSP response (RFC 6960).

    `issuer` is the subject of the authority whose certificates it speaks about, with the
    SHA-256 (hex) of its certificate.  `entries` counts the revoked certificates of a list, or
    the certificates a response answers for.  `produced_at` and `fresh_until` are the instants
    of thisUpdate and nextUpdate.  `scope` is "" for a list of all certificates, else what
    narrows it.  `new` is False when the very same data was known.  `slot` (hex) is its place:
    what is added later for the same place replaces it.
    """

    kind: RevocationKind
    issuer: str
    issuer_sha256: str
    slot: str
    entries: int
    produced_at: int
    fresh_until: int
    number: str = ""
    scope: str = ""
    new: bool = True


class Wanted(msgspec.Struct, frozen=True, omit_defaults=True):
    """Revocation data that should be fetched now.

    `urls` are addresses (http or https) of the same data, in the order to try them.  Of kind
    "ocsp" `body` is the request to be posted (RFC 6960, appendix A); "crl" is asked by GET.
    `issuer_sha256` names the authority it is about.
    """

    kind: RevocationKind
    urls: tuple[str, ...]
    issuer_sha256: str
    body: bytes = b""


class AuthorityRevocation(msgspec.Struct, frozen=True, omit_defaults=True):
    """How fresh the revocation data of one authority is.

    `state` is "fresh" before nextUpdate, "grace" while stale data still serves, "expired"
    after that, "missing" when there never was any, "not_checked" when the operator trusts the
    authority without.  `serves_until` is the end of the grace.  `lists`, `entries`,
    `responses` and `memory_bytes` say what is held; `failure` says why the last attempt to
    fetch failed, at `failed_at`; "" after one that succeeded.
    """

    sha256: str
    subject: str
    state: Freshness
    lists: int = 0
    entries: int = 0
    responses: int = 0
    memory_bytes: int = 0
    number: str = ""
    produced_at: int = 0
    fresh_until: int = 0
    serves_until: int = 0
    addresses: tuple[str, ...] = ()
    checked_at: int = 0
    failure: str = ""
    failed_at: int = 0


def worst_of(states: Iterable[AuthorityRevocation]) -> str:
    """Return the worst state of any authority: "missing", "expired", "grace", or "" for none."""
    found = {one.state for one in states}
    return next((state for state in _WORST if state in found), "")
