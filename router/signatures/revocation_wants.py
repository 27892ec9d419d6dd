"""Which revocation data should be fetched now: what is missing, and what will soon be stale."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from router.limits import (
    REVOCATION_LEAD_S_MAX,
    REVOCATION_LISTS_MAX,
    REVOCATION_RESPONSES_MAX,
    REVOCATION_RETRY_S,
    REVOCATION_WANTED_MAX,
)
from router.model.instants import SECOND_US
from router.model.revocation import Added, Wanted
from router.signatures.authorities import TrustView
from router.signatures.certificates import Certificate, plain
from router.signatures.names import authority_id
from router.signatures.responses import request_for
from router.signatures.revocation_sources import Mirrors, Seen, Sources
from router.signatures.revocation_view import Above, RevocationView
from router.signatures.verdicts import Evidence

_CHECKED_MAX: Final = 4 * REVOCATION_RESPONSES_MAX


class Wants:
    """Remembers when what was asked for last; its owner's lock guards it.

    `refresh_us` and `addresses` are those of the settings (`RevocationStore`).
    """

    def __init__(
        self, sources: Sources, refresh_us: int, addresses: Mapping[str, tuple[str, ...]]
    ) -> None:
        self._sources = sources
        self._refresh_us = refresh_us
        self._addresses = dict(addresses)
        self._checked: dict[str, int] = {}  # by slot and by address: when it last came
        self._gave: dict[str, str] = {}  # which slot an address filled
        self._failures: dict[str, tuple[int, str]] = {}
        self._turn = 0

    def configure(self, refresh_us: int, addresses: Mapping[str, tuple[str, ...]]) -> None:
        """Take other settings from now on."""
        self._refresh_us, self._addresses = refresh_us, dict(addresses)

    def came(self, added: Added, url: str, at_us: int) -> None:
        """Note that data came, good and perhaps known already."""
        if len(self._checked) > _CHECKED_MAX:  # all is fetched once more
            self._checked.clear()
            self._gave.clear()
        self._checked[added.slot] = at_us
        if url:
            self._checked[url] = at_us
            self._gave[url] = added.slot
        self._failures.pop(added.issuer_sha256, None)

    def failed(self, issuer_sha256: str, reason: str, at_us: int) -> None:
        """Note that fetching an authority's data failed."""
        if len(self._failures) >= REVOCATION_LISTS_MAX:
            self._failures.clear()
        self._failures[issuer_sha256] = (at_us, plain(reason))

    def failure(self, issuer_sha256: str) -> tuple[int, str]:
        """Return when and why the last attempt failed; (0, "") when it did not."""
        return self._failures.get(issuer_sha256, (0, ""))

    def checked_at(self, slots: Iterable[str]) -> int:
        """Return when any of these last came; 0: never since the start."""
        return max((self._checked.get(slot, 0) for slot in slots), default=0)

    def mirrors(
        self, trust: TrustView, authority: str, certificate: Certificate
    ) -> tuple[Mirrors, ...]:
        """Return the addresses of an authority's lists: those of the settings, else learned."""
        named = self._addresses.get(certificate.sha256.hex())
        if named is not None:
            return tuple((url,) for url in named)
        return self._sources.lists_of(trust, authority)

    def wanted(self, view: RevocationView, trust: TrustView, at_us: int) -> tuple[Wanted, ...]:
        """See `RevocationStore.wanted`."""
        found: list[Wanted | Seen] = []
        for authority, certificate, _ in self._sources.wanting(trust, at_us):
            sha256 = certificate.sha256.hex()
            found += (
                Wanted("crl", mirrors, sha256)
                for mirrors in self.mirrors(trust, authority, certificate)
                if self._due_list(view, mirrors, at_us)
            )
        seen = self._sources.seen(at_us)
        above = {
            one.issuer: self._sources.above(trust, one.issuer, at_us)
            for one in {each.issuer.sha256: each for each in seen}.values()
        }
        covered: dict[str, bool] = {}
        found += (
            one for one in seen
            if self._due_response(view, one, above[one.issuer], covered, at_us)
        )  # fmt: skip
        if len(found) > REVOCATION_WANTED_MAX:
            # Those in front may be of a host that never answers: the others have their turn, too.
            self._turn = (self._turn + REVOCATION_WANTED_MAX) % len(found)
            found = (found[self._turn :] + found[: self._turn])[:REVOCATION_WANTED_MAX]
        return tuple(one if isinstance(one, Wanted) else _asked(one) for one in found)

    def _due_list(self, view: RevocationView, mirrors: Mirrors, at_us: int) -> bool:
        latest = max(mirrors, key=lambda url: self._checked.get(url, 0))
        checked = self._checked.get(latest, 0)
        known = view.lists.get(self._gave.get(latest, ""))
        if not checked or checked > at_us:  # never, or by a clock that was set back since
            return True
        evidence = None if known is None else known.evidence
        return at_us >= _due_at(evidence, checked, self._refresh_us)

    def _due_response(
        self,
        view: RevocationView,
        one: Seen,
        above: Above,
        covered: dict[str, bool],
        at_us: int,
    ) -> bool:
        """Say whether a responder should be asked about a certificate now.

        `covered` remembers, for one look, which authorities have a fresh list of all.
        """
        authority, serial = authority_id(one.issuer), one.certificate.parsed.serial_number
        known = view.responses.get((authority, serial))
        if known is not None:
            answer, checked = known.answer, self._checked.get(known.slot, 0)
            half = (answer.fresh_until - answer.produced_at) // 2
            if 0 < checked <= at_us < _due_at(known.evidence, checked, max(half, self._refresh_us)):
                return False
        if authority not in covered:
            covered[authority] = any(
                not each.scope.words and at_us < each.evidence.fresh_until
                for each in view.lists_of(one.issuer, at_us, above)
            )
        if covered[authority]:
            return False
        evidence = view.status(one.issuer, serial, at_us, one.certificate, above).evidence
        return evidence is None or evidence.kind != "crl" or evidence.grace


def _due_at(evidence: Evidence | None, checked: int, refresh_us: int) -> int:
    """Return when to ask again for data that was last asked for at `checked`.

    Every `refresh_us`, and sooner towards the end of its life, when the next should be there;
    never sooner than REVOCATION_RETRY_S.
    """
    retry_us = REVOCATION_RETRY_S * SECOND_US
    if evidence is None:
        return checked + retry_us
    life = evidence.fresh_until - evidence.produced_at
    begins = evidence.fresh_until - min(REVOCATION_LEAD_S_MAX * SECOND_US, life // 10)
    return max(checked + retry_us, min(checked + refresh_us, begins))


def _asked(one: Seen) -> Wanted:
    body = request_for(one.issuer, one.certificate.parsed.serial_number)
    return Wanted("ocsp", one.responders, one.issuer.sha256.hex(), body)
