"""Where revocation data can be had: addresses in certificates, and who is worth asking about.

Certificates name the lists of their issuer (cRLDistributionPoints) and its responder
(authorityInfoAccess, RFC 5280, 4.2.1.13 and 4.2.2.1).  Read are those of the authorities that
the operator trusts, and of certificates whose documents came (`Sources.notice`), so nobody
who is not certified below a trusted root can name an address; which hosts are asked at all is
for who fetches to say.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.x509.oid import AuthorityInformationAccessOID

from router.limits import (
    PATH_CERTIFICATES_MAX,
    REVOCATION_ADDRESSES_MAX,
    REVOCATION_MIRRORS_MAX,
    REVOCATION_SEEN_AUTHORITIES_MAX,
    REVOCATION_SEEN_MAX,
    REVOCATION_SEEN_S,
)
from router.model.instants import SECOND_US
from router.signatures.authorities import Authority, TrustView
from router.signatures.certificates import Certificate, issued_by, issuer_flaw
from router.signatures.names import authority_id, certified, issuer_key, subject_key
from router.signatures.revocation_view import Above

Mirrors = tuple[str, ...]
"""Addresses of the same data, in the order to try them."""
_URL_CHARS_MAX: Final = 2_048
_SEEN_US: Final = REVOCATION_SEEN_S * SECOND_US


class Addresses(NamedTuple):
    """What a certificate names: the lists of its issuer, and its issuer's responders."""

    lists: tuple[Mirrors, ...]
    responders: Mirrors


@dataclass(slots=True)
class Seen:
    """A certificate whose responder is to be asked; `at_us` when a document last needed it."""

    certificate: Certificate
    issuer: Certificate
    responders: Mirrors
    at_us: int


@dataclass(frozen=True, slots=True)
class Known:
    """The authorities that may sign revocation data, of one version of the trust store.

    `required` are those whose certificates must be shown not to be revoked.
    """

    authorities: tuple[Authority, ...] = ()
    by_name: dict[str, list[Certificate]] = field(default_factory=dict)
    required: dict[str, list[Authority]] = field(default_factory=dict)
    lists: dict[str, dict[Mirrors, None]] = field(default_factory=dict)


class Sources:
    """Knows authorities, their addresses and the certificates seen; thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()  # guards all below
        self._known = Known()
        self._seen: OrderedDict[bytes, Seen] = OrderedDict()
        self._authorities: OrderedDict[bytes, Certificate] = OrderedDict()
        self._lists: dict[str, dict[Mirrors, None]] = {}

    def known(self, trust: TrustView) -> Known:
        """Return the authorities of a view, remembered while they stay the same."""
        with self._lock:
            if self._known.authorities is not trust.authorities:
                self._known = _known_of(trust.authorities)
            return self._known

    def signers_named(self, trust: TrustView, name: str, made_at: int) -> list[Certificate]:
        """Return who may sign lists under a name at an instant: authorities, then seen ones."""
        found = list(self.known(trust).by_name.get(name, ()))
        with self._lock:
            found += [one for one in self._authorities.values() if subject_key(one) == name]
        return [one for one in found if self.serves(trust, one, made_at)]

    def issuers(self, trust: TrustView) -> list[Certificate]:
        """Return all authorities that responses may be about, whether they serve or not."""
        with self._lock:
            seen = list(self._authorities.values())
        return [*(one.certificate for one in trust.authorities), *seen]

    def serves(self, trust: TrustView, certificate: Certificate, made_at: int) -> bool:
        """Say whether what an authority made at an instant is believed at all.

        Of the operator's what was made while they were trusted, and as long afterwards as
        documents that came before may wait; of seen ones while what was certified leads to such
        a one.  What it speaks for is judged with each path.
        """
        return self._leads(trust, certificate, made_at, set())

    def above(self, trust: TrustView, certificate: Certificate, at_us: int) -> Above:
        """Return who stands above an authority, as far as is known, up to a root.

        For questions that no path is judged for.
        """
        chain: list[Certificate] = []
        here = certificate
        while len(chain) < PATH_CERTIFICATES_MAX:
            known = trust.authority(here.sha256)
            if known is not None and known.role == "root":
                break
            parents = (
                one
                for one in self.signers_named(trust, issuer_key(here), at_us)
                if one not in chain and certified(here, one)
            )
            parent = next(parents, None)
            if parent is None or parent == here:
                break
            chain.append(parent)
            here = parent
        return Above(trust, tuple(chain))

    def _leads(
        self, trust: TrustView, certificate: Certificate, made_at: int, asked: set[bytes]
    ) -> bool:
        known = trust.keyed(authority_id(certificate))
        if known:  # the same key under another certificate is no way round
            return any(_serving(one, made_at) for one in known)
        asked.add(certificate.sha256)
        name = issuer_key(certificate)
        parents = list(self.known(trust).by_name.get(name, ()))
        with self._lock:
            parents += [one for one in self._authorities.values() if subject_key(one) == name]
        return any(
            one.sha256 not in asked
            and len(asked) < PATH_CERTIFICATES_MAX
            and certified(certificate, one)
            and self._leads(trust, one, made_at, asked)
            for one in parents
        )

    def notice(self, certificate: Certificate, issuer: Certificate, at_us: int) -> None:
        """Take note of a certificate that a document needed, and of who issued it."""
        with self._lock:
            seen = self._seen.get(certificate.sha256)
            if seen is not None:
                seen.at_us = max(seen.at_us, at_us)
                self._seen.move_to_end(certificate.sha256)
                return
            addresses = addresses_of(certificate)
            _add_lists(self._lists, issuer, addresses.lists)
            self._seen[certificate.sha256] = Seen(certificate, issuer, addresses.responders, at_us)
            if len(self._seen) > REVOCATION_SEEN_MAX:
                self._seen.popitem(last=False)
            if not issuer_flaw(issuer):
                self._authorities[issuer.sha256] = issuer
                self._authorities.move_to_end(issuer.sha256)
            if len(self._authorities) > REVOCATION_SEEN_AUTHORITIES_MAX:
                _, gone = self._authorities.popitem(last=False)
                self._lists.pop(authority_id(gone), None)

    def seen(self, at_us: int) -> list[Seen]:
        """Return the certificates with responders; those not needed for long are forgotten."""
        with self._lock:
            while self._seen:
                sha256, oldest = next(iter(self._seen.items()))
                if oldest.at_us + _SEEN_US > at_us:
                    break
                del self._seen[sha256]
            return [one for one in self._seen.values() if one.responders]

    def lists_of(self, trust: TrustView, authority: str) -> tuple[Mirrors, ...]:
        """Return the addresses of an authority's lists, by its `authority_id`."""
        known = self.known(trust).lists.get(authority, {})
        with self._lock:
            return tuple({**known, **self._lists.get(authority, {})})

    def wanting(self, trust: TrustView, at_us: int) -> Iterator[tuple[str, Certificate, bool]]:
        """Yield (authority_id, certificate, trusted now) of each authority whose data is needed.

        That of authorities whose trust has ended is needed for a while: documents that came
        before may still wait for it.
        """
        required = self.known(trust).required
        for name, authorities in required.items():
            ends = [one.trusted_to for one in authorities]
            last = max((one for one in ends if one is not None), default=0)
            trusted = any(one.holds(at_us) for one in authorities)
            if None in ends or at_us < last + _SEEN_US:
                yield name, authorities[-1].certificate, trusted
        with self._lock:
            seen = list(self._authorities.values())
        listed = {one.certificate.sha256 for one in trust.authorities}
        for one in seen:
            if one.sha256 in listed or authority_id(one) in required:
                continue
            if self.serves(trust, one, at_us):
                yield authority_id(one), one, True


