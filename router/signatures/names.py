"""Names of authorities: when two are the same, who is one authority, and who certified whom."""

from __future__ import annotations

import hashlib
import unicodedata
from functools import lru_cache

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from router.limits import CERTIFICATE_CACHE_ENTRIES_MAX, REVOCATION_LISTS_MAX
from router.signatures.certificates import Certificate, signed_by


@lru_cache(maxsize=CERTIFICATE_CACHE_ENTRIES_MAX)
def authority_id(certificate: Certificate) -> str:
    """Return what is equal for certificates of one subject and key: renewed ones, cross ones."""
    key = certificate.parsed.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return hashlib.sha256(subject_key(certificate).encode() + b"\0" + key).hexdigest()


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


@lru_cache(maxsize=REVOCATION_LISTS_MAX)
def certified(certificate: Certificate, parent: Certificate) -> bool:
    """Say whether the parent's key signed a certificate that names it as its issuer."""
    return issuer_key(certificate) == subject_key(parent) and signed_by(certificate, parent)
