"""What became known after a document was accepted: its signer had been revoked before that.

Such news turn no verdict.  They are told as an alert on the document, and all documents they
concern can be listed (`Affected`): for each certificate kept, what the revocation data say of it
and of those above it, then the spans of the log that have its documents (`signers`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise, takewhile
from typing import NamedTuple

from router import limits
from router.engine.access import Reader
from router.engine.facts import decode_facts
from router.engine.signers import Kept
from router.engine.state import Rooms
from router.engine.verdicts import verdict_of
from router.engine.verifying import Verification
from router.errors import InputError, SignatureRefusedError
from router.model.answers import Alert
from router.model.instants import show_instant
from router.model.verdicts import AffectedDocument, AffectedPage
from router.ports import Clock
from router.queue import Queue, after
from router.queue.listing import documents_from
from router.signatures import SignatureVerdict
from router.signatures.certificates import Certificate, is_ca, read_certificate
from router.signatures.names import certified
from router.signatures.revocation_view import Above

_CHAIN_MAX = 10
_CERTIFICATES_READ_MAX = 4_096
_CERTIFICATE_COSTS = 16
"""How many documents could be looked at while a certificate and those above it are."""


class RevokedNow(NamedTuple):
    """A certificate of a chain that was revoked by some instant."""

    certificate: Certificate
    revoked_at: int
    since: int
    reason: str


class Revoked:
    """Asks the revocation data of now about certificates of stored verdicts; thread-safe."""

    def __init__(self, rooms: Rooms, queue: Queue, verification: Verification) -> None:
        self._rooms = rooms
        self._queue = queue
        self._verification = verification
        self._read: dict[str, Certificate | None] = {}

    def certificate(self, sha256: str) -> Certificate | None:
        """Return a certificate that is kept or trusted, remembered; None: it is not known."""
        if sha256 not in self._read:
            if len(self._read) >= _CERTIFICATES_READ_MAX:
                self._read.clear()
            der = self._rooms.signers.certificate(self._queue, sha256)
            authority = self._rooms.trust.view.authority(bytes.fromhex(sha256))
            try:
                found = read_certificate(der) if der else None
            except SignatureRefusedError:
                found = None
            if found is None and authority is not None:
                found = authority.certificate
            if found is None:
                return None  # it may be kept later
            self._read[sha256] = found
        return self._read[sha256]

    def chain_of(self, sha256: str) -> tuple[str, ...]:
        """Return the chain above a kept certificate as it was first seen, itself first."""
        chain = [sha256]
        while len(chain) < _CHAIN_MAX:
            kept = self._rooms.signers.find(chain[-1])
            if kept is None or not kept.issuer:
                break
            chain.append(kept.issuer)
        return tuple(chain)

    def chains_of(self, sha256: str, authorities: Sequence[Certificate]) -> Iterator[Sequence[str]]:
        """Yield the chains above a kept certificate by any of the authorities, itself first.

        Its documents may have been judged by others than the one it was first seen with.
        """
        yield self.chain_of(sha256)
        waiting: list[tuple[str, ...]] = [(sha256,)]
        found = 0
        while waiting and found < limits.PATHS_MAX:
            chain = waiting.pop()
            highest = self.certificate(chain[-1])
            above = [
                one.sha256.hex()
                for one in authorities
                if highest is not None and len(chain) < _CHAIN_MAX and certified(highest, one)
            ]
            further = [one for one in above if one not in chain]
            waiting += [(*chain, one) for one in further]
            if not further and len(chain) > 1:
                found += 1
                yield chain

    def authorities(self) -> list[Certificate]:
        """Return the authorities of stored verdicts: what is kept and speaks for no unit."""
        trust = self._rooms.trust
        kept = (one for one, _ in self._rooms.signers.all() if not trust.bindings(one))
        return [one for one in map(self.certificate, kept) if one is not None and is_ca(one)]

    def revoked_by(self, chain: Sequence[str], at_us: int) -> RevokedNow | None:
        """Return the first certificate of a chain that was revoked by an instant, or None."""
        return next(self.revocations(chain, at_us), None)

    def revocations(self, chain: Sequence[str], at_us: int) -> Iterator[RevokedNow]:
        """Yield the certificates of a chain that were revoked by an instant, the signer's first.

        Or not to be trusted since then: a later revocation may state an earlier loss of the key.
        """
        view = self._verification.revocation_view()
        if view is None:
            return
        known = [self.certificate(sha256) for sha256 in chain]
        for place, (certificate, issuer) in enumerate(pairwise(known)):
            if certificate is None or issuer is None:
                continue
            higher = takewhile(lambda one: one is not None, known[place + 2 :])
            above = Above(self._rooms.trust.view, tuple(one for one in higher if one))
            serial = int(certificate.serial, 16)
            status = view.status(issuer, serial, at_us, certificate, above)
            if status.kind == "revoked":
                revoked_at = status.revoked_at or 0
                since = revoked_at
                if status.invalidity_at is not None:
                    since = min(since, status.invalidity_at)
                yield RevokedNow(certificate, revoked_at, since, status.reason)

    def own(self, sha256: str, authorities: Sequence[Certificate], at_us: int) -> RevokedNow | None:
        """Return the revocation of a certificate itself by an instant, by whoever issued it.

        None also for one that is neither kept nor trusted: what is written of a binding does
        not suffice to look it up.
        """
        known = self.certificate(sha256)
        if known is None or self._verification.revocation_view() is None:
            return None
        for chain in self.chains_of(sha256, authorities):
            for found in self.revocations(chain, at_us):
                if found.certificate == known:
                    return found
        return None

    def alerts(self, document: int) -> tuple[Alert, ...]:
        """Return the alerts of a stored document that was found good, by its sequence."""
        if self._verification.revocation_view() is None:
            return ()
        return tuple(
            Alert(
                "signer.revoked",
                certificate=found.certificate.sha256.hex(),
                subject=found.certificate.subject,
                since=show_instant(found.since),
            )
            for _, found, _ in self.concerned(document)
        )

    def concerned(
        self, document: int, signer: str = ""
    ) -> Iterator[tuple[SignatureVerdict, RevokedNow, tuple[str, int, str, str]]]:
        """Yield the signatures of a document whose certificates were revoked when it was signed.

        Of all signers, or of the one with a SHA-256; with (document's key in hex, instant, its
        id, its sender).
        """
        accepted = after.acceptance_of(self._queue.store, document)
        facts = decode_facts(accepted.facts)
        if signer and all(one.certificate_sha256 != signer for one in facts.signatures):
            return
        verdict = verdict_of(self._queue, document, facts).verdict
        if verdict is None or verdict.status != "valid":
            return
        said = (accepted.key.hex(), accepted.at, facts.document_id, facts.sender)
        for one in verdict.signatures:
            if signer and one.certificate_sha256 != signer:
                continue
            chain = one.chain if len(one.chain) > 1 else self.chain_of(one.certificate_sha256)
            found = self.revoked_by(chain, one.signed_at or accepted.at)
            if found is not None:
                yield one, found, said


class Affected:
    """Lists what later revocations concern; thread-safe."""

    def __init__(self, rooms: Rooms, queue: Queue, revoked: Revoked, clock: Clock) -> None:
        self._rooms = rooms
        self._queue = queue
        self._revoked = revoked
        self._clock = clock

    def page(self, cursor: str, limit: int, reads: Reader | None = None) -> AffectedPage:
        """Return a page, of the senders whose documents may be read; `Engine.revocation_alerts`."""
        if not 1 <= limit <= limits.AFFECTED_PAGE_MAX:
            said = f"1 to {limits.AFFECTED_PAGE_MAX} is taken"
            raise InputError("field.invalid", path="$.limit", reason=said)
        place, start = _read_cursor(cursor)
        found: list[AffectedDocument] = []
        looked = certificates = 0
        authorities = self._revoked.authorities()
        for sha256, kept in self._rooms.signers.all():
            if kept.sequence < place:
                continue
            certificates += 1
            if certificates > 1 and (
                looked + certificates * _CERTIFICATE_COSTS > limits.DOCUMENTS_LOOKED_MAX
            ):
                return AffectedPage(tuple(found), _cursor(kept, 0))
            first = start if kept.sequence == place else 0
            for document, sender in self._documents(sha256, first, authorities):
                looked += 1
                if len(found) >= limit or looked > limits.DOCUMENTS_LOOKED_MAX:
                    return AffectedPage(tuple(found), _cursor(kept, document))
                if reads is None or reads(sender):
                    found += self._lines(document, sha256)
        return AffectedPage(tuple(found))

    def count(self, at_most: int) -> tuple[int, bool]:
        """Return how many documents are concerned, and whether there may be more than that.

        It looks no further than `at_most` of them, nor through more than a few pages.
        """
        keys: set[str] = set()
        cursor = ""
        for _ in range(limits.AFFECTED_PAGES_COUNTED_MAX):
            page = self.page(cursor, limits.AFFECTED_PAGE_MAX)
            keys.update(one.key for one in page.documents)
            cursor = page.next_after
            if not cursor or len(keys) >= at_most:
                break
        return len(keys), bool(cursor)

    def _documents(
        self, sha256: str, start: int, authorities: Sequence[Certificate]
    ) -> Iterator[tuple[int, int]]:
        """Yield the documents that may be a revoked signer's, with their senders' numbers."""
        now_us = self._clock.now_us()
        ends = [
            one.since
            for chain in self._revoked.chains_of(sha256, authorities)
            for one in self._revoked.revocations(chain, now_us)
        ]
        if not ends:
            return
        since = min(ends)  # a key above the signer's may have been lost long before his own
        for span in self._rooms.signers.used(self._queue, sha256, start):
            for sequence, row in documents_from(self._queue, span.first):
                if sequence >= span.stop:
                    break
                if row.at >= since:
                    yield sequence, row.sender

    def _lines(self, document: int, sha256: str) -> Iterator[AffectedDocument]:
        for _, found, (key, at_us, document_id, sender) in self._revoked.concerned(
            document, sha256
        ):
            yield AffectedDocument(
                key=key,
                document_id=document_id,
                sender=sender,
                accepted_at=show_instant(at_us),
                certificate_sha256=found.certificate.sha256.hex(),
                subject=found.certificate.subject,
                serial=found.certificate.serial,
                signer_sha256=sha256,
                revoked_at=show_instant(found.revoked_at),
                invalid_since=show_instant(found.since),
                reason=found.reason,
            )


def _cursor(kept: Kept, document: int) -> str:
    return f"{kept.sequence}-{document}"


def _read_cursor(text: str) -> tuple[int, int]:
    """Read a cursor; "" is the beginning.  Raises InputError `field.invalid`."""
    if not text:
        return 0, 0
    parts = text.split("-")
    if len(parts) != 2 or not all(
        part.isascii() and part.isdecimal() and len(part) < 20 for part in parts
    ):
        said = "take it from a page, or leave it out"
        raise InputError("field.invalid", path="$.after", reason=said)
    return min(int(parts[0]), (1 << 63) - 1), min(int(parts[1]), (1 << 63) - 1)
