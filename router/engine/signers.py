"""Certificates of signers and of those who issued them, kept once each as records of a room.

A verdict names certificates by their SHA-256; here are the certificates, so that it can be
shown and exported whole for as long as the document lives, whatever becomes of the trust store.
Only what a good verdict stood on is kept, so that strangers can't fill the room.

That a certificate signed is noted in a room of its own (`used_by`), once in so many records of
the log: its documents lie within the spans that the notes begin.  So those of a certificate
that was revoked later are found without an index of every document.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

import msgspec

from router.errors import SignatureRefusedError
from router.limits import CERTIFICATES_KEPT_MAX, SIGNER_SPAN_RECORDS
from router.model.documents import SignatureEntry
from router.queue import Queue, RoomRecord, after
from router.queue.records import decode_room
from router.signatures import SignatureVerdict, TrustView, Verdict
from router.signatures.jws import read_header

ROOM: Final = "certificate"
_USED: Final = "signer/"
_NAME_CHARS: Final = 32


class CertificateKept(msgspec.Struct, frozen=True, array_like=True):
    """A certificate (DER), and the SHA-256 (hex) of the one that issued it ("": a root)."""

    der: bytes
    issuer: str = ""


class SignerUsed(msgspec.Struct, frozen=True, array_like=True):
    """A certificate signed a document: that of a sequence (0: those right after this record)."""

    document: int = 0


class Kept(NamedTuple):
    """Where a certificate is kept since when, and who issued it."""

    sequence: int
    at: int
    issuer: str


class Span(NamedTuple):
    """Sequences between which documents of a signer lie, the last one left out."""

    first: int
    stop: int


_encode: Final = msgspec.msgpack.Encoder().encode
_kept: Final = msgspec.msgpack.Decoder(CertificateKept)
_used: Final = msgspec.msgpack.Decoder(SignerUsed)


class Signers:
    """The certificates kept, by SHA-256 (hex); any thread may ask, one applies."""

    def __init__(self) -> None:
        self._kept: dict[str, Kept] = {}
        self._noted: dict[str, int] = {}  # the document from which on the latest span is noted

    def __len__(self) -> int:
        return len(self._kept)

    def apply(self, record: RoomRecord, sequence: int) -> None:
        """Take in a record of the room; the first of a certificate counts."""
        said = _kept.decode(record.body)
        sha256 = hashlib.sha256(said.der).hexdigest()
        if sha256 not in self._kept and len(self._kept) < CERTIFICATES_KEPT_MAX:
            self._kept[sha256] = Kept(sequence, record.at, said.issuer)

    def find(self, sha256: str) -> Kept | None:
        """Return where a certificate is kept, or None."""
        return self._kept.get(sha256)

    def all(self) -> list[tuple[str, Kept]]:
        """Return the certificates in the order in which they were first seen."""
        return list(self._kept.items())  # in the order of the log: a dict keeps it

    def missing(
        self, verdict: Verdict, entries: Sequence[SignatureEntry], trust: TrustView, at_us: int
    ) -> list[RoomRecord]:
        """Return the records of the certificates of a good verdict that are not kept yet.

        They are taken from what the sender sent along and from the trust store; what neither
        has, and what exceeds the bound, is known by its SHA-256 only.
        """
        chains = [one.chain or (one.certificate_sha256,) for one in verdict.signatures]
        if all(sha256 in self._kept for chain in chains for sha256 in chain):
            return []
        if len(self._kept) >= CERTIFICATES_KEPT_MAX:
            return []
        sent = dict(sent_along(entries))
        found: dict[str, RoomRecord] = {}
        for chain in chains:
            for sha256, issuer in zip(chain, (*chain[1:], ""), strict=True):
                der = sent.get(sha256) or _trusted(trust, sha256)
                if der and sha256 not in self._kept:
                    body = _encode(CertificateKept(der, issuer))
                    found[sha256] = RoomRecord(ROOM, body, at_us, 0, "engine")
        return list(found.values())

    def notes(self, good: Sequence[tuple[Verdict, int]], last: int, at_us: int) -> list[RoomRecord]:
        """Return the notes that documents with good verdicts need.

        They are stored after the sequence `last`, each in a group that begins with its note;
        or the number beside the verdict is where the document stands already.  `noted` takes
        them in.
        """
        wanted = {
            (one.certificate_sha256, document)
            for verdict, document in good
            for one in verdict.signatures
            if one.certificate_sha256 in self._kept and (document or self._due(one, last))
        }
        return [
            RoomRecord(_room_of(sha256), _encode(SignerUsed(document)), at_us, 0, "engine")
            for sha256, document in sorted(wanted)
        ]

    def _due(self, one: SignatureVerdict, last: int) -> bool:
        noted = self._noted.get(one.certificate_sha256)
        return noted is None or noted <= last - SIGNER_SPAN_RECORDS

    def noted(self, verdicts: Sequence[Verdict], last: int) -> None:
        """Take in that the notes for these are flushed; `last` as `notes` was given it."""
        for verdict in verdicts:
            for one in verdict.signatures:
                if one.certificate_sha256 in self._kept and self._due(one, last):
                    self._noted[one.certificate_sha256] = last

    def certificate(self, queue: Queue, sha256: str) -> bytes:
        """Return a certificate (DER), or nothing when it is not kept."""
        kept = self._kept.get(sha256)
        data = None if kept is None else queue.store.record(kept.sequence)
        if kept is None or data is None:
            return b""
        return _kept.decode(decode_room(data, kept.sequence).body).der

    def last_noted(self, queue: Queue, sha256: str) -> int:
        """Return from which sequence on the latest documents of a certificate lie; 0: none do."""
        last = 0
        for last in after.room_sequences(queue.store, _room_of(sha256)):  # noqa: B007
            pass
        data = queue.store.record(last) if last else None
        if data is None:
            return 0
        return _used.decode(decode_room(data, last).body).document or last

    def used(self, queue: Queue, sha256: str, start: int) -> Iterator[Span]:
        """Yield the spans from a sequence on that have documents of a certificate, in order.

        A note is written anew after `SIGNER_SPAN_RECORDS`, and holds for twice as many: so far
        at most do groups that are stored side by side overtake each other.
        """
        spans = []
        for sequence in after.room_sequences(queue.store, _room_of(sha256)):
            over = sequence + 2 * SIGNER_SPAN_RECORDS <= start
            data = None if over else queue.store.record(sequence)
            if data is None:
                continue
            document = _used.decode(decode_room(data, sequence).body).document
            spans.append(
                Span(document, document + 1)
                if document
                else Span(sequence, sequence + 2 * SIGNER_SPAN_RECORDS)
            )
        for span in sorted(spans):
            first = max(span.first, start)
            if first < span.stop:
                yield Span(first, span.stop)
                start = span.stop


def _room_of(sha256: str) -> str:
    return _USED + sha256[:_NAME_CHARS]


def sent_along(entries: Sequence[SignatureEntry]) -> Iterator[tuple[str, bytes]]:
    """Yield (SHA-256, DER) of the certificates in the headers of signatures."""
    for entry in entries:
        try:
            header = read_header(entry.protected)
        except SignatureRefusedError:
            continue
        for der in header.certificates:
            yield hashlib.sha256(der).hexdigest(), der


def _trusted(trust: TrustView, sha256: str) -> bytes:
    authority = trust.authority(bytes.fromhex(sha256))
    return b"" if authority is None else authority.certificate.der
