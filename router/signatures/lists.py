"""Certificate revocation lists (RFC 5280, section 5): read once, kept as a compact index.

A list of 100,000 entries takes `cryptography` a quarter of a second to walk and two megabytes
to keep; here it becomes a few arrays sorted by serial number, answered by a binary search.
What the list is about (all certificates of its issuer, or a part of them) is its `Scope`.
Whether the issuer's key signed it is asked by `check_signature`; nothing of a list may be
believed before.
"""

from __future__ import annotations

import hashlib
import unicodedata
from array import array
from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, NamedTuple

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.x509.oid import CRLEntryExtensionOID, ExtensionOID, SignatureAlgorithmOID

from router.errors import InputError, TooLargeError
from router.limits import CERTIFICATE_CACHE_ENTRIES_MAX, CRL_BYTES_MAX, CRL_ENTRIES_MAX
from router.model.instants import instant_of
from router.signatures.certificates import Certificate

SERIAL_BYTES_MAX: Final = 20
"""RFC 5280, 4.1.2.2."""
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
_EACH_INVALID: Final = -(1 << 63)


class Revoked(NamedTuple):
    """One entry: the instants of revocation and, where it is stated, of loss of the key."""

    revoked_at: int
    invalidity_at: int | None
    reason: str


class Entries:
    """The revoked certificates of one list by serial number; immutable and compact.

    `_keys` holds the low 64 bits of each serial in ascending order, `_serials` the serials
    themselves, `_width` bytes each, in the same order, so that equal low halves of different
    serials are told apart.  Memory for each entry: 8 + `_width` + 8 + 1 bytes, and 8 more
    where any entry states an invalidity date.
    """

    __slots__ = ("_dates", "_invalid", "_keys", "_reasons", "_serials", "_width")

    def __init__(self, revoked: Iterable[tuple[int, Revoked]]) -> None:
        """Index (serial, entry) pairs.  Raises OverflowError for a serial that is none."""
        serials, dates, reasons = bytearray(), array("q"), array("B")
        keys, invalid, any_invalid = array("Q"), array("q"), False
        longest = 0
        for serial, one in revoked:
            serials += serial.to_bytes(SERIAL_BYTES_MAX, "big")
            longest = max(longest, serial)
            keys.append(serial & _LOW)
            dates.append(one.revoked_at)
            reasons.append(REASONS.index(one.reason))
            any_invalid = any_invalid or one.invalidity_at is not None
            invalid.append(_EACH_INVALID if one.invalidity_at is None else one.invalidity_at)
        order = sorted(range(len(keys)), key=keys.__getitem__)
        self._width = max(1, (longest.bit_length() + 7) // 8)
        skipped = SERIAL_BYTES_MAX - self._width
        self._serials = b"".join(
            serials[place * SERIAL_BYTES_MAX + skipped : (place + 1) * SERIAL_BYTES_MAX]
            for place in order
        )
        self._keys = array("Q", (keys[place] for place in order))
        self._dates = array("q", (dates[place] for place in order))
        self._reasons = array("B", (reasons[place] for place in order))
        self._invalid = array("q", (invalid[place] for place in order) if any_invalid else ())

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
        key, wanted = serial & _LOW, serial.to_bytes(self._width, "big")
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
        invalid = self._invalid[place] if self._invalid else _EACH_INVALID
        return Revoked(
            self._dates[place],
            None if invalid == _EACH_INVALID else invalid,
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

    parsed: x509.CertificateRevocationList
    sha256: str
    issuer: str
    name: str
    produced_at: int
    fresh_until: int
    number: int | None
    scope: Scope


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
        return Entries(_revoked(one) for one in read.parsed)
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
    try:
        return bool(read.parsed.is_signature_valid(signer.parsed.public_key()))  # type: ignore[arg-type]
    except UNREADABLE:
        return False


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


def is_ca(certificate: Certificate) -> bool:
    """Say whether a certificate's basic constraints make it a CA's."""
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False


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


@lru_cache(maxsize=CERTIFICATE_CACHE_ENTRIES_MAX)
def subject_key(certificate: Certificate) -> str:
    """Return a certificate's subject as `name_key` writes it."""
    return name_key(certificate.parsed.subject)


@lru_cache(maxsize=CERTIFICATE_CACHE_ENTRIES_MAX)
def issuer_key(certificate: Certificate) -> str:
    """Return a certificate's issuer as `name_key` writes it."""
    return name_key(certificate.parsed.issuer)


def name_key(name: x509.Name) -> str:
    """Return a text that is equal for names that are the same by RFC 5280, section 7.1.

    Letter case, the kind of string and further blanks do not matter: renewed authorities
    write their old name with other string types.
    """
    return "\x1f".join(
        "\x1e".join(sorted(_attribute(attribute) for attribute in rdn)) for rdn in name.rdns
    )


def _attribute(attribute: x509.NameAttribute[str | bytes]) -> str:
    value = attribute.value
    if isinstance(value, bytes):
        return f"{attribute.oid.dotted_string}=#{value.hex()}"
    said = " ".join(unicodedata.normalize("NFKC", value).casefold().split())
    return f"{attribute.oid.dotted_string}={said}"


def _number(extensions: x509.Extensions) -> int | None:
    try:
        return extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
    except x509.ExtensionNotFound:
        return None


def _scope(extensions: x509.Extensions) -> Scope:
    words, said = [], b""
    points: frozenset[str] = frozenset()
    users = authorities = indexed = True
    try:
        base = extensions.get_extension_for_class(x509.DeltaCRLIndicator).value
        words, said, indexed = ["delta"], b"delta", False
        del base
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


def _revoked(entry: x509.RevokedCertificate) -> tuple[int, Revoked]:
    reason, invalidity_at = 0, None
    for extension in entry.extensions:
        value = extension.value
        if isinstance(value, x509.CRLReason):
            reason = _FLAGS[value.reason]
        elif isinstance(value, x509.InvalidityDate):
            invalidity_at = instant_of(value.invalidity_date_utc)
        elif extension.critical and extension.oid not in _ENTRY_UNDERSTOOD:
            raise InputError("revocation.critical", extension=extension.oid.dotted_string)
    revoked_at = instant_of(entry.revocation_date_utc)
    return entry.serial_number, Revoked(revoked_at, invalidity_at, REASONS[reason])
