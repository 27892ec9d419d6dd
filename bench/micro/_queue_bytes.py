"""Rows of what is written to the disk, a delivery of a broadcast from beginning to end."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from vanban_bench.micro._queue_slices import Scale
from vanban_bench.micro._queue_store import OurStore
from vanban_bench.rows import Row, digest_text
from vanban_bench.workloads.queue_country import Tree
from vanban_bench.workloads.queue_documents import DOCUMENT_BYTES, Feed

SUITE: Final = "queue"
_SHARED: Final = 256
_BROADCASTS: Final = 20
_ACCEPTED: Final = 1_024
_GROUP: Final = 64
_IO: Final = Path("/proc/self/io")


class _Meter:
    """Bytes written since it was made: by the process as the kernel counts, and by the store."""

    def __init__(self, store: OurStore) -> None:
        self._store = store
        self._process = process_bytes()
        self._told = store.bytes_written()

    def process(self) -> int:
        """Return what the kernel counts for this process (0 on a file system in memory)."""
        return process_bytes() - self._process

    def told(self) -> int | None:
        """Return what the store says it wrote to log and state; None when it doesn't say."""
        now = self._store.bytes_written()
        return None if now is None or self._told is None else now - self._told


def process_bytes() -> int:
    """Return the bytes this process caused to be written to disks (`write_bytes`), 0 unknown."""
    if not _IO.exists():
        return 0
    fields = dict(line.split(": ") for line in _IO.read_text().splitlines())
    return int(fields["write_bytes"])


def rows(tree: Tree, scale: Scale, home: Path) -> Iterator[Row]:
    """Measure acceptance alone, and the whole way to the last acknowledgement."""
    hierarchy = tree.hierarchy
    communes = [place for place in range(len(tree)) if hierarchy.tier(place) == 4]
    feed = Feed(tree.broadcasts(len(communes) - 2, 64 if scale.tiny else _ACCEPTED), distinct=True)
    store = OurStore()
    store.open(home / "bytes")
    meter, count = _Meter(store), _GROUP if scale.tiny else _ACCEPTED
    for first in range(0, count, _GROUP):
        store.accept(feed.group(first, _GROUP))
    store.rest()
    yield from _both(
        "bytes-at-acceptance", meter, count, count * DOCUMENT_BYTES,
        f"a broadcast to {len(communes) - 2}, beyond its {DOCUMENT_BYTES} bytes; {count} in groups "
        f"of {_GROUP}, then a checkpoint",
    )  # fmt: skip
    store.close()
    store.open(home / "bytes")
    readers = [tree.reader(place) for place in communes]
    documents = 1 if scale.tiny else _BROADCASTS
    meter, settled = _Meter(store), 0
    for number in range(documents):
        store.accept(feed.group(number, 1))
        for first in range(0, len(readers), _SHARED):
            calls = [(one, store.lease(one, 1)) for one in readers[first : first + _SHARED]]
            calls = [(one, keys) for one, keys in calls if keys]
            store.settle_together(calls)
            settled += len(calls)
    store.rest()
    yield from _both(
        "bytes-per-delivery", meter, settled, documents * DOCUMENT_BYTES,
        f"{documents} broadcasts one after the other, each leased and acknowledged by its "
        f"{len(communes) - 2} recipients one by one, {_SHARED} acknowledgements sharing flushes, "
        "then a checkpoint; beyond the documents",
    )  # fmt: skip
    store.close()


def _both(name: str, meter: _Meter, count: int, free: int, note: str) -> Iterator[Row]:
    """Yield the bytes as the store tells (else as the kernel does), and as the kernel does."""
    told, process = meter.told(), meter.process()
    whole = "the kernel's count for this process, zeros written ahead included"
    digest = digest_text(str(count))
    yield Row(
        SUITE, name, max(0, (process if told is None else told) - free) / count, "bytes",
        digest=digest, rounds=1,
        note=f"{note}; by {whole if told is None else 'what log and state wrote'}",
    )  # fmt: skip
    yield Row(
        SUITE, f"{name}-process", max(0, process - free) / count, "bytes", digest=digest, rounds=1,
        note=f"{note}; by {whole}",
    )  # fmt: skip
