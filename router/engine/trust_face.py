"""The engine's calls about trust: authorities, and which certificate speaks for which unit."""

from __future__ import annotations

from collections.abc import Sequence

from router.engine.directory_face import OPERATOR
from router.engine.revoked import Affected, Revoked
from router.engine.state import Rooms
from router.engine.trust_checking import TrustChecker
from router.engine.trust_reading import TrustReader
from router.engine.trusting import TrustAdministrator
from router.model.trust import AuthorityShown, Bindings, CertificateChecked, TrustFinding
from router.ports import Clock


class TrustFace:
    """What `Engine` does about trust.

    Certificates are given in DER and named by the SHA-256 of it in hex; for an authority
    that is known its first characters are enough.  Instants are microseconds since 1970;
    `at_us` None is now.
    """

    def _face_trust(self, rooms: Rooms, clock: Clock, revoked: Revoked, affected: Affected) -> None:
        self._trust_reader = TrustReader(rooms, clock, revoked)
        self._trust_checker = TrustChecker(rooms, self._trust_reader, clock, revoked, affected)
        self._truster = TrustAdministrator(rooms, self._trust_reader, clock)

    def _alive(self) -> None:
        raise NotImplementedError

    def trust_issuer(self, certificate: bytes, *, actor: str = OPERATOR) -> str:
        """Trust a CA as a root for anything at any time, without checking revocation.

        Returns its SHA-256.  Deprecated: `trust_authority` says more and checks revocation.
        """
        self._alive()
        return self._truster.trust_issuer(certificate, actor)

    def trust_authority(
        self,
        certificate: bytes,
        *,
        role: str | None = None,
        purposes: Sequence[str] = (),
        trusted_from: int | None = None,
        trusted_to: int | None = None,
        revocation: str = "required",
        actor: str = OPERATOR,
    ) -> str:
        """Trust one CA; return its SHA-256.  See `trust_authorities`."""
        found = self.trust_authorities(
            [certificate],
            role=role,
            purposes=purposes,
            trusted_from=trusted_from,
            trusted_to=trusted_to,
            revocation=revocation,
            actor=actor,
        )
        return found[0].sha256

    def trust_authorities(
        self,
        certificates: Sequence[bytes],
        *,
        role: str | None = None,
        purposes: Sequence[str] = (),
        trusted_from: int | None = None,
        trusted_to: int | None = None,
        revocation: str = "required",
        actor: str = OPERATOR,
    ) -> list[AuthorityShown]:
        """Trust CAs, all in one group of records or none.

        `role` is "root" or "intermediate"; without it a self-signed one becomes a root and
        any other an intermediate.  `purposes` are of "documents" and "time_stamps" (none: all).
        They are trusted from .. to (exclusive; None: as long as the certificate is valid).
        `revocation` "required" means that what they issued must be shown not to be revoked,
        "not_checked" that nobody asks.  What was said of the same certificate before is
        replaced.  Raises InputError `trust.leaf` for a signer's certificate, `trust.invalid`.
        """
        self._alive()
        found = self._truster.trust(
            certificates,
            role=role,
            purposes=purposes,
            trusted_from=trusted_from,
            trusted_to=trusted_to,
            revocation=revocation,
            actor=actor,
        )
        return [self._trust_reader.authority(sha256, None) for sha256 in found]

    def distrust(self, authority: str, *, since: int | None = None, actor: str = OPERATOR) -> str:
        """End the trust in an authority at an instant (None: now); return its SHA-256.

        Documents received before are judged with it, and what was judged keeps its verdict.
        Raises NotFoundError `authority.not_found`, InputError `trust.ambiguous`, and
        `trust.invalid` when its trust ends before already.
        """
        self._alive()
        return self._truster.distrust(authority, since, actor)

    def authorities(self, *, at_us: int | None = None) -> list[AuthorityShown]:
        """Return all authorities in the order they were imported, those that ended too."""
        self._alive()
        return self._trust_reader.authorities(at_us)

    def authority(self, authority: str, *, at_us: int | None = None) -> AuthorityShown:
        """Return one authority.  Raises `authority.not_found`, `trust.ambiguous`."""
        self._alive()
        return self._trust_reader.authority(authority, at_us)

    def check_trust(self, *, at_us: int | None = None) -> list[TrustFinding]:
        """Return what a person should look at.

        Who ends, who leads nowhere, what is weak, whose revocation data is missing, who was
        revoked and still speaks for a unit, and how many documents that concerns.
        """
        self._alive()
        return self._trust_checker.findings(at_us)

    def check_certificates(
        self, certificates: Sequence[bytes], *, at_us: int | None = None
    ) -> list[CertificateChecked]:
        """Say what would happen with the certificates of a file; nothing is changed.

        Those of authorities are looked at as if all were imported, a signer's is judged as a
        document signed with it at that instant would be.  Raises InputError
        `trust.invalid` for one that can't be read.
        """
        self._alive()
        return self._trust_checker.check(certificates, at_us)

    def bind(
        self,
        unit: str | int,
        certificate: bytes,
        valid_from: int,
        valid_to: int | None = None,
        *,
        actor: str = OPERATOR,
    ) -> None:
        """Let a signing certificate speak for a unit from one instant up to another.

        What counts is when a document was issued.  A code means the unit that bears it at
        `valid_from`.  Raises InputError `trust.issuing` for a CA's certificate,
        `trust.invalid`; NotFoundError `unit.not_found`.
        """
        self.bind_many([(unit, certificate, valid_from, valid_to)], actor=actor)

    def bind_many(
        self, bindings: Sequence[tuple[str | int, bytes, int, int | None]], *, actor: str = OPERATOR
    ) -> int:
        """Bind several certificates in one flush; see `bind`."""
        self._alive()
        return self._truster.bind(bindings, actor)

    def bindings(
        self,
        *,
        unit: str | int | None = None,
        certificate: str = "",
        expires_before: int | None = None,
        limit: int = 100,
        page: int = 0,
    ) -> Bindings:
        """Return a page of bindings, by certificate in the order they were first written.

        Of one unit, of certificates whose SHA-256 begins so, or of those in force whose
        certificate itself ends before an instant.  Raises InputError `field.invalid`,
        NotFoundError `unit.not_found`.
        """
        self._alive()
        return self._trust_reader.bindings(
            unit=unit,
            certificate=certificate,
            expires_before=expires_before,
            limit=limit,
            page=page,
        )