def _serving(authority: Authority, made_at: int) -> bool:
    """Say whether it was trusted then, or shortly before: documents of before may still wait."""
    return authority.trusted_to is None or made_at < authority.trusted_to + _SEEN_US


def _known_of(authorities: tuple[Authority, ...]) -> Known:
    known = Known(authorities)
    for one in authorities:
        certificate = one.certificate
        known.by_name.setdefault(subject_key(certificate), []).append(certificate)
        if one.revocation == "required":
            known.required.setdefault(authority_id(certificate), []).append(one)
    for one in authorities:
        if one.certificate.subject_name == one.certificate.issuer_name:
            continue
        for issuer in known.by_name.get(issuer_key(one.certificate), ()):
            if issued_by(one.certificate, issuer):
                _add_lists(known.lists, issuer, addresses_of(one.certificate).lists)
                break
    return known


def _add_lists(
    into: dict[str, dict[Mirrors, None]], issuer: Certificate, lists: Iterable[Mirrors]
) -> None:
    known = into.setdefault(authority_id(issuer), {})
    for one in lists:
        if len(known) < REVOCATION_ADDRESSES_MAX:
            known[one] = None


def addresses_of(certificate: Certificate) -> Addresses:
    """Return the http and https addresses a certificate names for its issuer's data."""
    extensions = certificate.extensions
    lists: list[Mirrors] = []
    try:
        for point in extensions.get_extension_for_class(x509.CRLDistributionPoints).value:
            lists += [mirrors] if (mirrors := _usable(point.full_name or ())) else []
    except x509.ExtensionNotFound:
        pass
    responders: Mirrors = ()
    try:
        access = extensions.get_extension_for_class(x509.AuthorityInformationAccess).value
        responders = _usable(
            one.access_location
            for one in access
            if one.access_method == AuthorityInformationAccessOID.OCSP
        )
    except x509.ExtensionNotFound:
        pass
    return Addresses(tuple(lists[:REVOCATION_ADDRESSES_MAX]), responders)


def _usable(names: Iterable[x509.GeneralName]) -> Mirrors:
    found = [
        name.value
        for name in names
        if isinstance(name, x509.UniformResourceIdentifier) and usable_address(name.value)
    ]
    return tuple(found[:REVOCATION_MIRRORS_MAX])


def usable_address(url: str) -> bool:
    """Say whether a text is an http or https address of a host, of printable ASCII."""
    if len(url) > _URL_CHARS_MAX or not url.isascii() or not url.isprintable() or " " in url:
        return False
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port  # both raise ValueError for what is none
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(host) and "@" not in parts.netloc
