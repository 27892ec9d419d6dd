"""What a change of trust must be, asked before it is written; nothing here changes the store.

All refusals are InputErrors with a path into what was handed in: `certificates[2]` is the
third certificate of a bundle.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from typing import Final, get_args

from router.errors import InputError, SignatureRefusedError
from router.limits import BINDINGS_MAX, TRUST_BUNDLE_CERTIFICATES_MAX, TRUST_CERTIFICATES_MAX
from router.model.instants import INSTANT_MAX, show_instant
from router.signatures.authorities import PURPOSES, Revocation, Role
from router.signatures.certificates import (
    Certificate,
    check_leaf,
    is_ca,
    issuer_flaw,
    read_certificate,
    signed_itself,
    weak_hash,
)
from router.signatures.trust import (
    AuthorityDistrusted,
    AuthorityTrusted,
    CertificateBound,
    IssuerDistrusted,
    IssuerTrusted,
    TrustStore,
    issuer_digest,
)

_SHA256_HEX_CHARS: Final = 64
_PATH: Final = "certificate"


def check_issuer(store: TrustStore, der: bytes) -> IssuerTrusted:
    """Return the change that trusts a CA as a root whose certificates' revocation is not checked.

    Raises InputError `trust.leaf` for a signer's certificate, `trust.invalid` when it is
    otherwise none that may issue others, or the store holds `TRUST_CERTIFICATES_MAX` already.
    """
    _check_issuing(_read(der, _PATH), _PATH)
    _check_room(store, [der])
    return IssuerTrusted(certificate=der)


def check_authorities(
    store: TrustStore,
    ders: Sequence[bytes],
    *,
    role: Role | None = None,
    purposes: Collection[str] = (),
    trusted_from: int | None = None,
    trusted_to: int | None = None,
    revocation: Revocation = "required",
) -> list[AuthorityTrusted]:
    """Return the changes that trust these CA certificates (DER), all in the same way.

    Without `role` a self-signed one becomes a root and any other an intermediate.  A
    certificate that is given twice is taken once.  Raises InputError `trust.leaf`,
    `trust.invalid`.
    """
    _check_options(role, purposes, trusted_from, trusted_to, revocation)
    if not 0 < len(ders) <= TRUST_BUNDLE_CERTIFICATES_MAX:
        reason = f"a bundle holds 1 to {TRUST_BUNDLE_CERTIFICATES_MAX} certificates"
        raise _invalid(reason, "certificates")
    changes: list[AuthorityTrusted] = []
    taken: set[bytes] = set()
    for place, der in enumerate(ders):
        if der in taken:
            continue
        taken.add(der)
        path = f"certificates[{place}]" if len(ders) > 1 else _PATH
        certificate = _read(der, path)
        _check_issuing(certificate, path)
        chosen = role or role_of(certificate)
        _check_role(certificate, chosen, path)
        changes.append(
            AuthorityTrusted(
                certificate=der,
                role=chosen,
                purposes=tuple(name for name in PURPOSES if name in purposes),
                trusted_from=trusted_from or 0,
                trusted_to=trusted_to,
                revocation=revocation,
            )
        )
    _check_room(store, ders)
    return changes


def role_of(certificate: Certificate) -> Role:
    """Return what a CA's certificate is when nobody says: a root when it signed itself."""
    return "root" if signed_itself(certificate) else "intermediate"


def check_removal(store: TrustStore, sha256: str, since: int) -> AuthorityDistrusted:
    """Return the change that ends the trust in an authority, by SHA-256 in hex, at an instant.

    Raises InputError `trust.invalid` when there is none, or its trust ends before already.
    """
    if not _is_sha256(sha256) or not (store.is_trusted(sha256) or sha256 in store.unreadable):
        raise _invalid("no authority has this SHA-256")
    _check_instant(since, "since")
    known = store.view.authority(bytes.fromhex(sha256))
    if known is not None and known.trusted_to is not None and known.trusted_to <= since:
        raise _invalid(f"it is trusted only until {show_instant(known.trusted_to)} already")
    return AuthorityDistrusted(sha256=sha256, since=since)


