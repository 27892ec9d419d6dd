"""Authorities with lists and responders, good and odd, for the tests of revocation."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID, NameOID
from support.pki import pki

from router.model.instants import VIETNAM_TIME, instant_of
from router.signatures import Authority, TrustView
from router.signatures.certificates import Certificate, read_certificate

NOW = datetime.now(VIETNAM_TIME).replace(microsecond=0)
"""`cryptography` writes the machine's own time into responses (producedAt)."""
NOW_US = instant_of(NOW)
HOUR = timedelta(hours=1)
HOUR_US = 3_600_000_000
_BORN = NOW - timedelta(days=400)
_ENDS = NOW + timedelta(days=4_000)
Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
Extensions = Sequence[tuple[x509.ExtensionType, bool]]


def named(name: str) -> x509.Name:
    """A name of a country and a common name."""
    return x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "VN"),
            x509.NameAttribute(NameOID.COMMON_NAME, name),
        ]
    )


def usage(**allowed: bool) -> x509.KeyUsage:
    """A key usage that allows what is named and nothing else."""
    names = (
        "digital_signature", "content_commitment", "key_encipherment", "data_encipherment",
        "key_agreement", "key_cert_sign", "crl_sign", "encipher_only", "decipher_only",
    )  # fmt: skip
    return x509.KeyUsage(**{name: allowed.get(name, False) for name in names})


@dataclass(frozen=True)
class Ca:
    """An authority: its key and certificate; `crl` and `response` speak for it."""

    key: Any
    certificate: Certificate

    @property
    def name(self) -> x509.Name:
        return self.certificate.parsed.subject

    def certify(
        self,
        subject: str | x509.Name,
        key: Any,
        *,
        serial: int,
        extensions: Extensions = (),
        lists: Sequence[str] = (),
        responders: Sequence[str] = (),
        starts: datetime = _BORN,
        ends: datetime = _ENDS,
    ) -> Certificate:
        """Issue a certificate; `lists` and `responders` are the addresses it names."""
        extensions = [*extensions]
        if lists:
            point = x509.DistributionPoint(
                [x509.UniformResourceIdentifier(url) for url in lists], None, None, None
            )
            extensions.append((x509.CRLDistributionPoints([point]), False))
        if responders:
            method = AuthorityInformationAccessOID.OCSP
            access = [
                x509.AccessDescription(method, x509.UniformResourceIdentifier(url))
                for url in responders
            ]
            extensions.append((x509.AuthorityInformationAccess(access), False))
        return _certificate(
            subject, key.public_key(), self.name, self.key, serial, extensions, starts, ends
        )

    def leaf(self, serial: int, **changes: Any) -> Certificate:
        """Issue a signer's certificate."""
        return self.certify(f"signer {serial}", pki().key("ec", serial), serial=serial, **changes)

    def child(self, name: str, index: int, **changes: Any) -> Ca:
        """Issue an authority below this one."""
        key = pki().key("ec", index)
        usages = usage(key_cert_sign=True, crl_sign=True)
        extensions = [(x509.BasicConstraints(True, None), True), (usages, True)]
        made = self.certify(name, key, serial=index + 1, extensions=extensions, **changes)
        return Ca(key, made)

    def crl(
        self,
        entries: Iterable[int | x509.RevokedCertificate] = (),
        *,
        number: int | None = 1,
        made: datetime = NOW - HOUR,
        ends: datetime | None = NOW + 23 * HOUR,
        extensions: Extensions = (),
        key: Any = None,
        name: x509.Name | None = None,
        digest: hashes.HashAlgorithm | None = None,
    ) -> bytes:
        """Return a list in DER; entries are serials, revoked a day before NOW, or built ones."""
        builder = x509.CertificateRevocationListBuilder().issuer_name(name or self.name)
        builder = builder.last_update(made)
        builder = builder.next_update(ends if ends is not None else _ENDS)
        if number is not None:
            builder = builder.add_extension(x509.CRLNumber(number), False)
        for extension, critical in extensions:
            builder = builder.add_extension(extension, critical)
        for one in entries:
            builder = builder.add_revoked_certificate(entry(one) if isinstance(one, int) else one)
        return builder.sign(key or self.key, digest or hashes.SHA256()).public_bytes(Encoding.DER)

    def response(
        self,
        certificate: Certificate,
        *,
        status: ocsp.OCSPCertStatus = ocsp.OCSPCertStatus.GOOD,
        made: datetime = NOW - HOUR,
        ends: datetime | None = NOW + 23 * HOUR,
        revoked: datetime | None = None,
        responder: Ca | None = None,
        with_certificates: Sequence[Certificate] | None = None,
        algorithm: hashes.HashAlgorithm | None = None,
    ) -> bytes:
        """Return an OCSP response in DER, signed by this authority or a responder."""
        by = responder or self
        builder = ocsp.OCSPResponseBuilder().add_response(
            cert=certificate.parsed,
            issuer=self.certificate.parsed,
            algorithm=algorithm or hashes.SHA1(),
            cert_status=status,
            this_update=made,
            next_update=ends,
            revocation_time=revoked,
            revocation_reason=None if revoked is None else x509.ReasonFlags.key_compromise,
        )
        builder = builder.responder_id(ocsp.OCSPResponderEncoding.NAME, by.certificate.parsed)
        sent = ([by.certificate] if responder else []) if with_certificates is None else []
        sent += with_certificates or []
        if sent:
            builder = builder.certificates([one.parsed for one in sent])
        return builder.sign(by.key, hashes.SHA256()).public_bytes(Encoding.DER)

    def responder(
        self, index: int = 40, *, extensions: Extensions | None = None, **more: Any
    ) -> Ca:
        """Issue a responder's certificate."""
        if extensions is None:
            extensions = responder_extensions()
        key = pki().key("ec", index)
        made = self.certify("responder", key, serial=900 + index, extensions=extensions, **more)
        return Ca(key, made)


