"""Whose documents will come next: the headers of signers seen before, for a verifier that is new.

A restart forgets every judged path, so the first document of each signer would wait for his.
The headers are those of stored documents, letter for letter: a path is remembered by the
certificates a header brings.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from router.engine.facts import decode_facts
from router.engine.state import Rooms
from router.limits import WARM_DOCUMENTS_MAX, WARM_DOCUMENTS_PER_SIGNER
from router.model.documents import Envelope, SignatureEntry
from router.queue import Queue, after
from router.queue.listing import documents_from

_envelopes: Final = msgspec.msgpack.Decoder(Envelope)
_STEP: Final = 16


def headers_of_signers(rooms: Rooms, queue: Queue, now_us: int) -> Iterator[str]:
    """Yield a protected header of each signer who speaks for a unit now, the latest ones first.

    Yields an empty one now and then, for others to go on.  Who is the latest is known as
    exactly as it is noted (`Signers.notes`).
    """
    noted: list[tuple[int, str]] = []
    for place, (sha256, _) in enumerate(rooms.signers.all()):
        if place % _STEP == 0:
            yield ""
        if any(one.holds(now_us) for one in rooms.trust.bindings(sha256)):
            last = rooms.signers.last_noted(queue, sha256)
            if last:
                noted.append((last, sha256))
    noted.sort(reverse=True)
    wanted = {sha256 for _, sha256 in noted}
    looked: set[int] = set()
    for first, sha256 in noted:
        if sha256 in wanted:
            yield from _found(queue, first, sha256, wanted, looked)
        if len(looked) >= WARM_DOCUMENTS_MAX:
            return


def _found(
    queue: Queue, first: int, sha256: str, wanted: set[str], looked: set[int]
) -> Iterator[str]:
    """Yield headers of wanted signers from a document on, until that of one is among them."""
    for place, (sequence, _) in enumerate(documents_from(queue, first)):
        if place >= WARM_DOCUMENTS_PER_SIGNER or sha256 not in wanted:
            return
        if place % _STEP == _STEP - 1:
            yield ""
        if sequence in looked:
            continue
        looked.add(sequence)
        accepted = after.acceptance_of(queue.store, sequence)
        signers = [one.certificate_sha256 for one in decode_facts(accepted.facts).signatures]
        if wanted.isdisjoint(signers):
            continue
        entries: Sequence[SignatureEntry] = _envelopes.decode(accepted.envelope).signatures
        for signer, entry in zip(signers, entries, strict=False):
            if signer in wanted:
                wanted.discard(signer)
                yield entry.protected
