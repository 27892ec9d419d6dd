"""The search for paths: which certificates may stand between a signer's and a trusted root.

A step from a certificate to an issuer is taken only when the names agree (RFC 5280, 7.1), the
key identifiers do not contradict, the issuer may sign certificates, and its key did sign.
Who is no CA of ours can't make a certificate that leads to a root of ours, so a web of
certificates that a sender invents ends in itself; what it can cost is bounded all the same
(`PATH_STEPS_MAX`, `PATHS_MAX`, `PATH_CERTIFICATES_MAX`).
"""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections import deque
from collections.abc import Iterator, Sequence
from typing import NamedTuple
from weakref import WeakKeyDictionary

from router.errors import SignatureRefusedError
from router.limits import PATH_CERTIFICATES_MAX, PATH_STEPS_MAX, TRUST_WEBS_MAX
from router.model.instants import INSTANT_MAX, SECOND_US
from router.signatures.authorities import Authority, TrustView
from router.signatures.certificates import Certificate, check_intermediate, signed_by
from router.signatures.validation import Links, links_of

Chain = tuple[Certificate, ...]
"""The certificates of a path, the signer's first, the trusted root last."""

_lock = threading.Lock()  # guards _links and _webs
_links: WeakKeyDictionary[Certificate, Links | None] = WeakKeyDictionary()
_webs: dict[int, Web] = {}


class Window(NamedTuple):
    """Signing instants from `start` up to `end` (exclusive)."""

    start: int = 0
    end: int = INSTANT_MAX

    def within(self, start: int, end: int | None) -> Window:
        """Return the part of it that lies between two instants too."""
        return Window(max(self.start, start), self.end if end is None else min(self.end, end))


class Web:
    """The authorities of a trust view by name; immutable, shared by threads."""

    def __init__(self, authorities: tuple[Authority, ...]) -> None:
        self.authorities = authorities
        self._by_subject: dict[bytes, list[Authority]] = {}
        self._by_key: dict[tuple[bytes, bytes], list[Authority]] = {}
        changes: set[int] = set()
        for authority in authorities:
            links = known_links(authority.certificate)
            if links is not None:  # nothing leads to a name that can't be compared
                self._by_subject.setdefault(links.subject, []).append(authority)
                self._by_key.setdefault((links.subject, links.key), []).append(authority)
            for one in (*validity(authority.certificate), *trust_window(authority)):
                changes.add(one)
        self._changes = sorted(changes)

    def named(self, subject: bytes) -> Sequence[Authority]:
        """Return the authorities of a name (a hash of `Links`), whenever trusted."""
        return self._by_subject.get(subject, ())

    def has_ended(self, links: Links, at_us: int) -> bool:
        """Say whether all authorities of that name and key that are known are not trusted then."""
        known = self._by_key.get((links.subject, links.key), ())
        return bool(known) and not any(one.holds(at_us) for one in known)

    def steady(self, at_us: int) -> Window:
        """Return the window around an instant in which no authority comes or goes."""
        place = bisect_right(self._changes, at_us)
        start = self._changes[place - 1] if place else 0
        return Window(start, self._changes[place] if place < len(self._changes) else INSTANT_MAX)