def check_distrust(store: TrustStore, sha256: str) -> IssuerDistrusted:
    """Return the change that forgets the authority with that SHA-256 (hex, lower case).

    Raises InputError `trust.invalid` when no such authority is known.
    """
    if not _is_sha256(sha256) or not (store.is_trusted(sha256) or sha256 in store.unreadable):
        raise _invalid("no authority has this SHA-256")
    return IssuerDistrusted(sha256=sha256)


def check_binding(
    store: TrustStore, unit: int, der: bytes, valid_from: int, valid_to: int | None = None
) -> CertificateBound:
    """Return the change that lets a certificate (DER) speak for a unit from .. to (exclusive).

    The certificate must be one that may sign documents; its issuer is judged with each
    signature, so it need not be trusted yet.  Raises InputError `trust.issuing` for a CA's
    certificate, else `trust.invalid`.
    """
    certificate = _read(der, _PATH)
    if is_ca(certificate):
        raise InputError("trust.issuing", path=_PATH, subject=certificate.subject)
    try:
        check_leaf(certificate)
    except SignatureRefusedError as error:
        raise _invalid(str(error)) from None
    if unit < 1:
        raise _invalid("unit numbers begin at 1")
    _check_instant(valid_from, "valid_from")
    _check_instant(valid_to, "valid_to")
    if valid_to is not None and valid_to <= valid_from:
        raise _invalid("the binding ends before it begins")
    sha256 = certificate.sha256.hex()
    known = any(binding.unit == unit for binding in store.bindings(sha256))
    if not known and store.binding_count >= BINDINGS_MAX:
        raise _invalid(f"{BINDINGS_MAX} bindings are known already")
    return CertificateBound(
        unit=unit, certificate_sha256=sha256, valid_from=valid_from, valid_to=valid_to,
        issuer=issuer_digest(certificate.issuer_name), expires=certificate.valid_to,
    )  # fmt: skip


def _check_options(
    role: str | None,
    purposes: Collection[str],
    trusted_from: int | None,
    trusted_to: int | None,
    revocation: str,
) -> None:
    if role is not None and role not in get_args(Role):
        raise _invalid("the role is “root” or “intermediate”", "role")
    if revocation not in get_args(Revocation):
        raise _invalid("revocation is “required” or “not_checked”", "revocation")
    if isinstance(purposes, str) or any(name not in PURPOSES for name in purposes):
        raise _invalid(f"purposes are of {', '.join(PURPOSES)}", "purposes")
    _check_instant(trusted_from, "trusted_from")
    _check_instant(trusted_to, "trusted_to")
    if trusted_to is not None and trusted_to <= (trusted_from or 0):
        raise _invalid("the trust ends before it begins", "trusted_to")


def _check_instant(at_us: int | None, path: str) -> None:
    if at_us is not None and not -INSTANT_MAX <= at_us <= INSTANT_MAX:
        raise _invalid("an instant lies beyond the calendar", path)


def _check_issuing(certificate: Certificate, path: str) -> None:
    if not is_ca(certificate):
        raise InputError("trust.leaf", path=path, subject=certificate.subject)
    flaw = issuer_flaw(certificate)
    if flaw:
        raise _invalid(flaw, path)


def _check_role(certificate: Certificate, role: Role, path: str) -> None:
    if role == "root":
        return  # where a path ends nobody asks who signed
    if role_of(certificate) == "root":
        raise _invalid("it is self-signed, so it can only be a root", path)
    weak = weak_hash(certificate)
    if weak:
        raise _invalid(
            f"it is signed with {weak}, so no path leads through it; as a root it could be trusted",
            path,
        )


def _check_room(store: TrustStore, ders: Sequence[bytes]) -> None:
    known = {one.certificate.sha256 for one in store.authorities}
    added = {hashlib.sha256(der).digest() for der in ders} - known
    if added and len(known) + len(added) > TRUST_CERTIFICATES_MAX:
        raise _invalid(f"at most {TRUST_CERTIFICATES_MAX} authorities are trusted")


def _read(der: bytes, path: str) -> Certificate:
    try:
        return read_certificate(der)
    except SignatureRefusedError as error:
        raise _invalid(str(error.facts.get("reason", error.code)), path) from None


def _is_sha256(text: str) -> bool:
    return len(text) == _SHA256_HEX_CHARS and all(letter in "0123456789abcdef" for letter in text)


def _invalid(reason: str, path: str = _PATH) -> InputError:
    return InputError("trust.invalid", path=path, reason=reason)
