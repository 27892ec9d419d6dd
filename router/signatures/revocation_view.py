"""What is known about revocation at one moment: an immutable view that is cheap to ask.

A view is shared by all threads that judge; a change makes a new one.  All instants of
freshness are compared with the instant that is judged, not with the clock: what was received
at ten is judged by what holds at ten, however late the data came.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

import msgspec

from router.errors import SignatureRefusedError
from router.model.instants import INSTANT_MAX, SECOND_US
from router.signatures.authorities import TrustView
from router.signatures.certificates import Certificate, check_intermediate
from router.signatures.lists import HOLD, Entries, Revoked, Scope, may_sign_lists
from router.signatures.names import authority_id, certified, subject_key
from router.signatures.responses import Answer
from router.signatures.verdicts import Evidence

Notice = Callable[[Certificate, Certificate, int], None]
Links = tuple[tuple[Certificate, int], ...]
"""Issuer and serial number of certificates."""


class RevocationStatus(NamedTuple):
    """Whether a certificate was revoked at the instant asked about.

    `kind` is "revoked" when the revocation, or the loss of the key that it states
    (invalidityDate), is not after that instant; "good" when fresh data (or stale data within
    the grace) shows it as not revoked then; "unknown" when nothing does.  `revoked_at`,
    `invalidity_at` and `reason` are told of a later revocation, too.  `usable_until` is the
    instant up to which (exclusive) the evidence serves, grace included; 0 without evidence.

    A list may be signed with another key than the issuer's: `signers` are the certificates of
    such keys, and what is known of these counts too, up to `until` (exclusive).  `doubted` are
    those whose lists were left aside, since nothing shows their certificates as good.
    """

    kind: Literal["good", "revoked", "unknown"]
    evidence: Evidence | None = None
    revoked_at: int | None = None
    invalidity_at: int | None = None
    reason: str = ""
    usable_until: int = 0
    signers: Links = ()
    until: int = INSTANT_MAX
    doubted: Links = ()


@dataclass(frozen=True, slots=True, eq=False)
class KnownList:
    """A list that was judged good.

    `signer` is the `authority_id` of who signed it, `authority` one of its certificates,
    `taken_at` when the list came.  `entries` is None where the index can't answer from it, `der`
    empty where it is too large to be handed to the validation of paths.
    """

    slot: str
    name: str
    signer: str
    authority: Certificate
    scope: Scope
    entries: Entries | None
    count: int
    der: bytes
    evidence: Evidence
    number: int | None
    stamp: int
    taken_at: int

    @property
    def memory_bytes(self) -> int:
        """Bytes of index and DER."""
        return len(self.der) + (0 if self.entries is None else self.entries.memory_bytes)

    def trusted_signers(self, trust: TrustView, at_us: int) -> list[Certificate]:
        """Return the certificates of who signed it that are trusted at the instant.

        Only of authorities of the operator; one whose trust has ended must have brought the
        list before.
        """
        return [
            one.certificate
            for one in trust.keyed(self.signer)
            if one.holds(at_us) and (one.trusted_to is None or self.taken_at < one.trusted_to)
        ]


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


class Above(NamedTuple):
    """Who stands above an issuer on the path that is judged, and who is trusted.

    `chain` begins with the issuer's own issuer and ends with the trusted root; a root has none.
    """

    trust: TrustView
    chain: tuple[Certificate, ...] = ()


class _Standing(NamedTuple):
    """A list speaks for an issuer up to an instant (exclusive), by these signers' certificates."""

    until: int = INSTANT_MAX
    signers: Links = ()


_OWN: Final = _Standing()


