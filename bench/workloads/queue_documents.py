"""Documents for benchmarks of the queue: 2 KB each, in groups, the same bytes for every side.

A document is named by its number, so two sides that begin at the same number get the same
documents, however far each comes.  Records are stamped: what is the same for an audience is
encoded once, what differs (key, id, hashes) is put in its place, so that making them costs
little beside storing them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from itertools import chain, islice
from random import Random
from typing import Final, NamedTuple

from router.queue.records import Acceptance, StoredAudience, encode_acceptance, name_of_id

DOCUMENT_BYTES: Final = 2_048
YEAR: Final = 2_026
AT_US: Final = 1_772_409_600_000_000
"""2 March 2026, 00:00Z: when every document of a benchmark is accepted."""
SNAPSHOT_FIRST: Final = 1 << 20
"""The snapshot that documents name, or the first of them."""

_ACT: Final = "new"
_ACTOR: Final = "bench"
_SNAPSHOT_MARK: Final = 0xA5C3_96F1
_KEY_MARK: Final = bytes(range(0xD0, 0xE0))
_CONTENT_MARK: Final = bytes(range(0xA0, 0xC0))
_DIGEST_MARK: Final = bytes(range(0x80, 0xA0))
_ID_MARK: Final = "#id#id#id#id#id#i"


class Reader(NamedTuple):
    """A unit that asks for its documents: its number, its topics, its place in the snapshot."""

    address: int
    topics: tuple[bytes, ...]
    position: int


class Spread(NamedTuple):
    """Where documents go: a resolved audience as it is stored, and who sends to it.

    `addresses` are the members' numbers for peers that keep a row for each; empty when no
    such peer gets the document.
    """

    sender: int
    runs: bytes
    size: int
    postings: bytes
    addresses: tuple[int, ...] = ()


class Paper(NamedTuple):
    """One document: its record, and beside it what a peer keeps in columns."""

    sender: int
    document_id: str
    act: str
    key: bytes
    content: bytes
    addresses: tuple[int, ...]
    record: bytes


class Group(NamedTuple):
    """Documents accepted in one durable step."""

    papers: list[Paper]
    records: list[bytes]


def document_id(number: int) -> str:
    """Return the sender's name of document `number`, always 17 characters."""
    return f"{number:012d}/{YEAR}"


