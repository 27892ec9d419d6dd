"""Revocation data: taken in when it is proven good, asked through snapshots, wanted in time.

`RevocationStore` judges each CRL and OCSP response once, when it arrives from wherever it may:
fetched by the daemon, brought by an operator, or read back from kept files.  What it cannot
prove to come from an authority of the trust store it refuses by name; what is older than what
it has, too.  It touches no file and no network, and takes the time from its callers.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Mapping, Sequence
from typing import Final, Literal

from router.errors import InputError
from router.limits import (
    CRL_ENTRIES_TO_PATHS_MAX,
    REVOCATION_GRACE_S_DEFAULT,
    REVOCATION_LISTS_BYTES_MAX,
    REVOCATION_LISTS_MAX,
    REVOCATION_REFRESH_S_DEFAULT,
    REVOCATION_RESPONSES_BYTES_MAX,
    REVOCATION_RESPONSES_MAX,
    REVOCATION_SKEW_S,
)
from router.model.instants import SECOND_US, show_instant
from router.model.revocation import Added, AuthorityRevocation, Freshness, RevocationKind, Wanted
from router.signatures.authorities import TrustView
from router.signatures.certificates import Certificate, plain
from router.signatures.lists import (
    UNREADABLE,
    Entries,
    ReadList,
    check_signature,
    malformed,
    may_sign_lists,
    read_entries,
    read_list,
)
from router.signatures.names import authority_id
from router.signatures.responses import (
    Answer,
    ReadResponse,
    answer_of,
    check_responder,
    read_response,
)
from router.signatures.revocation_sources import Sources
from router.signatures.revocation_view import (
    Above,
    KnownList,
    KnownResponse,
    RevocationView,
)
from router.signatures.revocation_wants import Wants
from router.signatures.verdicts import Evidence

_SLOT_CHARS: Final = 40


class RevocationStore:
    """What is known about revocation; thread-safe, bounded in memory.

    `grace_s` is how long data serves after its nextUpdate, `refresh_s` how often data that is
    still good is asked for again, `addresses` names lists for authorities (SHA-256 of their
    certificates in hex) in place of what certificates say.
    """

    def __init__(
        self,
        grace_s: int = REVOCATION_GRACE_S_DEFAULT,
        refresh_s: int = REVOCATION_REFRESH_S_DEFAULT,
        addresses: Mapping[str, tuple[str, ...]] | None = None,
    ) -> None:
        self._adding = threading.Lock()  # orders changes; who only asks never takes it
        self._lock = threading.Lock()  # guards _wants; held for moments
        self._sources = Sources()
        self._trusted: object = None  # by which authorities the view was looked through last
        self._wants = Wants(self._sources, refresh_s * SECOND_US, addresses or {})
        self._view = RevocationView({}, {}, 0, grace_s * SECOND_US, self._sources.notice)

    def configure(
        self, grace_s: int, refresh_s: int, addresses: Mapping[str, tuple[str, ...]]
    ) -> None:
        """Take other settings from now on; see the class."""
        with self._adding, self._lock:
            self._wants.configure(refresh_s * SECOND_US, addresses)
            self._view = self._view.with_grace(grace_s * SECOND_US)

    @property
    def view(self) -> RevocationView:
        """What is known now; use one for a whole batch."""
        return self._view

    def add(
        self,
        der: bytes,
        trust: TrustView,
        at_us: int,
        *,
        kind: RevocationKind | None = None,
        url: str = "",
    ) -> Added:
        """Take in a CRL or an OCSP response in DER; `kind` refuses the other one.

        `url` is where it was fetched.  Raises InputError: `revocation.malformed`,
        `revocation.critical`, `revocation.unanswered`, `revocation.untrusted` (of no
        trusted authority), `revocation.signature`, `revocation.algorithm`, `revocation.usage`,
        `revocation.responder`, `revocation.early` (made in the future), `revocation.older`,
        `revocation.scope` (a large list of a kind that the index can't answer from),
        `revocation.full`; TooLargeError `revocation.too_large`.  Then nothing has changed.
        """
        with self._adding:
            self._forget_distrusted(trust)
            try:
                added = self._judge(der, trust, at_us, kind)
            except UNREADABLE:  # `cryptography` reads parts of it when they are first asked for
                raise malformed("a part of it can't be read") from None
            with self._lock:
                self._wants.came(added, url, at_us)
            return added

    def _judge(
        self, der: bytes, trust: TrustView, at_us: int, kind: RevocationKind | None
    ) -> Added:
        if kind == "ocsp":
            return self._add_response(read_response(der), der, trust, at_us)
        read = read_list(der) if kind == "crl" else _read_either(der)
        if isinstance(read, ReadList):
            return self._add_list(read, der, trust, at_us)
        return self._add_response(read, der, trust, at_us)

    def failed(self, issuer_sha256: str, reason: str, at_us: int) -> None:
        """Note that fetching an authority's data failed; told by `states` until it succeeds."""
        with self._lock:
            self._wants.failed(issuer_sha256, reason, at_us)

    # Lists.

    def _add_list(self, read: ReadList, der: bytes, trust: TrustView, at_us: int) -> Added:
        signer = self._signer_of(read, trust)
        _check_early(read.produced_at, at_us)
        slot = _slot("crl", authority_id(signer), read.scope.digest)
        known = self._view.lists.get(slot)
        if known is not None and known.evidence.sha256 == read.sha256:
            return _added_list(known, new=False)
        if known is not None:
            self._check_newer(read, known, at_us)
        entries = read_entries(read)
        small = len(entries) <= CRL_ENTRIES_TO_PATHS_MAX
        if not (small or read.scope.indexed):
            raise InputError(
                "revocation.scope", scope=read.scope.words, entries=len(entries),
                limit=CRL_ENTRIES_TO_PATHS_MAX,
            )  # fmt: skip
        made = self._made_list(read, slot, signer, entries, der if small else b"", at_us)
        self._install(made, at_us)
        return _added_list(made, new=True)

    def _signer_of(self, read: ReadList, trust: TrustView) -> Certificate:
        """Return the authority that signed the list and was allowed to."""
        named = self._sources.signers_named(trust, read.name, read.produced_at)
        if not named:
            raise InputError("revocation.untrusted", issuer=plain(read.issuer))
        signers: dict[str, bool] = {}
        flaw = "revocation.signature"
        for one in named:
            key = authority_id(one)
            if key not in signers:
                signers[key] = check_signature(read, one)
            if not signers[key]:
                continue
            if not may_sign_lists(one):
                flaw = "revocation.usage"
            elif one.valid_from <= read.produced_at < one.valid_to + SECOND_US:
                return one
            elif flaw == "revocation.signature":
                flaw = "revocation.untrusted"
        if flaw == "revocation.usage":
            raise InputError("revocation.usage", issuer=plain(read.issuer))
        if flaw == "revocation.untrusted":
            raise InputError("revocation.untrusted", issuer=plain(read.issuer))
        raise InputError("revocation.signature", issuer=plain(read.issuer))

    def _check_newer(self, read: ReadList, known: KnownList, at_us: int) -> None:
        """Refuse what would go back: a lower number, or the same (or none) made earlier.

        An authority that was rebuilt may begin its numbers again once what it had published
        before serves no longer.
        """
        older = read.produced_at < known.evidence.produced_at
        if read.number is not None and known.number is not None and read.number != known.number:
            over = at_us >= known.evidence.fresh_until + self._view.grace_us
            older = read.number < known.number and (older or not over)
        if older:
            raise InputError(
                "revocation.older", issuer=plain(read.issuer),
                made=show_instant(read.produced_at), known=show_instant(known.evidence.produced_at),
                number=str(read.number), known_number=str(known.number),
            )  # fmt: skip

    def _made_list(
        self,
        read: ReadList,
        slot: str,
        signer: Certificate,
        entries: Entries,
        der: bytes,
        at_us: int,
    ) -> KnownList:
        return KnownList(
            slot=slot,
            name=read.name,
            signer=authority_id(signer),
            authority=signer,
            scope=read.scope,
            entries=entries if read.scope.indexed else None,
            count=len(entries),
            der=der,
            evidence=Evidence(
                certificate_sha256="",
                kind="crl",
                issuer=signer.subject,
                sha256=read.sha256,
                number="" if read.number is None else str(read.number),
                produced_at=read.produced_at,
                fresh_until=read.fresh_until,
            ),
            number=read.number,
            stamp=self._view.version + 1,
            taken_at=at_us,
        )

    def _install(self, made: KnownList, at_us: int) -> None:
        lists = {**self._view.lists, made.slot: made}
        held = sum(one.memory_bytes for one in lists.values())
        if len(lists) > REVOCATION_LISTS_MAX or held > REVOCATION_LISTS_BYTES_MAX:
            for slot, one in list(lists.items()):
                if slot != made.slot and at_us >= one.evidence.fresh_until + self._view.grace_us:
                    held -= lists.pop(slot).memory_bytes
        if len(lists) > REVOCATION_LISTS_MAX or held > REVOCATION_LISTS_BYTES_MAX:
            raise InputError("revocation.full", limit=REVOCATION_LISTS_BYTES_MAX)
        self._view = self._view.with_lists(lists, self._view.responses, made.stamp)

    # Responses.

    def _add_response(self, read: ReadResponse, der: bytes, trust: TrustView, at_us: int) -> Added:
        issuer, answer = self._asked_of(read, trust)
        above = self._sources.above(trust, issuer, at_us)
        check_responder(
            read, issuer, lambda serial: self._is_good(issuer, serial, read.made_at, above)
        )
        _check_early(answer.produced_at, at_us)
        key = (authority_id(issuer), answer.serial)
        known = self._view.responses.get(key)
        if known is not None and known.evidence.sha256 == read.sha256:
            return _added_response(known, new=False)
        if known is not None and answer.produced_at < known.answer.produced_at:
            raise InputError(
                "revocation.older", issuer=issuer.subject, made=show_instant(answer.produced_at),
                known=show_instant(known.answer.produced_at), number="", known_number="",
            )  # fmt: skip
        evidence = Evidence(
            certificate_sha256="",
            kind="ocsp",
            issuer=issuer.subject,
            sha256=read.sha256,
            produced_at=answer.produced_at,
            fresh_until=answer.fresh_until,
        )
        slot = _slot("ocsp", key[0], f"{answer.serial:x}")
        made = KnownResponse(slot, key[0], issuer, answer, der, evidence, self._view.version + 1)
        self._make_room()
        self._view = self._view.with_response(made, made.stamp)
        return _added_response(made, new=True)

    def _asked_of(self, read: ReadResponse, trust: TrustView) -> tuple[Certificate, Answer]:
        for issuer in self._sources.issuers(trust):
            answer = answer_of(read, issuer)
            if answer is None:
                continue
            if self._sources.serves(trust, issuer, answer.produced_at):
                return issuer, answer
        raise InputError("revocation.untrusted", issuer="of the answer")

    def _is_good(self, issuer: Certificate, serial: int, at_us: int, above: Above) -> bool:
        """Say whether a list shows a responder's certificate as not revoked."""
        status = self._view.status(issuer, serial, at_us, above=above)
        found = status.evidence
        return status.kind == "good" and found is not None and found.kind == "crl"

    def _make_room(self) -> None:
        """Forget a tenth of the responses when they are too many: the longest out of date."""
        known = self._view.responses
        held = sum(len(one.der) for one in known.values()) if len(known) % 64 == 0 else 0
        if len(known) < REVOCATION_RESPONSES_MAX and held < REVOCATION_RESPONSES_BYTES_MAX:
            return
        kept = sorted(known.items(), key=lambda pair: -pair[1].answer.fresh_until)
        view = self._view
        responses = dict(kept[: len(kept) * 9 // 10])
        self._view = view.with_lists(view.lists, responses, view.version)

    def _forget_distrusted(self, trust: TrustView) -> None:
        """Forget what is believed no more (`Sources.serves`), once trust has changed.

        None of it speaks for new documents already: this gives back its room.
        """
        if trust.authorities is self._trusted:
            return
        self._trusted = trust.authorities
        view = self._view

        def serves(one: KnownList | KnownResponse) -> bool:
            return self._sources.serves(trust, one.authority, one.evidence.produced_at)

        lists = {slot: one for slot, one in view.lists.items() if serves(one)}
        responses = {key: one for key, one in view.responses.items() if serves(one)}
        if len(lists) < len(view.lists) or len(responses) < len(view.responses):
            self._view = view.with_lists(lists, responses, view.version + 1)

    # What to fetch.

    def wanted(self, trust: TrustView, at_us: int) -> tuple[Wanted, ...]:
        """Return what should be fetched now, at most REVOCATION_WANTED_MAX.

        The lists of each authority whose certificates must be shown not to be revoked, and
        responses about certificates seen that no list speaks about.
        """
        with self._lock:
            return self._wants.wanted(self._view, trust, at_us)

    # What operators are told.

    def states(self, trust: TrustView, at_us: int) -> tuple[AuthorityRevocation, ...]:
        """Return how fresh the data of each authority is, in the order of the trust store."""
        with self._lock:
            needed = {
                name: certificate
                for name, certificate, trusted in self._sources.wanting(trust, at_us)
                if trusted
            }
            named = {authority_id(one.certificate): one.certificate for one in trust.authorities}
            about: dict[str, list[KnownResponse]] = {}
            for response in self._view.responses.values():
                about.setdefault(response.issuer, []).append(response)
            return tuple(
                self._state(certificate, about.get(name, ()), trust, at_us, name in needed)
                for name, certificate in {**named, **needed}.items()
            )

    def _state(
        self,
        certificate: Certificate,
        responses: Sequence[KnownResponse],
        trust: TrustView,
        at_us: int,
        required: bool,
    ) -> AuthorityRevocation:
        view, authority = self._view, authority_id(certificate)
        above = self._sources.above(trust, certificate, at_us)
        lists = view.lists_of(certificate, at_us, above)
        slots = [one.slot for one in lists] + [one.slot for one in responses]
        evidences = [one.evidence for one in (lists or responses)]
        newest = max(evidences, key=lambda one: one.fresh_until, default=None)
        failed_at, failure = self._wants.failure(certificate.sha256.hex())
        mirrors = self._wants.mirrors(trust, authority, certificate)
        return AuthorityRevocation(
            sha256=certificate.sha256.hex(),
            subject=certificate.subject,
            state=_freshness(newest, at_us, view.grace_us) if required else "not_checked",
            lists=len(lists),
            entries=sum(one.count for one in lists),
            responses=len(responses),
            memory_bytes=sum(one.memory_bytes for one in lists)
            + sum(len(one.der) for one in responses),
            number="" if newest is None else newest.number,
            produced_at=0 if newest is None else newest.produced_at,
            fresh_until=0 if newest is None else newest.fresh_until,
            serves_until=0 if newest is None else newest.fresh_until + view.grace_us,
            addresses=tuple(url for one in mirrors for url in one),
            checked_at=self._wants.checked_at(slots),
            failure=failure,
            failed_at=failed_at,
        )  # fmt: skip


def _freshness(newest: Evidence | None, at_us: int, grace_us: int) -> Freshness:
    if newest is None:
        return "missing"
    if at_us < newest.fresh_until:
        return "fresh"
    return "grace" if at_us < newest.fresh_until + grace_us else "expired"


def _read_either(der: bytes) -> ReadList | ReadResponse:
    try:
        return read_list(der)
    except InputError as error:
        if error.code != "revocation.malformed":
            raise
        try:
            return read_response(der)
        except InputError as other:
            if other.code != "revocation.malformed":
                raise
        raise error from None


def _check_early(produced_at: int, at_us: int) -> None:
    if produced_at > at_us + REVOCATION_SKEW_S * SECOND_US:
        raise InputError("revocation.early", made=show_instant(produced_at))


def _slot(kind: Literal["crl", "ocsp"], authority: str, part: str) -> str:
    """Return the name of the place of a list or response, the same at every start."""
    return hashlib.sha256(f"{kind}|{authority}|{part}".encode()).hexdigest()[:_SLOT_CHARS]


def _added_list(known: KnownList, *, new: bool) -> Added:
    evidence = known.evidence
    return Added(
        "crl", evidence.issuer, known.authority.sha256.hex(), known.slot, known.count,
        evidence.produced_at, evidence.fresh_until, evidence.number, known.scope.words, new,
    )  # fmt: skip


def _added_response(known: KnownResponse, *, new: bool) -> Added:
    evidence = known.evidence
    return Added(
        "ocsp", evidence.issuer, known.authority.sha256.hex(), known.slot, 1,
        evidence.produced_at, evidence.fresh_until, new=new,
    )  # fmt: skip
