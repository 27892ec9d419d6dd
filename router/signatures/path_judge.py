"""The judgement over one signer's certificate; see `paths` for what it means.

Of several chains the best verdict counts: valid before indeterminate before invalid.  Where the
signer's own certificate is found revoked, no further chain is asked.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal, NamedTuple

from router.errors import SignatureRefusedError
from router.limits import PATHS_MAX
from router.model.instants import INSTANT_MAX, show_instant
from router.signatures.authorities import TrustView
from router.signatures.certificates import Certificate, check_leaf, check_validity, is_ocsp_only
from router.signatures.path_search import (
    Chain,
    Search,
    Window,
    known_links,
    trust_window,
    validity,
    web_of,
)
from router.signatures.paths import NOTHING_KNOWN, PathVerdict, PolicyInputs, RevocationView
from router.signatures.revocation_view import Above, Links
from router.signatures.validation import (
    ListFacts,
    RevocationCheck,
    Revoked,
    check_path,
    list_facts,
    response_evidence,
)
from router.signatures.verdicts import Evidence, Missing


class _Handed(NamedTuple):
    """Revocation material for one certificate of a chain, to be judged by the validator.

    `late` are lists made after the certificate's end: a CA may have left it out by then (RFC
    5280, 5), so they say nothing about it.
    """

    lists: tuple[tuple[ListFacts, bytes], ...] = ()
    responses: tuple[tuple[Evidence, bytes], ...] = ()
    late: frozenset[bytes] = frozenset()

    def digests(self) -> set[str]:
        """Return the SHA-256 (hex) of all that may say something."""
        rows = (*self.lists, *self.responses)
        return {hashlib.sha256(der).hexdigest() for _, der in rows}


class _Finding(NamedTuple):
    """What was found about the revocation of a chain that nobody says was revoked.

    `window` are the instants for which the evidence serves, `unrevoked` those at which nothing
    that is known says otherwise; `signers` are of lists that others than the chain have signed,
    believed or not.
    """

    evidence: tuple[Evidence, ...]
    missing: tuple[Missing, ...]
    window: Window
    unrevoked: Window
    signers: Links


class _RevokedError(Exception):
    """A certificate of the chain was revoked by the instant."""

    def __init__(self, place: int, since: int, reason: str, until: int) -> None:
        super().__init__(place, since, reason, until)
        self.until = until
        self.place = place
        self.since = since
        self.reason = reason


class PathJudge:
    """One judgement; belongs to one thread."""

    def __init__(
        self,
        leaf: Certificate,
        others: Sequence[Certificate],
        view: TrustView,
        revocation: RevocationView | None,
        at_us: int,
        inputs: PolicyInputs,
    ) -> None:
        """Take what `judge_path` takes."""
        self._leaf = leaf
        self._others = others
        self._view = view
        self._revocation = revocation or NOTHING_KNOWN
        self._at_us = at_us
        self._inputs = inputs

    def judge(self) -> PathVerdict:
        """Return the verdict; never raises for what certificates hold."""
        try:
            check_leaf(self._leaf)
        except SignatureRefusedError as error:
            return self._refused(error, (self._leaf,), 0, Window())
        start, end = validity(self._leaf)
        try:
            check_validity(self._leaf, self._at_us, "signer")
        except SignatureRefusedError as error:
            window = Window(0, start) if self._at_us < start else Window(end)
            return self._refused(error, (self._leaf,), 0, window)
        return self._best(self._steady().within(start, end))

    def _steady(self) -> Window:
        """Return the window around the instant in which no certificate comes or goes."""
        steady = web_of(self._view).steady(self._at_us)
        for one in self._others:
            for change in validity(one):
                if change <= self._at_us:
                    steady = steady.within(change, None)
                else:
                    steady = steady.within(0, change)
        return steady

    def _best(self, steady: Window) -> PathVerdict:
        search = Search(self._leaf, self._others, self._view, self._at_us)
        waiting: PathVerdict | None = None
        refused: PathVerdict | None = None
        alike = steady  # the instants at which no chain so far is good, or revoked otherwise
        beside: list[Chain] = []
        try:
            for count, chain in enumerate(search.chains(), start=1):
                if count > PATHS_MAX:
                    search.exhausted = True
                    break
                verdict, is_final, same = self._judge_chain(chain, steady)
                if is_final:
                    return _beside(verdict, beside, alike)
                if verdict.status == "indeterminate":
                    waiting = waiting or verdict
                else:
                    refused = refused or verdict
                alike = alike.within(*same)
                beside.append(chain)
        except SignatureRefusedError as error:
            return self._refused(error, (self._leaf,), 0, Window())
        if waiting is None and refused is not None:
            # Of several chains one may have been good until it was revoked.
            return replace(refused, good_from=alike.start, good_until=alike.end - 1)
        return waiting or self._pathless(search, steady)

    def _pathless(self, search: Search, steady: Window) -> PathVerdict:
        """Return the verdict when no chain leads to a root."""
        if search.exhausted:
            return self._refused(
                SignatureRefusedError("certificate.paths", paths=PATHS_MAX),
                (self._leaf,), 0, steady,
            )  # fmt: skip
        if search.flaw is not None:
            error, certificate = search.flaw
            return self._refused(error, (self._leaf, certificate), 1, steady)
        error = SignatureRefusedError("certificate.untrusted", issuer=self._leaf.issuer)
        return self._refused(error, (self._leaf,), 0, steady)

    def _judge_chain(self, chain: Chain, steady: Window) -> tuple[PathVerdict, bool, Window]:
        """Return the verdict of one chain, and whether no other chain can change it.

        Of one that can be changed also the instants at which it decides as little.
        """
        try:
            for certificate in chain:
                check_validity(certificate, self._at_us, "")
        except SignatureRefusedError as error:
            return self._refused(error, chain, chain.index(certificate), steady), False, steady
        try:
            check_path(chain, self._at_us, self._inputs)
        except SignatureRefusedError as error:
            place = int(error.facts.pop("place", 0))
            return self._refused(error, chain, place, steady), False, steady
        try:
            finding = self._find_revocation(chain)
        except _RevokedError as revoked:
            refusal = SignatureRefusedError(
                "certificate.revoked", since=show_instant(revoked.since), reason=revoked.reason
            )
            window = steady.within(revoked.since, revoked.until)
            return self._refused(refusal, chain, revoked.place, window), revoked.place == 0, window
        window = self._window(chain, finding)
        verdict = PathVerdict(
            status="indeterminate" if finding.missing else "valid",
            chain=chain,
            evidence=finding.evidence,
            missing=finding.missing,
            good_from=window.start,
            good_until=window.end - 1,
            signers=finding.signers,
        )
        return verdict, verdict.status == "valid", finding.unrevoked

    def _window(self, chain: Chain, finding: _Finding) -> Window:
        if finding.missing:
            return Window(self._at_us, self._at_us + 1)
        window = finding.window
        for certificate in chain:
            window = window.within(*validity(certificate))
            authority = self._view.authority(certificate.sha256)
            if authority is not None:
                window = window.within(*trust_window(authority))
        return window

    def _find_revocation(self, chain: Chain) -> _Finding:
        """Ask for every certificate but the root, from the root's side on.

        Raises _RevokedError for the first that was revoked by the instant.
        """
        handed = [
            self._handed(certificate, chain[place + 1])
            for place, certificate in enumerate(chain[:-1])
        ]
        check = self._check(chain, handed)
        evidence: list[Evidence] = []
        missing: list[Missing] = []
        signers: list[tuple[Certificate, int]] = []
        window = unrevoked = Window()
        for place in reversed(range(len(chain) - 1)):
            found, span, vouched = self._find_one(chain, place, handed[place], check)
            signers += vouched
            if found is None:
                missing.append(_missing(chain[place]))
            else:
                evidence.append(found)
                window = window.within(*self._serves(found))
            unrevoked = unrevoked.within(*span)
            if check is not None:
                # Also when nothing is known of it: then the chain is not valid anyway, and what
                # is missing below it is told apart.
                check.accept(place)
        window = window.within(*unrevoked)
        return _Finding(
            tuple(reversed(evidence)), tuple(reversed(missing)), window, unrevoked, tuple(signers)
        )

    def _find_one(
        self, chain: Chain, place: int, handed: _Handed, check: RevocationCheck | None
    ) -> tuple[Evidence | None, tuple[int, int | None], Links]:
        """Return what says that a certificate is good (or None), from when up to when, by whom."""
        certificate, issuer = chain[place], chain[place + 1]
        if not self._must_be_checked(issuer):
            return Evidence(certificate.sha256.hex(), "none", issuer.subject), (0, None), ()
        serial = certificate.parsed.serial_number
        self._revocation.notice(certificate, issuer, self._at_us)
        above = Above(self._view, chain[place + 2 :])
        status = self._revocation.status(issuer, serial, self._at_us, certificate, above)
        ends = [one for one in (status.revoked_at, status.invalidity_at) if one is not None]
        end = min(ends, default=None)
        if status.kind == "revoked":
            raise _RevokedError(place, end or 0, status.reason, status.until)
        until = status.until if end is None else min(end, status.until)
        known = status.evidence if status.kind == "good" else None
        asked = (*status.signers, *status.doubted)  # more about either may change the answer
        # An accuser that nothing shows as good any more may have been shown so before.
        since = self._at_us if status.doubted else 0
        digests = handed.digests()
        judged_here = place + 2 < len(chain) or _is_self_issued(issuer)
        # The validator knows no authority of which nobody asks what it revoked.
        judged_here &= all(self._must_be_checked(one) for one, _ in status.signers)
        if known is not None and not (end is None and known.sha256 in digests and judged_here):
            return known, (since, until), asked
        if check is None or not digests:
            return None, (since, until), ()
        outcome = check.outcome(place)
        if isinstance(outcome, Revoked):
            if outcome.at <= self._at_us:
                raise _RevokedError(place, outcome.at, outcome.reason, INSTANT_MAX)
            found = known or _evidence_of(outcome.kind, certificate, handed)
            return found, (since, min(outcome.at, until)), asked
        if outcome is None or known is not None:
            return (known if outcome else None), (since, until), asked
        # Without the index nobody says whether it was revoked an instant later.
        return _evidence_of(outcome, certificate, handed), (since, self._at_us + 1), asked

    def _must_be_checked(self, issuer: Certificate) -> bool:
        authority = self._view.authority(issuer.sha256)
        return authority is None or authority.revocation == "required"

    def _handed(self, certificate: Certificate, issuer: Certificate) -> _Handed:
        """Return what the view hands out for one certificate and can be read."""
        if not self._must_be_checked(issuer):
            return _Handed()
        lists, late = [], []
        for der in self._revocation.lists_for(issuer, self._at_us, self._view):
            try:
                facts = list_facts(der)
            except ValueError:
                continue
            if facts.keeps_expired or facts.produced_at <= certificate.valid_to:
                lists.append((facts, der))
            else:
                late.append(der)
        responses = []
        serial = certificate.parsed.serial_number
        for der in self._revocation.responses_for(issuer, serial, self._at_us):
            try:
                evidence = response_evidence(certificate, der)
            except ValueError:
                continue
            if evidence.produced_at <= certificate.valid_to:
                responses.append((evidence, der))
        return _Handed(tuple(lists), tuple(responses), frozenset(late))

    def _check(self, chain: Chain, handed: Sequence[_Handed]) -> RevocationCheck | None:
        """Return a check with all material of the chain, or None when there is none."""
        late = frozenset[bytes]().union(*(one.late for one in handed))
        lists = {der: facts for one in handed for facts, der in one.lists if der not in late}
        responses = dict.fromkeys(der for one in handed for _, der in one.responses)
        if not lists and not responses:
            return None
        # Who signed a list may be an authority beside the path.
        web = web_of(self._view)
        helpers = {
            authority.certificate: None
            for facts in lists.values()
            for authority in web.named(facts.issuer)
            if authority.holds(self._at_us)
        }
        try:
            return RevocationCheck(
                chain, helpers, lists, responses, self._at_us, self._revocation.grace_us
            )
        except ValueError:
            return None

    def _serves(self, evidence: Evidence) -> tuple[int, int]:
        """Return for which signing instants evidence serves as it served at this one."""
        if evidence.kind == "none":
            return 0, INSTANT_MAX
        if not evidence.fresh_until:
            return self._at_us, self._at_us + 1
        if self._at_us < evidence.fresh_until:
            return 0, evidence.fresh_until
        return evidence.fresh_until, evidence.fresh_until + self._revocation.grace_us

    def _refused(
        self, error: SignatureRefusedError, chain: Chain, place: int, window: Window
    ) -> PathVerdict:
        """Return an invalid verdict that says which certificate of the chain is meant."""
        certificate = chain[place]
        sent = (self._leaf, *self._others)
        named = sent.index(certificate) if certificate in sent else 0
        role = "signer" if place == 0 else "authority"
        if place == len(chain) - 1 and place and self._is_root(certificate):
            role = "root"
        return PathVerdict(
            status="invalid",
            code=error.code,
            facts=error.facts
            | {
                "certificate": role,
                "subject": certificate.subject,
                "serial": certificate.serial,
            },
            chain=chain,
            good_from=window.start,
            good_until=window.end - 1,
            path=f"protected.x5c[{named}]",
        )

    def _is_root(self, certificate: Certificate) -> bool:
        authority = self._view.authority(certificate.sha256)
        return authority is not None and authority.role == "root"


def _beside(verdict: PathVerdict, others: Sequence[Chain], alike: Window) -> PathVerdict:
    """Return a final verdict for those instants only at which the chains before it decide nothing.

    One of them may be good, or have the signer revoked, at another instant or by other data.
    """
    window = alike.within(verdict.good_from, verdict.good_until + 1)
    return replace(
        verdict, good_from=window.start, good_until=window.end - 1, beside=tuple(others),
        span_from=alike.start, span_until=alike.end - 1,
    )  # fmt: skip


def _is_self_issued(root: Certificate) -> bool:
    """Say whether a root issued itself: of others the validator finds no way to their lists."""
    links = known_links(root)
    return links is not None and links.subject == links.issuer


def _missing(certificate: Certificate) -> Missing:
    return Missing(
        kind="ocsp" if is_ocsp_only(certificate) else "crl",
        certificate_sha256=certificate.sha256.hex(),
        issuer=certificate.issuer,
    )


def _evidence_of(
    kind: Literal["crl", "ocsp"], certificate: Certificate, handed: _Handed
) -> Evidence | None:
    """Return evidence from the material the validator was given; of several, the newest.

    None when it decided by what was handed out for other certificates only.
    """
    if kind == "ocsp":
        evidence = [row[0] for row in handed.responses]
        return max(evidence, key=lambda one: one.produced_at, default=None)
    if not handed.lists:
        return None
    links = known_links(certificate)
    own = [row for row in handed.lists if links is not None and row[0].issuer == links.issuer]
    facts, der = max(own or handed.lists, key=lambda row: row[0].produced_at)
    return Evidence(
        certificate_sha256=certificate.sha256.hex(),
        kind="crl",
        issuer=certificate.issuer,
        sha256=hashlib.sha256(der).hexdigest(),
        number=facts.number,
        produced_at=facts.produced_at,
        fresh_until=facts.fresh_until,
    )
