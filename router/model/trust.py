"""What the engine answers about trust: authorities, bindings, things to look at.

Instants are RFC 3339 at +07:00; an empty text stands for "none" or "for good".  Certificates
are named by the SHA-256 of their DER bytes, in hex.
"""

from __future__ import annotations

import msgspec


class AuthorityShown(msgspec.Struct, frozen=True, omit_defaults=True):
    """An authority as it is trusted.

    `state` at the instant asked for is "trusted", "not-yet" (trust or certificate begin
    later), "ended" (trust ended) or "expired" (the certificate did).  `generation` names the
    roots it leads to by their years, and their number where the name has one ("G2 2018–2048");
    empty when it leads to none.  `key` and `hash` are the kind of its key and the hash it is
    signed with; `issued_by` the authorities that signed it.  `revocation` says whether the
    certificates it issued are checked ("required", "not_checked"), `bound` how many of them
    speak for a unit, as far as it was written down, by their issuer's name.
    """

    sha256: str
    role: str
    state: str
    subject: str
    issuer: str
    serial: str
    key: str
    hash: str
    valid_from: str
    valid_to: str
    revocation: str
    generation: str = ""
    trusted_from: str = ""
    trusted_to: str = ""
    purposes: tuple[str, ...] = ()
    issued_by: tuple[str, ...] = ()
    bound: int = 0
    recorded_at: str = ""
    actor: str = ""


class BindingShown(msgspec.Struct, frozen=True, omit_defaults=True):
    """A certificate that speaks for a unit from `valid_from` up to `valid_to`.

    `state` at the instant asked for is "in-force", "revoked" (in force, but the certificate was
    revoked, as far as it is known here: it has signed), "not-yet" or "ended"; `expires` is when the
    certificate itself runs out and `issuer` whose name issued it, empty where that was not
    written down or nobody here bears the name.  The unit may have been closed since: its
    bindings stay, for the documents it issued.
    """

    unit: int
    code: str
    certificate_sha256: str
    state: str
    valid_from: str = ""
    valid_to: str = ""
    expires: str = ""
    issuer: str = ""


class Bindings(msgspec.Struct, frozen=True):
    """A page of bindings; `next_page` is 0 when there is no other."""

    bindings: tuple[BindingShown, ...]
    total: int
    next_page: int = 0


class TrustFinding(msgspec.Struct, frozen=True, omit_defaults=True):
    """One thing about trust that a person should look at.

    `code` is stable; `severity` is "error" (documents are refused or wait because of it),
    "warning" or "note".  `sha256` and `subject` name the certificate, if it is about one.
    """

    code: str
    severity: str
    words: str
    words_vi: str
    remedy: str
    remedy_vi: str
    sha256: str = ""
    subject: str = ""


class CertificateChecked(msgspec.Struct, frozen=True, omit_defaults=True):
    """What would happen with one certificate of a file; nothing was changed.

    `kind` is "authority" or "signer".  For an authority `role` is what it would become; for a
    signer `path` holds the SHA-256 of the certificates from the one that issued it to the
    root, as far as they are known, and `units` the codes of those it speaks for.  `known`:
    it is an authority here already, or bound.  `findings` say what is wrong or doubtful; with
    one of severity "error" it would be refused.
    """

    sha256: str
    kind: str
    subject: str
    issuer: str
    serial: str
    key: str
    hash: str
    valid_from: str
    valid_to: str
    known: bool = False
    role: str = ""
    generation: str = ""
    path: tuple[str, ...] = ()
    units: tuple[str, ...] = ()
    findings: tuple[TrustFinding, ...] = ()
