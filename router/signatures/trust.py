"""Whom we trust: issuers, and which certificate speaks for which unit, as the log tells it.

Every change is a record of the one log (design: trust lives there too); `TrustStore.apply`
takes them in order and is pure, so a replay gives the same store.  The version of the store
is the sequence of the last record applied.

The checks that may refuse a change (`check_issuer`, `check_distrust`, `check_binding`) run
before it is written.  `apply` never refuses: a record that was good when it was written must
not keep a later version from starting.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from typing import Final

import msgspec

from router.errors import InputError, SignatureRefusedError
from router.limits import BINDINGS_MAX, CERTIFICATE_CACHE_ENTRIES_MAX, TRUST_CERTIFICATES_MAX
from router.model.documents import Sha256Hex
from router.model.instants import SECOND_US
from router.signatures.certificates import (
    Certificate,
    check_leaf,
    issued_by,
    issuer_flaw,
    read_certificate,
)

_SHA256_HEX_CHARS: Final = 64


class IssuerTrusted(msgspec.Struct, frozen=True, tag="issuer_trusted"):
    """An issuer's certificate (DER) is trusted from this record on."""

    certificate: bytes


class IssuerDistrusted(msgspec.Struct, frozen=True, tag="issuer_distrusted"):
    """An issuer, by the SHA-256 of its certificate in hex, is trusted no longer."""

    sha256: Sha256Hex


class CertificateBound(msgspec.Struct, frozen=True, omit_defaults=True, tag="certificate_bound"):
    """A certificate speaks for a unit from `valid_from` up to `valid_to` (exclusive).

    Both are instants; no `valid_to` means until further notice.  A later record for the same
    certificate and unit replaces the earlier one, so a binding is ended by binding it again
    with its end.  `unit` is a stable number.
    """

    unit: int
    certificate_sha256: Sha256Hex
    valid_from: int
    valid_to: int | None = None


TrustChange = IssuerTrusted | IssuerDistrusted | CertificateBound

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


class TrustView:
    """The issuers trusted at one version; immutable but for a memory of what was proven.

    `issuers` are in the order they were imported.  Threads share a view without a lock: each
    look-up and each store is one step of the interpreter, and two threads that prove the same
    thing at once only do it twice.
    """

    def __init__(self, issuers: tuple[Certificate, ...], version: int) -> None:
        self.issuers = issuers
        self.version = version
        self._by_name: dict[bytes, list[Certificate]] = {}
        for issuer in issuers:
            self._by_name.setdefault(issuer.subject_name, []).append(issuer)
        self._proven: dict[bytes, tuple[Certificate, ...]] = {}

    def issuer_of(self, certificate: Certificate, at_us: int) -> Certificate:
        """Return the trusted issuer that signed the certificate.

        Of several (a CA renewed with the same key) one that is valid at the instant is
        preferred.  Raises SignatureRefusedError `certificate.untrusted`.
        """
        proven = self._proven.get(certificate.sha256)
        if proven is None:
            proven = self._prove(certificate)
        for issuer in proven:
            if issuer.valid_from <= at_us < issuer.valid_to + SECOND_US:
                return issuer
        return proven[-1]

    def at_version(self, version: int) -> TrustView:
        """Return the same issuers under a later version, with what was proven."""
        view = TrustView.__new__(TrustView)
        view.issuers = self.issuers
        view.version = version
        view._by_name = self._by_name
        view._proven = self._proven
        return view

    def _prove(self, certificate: Certificate) -> tuple[Certificate, ...]:
        named = self._by_name.get(certificate.issuer_name, ())
        proven = tuple(issuer for issuer in named if issued_by(certificate, issuer))
        if not proven:
            raise SignatureRefusedError("certificate.untrusted", issuer=certificate.issuer)
        if len(self._proven) >= CERTIFICATE_CACHE_ENTRIES_MAX:
            self._proven.clear()
        self._proven[certificate.sha256] = proven
        return proven