class Search:
    """The search for the paths of one signer's certificate; belongs to one thread.

    `flaw` says, when no path was found, why the most promising one was none; `exhausted` that
    it was given up; `steps` counts the issuers looked at, at most `PATH_STEPS_MAX`.
    """

    def __init__(
        self, leaf: Certificate, others: Sequence[Certificate], view: TrustView, at_us: int
    ) -> None:
        self.flaw: tuple[SignatureRefusedError, Certificate] | None = None
        self.exhausted = False
        self._leaf = leaf
        self._web = web_of(view)
        self._at_us = at_us
        self.steps = 0
        self._proven: dict[tuple[bytes, bytes], bool] = {}
        # What the operator knows is taken as the operator says, even if the sender sent it, or
        # another certificate of the same key.
        strangers = {one.sha256: one for one in others if view.authority(one.sha256) is None}
        self._strangers = [
            (links, one)
            for one in strangers.values()
            if one.sha256 != leaf.sha256
            and (links := known_links(one)) is not None
            and not self._web.has_ended(links, at_us)
        ]

    def chains(self) -> Iterator[Chain]:
        """Yield the chains that may be paths: short ones first, valid certificates first.

        Raises SignatureRefusedError `certificate.malformed` when the signer's certificate has
        names that can't be compared.
        """
        ahead: deque[tuple[Chain, tuple[Links, ...]]] = deque()
        ahead.append(((self._leaf,), (links_of(self._leaf),)))
        while ahead:
            chain, links = ahead.popleft()
            # The same authority twice (one name, one key) is a circle.
            passed = {(one.subject, one.key) for one in links[1:]}
            for issuer, further, is_root in self._issuers(links[-1]):
                if self.steps >= PATH_STEPS_MAX:
                    self.exhausted = True
                    return
                self.steps += 1
                if (further.subject, further.key) in passed:
                    continue
                if not self._has_signed(issuer, chain[-1]):
                    continue
                if is_root:
                    yield (*chain, issuer)
                elif len(chain) + 2 <= PATH_CERTIFICATES_MAX and self._may_issue(issuer):
                    ahead.append(((*chain, issuer), (*links, further)))

    def _issuers(self, links: Links) -> list[tuple[Certificate, Links, bool]]:
        """Return who may have issued a certificate: roots first, valid ones first."""
        found: list[tuple[Certificate, Links, bool]] = []
        for authority in self._web.named(links.issuer):
            known = known_links(authority.certificate)
            if known is not None and authority.holds(self._at_us):
                found.append((authority.certificate, known, authority.role == "root"))
        found += [(one, known, False) for known, one in self._strangers
                  if known.subject == links.issuer]  # fmt: skip
        fitting = [
            row for row in found
            if None in {row[1].key_id, links.authority_key_id}
            or row[1].key_id == links.authority_key_id
        ]  # fmt: skip
        return sorted(fitting, key=lambda row: (not row[2], not self._is_valid(row[0])))

    def _is_valid(self, certificate: Certificate) -> bool:
        start, end = validity(certificate)
        return start <= self._at_us < end

    def _has_signed(self, issuer: Certificate, certificate: Certificate) -> bool:
        key = (issuer.sha256, certificate.sha256)
        known = self._proven.get(key)
        if known is None:
            known = self._proven[key] = signed_by(certificate, issuer)
        return known

    def _may_issue(self, certificate: Certificate) -> bool:
        try:
            check_intermediate(certificate)
        except SignatureRefusedError as error:
            self.flaw = self.flaw or (error, certificate)
            return False
        return True


def web_of(view: TrustView) -> Web:
    """Return the web of a view; the last few are kept, by the identity of their authorities."""
    key = id(view.authorities)
    with _lock:
        web = _webs.get(key)
    if web is not None and web.authorities is view.authorities:
        return web
    web = Web(view.authorities)
    with _lock:
        while len(_webs) >= TRUST_WEBS_MAX:
            del _webs[next(iter(_webs))]
        _webs[key] = web  # it holds the tuple, so no other one can get this identity
    return web


def known_links(certificate: Certificate) -> Links | None:
    """Return the links of a certificate, kept as long as it lives; None when it has none."""
    with _lock:
        if certificate in _links:
            return _links[certificate]
    try:
        links = links_of(certificate)
    except SignatureRefusedError:
        links = None
    with _lock:
        _links[certificate] = links
    return links


def validity(certificate: Certificate) -> Window:
    """Return when a certificate is valid; the second of notAfter still belongs to it."""
    return Window(certificate.valid_from, certificate.valid_to + SECOND_US)


def trust_window(authority: Authority) -> Window:
    """Return when an authority is trusted, purposes apart."""
    return Window().within(authority.trusted_from, authority.trusted_to)
