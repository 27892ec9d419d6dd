"""What is known about revocation at one moment: an immutable view that is cheap to ask.

A view is shared by all threads that judge; a change makes a new one.  All instants of
freshness are compared with the instant that is judged, not with the clock: what was received
at ten is judged by what holds at ten, however late the data came.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

import msgspec

from router.model.instants import SECOND_US
from router.signatures.certificates import Certificate
from router.signatures.lists import HOLD, Entries, Revoked, Scope
from router.signatures.names import authority_id, issuer_key, subject_key
from router.signatures.responses import Answer
from router.signatures.verdicts import Evidence

Notice = Callable[[Certificate, Certificate, int], None]


class RevocationStatus(NamedTuple):
    """Whether a certificate was revoked at the instant asked about.

    `kind` is "revoked" when the revocation, or the loss of the key that it states
    (invalidityDate), is not after that instant; "good" when fresh data (or stale data within
    the grace) shows it as not revoked then; "unknown" when nothing does.  `revoked_at`,
    `invalidity_at` and `reason` are told of a later revocation, too.  `usable_until` is the
    instant up to which (exclusive) the evidence serves, grace included; 0 without evidence.
    """

    kind: Literal["good", "revoked", "unknown"]
    evidence: Evidence | None = None
    revoked_at: int | None = None
    invalidity_at: int | None = None
    reason: str = ""
    usable_until: int = 0


UNKNOWN = RevocationStatus("unknown")


@dataclass(frozen=True, slots=True, eq=False)
class KnownList:
    """A list that was judged good.

    `signer` is the `authority_id` of who signed it, `parent` the name of that authority's own
    issuer ("" for a self-issued one).  `entries` is None where the index can't answer from it,
    `der` empty where it is too large to be handed to the validation of paths.
    """

    slot: str
    name: str
    signer: str
    parent: str
    authority: Certificate
    scope: Scope
    entries: Entries | None
    count: int
    der: bytes
    evidence: Evidence
    number: int | None
    stamp: int

    @property
    def memory_bytes(self) -> int:
        """Bytes of index and DER."""
        return len(self.der) + (0 if self.entries is None else self.entries.memory_bytes)

    def speaks_for(self, issuer: Certificate) -> bool:
        """Say whether the list is one of that issuer.

        It must bear the issuer's name and be signed with its key, or with another key that
        the same parent has certified under the same name: a renewed authority signs one list
        for all its certificates (RFC 5280, 5 and 6.3.3 (f)).
        """
        if self.signer == authority_id(issuer):
            return True
        return bool(self.parent) and self.parent == issuer_key(issuer)


@dataclass(frozen=True, slots=True, eq=False)
class KnownResponse:
    """A response that was judged good."""

    slot: str
    issuer: str
    authority: Certificate
    answer: Answer
    der: bytes
    evidence: Evidence
    stamp: int


class _Claim(NamedTuple):
    """What one list or response says; `said` is "good", "revoked" or "unknown"."""

    evidence: Evidence
    said: str
    revoked: Revoked | None


class RevocationView:
    """What is known at one version; see the head of this module.

    `grace_us` is how long data serves after its nextUpdate, `grace_stamp` the version since
    which it is so.
    """

    __slots__ = (
        "_by_name", "_indirect", "_notice", "_responses", "grace_stamp", "grace_us", "lists",
        "version",
    )  # fmt: skip

    def __init__(
        self,
        lists: Mapping[str, KnownList],
        responses: Mapping[tuple[str, int], KnownResponse],
        version: int,
        grace_us: int,
        notice: Notice | None = None,
        grace_stamp: int = 0,
    ) -> None:
        self.lists = lists
        self.version = version
        self.grace_us = grace_us
        self.grace_stamp = grace_stamp
        self._responses = responses
        self._notice = notice
        by_name: dict[str, tuple[KnownList, ...]] = {}
        for one in lists.values():
            by_name[one.name] = (*by_name.get(one.name, ()), one)
        self._by_name = by_name
        self._indirect = tuple(one for one in lists.values() if "indirect" in one.scope.words)

    @property
    def responses(self) -> Mapping[tuple[str, int], KnownResponse]:
        """The responses by (authority_id, serial)."""
        return self._responses

    def lists_of(self, issuer: Certificate) -> list[KnownList]:
        """Return the lists that speak for an issuer, whatever their scope and age."""
        named = self._by_name.get(subject_key(issuer), ())
        return [one for one in named if one.speaks_for(issuer)]

    def with_lists(
        self,
        lists: Mapping[str, KnownList],
        responses: Mapping[tuple[str, int], KnownResponse],
        version: int,
    ) -> RevocationView:
        """Return a view of other lists and responses under the same settings."""
        return RevocationView(
            lists, responses, version, self.grace_us, self._notice, self.grace_stamp
        )

    def with_grace(self, grace_us: int) -> RevocationView:
        """Return a view of the same data under another grace.

        What was remembered by the former grace does not hold: with data the stamp of every
        certificate changes.
        """
        version = self.version
        if grace_us != self.grace_us and (self.lists or self._responses):
            version += 1
        stamp = self.grace_stamp if version == self.version else version
        return RevocationView(self.lists, self._responses, version, grace_us, self._notice, stamp)

    def with_response(self, response: KnownResponse, version: int) -> RevocationView:
        """Return a view of the same lists with one response more, or another in its place."""
        made = RevocationView.__new__(RevocationView)
        for name in RevocationView.__slots__:
            setattr(made, name, getattr(self, name))
        made._responses = {**self._responses, (response.issuer, response.answer.serial): response}
        made.version = version
        return made

    def status(
        self, issuer: Certificate, serial: int, at_us: int, certificate: Certificate | None = None
    ) -> RevocationStatus:
        """Say whether the certificate of that issuer and serial was revoked at an instant.

        Lists of any size and responses are asked.  `certificate`, where it is at hand, lets
        lists answer that speak about a part of an authority's certificates, and goes into the
        evidence; data made after it ended (when entries may have been taken away) shows
        nothing about it.  The newest word decides, except that a revocation stays, however
        old: only a hold is ever lifted.
        """
        best: _Claim | None = None
        for claim in self._claims(issuer, serial, certificate):
            revoked = claim.revoked
            if revoked is not None and revoked.reason != HOLD and _begun(revoked, at_us):
                return self._told("revoked", claim, certificate)
            if at_us >= claim.evidence.fresh_until + self.grace_us:
                continue
            if best is None or claim.evidence.produced_at > best.evidence.produced_at:
                best = claim
        if best is None:
            return UNKNOWN
        if best.revoked is not None and _begun(best.revoked, at_us):
            return self._told("revoked", best, certificate)
        kind: Literal["good", "unknown"] = "unknown" if best.said == "unknown" else "good"
        return self._told(kind, best, certificate, at_us >= best.evidence.fresh_until)

    def _told(
        self,
        kind: Literal["good", "revoked", "unknown"],
        claim: _Claim,
        certificate: Certificate | None,
        grace: bool = False,
    ) -> RevocationStatus:
        evidence = claim.evidence
        if certificate is not None or grace:
            sha256 = "" if certificate is None else certificate.sha256.hex()
            evidence = msgspec.structs.replace(evidence, certificate_sha256=sha256, grace=grace)
        revoked = claim.revoked or Revoked(0, None, "")
        return RevocationStatus(
            kind,
            evidence,
            None if claim.revoked is None else revoked.revoked_at,
            revoked.invalidity_at,
            revoked.reason,
            evidence.fresh_until + self.grace_us,
        )

    def _claims(
        self, issuer: Certificate, serial: int, certificate: Certificate | None
    ) -> list[_Claim]:
        found = []
        for one in self.lists_of(issuer):
            if one.entries is None:
                continue
            if not one.scope.covers(certificate) or serial < 0:
                continue
            entry = one.entries.find(serial)
            if entry is None and _outlived(certificate, one.evidence):
                continue
            found.append(_Claim(one.evidence, "good" if entry is None else "revoked", entry))
        response = self._responses.get((authority_id(issuer), serial))
        if response is not None:
            answer = response.answer
            if answer.status == "revoked":
                revoked = Revoked(answer.revoked_at or 0, None, answer.reason)
                found.append(_Claim(response.evidence, "revoked", revoked))
            elif not _outlived(certificate, response.evidence):
                found.append(_Claim(response.evidence, answer.status, None))
        return found

    def stamp(self, issuer: Certificate, serial: int) -> int:
        """Return a number that changes when what is known about that certificate changes.

        For keys of caches: of the lists of its issuer and the response about it, the latest.
        """
        found = self.grace_stamp
        for one in self._by_name.get(subject_key(issuer), ()):
            found = max(found, one.stamp)
        for one in self._indirect:
            found = max(found, one.stamp)
        response = self._responses.get((authority_id(issuer), serial))
        return found if response is None else max(found, response.stamp)

    def lists_for(self, issuer: Certificate, at_us: int) -> tuple[bytes, ...]:
        """Return the small lists (DER) that may speak about an issuer's certificates.

        Those of its name, signed by whatever trusted key, and indirect ones; at most as stale
        as the grace allows at that instant.  For the validation of paths, which judges them.
        """
        named = self._by_name.get(subject_key(issuer), ())
        others = tuple(one for one in self._indirect if one not in named)
        return tuple(
            one.der
            for one in (*named, *others)
            if one.der and at_us < one.evidence.fresh_until + self.grace_us
        )

    def responses_for(self, issuer: Certificate, serial: int, at_us: int) -> tuple[bytes, ...]:
        """Return the responses (DER) about a certificate, at most as stale as the grace allows."""
        one = self._responses.get((authority_id(issuer), serial))
        if one is None or at_us >= one.evidence.fresh_until + self.grace_us:
            return ()
        return (one.der,)

    def notice(self, certificate: Certificate, issuer: Certificate, at_us: int) -> None:
        """Note that the certificate's revocation was asked about, so that it is fetched.

        To be called with pairs of a path whose signatures were found good, up to a trusted
        root: an intermediate authority that came with a document is believed from then on to
        sign lists of its own.  Cheap to repeat; thread-safe.
        """
        if self._notice is not None:
            self._notice(certificate, issuer, at_us)


def _begun(revoked: Revoked, at_us: int) -> bool:
    if revoked.revoked_at <= at_us:
        return True
    return revoked.invalidity_at is not None and revoked.invalidity_at <= at_us


def _outlived(certificate: Certificate | None, evidence: Evidence) -> bool:
    """Say whether the data was made after the certificate's end."""
    return certificate is not None and evidence.produced_at >= certificate.valid_to + SECOND_US