class TrustStore:
    """Trusted issuers and bindings, built from the records of the log.

    One thread applies; any thread may read at the same time.  Use `view` once for a whole
    batch, so that all its verdicts are of one version.
    """

    def __init__(self) -> None:
        self._issuers: dict[bytes, Certificate] = {}
        self._unreadable: set[str] = set()
        self._bindings: dict[bytes, tuple[CertificateBound, ...]] = {}
        self._binding_count = 0
        self._view = TrustView((), 0)

    @property
    def version(self) -> int:
        """The sequence of the last trust record applied; 0 before the first."""
        return self._view.version

    @property
    def issuers(self) -> tuple[Certificate, ...]:
        """The trusted issuers in the order they were imported."""
        return self._view.issuers

    @property
    def view(self) -> TrustView:
        """The issuers at the present version."""
        return self._view

    @property
    def unreadable(self) -> frozenset[str]:
        """SHA-256 (hex) of recorded issuers that this version can't read; trusted by nobody."""
        return frozenset(self._unreadable)

    @property
    def binding_count(self) -> int:
        """How many (certificate, unit) pairs are known."""
        return self._binding_count

    def apply(self, change: TrustChange, sequence: int) -> None:
        """Take in the change of the record with that sequence; never refuses."""
        if isinstance(change, CertificateBound):
            self._bind(change)
            self._view = self._view.at_version(sequence)
            return
        if isinstance(change, IssuerTrusted):
            self._trust(change.certificate)
        else:
            self._issuers.pop(bytes.fromhex(change.sha256), None)
            self._unreadable.discard(change.sha256)
        self._view = TrustView(tuple(self._issuers.values()), sequence)

    def is_trusted(self, sha256: str) -> bool:
        """Say whether the issuer with that SHA-256 (hex) is trusted."""
        return bytes.fromhex(sha256) in self._issuers

    def bound_unit(self, certificate_sha256: str, at_us: int) -> frozenset[int]:
        """Return the stable numbers of the units the certificate spoke for at that instant.

        Empty when it was bound to none then; more than one only when the operator bound it so.
        """
        bindings = self._bindings.get(bytes.fromhex(certificate_sha256), ())
        return frozenset(
            binding.unit
            for binding in bindings
            if binding.valid_from <= at_us
            and (binding.valid_to is None or at_us < binding.valid_to)
        )

    def bindings(self, certificate_sha256: str) -> tuple[CertificateBound, ...]:
        """Return all bindings of a certificate, past and future ones too."""
        return self._bindings.get(bytes.fromhex(certificate_sha256), ())

    def bound_counts(self, units: Collection[int], at_us: int) -> dict[int, int]:
        """Return for each of the units how many certificates speak for it at an instant."""
        found = dict.fromkeys(units, 0)
        for bindings in tuple(self._bindings.values()):
            for binding in bindings:
                ends = binding.valid_to
                if binding.unit in found and binding.valid_from <= at_us:
                    found[binding.unit] += ends is None or at_us < ends
        return found

    def _trust(self, der: bytes) -> None:
        try:
            certificate = read_certificate(der)
        except SignatureRefusedError:
            self._unreadable.add(hashlib.sha256(der).hexdigest())
            return
        if issuer_flaw(certificate):
            self._unreadable.add(certificate.sha256.hex())
            return
        self._issuers[certificate.sha256] = certificate

    def _bind(self, change: CertificateBound) -> None:
        key = bytes.fromhex(change.certificate_sha256)
        known = self._bindings.get(key, ())
        others = tuple(binding for binding in known if binding.unit != change.unit)
        self._bindings[key] = (*others, change)
        self._binding_count += len(others) + 1 - len(known)


def check_issuer(store: TrustStore, der: bytes) -> IssuerTrusted:
    """Return the change that trusts this issuer.

    Raises InputError `trust.invalid` when it is no certificate that may issue others, or the
    store holds `TRUST_CERTIFICATES_MAX` already.
    """
    certificate = _read(der)
    flaw = issuer_flaw(certificate)
    if flaw:
        raise _invalid(flaw)
    known = certificate.sha256 in {issuer.sha256 for issuer in store.issuers}
    if not known and len(store.issuers) >= TRUST_CERTIFICATES_MAX:
        raise _invalid(f"{TRUST_CERTIFICATES_MAX} issuers are trusted already")
    return IssuerTrusted(certificate=der)


def check_distrust(store: TrustStore, sha256: str) -> IssuerDistrusted:
    """Return the change that distrusts the issuer with that SHA-256 (hex, lower case).

    Raises InputError `trust.invalid` when no such issuer is trusted.
    """
    if not _is_sha256(sha256) or not (store.is_trusted(sha256) or sha256 in store.unreadable):
        raise _invalid("no trusted issuer has this SHA-256")
    return IssuerDistrusted(sha256=sha256)


def check_binding(
    store: TrustStore, unit: int, der: bytes, valid_from: int, valid_to: int | None = None
) -> CertificateBound:
    """Return the change that lets a certificate (DER) speak for a unit from .. to (exclusive).

    The certificate must be one that may sign documents; its issuer is judged with each
    signature, so it need not be trusted yet.  Raises InputError `trust.invalid`.
    """
    certificate = _read(der)
    try:
        check_leaf(certificate)
    except SignatureRefusedError as error:
        raise _invalid(str(error)) from None
    if unit < 1:
        raise _invalid("unit numbers begin at 1")
    if valid_to is not None and valid_to <= valid_from:
        raise _invalid("the binding ends before it begins")
    sha256 = certificate.sha256.hex()
    known = any(binding.unit == unit for binding in store.bindings(sha256))
    if not known and store.binding_count >= BINDINGS_MAX:
        raise _invalid(f"{BINDINGS_MAX} bindings are known already")
    return CertificateBound(
        unit=unit, certificate_sha256=sha256, valid_from=valid_from, valid_to=valid_to
    )


def _read(der: bytes) -> Certificate:
    try:
        return read_certificate(der)
    except SignatureRefusedError as error:
        raise _invalid(str(error.facts.get("reason", error.code))) from None


def _is_sha256(text: str) -> bool:
    return len(text) == _SHA256_HEX_CHARS and all(letter in "0123456789abcdef" for letter in text)


def _invalid(reason: str) -> InputError:
    return InputError("trust.invalid", path="certificate", reason=reason)
