"""The durable queue at store level: encoded records in, receipts out, every peer beside it.

Peers get the same documents of 2 KB, an index by recipient and by name, and refuse a document
they have.  Which durability each gives stands in the note of its rows.  A server's rows are
left out when its program isn't installed; the first row's note says so.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import msgspec

from vanban_bench.micro import (
    _queue_accept,
    _queue_broadcast,
    _queue_busy,
    _queue_bytes,
    _queue_drain,
    _queue_inbox,
    _queue_reopen,
)
from vanban_bench.micro._queue_machine import touch_memory
from vanban_bench.micro._queue_slices import Scale
from vanban_bench.micro._queue_store import OurStore
from vanban_bench.micro._queue_world import World
from vanban_bench.peers.base import Side, started
from vanban_bench.peers.log_floor import LogFloor
from vanban_bench.peers.nats_streams import NatsAlways
from vanban_bench.peers.postgres import PostgresCopy
from vanban_bench.peers.redis_streams import RedisAlways
from vanban_bench.peers.sqlite import SqliteFull
from vanban_bench.rows import ROUNDS_MIN, Row
from vanban_bench.workloads.queue_country import Tree, country_of
from vanban_bench.workloads.queue_documents import Feed

SUITE: Final = "queue"


def rows(tiny: bool, rounds: int = ROUNDS_MIN, directory: Path | None = None) -> Iterator[Row]:
    """Measure everything; the disk is that of `directory` (the current one unless told).

    Raises `DigestMismatchError` when a side gives out other documents than it took, OSError when
    the disk can't be written.
    """
    with tempfile.TemporaryDirectory(prefix="vanban-queue-", dir=directory or Path.cwd()) as name:
        home = Path(name)
        home.chmod(0o711)  # a server that runs as another user must come through
        scale = Scale.of(tiny, rounds, home)
        tree = country_of(*scale.units)
        yield from _beside_peers(tree, scale, home)
        if not tiny:
            touch_memory()
        yield from _queue_broadcast.rows(scale, home)
        yield from _alone(tree, scale, home)


def peers(scale: Scale) -> list[Side]:
    """Return the peers that accept, SQLite first; servers only at full scale."""
    found: list[Side] = [SqliteFull(), LogFloor(scale.floor_bytes)]
    return [*found, RedisAlways(), PostgresCopy(), NatsAlways()] if scale.servers else found


def _beside_peers(tree: Tree, scale: Scale, home: Path) -> Iterator[Row]:
    """Measure acceptance and draining."""
    unflushed: list[Side] = [SqliteFull(lease_flushed=False)]
    if scale.servers:
        unflushed.append(PostgresCopy(lease_flushed=False))
    sides, missing = started([OurStore(), *peers(scale), *unflushed], home)
    said = [f"not measured here: {one}" for one in missing]
    try:
        accepting = [side for side in sides if side not in unflushed]
        for row in _queue_accept.rows(accepting, tree, scale, home):
            yield msgspec.structs.replace(row, note="; ".join([row.note, *said]))
            said = []
        draining = [side for side in sides if not isinstance(side, LogFloor)]
        feed = Feed(tree.letters(8))
        digest = _queue_accept.check_equal(draining, tree, feed, home)
        yield from _queue_drain.rows(draining, tree, scale, home, digest)
    finally:
        _stop(sides)


def _alone(tree: Tree, scale: Scale, home: Path) -> Iterator[Row]:
    """Measure what only our own store is asked."""
    world = World(tree, scale, home)
    yield _queue_inbox.inbox(world, scale)
    yield from _queue_inbox.growth(world, scale, home)
    yield from _queue_reopen.rows(world, scale)
    world.remove()
    yield _queue_inbox.idle(tree, scale, home)
    yield _queue_inbox.track(scale, home)
    yield from _queue_busy.rows(tree, scale, home)
    yield from _queue_bytes.rows(tree, scale, home)


def _stop(sides: Sequence[Side]) -> None:
    for side in sides:
        side.stop()
