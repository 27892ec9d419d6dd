"""Rows that read: a first page, a unit long idle, a broadcast's counts; and growth."""

from __future__ import annotations

import shutil
import statistics
from collections.abc import Callable, Iterator
from itertools import chain, islice
from pathlib import Path
from random import Random
from time import perf_counter
from typing import Final

from router._core import Audience
from vanban_bench.micro._queue_slices import Scale
from vanban_bench.micro._queue_store import OurStore
from vanban_bench.micro._queue_world import LATER_US, PAGE, SEED, World
from vanban_bench.rows import DigestMismatchError, Row, digest_text
from vanban_bench.workloads.queue_country import Tree
from vanban_bench.workloads.queue_documents import (
    AT_US,
    Feed,
    Group,
    Reader,
    Spread,
    document_key,
    whole_paper,
)
from vanban_bench.workloads.reformed import country

SUITE: Final = "queue"
_IDLE_BYTES: Final = 128
"""Documents of the thirty days are small: only their number matters, and the disk is finite."""
_IDLE_SPREADS: Final = 20_000
_GROUP: Final = 512
_SMALL: Final = 1_000
_SMALL_READERS: Final = 3
_ADDED_FIRST: Final = 800_000_000_000


def inbox(world: World, scale: Scale) -> Row:
    """Time the first page of units among all that waits."""
    digest = digest_text(world.check())
    times = sorted(
        _timed(lambda reader=reader: world.store.inbox(reader, PAGE, LATER_US))  # type: ignore[misc]
        for _ in range(scale.slices)
        for reader, _ in world.readers()
    )
    note = (
        f"first {PAGE} of a unit; {world.note}; {len(world.probes)} units; p99 "
        f"{1e6 * times[len(times) * 99 // 100]:,.0f} us"
    )
    return Row(
        SUITE, "inbox", 1e6 * statistics.median(times), "us", digest=digest, rounds=scale.slices,
        note=note,
    )  # fmt: skip