def responder_extensions(*, no_check: bool = True) -> Extensions:
    """What a responder's certificate has to have."""
    found: list[tuple[x509.ExtensionType, bool]] = [
        (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.OCSP_SIGNING]), False),
        (usage(digital_signature=True), True),
    ]
    return [*found, (x509.OCSPNoCheck(), False)] if no_check else found


def root(
    name: str = "Root CA", index: int = 30, *, crl_sign: bool = True, starts: datetime = _BORN
) -> Ca:
    """Make a root authority."""
    key = pki().key("ec", index)
    extensions = [
        (x509.BasicConstraints(True, None), True),
        (usage(key_cert_sign=True, crl_sign=crl_sign), True),
    ]
    made = _certificate(
        name, key.public_key(), named(name), key, index + 1, extensions, starts, _ENDS
    )
    return Ca(key, made)


def entry(
    serial: int,
    *,
    at: datetime = NOW - 24 * HOUR,
    reason: x509.ReasonFlags | None = None,
    invalid: datetime | None = None,
    extensions: Extensions = (),
) -> x509.RevokedCertificate:
    """Return an entry of a list."""
    builder = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(at)
    if reason is not None:
        builder = builder.add_extension(x509.CRLReason(reason), False)
    if invalid is not None:
        builder = builder.add_extension(x509.InvalidityDate(invalid), False)
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    return builder.build()


def trusting(*authorities: Ca, revocation: Any = "required", version: int = 1) -> TrustView:
    """Return a trust store's view: self-signed ones are roots, the others intermediates."""
    return TrustView(
        (
            Authority(
                one.certificate,
                "root" if one.name == one.certificate.parsed.issuer else "intermediate",
                revocation=revocation,
            )
            for one in authorities
        ),
        version,
    )


def _certificate(
    subject: str | x509.Name,
    public: Any,
    issuer: x509.Name,
    key: Any,
    serial: int,
    extensions: Extensions,
    starts: datetime,
    ends: datetime,
) -> Certificate:
    builder = (
        x509.CertificateBuilder()
        .subject_name(named(subject) if isinstance(subject, str) else subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(serial)
        .not_valid_before(starts)
        .not_valid_after(ends)
    )
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    return read_certificate(builder.sign(key, hashes.SHA256()).public_bytes(Encoding.DER))
