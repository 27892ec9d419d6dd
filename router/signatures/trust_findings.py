"""What a person should look at in the trust store, and where a certificate leads.

All here is advice: it follows names and signatures only.  Whether a path is good for a
signature (dates, constraints, revocation) is judged with each signature.
"""

from __future__ import annotations

import re
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Final, Literal, NamedTuple

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from router.limits import TRUST_EXPIRES_SOON_DAYS
from router.model.instants import SECOND_US, show_instant, year_of
from router.signatures.authorities import Authority, TrustView
from router.signatures.certificates import (
    Certificate,
    issued_by,
    may_sign_lists,
    named_key,
    weak_hash,
)
from router.signatures.trust import TrustStore, issuer_digest

Severity = Literal["error", "warning", "note"]
_SOON_US: Final = TRUST_EXPIRES_SOON_DAYS * 86_400 * SECOND_US
_GENERATION: Final = re.compile(r"\bG[0-9]{1,2}\b")
_SHORT_KEY_BITS: Final = 3_072
_SHORT_KEY_YEAR: Final = 2030
"""RSA of less than 3072 bits is held to be good until the end of this year (NIST SP 800-131A)."""


class Found(NamedTuple):
    """One thing to look at: a stable code with its facts, and whose certificate it is about."""

    code: str
    severity: Severity
    sha256: str = ""
    subject: str = ""
    facts: Mapping[str, str | int] = MappingProxyType({})


class Lineage:
    """Which authorities of a view issued which, by name and signature; remembers what it proved."""

    def __init__(self, view: TrustView) -> None:
        self._view = view
        self._issuers: dict[bytes, tuple[Authority, ...]] = {}

    def issuers(self, certificate: Certificate) -> tuple[Authority, ...]:
        """Return the authorities whose key signed the certificate, itself left out."""
        found = self._issuers.get(certificate.sha256)
        if found is None:
            found = tuple(
                one
                for one in self._view.named(certificate.issuer_name)
                if one.certificate != certificate and issued_by(certificate, one.certificate)
            )
            self._issuers[certificate.sha256] = found
        return found

    def path(self, certificate: Certificate, at_us: int) -> tuple[Authority, ...]:
        """Return a shortest way to a root over authorities trusted and in date at an instant.

        From the one that issued the certificate to the root; empty when there is none.
        """
        seen = {certificate.sha256}
        ways: deque[tuple[Certificate, tuple[Authority, ...]]] = deque([(certificate, ())])
        while ways:
            end, way = ways.popleft()
            for issuer in self.issuers(end):
                sha256 = issuer.certificate.sha256
                if sha256 in seen or not (
                    issuer.holds(at_us) and in_date(issuer.certificate, at_us)
                ):
                    continue
                seen.add(sha256)
                longer = (*way, issuer)
                if issuer.role == "root":
                    return longer
                ways.append((issuer.certificate, longer))
        return ()

    def generation(self, authority: Authority) -> str:
        """Return the years of the roots that an authority leads to, whenever trusted."""
        roots: dict[bytes, Certificate] = {}
        todo, seen = [authority], {authority.certificate.sha256}
        while todo:
            one = todo.pop()
            if one.role == "root":
                roots[one.certificate.sha256] = one.certificate
                continue
            for issuer in self.issuers(one.certificate):
                if issuer.certificate.sha256 not in seen:
                    seen.add(issuer.certificate.sha256)
                    todo.append(issuer)
        named = sorted(roots.values(), key=lambda root: root.valid_from)
        return ", ".join(dict.fromkeys(_years(root) for root in named))


def in_date(certificate: Certificate, at_us: int) -> bool:
    """Say whether the instant lies within notBefore and notAfter."""
    return certificate.valid_from <= at_us < certificate.valid_to + SECOND_US


def bound_by_issuer(store: TrustStore, at_us: int) -> Counter[bytes]:
    """Count the certificates that speak for a unit at an instant by `issuer_digest`."""
    return Counter(binding.issuer for binding in store.bound_certificates(at_us))


