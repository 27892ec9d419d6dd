"""Certificate revocation lists (RFC 5280, section 5): read once, kept as a compact index.

A list of 100,000 entries takes `cryptography` a quarter of a second to walk and two megabytes
to keep; here it becomes a few arrays sorted by serial number, answered by a binary search.
What the list is about (all certificates of its issuer, or a part of them) is its `Scope`.
Whether the issuer's key signed it is asked by `check_signature`; nothing of a list may be
believed before.
"""

from __future__ import annotations

import hashlib
from array import array
from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from time import sleep
from typing import Final, NamedTuple

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.padding import PSS, PKCS1v15
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import CRLEntryExtensionOID, ExtensionOID, SignatureAlgorithmOID

from router.errors import InputError, TooLargeError
from router.limits import CERTIFICATE_CACHE_ENTRIES_MAX, CRL_BYTES_MAX, CRL_ENTRIES_MAX
from router.model.instants import instant_of
from router.signatures.certificates import Certificate, is_ca
from router.signatures.names import name_key

SERIAL_BYTES_MAX: Final = 20
"""Of serials and of the numbers of lists (RFC 5280, 4.1.2.2 and 5.2.3)."""
UNREADABLE: Final = (
    ValueError,
    TypeError,
    OverflowError,
    UnsupportedAlgorithm,
    x509.DuplicateExtension,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
)
STRONG_HASHES: Final = frozenset({"sha256", "sha384", "sha512"})
_LIST_UNDERSTOOD: Final = frozenset(
    {
        ExtensionOID.ISSUING_DISTRIBUTION_POINT,
        ExtensionOID.DELTA_CRL_INDICATOR,
        ExtensionOID.CRL_NUMBER,
        ExtensionOID.AUTHORITY_KEY_IDENTIFIER,
        ExtensionOID.FRESHEST_CRL,
    }
)
_ENTRY_UNDERSTOOD: Final = frozenset(
    {
        CRLEntryExtensionOID.CRL_REASON,
        CRLEntryExtensionOID.INVALIDITY_DATE,
        CRLEntryExtensionOID.CERTIFICATE_ISSUER,  # of indirect lists, which the index refuses
    }
)
REASONS: Final = (
    "unspecified", "key_compromise", "ca_compromise", "affiliation_changed", "superseded",
    "cessation_of_operation", "certificate_hold", "remove_from_crl", "privilege_withdrawn",
    "aa_compromise",
)  # fmt: skip
"""The words for x509.ReasonFlags, in the order of `_FLAGS`."""
_FLAGS: Final = {
    flag: place
    for place, flag in enumerate(
        (
            x509.ReasonFlags.unspecified, x509.ReasonFlags.key_compromise,
            x509.ReasonFlags.ca_compromise, x509.ReasonFlags.affiliation_changed,
            x509.ReasonFlags.superseded, x509.ReasonFlags.cessation_of_operation,
            x509.ReasonFlags.certificate_hold, x509.ReasonFlags.remove_from_crl,
            x509.ReasonFlags.privilege_withdrawn, x509.ReasonFlags.aa_compromise,
        )
    )
}  # fmt: skip
HOLD: Final = "certificate_hold"
_LOW: Final = (1 << 64) - 1
_INTEGER: Final = 0x02
_LONG_FORM: Final = 0x80
_MIXER: Final = 0x9E3779B97F4A7C15
"""An odd number near 2^64 over the golden ratio: serials in a row fall into all buckets."""
_BUCKETS: Final = 256
_BUCKET_SHIFT: Final = 56
_STEP: Final = 64
"""Rows between two moments at which waiting threads get the interpreter."""
_NONE_STATED: Final = -(1 << 63)
Row = tuple[int, int, int, int]
"""Serial, instant of revocation, of loss of the key (or _NONE_STATED), place in REASONS."""


class Revoked(NamedTuple):
    """One entry: the instants of revocation and, where it is stated, of loss of the key."""

    revoked_at: int
    invalidity_at: int | None
    reason: str


