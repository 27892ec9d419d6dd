"""What the verifier remembers between batches, bounded, and how much of it there is.

Three things repeat from document to document: a signer's protected header, letter for letter,
the path from a signer's certificate to a trusted root, and the tree a document was signed in
(`trees`).  The first two are remembered by a digest.
What was found good and what was refused are kept apart, so that junk can't push out what is
used; of equals the one not used since the hand came by last goes first (the clock algorithm).
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Generic, Protocol, TypeVar

import msgspec

from router._plain_envelopes import HEADER_TEXTS_BYTES_MAX, PlainEnvelopes
from router.limits import (
    PATH_CACHE_ENTRIES_MAX,
    PATH_REFUSALS_MAX,
    SIGNER_CACHE_ENTRIES_MAX,
    TREE_MEMORY_BYTES_MAX,
    TREES_REMEMBERED_MAX,
)
from router.model.instants import INSTANT_MAX
from router.signatures.certificates import Certificate
from router.signatures.paths import RevocationView
from router.signatures.revocation_view import Links
from router.signatures.trees import TreeMemory
from router.signatures.verdicts import Evidence, Missing, Status

SIGNER_BYTES: Final = 5_200
"""About what one remembered signer takes: the key in OpenSSL's form, names, digests."""
PATH_BYTES: Final = 2_400
"""About what one remembered path takes; authorities' certificates are shared by all paths."""

Check = Callable[[bytes, bytes], None]


class RevocationSnapshot(RevocationView, Protocol):
    """What is known of revocation at one moment, with what caches need to hear of changes."""

    @property
    def version(self) -> int:
        """A number that changes with everything that is learned."""

    def stamp(self, issuer: Certificate, serial: int) -> int:
        """Return a number that changes when what is known of this certificate changes."""


class RevocationSource(Protocol):
    """Where a batch takes its snapshot from."""

    @property
    def view(self) -> RevocationSnapshot:
        """What is known now."""


class Entry:
    """Something that can be remembered; `used` is set at each use and cleared by the hand."""

    __slots__ = ("used",)

    def __init__(self) -> None:
        self.used = False


@dataclass(slots=True, eq=False)
class KnownPath(Entry):
    """A judged path, and for what it holds: these authorities, this window, these stamps.

    `chain` has the SHA-256 (hex) of signer's certificate to root, `links` the issuer and the
    serial number of each certificate below the root; `where` is the certificate's place in the
    entry.  `good_until` still belongs to the window.  A path is asked about again only when a stamp
    changed; one that is not valid, whenever anything was learned.  `signers` are of lists that
    others than the chain signed, and have stamps, too.  `beside` are the links of chains
    that were looked at before it; while their stamps (`beside_stamps`) stay it may be renewed, for
    instants between `span_from` and `span_until`.
    """

    status: Status
    code: str
    facts: dict[str, str | int]
    where: str
    chain: tuple[str, ...]
    links: Links
    evidence: tuple[Evidence, ...]
    missing: tuple[Missing, ...]
    good_from: int
    good_until: int
    authorities: object
    stamps: tuple[int, ...]
    revocation_version: int
    signers: Links = ()
    beside: Links = ()
    beside_stamps: tuple[int, ...] = ()
    span_from: int = 0
    span_until: int = INSTANT_MAX
    used: bool = False

    def holds(self, authorities: object, revocation: RevocationSnapshot, at_us: int) -> bool:
        """Say whether the path would be judged alike with these, at that signing instant."""
        if self.authorities is not authorities or not self.good_from <= at_us <= self.good_until:
            return False
        version = revocation.version
        if version == self.revocation_version:
            return True
        if self.status != "valid":
            return False
        if stamps_of(self.links + self.signers, revocation) != self.stamps:
            return False
        if not self.stands_beside(revocation):
            return False
        self.revocation_version = version
        return True

    def stands_beside(self, revocation: RevocationSnapshot) -> bool:
        """Say whether nothing was learned of the chains that were looked at before."""
        return not self.beside or stamps_of(self.beside, revocation) == self.beside_stamps


