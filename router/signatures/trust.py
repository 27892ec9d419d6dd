"""Whom we trust: authorities, and which certificate speaks for which unit, as the log tells it.

Every change is a record of the one log (design: trust lives there too); `TrustStore.apply`
takes them in order and is pure, so a replay gives the same store.  The version of the store
is the sequence of the last record applied.

The checks that may refuse a change stand in `trust_checks` and run before it is written.
`apply` never refuses: a record that was good when it was written must not keep a later
version from starting.  What can't be read any more is remembered as unreadable and trusted by
nobody.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator
from dataclasses import replace
from typing import Final

import msgspec

from router.errors import SignatureRefusedError
from router.model.documents import Sha256Hex
from router.signatures.authorities import Authority, Revocation, Role, TrustView
from router.signatures.certificates import Certificate, issuer_flaw, read_certificate


class IssuerTrusted(msgspec.Struct, frozen=True, tag="issuer_trusted"):
    """A CA's certificate (DER) is a root for any purpose and time; revocation is not checked.

    So it was before there were `AuthorityTrusted` records, and stays.
    """

    certificate: bytes


class IssuerDistrusted(msgspec.Struct, frozen=True, tag="issuer_distrusted"):
    """An authority, by the SHA-256 of its certificate in hex, is forgotten altogether."""

    sha256: Sha256Hex


class AuthorityTrusted(msgspec.Struct, frozen=True, omit_defaults=True, tag="authority_trusted"):
    """A CA's certificate (DER) is trusted as its fields say; see `Authority`.

    Replaces what was said about the same certificate before.
    """

    certificate: bytes
    role: Role
    purposes: tuple[str, ...] = ()
    trusted_from: int = 0
    trusted_to: int | None = None
    revocation: Revocation = "required"


class AuthorityDistrusted(
    msgspec.Struct, frozen=True, omit_defaults=True, tag="authority_distrusted"
):
    """An authority, by the SHA-256 of its certificate in hex, is trusted up to an instant.

    It stays in the store: what was received before `since` and is judged after this record is
    judged with it, and what was judged keeps its verdict.
    """

    sha256: Sha256Hex
    since: int


class CertificateBound(msgspec.Struct, frozen=True, omit_defaults=True, tag="certificate_bound"):
    """A certificate speaks for a unit from `valid_from` up to `valid_to` (exclusive).

    Both are instants; no `valid_to` means until further notice.  A later record for the same
    certificate and unit replaces the earlier one, so a binding is ended by binding it again
    with its end.  `unit` is a stable number.

    `issuer` is the SHA-256 over the name of the certificate's issuer in DER, `expires` the
    instant of its notAfter; both are empty in records of older versions.
    """

    unit: int
    certificate_sha256: Sha256Hex
    valid_from: int
    valid_to: int | None = None
    issuer: bytes = b""
    expires: int = 0

    def holds(self, at_us: int) -> bool:
        """Say whether the certificate speaks for the unit at that instant."""
        return self.valid_from <= at_us and (self.valid_to is None or at_us < self.valid_to)


TrustChange = (
    IssuerTrusted | IssuerDistrusted | AuthorityTrusted | AuthorityDistrusted | CertificateBound
)

_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final[msgspec.msgpack.Decoder[TrustChange]] = msgspec.msgpack.Decoder(TrustChange)


def encode_change(change: TrustChange) -> bytes:
    """Return the record body of a change (MessagePack, tagged)."""
    return _encoder.encode(change)


def decode_change(body: bytes) -> TrustChange:
    """Return the change of a record body.  Raises ValueError when it is none."""
    try:
        return _decoder.decode(body)
    except msgspec.MsgspecError as error:
        raise ValueError("not a trust change") from error


def issuer_digest(name: bytes) -> bytes:
    """Return what a binding keeps of its certificate's issuer: the SHA-256 of its name in DER."""
    return hashlib.sha256(name).digest()