class _Claim(NamedTuple):
    """What one list or response says; `said` is "good", "revoked" or "unknown"."""

    evidence: Evidence
    said: str
    revoked: Revoked | None
    standing: _Standing = _OWN


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

    def lists_of(self, issuer: Certificate, at_us: int, above: Above | None) -> list[KnownList]:
        """Return the lists that speak for an issuer at an instant, whatever their scope and age."""
        return [one for one, _ in self._speaking(issuer, at_us, above, [])]

    def _speaking(
        self,
        issuer: Certificate,
        at_us: int,
        above: Above | None,
        doubted: list[tuple[Certificate, int]],
    ) -> Iterator[tuple[KnownList, _Standing]]:
        """Yield the lists of an issuer: signed with its own key, or with another one's.

        A renewed authority signs one list for all its certificates.  Another key's certificate
        must then be validated as the path itself (RFC 5280, 6.3.3 (f): with the same trust
        anchor): it bears the issuer's name, the certificate that stands above the issuer on the
        path certified it, the operator trusts it, and it was not revoked.  Adds to `doubted`.
        """
        own = authority_id(issuer)
        for one in self._by_name.get(subject_key(issuer), ()):
            if one.signer == own:
                yield one, _OWN
            elif above is not None and above.chain:
                standing = self._standing(one, at_us, above, doubted)
                if standing is not None:
                    yield one, standing

    def _standing(
        self,
        one: KnownList,
        at_us: int,
        above: Above,
        doubted: list[tuple[Certificate, int]],
    ) -> _Standing | None:
        """Return up to when a list of another key stands beside a path, or None."""
        parent, higher = above.chain[0], Above(above.trust, above.chain[1:])
        moment = max(at_us, one.evidence.produced_at)
        for signer in one.trusted_signers(above.trust, moment):
            if _may_stand_in(signer, parent, one.evidence.produced_at, moment):
                standing = self._good_signer(signer, parent, moment, higher, doubted)
                if standing is not None:
                    return standing
        return None

    def _good_signer(
        self,
        signer: Certificate,
        parent: Certificate,
        at_us: int,
        above: Above,
        doubted: list[tuple[Certificate, int]],
    ) -> _Standing | None:
        authority = above.trust.authority(parent.sha256)
        serial = signer.parsed.serial_number
        if authority is not None and authority.revocation == "not_checked":
            return _Standing(signers=((parent, serial),))
        found = self.status(parent, serial, at_us, signer, above)
        if found.kind == "unknown":
            self.notice(signer, parent, at_us)
        doubted += found.doubted
        if found.kind != "good":
            doubted += ((parent, serial), *found.signers)
            return None
        ends = (found.usable_until, found.revoked_at, found.invalidity_at, found.until)
        until = min(end for end in ends if end is not None)
        return _Standing(until, ((parent, serial), *found.signers))

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
        self,
        issuer: Certificate,
        serial: int,
        at_us: int,
        certificate: Certificate | None = None,
        above: Above | None = None,
    ) -> RevocationStatus:
        """Say whether the certificate of that issuer and serial was revoked at an instant.

        Lists of any size and responses are asked.  `certificate`, where it is at hand, lets
        lists answer that speak about a part of an authority's certificates, and goes into the
        evidence; data made after it ended (when entries may have been taken away) shows
        nothing about it.  `above` lets lists answer that the issuer signed with another key of
        its own.  The newest word decides, except that a revocation stays, however
        old: only a hold is ever lifted.
        """
        doubted: list[tuple[Certificate, int]] = []
        found = self._decided(
            self._claims(issuer, serial, at_us, certificate, above, doubted), at_us, certificate
        )
        return found._replace(doubted=tuple(doubted)) if doubted else found

    def _decided(
        self, claims: Sequence[_Claim], at_us: int, certificate: Certificate | None
    ) -> RevocationStatus:
        best: _Claim | None = None
        later: Revoked | None = None  # of all that is said, the first to come
        for claim in claims:
            revoked = claim.revoked
            if revoked is not None and revoked.reason != HOLD:
                if _begun(revoked, at_us):
                    return self._told("revoked", claim, certificate)
                if later is None or _begins(revoked) < _begins(later):
                    later = revoked
            if at_us >= claim.evidence.fresh_until + self.grace_us:
                continue
            if best is None or claim.evidence.produced_at > best.evidence.produced_at:
                best = claim
        if best is None:
            return RevocationStatus("unknown")
        if best.revoked is not None and _begun(best.revoked, at_us):
            return self._told("revoked", best, certificate)
        kind: Literal["good", "unknown"] = "unknown" if best.said == "unknown" else "good"
        told = [one for one in (best.revoked, later) if one is not None]
        best = best._replace(revoked=min(told, key=_begins, default=None))
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
            claim.standing.signers,
            claim.standing.until,
        )

    def _claims(
        self,
        issuer: Certificate,
        serial: int,
        at_us: int,
        certificate: Certificate | None,
        above: Above | None,
        doubted: list[tuple[Certificate, int]],
    ) -> list[_Claim]:
        found = []
        for one, standing in self._speaking(issuer, at_us, above, doubted):
            if one.entries is None:
                continue
            if not one.scope.covers(certificate) or serial < 0:
                continue
            entry = one.entries.find(serial)
            if entry is None and _outlived(certificate, one.evidence):
                continue
            said = "good" if entry is None else "revoked"
            found.append(_Claim(one.evidence, said, entry, standing))
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

    def lists_for(self, issuer: Certificate, at_us: int, trust: TrustView) -> tuple[bytes, ...]:
        """Return the small lists (DER) that may speak about an issuer's certificates.

        Those signed with its key; and those of its name, and indirect ones, of authorities that
        are trusted then.  At most as stale as the grace allows at that instant.  For the
        validation of paths, which judges them.
        """
        own = authority_id(issuer)
        named = self._by_name.get(subject_key(issuer), ())
        others = tuple(one for one in self._indirect if one not in named)
        return tuple(
            one.der
            for one in (*named, *others)
            if one.der
            and at_us < one.evidence.fresh_until + self.grace_us
            and (
                one.signer == own
                or one.trusted_signers(trust, max(at_us, one.evidence.produced_at))
            )
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


def _may_stand_in(signer: Certificate, parent: Certificate, produced_at: int, moment: int) -> bool:
    """Say whether the parent certified an authority that may sign lists, valid at both instants."""
    if not may_sign_lists(signer) or not certified(signer, parent):
        return False
    try:
        check_intermediate(signer)
    except SignatureRefusedError:
        return False
    return signer.valid_from <= produced_at and moment < signer.valid_to + SECOND_US


def _begun(revoked: Revoked, at_us: int) -> bool:
    return _begins(revoked) <= at_us


def _begins(revoked: Revoked) -> int:
    if revoked.invalidity_at is None:
        return revoked.revoked_at
    return min(revoked.revoked_at, revoked.invalidity_at)


def _outlived(certificate: Certificate | None, evidence: Evidence) -> bool:
    """Say whether the data was made after the certificate's end."""
    return certificate is not None and evidence.produced_at >= certificate.valid_to + SECOND_US