class Entries:
    """The revoked certificates of one list by serial number; immutable and compact.

    `_keys` holds a mixed 64-bit key of each serial in ascending order, `_serials` the serials
    themselves, `_width` bytes each, in the same order, so that serials of equal keys are told
    apart.  Memory for each entry: 8 + `_width` + 8 + 1 bytes, and 8 more where any entry states
    an invalidity date.  While it is made other threads get the interpreter all the time.
    """

    __slots__ = ("_dates", "_invalid", "_keys", "_reasons", "_serials", "_width")

    def __init__(self, revoked: Iterable[Row]) -> None:
        """Index the rows of a list.  Raises OverflowError for a serial that is none."""
        serials, dates, reasons = bytearray(), array("q"), array("B")
        keys, invalid, stated, longest = array("Q"), array("q"), False, 0
        buckets: list[array[int]] = [array("L") for _ in range(_BUCKETS)]
        for place, (serial, revoked_at, invalidity_at, reason) in enumerate(revoked):
            serials += serial.to_bytes(SERIAL_BYTES_MAX, "big")
            longest = max(longest, serial)
            key = serial * _MIXER & _LOW
            keys.append(key)
            buckets[key >> _BUCKET_SHIFT].append(place)
            dates.append(revoked_at)
            reasons.append(reason)
            stated = stated or invalidity_at != _NONE_STATED
            invalid.append(invalidity_at)
            if place % _STEP == 0:
                sleep(0)
        self._width = max(1, (longest.bit_length() + 7) // 8)
        self._keys, self._dates, self._invalid = array("Q"), array("q"), array("q")
        self._reasons = array("B")
        kept = bytearray()
        for bucket in buckets:
            order = sorted(bucket, key=keys.__getitem__)
            self._keys.extend(map(keys.__getitem__, order))
            self._dates.extend(map(dates.__getitem__, order))
            self._reasons.extend(map(reasons.__getitem__, order))
            if stated:
                self._invalid.extend(map(invalid.__getitem__, order))
            for place in order:
                end = (place + 1) * SERIAL_BYTES_MAX
                kept += serials[end - self._width : end]
            sleep(0)
        self._serials = bytes(kept)

    def __len__(self) -> int:
        return len(self._keys)

    @property
    def memory_bytes(self) -> int:
        """Bytes of the arrays."""
        each = self._width + 17 + (8 if self._invalid else 0)
        return each * len(self._keys)

    def find(self, serial: int) -> Revoked | None:
        """Return the entry of a serial; of several the one that is revoked the longest."""
        if serial < 0 or serial.bit_length() > 8 * self._width:
            return None
        key, wanted = serial * _MIXER & _LOW, serial.to_bytes(self._width, "big")
        place, found = bisect_left(self._keys, key), None
        while place < len(self._keys) and self._keys[place] == key:
            start = place * self._width
            if self._serials[start : start + self._width] == wanted:
                one = self._entry(place)
                if found is None or one.revoked_at < found.revoked_at:
                    found = one
            place += 1
        return found

    def _entry(self, place: int) -> Revoked:
        invalid = self._invalid[place] if self._invalid else _NONE_STATED
        return Revoked(
            self._dates[place],
            None if invalid == _NONE_STATED else invalid,
            REASONS[self._reasons[place]],
        )


@dataclass(frozen=True, slots=True)
class Scope:
    """What a list speaks about, by its issuing distribution point (RFC 5280, 5.2.5).

    `words` names what narrows it ("" for nothing).  `points` are the names of the point: only
    certificates that name it are covered.  `users` and `authorities` say which kind of
    certificate is; `indexed` whether our index can answer from it, which a delta or an
    indirect list and one of some reasons can't.
    """

    words: str = ""
    points: frozenset[str] = frozenset()
    users: bool = True
    authorities: bool = True
    indexed: bool = True
    digest: str = ""

    def covers(self, certificate: Certificate | None) -> bool:
        """Say whether the list speaks about a certificate; None: about any whatever."""
        if not self.words:
            return True
        if certificate is None or not self.indexed:
            return False
        if not (self.authorities if is_ca(certificate) else self.users):
            return False
        return not self.points or not self.points.isdisjoint(points_of(certificate))


@dataclass(frozen=True, slots=True, eq=False)
class ReadList:
    """A CRL that was read in full, and believed by nobody yet.

    `name` is its issuer's name as `name_key` makes it.
    """

    der: bytes
    parsed: x509.CertificateRevocationList
    sha256: str
    issuer: str
    name: str
    produced_at: int
    fresh_until: int
    number: int | None
    scope: Scope


def der_of(content: bytes) -> bytes:
    """Return a CRL in DER from the content of a file that may be PEM; else the content.

    Raises InputError `revocation.malformed`.
    """
    if not content.lstrip().startswith(b"-----"):
        return content
    try:
        return x509.load_pem_x509_crl(content).public_bytes(Encoding.DER)
    except UNREADABLE:
        raise malformed("no CRL in PEM") from None


def read_list(der: bytes) -> ReadList:
    """Read a CRL in DER, all but its entries.

    Raises InputError `revocation.malformed`, `revocation.critical` (a critical extension that
    is not understood), TooLargeError `revocation.too_large`.
    """
    if len(der) > CRL_BYTES_MAX:
        raise TooLargeError("revocation.too_large", size=len(der), limit=CRL_BYTES_MAX)
    try:
        parsed = x509.load_der_x509_crl(der)
        extensions = parsed.extensions
        if parsed.next_update_utc is None:
            raise malformed("it does not say when the next one comes (nextUpdate)")
        read = ReadList(
            der=der,
            parsed=parsed,
            sha256=hashlib.sha256(der).hexdigest(),
            issuer=parsed.issuer.rfc4514_string(),
            name=name_key(parsed.issuer),
            produced_at=instant_of(parsed.last_update_utc),
            fresh_until=instant_of(parsed.next_update_utc),
            number=_number(extensions),
            scope=_scope(extensions),
        )
    except UNREADABLE:
        raise malformed("not a CRL in DER") from None
    check_critical(extensions, _LIST_UNDERSTOOD)
    if read.fresh_until <= read.produced_at:
        raise malformed("its nextUpdate is not after its thisUpdate")
    return read


def read_entries(read: ReadList) -> Entries:
    """Index the entries of a list.

    Raises InputError `revocation.malformed`, `revocation.critical`, TooLargeError
    `revocation.too_large`.
    """
    try:
        count = len(read.parsed)
        if count > CRL_ENTRIES_MAX:
            raise TooLargeError("revocation.too_large", size=count, limit=CRL_ENTRIES_MAX)
        return Entries(_row(one) for one in read.parsed)
    except UNREADABLE:
        raise malformed("an entry can't be read") from None


def check_signature(read: ReadList, signer: Certificate) -> bool:
    """Say whether that certificate's key signed the list.

    Raises InputError `revocation.algorithm` for a signature by a weak hash.
    """
    try:
        algorithm = read.parsed.signature_algorithm_oid
        digest = read.parsed.signature_hash_algorithm
    except UNREADABLE:
        raise InputError("revocation.algorithm", algorithm="an unknown algorithm") from None
    strong = digest is not None and digest.name in STRONG_HASHES
    if not strong and algorithm != SignatureAlgorithmOID.ED25519:
        name = digest.name if digest else "an unknown algorithm"
        raise InputError("revocation.algorithm", algorithm=name)
    return _verify(read, signer.parsed.public_key())


def _verify(read: ReadList, key: PublicKeyTypes) -> bool:
    """Verify over the bytes as they came.

    `is_signature_valid` encodes the whole list anew and keeps the interpreter from all other
    threads meanwhile: a quarter of a second for a large list.
    """
    signed = _signed_part(read.der)
    if signed is None:
        return False
    parsed = read.parsed
    try:
        stated = parsed.signature_algorithm_parameters
        if isinstance(key, rsa.RSAPublicKey) and isinstance(stated, (PKCS1v15, PSS)):
            digest = parsed.signature_hash_algorithm
            assert digest is not None, "`check_signature` has looked"
            key.verify(parsed.signature, signed, stated, digest)
        elif isinstance(key, ec.EllipticCurvePublicKey) and isinstance(stated, ec.ECDSA):
            key.verify(parsed.signature, signed, stated)
        elif isinstance(key, ed25519.Ed25519PublicKey):
            key.verify(parsed.signature, signed)
        else:
            return False
    except (InvalidSignature, *UNREADABLE):
        return False
    return True


def _signed_part(der: bytes) -> bytes | None:
    """Return the tbsCertList of a CRL that `cryptography` has read as DER.

    None when the algorithm inside it is not the one outside (RFC 5280, 5.1.1.2).
    """
    start, _ = _content(der, 0)
    inner, end = _content(der, start)
    if der[inner] == _INTEGER:
        inner = _content(der, inner)[1]
    algorithm = der[inner : _content(der, inner)[1]]
    if der[end : _content(der, end)[1]] != algorithm:
        return None
    return der[start:end]


def _content(der: bytes, place: int) -> tuple[int, int]:
    """Return where the content of the element at a place begins, and where it ends."""
    length = der[place + 1]
    if length < _LONG_FORM:
        return place + 2, place + 2 + length
    begins = place + 2 + (length & 0x7F)
    return begins, begins + int.from_bytes(der[place + 2 : begins], "big")


def may_sign_lists(certificate: Certificate) -> bool:
    """Say whether a certificate's key usage allows signing CRLs (RFC 5280, 6.3.3 (f))."""
    try:
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        return True
    return usage.crl_sign


def check_critical(
    extensions: x509.Extensions, understood: frozenset[x509.ObjectIdentifier]
) -> None:
    """Raise InputError `revocation.critical` for a critical extension not understood."""
    for extension in extensions:
        if extension.critical and extension.oid not in understood:
            raise InputError("revocation.critical", extension=extension.oid.dotted_string)


def reason_word(reason: x509.ReasonFlags | None) -> str:
    """Return the word for a reason of revocation; none stated is "unspecified"."""
    return REASONS[0 if reason is None else _FLAGS[reason]]


def malformed(reason: str) -> InputError:
    """Return the error for data that can't be read."""
    return InputError("revocation.malformed", reason=reason)


@lru_cache(maxsize=CERTIFICATE_CACHE_ENTRIES_MAX)
def points_of(certificate: Certificate) -> frozenset[str]:
    """Return the names of the points where a certificate's own issuer puts whole lists.

    Points of other issuers (indirect lists) or of some reasons only are left out.
    """
    try:
        points = certificate.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
    except x509.ExtensionNotFound:
        return frozenset()
    return frozenset(
        name
        for point in points
        if point.crl_issuer is None and point.reasons is None
        for name in _names(point.full_name)
    )


def _number(extensions: x509.Extensions) -> int | None:
    try:
        number = extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
    except x509.ExtensionNotFound:
        return None
    if 0 <= number < 1 << 8 * SERIAL_BYTES_MAX:
        return number
    raise malformed("its number is none")


def _scope(extensions: x509.Extensions) -> Scope:
    words, said = [], b""
    points: frozenset[str] = frozenset()
    users = authorities = indexed = True
    try:
        extensions.get_extension_for_class(x509.DeltaCRLIndicator)
        words, said, indexed = ["delta"], b"delta", False
    except x509.ExtensionNotFound:
        pass
    try:
        point = extensions.get_extension_for_class(x509.IssuingDistributionPoint).value
    except x509.ExtensionNotFound:
        return Scope(" ".join(words), indexed=indexed, digest=_digest(said))
    said += point.public_bytes()
    points = frozenset(_names(point.full_name))
    if point.full_name is not None:
        words.append("point")
    users, authorities = not point.only_contains_ca_certs, not point.only_contains_user_certs
    if not users:
        words.append("authorities")
    if not authorities:
        words.append("users")
    for narrow, word in (
        (point.indirect_crl, "indirect"),
        (point.only_contains_attribute_certs, "attributes"),
        (point.only_some_reasons is not None, "reasons"),
        (point.relative_name is not None, "relative"),
        (point.full_name is not None and not points, "nameless"),
    ):
        if narrow:
            words.append(word)
            indexed = False
    return Scope(" ".join(words), points, users, authorities, indexed, _digest(said))


def _digest(said: bytes) -> str:
    return hashlib.sha256(said).hexdigest() if said else ""


def _names(names: Iterable[x509.GeneralName] | None) -> Iterable[str]:
    for name in names or ():
        if isinstance(name, x509.UniformResourceIdentifier):
            yield name.value
        elif isinstance(name, x509.DirectoryName):
            yield name_key(name.value)


def _row(entry: x509.RevokedCertificate) -> Row:
    reason, invalidity_at = 0, _NONE_STATED
    for extension in entry.extensions:
        value = extension.value
        if isinstance(value, x509.CRLReason):
            reason = _FLAGS[value.reason]
        elif isinstance(value, x509.InvalidityDate):
            invalidity_at = instant_of(value.invalidity_date_utc)
        elif extension.critical and extension.oid not in _ENTRY_UNDERSTOOD:
            raise InputError("revocation.critical", extension=extension.oid.dotted_string)
    return entry.serial_number, instant_of(entry.revocation_date_utc), invalidity_at, reason