def idle(tree: Tree, scale: Scale, home: Path) -> Row:
    """Time the first page of a unit that pulled nothing for thirty national days.

    It acknowledged everything before but one old document.
    """
    store = OurStore()
    store.open(home / "idle")
    try:
        position = len(tree) - 7
        reader = tree.reader(position)
        old = 300 if not scale.tiny else 20
        letter = tree.spread(Audience.from_positions([position]))
        store.accept(_group([letter] * old, 0))
        keys = store.lease(reader, old)
        store.settle(reader, keys[1:])
        number, wanted = old, [keys[0]]
        feed = Feed(_national(tree, scale), envelope_bytes=_IDLE_BYTES)
        holds = [position in Audience.from_bytes(spread.runs) for spread in feed.spreads]
        # Documents go to the spreads by their number, so numbering begins at a whole round.
        number = first = -(-old // len(holds)) * len(holds)
        last = first + scale.days * scale.day_documents
        while number < last:
            count = min(_GROUP, last - number)
            store.accept(feed.group(number, count))
            number += count
        wanted += islice(
            (document_key(n) for n in range(first, last) if holds[n % len(holds)]), PAGE - 1
        )
        store.rest()
        found = store.inbox(reader, PAGE, LATER_US)
        if found != wanted:
            raise DigestMismatchError(f"{SUITE}: the idle unit finds something else")
        times = [_timed(lambda: store.inbox(reader, PAGE, LATER_US)) for _ in range(scale.slices)]
    finally:
        store.close()
        shutil.rmtree(home / "idle", ignore_errors=True)
    note = (
        f"first {PAGE} of a unit with one old item open that pulled nothing for {scale.days} days "
        f"of {scale.day_documents} documents; {len(wanted)} found"
    )
    return Row(
        SUITE, "inbox-idle", 1e3 * statistics.median(times), "ms",
        digest=digest_text(b"".join(wanted)), rounds=scale.slices, note=note,
    )  # fmt: skip


def track(scale: Scale, home: Path) -> Row:
    """Time the counts of one broadcast to the whole national directory."""
    tree = Tree(country(scale.tiny).before.hierarchy)
    store = OurStore()
    store.open(home / "track")
    size = len(tree)
    try:
        group = _group([tree.spread(tree.everything)], 0)
        store.accept(group)
        key = group.papers[0].key
        taken = size // 60 if scale.tiny else size // 6
        chance = Random(SEED)
        chosen = [tree.reader(position) for position in chance.sample(range(size), taken)]
        for reader in chosen:
            store.lease(reader, 1)
        done = chosen[: taken // 2]
        for first in range(0, len(done), PAGE):
            store.settle_together([(reader, [key]) for reader in done[first : first + PAGE]])
        store.rest()
        counts = store.counts(key, size)
        wanted = {"delivered": len(done), "leased": taken - len(done), "queued": size - taken}
        if counts != wanted:
            raise DigestMismatchError(f"{SUITE}: the counts are {counts}, not {wanted}")
        times = [_timed(lambda: store.counts(key, size)) for _ in range(max(scale.slices, 5))]
    finally:
        store.close()
        shutil.rmtree(home / "track", ignore_errors=True)
    return Row(
        SUITE, "track", 1e3 * statistics.median(times), "ms", digest=digest_text(repr(counts)),
        rounds=len(times), note=f"counts of one document by state: {counts}",
    )  # fmt: skip


def growth(world: World, scale: Scale, home: Path) -> Iterator[Row]:
    """Time acceptance, inbox and drain with ten million waiting against a thousand.

    The small store is made anew for every round: three units with a third of the thousand each.
    """
    tree, big = world.tree, world.store
    letters = Feed(tree.letters(64 if scale.tiny else 0))
    rounds = scale.slices * (1 if scale.tiny else 4)
    times: dict[str, tuple[list[float], list[float]]] = {
        name: ([], []) for name in ("accept-64", "inbox", "drain")
    }
    readers = [tree.reader(position) for position in world.probes[:_SMALL_READERS]]
    groups = 2 if scale.tiny else 512
    number = _ADDED_FIRST
    for turn in range(rounds):
        small = OurStore()
        small.open(home / "small")
        spreads = [tree.spread(Audience.from_positions([one.position])) for one in readers]
        small.accept(_group(list(chain.from_iterable([spreads] * (_SMALL // 3))), 0))
        small.rest()
        for place, store in enumerate((big, small)):
            for reader in readers:
                times["inbox"][place].append(
                    _timed(lambda s=store, r=reader: s.inbox(r, PAGE, LATER_US))  # type: ignore[misc]
                )
        for place, store in enumerate((big, small)):
            for reader in _full(world, turn) if store is big else readers:
                times["drain"][place].append(_drained(store, reader))
        ahead = [letters.group(number + place * 64, 64) for place in range(groups)]
        for place, store in enumerate((big, small)):
            times["accept-64"][place].append(_accepted(store, ahead) / groups)
        number += 64 * groups
        small.close()
    for name, (many, few) in times.items():
        value, other = 1e6 * statistics.median(many), 1e6 * statistics.median(few)
        yield Row(
            SUITE, f"growth-{name}", value, "us", "1000-pending", other, other / value,
            digest_text(name), rounds,
            f"{world.note}, peer: our own store where {_SMALL} wait; 1.5 times the time is a "
            "ratio of 0.67",
        )  # fmt: skip


def _full(world: World, turn: int) -> list[Reader]:
    """Return units of the world with a full page waiting, others at every turn."""
    first = _SMALL_READERS * (turn + 1)
    places = [world.probes[(first + n) % len(world.probes)] for n in range(_SMALL_READERS)]
    return [world.tree.reader(position) for position in places]


def _drained(store: OurStore, reader: Reader) -> float:
    return _timed(lambda: store.settle(reader, store.lease(reader, PAGE, LATER_US), LATER_US))


def _accepted(store: OurStore, ahead: list[Group]) -> float:
    def run() -> None:
        for group in ahead:
            store.accept(group)
        store.rest()

    return _timed(run)


def _national(tree: Tree, scale: Scale) -> list[Spread]:
    """Return what a national day is made of: 1 % to subtrees, the rest lists in a province."""
    count = 100 if scale.tiny else _IDLE_SPREADS
    subtrees, lists = tree.subtrees(SEED), tree.lists(SEED)
    return [next(subtrees if place % 100 == 0 else lists) for place in range(count)]


def _group(spreads: list[Spread], first: int) -> Group:
    papers = [whole_paper(first + place, spread) for place, spread in enumerate(spreads)]
    return Group(papers, [paper.record for paper in papers])


def _timed(call: Callable[[], object]) -> float:
    begun = perf_counter()
    call()
    return perf_counter() - begun


assert LATER_US > AT_US
