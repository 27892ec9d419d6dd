"""Authorities: the CAs that are trusted, as what, for what, and when.

The official-duty PKI has several generations side by side (the root of 2010 to 2030, that of
2018 to 2048), each with authorities of its own below it, and real documents carry only the
signer's certificate.  So the operator imports roots and intermediates, each with the dates
between which it is trusted and the purposes it is trusted for.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Literal

from router.errors import SignatureRefusedError
from router.limits import CERTIFICATE_CACHE_ENTRIES_MAX
from router.model.instants import SECOND_US
from router.signatures.certificates import Certificate, issued_by
from router.signatures.names import authority_id

Role = Literal["root", "intermediate"]
Revocation = Literal["required", "not_checked"]
DOCUMENTS: Final = "documents"
TIME_STAMPS: Final = "time_stamps"
PURPOSES: Final = (DOCUMENTS, TIME_STAMPS)
"""documents: signers of documents; time_stamps: reserved for authorities of RFC 3161."""


@dataclass(frozen=True, slots=True, eq=False)
class Authority:
    """A CA's certificate as the operator trusts it; immutable, shared by threads.

    A "root" is where a path may end, self-signed or not; an "intermediate" only helps to find
    one.  It is trusted from `trusted_from` up to `trusted_to` (exclusive; None: for good) for
    `purposes` (none named: for all), apart from the dates of the certificate itself, which
    are judged with each path.  `revocation` says whether the certificates it issues must be
    shown not to be revoked.  `sequence`, `recorded_at` and `actor` are of the record that says so.
    """

    certificate: Certificate
    role: Role
    purposes: frozenset[str] = frozenset()
    trusted_from: int = 0
    trusted_to: int | None = None
    revocation: Revocation = "required"
    sequence: int = 0
    recorded_at: int = 0
    actor: str = ""

    def holds(self, at_us: int, purpose: str = DOCUMENTS) -> bool:
        """Say whether it is trusted at that instant for that purpose."""
        if at_us < self.trusted_from or (self.trusted_to is not None and at_us >= self.trusted_to):
            return False
        return not self.purposes or purpose in self.purposes


class _Index:
    """The authorities of a view by role, certificate and name; never changed after it is made."""

    def __init__(self, authorities: tuple[Authority, ...]) -> None:
        self.roots = tuple(one for one in authorities if one.role == "root")
        self.intermediates = tuple(one for one in authorities if one.role == "intermediate")
        self.by_sha256 = {one.certificate.sha256: one for one in authorities}
        self.by_name: dict[bytes, list[Authority]] = {}
        for one in authorities:
            self.by_name.setdefault(one.certificate.subject_name, []).append(one)


class TrustView:
    """The authorities trusted at one version; immutable but for a memory of what was proven.

    `authorities` are in the order they were imported; while only bindings change, the tuple is
    the same object.  Threads share a view without a lock: each look-up and each store is one
    step of the interpreter, and two threads that prove the same thing at once only do it twice.
    """

    def __init__(self, authorities: Iterable[Authority], version: int) -> None:
        self.authorities = tuple(authorities)
        self.version = version
        self._proven: dict[bytes, tuple[Authority, ...]] = {}

    @cached_property
    def _index(self) -> _Index:
        # Made when first asked: a replay makes a view for each record and asks only the last.
        return _Index(self.authorities)

    @cached_property
    def _by_key(self) -> dict[str, list[Authority]]:
        found: dict[str, list[Authority]] = {}
        for one in self.authorities:
            found.setdefault(authority_id(one.certificate), []).append(one)
        return found

    @property
    def issuers(self) -> tuple[Certificate, ...]:
        """The certificates of the roots, in the order they were imported."""
        return tuple(one.certificate for one in self._index.roots)

    def roots_at(self, at_us: int, purpose: str = DOCUMENTS) -> tuple[Authority, ...]:
        """Return the roots trusted at an instant for a purpose."""
        return tuple(one for one in self._index.roots if one.holds(at_us, purpose))

    def intermediates_at(self, at_us: int, purpose: str = DOCUMENTS) -> tuple[Authority, ...]:
        """Return the intermediates trusted at an instant for a purpose."""
        return tuple(one for one in self._index.intermediates if one.holds(at_us, purpose))

    def authority(self, sha256: bytes) -> Authority | None:
        """Return the authority with this certificate, whether it is trusted now or not."""
        return self._index.by_sha256.get(sha256)

    def named(self, subject_name: bytes) -> tuple[Authority, ...]:
        """Return the authorities of that subject (DER, octet by octet), whenever trusted."""
        return tuple(self._index.by_name.get(subject_name, ()))

    def keyed(self, name_and_key: str) -> tuple[Authority, ...]:
        """Return the authorities of that name and key (`authority_id`), whenever trusted."""
        return tuple(self._by_key.get(name_and_key, ()))

    def issuer_of(self, certificate: Certificate, at_us: int) -> Certificate:
        """Return the trusted root that signed the certificate.

        Of several (a CA renewed with the same key) one that is valid at the instant is
        preferred.  Raises SignatureRefusedError `certificate.untrusted`.
        """
        proven = self._proven.get(certificate.sha256)
        if proven is None:
            proven = self._prove(certificate)
        held = [one.certificate for one in proven if one.holds(at_us)]
        for issuer in held:
            if issuer.valid_from <= at_us < issuer.valid_to + SECOND_US:
                return issuer
        if not held:
            raise SignatureRefusedError("certificate.untrusted", issuer=certificate.issuer)
        return held[-1]

    def at_version(self, version: int) -> TrustView:
        """Return the same authorities under a later version, with what was proven."""
        view = TrustView.__new__(TrustView)
        view.__dict__ |= self.__dict__
        view.version = version
        return view

    def _prove(self, certificate: Certificate) -> tuple[Authority, ...]:
        proven = tuple(
            one
            for one in self.named(certificate.issuer_name)
            if one.role == "root" and issued_by(certificate, one.certificate)
        )
        if not proven:
            raise SignatureRefusedError("certificate.untrusted", issuer=certificate.issuer)
        if len(self._proven) >= CERTIFICATE_CACHE_ENTRIES_MAX:
            self._proven.clear()
        self._proven[certificate.sha256] = proven
        return proven