def document_key(number: int) -> bytes:
    """Return the key of document `number`: time first, then what looks like chance."""
    mixed = (number * 0x9E37_79B9_7F4A_7C15_F39D + 0x1234_5678_9ABC_DEF0_1234) % (1 << 80)
    return (AT_US // 1_000 + number // 100).to_bytes(6, "big") + mixed.to_bytes(10, "big")


def content_hash(number: int) -> bytes:
    """Return 32 bytes that stand for the hash of document `number`."""
    mixed = ((number + 1) * 0x9E37_79B9_7F4A_7C15) % (1 << 64)
    return mixed.to_bytes(8, "big") * 4


@cache
def envelopes(size: int, count: int = 16) -> tuple[bytes, ...]:
    """Return envelopes of `size` bytes, about half of each not to be compressed."""
    chance = Random(size)
    found = []
    for _ in range(count):
        half = chance.randbytes(size // 4).hex()
        text = '{"signature":"' + half + '","payload":"'
        found.append((text + "một trường của văn bản " * (size // 16)).encode()[:size])
    return tuple(found)


class Feed:
    """An endless supply of documents that go to `spreads` in turn.

    `distinct`: no two documents have an equal audience, because each round through the
    spreads names another snapshot.
    """

    def __init__(
        self,
        spreads: Sequence[Spread],
        *,
        distinct: bool = False,
        envelope_bytes: int = DOCUMENT_BYTES,
    ) -> None:
        self.spreads = spreads
        self._distinct = distinct
        self._envelope_bytes = envelope_bytes
        self._stamps: dict[int, _Stamp] = {}

    def group(self, first: int, count: int) -> Group:
        """Return the documents numbered from `first`."""
        papers = [self._paper(number) for number in range(first, first + count)]
        return Group(papers, [paper.record for paper in papers])

    def snapshot(self, number: int) -> int:
        """Return the snapshot that document `number` names."""
        return SNAPSHOT_FIRST + (number // len(self.spreads) if self._distinct else 0)

    def _paper(self, number: int) -> Paper:
        place = number % len(self.spreads)
        stamp = self._stamps.get(place)
        if stamp is None:
            stamp = self._stamps[place] = _Stamp(self.spreads[place], place, self._envelope_bytes)
        digest = content_hash(number if self._distinct else place)
        return stamp.paper(number, self.snapshot(number), digest)


class _Stamp:
    """The record of one spread, cut where documents differ."""

    def __init__(self, spread: Spread, place: int, envelope_bytes: int) -> None:
        self._spread = spread
        pool = envelopes(envelope_bytes)
        marked = _encoded(
            spread, _KEY_MARK, _ID_MARK, _CONTENT_MARK, _SNAPSHOT_MARK, _DIGEST_MARK,
            pool[place % len(pool)],
        )  # fmt: skip
        marks = (
            _KEY_MARK, _ID_MARK.encode(), _CONTENT_MARK, _SNAPSHOT_MARK.to_bytes(8, "big"),
            _DIGEST_MARK, name_of_id(spread.sender, _ACT, _ID_MARK),
        )  # fmt: skip
        assert all(marked.count(mark) == 1 for mark in marks), "each mark stands once in a record"
        places = sorted((marked.index(mark), which) for which, mark in enumerate(marks))
        self._order = [which for _, which in places]
        self._parts: list[bytes] = []
        begun = 0
        for at, which in places:
            self._parts.append(marked[begun:at])
            begun = at + len(marks[which])
        self._end = marked[begun:]

    def paper(self, number: int, snapshot: int, digest: bytes) -> Paper:
        """Return the document of that number."""
        key, name, content = document_key(number), document_id(number), content_hash(number)
        values = (
            key, name.encode(), content, snapshot.to_bytes(8, "big"), digest,
            name_of_id(self._spread.sender, _ACT, name),
        )  # fmt: skip
        filled = chain.from_iterable(
            (part, values[which]) for part, which in zip(self._parts, self._order, strict=True)
        )
        spread = self._spread
        record = b"".join(filled) + self._end
        return Paper(spread.sender, name, _ACT, key, content, spread.addresses, record)


def whole_paper(
    number: int, spread: Spread, *, envelope_bytes: int = DOCUMENT_BYTES, snapshot: int = 0
) -> Paper:
    """Return one document encoded as a whole (for audiences that come once)."""
    key, name, content = document_key(number), document_id(number), content_hash(number)
    pool = envelopes(envelope_bytes)
    record = _encoded(
        spread, key, name, content, snapshot or SNAPSHOT_FIRST, content, pool[number % len(pool)]
    )
    return Paper(spread.sender, name, _ACT, key, content, spread.addresses, record)


def grouped(papers: Iterable[Paper], size: int) -> Iterable[Group]:
    """Yield groups of `size` documents, the last may be smaller."""
    source = iter(papers)
    while found := list(islice(source, size)):
        yield Group(found, [paper.record for paper in found])


def _encoded(
    spread: Spread,
    key: bytes,
    name: str,
    content: bytes,
    snapshot: int,
    digest: bytes,
    envelope: bytes,
) -> bytes:
    return encode_acceptance(Acceptance(
        key=key, sender=spread.sender, document_id=name, act=_ACT, year=YEAR,
        idempotency_key=None, content=content, number_notation="12/QĐ-UBND", lane=3,
        envelope=envelope, facts=b"",
        audience=StoredAudience(snapshot, spread.runs, digest, spread.size),
        postings=spread.postings, at=AT_US, unit=spread.sender, actor=_ACTOR,
    ))  # fmt: skip