def look_over(store: TrustStore, at_us: int) -> list[Found]:
    """Return what a person should look at in the whole store, as of an instant."""
    view = store.view
    found: list[Found] = []
    lineage = Lineage(view)
    held = [one for one in view.authorities if one.holds(at_us) or one.trusted_from > at_us]
    if not any(in_date(one.certificate, at_us) for one in view.roots_at(at_us)):
        found.append(Found("trust.nobody", "error"))
    found += [
        Found("authority.unreadable", "error", sha256=one) for one in sorted(store.unreadable)
    ]
    for one in held:
        found += look_at(one, lineage, at_us)
    found += _overlaps(held)
    return found + list(_bindings(store, at_us))


def look_at(authority: Authority, lineage: Lineage, at_us: int) -> Iterator[Found]:
    """Yield what a person should look at in one authority."""
    certificate = authority.certificate
    until = show_instant(certificate.valid_to)
    if at_us >= certificate.valid_to + SECOND_US:
        yield _about(certificate, "authority.expired", "warning", until=until)
    elif at_us + _SOON_US >= certificate.valid_to:
        yield _about(certificate, "authority.expires_soon", "warning", until=until)
    elif at_us < certificate.valid_from:
        since = show_instant(certificate.valid_from)
        yield _about(certificate, "authority.not_yet_valid", "note", since=since)
    if authority.role == "intermediate" and not lineage.path(certificate, at_us):
        yield _about(certificate, "authority.no_path", "error", issuer=certificate.issuer)
    if authority.revocation == "not_checked":
        yield _about(certificate, "authority.revocation_not_checked", "warning")
    elif not may_sign_lists(certificate):
        yield _about(certificate, "authority.no_list_signing", "warning")
    weak = weak_hash(certificate)
    if weak:
        yield _about(certificate, "authority.weak_hash", "note", algorithm=weak)
    key = certificate.parsed.public_key()
    short = isinstance(key, rsa.RSAPublicKey) and key.key_size < _SHORT_KEY_BITS
    if short and year_of(certificate.valid_to) > _SHORT_KEY_YEAR:
        named = named_key(certificate)
        yield _about(certificate, "authority.weak_key", "note", key=named, until=until)


def _about(certificate: Certificate, code: str, severity: Severity, **facts: str | int) -> Found:
    return Found(code, severity, certificate.sha256.hex(), certificate.subject, facts)


def _overlaps(authorities: Iterable[Authority]) -> Iterator[Found]:
    """Yield authorities that bear one name at one time with different keys."""
    by_name: dict[bytes, list[Authority]] = {}
    for one in authorities:
        by_name.setdefault(one.certificate.subject_name, []).append(one)
    for named in by_name.values():
        for place, one in enumerate(named):
            for other in named[:place]:
                if _both_at_once(one.certificate, other.certificate):
                    yield _about(
                        one.certificate, "authority.names_overlap", "warning",
                        other=other.certificate.sha256.hex(),
                    )  # fmt: skip
                    break


def _both_at_once(one: Certificate, other: Certificate) -> bool:
    if one.valid_to < other.valid_from or other.valid_to < one.valid_from:
        return False
    return one.parsed.public_key() != other.parsed.public_key()


def _bindings(store: TrustStore, at_us: int) -> Iterator[Found]:
    """Yield what is to be said of all bound certificates together."""
    names = {issuer_digest(one.certificate.subject_name) for one in store.authorities}
    unknown = ending = 0
    for binding in store.bound_certificates(at_us):
        unknown += bool(binding.issuer) and binding.issuer not in names
        ending += bool(binding.expires) and binding.expires <= at_us + _SOON_US
    if unknown:
        yield Found("binding.issuer_unknown", "warning", facts={"count": unknown})
    if ending:
        day = show_instant(at_us + _SOON_US)[:10]
        yield Found("binding.expires_soon", "warning", facts={"count": ending, "until": day})


def _years(root: Certificate) -> str:
    years = f"{year_of(root.valid_from)}–{year_of(root.valid_to)}"
    names = root.parsed.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    for name in names:
        number = _GENERATION.search(str(name.value))
        if number:
            return f"{number[0]} {years}"
    return years