@dataclass(slots=True, eq=False)
class Signer(Entry):
    """A protected header that was read: how to check a signature under it, and who signs.

    `check(signature, message)` raises SignatureRefusedError; `form` is the form of entries the
    header is for.  `path_key` is the digest of the
    certificates sent along; `certificate` and `others` (DER) are let go once the path is known.
    """

    check: Check
    form: str
    algorithm: str
    certificate_sha256: str
    subject: str
    issuer: str
    serial: str
    valid_from: int
    valid_to: int
    path_key: bytes
    certificate: Certificate | None
    others: tuple[bytes, ...]
    path: KnownPath | None = field(default=None)
    used: bool = False


class Sizes(msgspec.Struct, frozen=True):
    """How much is remembered and under way; `bytes` is about the memory it takes."""

    signers: int
    signers_max: int
    paths: int
    paths_max: int
    refusals: int
    refusals_max: int
    trees: int
    trees_max: int
    cold_waiting: int
    cold_waiting_max: int
    bytes: int
    bytes_max: int


_E = TypeVar("_E", bound=Entry)


class Cache(Generic[_E]):
    """Entries by a digest, at most so many.  Reading takes no lock."""

    def __init__(self, entries_max: int) -> None:
        self.entries_max = entries_max
        self._lock = threading.Lock()  # guards _entries against two writers
        self._entries: dict[bytes, _E] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: bytes) -> _E | None:
        """Return what is remembered, or None."""
        entry = self._entries.get(key)
        if entry is not None:
            entry.used = True
        return entry

    def put(self, key: bytes, entry: _E) -> None:
        """Remember; when full, forget one that was not used since the hand came by last."""
        with self._lock:
            entries = self._entries
            while key not in entries and len(entries) >= self.entries_max:
                oldest = next(iter(entries))
                candidate = entries.pop(oldest)
                if candidate.used:
                    candidate.used = False
                    entries[oldest] = candidate
            entries[key] = entry

    def drop(self, key: bytes) -> None:
        """Forget one."""
        with self._lock:
            self._entries.pop(key, None)


class Caches:
    """All that one verifier remembers."""

    def __init__(self) -> None:
        self.signers: Cache[Signer] = Cache(SIGNER_CACHE_ENTRIES_MAX)
        self.paths: Cache[KnownPath] = Cache(PATH_CACHE_ENTRIES_MAX)
        self.refusals: Cache[KnownPath] = Cache(PATH_REFUSALS_MAX)
        self.trees = TreeMemory()
        self.plain = PlainEnvelopes()  # keeps texts of headers, and nothing about them

    def path(self, key: bytes) -> KnownPath | None:
        """Return the path remembered under the digest of its certificates, good or not."""
        return self.paths.get(key) or self.refusals.get(key)

    def keep(self, key: bytes, path: KnownPath) -> None:
        """Remember a path; what was known of it before is forgotten."""
        good = path.status == "valid"
        (self.refusals if good else self.paths).drop(key)
        (self.paths if good else self.refusals).put(key, path)

    def sizes(self, cold_waiting: int, cold_waiting_max: int) -> Sizes:
        """Return how much there is."""
        paths, refusals = len(self.paths), len(self.refusals)
        return Sizes(
            signers=len(self.signers),
            signers_max=self.signers.entries_max,
            paths=paths,
            paths_max=self.paths.entries_max,
            refusals=refusals,
            refusals_max=self.refusals.entries_max,
            trees=len(self.trees),
            trees_max=TREES_REMEMBERED_MAX,
            cold_waiting=cold_waiting,
            cold_waiting_max=cold_waiting_max,
            bytes=len(self.signers) * SIGNER_BYTES
            + (paths + refusals) * PATH_BYTES
            + self.trees.nbytes
            + self.plain.nbytes,
            bytes_max=self.signers.entries_max * SIGNER_BYTES
            + (self.paths.entries_max + self.refusals.entries_max) * PATH_BYTES
            + TREE_MEMORY_BYTES_MAX
            + HEADER_TEXTS_BYTES_MAX,
        )


def stamps_of(links: Links, revocation: RevocationSnapshot) -> tuple[int, ...]:
    """Return the stamps of every certificate of a path below its root."""
    return tuple(revocation.stamp(issuer, serial) for issuer, serial in links)