class TrustStore:
    """Authorities and bindings, built from the records of the log.

    One thread applies; any thread may read at the same time.  Use `view` once for a whole
    batch, so that all its verdicts are of one version.
    """

    def __init__(self) -> None:
        self._authorities: dict[bytes, Authority] = {}
        self._unreadable: set[str] = set()
        self._bindings: dict[bytes, tuple[CertificateBound, ...]] = {}
        self._binding_count = 0
        self._names: dict[bytes, bytes] = {}
        self._view = TrustView((), 0)

    @property
    def version(self) -> int:
        """The sequence of the last trust record applied; 0 before the first."""
        return self._view.version

    @property
    def issuers(self) -> tuple[Certificate, ...]:
        """The certificates of the roots in the order they were imported."""
        return self._view.issuers

    @property
    def authorities(self) -> tuple[Authority, ...]:
        """The authorities in the order they were imported, those that ended too."""
        return self._view.authorities

    @property
    def view(self) -> TrustView:
        """The authorities at the present version."""
        return self._view

    @property
    def unreadable(self) -> frozenset[str]:
        """SHA-256 (hex) of recorded issuers that this version can't read; trusted by nobody."""
        return frozenset(self._unreadable)

    @property
    def binding_count(self) -> int:
        """How many (certificate, unit) pairs are known."""
        return self._binding_count

    def apply(self, change: TrustChange, sequence: int, at_us: int = 0, actor: str = "") -> None:
        """Take in the change of the record with that sequence, instant and actor; never refuses."""
        if isinstance(change, CertificateBound):
            self._bind(change)
            self._view = self._view.at_version(sequence)
            return
        if isinstance(change, IssuerTrusted):
            known = AuthorityTrusted(change.certificate, "root", revocation="not_checked")
            self._trust(known, sequence, at_us, actor)
        elif isinstance(change, AuthorityTrusted):
            self._trust(change, sequence, at_us, actor)
        else:
            self._distrust(change)
        self._view = TrustView(self._authorities.values(), sequence)

    def is_trusted(self, sha256: str) -> bool:
        """Say whether the authority with that SHA-256 (hex) is known, at whatever time trusted."""
        return bytes.fromhex(sha256) in self._authorities

    def bound_unit(self, certificate_sha256: str, at_us: int) -> frozenset[int]:
        """Return the stable numbers of the units the certificate spoke for at that instant.

        Empty when it was bound to none then; more than one only when the operator bound it so.
        """
        bindings = self._bindings.get(bytes.fromhex(certificate_sha256), ())
        return frozenset(binding.unit for binding in bindings if binding.holds(at_us))

    def bindings(self, certificate_sha256: str) -> tuple[CertificateBound, ...]:
        """Return all bindings of a certificate, past and future ones too."""
        return self._bindings.get(bytes.fromhex(certificate_sha256), ())

    def all_bindings(self) -> Iterator[CertificateBound]:
        """Return all bindings as they are known now, by certificate in order of importing."""
        for bindings in tuple(self._bindings.values()):
            yield from bindings

    def bound_certificates(self, at_us: int) -> Iterator[CertificateBound]:
        """Return, for each certificate that speaks for a unit at an instant, one such binding."""
        for bindings in tuple(self._bindings.values()):
            for binding in bindings:
                if binding.holds(at_us):
                    yield binding
                    break

    def bound_counts(self, units: Collection[int], at_us: int) -> dict[int, int]:
        """Return for each of the units how many certificates speak for it at an instant."""
        found = dict.fromkeys(units, 0)
        for binding in self.all_bindings():
            if binding.unit in found:
                found[binding.unit] += binding.holds(at_us)
        return found

    def _trust(self, change: AuthorityTrusted, sequence: int, at_us: int, actor: str) -> None:
        try:
            certificate = read_certificate(change.certificate)
        except SignatureRefusedError:
            self._unreadable.add(hashlib.sha256(change.certificate).hexdigest())
            return
        if issuer_flaw(certificate):
            self._unreadable.add(certificate.sha256.hex())
            return
        self._unreadable.discard(certificate.sha256.hex())
        self._authorities[certificate.sha256] = Authority(
            certificate, change.role, frozenset(change.purposes), change.trusted_from,
            change.trusted_to, change.revocation, sequence, at_us, actor,
        )  # fmt: skip

    def _distrust(self, change: IssuerDistrusted | AuthorityDistrusted) -> None:
        self._unreadable.discard(change.sha256)
        key = bytes.fromhex(change.sha256)
        if isinstance(change, IssuerDistrusted):
            self._authorities.pop(key, None)
        elif key in self._authorities:
            known = self._authorities[key]
            self._authorities[key] = replace(known, trusted_to=change.since)

    def _bind(self, change: CertificateBound) -> None:
        key = bytes.fromhex(change.certificate_sha256)
        known = self._bindings.get(key, ())
        others = tuple(binding for binding in known if binding.unit != change.unit)
        if change.issuer:  # a million bindings share a few names
            name = self._names.setdefault(change.issuer, change.issuer)
            change = msgspec.structs.replace(change, issuer=name)
        self._bindings[key] = (*others, change)
        self._binding_count += len(others) + 1 - len(known)
