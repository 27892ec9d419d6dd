"""Paths: whether a signer's certificate was good at the instant of signing, and what says so.

`judge_path` finds the paths from the signer's certificate to a root trusted at the instant
(`path_search`), validates them by RFC 5280, section 6.1 (`validation`), and asks for each
certificate but the root whether it was revoked (`path_judge`):

- the index of the revocation data (`RevocationView.status`) is asked first;
- lists and responses that are handed out are given to the validator as well, which judges
  who signed them and what they cover; for data that is only in the index (large lists, which
  were judged when they came) the validator's check of that certificate is off;
- no answer, for a certificate whose issuer's revocation is required, keeps the verdict
  indeterminate.  There is no soft failure.

Revoked after the instant is not revoked for this document; revoked at it or before, or with
an invalidity date at it or before, is.

Nothing here reads a clock, a file or the network, and nothing a certificate holds makes it
raise.  One call takes some milliseconds: it belongs on the pool for cold paths.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple, Protocol

from router.errors import Fact, SignatureRefusedError
from router.model.instants import INSTANT_MAX
from router.signatures.authorities import TrustView
from router.signatures.certificates import Certificate
from router.signatures.revocation_view import Above, Links
from router.signatures.verdicts import Evidence, Missing, Status


class PolicyInputs(NamedTuple):
    """What a path is started with (RFC 5280, 6.1.1 c to g); the default asks for nothing.

    `policies` are the policies (dotted) of which one must be left at the end when
    `explicit_policy` is set; empty means any.
    """

    policies: frozenset[str] = frozenset()
    explicit_policy: bool = False
    inhibit_mapping: bool = False
    inhibit_any: bool = False


class RevocationStatus(Protocol):
    """What is known about one certificate at an instant.

    `kind` is "revoked" when it was by then; what is "good" may have been revoked later, and
    then `revoked_at` or `invalidity_at` (RFC 5280, 5.3.2) say when.
    """

    @property
    def kind(self) -> Literal["good", "revoked", "unknown"]:
        """Whether it was revoked, was not, or nothing that is fresh enough says."""

    @property
    def evidence(self) -> Evidence | None:
        """What says so; None when unknown."""

    @property
    def revoked_at(self) -> int | None:
        """The instant of revocation; None when it never was."""

    @property
    def invalidity_at(self) -> int | None:
        """Since when the key may have been lost, if the CA says."""

    @property
    def reason(self) -> str:
        """Why it was revoked, e.g. key_compromise."""

    @property
    def signers(self) -> Links:
        """Whose certificates it rests on beside those of the path (see `Above`)."""

    @property
    def until(self) -> int:
        """The instant up to which (exclusive) these may be rested on."""

    @property
    def doubted(self) -> Links:
        """Whose lists were left aside, since nothing shows their certificates as good."""


class RevocationView(Protocol):
    """An immutable snapshot of the revocation data, every piece judged when it came."""

    @property
    def grace_us(self) -> int:
        """How long after its nextUpdate a piece still serves."""

    def status(
        self, issuer: Certificate, serial: int, at_us: int, certificate: Certificate, above: Above
    ) -> RevocationStatus:
        """Return what is known about the certificate of that issuer and serial number."""

    def lists_for(self, issuer: Certificate, at_us: int, trust: TrustView) -> tuple[bytes, ...]:
        """Return small lists (DER) that may speak about the issuer's certificates."""

    def responses_for(self, issuer: Certificate, serial: int, at_us: int) -> tuple[bytes, ...]:
        """Return OCSP responses (DER) about one certificate."""

    def notice(self, certificate: Certificate, issuer: Certificate, at_us: int) -> None:
        """Note that the revocation of a certificate on a path to a root is of interest."""


class _Unknown(NamedTuple):
    """The status of a certificate of which nothing is known."""

    kind: Literal["good", "revoked", "unknown"] = "unknown"
    evidence: Evidence | None = None
    revoked_at: int | None = None
    invalidity_at: int | None = None
    reason: str = ""
    signers: Links = ()
    until: int = INSTANT_MAX
    doubted: Links = ()


class _NothingKnown:
    """A view without any revocation data."""

    grace_us = 0

    def status(
        self, issuer: Certificate, serial: int, at_us: int, certificate: Certificate, above: Above
    ) -> RevocationStatus:
        del issuer, serial, at_us, certificate, above
        return _Unknown()

    def lists_for(self, issuer: Certificate, at_us: int, trust: TrustView) -> tuple[bytes, ...]:
        del issuer, at_us, trust
        return ()

    def responses_for(self, issuer: Certificate, serial: int, at_us: int) -> tuple[bytes, ...]:
        del issuer, serial, at_us
        return ()

    def notice(self, certificate: Certificate, issuer: Certificate, at_us: int) -> None:
        del certificate, issuer, at_us


NOTHING_KNOWN: Final[RevocationView] = _NothingKnown()


@dataclass(frozen=True, slots=True)
class PathVerdict:
    """What was found about a signer's certificate at an instant.

    `chain` is the path judged, the signer's certificate first, the root last; empty when none
    was found.  `code`, `path` (within the signature entry) and `facts` say why it is invalid:
    the fact `certificate` is "signer", "authority" or "root", with `subject` and `serial`.
    When it is indeterminate, `missing` says which revocation data would decide.

    The verdict is the same for every signing instant from `good_from` to `good_until` (both
    belong to it) as long as trust and revocation data are.  Newer data about the certificates of
    `chain`, of the `signers` of lists (issuer and serial number of each), and of the chains that
    were looked at before it and decided nothing (`beside`), may change it; while nothing is
    learned of the latter it is the same at most from `span_from` to `span_until`.
    """

    status: Status
    code: str = ""
    facts: dict[str, Fact] = field(default_factory=dict)
    chain: tuple[Certificate, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    missing: tuple[Missing, ...] = ()
    good_from: int = 0
    good_until: int = INSTANT_MAX
    path: str = "protected.x5c[0]"
    signers: Links = ()
    beside: tuple[tuple[Certificate, ...], ...] = ()
    span_from: int = 0
    span_until: int = INSTANT_MAX

    def as_error(self) -> SignatureRefusedError:
        """Return the refusal an invalid verdict stands for."""
        assert self.status == "invalid"
        return SignatureRefusedError(self.code, path=self.path, **self.facts)


def judge_path(
    leaf: Certificate,
    others: Sequence[Certificate],
    view: TrustView,
    revocation: RevocationView | None,
    at_us: int,
    *,
    inputs: PolicyInputs = PolicyInputs(),  # noqa: B008 (it is immutable)
) -> PathVerdict:
    """Judge a signer's certificate at the instant of signing.

    `others` are the certificates the sender sent beside it (x5c without the first): they may
    help to find a path, but are trusted for nothing.  No `revocation` means that nothing is
    known: whose revocation must be checked waits.  `inputs` starts the policies of the path
    (RFC 5280, 6.1.1); by default none is asked for.

    Invalid verdicts have the codes `certificate.algorithm`, `.constraints`, `.expired`,
    `.malformed`, `.not_yet_valid`, `.paths`, `.revoked`, `.untrusted`, `.usage` and
    `signature.key`.
    """
    # The validator and all it brings along are loaded with the first judgement, not before.
    from router.signatures.path_judge import PathJudge

    return PathJudge(leaf, others, view, revocation, at_us, inputs).judge()


def make_ready() -> Iterator[None]:
    """Load what `judge_path` needs, in one step."""
    from router.signatures import path_judge  # noqa: F401 -- loading it is all that is wanted

    yield
